/*
 * The reconciler, one for each Redis server: what PostgreSQL calls QUEUED must
 * stand in a list. Three ways to look, all by a walk along the primary key:
 *
 *	window	every reconcile_interval: ids made since the last look, but not
 *		those of the last seconds, which may be on their way
 *	full	after an election, a reconnect, a failed push: everything
 *	rebuild	the server's epoch key is gone: it lost its data, so everything
 *		made until now is pushed without asking, in the order of making
 *
 * Window and full passes check membership (member.c) before they push. A pass
 * also meets tasks IN_PROGRESS whose worker is not alive and whose entry was
 * lost with its list (orphan.c).
 */
#include <stdlib.h>

#include "reconcile.h"

#define LOOK_MS 1000
/* A window begins that much before the end of the last one: clocks of APIs
 * differ, and an id is made before its row is there. */
#define OVERLAP_MS 30000
/* A pass that could not finish is tried again after so long. */
#define AGAIN_MS 2000
#define HOLD_MARGIN_MS 1000

struct reconciling {
	struct part part;
	struct redis_call *epoch;
	struct pg_call *rows;
	struct redis_call *push;
};

static flow_step pause_between, ask_epoch, hear_epoch, check_epoch, plan,
    walk_on, sort_rows, push_all, pushed, check_members, check_workers,
    look_further, sweep_lists, end_pass;
static void reconcile_end(struct flow *, enum err);

static const struct step reconcile_steps[] = {
	STEP(pause_between),
	STEP(ask_epoch),
	STEP(hear_epoch), /* gone: rebuild */
	STEP(check_epoch),
	STEP(plan), /* else: is a pass due? */
	STEP(walk_on), /* the next ids along the primary key */
	STEP(sort_rows),
	STEP(push_all), /* rebuild: without asking, a queue at a time */
	STEP(pushed),
	STEP(check_members), /* else: those that stand in no list */
	STEP(check_workers),
	STEP(look_further),
	STEP(sweep_lists),
	STEP(end_pass),
	STEP_LAST,
};

static const struct flow_def reconcile_flow = {
	.name = "reconcile",
	.size = sizeof(struct reconciling),
	.steps = reconcile_steps,
	.end = reconcile_end,
};

struct reconciler *
reconcile_start(struct manager *m, enum task_priority server)
{
	struct reconciler *r = xcalloc(1, sizeof(*r));

	duty_init(&r->duty, m);
	r->manager = m;
	r->server = server;
	r->redis = m->app->redis[server];
	r->duty.flow = flow_new(m->app->loop, &reconcile_flow);
	((struct part *)r->duty.flow)->r = r;
	flow_go(r->duty.flow);
	return r;
}

static void
reconcile_end(struct flow *f, enum err err)
{
	struct reconciler *r = reconciler_of(f);

	(void)err;
	r->duty.flow = NULL;
	signal_raise(&r->manager->elect_wake);
}

void
reconcile_wake(struct reconciler *r)
{
	signal_raise(&r->duty.wake);
}

bool
reconcile_runs(const struct reconciler *r)
{
	return r->duty.flow != NULL;
}

void
reconcile_stop(struct reconciler *r)
{
	if (r->duty.flow != NULL)
		flow_abort(r->duty.flow, ERR_SHUTDOWN);
}

static void
drop_chunks(struct reconciler *r)
{
	free(r->queued);
	free(r->running);
	r->queued = r->running = NULL;
}

void
reconcile_free(struct reconciler *r)
{
	signal_fini(&r->duty.wake);
	drop_chunks(r);
	free(r);
}

void
want_full_pass(struct manager *m, enum task_priority server, int64_t in_ms)
{
	struct reconciler *r = m->reconciler[server];
	int64_t at = clock_mono_us() + in_ms * US_PER_MS;

	if (at < r->full_due_us)
		r->full_due_us = at;
	if (in_ms == 0)
		signal_raise(&r->duty.wake);
}

/* ---- is there something to do? ---- */
static enum flow_next
pause_between(struct flow *f)
{
	return duty_sleep(f, &reconciler_of(f)->duty, LOOK_MS);
}

