#ifndef TASKFLOW_ROLE_API_WAITERS_H
#define TASKFLOW_ROLE_API_WAITERS_H

/*
 * Who waits until a task is settled. The signal of the worker that settled it
 * wakes them; since a signal may get lost, all the tasks that somebody waits
 * for are also looked up by the clock, together.
 *
 * The order that loses nothing: join, read the task, wait, read it again.
 */
#include "loop/flow.h"
#include "store/pg.h"
#include "store/redis.h"

struct waiters;

/* One flow that waits; embedded in it, and zero before it joins. */
struct waiter {
	struct waiters *of; /* NULL: not in it, or that is gone */
	bool joined;
	struct id id;
	struct flow_signal settled;
	TAILQ_ENTRY(waiter) link; /* all of them */
	TAILQ_ENTRY(waiter) bucket_link; /* those whose ids hash alike */
};

struct waiters *waiters_open(struct loop *, struct pg *, struct redis *);
/* All are woken, and nobody joins any more. */
void waiters_drain(struct waiters *);
void waiters_close(struct waiters *);

/* False: there are too many, or we drain; do not wait. waiters may be NULL. */
bool waiter_join(
    struct waiters *, struct waiter *, struct loop *, const struct id *);
/* Before its memory goes. Whether or not it has joined, and again, is fine. */
void waiter_leave(struct waiter *);
/* For steps: waits, at most so long (more than 0). */
enum flow_next waiter_wait(struct flow *, struct waiter *, int64_t ms) MUST_USE;
/* Is there anything to wait for? */
bool waiter_may_wait(const struct waiter *);

#endif
