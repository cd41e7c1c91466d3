#ifndef TASKFLOW_TASK_TASKS_H
#define TASKFLOW_TASK_TASKS_H

/*
 * The tasks in PostgreSQL: one function a statement. Each makes a call, which
 * the caller hands to pg_run (or pg_try) and reads in the next step with the
 * function named beside it. All are safe to send twice.
 */
#include "store/pg.h"
#include "task/task.h"

/* ---- accepting ---- */
struct task_draft {
	struct id	   id, user_id;
	const char	  *type, *queue;
	enum task_priority priority;
	int64_t		   max_attempts, timeout_ms;
	int64_t		   scheduled_us;	/* wall; 0: none */
	int64_t		   delay_ms;		/* by the database's clock; 0: none */
	const char	  *traceparent;		/* NULL: none */
	const char	  *request_id;		/* the client's; NULL: none */
	struct span	   payload;		/* JSON, checked */
	const char	  *unique_key;		/* NULL: none; see keyed.h */
};
struct task_accepted {
	enum task_status status;	/* PENDING or QUEUED */
	int64_t		 created_us, scheduled_us;
	int64_t		 due_in_ms;	/* until its time; of PENDING ones */
};
/* All of one request. */
struct pg_call *tasks_insert(struct pg *, const struct task_draft *, size_t n);
/* False: no row, since an earlier try had inserted it already. */
bool tasks_inserted(const struct pg_call *, size_t i, struct task_accepted *ret);

/* ---- working ---- */
struct task_claimed {
	size_t		   input;	/* index in the ids that were claimed */
	int64_t		   attempt;	/* fencing token of this claim */
	int64_t		   used;	/* attempts that count, this one included */
	int64_t		   max_attempts, timeout_ms;
	enum task_priority priority;
	struct id	   user_id;
	int64_t		   queued_us;	/* since when it was ready; wall */
	/* borrowed from the call */
	struct span	   queue, type, traceparent, payload;
};
/* expires_us: by the database's clock (wall), 0: not known yet. */
struct pg_call *tasks_claim(struct pg *, const struct id *worker,
    const struct id *ids, size_t n, int64_t expires_us);
/* False: the id is not ours to run. There is a row for each id. */
bool tasks_claimed(const struct pg_call *, int row, struct task_claimed *ret);
/* The database's clock when it answered a claim. */
int64_t tasks_claim_time_us(const struct pg_call *);

struct task_settlement {
	struct id	 id, worker;
	int64_t		 attempt;
	enum task_status status;	/* after it */
	enum task_event	 event;
	int64_t		 delay_ms;	/* RETRYING: until it is due */
	bool		 not_counted;	/* the attempt does not count */
	bool		 not_started;	/* the attempt is taken back */
	struct span	 result;	/* JSON; p NULL: none */
	struct span	 error;		/* text; p NULL: none */
};
struct pg_call *tasks_settle(struct pg *, const struct task_settlement *, size_t n);
/* The status that settlement i has come to: as asked, or CANCELLED since its
 * owner wished that. 0: it was not written, see tasks_stale. */
enum task_status tasks_settled(const struct pg_call *, size_t i);
struct pg_call *tasks_stale(struct pg *, const struct task_settlement *, size_t n);
/* Row i: true if it had been settled by us before, false if it was refused. */
bool tasks_was_settled(const struct pg_call *, size_t i);
struct pg_call *tasks_progress(struct pg *, const struct id *id, int64_t attempt,
    const struct id *worker, struct span message);

