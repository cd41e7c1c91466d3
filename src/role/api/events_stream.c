/*
 * The events of a task as server-sent events (HTML, 9.2), until it is final.
 *
 * A stream looks into the database: at once when the task is settled (then its
 * waiter is raised), and by the clock, a quarter of a second after something
 * has happened and up to a second later while nothing does. The looks of all
 * streams that are due together are one statement. Each is a flow of its own,
 * whose memory dies with it, for a stream may live for days.
 *
 * A client that does not read costs at most PENDING_MAX, and is cut off when it
 * has taken nothing for the stream_patience of the configuration.
 */
#include <stdio.h>
#include <strings.h>

#include "api.h"
#include "base/clock.h"
#include "events.h"
#include "render.h"

#define TYPE "text/event-stream"
#define PENDING_MAX HTTP_STREAM_PENDING_MAX
#define LOOK_FIRST_MS 250
#define LOOK_MAX_MS 1000
#define FULL_MS 20 /* until there is room for more */
#define PIECE_MAX (1024 * 1024)

bool
stream_is_wanted(const char *accept)
{
	return accept != NULL && strcasestr(accept, TYPE) != NULL;
}

/* ---- what is written ---- */

/* What does not go out any more is no matter: the next look sees why. */
static void
tell(struct events *e, struct span text)
{
	if (text.len > 0 && http_stream_write(e->stream, text))
		e->told_us = clock_mono_us();
}

/* The events behind those that were written, as far as there is room. True:
 * all of them. */
static bool
write_events(struct events *e, const struct pg_call *rows)
{
	char request_id[ID_TEXT_SIZE];
	struct task_event_row row;
	struct buf piece;
	struct jsn_w w;
	bool all = true;

	buf_init(&piece, PIECE_MAX);
	for (int i = 0; i < pg_rows(rows); i++) {
		events_row(rows, i, &e->id, request_id, &row);
		if (row.seq <= e->after)
			continue;
		all = http_stream_pending(e->stream) + piece.len < PENDING_MAX;
		if (!all)
			break;
		buf_addf(&piece,
		    "id: %lld\nevent: %s\ndata: ", (long long)row.seq,
		    task_event_name(row.event));
		jsn_w_init(&w, &piece);
		render_event(&w, &row);
		buf_adds(&piece, "\n\n");
		e->after = row.seq;
		e->final = task_status_is_final(row.status);
	}
	tell(e, buf_span(&piece));
	buf_fini(&piece);
	return all;
}

/* A page that is full, or was not written whole, has more behind it. */
static void
take_events(struct events *e, const struct pg_call *rows)
{
	bool all = write_events(e, rows) && pg_rows(rows) < TASK_EVENTS_MAX;

	e->pause_ms = all ? LOOK_FIRST_MS : FULL_MS;
	e->behind = !all;
	e->final = e->final && all;
}

static void
write_heartbeat(struct events *e)
{
	int64_t now = clock_mono_us();

	if (now - e->told_us <
	    api_app(&e->call)->conf->stream_heartbeat_ms * US_PER_MS)
		return;
	tell(e, span_of(": still here\n\n"));
}

/* ---- a look: a flow of its own ---- */
struct peek {
	struct api_call call; /* of the stream's request */
	struct events *stream; /* NULL: it has ended without us */
	struct pg_call *rows;
};

static flow_step ask_events;
static void peek_end(struct flow *, enum err);

static const struct step peek_steps[] = {
	STEP(api_authenticate), /* still? keys and tokens end */
	STEP(ask_events),
	STEP_LAST,
};

static const struct flow_def peek_flow = {
	.name = "peek",
	.size = sizeof(struct peek),
	.steps = peek_steps,
	.end = peek_end,
};

static enum flow_next
ask_events(struct flow *f)
{
	struct peek *p = (struct peek *)f;
	const struct events *e = p->stream;

	p->rows = tasks_events(
	    api_app(&e->call)->pg, &e->id, &e->call.caller.user_id, e->after);
	return pg_run(p->rows, f);
}

