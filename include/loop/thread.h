#ifndef TASKFLOW_LOOP_THREAD_H
#define TASKFLOW_LOOP_THREAD_H

/*
 * A small pool of helper threads for what would block the loop: password
 * hashing and name lookups. Bounded: when its queue is full a job is refused.
 */
#include "loop/flow.h"

struct thread_pool;

/* At most threads + max_queue jobs that have not run yet. NULL and errno when
 * no thread could be made. */
struct thread_pool *thread_pool_open(struct loop *, unsigned threads,
    unsigned max_queue);
/* Waits for the jobs that run; the rest ends with ERR_SHUTDOWN. */
void thread_pool_close(struct thread_pool *);

/* Jobs that wait or run. */
unsigned thread_pool_jobs(struct thread_pool *);

struct thread_job {
	struct op op;
	/* On a helper thread. */
	void	(*run)(struct thread_job *);
	/* On the loop, after an abandoned job has run or was dropped from the
	 * queue; may be NULL. */
	void	(*free)(struct thread_job *);
	enum err  err;		/* set by run: the op's result */
	void	 *priv;		/* the pool's; NULL: not in it */
};

/*
 * Waits. The job must stay valid until it ran: allocate it on the heap, zeroed.
 * In the flow's end (or a disposer of its arena) it is the flow's to free if
 * priv is NULL; else the flow has gone before, and `free` will be called later.
 * ERR_OVERLOADED when the queue is full.
 */
enum flow_next thread_run(struct thread_pool *, struct thread_job *,
    struct flow *) MUST_USE;

/* Waits. A host name to a numeric address (the first one, IPv4 before IPv6).
 * A numeric host is copied at once. ret is text in the flow's arena, set when
 * the step after this one runs; ERR_UNAVAILABLE when there is no such name. */
enum flow_next dns_lookup(struct thread_pool *, const char *host,
    const char **ret, struct flow *) MUST_USE;

#endif
