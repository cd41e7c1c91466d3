/*
 * The worker: takes ids from the lists, claims the tasks, runs them, writes
 * what became of them. Four loops, each a flow of its own: fetch (waits at the
 * lists while idle), claim (tops up, claims, starts; sends the heartbeat),
 * settle (writes results), resync (puts right what a Redis server forgot).
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "worker.h"

/* The claim loop turns at least with every heartbeat; PostgreSQL may hold it
 * up for its time-out. */
#define ALIVE_US (60 * US_PER_S)

static void *worker_start(struct app *app, char *err, size_t size);

/* ---- works ---- */

/* High before low, in the order of taking. */
static void
enlist(struct worker *w, struct work *work)
{
	struct work *at = TAILQ_FIRST(&w->taken);

	while (work->server == PRIORITY_HIGH && at != NULL &&
	    at->server == PRIORITY_HIGH)
		at = TAILQ_NEXT(at, link);
	if (work->server == PRIORITY_HIGH && at != NULL)
		TAILQ_INSERT_BEFORE(at, work, link);
	else
		TAILQ_INSERT_TAIL(&w->taken, work, link);
	w->ntaken++;
}

/* We have it already; what this entry is will be seen when that has ended.
 * Those under an old name of ours are the scanner's. */
static void
note_again(struct worker *w, struct work *known, enum task_priority server,
    const char *queue)
{
	if (id_cmp(&known->again_worker, &w->id) != 0)
		memset(known->again, 0, sizeof(known->again));
	known->again[server]++;
	known->again_worker = w->id;
	known->again_queue = queue;
}

struct work *
work_take(struct worker *w, const struct id *id, enum task_priority server,
    const char *queue)
{
	struct work *work = idmap_get(&w->known, id);

	if (work != NULL) {
		note_again(w, work, server, queue);
		return NULL;
	}
	work = xcalloc(1, sizeof(*work));
	work->run.id = *id;
	work->worker = w->id;
	work->server = server;
	work->queue = queue;
	work->state = WORK_TAKEN;
	work->order = w->taken_ever++;
	idmap_put(&w->known, id, work);
	enlist(w, work);
	return work;
}

/* The next one of them; the rest is noted there. */
static void
take_again(struct worker *w, const struct work *old)
{
	enum task_priority server =
	    old->again[PRIORITY_HIGH] > 0 ? PRIORITY_HIGH : PRIORITY_LOW;
	struct work *work =
	    work_take(w, &old->run.id, server, old->again_queue);

	memcpy(work->again, old->again, sizeof(work->again));
	work->again[server]--;
	work->again_worker = old->again_worker;
	work->again_queue = old->again_queue;
	signal_raise(&w->wake);
}

void
work_free(struct worker *w, struct work *work)
{
	idmap_remove(&w->known, &work->run.id);
	/* While draining leave.c looks into the lists, at the end. */
	if (work->again[PRIORITY_LOW] + work->again[PRIORITY_HIGH] > 0 &&
	    id_cmp(&work->again_worker, &w->id) == 0 && !w->draining)
		take_again(w, work);
	free(work->strings);
	free(work->bytes);
	free(work);
}

void
work_forget(struct worker *w, struct work *work)
{
	TAILQ_REMOVE(&w->taken, work, link);
	w->ntaken--;
	work_free(w, work);
}

static const char *
store(char **at, struct span s)
{
	char *p = *at;

	if (s.p == NULL)
		return NULL;
	memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	*at += s.len + 1;
	return p;
}

/* The rows die with the claim's flow: keep what the run needs. */
void
work_run(struct worker *w, struct work *work, const struct task_claimed *c,
    bool start)
{
	struct run *r = &work->run;
	char *at;

	at = work->strings = xmalloc(c->queue.len + c->type.len +
	    c->traceparent.len + c->payload.len + 4);
	r->worker = work->worker;
	r->attempt = c->attempt;
	r->used = c->used;
	r->max_attempts = c->max_attempts;
	r->timeout_ms = c->timeout_ms;
	r->priority = c->priority;
	r->queue = store(&at, c->queue);
	r->type = store(&at, c->type);
	r->traceparent = store(&at, c->traceparent);
	r->payload.len = c->payload.len;
	r->payload.p = store(&at, c->payload);
	work->queue = r->queue;
	work->state = WORK_RUNNING;
	w->nclaiming--;
	w->nrunning++;
	if (start)
		handlers_start(w->handlers, r);
	else
		work_release(w, work);
}

