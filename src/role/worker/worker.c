/*
 * The worker: takes ids from the lists, claims the tasks, runs them, writes
 * what became of them. Five loops, each a flow of its own: fetch (waits at the
 * lists while idle), claim (tops up, claims, starts; sends the heartbeat),
 * settle (writes results), resync (puts right what a Redis server forgot),
 * wishes (stops what its owner has cancelled).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "worker.h"

/* The claim loop turns at least with every heartbeat; PostgreSQL may hold it
 * up for its time-out. */
#define ALIVE_US (60 * US_PER_S)

static void *worker_start(struct app *app, char *err, size_t size);

/* ---- what handlers say ---- */
static const char *const verdict_names[] = {
	[VERDICT_DONE] = "done",
	[VERDICT_FAILED] = "failed",
	[VERDICT_FAILED_FOR_GOOD] = "failed",
	[VERDICT_INTERRUPTED] = "interrupted",
	[VERDICT_CANCELLED] = "cancelled",
};

static void
on_ended(void *arg, struct run *r, const struct run_result *res)
{
	struct worker *w = arg;

	if (res->verdict != VERDICT_DONE)
		log_info("worker", "attempt ended", KV_ID("task", &r->id),
		    KV_STR("type", r->type), KV_INT("attempt", r->attempt),
		    KV_STR("verdict", verdict_names[res->verdict]));
	work_end(w, (struct work *)r, res);
}

static void
on_progress(void *arg, struct run *r, struct span message)
{
	progress_send(arg, r, message);
}

static const struct handler_events events = { on_ended, on_progress };

/* ---- the role ---- */
static bool
parse_queues(struct worker *w, char *err, size_t size)
{
	char *rest = xstrdup(w->app->conf->queues), *name;

	w->queue_names = rest;
	while ((name = strsep(&rest, ", ")) != NULL) {
		if (*name == '\0')
			continue;
		if (!task_name_ok(name, strlen(name)) ||
		    w->nqueues == MAX_QUEUES) {
			snprintf(err, size,
			    "queues: \"%s\" is not allowed: at most %d names "
			    "of 1 to %d characters A-Z a-z 0-9 _ . -",
			    name, MAX_QUEUES, TASK_NAME_MAX);
			return false;
		}
		w->queues[w->nqueues++] = name;
	}
	if (w->nqueues == 0)
		snprintf(err, size, "queues: no queue is named");
	return w->nqueues > 0;
}

/* ---- gauges ---- */
static void
put_in_hand(struct metric_out *out, void *arg)
{
	const struct worker *w = arg;

	metric_put(out, (int64_t)w->ntaken, "taken", NULL);
	metric_put(out, (int64_t)w->nclaiming, "claiming", NULL);
	metric_put(out, (int64_t)w->nrunning, "running", NULL);
	metric_put(out, (int64_t)w->ndone, "ended", NULL);
}

static void
put_programs(struct metric_out *out, void *arg)
{
	const struct worker *w = arg;

	metric_put(out, (int64_t)handlers_processes(w->handlers), NULL, NULL);
}

static void *
worker_start(struct app *app, char *err, size_t size)
{
	struct worker *w = xcalloc(1, sizeof(*w));

	w->app = app;
	id_new(&w->id);
	idmap_init(&w->known);
	TAILQ_INIT(&w->taken);
	TAILQ_INIT(&w->done);
	TAILQ_INIT(&w->progress);
	signal_init(&w->wake, app->loop);
	signal_init(&w->ended, app->loop);
	signal_init(&w->lost, app->loop);
	signal_init(&w->wished, app->loop);
	if (!parse_queues(w, err, size)) {
		free(w->queue_names);
		free(w);
		return NULL;
	}
	w->last_turn_us = w->last_beat_us = clock_mono_us();
	/* First look at all lists, high before low: of two BLMOVE that find
	 * something the quicker server's would win. */
	w->hot = true;
	w->handlers = handlers_open(app->loop, app->conf, &events, w);
	metric_collect(ROW_IN_HAND, put_in_hand, w);
	metric_collect(ROW_PROGRAMS, put_programs, w);
	log_info("worker", "started", KV_ID("worker", &w->id),
	    KV_STR("queues", app->conf->queues),
	    KV_INT("concurrency", app->conf->concurrency));
	fetch_start(w);
	claim_start(w);
	settle_start(w);
	resync_start(w);
	wishes_start(w);
	return w;
}