static enum flow_next
ask_epoch(struct flow *f)
{
	struct reconciling *k = (struct reconciling *)f;
	struct reconciler *r = k->part.r;

	if (!leads(r->manager)) {
		/* Whoever leads next looks at everything first. */
		r->full_due_us = 0;
		return flow_again(f);
	}
	k->epoch = epoch_get(r->redis);
	return redis_try(k->epoch, f);
}

static void
begin(struct reconciler *r, enum pass pass, int64_t young_ms)
{
	r->pass = pass;
	r->failed = false;
	r->list_cursor = 0;
	r->walked = r->pushed = r->recovered = 0;
	if (pass == PASS_WINDOW)
		id_floor(id_time_ms(&r->window) - OVERLAP_MS, &r->at);
	else if (pass != PASS_FULL || !r->resume)
		memset(&r->at, 0, sizeof(r->at));
	r->resume = false;
	id_floor(clock_wall_us() / US_PER_MS - young_ms, &r->upto);
	if (r->queued == NULL) {
		r->queued = xmalloc(sizeof(*r->queued));
		r->running = xmalloc(sizeof(*r->running));
	}
}

/* The new epoch is set first: what is lost after this is another loss. */
static enum flow_next
rebuild(struct flow *f)
{
	struct reconciling *k = (struct reconciling *)f;
	struct reconciler *r = k->part.r;
	struct manager *m = r->manager;
	int64_t ttl = m->app->conf->heartbeat_ttl_ms + HOLD_MARGIN_MS;

	log_warn("manager",
	    "the server has no data of ours: queues are rebuilt",
	    KV_STR("server", task_priority_name(r->server)));
	if (r->server == PRIORITY_HIGH)
		m->hold_until_us = clock_mono_us() + ttl * US_PER_MS;
	r->generation = redis_generation(r->redis);
	/* Then the workers have told again that they live. */
	r->full_due_us = clock_mono_us() + (ttl + LOOK_MS) * US_PER_MS;
	begin(r, PASS_REBUILD, 0);
	id_new(&r->epoch);
	k->push = epoch_set(r->redis, &r->epoch);
	return redis_try(k->push, f);
}

static enum flow_next
hear_epoch(struct flow *f)
{
	struct reconciling *k = (struct reconciling *)f;

	if (redis_call_err(k->epoch) != OK)
		return flow_again(f);
	if (redis_reply(k->epoch, 0)->type == REPLY_NIL)
		return rebuild(f);
	return flow_goto(f, plan);
}

static enum flow_next
check_epoch(struct flow *f)
{
	struct reconciling *k = (struct reconciling *)f;
	struct reconciler *r = k->part.r;

	if (redis_call_err(k->push) == OK)
		return flow_goto(f, walk_on);
	/* The key is still missing, so this is tried again in a second. */
	r->failed = true;
	return flow_goto(f, end_pass);
}

/* An id is not looked for before this: its row or its push may be on the way
 * for as long as the API tries. */
static int64_t
young_ms(const struct reconciler *r)
{
	return 2 * r->manager->app->conf->pg_timeout_ms + 1000;
}

static enum flow_next
plan(struct flow *f)
{
	struct reconciler *r = reconciler_of(f);
	const struct conf *conf = r->manager->app->conf;
	int64_t now = clock_mono_us();

	if (now >= r->full_due_us ||
	    r->generation != redis_generation(r->redis)) {
		r->generation = redis_generation(r->redis);
		r->full_due_us = now + conf->full_pass_interval_ms * US_PER_MS;
		begin(r, PASS_FULL, young_ms(r));
	} else if (now >= r->window_due_us) {
		begin(r, PASS_WINDOW, young_ms(r));
	} else {
		return flow_again(f);
	}
	return FLOW_NEXT;
}

/* ---- the walk ---- */
static enum flow_next
walk_on(struct flow *f)
{
	struct reconciling *k = (struct reconciling *)f;
	struct reconciler *r = k->part.r;

	if (!leads(r->manager))
		return flow_again(f);
	r->chunk = r->at;
	k->rows = tasks_scan(r->manager->app->pg, &r->at, &r->upto, CHUNK);
	return pg_try(k->rows, f);
}

