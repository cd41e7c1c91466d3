/*
 * Putting right what a Redis server forgot. After a reconnect, or when the
 * server's epoch key is gone or another one, it may have lost the last second
 * or everything. What we hold goes into our processing list again, so that it
 * is found if we die; and what stands there without our knowing (the answer to
 * a BLMOVE was lost, or an LREM) is taken over: claiming it tells what it is.
 * We look after each call that came to nothing, too, and every EVERY_US all the
 * same: a request that we gave up may be done by the server later.
 */
#include "base/clock.h"
#include "worker.h"

#define EVERY_US (10 * US_PER_S)

struct syncing {
	struct flow flow;
	struct worker *worker;
	enum task_priority server;
	struct redis_call *epoch;
	struct redis_call *restore;
	struct id name; /* when we asked */
	uint64_t generation;
};

static flow_step pause_between, ask_epoch, put_back, adopt, other_server;
static void resync_end(struct flow *, enum err);

static const struct step resync_steps[] = {
	STEP(pause_between),
	STEP(ask_epoch), /* of redis-low, then of redis-high */
	STEP(put_back),
	STEP(adopt),
	STEP(other_server),
	STEP_LAST,
};

static const struct flow_def resync_flow = {
	.name = "resync",
	.size = sizeof(struct syncing),
	.steps = resync_steps,
	.end = resync_end,
};

void
resync_start(struct worker *w)
{
	w->resync = flow_new(w->app->loop, &resync_flow);
	((struct syncing *)w->resync)->worker = w;
	flow_go(w->resync);
}

static void
resync_end(struct flow *f, enum err err)
{
	(void)err;
	((struct syncing *)f)->worker->resync = NULL;
}

void
resync_want(struct worker *w, enum task_priority server)
{
	w->seen_generation[server] = 0; /* no connection has that number */
}

static enum flow_next
pause_between(struct flow *f)
{
	struct syncing *k = (struct syncing *)f;
	struct worker *w = k->worker;

	k->server = PRIORITY_LOW;
	if (w->draining)
		return FLOW_END;
	return signal_wait(f, &w->lost, w->app->conf->heartbeat_interval_ms);
}

static enum flow_next
ask_epoch(struct flow *f)
{
	struct syncing *k = (struct syncing *)f;
	struct redis *r = k->worker->app->redis[k->server];

	k->generation = redis_generation(r);
	k->epoch = epoch_get(r);
	return redis_try(k->epoch, f);
}

static bool
is_the_same(struct syncing *k)
{
	struct worker *w = k->worker;
	struct id epoch;

	if (queue_ids(redis_reply(k->epoch, 0), &epoch, 1) == 0)
		return false; /* lost, and the leader has not noticed yet */
	if (w->seen_generation[k->server] == k->generation &&
	    clock_mono_us() < w->next_look_us[k->server] &&
	    id_cmp(&w->seen_epoch[k->server], &epoch) == 0)
		return true;
	w->seen_epoch[k->server] = epoch;
	return false;
}

static enum flow_next
put_back(struct flow *f)
{
	struct syncing *k = (struct syncing *)f;
	struct worker *w = k->worker;
	const struct idmap_slot *slot;
	const struct work *work;
	struct id *ids;
	size_t at = 0, n = 0;

	if (redis_call_err(k->epoch) != OK || is_the_same(k) || w->draining)
		return flow_goto(f, other_server);
	ids = arena_alloc(&f->arena, (w->known.used + 1) * sizeof(*ids));
	while ((slot = idmap_next(&w->known, &at)) != NULL) {
		work = slot->value;
		if (work->server == k->server && work->state != WORK_DONE &&
		    id_cmp(&work->worker, &w->id) == 0)
			ids[n++] = slot->id;
	}
	k->name = w->id;
	k->restore = queue_restore(w->app->redis[k->server], &w->id, ids, n);
	return redis_try(k->restore, f);
}

/* What we hold under an old name is not what stands under the new one. */
static bool
is_ours(const struct worker *w, const struct id *id)
{
	const struct work *work = idmap_get(&w->known, id);

	return work != NULL && id_cmp(&work->worker, &w->id) == 0;
}

static enum flow_next
adopt(struct flow *f)
{
	struct syncing *k = (struct syncing *)f;
	struct worker *w = k->worker;
	const struct reply *rep = redis_reply(k->restore, 0);
	struct id *ids;
	size_t i, n, found = 0;

	if (redis_call_err(k->restore) != OK || id_cmp(&k->name, &w->id) != 0 ||
	    w->draining)
		return FLOW_NEXT;
	w->seen_generation[k->server] = k->generation;
	w->next_look_us[k->server] = clock_mono_us() + EVERY_US;
	ids = arena_alloc(&f->arena, (rep->n + 1) * sizeof(*ids));
	n = queue_ids(rep, ids, rep->n);
	for (i = 0; i < n; i++)
		if (!is_ours(w, &ids[i]) &&
		    work_take(w, &ids[i], k->server, NULL) != NULL)
			found++;
	if (found > 0) {
		log_info("worker", "took over what stood in its list",
		    KV_INT("tasks", (int64_t)found),
		    KV_STR("server", task_priority_name(k->server)));
		signal_raise(&w->wake);
	}
	return FLOW_NEXT;
}

static enum flow_next
other_server(struct flow *f)
{
	struct syncing *k = (struct syncing *)f;

	if (k->server == PRIORITY_HIGH)
		return flow_again(f);
	k->server = PRIORITY_HIGH;
	return flow_goto(f, ask_epoch);
}
