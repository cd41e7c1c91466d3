/* GET /tasks/{id}/events: what happened to a task, oldest first. */
#include <errno.h>
#include <stdlib.h>

#include "api.h"
#include "call.h"
#include "charge.h"
#include "render.h"

struct events {
	struct api_call call;
	struct id id;
	int64_t after; /* seq */
	struct pg_call *events, *task;
};

static flow_step parse_events, read_events, look_for_task, check_task;
static void events_end(struct flow *, enum err);

static const struct step events_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(parse_events),
	STEP(read_events),
	STEP(look_for_task), /* if there is no event: is there a task? */
	STEP(check_task),
	STEP_LAST,
};

const struct flow_def events_flow = {
	.name = "events",
	.size = sizeof(struct events),
	.steps = events_steps,
	.end = events_end,
};

static bool
parse_seq(const char *text, int64_t *ret)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || text[n] != '\0')
		return false;
	errno = 0;
	*ret = strtoll(text, NULL, 10);
	return errno == 0;
}

static enum flow_next
parse_events(struct flow *f)
{
	static const char *const known[] = { "after", NULL };
	struct events *e = (struct events *)f;
	struct http_req *req = e->call.http.req;
	const char *id = http_param(req, "id");
	const char *unknown = http_query_unknown(req, known);
	bool many;
	const char *after = http_query(req, "after", &many);

	if (!id_parse(id, strlen(id), &e->id))
		return flow_check(f, ERR_NOT_FOUND);
	http_note_id(req, "task", &e->id);
	if (unknown != NULL)
		return flow_check(f,
		    fault_set(&e->call.fault, ERR_UNPROCESSABLE, "",
			"the parameter \"%.60s\" is unknown; allowed is after",
			unknown));
	if (after != NULL && (many || !parse_seq(after, &e->after)))
		return flow_check(f,
		    fault_set(&e->call.fault, ERR_UNPROCESSABLE, "",
			"after is \"%.60s\"%s; allowed is the seq of an event, "
			"once",
			after, many ? " and more" : ""));
	return FLOW_NEXT;
}

static enum flow_next
read_events(struct flow *f)
{
	struct events *e = (struct events *)f;

	e->events = tasks_events(
	    api_app(&e->call)->pg, &e->id, &e->call.caller.user_id, e->after);
	return pg_run(e->events, f);
}

/* Every task has its first event. */
static enum flow_next
look_for_task(struct flow *f)
{
	struct events *e = (struct events *)f;

	if (pg_rows(e->events) > 0)
		return FLOW_END;
	if (e->after == 0)
		return flow_check(f, ERR_NOT_FOUND);
	e->task =
	    tasks_get(api_app(&e->call)->pg, &e->id, &e->call.caller.user_id);
	return pg_run(e->task, f);
}

static enum flow_next
check_task(struct flow *f)
{
	struct events *e = (struct events *)f;

	return flow_check(f, pg_rows(e->task) > 0 ? OK : ERR_NOT_FOUND);
}

static void
events_end(struct flow *f, enum err err)
{
	struct events *e = (struct events *)f;
	struct task_event_row row;
	struct buf body;
	struct jsn_w w;
	int i;

	if (err != OK) {
		api_refuse(&e->call, err);
		return;
	}
	api_body_init(&body);
	jsn_w_init(&w, &body);
	jsn_w_open(&w, '{');
	jsn_w_key(&w, "items");
	jsn_w_open(&w, '[');
	for (i = 0; i < pg_rows(e->events); i++) {
		tasks_event_row(e->events, i, &row);
		render_event(&w, &row);
	}
	jsn_w_close(&w, ']');
	jsn_w_key(&w, "has_more");
	jsn_w_bool(&w, pg_rows(e->events) == TASK_EVENTS_MAX);
	jsn_w_close(&w, '}');
	api_reply(&e->call, 200, &body);
}
