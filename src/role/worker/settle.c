/*
 * The settle loop: what became of tasks is written in batches, each of which
 * gathers while the one before is in flight. Commit first, then the list entry:
 * a crash between the two leaves an entry that the next claim drops. While
 * PostgreSQL is away finished results are kept and nothing new is claimed.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "worker.h"

#define RETRY_MS 200

struct settling {
	struct flow flow;
	struct worker *worker;
	struct work **batch; /* in the arena */
	struct task_settlement *settlements;
	size_t n;
	struct pg_call *settle;
	int64_t sent_us;
	struct pg_call *stale;
	struct redis_call *redis;
	enum task_priority server;
	size_t left; /* works from here on are out of their lists */
};

static flow_step await_ended, write_batch, check_batch, note_refused,
    leave_lists, left_lists, tell_others, begin_again;
static void settle_end(struct flow *, enum err);

static const struct step settle_steps[] = {
	STEP(await_ended),
	STEP(write_batch),
	STEP(check_batch),
	STEP(note_refused), /* late results of tasks given to others */
	STEP(leave_lists),
	STEP(left_lists),
	STEP(tell_others),
	STEP(begin_again),
	STEP_LAST,
};

static const struct flow_def settle_flow = {
	.name = "settle",
	.size = sizeof(struct settling),
	.steps = settle_steps,
	.end = settle_end,
};

void
settle_start(struct worker *w)
{
	w->settle = flow_new(w->app->loop, &settle_flow);
	((struct settling *)w->settle)->worker = w;
	flow_go(w->settle);
}

static void
settle_end(struct flow *f, enum err err)
{
	(void)err;
	((struct settling *)f)->worker->settle = NULL;
}

static enum flow_next
await_ended(struct flow *f)
{
	struct settling *k = (struct settling *)f;

	if (!TAILQ_EMPTY(&k->worker->done))
		return FLOW_NEXT;
	flow_then(f, await_ended);
	return signal_wait(f, &k->worker->ended, 0);
}

static enum flow_next
write_batch(struct flow *f)
{
	struct settling *k = (struct settling *)f;
	struct worker *w = k->worker;
	struct work *work;

	k->n = 0;
	k->batch = arena_alloc(&f->arena, BATCH_MAX * sizeof(*k->batch));
	TAILQ_FOREACH (work, &w->done, link) {
		if (work->nprogress > 0)
			continue;
		k->batch[k->n++] = work;
		if (k->n == BATCH_MAX)
			break;
	}
	if (k->n == 0) {
		flow_then(f, begin_again);
		return signal_wait(f, &w->ended, RETRY_MS);
	}
	k->settlements = arena_alloc(&f->arena, k->n * sizeof(*k->settlements));
	for (size_t i = 0; i < k->n; i++)
		k->settlements[i] = k->batch[i]->settlement;
	k->sent_us = clock_mono_us();
	k->settle = tasks_settle(w->app->pg, k->settlements, k->n);
	return pg_try(k->settle, f);
}

/* PostgreSQL refuses the data of one of them (it should not: results are
 * checked when they come). Alone it fails; nothing else may wait for it. */
static enum flow_next
replace_bad(struct settling *k)
{
	static const char why[] = "the database refused the result: ";
	struct work *work = k->batch[0];
	struct task_settlement *s = &work->settlement;
	const char *said = pg_call_message(k->settle);
	size_t size;

	log_error("worker", "result refused", KV_ID("task", &work->run.id),
	    KV_STR("err", said));
	free(work->bytes);
	size = sizeof(why) + strlen(said);
	work->bytes = xmalloc(size);
	snprintf(work->bytes, size, "%s%s", why, said);
	s->status = TASK_FAILED;
	s->event = EVENT_FAILED;
	s->result = (struct span){ NULL, 0 };
	s->error = span_of(work->bytes);
	return flow_again(&k->flow);
}

static void
count_finished(const struct task_settlement *s, enum task_status status)
{
	static const uint8_t outcome[] = {
		[EVENT_COMPLETED] = OUTCOME_COMPLETED + 1,
		[EVENT_FAILED] = OUTCOME_FAILED + 1,
		[EVENT_RETRIED] = OUTCOME_RETRIED + 1,
		[EVENT_INTERRUPTED] = OUTCOME_INTERRUPTED + 1,
		[EVENT_RELEASED] = OUTCOME_RELEASED + 1,
	};
	unsigned o = s->event < NELEM(outcome) ? outcome[s->event] : 0;

	if (status == TASK_CANCELLED) /* its owner wished it */
		o = OUTCOME_CANCELLED + 1;

	metric_count(METRIC_FINISHED + (o > 0 ? o - 1 : OUTCOME_OTHER), 1);
}

/* The statement is committed. */
static void
count_settled(const struct settling *k)
{
	enum task_status status;

	metric_observe(SETTLE_SECONDS, 0, clock_mono_us() - k->sent_us);
	for (size_t i = 0; i < k->n; i++)
		if ((status = tasks_settled(k->settle, i)) != 0)
			count_finished(&k->settlements[i], status);
}