/* ---- looking ---- */
struct task_row {
	struct id	   id, worker;	/* worker zero: none */
	enum task_status   status;
	enum task_priority priority;
	int64_t		   attempt, returned, max_attempts, timeout_ms;
	int64_t		   created_us, scheduled_us, due_us, queued_us;
	int64_t		   started_us, finished_us;	/* 0: not yet */
	/* borrowed from the call; p NULL: none */
	struct span	   type, queue, error, traceparent, unique_key;
	struct span	   payload, result;
};
/* The task, if it is this user's. */
struct pg_call *tasks_get(struct pg *, const struct id *, const struct id *user);
/* Which tasks of a user: those of which all holds that is not 0 or NULL. */
struct task_filter {
	struct id   user;
	unsigned    statuses;		/* 1 << status, of each */
	const char *type, *queue, *unique_key;
	bool	    has_priority;
	enum task_priority priority;
	int64_t	    after_us, before_us;	/* made: from, to below */
	struct id   above, below;	/* ids between these; below 0: no end */
};
/* At most `limit` of them, from the newest down, or from the oldest up. No more
 * than TASKS_LOOK tasks are looked at: if that was not enough, and there are
 * more, the last row is none, and tasks_list_end has the last id that was
 * looked at. */
#define TASKS_LOOK	10000
struct pg_call *tasks_list(struct pg *, const struct task_filter *, bool up,
    int64_t limit);
bool tasks_list_end(const struct pg_call *, struct id *ret);
void tasks_row(const struct pg_call *, int row, bool with_bodies,
    struct task_row *ret);

/* Rows with the input index of those that are final. */
struct pg_call *tasks_settled_of(struct pg *, const struct id *, size_t n);

struct task_event_row {
	int64_t		 seq, at_us, attempt;
	enum task_event	 event;
	enum task_status status;
	struct id	 worker;	/* zero: none */
	struct span	 message;	/* p NULL: none */
	struct span	 request_id;	/* which caused it; p NULL: not written */
};
/* No rows: no such task of that user, or nothing after that seq. At most
 * TASK_EVENTS_MAX, oldest first: more may follow after the last one. */
#define TASK_EVENTS_MAX	1000
struct pg_call *tasks_events(struct pg *, const struct id *,
    const struct id *user, int64_t after_seq);
void tasks_event_row(const struct pg_call *, int row, struct task_event_row *ret);

/* ---- managing ---- */
struct task_ref {
	struct id	   id;
	struct id	   worker;	/* tasks_scan alone */
	enum task_status   status;
	enum task_priority priority;
	char		   queue[TASK_NAME_MAX + 1];
	int64_t		   wait_us;	/* tasks_due alone: until it is due */
};
/* The first ones that are due within the lookahead, soonest first. */
struct pg_call *tasks_due(struct pg *, int64_t lookahead_ms, int64_t limit);
void tasks_due_row(const struct pg_call *, int row, struct task_ref *ret);
struct pg_call *tasks_promote(struct pg *, const struct task_ref *, size_t n);
/* A row (with input index) for each of the ids that is QUEUED after it. */
struct pg_call *tasks_recover(struct pg *, const struct id *worker,
    const struct id *ids, size_t n, const char *reason);
void tasks_recovered(const struct pg_call *, int row, size_t *ret_input,
    struct task_ref *ret);
/* Look at the next `limit` ids after one, up to another. Rows are the ones
 * that are not final, in order; false: the last row, which has only the id up
 * to which the walk came (no rows at all: there was nothing). */
struct pg_call *tasks_scan(struct pg *, const struct id *after,
    const struct id *upto, int64_t limit);
bool tasks_scan_row(const struct pg_call *, int row, struct task_ref *ret,
    int64_t *ret_seen);
/* Rows with the input index of those that are QUEUED. */
struct pg_call *tasks_still_queued(struct pg *, const struct task_ref *, size_t n);

/* Rows with the input index and for how long (us) it has been QUEUED. */
struct pg_call *tasks_ages(struct pg *, const struct task_ref *, size_t n);

struct pg_call *leader_elect(struct pg *, const struct id *leader, int64_t seen_term);
struct pg_call *partitions_ensure(struct pg *, int64_t days_ahead);
struct pg_call *partitions_drop(struct pg *, int64_t retention_ms);
/* Row 0: do rows stand in the default partition, whose day has none? */
struct pg_call *partitions_default(struct pg *);
struct pg_call *pg_ping(struct pg *);
/* Row 0: version number, encoding, is there a schema_version table. */
struct pg_call *pg_server_check(struct pg *);
struct pg_call *pg_schema_version(struct pg *);

#endif
