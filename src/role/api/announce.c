#include <stdlib.h>

#include "announce.h"

/* Ids of one list that were accepted in this turn, in their order. */
struct batch {
	TAILQ_ENTRY(batch) link;
	enum task_priority priority;
	char queue[TASK_NAME_MAX + 1];
	struct id *ids;
	size_t n, size;
};

struct announcer {
	struct loop *loop;
	struct redis *const *redis;
	struct loop_task push;
	TAILQ_HEAD(, batch) batches;
};

static void
push_batches(struct announcer *a)
{
	struct batch *b;

	while ((b = TAILQ_FIRST(&a->batches)) != NULL) {
		TAILQ_REMOVE(&a->batches, b, link);
		redis_send(queue_push(
		    a->redis[b->priority], b->queue, b->ids, b->n, false));
		free(b->ids);
		free(b);
	}
}

static void
run_push(struct loop_task *t)
{
	push_batches(container_of(t, struct announcer, push));
}

struct announcer *
announcer_open(struct loop *loop, struct redis *const redis[2])
{
	struct announcer *a = xcalloc(1, sizeof(*a));

	a->loop = loop;
	a->redis = redis;
	a->push.fn = run_push;
	TAILQ_INIT(&a->batches);
	return a;
}

void
announcer_close(struct announcer *a)
{
	loop_task_cancel(a->loop, &a->push);
	push_batches(a);
	free(a);
}

static struct batch *
batch_of(struct announcer *a, enum task_priority priority, const char *queue)
{
	struct batch *b;

	TAILQ_FOREACH (b, &a->batches, link)
		if (b->priority == priority && strcmp(b->queue, queue) == 0)
			return b;
	b = xcalloc(1, sizeof(*b));
	b->priority = priority;
	memcpy(b->queue, queue, strlen(queue) + 1);
	TAILQ_INSERT_TAIL(&a->batches, b, link);
	return b;
}

void
announce_ready(struct announcer *a, enum task_priority priority,
    const char *queue, const struct id *id)
{
	struct batch *b;

	if (a == NULL)
		return;
	b = batch_of(a, priority, queue);
	if (b->n == b->size) {
		b->size = b->size == 0 ? 32 : 2 * b->size;
		b->ids = xrealloc(b->ids, b->size * sizeof(*b->ids));
	}
	b->ids[b->n++] = *id;
	loop_soon(a->loop, &a->push);
}
