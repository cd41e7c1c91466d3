/*
 * The scanner of processing lists: every second it looks for workers without a
 * heartbeat, declares them dead (in one step with a last look at the heartbeat)
 * and takes over what they had: running tasks go back or end, and all that is
 * ready stands at the head of its queue again. The list entries go last, so
 * that a crash in the middle leaves everything to be found again.
 *
 * No verdicts until redis-high has been up for a heartbeat's TTL: heartbeats
 * that expired while it was away prove nothing.
 */
#include <stdio.h>

#include "manager.h"

#define EVERY_MS 1000
#define MAX_WORKERS 10000
#define HOLD_MARGIN_MS 1000

struct scanning {
	struct duty_flow duty;
	struct redis_call *list, *dead, *alive, *call;
	struct id *workers; /* listed; then: dead ones, to be emptied */
	size_t nworkers, at;
	struct id *dying; /* without a heartbeat */
	size_t ndying;
	struct id *full; /* dead, with something in their lists */
	size_t nfull;
	enum task_priority server;
	struct id *ids; /* in the list of full[at] */
	size_t nids;
	struct pg_call *recover;
	struct task_ref *refs;
	size_t nrefs;
};

static flow_step pause_between, list_workers, list_dead, ask_alive, find_dying,
    pronounce, pronounced, ask_lengths, pick_full, look_into_list,
    recover_tasks, sort_tasks, give_back, forget_rest, next_list, other_server;

static const struct step scan_steps[] = {
	STEP(pause_between),
	STEP(list_workers),
	STEP(list_dead),
	STEP(ask_alive),
	STEP(find_dying),
	STEP(pronounce), /* each of them */
	STEP(pronounced),
	STEP(ask_lengths), /* of all dead workers' lists on a server */
	STEP(pick_full),
	STEP(look_into_list), /* those that are not empty */
	STEP(recover_tasks),
	STEP(sort_tasks),
	STEP(give_back), /* a queue at a time */
	STEP(forget_rest),
	STEP(next_list),
	STEP(other_server),
	STEP_LAST,
};

static const struct flow_def scan_flow = {
	.name = "scan",
	.size = sizeof(struct scanning),
	.steps = scan_steps,
	.end = duty_end,
};

void
scan_start(struct manager *m)
{
	duty_start(&m->scan, &scan_flow);
}

static struct manager *
manager_of(struct flow *f)
{
	return ((struct duty_flow *)f)->duty->manager;
}

static struct redis *
high(struct flow *f)
{
	return manager_of(f)->app->redis[PRIORITY_HIGH];
}

static enum flow_next
pause_between(struct flow *f)
{
	return duty_sleep(f, ((struct duty_flow *)f)->duty, EVERY_MS);
}

static enum flow_next
list_workers(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;

	if (!leads(manager_of(f)))
		return flow_again(f);
	k->list = workers_list(high(f));
	return redis_try(k->list, f);
}

static enum flow_next
list_dead(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;

	if (redis_call_err(k->list) != OK)
		return flow_again(f);
	k->dead = workers_dead(high(f));
	return redis_try(k->dead, f);
}

static enum flow_next
ask_alive(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;
	const struct reply *rep = redis_reply(k->list, 0);

	if (redis_call_err(k->dead) != OK)
		return flow_again(f);
	k->workers = arena_alloc(&f->arena, (rep->n + 1) * sizeof(struct id));
	k->nworkers = queue_ids(rep, k->workers, MAX_WORKERS);
	k->dying = arena_alloc(&f->arena, (rep->n + 1) * sizeof(struct id));
	k->ndying = k->at = 0;
	if (k->nworkers == 0)
		return flow_goto(f, pronounce);
	k->alive = workers_alive(high(f), k->workers, k->nworkers);
	return redis_try(k->alive, f);
}

bool
may_judge(const struct manager *m)
{
	int64_t now = clock_mono_us();
	int64_t up = redis_up_since_us(m->app->redis[PRIORITY_HIGH]);
	int64_t ttl =
	    (m->app->conf->heartbeat_ttl_ms + HOLD_MARGIN_MS) * US_PER_MS;

	/* The first ttl of our own life counts too: we may have been started
	 * together with Redis. */
	return up != 0 && now - up > ttl && now > m->hold_until_us;
}

static enum flow_next
find_dying(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;
	size_t i;

	if (redis_call_err(k->alive) != OK)
		return flow_again(f);
	for (i = 0; i < k->nworkers && may_judge(manager_of(f)); i++)
		if (redis_reply(k->alive, i)->integer == 0)
			k->dying[k->ndying++] = k->workers[i];
	return FLOW_NEXT;
}

/* dying[at], until all are pronounced; then workers become those whose lists
 * must be emptied: the dead of the last hour. */
static enum flow_next
pronounce(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;
	const struct reply *rep = redis_reply(k->dead, 0);

	if (k->at < k->ndying) {
		k->call = worker_verdict(high(f), &k->dying[k->at]);
		return redis_try(k->call, f);
	}
	k->workers = arena_alloc(
	    &f->arena, (rep->n + k->ndying + 1) * sizeof(struct id));
	memcpy(k->workers, k->dying, k->ndying * sizeof(struct id));
	k->nworkers =
	    k->ndying + queue_ids(rep, k->workers + k->ndying, MAX_WORKERS);
	k->server = PRIORITY_HIGH;
	return flow_goto(f, ask_lengths);
}

