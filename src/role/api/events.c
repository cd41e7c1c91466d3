/* GET /tasks/{id}/events: what happened to a task, oldest first. */
#include <errno.h>
#include <stdlib.h>

#include "api.h"
#include "charge.h"
#include "doc.h"
#include "events.h"
#include "render.h"

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
	STEP(stream_join), /* the rest is for streams */
	STEP(stream_look),
	STEP(stream_wait), /* and again */
	STEP_LAST,
};

const struct flow_def events_flow = {
	.name = "events",
	.size = sizeof(struct events),
	.steps = events_steps,
	.end = events_end,
};

static bool
take_seq(void *to, const char *text)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || text[n] != '\0')
		return false;
	errno = 0;
	((struct events *)to)->after = strtoll(text, NULL, 10);
	return errno == 0;
}

static const struct query_param after = { "after", "the seq of an event", S_INT,
	take_seq };
const struct query_table events_query = { &after, 1 };

/* A stream that was cut off says where with Last-Event-ID; browsers do it by
 * themselves, and it wins over the query, which they repeat. */
static enum err
parse_after(struct events *e)
{
	const struct http_req *req = e->call.http.req;
	const char *last = http_header(req, "Last-Event-ID");

	if (!e->streams || last == NULL)
		return query_take(req, &after, e, NULL, &e->call.fault);
	e->resumes = true;
	if (take_seq(e, last))
		return OK;
	return fault_set(&e->call.fault, ERR_UNPROCESSABLE, "",
	    "Last-Event-ID is \"%.60s\"; allowed is %s", last, after.allowed);
}

static enum flow_next
parse_events(struct flow *f)
{
	struct events *e = (struct events *)f;
	struct http_req *req = e->call.http.req;
	const char *id = http_param(req, "id");
	enum err err;

	if (!id_parse(id, strlen(id), &e->id))
		return flow_check(f, ERR_NOT_FOUND);
	http_note_id(req, "task", &e->id);
	e->streams = stream_is_wanted(http_header(req, "Accept"));
	err = query_known(req, &events_query, &e->call.fault);
	return flow_check(f, err != OK ? err : parse_after(e));
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
		return e->streams ? flow_goto(f, stream_join) : FLOW_END;
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

	if (pg_rows(e->task) == 0)
		return flow_check(f, ERR_NOT_FOUND);
	return e->streams ? FLOW_NEXT : FLOW_END;
}

/* A request whose client did not name it has the name that the ids of its tasks
 * have in common: see accept_draft. */
void
events_row(const struct pg_call *rows, int i, const struct id *task,
    char text[ID_TEXT_SIZE], struct task_event_row *ret)
{
	struct id family;

	tasks_event_row(rows, i, ret);
	if (ret->event != EVENT_CREATED || ret->request_id.p != NULL)
		return;
	id_family(task, &family);
	id_format(&family, text);
	ret->request_id = span_of(text);
}

static void
events_end(struct flow *f, enum err err)
{
	struct events *e = (struct events *)f;
	char request_id[ID_TEXT_SIZE];
	struct task_event_row row;
	struct buf body;
	struct jsn_w w;
	int i;

	if (e->stream != NULL) {
		stream_end(e, err);
		return;
	}
	waiter_leave(&e->waiter);
	http_add_header(e->call.http.req, "Vary", "Accept");
	if (err != OK) {
		api_refuse(&e->call, err);
		return;
	}
	if (e->streams) { /* nothing more will come, or HEAD */
		http_reply(e->call.http.req, e->final ? 204 : 200,
		    "text/event-stream", span_of(""));
		return;
	}
	api_body_init(&body);
	jsn_w_init(&w, &body);
	jsn_w_open(&w, '{');
	jsn_w_key(&w, "items");
	jsn_w_open(&w, '[');
	for (i = 0; i < pg_rows(e->events); i++) {
		events_row(e->events, i, &e->id, request_id, &row);
		render_event(&w, &row);
	}
	jsn_w_close(&w, ']');
	jsn_w_key(&w, "has_more");
	jsn_w_bool(&w, pg_rows(e->events) == TASK_EVENTS_MAX);
	jsn_w_close(&w, '}');
	api_reply(&e->call, 200, &body);
}
