#include <stdlib.h>

#include "announce.h"

/* Memory for so many is kept from turn to turn. */
#define KEEP 4096

/* Accepted in this turn, in their order. */
struct ready {
	struct id id;
	char queue[TASK_NAME_MAX + 1];
};

struct ready_list {
	struct ready *ready;
	size_t n, size;
};

struct announcer {
	struct loop *loop;
	struct redis *const *redis;
	struct loop_task push;
	struct ready_list list[2]; /* by server */
};

static void
push_list(struct announcer *a, enum task_priority server)
{
	struct ready_list *l = &a->list[server];
	struct queue_entry *entry;
	size_t i;

	if (l->n == 0)
		return;
	entry = xmalloc(l->n * sizeof(*entry));
	for (i = 0; i < l->n; i++)
		entry[i] =
		    (struct queue_entry){ l->ready[i].queue, l->ready[i].id };
	redis_send(queue_push_many(a->redis[server], entry, l->n));
	free(entry);
	l->n = 0;
	if (l->size > KEEP) {
		free(l->ready);
		l->ready = NULL;
		l->size = 0;
	}
}

static void
push_all(struct announcer *a)
{
	push_list(a, PRIORITY_HIGH);
	push_list(a, PRIORITY_LOW);
}

static void
run_push(struct loop_task *t)
{
	push_all(container_of(t, struct announcer, push));
}

struct announcer *
announcer_open(struct loop *loop, struct redis *const redis[2])
{
	struct announcer *a = xcalloc(1, sizeof(*a));

	a->loop = loop;
	a->redis = redis;
	a->push.fn = run_push;
	return a;
}

void
announcer_close(struct announcer *a)
{
	loop_task_cancel(a->loop, &a->push);
	push_all(a);
	free(a->list[PRIORITY_HIGH].ready);
	free(a->list[PRIORITY_LOW].ready);
	free(a);
}

void
announce_ready(struct announcer *a, enum task_priority server,
    const char *queue, const struct id *id)
{
	struct ready_list *l;
	struct ready *r;

	if (a == NULL)
		return;
	l = &a->list[server];
	if (l->n == l->size) {
		l->size = l->size == 0 ? 32 : 2 * l->size;
		l->ready = xrealloc(l->ready, l->size * sizeof(*l->ready));
	}
	r = &l->ready[l->n++];
	r->id = *id;
	memcpy(r->queue, queue, strlen(queue) + 1);
	loop_late(a->loop, &a->push);
}
