/*
 * How deep the queues are, for the metrics: the leader looks every few seconds,
 * whoever scrapes and how often. Names of queues are found by walking the keys,
 * a part at a time, so that many keys of others make it no slower; a queue
 * whose list is gone is empty, and known until its place is needed.
 */
#include <stdlib.h>

#include "manager.h"

#define LOOK_MS 5000
#define QUEUES_MAX 64

/* One list, as it was seen. */
struct list {
	int64_t n;
	int64_t ready_us; /* when its first one became ready, by our clock */
	struct id first;
};

struct known_queue {
	char name[TASK_NAME_MAX + 1];
	struct list list[2]; /* by priority */
};

struct depth {
	struct known_queue queue[QUEUES_MAX];
	size_t n;
	char cursor[2][32];
};

struct looking {
	struct duty_flow duty;
	enum task_priority server;
	struct redis_call *call;
	struct pg_call *ages;
	struct list *asked[2 * QUEUES_MAX]; /* of each row of ages */
	size_t nasked;
};

static flow_step pause_look, scan_names, note_names, ask_lists, note_lists,
    ask_ages, note_ages;

static const struct step look_steps[] = {
	STEP(pause_look),
	STEP(scan_names), /* of each server: names, then lists */
	STEP(note_names),
	STEP(ask_lists),
	STEP(note_lists),
	STEP(ask_ages),
	STEP(note_ages),
	STEP_LAST,
};

static const struct flow_def look_flow = {
	.name = "depth",
	.size = sizeof(struct looking),
	.steps = look_steps,
	.end = duty_end,
};

static struct manager *
manager_of(struct flow *f)
{
	return ((struct duty_flow *)f)->duty->manager;
}

/* ---- names ---- */
static bool
is_empty(const struct known_queue *q)
{
	return q->list[PRIORITY_LOW].n == 0 && q->list[PRIORITY_HIGH].n == 0;
}

/* NULL: there are too many that are not empty. */
static struct known_queue *
place_for(struct depth *d, struct span name)
{
	struct known_queue *q, *end = d->queue + d->n, *empty = NULL;

	for (q = d->queue; q < end; q++) {
		if (span_is(name, q->name))
			return q;
		if (is_empty(q))
			empty = q;
	}
	if (d->n < QUEUES_MAX)
		empty = &d->queue[d->n++];
	if (empty == NULL)
		return NULL;
	memset(empty, 0, sizeof(*empty));
	memcpy(empty->name, name.p, name.len);
	return empty;
}

static enum flow_next
pause_look(struct flow *f)
{
	struct looking *k = (struct looking *)f;

	k->server = PRIORITY_LOW;
	k->nasked = 0;
	return signal_wait(f, &manager_of(f)->depth.wake, LOOK_MS);
}

static enum flow_next
scan_names(struct flow *f)
{
	struct looking *k = (struct looking *)f;
	struct manager *m = manager_of(f);
	struct depth *d = m->depths;

	if (!leads(m)) {
		d->n = 0;
		return flow_again(f);
	}
	if (d->cursor[k->server][0] == '\0')
		d->cursor[k->server][0] = '0';
	k->call =
	    queue_scan_names(m->app->redis[k->server], d->cursor[k->server]);
	return redis_try(k->call, f);
}

static enum flow_next
note_names(struct flow *f)
{
	struct looking *k = (struct looking *)f;
	struct depth *d = manager_of(f)->depths;
	const struct reply *rep = redis_reply(k->call, 0);
	struct span name;

	if (redis_call_err(k->call) != OK)
		return flow_again(f);
	snprintf(d->cursor[k->server], sizeof(d->cursor[0]), "%.*s",
	    (int)rep->elem[0].str.len, rep->elem[0].str.p);
	for (size_t i = 0; i < rep->elem[1].n; i++)
		if (queue_of_key(rep->elem[1].elem[i].str, &name))
			place_for(d, name);
	return FLOW_NEXT;
}

/* ---- lists ---- */
static enum flow_next
ask_lists(struct flow *f)
{
	struct looking *k = (struct looking *)f;
	struct manager *m = manager_of(f);
	const char *names[QUEUES_MAX];

	if (m->depths->n == 0)
		return flow_goto(f, note_lists);
	for (size_t i = 0; i < m->depths->n; i++)
		names[i] = m->depths->queue[i].name;
	k->call = queue_heads(m->app->redis[k->server], names, m->depths->n);
	return redis_try(k->call, f);
}

static enum flow_next
note_lists(struct flow *f)
{
	struct looking *k = (struct looking *)f;
	struct depth *d = manager_of(f)->depths;
	struct list *l;

	if (redis_call_err(k->call) != OK)
		return flow_again(f);
	for (size_t i = 0; i < d->n; i++) {
		l = &d->queue[i].list[k->server];
		l->n = redis_reply(k->call, 2 * i)->integer;
		if (queue_ids(redis_reply(k->call, 2 * i + 1), &l->first, 1) ==
		    1)
			k->asked[k->nasked++] = l;
	}
	if (k->server == PRIORITY_HIGH)
		return FLOW_NEXT;
	k->server = PRIORITY_HIGH;
	return flow_goto(f, scan_names);
}

static enum flow_next
ask_ages(struct flow *f)
{
	struct looking *k = (struct looking *)f;
	struct task_ref *refs;

	if (k->nasked == 0)
		return flow_again(f);
	refs = arena_zalloc(&f->arena, k->nasked * sizeof(*refs));
	for (size_t i = 0; i < k->nasked; i++)
		refs[i].id = k->asked[i]->first;
	k->ages = tasks_ages(manager_of(f)->app->pg, refs, k->nasked);
	return pg_try(k->ages, f);
}

/* One that is claimed by now has just been taken from its list. */
static enum flow_next
note_ages(struct flow *f)
{
	struct looking *k = (struct looking *)f;
	int64_t now = clock_mono_us();

	if (pg_call_err(k->ages) != OK)
		return flow_again(f);
	for (size_t i = 0; i < k->nasked; i++)
		k->asked[i]->ready_us = now;
	for (int row = 0; row < pg_rows(k->ages); row++)
		k->asked[pg_row_input(k->ages, row)]->ready_us =
		    now - pg_int(k->ages, row, 0);
	return flow_again(f);
}

/* ---- gauges ---- */
static void
put_lists(struct metric_out *out, const struct depth *d, int64_t now)
{
	static const char *const names[] = { "low", "high" };
	const struct list *l;
	int64_t age;

	for (size_t i = 0; i < d->n; i++)
		for (int p = 0; p < 2; p++) {
			l = &d->queue[i].list[p];
			age = l->n == 0 || l->ready_us == 0 ? 0
							    : now - l->ready_us;
			metric_put(out, now == 0 ? l->n : age, d->queue[i].name,
			    names[p]);
		}
}

static void
put_tasks(struct metric_out *out, void *arg)
{
	const struct manager *m = arg;

	if (leads(m))
		put_lists(out, m->depths, 0);
}

static void
put_oldest(struct metric_out *out, void *arg)
{
	const struct manager *m = arg;

	if (leads(m))
		put_lists(out, m->depths, clock_mono_us());
}

/* ---- open and close ---- */
void
depth_start(struct manager *m)
{
	m->depths = xcalloc(1, sizeof(*m->depths));
	metric_collect(ROW_QUEUE_TASKS, put_tasks, m);
	metric_collect(ROW_QUEUE_OLDEST, put_oldest, m);
	duty_start(&m->depth, &look_flow);
}

void
depth_free(struct manager *m)
{
	free(m->depths);
}
