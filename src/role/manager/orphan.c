/*
 * Orphans: tasks IN_PROGRESS whose worker gives no sign of life. Usually the
 * scanner finds them by the worker's processing list; when that was lost with
 * its server, only the walk meets them. One worker at a time: a verdict, then
 * its tasks go back to the head of their queues, or end.
 */
#include <stdio.h>

#include "reconcile.h"

struct orphan {
	struct part part;
	struct redis_call *call;
	struct id *workers; /* each of the chunk's once */
	bool *gone; /* no heartbeat */
	size_t nworkers, at;
	struct id *ids;
	size_t nids;
	struct pg_call *recover;
	struct task_ref *refs;
	size_t nrefs;
};

static flow_step ask_alive, note_gone, next_gone, hear_verdict, keep_queued,
    push, pushed;
static void orphan_end(struct flow *, enum err);

static const struct step orphan_steps[] = {
	STEP(ask_alive),
	STEP(note_gone),
	STEP(next_gone), /* a verdict on each */
	STEP(hear_verdict),
	STEP(keep_queued),
	STEP(push),
	STEP(pushed),
	STEP_LAST,
};

static const struct flow_def orphan_flow = {
	.name = "orphan",
	.size = sizeof(struct orphan),
	.steps = orphan_steps,
	.end = orphan_end,
};

struct flow *
orphan_new(struct reconciler *r)
{
	struct flow *f = flow_new(r->manager->app->loop, &orphan_flow);

	((struct part *)f)->r = r;
	return f;
}

static void
orphan_end(struct flow *f, enum err err)
{
	if (err != OK)
		reconciler_of(f)->failed = true;
	f->err = OK;
}

static struct redis *
high(struct flow *f)
{
	return reconciler_of(f)->manager->app->redis[PRIORITY_HIGH];
}

static enum flow_next
ask_alive(struct flow *f)
{
	struct orphan *k = (struct orphan *)f;
	const struct chunk *c = k->part.r->running;
	size_t i, j;

	k->workers = arena_alloc(&f->arena, c->n * sizeof(*k->workers));
	k->gone = arena_zalloc(&f->arena, c->n * sizeof(*k->gone));
	for (i = 0; i < c->n; i++) {
		for (j = 0; j < k->nworkers; j++)
			if (id_cmp(&k->workers[j], &c->refs[i].worker) == 0)
				break;
		if (j == k->nworkers)
			k->workers[k->nworkers++] = c->refs[i].worker;
	}
	k->call = workers_alive(high(f), k->workers, k->nworkers);
	return redis_run(k->call, f);
}

static enum flow_next
note_gone(struct flow *f)
{
	struct orphan *k = (struct orphan *)f;
	size_t i;

	for (i = 0; i < k->nworkers; i++)
		k->gone[i] = redis_reply(k->call, i)->integer == 0;
	return FLOW_NEXT;
}

static enum flow_next
next_gone(struct flow *f)
{
	struct orphan *k = (struct orphan *)f;
	struct manager *m = k->part.r->manager;

	while (k->at < k->nworkers && !k->gone[k->at])
		k->at++;
	if (k->at == k->nworkers)
		return FLOW_END;
	if (!may_judge(m)) {
		/* Their heartbeats may only be late: once more, then. */
		want_full_pass(
		    m, k->part.r->server, m->app->conf->heartbeat_ttl_ms);
		return FLOW_END;
	}
	k->call = worker_verdict(high(f), &k->workers[k->at]);
	return redis_run(k->call, f);
}

static enum flow_next
hear_verdict(struct flow *f)
{
	struct orphan *k = (struct orphan *)f;
	const struct chunk *c = k->part.r->running;
	const struct id *worker = &k->workers[k->at++];
	char reason[96], name[ID_TEXT_SIZE];
	size_t i;

	if (redis_reply(k->call, 0)->integer == 0)
		return flow_goto(f, next_gone);
	metric_count(METRIC_DEAD_WORKERS, 1);
	k->ids = arena_alloc(&f->arena, c->n * sizeof(*k->ids));
	k->nids = 0;
	for (i = 0; i < c->n; i++)
		if (id_cmp(&c->refs[i].worker, worker) == 0)
			k->ids[k->nids++] = c->refs[i].id;
	id_format(worker, name);
	snprintf(reason, sizeof(reason), "its worker %s died", name);
	log_warn("manager", "tasks of a dead worker were in no list",
	    KV_ID("worker", worker), KV_INT("tasks", (int64_t)k->nids));
	k->recover = tasks_recover(
	    k->part.r->manager->app->pg, worker, k->ids, k->nids, reason);
	return pg_run(k->recover, f);
}

static enum flow_next
keep_queued(struct flow *f)
{
	struct orphan *k = (struct orphan *)f;
	size_t input;
	int i;

	k->refs = arena_alloc(&f->arena, k->nids * sizeof(*k->refs));
	k->nrefs = 0;
	for (i = 0; i < pg_rows(k->recover); i++) {
		struct task_ref *ref = &k->refs[k->nrefs];

		tasks_recovered(k->recover, i, &input, ref);
		ref->id = k->ids[input];
		if (ref->status == TASK_QUEUED)
			k->nrefs++;
		else
			redis_send(signal_settled(high(f), &ref->id, 1));
	}
	k->part.r->recovered += (uint64_t)pg_rows(k->recover);
	metric_count(METRIC_RECOVERED + RECOVERY_ORPHAN, pg_rows(k->recover));
	return FLOW_NEXT;
}

static enum flow_next
push(struct flow *f)
{
	struct orphan *k = (struct orphan *)f;
	struct reconciler *r = k->part.r;

	if (k->nrefs == 0)
		return flow_goto(f, next_gone);
	k->call = push_group(
	    r->manager, r->server, &f->arena, k->refs, &k->nrefs, true);
	return redis_run(k->call, f);
}

static enum flow_next
pushed(struct flow *f)
{
	return flow_goto(f, push);
}
