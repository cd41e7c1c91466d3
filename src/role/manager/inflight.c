/*
 * What is in flight: every two seconds the leader counts what the workers have
 * in hand, and keeps lists of that length for scalers to measure. It is only a
 * hint: when it is late or a server is away the last count stands, and after a
 * minute none.
 */
#include "manager.h"
#include "task/load.h"

#define EVERY_MS 2000
#define MAX_WORKERS 10000

struct counting {
	struct duty_flow duty;
	struct redis_call *list, *beats, *high, *low, *write;
	struct id *workers;
	size_t nworkers;
	struct inflight count;
};

static flow_step pause_between, list_workers, ask_beats, ask_high, ask_low,
    write_count, wrote;

static const struct step inflight_steps[] = {
	STEP(pause_between),
	STEP(list_workers),
	STEP(ask_beats),
	STEP(ask_high),
	STEP(ask_low),
	STEP(write_count),
	STEP(wrote),
	STEP_LAST,
};

static const struct flow_def inflight_flow = {
	.name = "inflight",
	.size = sizeof(struct counting),
	.steps = inflight_steps,
	.end = duty_end,
};

void
inflight_start(struct manager *m)
{
	duty_start(&m->inflight, &inflight_flow);
}

static struct redis *
server(struct flow *f, enum task_priority which)
{
	return ((struct duty_flow *)f)->duty->manager->app->redis[which];
}

static enum flow_next
pause_between(struct flow *f)
{
	return signal_wait(f, &((struct duty_flow *)f)->duty->wake, EVERY_MS);
}

static enum flow_next
list_workers(struct flow *f)
{
	struct counting *k = (struct counting *)f;

	if (!leads(k->duty.duty->manager))
		return flow_again(f);
	k->list = workers_list(server(f, PRIORITY_HIGH));
	return redis_try(k->list, f);
}

static enum flow_next
ask_beats(struct flow *f)
{
	struct counting *k = (struct counting *)f;
	const struct reply *rep = redis_reply(k->list, 0);

	if (redis_call_err(k->list) != OK)
		return flow_again(f);
	k->workers = arena_alloc(&f->arena, (rep->n + 1) * sizeof(struct id));
	k->nworkers = queue_ids(
	    rep, k->workers, rep->n < MAX_WORKERS ? rep->n : MAX_WORKERS);
	if (k->nworkers == 0)
		return flow_goto(f, write_count);
	k->beats =
	    workers_said(server(f, PRIORITY_HIGH), k->workers, k->nworkers);
	return redis_try(k->beats, f);
}

static enum flow_next
ask_high(struct flow *f)
{
	struct counting *k = (struct counting *)f;

	if (redis_call_err(k->beats) != OK)
		return flow_again(f);
	k->high = queue_processing_lengths(
	    server(f, PRIORITY_HIGH), k->workers, k->nworkers);
	return redis_try(k->high, f);
}

static enum flow_next
ask_low(struct flow *f)
{
	struct counting *k = (struct counting *)f;

	if (redis_call_err(k->high) != OK)
		return flow_again(f);
	k->low = queue_processing_lengths(
	    server(f, PRIORITY_LOW), k->workers, k->nworkers);
	return redis_try(k->low, f);
}

static enum flow_next
write_count(struct flow *f)
{
	struct counting *k = (struct counting *)f;
	size_t i;

	if (k->nworkers > 0 && redis_call_err(k->low) != OK)
		return flow_again(f);
	k->count.n = 0;
	for (i = 0; i < k->nworkers; i++)
		if (redis_reply(k->beats, i)->type == REPLY_STR)
			inflight_add(&k->count, redis_reply(k->beats, i)->str,
			    redis_reply(k->high, i)->integer +
				redis_reply(k->low, i)->integer);
	k->write = inflight_write(server(f, PRIORITY_HIGH), &k->count);
	return redis_try(k->write, f);
}

static enum flow_next
wrote(struct flow *f)
{
	return flow_again(f);
}