/* Those that wait for their handler, in the order in which they were taken. */
static void
list_waiting(const struct worker *w, struct run_list *ret)
{
	const struct idmap_slot *slot;
	struct work *work;
	struct run *before;
	size_t at = 0;

	while ((slot = idmap_next(&w->known, &at)) != NULL) {
		work = slot->value;
		if (work->state != WORK_RUNNING ||
		    work->run.state != RUN_WAITING)
			continue;
		before = TAILQ_LAST(ret, run_list);
		while (before != NULL &&
		    ((struct work *)before)->order > work->order)
			before = TAILQ_PREV(before, run_list, link);
		if (before != NULL)
			TAILQ_INSERT_AFTER(ret, before, &work->run, link);
		else
			TAILQ_INSERT_HEAD(ret, &work->run, link);
	}
}

/* Take no more; what was not started goes back at once. */
static void
worker_drain(void *state)
{
	struct worker *w = state;
	struct run_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
	struct run *r;

	w->draining = true;
	fetch_stop(w);
	list_waiting(w, &waiting);
	while ((r = TAILQ_FIRST(&waiting)) != NULL) {
		TAILQ_REMOVE(&waiting, r, link);
		handlers_withdraw(w->handlers, r);
		work_release(w, (struct work *)r);
	}
	log_info("worker", "draining", KV_INT("running", (int64_t)w->nrunning),
	    KV_INT("taken", (int64_t)w->ntaken));
	signal_raise(&w->wake);
	signal_raise(&w->ended);
}

static void
worker_hurry(void *state)
{
	struct worker *w = state;
	const struct idmap_slot *slot;
	struct work *work;
	size_t at = 0;

	while ((slot = idmap_next(&w->known, &at)) != NULL) {
		work = slot->value;
		if (work->state == WORK_RUNNING &&
		    work->run.state == RUN_RUNNING)
			handlers_interrupt(w->handlers, &work->run);
	}
}

static bool
worker_idle(const void *state)
{
	const struct worker *w = state;

	return w->left;
}

static size_t
worker_running(const void *state)
{
	return ((const struct worker *)state)->nrunning;
}

static bool
worker_alive(const void *state)
{
	const struct worker *w = state;

	return w->left || clock_mono_us() - w->last_turn_us < ALIVE_US;
}

static void
stop_flow(struct flow *f)
{
	if (f != NULL)
		flow_abort(f, ERR_SHUTDOWN);
}

static void
worker_stop(void *state)
{
	struct worker *w = state;
	int i;

	metric_forget(w);
	fetch_stop(w);
	stop_flow(w->claim);
	stop_flow(w->settle);
	stop_flow(w->resync);
	stop_flow(w->leave);
	wishes_stop(w);
	progress_stop(w);
	/* Their ends run in the next turns, and must find us. */
	for (i = 0; i < 3; i++)
		loop_turn(w->app->loop);
	fetch_fini(w);
	handlers_close(w->handlers);
	while (w->known.used > 0) {
		size_t at = 0;

		work_free(w, idmap_next(&w->known, &at)->value);
	}
	idmap_fini(&w->known);
	signal_fini(&w->wake);
	signal_fini(&w->ended);
	signal_fini(&w->lost);
	signal_fini(&w->wished);
	free(w->queue_names);
	free(w);
}

const struct role role_worker = {
	.name = "worker",
	.bit = ROLE_WORKER,
	.start = worker_start,
	.drain = worker_drain,
	.idle = worker_idle,
	.running = worker_running,
	.hurry = worker_hurry,
	.stop = worker_stop,
	.alive = worker_alive,
};
