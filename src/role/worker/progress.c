/*
 * Progress reports of running tasks. Nothing waits for one but the settlement
 * of its task, so that it is on record before the end.
 */
#include "worker.h"

#define PROGRESS_MAX 1000

struct progress {
	struct flow flow;
	TAILQ_ENTRY(progress) link;
	struct worker *worker;
	struct work *work; /* not freed before we have ended */
	struct id id, name;
	int64_t attempt;
	char *text;
	size_t len;
};

static flow_step write_progress;
static void progress_end(struct flow *, enum err);

static const struct step progress_steps[] = {
	STEP(write_progress),
	STEP_LAST,
};

static const struct flow_def progress_flow = {
	.name = "progress",
	.size = sizeof(struct progress),
	.steps = progress_steps,
	.end = progress_end,
};

void
progress_send(struct worker *w, struct run *r, struct span message)
{
	struct progress *p;

	if (w->nprogress >= PROGRESS_MAX)
		return; /* the database is slow: progress is the first to go */
	w->nprogress++;
	((struct work *)r)->nprogress++;
	p = (struct progress *)flow_new(w->app->loop, &progress_flow);
	p->worker = w;
	p->work = (struct work *)r;
	p->id = r->id;
	p->name = r->worker;
	p->attempt = r->attempt;
	p->text = arena_dup(&p->flow.arena, message.p, message.len);
	p->len = message.len;
	TAILQ_INSERT_TAIL(&w->progress, p, link);
	flow_go(&p->flow);
}

void
progress_stop(struct worker *w)
{
	struct progress *p;

	TAILQ_FOREACH (p, &w->progress, link)
		flow_abort(&p->flow, ERR_SHUTDOWN);
}

static enum flow_next
write_progress(struct flow *f)
{
	struct progress *p = (struct progress *)f;

	return pg_run(tasks_progress(p->worker->app->pg, &p->id, p->attempt,
			  &p->name, (struct span){ p->text, p->len }),
	    f);
}

static void
progress_end(struct flow *f, enum err err)
{
	struct progress *p = (struct progress *)f;
	struct worker *w = p->worker;

	(void)err;
	TAILQ_REMOVE(&w->progress, p, link);
	w->nprogress--;
	if (--p->work->nprogress == 0)
		signal_raise(&w->ended);
	if (w->draining)
		signal_raise(&w->wake);
}