static enum flow_next
pronounced(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;

	if (redis_call_err(k->call) != OK)
		return flow_again(f);
	if (redis_reply(k->call, 0)->integer == 1) {
		metric_count(METRIC_DEAD_WORKERS, 1);
		log_warn("manager", "declared a worker dead",
		    KV_ID("worker", &k->dying[k->at]));
		k->at++;
	} else { /* it lives after all */
		k->dying[k->at] = k->dying[--k->ndying];
	}
	return flow_goto(f, pronounce);
}

/* ---- emptying lists ---- */
static enum flow_next
ask_lengths(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;

	k->at = k->nfull = 0;
	if (k->nworkers == 0)
		return flow_again(f);
	k->call = queue_processing_lengths(
	    manager_of(f)->app->redis[k->server], k->workers, k->nworkers);
	return redis_try(k->call, f);
}

static enum flow_next
pick_full(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;
	size_t i;

	if (redis_call_err(k->call) != OK)
		return flow_goto(f, other_server);
	k->full = arena_alloc(&f->arena, k->nworkers * sizeof(*k->full));
	for (i = 0; i < k->nworkers; i++)
		if (redis_reply(k->call, i)->integer > 0)
			k->full[k->nfull++] = k->workers[i];
	return FLOW_NEXT;
}

static enum flow_next
look_into_list(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;

	if (k->at == k->nfull)
		return flow_goto(f, other_server);
	k->call = queue_processing(
	    manager_of(f)->app->redis[k->server], &k->full[k->at]);
	return redis_try(k->call, f);
}

static enum flow_next
recover_tasks(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;
	const struct reply *rep = redis_reply(k->call, 0);
	char reason[96], name[ID_TEXT_SIZE];

	if (redis_call_err(k->call) != OK || rep->n == 0)
		return flow_goto(f, next_list);
	k->ids = arena_alloc(&f->arena, (rep->n + 1) * sizeof(struct id));
	k->nids = queue_ids(rep, k->ids, CHUNK);
	if (k->nids == 0) { /* somebody's rubbish */
		k->call = queue_processing_drop(
		    manager_of(f)->app->redis[k->server], &k->full[k->at]);
		flow_then(f, next_list);
		return redis_try(k->call, f);
	}
	id_format(&k->full[k->at], name);
	snprintf(reason, sizeof(reason), "its worker %s died", name);
	k->recover = tasks_recover(
	    manager_of(f)->app->pg, &k->full[k->at], k->ids, k->nids, reason);
	return pg_try(k->recover, f);
}

static enum flow_next
sort_tasks(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;
	size_t input, nfailed = 0;
	struct id *failed;
	int i;

	if (pg_call_err(k->recover) != OK)
		return flow_goto(f, next_list);
	metric_count(METRIC_RECOVERED + RECOVERY_DEAD, pg_rows(k->recover));
	failed = arena_alloc(&f->arena, (k->nids + 1) * sizeof(*failed));
	k->refs = arena_alloc(&f->arena, (k->nids + 1) * sizeof(*k->refs));
	k->nrefs = 0;
	for (i = 0; i < pg_rows(k->recover); i++) {
		struct task_ref *ref = &k->refs[k->nrefs];

		tasks_recovered(k->recover, i, &input, ref);
		ref->id = k->ids[input];
		if (ref->status == TASK_QUEUED)
			k->nrefs++;
		else
			failed[nfailed++] = ref->id;
	}
	log_info("manager", "recovered tasks", KV_ID("worker", &k->full[k->at]),
	    KV_INT("queued", (int64_t)k->nrefs),
	    KV_INT("failed", (int64_t)nfailed));
	if (nfailed > 0)
		redis_send(signal_settled(high(f), failed, nfailed));
	return FLOW_NEXT;
}

static enum flow_next
give_back(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;
	struct id *ids = arena_alloc(&f->arena, (k->nrefs + 1) * sizeof(*ids));
	char queue[TASK_NAME_MAX + 1];
	size_t n;

	if (k->nrefs == 0)
		return FLOW_NEXT;
	n = queue_group(k->refs, &k->nrefs, k->nrefs, queue, ids);
	flow_then(f, give_back);
	k->call = queue_give_back(manager_of(f)->app->redis[k->server], queue,
	    &k->full[k->at], ids, n);
	return redis_try(k->call, f);
}

static enum flow_next
forget_rest(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;

	/* Not answered: the entries stay, and the next round sees them. */
	if (redis_call_err(k->call) != OK)
		return flow_goto(f, next_list);
	k->call = queue_remove(manager_of(f)->app->redis[k->server],
	    &k->full[k->at], k->ids, k->nids);
	return redis_try(k->call, f);
}

static enum flow_next
next_list(struct flow *f)
{
	((struct scanning *)f)->at++;
	return flow_goto(f, look_into_list);
}

static enum flow_next
other_server(struct flow *f)
{
	struct scanning *k = (struct scanning *)f;

	if (k->server == PRIORITY_LOW)
		return flow_again(f);
	k->server = PRIORITY_LOW;
	return flow_goto(f, ask_lengths);
}