/* A database that is away is not the end of a stream: it will be back, and a
 * client that came again would find the same. */
static void
peek_end(struct flow *f, enum err err)
{
	struct peek *p = (struct peek *)f;
	struct events *e = p->stream;

	if (e == NULL)
		return;
	e->peek = NULL;
	if (err == OK && pg_rows(p->rows) > 0)
		take_events(e, p->rows);
	e->refused = err == ERR_UNAUTHORIZED || err == ERR_FORBIDDEN;
	/* What was settled meanwhile may have come too late for this look. */
	if (e->final || e->again || e->behind || e->refused)
		signal_raise(&e->waiter.settled);
	e->again = false;
}

/* ---- steps ---- */

/* A stream that resumes after the last event of a final task has nothing to
 * wait for: 204 tells a browser not to come again. */
static bool
nothing_will_come(struct events *e)
{
	struct task_row row;

	if (pg_rows(e->events) > 0)
		return false;
	tasks_row(e->task, 0, true, &row);
	e->final = task_status_is_final(row.status);
	return e->final;
}

enum flow_next
stream_join(struct flow *f)
{
	struct events *e = (struct events *)f;
	struct http_req *req = e->call.http.req;

	if (!waiter_join(
		api_waiters(api_app(&e->call)), &e->waiter, f->loop, &e->id))
		return flow_check(f, ERR_OVERLOADED);
	if (nothing_will_come(e))
		return FLOW_END;
	e->shown = api_shown(&e->call);
	http_add_header(req, "Vary", "Accept");
	e->stream = http_stream_begin(req, TYPE, &e->waiter.settled);
	e->told_us = e->taken_us = clock_mono_us();
	tell(e, span_of("retry: 1000\n\n"));
	take_events(e, e->events);
	return flow_goto(f, e->final ? stream_look : stream_wait);
}

/* Does it read? */
static bool
is_heard(struct events *e)
{
	int64_t patience_ms = api_app(&e->call)->conf->stream_patience_ms;
	int64_t now = clock_mono_us();

	if (http_stream_pending(e->stream) < PENDING_MAX)
		e->taken_us = now;
	return now - e->taken_us <= patience_ms * US_PER_MS;
}

static void
begin_look(struct events *e, struct loop *loop)
{
	struct flow *peek = flow_new(loop, &peek_flow);

	e->peek = (struct peek *)peek;
	e->peek->stream = e;
	e->peek->call.http.req = e->call.http.req;
	e->peek->call.http.ctx = e->call.http.ctx;
	e->peek->call.shown = e->shown;
	flow_go(peek);
}

enum flow_next
stream_look(struct flow *f)
{
	struct events *e = (struct events *)f;

	if (e->final || e->refused || http_stream_is_over(e->stream) ||
	    !is_heard(e) || !waiter_may_wait(&e->waiter))
		return FLOW_END;
	write_heartbeat(e);
	if (e->peek != NULL)
		e->again = true;
	else if (http_stream_pending(e->stream) >= PENDING_MAX)
		e->pause_ms = FULL_MS;
	else
		begin_look(e, f->loop);
	return FLOW_NEXT;
}

enum flow_next
stream_wait(struct flow *f)
{
	struct events *e = (struct events *)f;

	int64_t ms = e->pause_ms;

	if (!e->behind && e->pause_ms < LOOK_MAX_MS)
		e->pause_ms += e->pause_ms / 4;
	flow_then(f, stream_look);
	return waiter_wait(f, &e->waiter, ms);
}

void
stream_end(struct events *e, enum err err)
{
	if (e->peek != NULL) {
		e->peek->stream = NULL;
		flow_abort(&e->peek->call.http.flow, ERR_SHUTDOWN);
	}
	if (err == OK && e->final)
		tell(e, span_of("event: end\ndata: {}\n\n"));
	http_stream_end(e->stream);
	waiter_leave(&e->waiter); /* which wakes us */
}