static enum flow_next
sort_rows(struct flow *f)
{
	struct reconciling *k = (struct reconciling *)f;
	struct reconciler *r = k->part.r;
	struct task_ref ref;
	int64_t seen = 0;
	int i;

	r->queued->n = r->running->n = 0;
	if (pg_call_err(k->rows) != OK) {
		r->failed = true;
		return flow_goto(f, end_pass);
	}
	for (i = 0; i < pg_rows(k->rows); i++) {
		if (!tasks_scan_row(k->rows, i, &ref, &seen))
			r->at = ref.id;
		else if (ref.priority != r->server)
			continue;
		else if (ref.status == TASK_QUEUED)
			r->queued->refs[r->queued->n++] = ref;
		else if (ref.status == TASK_IN_PROGRESS)
			r->running->refs[r->running->n++] = ref;
	}
	r->walked += (uint64_t)seen;
	if (seen < CHUNK)
		r->at = r->upto; /* that was the last chunk */
	return r->pass == PASS_REBUILD ? FLOW_NEXT
				       : flow_goto(f, check_members);
}

static enum flow_next
push_all(struct flow *f)
{
	struct reconciling *k = (struct reconciling *)f;
	struct reconciler *r = k->part.r;
	size_t before = r->queued->n;

	if (before == 0)
		return flow_goto(f, look_further);
	k->push = push_group(r->manager, r->server, &f->arena, r->queued->refs,
	    &r->queued->n, false);
	r->pushed += before - r->queued->n;
	return redis_try(k->push, f);
}

static enum flow_next
pushed(struct flow *f)
{
	struct reconciling *k = (struct reconciling *)f;
	struct reconciler *r = k->part.r;

	if (redis_call_err(k->push) == OK)
		return flow_goto(f, push_all);
	r->failed = true;
	return flow_goto(f, end_pass);
}

static enum flow_next
check_members(struct flow *f)
{
	struct reconciler *r = reconciler_of(f);

	return r->queued->n > 0 ? flow_call(f, member_new(r)) : FLOW_NEXT;
}

static enum flow_next
check_workers(struct flow *f)
{
	struct reconciler *r = reconciler_of(f);

	return r->running->n > 0 ? flow_call(f, orphan_new(r)) : FLOW_NEXT;
}

static enum flow_next
look_further(struct flow *f)
{
	struct reconciler *r = reconciler_of(f);

	if (!r->failed && id_cmp(&r->at, &r->upto) < 0) {
		/* A long walk must not grow: its calls are in the arena. */
		arena_fini(&f->arena);
		arena_init(&f->arena);
		return flow_goto(f, walk_on);
	}
	return r->pass == PASS_FULL ? FLOW_NEXT : flow_goto(f, end_pass);
}

static enum flow_next
sweep_lists(struct flow *f)
{
	return flow_call(f, sweep_new(reconciler_of(f)));
}

static enum flow_next
end_pass(struct flow *f)
{
	static const char *const names[] = { "none", "window", "full",
		"rebuild" };
	struct reconciler *r = reconciler_of(f);
	const struct conf *conf = r->manager->app->conf;
	int64_t now = clock_mono_us();

	if (r->failed) {
		r->resume = r->pass == PASS_FULL;
		r->at = r->chunk;
		want_full_pass(r->manager, r->server, AGAIN_MS);
	} else if (r->pass != PASS_REBUILD) {
		/* A rebuild leaves the young ones to the next window. */
		r->window = r->upto;
		r->window_due_us =
		    now + conf->reconcile_interval_ms * US_PER_MS;
	}
	if (r->pushed + r->recovered > 0 || r->failed)
		log_info("manager", "reconciled",
		    KV_STR("server", task_priority_name(r->server)),
		    KV_STR("pass", names[r->pass]),
		    KV_INT("walked", (int64_t)r->walked),
		    KV_INT("pushed", (int64_t)r->pushed),
		    KV_INT("recovered", (int64_t)r->recovered),
		    KV_STR("complete", r->failed ? "no" : "yes"));
	r->pass = PASS_NONE;
	drop_chunks(r);
	return flow_again(f);
}
