/*
 * Membership: which ids of a chunk stand in no list? The queues are read in
 * ranges, beginning where the last chunk left off: the walk goes in the order
 * of making, and so, nearly, do the lists, so that most chunks are found at
 * once and a list is not read whole for each. Then the processing lists of all
 * workers. What is found nowhere and is still QUEUED is pushed. Lists move
 * while they are read, so an id may be missed that is there: one too many does
 * no harm.
 */
#include <stdlib.h>

#include "reconcile.h"

#define RANGE 2000
#define MAX_TAKEN 2000

struct member {
	struct part part;
	struct idmap missing; /* id -> its ref */
	size_t queue_at; /* ref whose queue is read */
	char queue[TASK_NAME_MAX + 1];
	int64_t length, cursor, read;
	struct redis_call *call, *dead;
	struct id *workers;
	size_t nworkers, worker_at;
	struct pg_call *still;
	struct task_ref *refs;
	size_t nrefs;
};

static flow_step next_queue, hear_length, read_range, mark_range, list_workers,
    list_dead, next_worker, mark_taken, ask_again, keep_queued, push, pushed;
static void member_end(struct flow *, enum err);

static const struct step member_steps[] = {
	STEP(next_queue),
	STEP(hear_length),
	STEP(read_range),
	STEP(mark_range), /* and the next range, and the next queue */
	STEP(list_workers),
	STEP(list_dead),
	STEP(next_worker),
	STEP(mark_taken),
	STEP(ask_again), /* are they still QUEUED? */
	STEP(keep_queued),
	STEP(push),
	STEP(pushed),
	STEP_LAST,
};

static const struct flow_def member_flow = {
	.name = "member",
	.size = sizeof(struct member),
	.steps = member_steps,
	.end = member_end,
};

struct flow *
member_new(struct reconciler *r)
{
	struct member *k =
	    (struct member *)flow_new(r->manager->app->loop, &member_flow);
	size_t i;

	k->part.r = r;
	idmap_init(&k->missing);
	for (i = 0; i < r->queued->n; i++)
		idmap_put(
		    &k->missing, &r->queued->refs[i].id, &r->queued->refs[i]);
	return &k->part.flow;
}

static void
member_end(struct flow *f, enum err err)
{
	struct member *k = (struct member *)f;

	idmap_fini(&k->missing);
	if (err != OK)
		k->part.r->failed = true;
	f->err = OK; /* the pass goes to its end all the same */
}

/* A queue that has ids of this chunk and was not read yet. */
static bool
find_queue(struct member *k)
{
	const struct chunk *c = k->part.r->queued;
	size_t i;

	for (; k->queue_at < c->n; k->queue_at++) {
		for (i = 0; i < k->queue_at; i++)
			if (strcmp(c->refs[i].queue,
				c->refs[k->queue_at].queue) == 0)
				break;
		if (i == k->queue_at)
			return true;
	}
	return false;
}

static enum flow_next
next_queue(struct flow *f)
{
	struct member *k = (struct member *)f;

	if (k->missing.used == 0)
		return FLOW_END;
	if (!find_queue(k))
		return flow_goto(f, list_workers);
	memcpy(k->queue, k->part.r->queued->refs[k->queue_at].queue,
	    sizeof(k->queue));
	k->queue_at++;
	k->call = queue_length(k->part.r->redis, k->queue);
	return redis_run(k->call, f);
}

static enum flow_next
hear_length(struct flow *f)
{
	struct member *k = (struct member *)f;
	struct reconciler *r = k->part.r;

	k->length = redis_reply(k->call, 0)->integer;
	k->read = 0;
	/* A full walk begins with the oldest, at the head; a window's ids were
	 * pushed last. */
	if (r->pass == PASS_WINDOW || r->list_cursor > k->length)
		r->list_cursor = k->length > 2 * CHUNK && r->pass == PASS_WINDOW
		    ? k->length - 2 * CHUNK
		    : 0;
	k->cursor = r->list_cursor;
	return FLOW_NEXT;
}

static enum flow_next
read_range(struct flow *f)
{
	struct member *k = (struct member *)f;

	if (k->read >= k->length)
		return flow_goto(f, next_queue);
	k->call = queue_range(
	    k->part.r->redis, k->queue, k->cursor, k->cursor + RANGE - 1);
	return redis_run(k->call, f);
}