static enum flow_next
check_batch(struct flow *f)
{
	struct settling *k = (struct settling *)f;
	struct worker *w = k->worker;
	struct task_settlement *late;
	enum task_status status;
	size_t i, n = 0;

	if (pg_call_err(k->settle) == ERR_DATA && k->n == 1)
		return replace_bad(k);
	if (pg_call_err(k->settle) == ERR_DATA) {
		/* The call is one for the pool: find the culprit here. */
		k->n = k->n / 2;
		k->settle = tasks_settle(w->app->pg, k->settlements, k->n);
		flow_then(f, check_batch);
		return pg_try(k->settle, f);
	}
	if (pg_call_err(k->settle) != OK) {
		flow_then(f, begin_again);
		return flow_sleep_ms(f, RETRY_MS);
	}
	count_settled(k);
	k->left = k->n;
	late = arena_alloc(&f->arena, (k->n + 1) * sizeof(*late));
	for (i = 0; i < k->n; i++) {
		status = tasks_settled(k->settle, i);
		if (status != 0)
			k->batch[i]->settlement.status = status;
		else
			late[n++] = k->settlements[i];
	}
	if (n == 0)
		return flow_goto(f, leave_lists);
	k->stale = tasks_stale(w->app->pg, late, n);
	return pg_try(k->stale, f);
}

static enum flow_next
note_refused(struct flow *f)
{
	struct settling *k = (struct settling *)f;
	size_t i, row = 0;

	if (pg_call_err(k->stale) != OK) {
		flow_then(f, begin_again);
		return flow_sleep_ms(f, RETRY_MS);
	}
	for (i = 0; i < k->n; i++) {
		if (tasks_settled(k->settle, i))
			continue;
		if (tasks_was_settled(k->stale, row++)) {
			count_finished(&k->settlements[i], TASK_IN_PROGRESS);
			continue;
		}
		metric_count(METRIC_STALE, 1);
		log_warn("worker", "late result refused",
		    KV_ID("task", &k->batch[i]->run.id),
		    KV_INT("attempt", k->batch[i]->run.attempt));
	}
	return FLOW_NEXT;
}

static bool
alike(const struct work *a, const struct work *b)
{
	return a->server == b->server && id_cmp(&a->worker, &b->worker) == 0 &&
	    (a->settlement.status == TASK_QUEUED) ==
	    (b->settlement.status == TASK_QUEUED) &&
	    (a->settlement.status != TASK_QUEUED ||
		strcmp(a->queue, b->queue) == 0);
}

/* Out of the processing lists, or back to the head of the queue; a run of
 * works that go the same way at a time, the last ones first, so that the first
 * ones end at the head. If Redis refuses the entries stay, and resync finds
 * them. */
static enum flow_next
leave_lists(struct flow *f)
{
	struct settling *k = (struct settling *)f;
	struct worker *w = k->worker;
	struct work *last;
	struct redis *r;
	struct id *ids;
	size_t end = k->left;

	if (k->left == 0)
		return flow_goto(f, tell_others);
	last = k->batch[end - 1];
	while (k->left > 0 && alike(last, k->batch[k->left - 1]))
		k->left--;
	ids = arena_alloc(&f->arena, (end - k->left) * sizeof(*ids));
	for (size_t i = k->left; i < end; i++)
		ids[i - k->left] = k->batch[i]->run.id;
	k->server = last->server;
	r = w->app->redis[k->server];
	if (last->settlement.status == TASK_QUEUED)
		k->redis = queue_give_back(
		    r, last->queue, &last->worker, ids, end - k->left);
	else
		k->redis = queue_remove(r, &last->worker, ids, end - k->left);
	return redis_try(k->redis, f);
}

static enum flow_next
left_lists(struct flow *f)
{
	struct settling *k = (struct settling *)f;

	if (redis_call_err(k->redis) != OK)
		resync_want(k->worker, k->server);
	return flow_goto(f, leave_lists);
}

/* Wake who waits for a final state, and the scheduler for a retry that is due
 * before its next look. Signals may get lost. */
static enum flow_next
tell_others(struct flow *f)
{
	struct settling *k = (struct settling *)f;
	struct worker *w = k->worker;
	struct redis *high = w->app->redis[PRIORITY_HIGH];
	struct id *ids = arena_alloc(&f->arena, (k->n + 1) * sizeof(*ids));
	int64_t soon = w->app->conf->schedule_interval_ms;
	bool due = false;
	size_t i, n = 0;

	for (i = 0; i < k->n; i++) {
		struct work *work = k->batch[i];

		if (task_status_is_final(work->settlement.status))
			ids[n++] = work->run.id;
		due = due ||
		    (work->settlement.status == TASK_RETRYING &&
			work->settlement.delay_ms <= soon);
		TAILQ_REMOVE(&w->done, work, link);
		w->ndone--;
		work_free(w, work);
	}
	if (n > 0)
		redis_send(signal_settled(high, ids, n));
	if (due)
		redis_send(signal_due(high));
	if (w->draining)
		signal_raise(&w->wake);
	return FLOW_NEXT;
}

static enum flow_next
begin_again(struct flow *f)
{
	return flow_again(f);
}