static struct span
keep(char **at, struct span s)
{
	const char *p = store(at, s);

	return (struct span){ p, s.len };
}

static void
fail(struct worker *w, struct run *r, struct task_settlement *s,
    const struct run_result *res)
{
	const struct conf *conf = w->app->conf;

	s->status = TASK_FAILED;
	s->event = EVENT_FAILED;
	if (res->verdict == VERDICT_FAILED_FOR_GOOD ||
	    r->used >= r->max_attempts)
		return;
	s->status = TASK_RETRYING;
	s->event = EVENT_RETRIED;
	s->delay_ms = res->retry_after_ms >= 0
	    ? res->retry_after_ms
	    : retry_delay_ms(
		  (int)r->used, conf->retry_base_ms, conf->retry_max_ms);
}

/* To the list of what must be written. */
static void
finish(struct worker *w, struct work *work)
{
	work->state = WORK_DONE;
	work->settlement.id = work->run.id;
	work->settlement.worker = work->run.worker;
	work->settlement.attempt = work->run.attempt;
	w->nrunning--;
	w->ndone++;
	TAILQ_INSERT_TAIL(&w->done, work, link);
	signal_raise(&w->ended);
	signal_raise(&w->wake);
}

void
work_end(struct worker *w, struct work *work, const struct run_result *res)
{
	struct task_settlement *s = &work->settlement;
	char *at;

	at = work->bytes = xmalloc(res->result.len + res->error.len + 2);
	s->result = keep(&at, res->result);
	s->error = keep(&at, res->error);
	switch (res->verdict) {
	case VERDICT_DONE:
		s->status = TASK_COMPLETED;
		s->event = EVENT_COMPLETED;
		break;
	case VERDICT_FAILED:
	case VERDICT_FAILED_FOR_GOOD:
		fail(w, &work->run, s, res);
		break;
	case VERDICT_INTERRUPTED:
		s->status = TASK_QUEUED;
		s->event = EVENT_INTERRUPTED;
		s->not_counted = true;
		break;
	}
	finish(w, work);
}

void
work_release(struct worker *w, struct work *work)
{
	work->settlement.status = TASK_QUEUED;
	work->settlement.event = EVENT_RELEASED;
	work->settlement.not_started = true;
	finish(w, work);
}

/* ---- what handlers say ---- */
static void
on_ended(void *arg, struct run *r, const struct run_result *res)
{
	struct worker *w = arg;

	if (res->verdict != VERDICT_DONE)
		log_info("worker", "attempt ended", KV_ID("task", &r->id),
		    KV_STR("type", r->type), KV_INT("attempt", r->attempt),
		    KV_STR("verdict",
			res->verdict == VERDICT_INTERRUPTED ? "interrupted"
							    : "failed"));
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
	if (!parse_queues(w, err, size)) {
		free(w->queue_names);
		free(w);
		return NULL;
	}
	w->last_turn_us = w->last_beat_us = clock_mono_us();
	w->handlers = handlers_open(app->loop, app->conf, &events, w);
	log_info("worker", "started", KV_ID("worker", &w->id),
	    KV_STR("queues", app->conf->queues),
	    KV_INT("concurrency", app->conf->concurrency));
	fetch_start(w);
	claim_start(w);
	settle_start(w);
	resync_start(w);
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

	fetch_stop(w);
	stop_flow(w->claim);
	stop_flow(w->settle);
	stop_flow(w->resync);
	stop_flow(w->leave);
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
	free(w->queue_names);
	free(w);
}

const struct role role_worker = {
	.name = "worker",
	.bit = ROLE_WORKER,
	.start = worker_start,
	.drain = worker_drain,
	.idle = worker_idle,
	.hurry = worker_hurry,
	.stop = worker_stop,
	.alive = worker_alive,
};
