#ifndef TASKFLOW_TASK_QUEUE_H
#define TASKFLOW_TASK_QUEUE_H

/*
 * The Redis side: which lists hold ids, who has taken them, who lives, who
 * leads. Redis is an index that can be rebuilt; the truth is in PostgreSQL. All
 * key names are made here. Each function makes a call for redis_run/redis_try.
 */
#include "store/redis.h"
#include "task/tasks.h"

/* ---- lists of ready ids; on the server of their priority ---- */
/* At the tail, in order; or at the head, so that ids[0] becomes the first. */
struct redis_call *queue_push(struct redis *, const char *queue,
    const struct id *ids, size_t n, bool at_head);
/* At the tails of several queues, a command for each, in the order of the ids
 * (which is that of their making); sorts the entries. */
struct queue_entry {
	const char *queue;
	struct id   id;
};
struct redis_call *queue_push_many(struct redis *, struct queue_entry *,
    size_t n);
/* Wait (BLMOVE) for one id; it goes to the worker's processing list. Answer:
 * the id or nil. On a connection of its own. */
struct redis_call *queue_wait(struct redis *, const char *queue,
    const struct id *worker, int seconds);
/* Take up to n ids at once. Answer: a list of ids. */
struct redis_call *queue_take(struct redis *, const char *queue,
    const struct id *worker, size_t n);
/* Settled: out of the processing list. */
struct redis_call *queue_remove(struct redis *, const struct id *worker,
    const struct id *ids, size_t n);
/* Back to the head of the queue, in order, if still in the processing list. */
struct redis_call *queue_give_back(struct redis *, const char *queue,
    const struct id *worker, const struct id *ids, size_t n);
/* Put ids into the processing list again, once each. Answer: the whole list. */
struct redis_call *queue_restore(struct redis *, const struct id *worker,
    const struct id *ids, size_t n);
/* What a worker has taken: all of it. */
struct redis_call *queue_processing(struct redis *, const struct id *worker);
/* How much of it; a reply for each worker. */
struct redis_call *queue_processing_lengths(struct redis *,
    const struct id *workers, size_t n);
/* The whole processing list goes: nothing in it is an id. */
struct redis_call *queue_processing_drop(struct redis *, const struct id *worker);
/* A part of a queue, by index from the head; negative from the tail. */
struct redis_call *queue_range(struct redis *, const char *queue,
    int64_t first, int64_t last);
struct redis_call *queue_length(struct redis *, const char *queue);
/* As far as one command searches a list. */
#define QUEUE_SEARCH_MAX 10000
/* Out of the queue, if that is short enough to be searched. It is no harm if it
 * stays: nobody can claim it. */
struct redis_call *queue_drop(struct redis *, const char *queue,
    const struct id *);
/* Which place from the head has it, and how many are there? Two replies: an
 * integer or nil (not among those that are searched), an integer. */
struct redis_call *queue_place(struct redis *, const char *queue,
    const struct id *);
/* The next part of the names of all processing lists. Answer: cursor, keys. */
struct redis_call *queue_scan_processing(struct redis *, const char *cursor);
/* The next part of the names of all queues. Answer: cursor, keys. */
struct redis_call *queue_scan_names(struct redis *, const char *cursor);
/* Of which queue is it the list? Borrowed; false: it is none. */
bool queue_of_key(struct span key, struct span *ret);
/* Two replies for each: the length, and the first id or nil. */
struct redis_call *queue_heads(struct redis *, const char *const *queues,
    size_t n);
/* Whose list is it? False: it is none. */
bool worker_of_key(struct span key, struct id *ret);

/* Take the ids of the first ref's queue out of refs (at most max, in order):
 * their number; *n shrinks to what is left. For the calls above, which know
 * one queue. */
size_t queue_group(struct task_ref *refs, size_t *n, size_t max,
    char ret_queue[TASK_NAME_MAX + 1], struct id *ret);

/* Ids of a list reply; what is no id is skipped. At most max; how many. */
size_t queue_ids(const struct reply *, struct id *ret, size_t max);

/* ---- workers; on redis-high ---- */
/* Answer: 1, or 0 when the worker was declared dead. */
struct redis_call *worker_beat(struct redis *, const struct id *worker,
    const char *json, int64_t ttl_ms);
/* Orderly leave: all lists are empty. */
struct redis_call *worker_leave(struct redis *, const struct id *worker);
struct redis_call *workers_list(struct redis *);	/* set of ids */
struct redis_call *workers_dead(struct redis *);	/* of the last hour */
struct redis_call *workers_add(struct redis *, const struct id *ids, size_t n);
/* What each worker's heartbeat says: a reply of strings and nils. */
struct redis_call *workers_say(struct redis *, const struct id *ids, size_t n);
/* For each worker: does its heartbeat exist? One reply each. */
struct redis_call *workers_alive(struct redis *, const struct id *ids, size_t n);
/* Their heartbeats: JSON, or nil. One reply each. */
struct redis_call *workers_said(struct redis *, const struct id *ids, size_t n);
/* Answer: 1 if it is dead now. */
struct redis_call *worker_verdict(struct redis *, const struct id *worker);

/* ---- leadership; on redis-high ---- */
/* Answer: 1 taken, 2 extended, 0 somebody else's. */
struct redis_call *lease_take(struct redis *, const struct id *me, int64_t ttl_ms);
struct redis_call *lease_release(struct redis *, const struct id *me);
struct redis_call *term_get(struct redis *);
struct redis_call *term_set(struct redis *, int64_t term);
/* For people: who leads, of which term, and how many workers there are. Three
 * replies: an id or nil, a number as text or nil, an integer. */
struct redis_call *cluster_get(struct redis *);

/* ---- has the server lost its data? ---- */
struct redis_call *epoch_get(struct redis *);		/* nil: lost */
void epoch_add(struct redis_call *);	/* the same command, in another call */
struct redis_call *epoch_set(struct redis *, const struct id *epoch);
/* Answer: [maxmemory-policy, value, maxmemory, value]. */
struct redis_call *server_policy(struct redis *);

/* ---- signals; on redis-high ---- */
#define SIGNAL_SETTLED	"taskflow:signal:settled"	/* ids, by spaces */
#define SIGNAL_DUE	"taskflow:signal:due"		/* something is due soon */
#define SIGNAL_ACCESS	"taskflow:signal:access"	/* users_changed has news */
#define SIGNAL_CANCEL	"taskflow:signal:cancel"	/* ids, as above: a wish */
struct redis_call *signal_due(struct redis *);
struct redis_call *signal_access(struct redis *);
struct redis_call *signal_cancel(struct redis *, const struct id *ids, size_t n);
struct redis_call *signal_settled(struct redis *, const struct id *ids, size_t n);

#endif
