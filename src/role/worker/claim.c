/*
 * The claim loop: heartbeat, top up, claim, start, again. The heartbeat is sent
 * from here, so that a worker whose loop hangs is found dead although its
 * process lives. Nothing is claimed while our lease is over (no heartbeat got
 * through for its TTL): by then somebody may have given our tasks away.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "worker.h"

#define RETRY_MS 200
/* How much the estimate of the database's clock may be behind. */
#define CLAIM_MARGIN_US (500 * US_PER_MS)

struct claiming {
	struct flow flow;
	struct worker *worker;
	struct redis_call *beat;
	int64_t beat_sent_us;
	struct redis_call *take;
	enum task_priority server; /* that is asked now */
	int queue, sources_left;
	struct pg_call *claim;
	struct id *ids; /* in the arena, with claim */
	size_t nids;
	struct redis_call *drop;
};

static flow_step send_beat, hear_beat, await_work, top_up, took, return_excess,
    gave_back, claim_taken, start_claimed, drop_strangers, dropped, next_turn;
static void claim_end(struct flow *, enum err);

static const struct step claim_steps[] = {
	STEP(send_beat), /* when it is time */
	STEP(hear_beat),
	STEP(await_work), /* while the lists are empty or we are full */
	STEP(top_up), /* a batch from each list, high first */
	STEP(took),
	STEP(return_excess), /* came while we had become full */
	STEP(gave_back),
	STEP(claim_taken), /* the compare-and-set */
	STEP(start_claimed),
	STEP(drop_strangers), /* ids that were not ours to run */
	STEP(dropped),
	STEP(next_turn),
	STEP_LAST,
};

static const struct flow_def claim_flow = {
	.name = "claim",
	.size = sizeof(struct claiming),
	.steps = claim_steps,
	.end = claim_end,
};

void
claim_start(struct worker *w)
{
	w->claim = flow_new(w->app->loop, &claim_flow);
	((struct claiming *)w->claim)->worker = w;
	flow_go(w->claim);
}

static void
claim_end(struct flow *f, enum err err)
{
	(void)err;
	((struct claiming *)f)->worker->claim = NULL;
}

/* ---- the heartbeat ---- */
static enum flow_next
send_beat(struct flow *f)
{
	struct claiming *k = (struct claiming *)f;
	struct worker *w = k->worker;
	const struct conf *conf = w->app->conf;
	int64_t now = clock_mono_us();

	if (w->left)
		return FLOW_END; /* a heartbeat now would look like a death */
	w->turns++;
	w->last_turn_us = now;
	if (now < w->next_beat_us)
		return flow_goto(f, await_work);
	w->next_beat_us = now + conf->heartbeat_interval_ms * US_PER_MS;
	k->beat_sent_us = now;
	k->beat = worker_beat(w->app->redis[PRIORITY_HIGH], &w->id,
	    worker_beat_text(w, &f->arena), conf->heartbeat_ttl_ms);
	return redis_try(k->beat, f);
}

/* We were declared dead: what we have under the old name is given away, or will
 * be; running tasks go on and their results are refused if so. */
static void
take_new_name(struct worker *w)
{
	struct work *work;
	struct id old = w->id;

	id_new(&w->id);
	while ((work = TAILQ_FIRST(&w->taken)) != NULL)
		work_forget(w, work);
	w->next_beat_us = 0;
	log_warn("worker", "was declared dead, goes on under a new name",
	    KV_ID("old", &old), KV_ID("worker", &w->id));
}

static enum flow_next
hear_beat(struct flow *f)
{
	struct claiming *k = (struct claiming *)f;
	struct worker *w = k->worker;

	if (redis_call_err(k->beat) != OK)
		return FLOW_NEXT;
	if (redis_reply(k->beat, 0)->integer == 0) {
		take_new_name(w);
		return flow_again(f);
	}
	w->last_beat_us = k->beat_sent_us;
	if (w->told_lost)
		log_info("worker", "heartbeats get through again");
	w->told_lost = false;
	return FLOW_NEXT;
}

static bool
lease_is_over(struct worker *w)
{
	int64_t ttl = w->app->conf->heartbeat_ttl_ms * US_PER_MS;

	if (clock_mono_us() - w->last_beat_us < ttl)
		return false;
	if (!w->told_lost)
		log_warn("worker",
		    "no heartbeat got through, claims nothing until one does");
	w->told_lost = true;
	return true;
}

/* ---- taking ---- */
static bool
must_pause(struct worker *w)
{
	return w->draining || lease_is_over(w) ||
	    w->ndone > 4 * (size_t)w->app->conf->concurrency + BATCH_MAX;
}

/* Draining and nothing is left here: the last look at the lists, once. */
static bool
all_done(struct worker *w)
{
	if (w->nrunning > 0 || w->ndone > 0 || w->nprogress > 0 ||
	    w->leave != NULL)
		return false;
	if (!w->left)
		leave_start(w);
	return w->left;
}

