#ifndef TASKFLOW_ROLE_WORKER_WORKER_H
#define TASKFLOW_ROLE_WORKER_WORKER_H

/*
 * What the parts of the worker share. An id is always in exactly one place:
 *
 *	taken     in our processing list, not claimed yet
 *	claiming  in the claim statement that is in flight
 *	running   claimed: a handler has it, or it waits for its handler
 *	done      ended: its settlement waits to be written or is in flight
 *
 * known maps the id of each of them to its struct work.
 */
#include "base/idmap.h"
#include "base/log.h"
#include "base/metric.h"
#include "handlers.h"
#include "role/app.h"
#include "task/queue.h"

/* How long one BLMOVE waits at the server. */
#define WAIT_SECONDS 2
#define MAX_QUEUES 32
/* Settlements of one statement, ids of one take. */
#define BATCH_MAX 1000

enum work_state { WORK_TAKEN, WORK_CLAIMING, WORK_RUNNING, WORK_DONE };

struct work {
	struct run run; /* first: handlers hand it back */
	TAILQ_ENTRY(work) link;
	enum work_state state;
	size_t nprogress; /* reports in flight: they come before its end */
	bool wished; /* a signal says that it shall be cancelled */
	bool unsure; /* a claim was not answered: it may be ours */
	uint64_t order; /* of taking */
	/* Entries with its id that came while it was known: duplicates, or a
	 * retry that was faster than our LREM, or our own successor. When it
	 * is freed, they are taken in its place. */
	size_t again[2]; /* by server */
	struct id again_worker;
	const char *again_queue;
	struct id worker; /* under which name it was taken */
	enum task_priority server;
	const char *queue; /* of worker->queues, or of strings; NULL: found by
			    * resync, not known until it is claimed */
	char *strings;	   /* owns what run points to */
	struct task_settlement settlement;
	char *bytes; /* owns what settlement points to */
};
TAILQ_HEAD(work_list, work);

struct fetch;
struct progress;

struct worker {
	struct app *app;
	struct id id; /* our name; a new one after we were declared dead */
	struct handlers *handlers;
	char *queue_names; /* storage of queues */
	const char *queues[MAX_QUEUES];
	int nqueues;

	struct idmap known;
	struct work_list taken;
	struct work_list done;
	size_t ntaken, nclaiming, nrunning, ndone;
	uint64_t taken_ever;

	/* the claim loop (claim.c) */
	struct flow *claim;
	struct flow_signal wake; /* something was taken or a slot is free */
	bool hot;		 /* the lists had something last time */
	/* the database's clock less our monotonic one, and when the claim in
	 * flight is void by it; 0: not known */
	int64_t db_offset_us, claim_expires_us;
	int64_t claim_sent_us;
	uint64_t turns;
	unsigned takes; /* for low_share */
	int64_t last_turn_us, next_beat_us, last_beat_us;
	bool told_lost;

	/* who waits at the lists (fetch.c) */
	struct fetch *fetches[MAX_QUEUES * 2];
	int nfetches;

	/* the settle loop (settle.c) */
	struct flow *settle;
	struct flow_signal ended;

	/* after a server lost its data (resync.c) */
	struct flow *resync;
	struct flow_signal lost;
	uint64_t seen_generation[2];
	struct id seen_epoch[2];
	int64_t next_look_us[2]; /* into our own list */

	/* what shall be cancelled (wishes.c) */
	struct flow *wishes;
	struct flow_signal wished;
	struct redis_listener *wish_listener;
	int64_t next_wish_look_us;

	/* leaving (leave.c) */
	bool draining, left;
	struct flow *leave;
	TAILQ_HEAD(, progress) progress; /* reports in flight (progress.c) */
	size_t nprogress;
};

static inline size_t
worker_free_slots(const struct worker *w)
{
	size_t used = w->nclaiming + w->nrunning;
	size_t all = (size_t)w->app->conf->concurrency;

	return used < all ? all - used : 0;
}

/* work.c: the places an id can be in */
struct work *work_take(struct worker *, const struct id *,
    enum task_priority server, const char *queue);
void work_free(struct worker *, struct work *);
/* A taken one that is not ours to claim after all. */
void work_forget(struct worker *, struct work *);
/* Claimed: to its handler, or (start is false) released at once. */
void work_run(struct worker *, struct work *, const struct task_claimed *,
    bool start);
void work_end(struct worker *, struct work *, const struct run_result *);
/* Unstarted: the attempt is taken back, and it returns to its queue. */
void work_release(struct worker *, struct work *);

void claim_start(struct worker *);
void fetch_start(struct worker *);
void fetch_stop(struct worker *); /* closes the connections */
void fetch_fini(struct worker *);
/* Idle again: wait at the lists. */
void fetch_wake(struct worker *);
void settle_start(struct worker *);
void progress_stop(struct worker *);
void progress_send(struct worker *, struct run *, struct span message);
void resync_start(struct worker *);
/* A list could not be changed: soon look what stands there. */
void resync_want(struct worker *, enum task_priority server);
void leave_start(struct worker *);
void wishes_start(struct worker *);
void wishes_stop(struct worker *);

/* JSON, in the arena. */
char *worker_beat_text(struct worker *, struct arena *);

#endif
