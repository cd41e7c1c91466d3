/*
 * Leaving: all that was started has ended and is written. What still stands in
 * our processing lists (an id may have come with the last BLMOVE) goes back to
 * the head of its queue, and our name leaves the list of workers, so that the
 * scanner need not wait for our heartbeat to expire. If a server is away this
 * is skipped: the scanner will do it.
 */
#include "worker.h"

struct leaving {
	struct flow flow;
	struct worker *worker;
	enum task_priority server;
	struct redis_call *redis;
	struct pg_call *recover;
	struct id *ids;
	size_t nids;
	struct task_ref *refs; /* those that are QUEUED */
	size_t nrefs;
	bool incomplete; /* some server was away: the scanner must look */
};

static flow_step look_into_list, ask_what_they_are, sort_them, give_back,
    forget_rest, other_list, say_goodbye, note_goodbye;
static void leave_end(struct flow *, enum err);

static const struct step leave_steps[] = {
	STEP(look_into_list), /* of redis-low, then of redis-high */
	STEP(ask_what_they_are),
	STEP(sort_them),
	STEP(give_back), /* a queue at a time */
	STEP(forget_rest),
	STEP(other_list),
	STEP(say_goodbye),
	STEP(note_goodbye),
	STEP_LAST,
};

static const struct flow_def leave_flow = {
	.name = "leave",
	.size = sizeof(struct leaving),
	.steps = leave_steps,
	.end = leave_end,
};

void
leave_start(struct worker *w)
{
	struct leaving *k;

	w->leave = flow_new(w->app->loop, &leave_flow);
	k = (struct leaving *)w->leave;
	k->worker = w;
	k->server = PRIORITY_LOW;
	flow_go(w->leave);
}

/* A server is away: what stands there is the scanner's, who looks when our
 * heartbeat has expired. */
static enum flow_next
skip_list(struct leaving *k)
{
	k->incomplete = true;
	return flow_goto(&k->flow, other_list);
}

static enum flow_next
look_into_list(struct flow *f)
{
	struct leaving *k = (struct leaving *)f;
	struct worker *w = k->worker;

	k->redis = queue_processing(w->app->redis[k->server], &w->id);
	return redis_try(k->redis, f);
}

static enum flow_next
ask_what_they_are(struct flow *f)
{
	struct leaving *k = (struct leaving *)f;
	struct worker *w = k->worker;
	const struct reply *rep = redis_reply(k->redis, 0);

	if (redis_call_err(k->redis) != OK)
		return skip_list(k);
	k->ids = arena_alloc(&f->arena, (rep->n + 1) * sizeof(*k->ids));
	k->nids = queue_ids(rep, k->ids, rep->n);
	if (k->nids == 0)
		return flow_goto(f, other_list);
	k->recover = tasks_recover(w->app->pg, &w->id, k->ids, k->nids,
	    "its worker shut down before it was started");
	return pg_try(k->recover, f);
}

static enum flow_next
sort_them(struct flow *f)
{
	struct leaving *k = (struct leaving *)f;
	struct task_ref *ref;
	size_t input;
	int i;

	if (pg_call_err(k->recover) != OK)
		return skip_list(k);
	k->refs = arena_alloc(&f->arena, (k->nids + 1) * sizeof(*k->refs));
	k->nrefs = 0;
	for (i = 0; i < pg_rows(k->recover); i++) {
		ref = &k->refs[k->nrefs];
		tasks_recovered(k->recover, i, &input, ref);
		ref->id = k->ids[input];
		if (ref->status == TASK_QUEUED)
			k->nrefs++;
	}
	return FLOW_NEXT;
}

static enum flow_next
give_back(struct flow *f)
{
	struct leaving *k = (struct leaving *)f;
	struct worker *w = k->worker;
	struct id *ids = arena_alloc(&f->arena, (k->nrefs + 1) * sizeof(*ids));
	char queue[TASK_NAME_MAX + 1];
	size_t n;

	if (redis_call_err(k->redis) != OK)
		return skip_list(k);
	if (k->nrefs == 0)
		return FLOW_NEXT;
	n = queue_group(k->refs, &k->nrefs, k->nrefs, queue, ids);
	flow_then(f, give_back);
	k->redis =
	    queue_give_back(w->app->redis[k->server], queue, &w->id, ids, n);
	return redis_try(k->redis, f);
}

/* Ended ones whose entry had stayed. */
static enum flow_next
forget_rest(struct flow *f)
{
	struct leaving *k = (struct leaving *)f;
	struct worker *w = k->worker;

	k->redis =
	    queue_remove(w->app->redis[k->server], &w->id, k->ids, k->nids);
	return redis_try(k->redis, f);
}

static enum flow_next
other_list(struct flow *f)
{
	struct leaving *k = (struct leaving *)f;

	if (redis_call_err(k->redis) != OK)
		k->incomplete = true;
	if (k->server == PRIORITY_HIGH)
		return FLOW_NEXT;
	k->server = PRIORITY_HIGH;
	return flow_goto(f, look_into_list);
}

static enum flow_next
say_goodbye(struct flow *f)
{
	struct leaving *k = (struct leaving *)f;
	struct worker *w = k->worker;

	if (k->incomplete)
		return FLOW_END;
	k->redis = worker_leave(w->app->redis[PRIORITY_HIGH], &w->id);
	return redis_try(k->redis, f);
}

static enum flow_next
note_goodbye(struct flow *f)
{
	struct worker *w = ((struct leaving *)f)->worker;

	log_info("worker", "left", KV_ID("worker", &w->id));
	return FLOW_END;
}

static void
leave_end(struct flow *f, enum err err)
{
	struct worker *w = ((struct leaving *)f)->worker;

	(void)err;
	w->leave = NULL;
	w->left = true;
	signal_raise(&w->wake);
}
