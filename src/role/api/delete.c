/* DELETE /tasks/{id}: a final task and its events. */
#include "act.h"
#include "api.h"
#include "charge.h"
#include "await.h"

struct deletion {
	struct api_task task;
	struct pg_call *call;
};

static flow_step delete_task, note_deleted;
static void delete_end(struct flow *, enum err);

static const struct step delete_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(await_find),
	STEP(delete_task),
	STEP(note_deleted),
	STEP_LAST,
};

const struct flow_def delete_flow = {
	.name = "delete",
	.size = sizeof(struct deletion),
	.steps = delete_steps,
	.end = delete_end,
};

static enum flow_next
delete_task(struct flow *f)
{
	struct deletion *k = (struct deletion *)f;
	struct api_call *c = &k->task.call;

	k->call = tasks_delete(api_app(c)->pg, &k->task.id, &c->caller.user_id);
	return pg_run(k->call, f);
}

static enum flow_next
note_deleted(struct flow *f)
{
	struct deletion *k = (struct deletion *)f;
	struct task_acted acted;

	if (!tasks_deleted(k->call, &acted))
		return flow_check(f, ERR_NOT_FOUND);
	if (!acted.done)
		return act_refuse(&k->task.call, acted.status,
		    "a task that is COMPLETED, FAILED or CANCELLED can be "
		    "deleted: cancel it first");
	return FLOW_END;
}

static void
delete_end(struct flow *f, enum err err)
{
	struct api_call *c = &((struct deletion *)f)->task.call;

	if (err != OK)
		api_refuse(c, err);
	else
		http_reply(c->http.req, 204, NULL, span_of(NULL));
}