static enum flow_next
await_work(struct flow *f)
{
	struct claiming *k = (struct claiming *)f;
	struct worker *w = k->worker;
	int64_t ms = (w->next_beat_us - clock_mono_us()) / US_PER_MS;

	if (w->ntaken > 0 && (w->draining || !must_pause(w)))
		return flow_goto(f, return_excess);
	if (w->draining && all_done(w))
		return FLOW_END;
	if (w->hot && worker_free_slots(w) > 0 && !must_pause(w))
		return FLOW_NEXT;
	fetch_wake(w);
	flow_then(f, next_turn);
	return signal_wait(f, &w->wake, ms > 1 ? ms : 1);
}

/* Ask the lists in turn: all queues on high, then all on low; the other way
 * round in one of low_share takes, so that low is never starved. */
static enum flow_next
top_up(struct flow *f)
{
	struct claiming *k = (struct claiming *)f;
	struct worker *w = k->worker;
	size_t want = worker_free_slots(w) - w->ntaken;
	int64_t share = w->app->conf->low_share;

	if (k->sources_left == 0) {
		k->sources_left = 2 * w->nqueues;
		k->queue = 0;
		k->server = share > 0 && ++w->takes % (unsigned)share == 0
		    ? PRIORITY_LOW
		    : PRIORITY_HIGH;
	}
	if (want > BATCH_MAX)
		want = BATCH_MAX;
	k->take = queue_take(
	    w->app->redis[k->server], w->queues[k->queue], &w->id, want);
	return redis_try(k->take, f);
}

static enum flow_next
took(struct flow *f)
{
	struct claiming *k = (struct claiming *)f;
	struct worker *w = k->worker;
	struct id *ids = arena_alloc(&f->arena, BATCH_MAX * sizeof(*ids));
	size_t i, n = queue_ids(redis_reply(k->take, 0), ids, BATCH_MAX);

	for (i = 0; i < n; i++)
		work_take(w, &ids[i], k->server, w->queues[k->queue]);
	k->sources_left--;
	if (++k->queue == w->nqueues) {
		k->queue = 0;
		k->server =
		    k->server == PRIORITY_HIGH ? PRIORITY_LOW : PRIORITY_HIGH;
	}
	if (k->sources_left > 0 && w->ntaken < worker_free_slots(w))
		return flow_goto(f, top_up);
	k->sources_left = 0;
	w->hot = w->ntaken > 0;
	return FLOW_NEXT;
}

/* ---- giving back ---- */
static struct work *
last_of_known_queue(struct worker *w)
{
	struct work *work;

	/* What resync found in our list goes on to be claimed: only then is
	 * its queue known. And one whose claim was not answered may be ours by
	 * now: it must be claimed again until we know. */
	TAILQ_FOREACH_REVERSE(work, &w->taken, work_list, link)
	if (work->queue != NULL && !work->unsure)
		return work;
	return NULL;
}

static void
reverse(struct id *ids, size_t n)
{
	struct id swap;
	size_t i;

	for (i = 0; i < n / 2; i++) {
		swap = ids[i];
		ids[i] = ids[n - 1 - i];
		ids[n - 1 - i] = swap;
	}
}

/* A BLMOVE was answered when we had become full, or we are draining: somebody
 * else should have it now. One queue of one server at a time. */
static enum flow_next
return_excess(struct flow *f)
{
	struct claiming *k = (struct claiming *)f;
	struct worker *w = k->worker;
	size_t room = w->draining ? 0 : worker_free_slots(w), n = 0;
	struct work *work, *prev, *like = last_of_known_queue(w);
	enum task_priority server;
	const char *queue;
	struct id *ids;

	if (w->ntaken <= room || like == NULL)
		return flow_goto(f, claim_taken);
	server = like->server;
	queue = like->queue;
	ids = arena_alloc(&f->arena, w->ntaken * sizeof(*ids));
	for (work = like; work != NULL && w->ntaken > room; work = prev) {
		prev = TAILQ_PREV(work, work_list, link);
		if (work->server != server || work->queue != queue ||
		    work->unsure)
			continue;
		ids[n++] = work->run.id;
		work_forget(w, work);
	}
	reverse(ids, n);
	k->server = server;
	flow_then(f, gave_back);
	k->drop = queue_give_back(w->app->redis[server], queue, &w->id, ids, n);
	return redis_try(k->drop, f);
}

static enum flow_next
gave_back(struct flow *f)
{
	struct claiming *k = (struct claiming *)f;

	if (redis_call_err(k->drop) != OK)
		resync_want(k->worker, k->server);
	return flow_goto(f, return_excess);
}

/* ---- claiming ---- */
/* leave.c finds them in the list. */
static void
forget_unasked(struct worker *w)
{
	struct work *work, *next;

	TAILQ_FOREACH_SAFE (work, &w->taken, link, next)
		if (!work->unsure)
			work_forget(w, work);
}

