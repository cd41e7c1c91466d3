/*
 * POST /tasks: accept a task.
 *
 * The row in PostgreSQL is the promise; Redis only makes it fast. So the row is
 * committed before a queue is touched, and a push that gets lost is not an
 * error of the request: the reconciler pushes again.
 */
#include <stdio.h>

#include "announce.h"
#include "api.h"
#include "await.h"
#include "base/clock.h"
#include "draft.h"
#include "task/queue.h"

/* The scheduler looks that much ahead of its interval, at the most. */
#define DUE_MARGIN_MS 1000

struct submit {
	struct api_task task;
	struct task_draft draft;
	struct task_accepted accepted;
	struct pg_call *insert;
};

static flow_step parse_draft, insert_task, note_accepted, announce;
static void submit_end(struct flow *, enum err);

static const struct step submit_steps[] = {
	STEP(api_authenticate),
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
	const char *trace = http_header(req, "traceparent");
	enum err err = http_expect_json(req, &c->fault);

	if (err == OK)
		err = draft_parse(http_body(req), api_app(c)->conf,
		    clock_wall_us(), &f->arena, &s->draft, &c->fault);
	if (err != OK)
		return flow_check(f, err);
	if (trace != NULL && traceparent_ok(trace))
		s->draft.traceparent = trace;
	id_new(&s->task.id);
	s->draft.id = s->task.id;
	s->draft.user_id = c->caller.user_id;
	http_note_id(req, "task", &s->task.id);
	return FLOW_NEXT;
}

static enum flow_next
insert_task(struct flow *f)
{
	struct submit *s = (struct submit *)f;

	s->insert = tasks_insert(api_app(&s->task.call)->pg, &s->draft, 1);
	return pg_run(s->insert, f);
}

/* An earlier try had inserted it, and its answer was lost: what the database
 * has decided is what anybody would. */
static void
guess_accepted(const struct task_draft *d, struct task_accepted *ret)
{
	int64_t now = clock_wall_us(), due = d->scheduled_us;

	ret->created_us = id_time_ms(&d->id) * US_PER_MS;
	if (d->delay_ms != 0)
		due = ret->created_us + d->delay_ms * US_PER_MS;
	ret->scheduled_us = due;
	ret->due_in_ms = (due - now) / US_PER_MS;
	ret->status = due > ret->created_us ? TASK_PENDING : TASK_QUEUED;
}

/* The task as it is now, without reading it back. */
static enum flow_next
note_accepted(struct flow *f)
{
	struct submit *s = (struct submit *)f;
	const struct task_draft *d = &s->draft;
	struct task_accepted *a = &s->accepted;
	bool pending;

	if (!tasks_inserted(s->insert, 0, a))
		guess_accepted(d, a);
	pending = a->status == TASK_PENDING;
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
		.payload = d->payload };
	s->task.known = true;
	return FLOW_NEXT;
}

static enum flow_next
announce(struct flow *f)
{
	struct submit *s = (struct submit *)f;
	const struct app *app = api_app(&s->task.call);
	int64_t soon_ms = app->conf->schedule_interval_ms + DUE_MARGIN_MS;

	if (s->accepted.status == TASK_QUEUED)
		announce_ready(api_announcer(app), s->draft.priority,
		    s->draft.queue, &s->draft.id);
	else if (s->accepted.due_in_ms < soon_ms)
		redis_send(signal_due(app->redis[PRIORITY_HIGH]));
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
		api_refuse(&t->call, err);
		return;
	}
	id_format(&t->id, location + strlen(location));
	http_add_header(t->call.http.req, "Location", location);
	await_reply(t, is_late ? 202 : 201);
}
