#ifndef TASKFLOW_TASK_ACTIONS_H
#define TASKFLOW_TASK_ACTIONS_H

/*
 * What an owner does to tasks, in PostgreSQL: cancel, retry, delete, and what
 * explains one. Calls as in task/tasks.h, all safe to send twice.
 */
#include "task/tasks.h"

/* Of a row after a call (pg_row_input says of which id). There is none, and the
 * functions return false, if the task is unknown or somebody else's. */
struct task_acted {
	enum task_status status;	/* after it */
	bool		 done;		/* it was our doing */
	struct span	 queue;		/* cancel alone; borrowed */
	enum task_priority priority;	/* cancel alone */
	int64_t		 due_in_ms;	/* retry alone */
};
/* For the event. who: a line that no other request has, or sending a retry
 * twice is not safe. */
struct task_actor {
	const char *who, *request_id;
};
/* Waiting ones are CANCELLED at once; running ones get the wish (status is
 * IN_PROGRESS then) and are CANCELLED when they end. */
struct pg_call *tasks_cancel(struct pg *, const struct id *, size_t n,
    const struct id *user, const struct task_actor *);
bool tasks_cancelled(const struct pg_call *, int row, struct task_acted *ret);
/* FAILED and CANCELLED ones wait again, with all of their attempts. */
struct pg_call *tasks_retry(struct pg *, const struct id *, size_t n,
    const struct id *user, const struct task_actor *);
bool tasks_retried(const struct pg_call *, int row, struct task_acted *ret);
/* Final ones and their events go. False: there is none, or not any more. status
 * is what it was; done: it is gone. */
struct pg_call *tasks_delete(struct pg *, const struct id *, const struct id *user);
bool tasks_deleted(const struct pg_call *, struct task_acted *ret);

/* Which of these attempts shall be cancelled? Rows with their input index. */
struct task_attempt {
	struct id id, worker;
	int64_t	  attempt;
};
struct pg_call *tasks_wished(struct pg *, const struct task_attempt *, size_t n);

/* A user's FAILED or CANCELLED tasks; what is 0 or NULL does not matter. */
struct retry_filter {
	enum task_status status;
	const char	*type, *queue;
	bool		 has_priority;
	enum task_priority priority;
	int64_t		 after_us, before_us;	/* created_at, wall */
	bool		 has_below;
	struct id	 below;
};
/* Looks at no more than `look` tasks, newest first, and finds no more than
 * `limit`. Rows as of tasks_scan: false is the last one, which has the id up to
 * which it looked (no row: there was nothing). */
struct pg_call *tasks_find_failed(struct pg *, const struct id *user,
    const struct retry_filter *, int64_t look, int64_t limit);
bool tasks_found(const struct pg_call *, int row, struct id *ret, int64_t *ret_looked);

/* type, queue, worker, error, status, priority, attempt and times of a row, and
 * when somebody wished it cancelled (0: nobody). */
struct pg_call *tasks_explain(struct pg *, const struct id *, const struct id *user);
void tasks_explained(const struct pg_call *, struct task_row *ret,
    int64_t *ret_wished_us);

#endif
