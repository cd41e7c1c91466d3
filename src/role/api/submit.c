/*
 * POST /tasks: accept a task.
 *
 * The row in PostgreSQL is the promise; Redis only makes it fast. So the row is
 * committed before a queue is touched, and a push that gets lost is not an
 * error of the request: the reconciler pushes again.
 */
#include <stdio.h>

#include "accept.h"
#include "announce.h"
#include "api.h"
#include "await.h"
#include "base/clock.h"
#include "base/metric.h"
#include "charge.h"
#include "draft.h"
#include "keyed.h"

struct submit {
	struct api_task task;
	struct task_draft draft;
	struct task_accepted accepted;
	struct task_request request;
	bool keyed, replayed;
	struct pg_call *insert;
};

static flow_step parse_draft, insert_task, note_accepted, announce;
static void submit_end(struct flow *, enum err);

static const struct step submit_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(parse_draft),
	STEP(insert_task), /* the promise */
	STEP(note_accepted),
	STEP(await_join), /* before anybody can take the task */
	STEP(announce), /* the shortcut */
	STEP(await_settled),
	STEP(await_read),
	STEP(await_look),
	STEP_LAST,
};

const struct flow_def submit_flow = {
	.name = "submit",
	.size = sizeof(struct submit),
	.steps = submit_steps,
	.end = submit_end,
};

static enum flow_next
parse_draft(struct flow *f)
{
	struct submit *s = (struct submit *)f;
	struct api_call *c = &s->task.call;
	struct http_req *req = c->http.req;
	enum err err = http_expect_json(req, &c->fault);

	if (err == OK)
		err = draft_parse(http_body(req), api_app(c)->conf,
		    clock_wall_us(), &f->arena, &s->draft, &c->fault);
	if (err == OK)
		err = keyed_request(c, "POST /tasks", &s->request);
	if (err != OK)
		return flow_check(f, err);
	s->keyed = keyed_any(&s->request, &s->draft, 1);
	accept_draft(c, accept_traceparent(c), 0, &s->draft);
	s->task.id = s->draft.id;
	http_note_id(req, "task", &s->task.id);
	return FLOW_NEXT;
}

static enum flow_next
insert_task(struct flow *f)
{
	struct submit *s = (struct submit *)f;
	struct pg *pg = api_app(&s->task.call)->pg;

	if (s->keyed)
		s->insert = tasks_insert_keyed(pg, &s->draft, 1, &s->request);
	else
		s->insert = tasks_insert(pg, &s->draft, 1);
	return pg_run(s->insert, f);
}

static enum err
note_keyed(struct submit *s)
{
	struct api_call *c = &s->task.call;
	struct task_keyed k;

	tasks_keyed(s->insert, 0, &k);
	s->replayed = k.replayed;
	return keyed_outcome(
	    &k, &c->http.flow.arena, &s->draft, &s->accepted, &c->fault);
}

/* The task as it is now, without reading it back. */
static enum flow_next
note_accepted(struct flow *f)
{
	struct submit *s = (struct submit *)f;
	const struct task_draft *d = &s->draft;
	struct task_accepted *a = &s->accepted;
	enum err err = OK;
	bool pending;

	if (s->keyed)
		err = note_keyed(s);
	else
		accept_result(s->insert, 0, d, a);
	if (err != OK)
		return flow_check(f, err);
	if (!s->replayed)
		metric_count(METRIC_SUBMITTED + d->priority, 1);
	pending = a->status == TASK_PENDING;
	s->task.id = d->id;
	s->task.row = (struct task_row){ .id = d->id,
		.status = a->status,
		.priority = d->priority,
		.max_attempts = d->max_attempts,
		.timeout_ms = d->timeout_ms,
		.created_us = a->created_us,
		.scheduled_us = a->scheduled_us,
		.due_us = pending ? a->scheduled_us : 0,
		.queued_us = pending ? 0 : a->created_us,
		.type = span_of(d->type),
		.queue = span_of(d->queue),
		.traceparent = span_of(d->traceparent),
		.unique_key = span_of(d->unique_key),
		.payload = d->payload };
	s->task.known = true;
	return FLOW_NEXT;
}

static enum flow_next
announce(struct flow *f)
{
	struct submit *s = (struct submit *)f;
	const struct app *app = api_app(&s->task.call);

	if (s->replayed)
		return FLOW_NEXT;
	if (s->accepted.status == TASK_QUEUED)
		announce_ready(api_announcer(app), s->draft.priority,
		    s->draft.queue, &s->draft.id);
	else if (accept_is_soon(&s->task.call, &s->accepted))
		accept_tell_scheduler(&s->task.call);
	return FLOW_NEXT;
}

static void
submit_end(struct flow *f, enum err err)
{
	struct submit *s = (struct submit *)f;
	struct api_task *t = &s->task;
	bool is_late = t->asked && !task_status_is_final(t->row.status);
	char location[sizeof("/tasks/") + ID_TEXT_LEN] = "/tasks/";

	await_end(t);
	if (!t->known) {
		api_refuse(&t->call, keyed_failed(s->insert, err));
		return;
	}
	if (s->replayed)
		keyed_note_replay(&t->call);
	id_format(&t->id, location + strlen(location));
	http_add_header(t->call.http.req, "Location", location);
	await_reply(t, is_late ? 202 : 201);
}
