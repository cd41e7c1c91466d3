#ifndef TASKFLOW_ROLE_API_AWAIT_H
#define TASKFLOW_ROLE_API_AWAIT_H

/*
 * One task, and "Prefer: wait=N" (RFC 7240): steps that POST /tasks and
 * GET /tasks/{id} share. A table has them in this order, from its own place:
 *
 *	await_join, [await_settled,] await_read, await_look, await_settled
 *
 * The last three go round until the task is final or the time is over.
 */
#include "call.h"
#include "task/tasks.h"
#include "waiters.h"

struct api_task {
	struct api_call call;
	struct id id;
	struct task_row row; /* as it is known; borrowed from the arena */
	bool known;

	bool asked; /* Prefer: wait was given */
	struct waiter waiter;
	int64_t wait_s; /* what was granted */
	int64_t until_us;
	unsigned reads;
	struct pg_call *get;
};

/* The id, from the path: ERR_NOT_FOUND if it is none. */
flow_step await_find;
/* Needs the id. Never refuses: who may not wait goes on at once. */
flow_step await_join;
/* Needs the caller; ERR_NOT_FOUND if the task is not known and not theirs. */
flow_step await_read, await_look;
flow_step await_settled;

/* First in the flow's end: no waiter any more. */
void await_end(struct api_task *);
/* Preference-Applied, if it applies. */
void await_say_waited(struct api_task *);
/* The task as the answer, with that. */
void await_reply(struct api_task *, int status);

/* The N of "wait=N" in a header Prefer (which may be NULL). False: there is
 * none, or it is no number, and so none. Pure. */
bool prefer_wait(const char *prefer, int64_t *ret_s);

#endif