static enum flow_next
claim_taken(struct flow *f)
{
	struct claiming *k = (struct claiming *)f;
	struct worker *w = k->worker;
	struct work *work;
	int64_t ms;

	if (w->draining)
		forget_unasked(w);
	if (w->ntaken == 0)
		return flow_goto(f, next_turn);
	w->hot = true; /* where one came from there may be more */
	k->nids = 0;
	k->ids = arena_alloc(&f->arena, w->ntaken * sizeof(*k->ids));
	while ((work = TAILQ_FIRST(&w->taken)) != NULL) {
		TAILQ_REMOVE(&w->taken, work, link);
		w->ntaken--;
		w->nclaiming++;
		work->state = WORK_CLAIMING;
		k->ids[k->nids++] = work->run.id;
	}
	ms = w->app->conf->heartbeat_ttl_ms / 3;
	w->claim_expires_us = w->db_offset_us == 0 ? 0
						   : w->db_offset_us +
		clock_mono_us() + ms * US_PER_MS + CLAIM_MARGIN_US;
	w->claim_sent_us = clock_mono_us();
	k->claim = tasks_claim(
	    w->app->pg, &w->id, k->ids, k->nids, w->claim_expires_us);
	/* The next heartbeat must not wait for a database that hangs. */
	pg_call_timeout_ms(k->claim, ms);
	return pg_try(k->claim, f);
}

/* PostgreSQL does not answer: they are taken as before. If the claim was
 * committed all the same, the next one gives us the same attempts. */
static enum flow_next
unclaim(struct flow *f)
{
	struct claiming *k = (struct claiming *)f;
	struct worker *w = k->worker;
	struct work *work;
	size_t i;

	for (i = k->nids; i-- > 0;) {
		work = idmap_get(&w->known, &k->ids[i]);
		work->state = WORK_TAKEN;
		work->unsure = true;
		TAILQ_INSERT_HEAD(&w->taken, work, link);
		w->ntaken++;
		w->nclaiming--;
	}
	flow_then(f, next_turn);
	return flow_sleep_ms(f, RETRY_MS);
}

/* Learn the database's clock. False: by that clock the claim was void when it
 * ran (the clock was set), so no row says nothing. */
static bool
was_in_time(struct claiming *k)
{
	struct worker *w = k->worker;
	int64_t at = tasks_claim_time_us(k->claim);

	w->db_offset_us = at - clock_mono_us();
	return w->claim_expires_us == 0 || at < w->claim_expires_us;
}

static void
count_claimed(const struct claiming *k, const struct task_claimed *c)
{
	metric_count(METRIC_CLAIMED + c->priority, 1);
	metric_observe(QUEUE_WAIT, c->priority,
	    tasks_claim_time_us(k->claim) - c->queued_us);
}

static enum flow_next
start_claimed(struct flow *f)
{
	struct claiming *k = (struct claiming *)f;
	struct worker *w = k->worker;
	struct task_claimed c;
	struct work *work;
	bool start;
	int i;

	if (pg_call_err(k->claim) != OK || !was_in_time(k))
		return unclaim(f);
	metric_observe(CLAIM_SECONDS, 0, clock_mono_us() - w->claim_sent_us);
	/* The answer may have taken long: things may have changed. */
	start = !w->draining && !lease_is_over(w);
	for (i = 0; i < pg_rows(k->claim); i++) {
		if (!tasks_claimed(k->claim, i, &c))
			continue;
		count_claimed(k, &c);
		work = idmap_get(&w->known, &k->ids[c.input]);
		work_run(w, work, &c, start);
	}
	return FLOW_NEXT;
}

/* Claimed by somebody else, ended, or never there: out of our list. One server
 * at a time. */
static enum flow_next
drop_strangers(struct flow *f)
{
	struct claiming *k = (struct claiming *)f;
	struct worker *w = k->worker;
	struct work *work;
	struct id *ids = arena_alloc(&f->arena, (k->nids + 1) * sizeof(*ids));
	enum task_priority server = PRIORITY_LOW;
	size_t i, n = 0;

	for (i = 0; i < k->nids; i++) {
		work = idmap_get(&w->known, &k->ids[i]);
		if (work == NULL || work->state != WORK_CLAIMING ||
		    (n > 0 && work->server != server))
			continue;
		server = work->server;
		ids[n++] = work->run.id;
		w->nclaiming--;
		work_free(w, work);
	}
	if (n == 0)
		return flow_goto(f, next_turn);
	k->server = server;
	flow_then(f, dropped);
	k->drop = queue_remove(w->app->redis[server], &w->id, ids, n);
	return redis_try(k->drop, f);
}

static enum flow_next
dropped(struct flow *f)
{
	struct claiming *k = (struct claiming *)f;

	if (redis_call_err(k->drop) != OK)
		resync_want(k->worker, k->server);
	return flow_goto(f, drop_strangers);
}

static enum flow_next
next_turn(struct flow *f)
{
	return flow_again(f);
}
