/*
 * GET /tasks/{id}/explain: why a task does not run, or what it does. The row in
 * PostgreSQL says most; of one that is QUEUED its list and the heartbeats of
 * the workers say the rest, as far as Redis answers.
 */
#include "api.h"
#include "charge.h"
#include "await.h"
#include "explain.h"
#include "task/actions.h"
#include "task/queue.h"

#define WORKERS_MAX 500

struct explain {
	struct api_task task;
	struct pg_call *row;
	struct redis_call *place, *names, *beats;
	struct situation s;
};

static flow_step read_task, note_task, ask_place, ask_names, ask_beats,
    count_workers;
static void explain_end(struct flow *, enum err);

static const struct step explain_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(await_find),
	STEP(read_task),
	STEP(note_task),
	STEP(ask_place), /* in its list: from here on of a QUEUED one */
	STEP(ask_names),
	STEP(ask_beats),
	STEP(count_workers),
	STEP_LAST,
};

const struct flow_def explain_flow = {
	.name = "explain",
	.size = sizeof(struct explain),
	.steps = explain_steps,
	.end = explain_end,
};

static enum flow_next
read_task(struct flow *f)
{
	struct explain *k = (struct explain *)f;
	struct api_call *c = &k->task.call;

	k->row = tasks_explain(api_app(c)->pg, &k->task.id, &c->caller.user_id);
	return pg_run(k->row, f);
}

static enum flow_next
note_task(struct flow *f)
{
	struct explain *k = (struct explain *)f;
	struct situation *s = &k->s;

	if (pg_rows(k->row) == 0)
		return flow_check(f, ERR_NOT_FOUND);
	tasks_explained(k->row, &s->task, &s->wished_us);
	s->task.id = k->task.id;
	s->queue = arena_dup(&f->arena, s->task.queue.p, s->task.queue.len);
	s->type = arena_dup(&f->arena, s->task.type.p, s->task.type.len);
	return s->task.status == TASK_QUEUED ? FLOW_NEXT : FLOW_END;
}

static enum flow_next
ask_place(struct flow *f)
{
	struct explain *k = (struct explain *)f;
	struct redis *r = api_app(&k->task.call)->redis[k->s.task.priority];

	k->place = queue_place(r, k->s.queue, &k->task.id);
	return redis_try(k->place, f);
}

static enum flow_next
ask_names(struct flow *f)
{
	struct explain *k = (struct explain *)f;
	const struct reply *at = redis_reply(k->place, 0);

	if (redis_call_err(k->place) == OK) {
		k->s.list_known = true;
		k->s.length = redis_reply(k->place, 1)->integer;
		k->s.in_list = at->type == REPLY_INT;
		k->s.ahead = k->s.in_list ? at->integer : 0;
	}
	k->names = workers_list(api_app(&k->task.call)->redis[PRIORITY_HIGH]);
	return redis_try(k->names, f);
}

static enum flow_next
ask_beats(struct flow *f)
{
	struct explain *k = (struct explain *)f;
	struct id *ids = arena_alloc(&f->arena, WORKERS_MAX * sizeof(*ids));
	size_t n;

	if (redis_call_err(k->names) != OK)
		return FLOW_END;
	n = queue_ids(redis_reply(k->names, 0), ids, WORKERS_MAX);
	if (n == 0) {
		k->s.workers_known = true;
		return FLOW_END;
	}
	k->beats =
	    workers_say(api_app(&k->task.call)->redis[PRIORITY_HIGH], ids, n);
	return redis_try(k->beats, f);
}

static enum flow_next
count_workers(struct flow *f)
{
	struct explain *k = (struct explain *)f;
	const struct reply *said = redis_reply(k->beats, 0);
	size_t i;

	if (redis_call_err(k->beats) != OK)
		return FLOW_END;
	k->s.workers_known = true;
	for (i = 0; i < said->n; i++)
		if (said->elem[i].type == REPLY_STR)
			explain_beat(&k->s, said->elem[i].str, &f->arena);
	return FLOW_END;
}

static void
explain_end(struct flow *f, enum err err)
{
	struct explain *k = (struct explain *)f;
	struct buf body;
	struct jsn_w w;

	if (err != OK) {
		api_refuse(&k->task.call, err);
		return;
	}
	api_body_init(&body);
	jsn_w_init(&w, &body);
	explain_write(&w, &k->s);
	api_reply(&k->task.call, 200, &body);
}
