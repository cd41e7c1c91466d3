/*
 * Processing lists that nobody knows: redis-high has lost its list of workers,
 * but the other server still has what they took. Each list's worker is named
 * again; if it lives nothing happens, else the scanner judges it as any other.
 */
#include <stdio.h>

#include "reconcile.h"

struct sweep {
	struct part part;
	struct redis_call *call;
	char cursor[32];
};

static flow_step scan, add_workers, scan_further;
static void sweep_end(struct flow *, enum err);

static const struct step sweep_steps[] = {
	STEP(scan),
	STEP(add_workers),
	STEP(scan_further),
	STEP_LAST,
};

static const struct flow_def sweep_flow = {
	.name = "sweep",
	.size = sizeof(struct sweep),
	.steps = sweep_steps,
	.end = sweep_end,
};

struct flow *
sweep_new(struct reconciler *r)
{
	struct sweep *k =
	    (struct sweep *)flow_new(r->manager->app->loop, &sweep_flow);

	k->part.r = r;
	k->cursor[0] = '0';
	return &k->part.flow;
}

static void
sweep_end(struct flow *f, enum err err)
{
	if (err != OK)
		reconciler_of(f)->failed = true;
	f->err = OK;
}

static enum flow_next
scan(struct flow *f)
{
	struct sweep *k = (struct sweep *)f;

	k->call = queue_scan_processing(k->part.r->redis, k->cursor);
	return redis_run(k->call, f);
}

static enum flow_next
add_workers(struct flow *f)
{
	struct sweep *k = (struct sweep *)f;
	const struct reply *rep = redis_reply(k->call, 0);
	const struct reply *keys = &rep->elem[1];
	struct id *ids = arena_alloc(&f->arena, (keys->n + 1) * sizeof(*ids));
	size_t i, n = 0;

	snprintf(k->cursor, sizeof(k->cursor), "%.*s",
	    (int)rep->elem[0].str.len, rep->elem[0].str.p);
	for (i = 0; i < keys->n; i++)
		if (worker_of_key(keys->elem[i].str, &ids[n]))
			n++;
	if (n == 0)
		return FLOW_NEXT;
	k->call =
	    workers_add(k->part.r->manager->app->redis[PRIORITY_HIGH], ids, n);
	return redis_run(k->call, f);
}

static enum flow_next
scan_further(struct flow *f)
{
	struct sweep *k = (struct sweep *)f;

	if (strcmp(k->cursor, "0") == 0)
		return FLOW_END;
	arena_fini(&f->arena);
	arena_init(&f->arena);
	return flow_goto(f, scan);
}
