#ifndef TASKFLOW_TASK_LOAD_H
#define TASKFLOW_TASK_LOAD_H

/*
 * How much there is to do, and how many workers that wants. The lists that
 * KEDA measures are the same ones: the ready ids of a queue (queue.h), and
 * taskflow:inflight:<queue> on redis-high, which the leader keeps as long as
 * the number of tasks that the workers of that queue have in hand, so that
 * busy workers are not taken away when the queue is empty.
 */
#include "store/redis.h"
#include "task/task.h"

struct load {
	int64_t high, low;	/* ready tasks, by priority */
	int64_t in_flight;	/* taken by workers, not settled */
};

struct load_scale {
	int64_t target;		/* ready tasks for each worker */
	int64_t concurrency;	/* tasks that one worker runs at once */
	int64_t min, max;	/* workers */
};

/* ceil((high + low) / target), but no fewer than the tasks in flight need, and
 * from min to max: the one place where this is computed. */
int64_t load_wanted(const struct load *, const struct load_scale *);

/* The replies to it: what load_high and load_low take. False: the number is
 * not known, since the server has lost its lists, or nobody has counted what
 * is in flight. */
struct redis_call *load_ask_high(struct redis *, const char *queue);
bool load_high(const struct redis_call *, struct load *ret);
struct redis_call *load_ask_low(struct redis *, const char *queue);
bool load_low(const struct redis_call *, struct load *ret);

/* ---- what is in flight; the leader counts it ---- */
#define INFLIGHT_QUEUES	256	/* more are not counted */
#define INFLIGHT_MAX	100000	/* of a queue; more are not counted */
#define INFLIGHT_TTL_MS	60000	/* a count that nobody renews is forgotten */

struct inflight {
	struct {
		char	queue[TASK_NAME_MAX + 1];
		int64_t tasks;
	} of[INFLIGHT_QUEUES];
	size_t n;
};
/* A worker with this heartbeat has taken so many tasks: they count for each
 * queue that it serves, but never more than it runs at once, or a worker that
 * holds a few more would call for another one. What is no heartbeat counts
 * for nothing. */
void inflight_add(struct inflight *, struct span heartbeat, int64_t taken);
/* The lists get these lengths; safe to repeat. */
struct redis_call *inflight_write(struct redis *, const struct inflight *);

#endif
