/*
 * Wishes: running tasks that their owners have cancelled. The wish stands in
 * PostgreSQL. A signal only says where to look, since it may be late, or lost:
 * so all that runs is looked up by the clock, too, together. What is wished
 * cancelled is stopped (SIGTERM, after the grace SIGKILL) and settled as any
 * other end.
 */
#include "base/clock.h"
#include "task/actions.h"
#include "worker.h"

#define LOOK_MS 2000
#define RETRY_MS 200

struct wishing {
	struct flow flow;
	struct worker *worker;
	struct task_attempt *attempts; /* in the arena, with the call */
	size_t n;
	struct pg_call *call;
};

static flow_step await_wish, ask_wishes, stop_wished, begin_again;
static void wishes_end(struct flow *, enum err);

static const struct step wishes_steps[] = {
	STEP(await_wish),
	STEP(ask_wishes), /* of those that signals name; by the clock, of all */
	STEP(stop_wished),
	STEP(begin_again),
	STEP_LAST,
};

static const struct flow_def wishes_flow = {
	.name = "wishes",
	.size = sizeof(struct wishing),
	.steps = wishes_steps,
	.end = wishes_end,
};

/* Ids, by spaces; next to all of them are not ours. */
static void
on_wish(void *arg, struct span message)
{
	struct worker *w = arg;
	const char *p = message.p, *end = message.p + message.len;
	struct work *work;
	struct id id;

	for (; end - p >= ID_TEXT_LEN; p += ID_TEXT_SIZE) {
		work = id_parse(p, ID_TEXT_LEN, &id) ? idmap_get(&w->known, &id)
						     : NULL;
		if (work != NULL) {
			work->wished = true;
			signal_raise(&w->wished);
		}
		if (end - p < ID_TEXT_SIZE)
			break;
	}
}

void
wishes_start(struct worker *w)
{
	w->wish_listener = redis_listen(
	    w->app->redis[PRIORITY_HIGH], SIGNAL_CANCEL, on_wish, w);
	w->wishes = flow_new(w->app->loop, &wishes_flow);
	((struct wishing *)w->wishes)->worker = w;
	flow_go(w->wishes);
}

void
wishes_stop(struct worker *w)
{
	redis_unlisten(w->wish_listener);
	w->wish_listener = NULL;
	if (w->wishes != NULL)
		flow_abort(w->wishes, ERR_SHUTDOWN);
}

static void
wishes_end(struct flow *f, enum err err)
{
	(void)err;
	((struct wishing *)f)->worker->wishes = NULL;
}

static enum flow_next
await_wish(struct flow *f)
{
	struct worker *w = ((struct wishing *)f)->worker;
	int64_t left = (w->next_wish_look_us - clock_mono_us()) / US_PER_MS;

	return signal_wait(f, &w->wished, left > 0 ? left + 1 : 1);
}

static enum flow_next
ask_wishes(struct flow *f)
{
	struct wishing *k = (struct wishing *)f;
	struct worker *w = k->worker;
	const struct idmap_slot *slot;
	struct work *work;
	int64_t now = clock_mono_us();
	bool all = now >= w->next_wish_look_us;
	size_t at = 0;

	if (all)
		w->next_wish_look_us = now + LOOK_MS * US_PER_MS;
	k->n = 0;
	k->attempts =
	    arena_alloc(&f->arena, (w->nrunning + 1) * sizeof(*k->attempts));
	while (w->nrunning > 0 && (slot = idmap_next(&w->known, &at)) != NULL) {
		work = slot->value;
		if (work->state != WORK_RUNNING || work->run.cancelled ||
		    !(all || work->wished))
			continue;
		work->wished = false; /* a signal after this is another one */
		k->attempts[k->n++] = (struct task_attempt){ .id = work->run.id,
			.worker = work->run.worker,
			.attempt = work->run.attempt };
	}
	if (k->n == 0)
		return flow_goto(f, begin_again);
	k->call = tasks_wished(w->app->pg, k->attempts, k->n);
	return pg_try(k->call, f);
}

/* It may have ended meanwhile, and be here again as another attempt. */
static struct work *
find(struct worker *w, const struct task_attempt *a)
{
	struct work *work = idmap_get(&w->known, &a->id);

	return work != NULL && work->state == WORK_RUNNING &&
		work->run.attempt == a->attempt &&
		id_cmp(&work->run.worker, &a->worker) == 0
	    ? work
	    : NULL;
}

static enum flow_next
stop_wished(struct flow *f)
{
	struct wishing *k = (struct wishing *)f;
	struct worker *w = k->worker;
	struct work *work;
	int row;

	if (pg_call_err(k->call) != OK) {
		w->next_wish_look_us = 0;
		return flow_sleep_ms(f, RETRY_MS);
	}
	for (row = 0; row < pg_rows(k->call); row++) {
		work = find(w, &k->attempts[pg_row_input(k->call, row)]);
		if (work == NULL)
			continue;
		log_info("worker", "its owner has cancelled it",
		    KV_ID("task", &work->run.id),
		    KV_INT("attempt", work->run.attempt));
		handlers_cancel(w->handlers, &work->run);
	}
	return FLOW_NEXT;
}

static enum flow_next
begin_again(struct flow *f)
{
	return flow_again(f);
}
