/*
 * POST /tasks/{id}/cancel. What waits is CANCELLED by one statement. For what
 * runs the wish is written, which is the promise, and the workers are told,
 * which makes it fast: the one that has it stops it (role/worker/wishes.c).
 */
#include "act.h"
#include "api.h"
#include "charge.h"
#include "await.h"
#include "task/queue.h"

struct cancel {
	struct api_task task;
	struct pg_call *cancel;
	struct task_acted acted;
	struct redis_call *drop;
};

static flow_step write_wish, note_wish, drop_entry, tell_others;
static void cancel_end(struct flow *, enum err);

static const struct step cancel_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(await_find),
	STEP(write_wish), /* the promise */
	STEP(note_wish),
	STEP(drop_entry), /* of one that was QUEUED */
	STEP(tell_others),
	STEP(await_join),
	STEP(await_read),
	STEP(await_look),
	STEP(await_settled), /* of one that ran */
	STEP_LAST,
};

const struct flow_def cancel_flow = {
	.name = "cancel",
	.size = sizeof(struct cancel),
	.steps = cancel_steps,
	.end = cancel_end,
};

static enum flow_next
write_wish(struct flow *f)
{
	struct cancel *k = (struct cancel *)f;
	struct api_call *c = &k->task.call;

	k->cancel = tasks_cancel(
	    api_app(c)->pg, &k->task.id, 1, &c->caller.user_id, act_actor(c));
	return pg_run(k->cancel, f);
}

static enum flow_next
note_wish(struct flow *f)
{
	struct cancel *k = (struct cancel *)f;
	struct api_task *t = &k->task;

	if (!tasks_cancelled(k->cancel, 0, &k->acted))
		return flow_check(f, ERR_NOT_FOUND);
	if (task_status_is_final(k->acted.status) &&
	    k->acted.status != TASK_CANCELLED)
		return act_refuse(&t->call, k->acted.status,
		    "a task that is not final can be cancelled");
	/* From here on it is done, whatever we can still find out. */
	t->row = (struct task_row){ .id = t->id,
		.status = k->acted.status,
		.priority = k->acted.priority,
		.queue = k->acted.queue };
	return k->acted.status == TASK_CANCELLED && k->acted.done
	    ? FLOW_NEXT
	    : flow_goto(f, tell_others);
}

/* Before the answer, so that a retry that follows it finds its own entry. */
static enum flow_next
drop_entry(struct flow *f)
{
	struct cancel *k = (struct cancel *)f;
	const struct app *app = api_app(&k->task.call);
	const char *queue =
	    arena_dup(&f->arena, k->acted.queue.p, k->acted.queue.len);

	k->drop = queue_drop(app->redis[k->acted.priority], queue, &k->task.id);
	return redis_try(k->drop, f);
}

/* A signal for a wish that was there before helps if the first one got lost. */
static enum flow_next
tell_others(struct flow *f)
{
	struct cancel *k = (struct cancel *)f;
	struct redis *high = api_app(&k->task.call)->redis[PRIORITY_HIGH];

	if (k->acted.status == TASK_IN_PROGRESS)
		redis_send(signal_cancel(high, &k->task.id, 1));
	else if (k->acted.done)
		redis_send(signal_settled(high, &k->task.id, 1));
	return FLOW_NEXT;
}

static void
cancel_end(struct flow *f, enum err err)
{
	struct cancel *k = (struct cancel *)f;
	struct api_task *t = &k->task;
	bool is_written = t->row.status != 0;
	bool is_over = k->acted.status == TASK_CANCELLED ||
	    t->row.status == TASK_CANCELLED;

	await_end(t);
	if (!is_written)
		api_refuse(&t->call, err);
	else
		await_reply(t, is_over ? 200 : 202);
}