static size_t
mark(struct member *k, const struct reply *rep)
{
	struct id *ids = xmalloc((rep->n + 1) * sizeof(*ids));
	size_t i, n = queue_ids(rep, ids, rep->n);

	for (i = 0; i < n; i++)
		idmap_remove(&k->missing, &ids[i]);
	free(ids);
	return rep->n;
}

static enum flow_next
mark_range(struct flow *f)
{
	struct member *k = (struct member *)f;
	int64_t n = (int64_t)mark(k, redis_reply(k->call, 0));

	k->part.r->list_cursor = k->cursor;
	k->read += n > 0 ? n : RANGE;
	k->cursor = n < RANGE ? 0 : k->cursor + n;
	/* The calls are in the arena, and lists may be long. */
	arena_fini(&f->arena);
	arena_init(&f->arena);
	return k->missing.used == 0 ? FLOW_END : flow_goto(f, read_range);
}

/* ---- what workers have taken ---- */
static enum flow_next
list_workers(struct flow *f)
{
	struct member *k = (struct member *)f;
	struct app *app = k->part.r->manager->app;

	k->call = workers_list(app->redis[PRIORITY_HIGH]);
	return redis_run(k->call, f);
}

static enum flow_next
list_dead(struct flow *f)
{
	struct member *k = (struct member *)f;
	struct app *app = k->part.r->manager->app;

	k->dead = workers_dead(app->redis[PRIORITY_HIGH]);
	return redis_run(k->dead, f);
}

static enum flow_next
next_worker(struct flow *f)
{
	struct member *k = (struct member *)f;
	const struct reply *alive = redis_reply(k->call, 0);
	const struct reply *dead;

	if (k->workers == NULL) {
		dead = redis_reply(k->dead, 0);
		k->workers = arena_alloc(
		    &f->arena, (alive->n + dead->n + 1) * sizeof(*k->workers));
		k->nworkers = queue_ids(alive, k->workers, alive->n);
		k->nworkers +=
		    queue_ids(dead, k->workers + k->nworkers, dead->n);
	}
	if (k->worker_at == k->nworkers || k->missing.used == 0)
		return flow_goto(f, ask_again);
	k->call =
	    queue_processing(k->part.r->redis, &k->workers[k->worker_at++]);
	return redis_run(k->call, f);
}

static enum flow_next
mark_taken(struct flow *f)
{
	struct member *k = (struct member *)f;

	mark(k, redis_reply(k->call, 0));
	return flow_goto(f, next_worker);
}

/* ---- what is nowhere ---- */
static enum flow_next
ask_again(struct flow *f)
{
	struct member *k = (struct member *)f;
	const struct chunk *c = k->part.r->queued;
	size_t i;

	if (k->missing.used == 0)
		return FLOW_END;
	k->refs = arena_alloc(&f->arena, CHUNK * sizeof(*k->refs));
	k->nrefs = 0;
	for (i = 0; i < c->n; i++) /* in the order of making */
		if (idmap_get(&k->missing, &c->refs[i].id) != NULL)
			k->refs[k->nrefs++] = c->refs[i];
	k->still =
	    tasks_still_queued(k->part.r->manager->app->pg, k->refs, k->nrefs);
	return pg_run(k->still, f);
}

static enum flow_next
keep_queued(struct flow *f)
{
	struct member *k = (struct member *)f;
	int i;

	k->nrefs = 0;
	for (i = 0; i < pg_rows(k->still); i++)
		k->refs[k->nrefs++] = k->refs[pg_row_input(k->still, i)];
	return FLOW_NEXT;
}

static enum flow_next
push(struct flow *f)
{
	struct member *k = (struct member *)f;
	struct reconciler *r = k->part.r;
	size_t before = k->nrefs;

	if (before == 0)
		return FLOW_END;
	k->call = push_group(
	    r->manager, r->server, &f->arena, k->refs, &k->nrefs, false);
	r->pushed += before - k->nrefs;
	metric_count(METRIC_REPUSHED + r->server, (int64_t)(before - k->nrefs));
	return redis_run(k->call, f);
}

static enum flow_next
pushed(struct flow *f)
{
	return flow_goto(f, push);
}
