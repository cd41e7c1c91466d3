#include <stdio.h>

#include "render.h"

/* ---- members that may be null ---- */
static void
put_text(struct jsn_w *w, const char *name, struct span text)
{
	jsn_w_key(w, name);
	if (text.p == NULL)
		jsn_w_null(w);
	else
		jsn_w_str(w, text.p, text.len);
}

static void
put_json(struct jsn_w *w, const char *name, struct span json)
{
	jsn_w_key(w, name);
	if (json.p == NULL)
		jsn_w_null(w);
	else
		jsn_w_raw(w, json);
}

static void
put_id(struct jsn_w *w, const char *name, const struct id *id)
{
	char text[ID_TEXT_SIZE];

	jsn_w_key(w, name);
	if (id_is_zero(id)) {
		jsn_w_null(w);
		return;
	}
	id_format(id, text);
	jsn_w_str(w, text, ID_TEXT_LEN);
}

static void
put_time(struct jsn_w *w, const char *name, int64_t wall_us)
{
	jsn_w_key(w, name);
	if (wall_us == 0)
		jsn_w_null(w);
	else
		jsn_w_time(w, wall_us);
}

/* ---- members that never are ---- */
static void
put_str(struct jsn_w *w, const char *name, const char *s)
{
	jsn_w_key(w, name);
	jsn_w_strz(w, s);
}

static void
put_int(struct jsn_w *w, const char *name, int64_t v)
{
	jsn_w_key(w, name);
	jsn_w_int(w, v);
}

/* null: the task did not ask for a time. */
static void
put_timeout(struct jsn_w *w, const char *name, int64_t ms)
{
	if (ms > 0)
		put_int(w, name, ms / 1000);
	else
		put_json(w, name, span_of("null"));
}

void
render_task(struct jsn_w *w, const struct task_row *t, bool with_bodies)
{
	jsn_w_open(w, '{');
	put_id(w, "id", &t->id);
	put_text(w, "type", t->type);
	put_text(w, "queue", t->queue);
	put_str(w, "priority", task_priority_name(t->priority));
	put_str(w, "status", task_status_name(t->status));
	put_int(w, "attempt", t->attempt);
	put_int(w, "attempts_used", t->attempt - t->returned);
	put_int(w, "max_attempts", t->max_attempts);
	put_timeout(w, "timeout_seconds", t->timeout_ms);
	put_time(w, "created_at", t->created_us);
	put_time(w, "scheduled_at", t->scheduled_us);
	put_time(w, "due_at", t->due_us);
	put_time(w, "queued_at", t->queued_us);
	put_time(w, "started_at", t->started_us);
	put_time(w, "finished_at", t->finished_us);
	put_id(w, "worker", &t->worker);
	put_text(w, "error", t->error);
	put_text(w, "traceparent", t->traceparent);
	if (t->unique_key.p != NULL)
		put_text(w, "unique_key", t->unique_key);
	if (with_bodies) {
		put_json(w, "payload", t->payload);
		put_json(w, "result", t->result);
	}
	jsn_w_close(w, '}');
}

void
render_accepted(
    struct jsn_w *w, const struct task_draft *d, const struct task_accepted *a)
{
	jsn_w_open(w, '{');
	put_id(w, "id", &d->id);
	put_str(w, "status", task_status_name(a->status));
	put_str(w, "priority", task_priority_name(d->priority));
	put_str(w, "queue", d->queue);
	if (a->status == TASK_PENDING)
		put_time(w, "scheduled_at", a->scheduled_us);
	jsn_w_close(w, '}');
}

void
render_event(struct jsn_w *w, const struct task_event_row *e)
{
	jsn_w_open(w, '{');
	put_int(w, "seq", e->seq);
	put_time(w, "at", e->at_us);
	put_str(w, "event", task_event_name(e->event));
	put_str(w, "status", task_status_name(e->status));
	put_int(w, "attempt", e->attempt);
	put_id(w, "worker", &e->worker);
	put_text(w, "message", e->message);
	put_text(w, "request_id", e->request_id);
	jsn_w_close(w, '}');
}

/* Each transition changes the status or one of the times; what else a row has
 * changes together with them. FNV-1a. */
void
render_etag(const struct task_row *t, char ret[ETAG_SIZE])
{
	const int64_t parts[] = { t->status, t->attempt, t->returned, t->due_us,
		t->queued_us, t->started_us, t->finished_us };
	const unsigned char *p = (const unsigned char *)parts;
	uint64_t hash = 14695981039346656037ULL;
	size_t i;

	for (i = 0; i < sizeof(parts); i++)
		hash = (hash ^ p[i]) * 1099511628211ULL;
	snprintf(ret, ETAG_SIZE, "W/\"%016llx\"", (unsigned long long)hash);
}
