/*
 * POST /tasks/{id}/retry: a FAILED or CANCELLED task waits again. It is due at
 * once, so the scheduler moves it to its queue; see retry_tasks in
 * sql/schema/0005_actions.sql for why it is not us.
 */
#include "accept.h"
#include "act.h"
#include "api.h"
#include "charge.h"
#include "await.h"

struct retry {
	struct api_task task;
	struct pg_call *retry;
	struct task_acted acted;
};

static flow_step write_retry, note_retry;
static void retry_end(struct flow *, enum err);

static const struct step retry_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(await_find),
	STEP(write_retry), /* the promise */
	STEP(note_retry),
	STEP(await_join),
	STEP(await_read),
	STEP(await_look),
	STEP(await_settled),
	STEP_LAST,
};

const struct flow_def retry_flow = {
	.name = "retry",
	.size = sizeof(struct retry),
	.steps = retry_steps,
	.end = retry_end,
};

static enum flow_next
write_retry(struct flow *f)
{
	struct retry *k = (struct retry *)f;
	struct api_call *c = &k->task.call;

	k->retry = tasks_retry(
	    api_app(c)->pg, &k->task.id, 1, &c->caller.user_id, act_actor(c));
	return pg_run(k->retry, f);
}

static enum flow_next
note_retry(struct flow *f)
{
	struct retry *k = (struct retry *)f;
	struct api_task *t = &k->task;

	if (!tasks_retried(k->retry, 0, &k->acted))
		return flow_check(f, ERR_NOT_FOUND);
	if (!k->acted.done &&
	    (k->acted.status == TASK_FAILED ||
		k->acted.status == TASK_CANCELLED))
		return flow_check(f,
		    fault_set(&t->call.fault, ERR_KEY_HELD, "",
			"the task is %s, and another one that is not final has "
			"its unique_key",
			task_status_name(k->acted.status)));
	if (!k->acted.done)
		return act_refuse(&t->call, k->acted.status,
		    "a task that is FAILED or CANCELLED can be retried");
	/* From here on it is done, whatever we can still find out. */
	t->row = (struct task_row){ .id = t->id, .status = k->acted.status };
	accept_tell_scheduler(&t->call);
	return FLOW_NEXT;
}

static void
retry_end(struct flow *f, enum err err)
{
	struct api_task *t = &((struct retry *)f)->task;
	bool is_late = t->asked && !task_status_is_final(t->row.status);

	await_end(t);
	if (t->row.status == 0)
		api_refuse(&t->call, err);
	else
		await_reply(t, is_late ? 202 : 200);
}
