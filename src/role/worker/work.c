/*
 * A task in the hands of this worker, from the list to its settlement: the only
 * place that moves it from one state to the next, and that makes of a verdict
 * what is written.
 */
#include <stdlib.h>

#include "worker.h"

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
	if (work->wished)
		signal_raise(&w->wished);
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

/* Whatever it came to: its owner does not want it, and was told so. The
 * database knows of the wish, too, and makes the same of a settlement that was
 * on its way already. */
static void
cancel(struct task_settlement *s)
{
	s->status = TASK_CANCELLED;
	s->event = EVENT_CANCELLED;
	s->result = (struct span){ NULL, 0 };
	s->not_counted = true;
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
	case VERDICT_CANCELLED:
		break; /* of each verdict, since somebody wished it */
	case VERDICT_INTERRUPTED:
		s->status = TASK_QUEUED;
		s->event = EVENT_INTERRUPTED;
		s->not_counted = true;
		break;
	}
	if (work->run.cancelled)
		cancel(s);
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
