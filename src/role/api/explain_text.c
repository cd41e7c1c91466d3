#include <stdio.h>

#include "base/clock.h"
#include "explain.h"
#include "task/queue.h"

#define MEMBERS_MAX 32
#define NAMES_MAX 10000
#define TEXT_SIZE 480

/* ---- workers ---- */

/* An older worker does not say what it does: it may do everything. */
static bool
names(const struct jsn_member *m, size_t n, const char *member,
    const char *wanted, struct arena *a)
{
	const struct jsn_value *v = jsn_find(m, n, member);
	struct jsn_value *list;
	struct fault fault;
	size_t i, len, nlist;
	char *s;

	if (v == NULL ||
	    jsn_array(v->text, a, NAMES_MAX, &list, &nlist, &fault) != OK)
		return true;
	for (i = 0; i < nlist; i++)
		if (jsn_get_str(&list[i], a, TASK_NAME_MAX, &s, &len) &&
		    strcmp(s, wanted) == 0)
			return true;
	return false;
}

void
explain_beat(struct situation *s, struct span json, struct arena *a)
{
	struct jsn_member m[MEMBERS_MAX];
	struct fault fault;
	size_t n = 0;

	s->alive++;
	if (jsn_object(json, m, MEMBERS_MAX, &n, &fault) != OK)
		n = 0;
	if (!names(m, n, "queues", s->queue, a))
		return;
	s->serving++;
	if (names(m, n, "types", s->type, a))
		s->able++;
}

/* ---- reasons ---- */
static const char *
time_text(int64_t us, char buf[TIME_TEXT_SIZE])
{
	time_format(us, buf);
	return buf;
}

static const char *
worker_text(const struct situation *s, char buf[ID_TEXT_SIZE])
{
	id_format(&s->task.worker, buf);
	return buf;
}

/* A reason, and its text. */
static const char *
say_queued(const struct situation *s, char *text)
{
	if (s->workers_known && s->alive == 0) {
		snprintf(text, TEXT_SIZE, "no worker is alive");
		return "no_worker";
	}
	if (s->workers_known && s->serving == 0) {
		snprintf(text, TEXT_SIZE,
		    "%lld workers are alive, and none of them serves the "
		    "queue \"%s\"",
		    (long long)s->alive, s->queue);
		return "no_worker_for_queue";
	}
	if (s->workers_known && s->able == 0) {
		snprintf(text, TEXT_SIZE,
		    "none of the %lld workers that serve its queue has a "
		    "handler for the type \"%s\": it will fail",
		    (long long)s->serving, s->type);
		return "no_handler";
	}
	if (!s->list_known) {
		snprintf(text, TEXT_SIZE,
		    "it is ready; its place in the list is not known, since "
		    "redis-%s does not answer",
		    task_priority_name(s->task.priority));
		return "queued";
	}
	if (s->in_list) {
		snprintf(text, TEXT_SIZE,
		    "it is ready; %lld tasks are ahead of it in the %s list "
		    "of the queue \"%s\"%s",
		    (long long)s->ahead, task_priority_name(s->task.priority),
		    s->queue,
		    s->task.priority == PRIORITY_LOW
			? ", and most of the time those of high priority"
			: "");
		return "waiting";
	}
	if (s->length > QUEUE_SEARCH_MAX) {
		snprintf(text, TEXT_SIZE,
		    "it is ready; at least %d tasks are ahead of it, of %lld "
		    "in its list",
		    QUEUE_SEARCH_MAX, (long long)s->length);
		return "waiting";
	}
	snprintf(text, TEXT_SIZE,
	    "it is ready, and in no list: a worker has just taken it, or the "
	    "leader will soon find that it must be pushed again");
	return "between";
}

static const char *
say_running(const struct situation *s, char *text)
{
	char at[TIME_TEXT_SIZE], worker[ID_TEXT_SIZE];

	if (s->wished_us != 0) {
		snprintf(text, TEXT_SIZE,
		    "its cancellation was asked at %s; the worker %s is "
		    "stopping it",
		    time_text(s->wished_us, at), worker_text(s, worker));
		return "cancelling";
	}
	snprintf(text, TEXT_SIZE, "the worker %s runs attempt %lld since %s",
	    worker_text(s, worker), (long long)s->task.attempt,
	    time_text(s->task.started_us, at));
	return "running";
}

static const char *
say(const struct situation *s, char *text)
{
	char at[TIME_TEXT_SIZE];

	switch (s->task.status) {
	case TASK_PENDING:
		snprintf(text, TEXT_SIZE, "it is not due until %s",
		    time_text(s->task.due_us, at));
		return "not_due";
	case TASK_RETRYING:
		snprintf(text, TEXT_SIZE,
		    "attempt %lld has ended (its error says why); it is tried "
		    "again at %s",
		    (long long)s->task.attempt, time_text(s->task.due_us, at));
		return "retrying";
	case TASK_QUEUED:
		return say_queued(s, text);
	case TASK_IN_PROGRESS:
		return say_running(s, text);
	default:
		snprintf(text, TEXT_SIZE, "it is %s since %s",
		    task_status_name(s->task.status),
		    time_text(s->task.finished_us, at));
		return "final";
	}
}

/* ---- the answer ---- */
static void
put_text(struct jsn_w *w, const char *name, const char *text)
{
	jsn_w_key(w, name);
	jsn_w_strz(w, text);
}

static void
put_int(struct jsn_w *w, const char *name, bool known, int64_t v)
{
	jsn_w_key(w, name);
	if (known)
		jsn_w_int(w, v);
	else
		jsn_w_null(w);
}

static void
put_time(struct jsn_w *w, const char *name, int64_t us)
{
	jsn_w_key(w, name);
	if (us != 0)
		jsn_w_time(w, us);
	else
		jsn_w_null(w);
}

static void
put_list(struct jsn_w *w, const struct situation *s)
{
	jsn_w_key(w, "list");
	jsn_w_open(w, '{');
	put_text(w, "queue", s->queue);
	put_text(w, "priority", task_priority_name(s->task.priority));
	put_int(w, "length", s->list_known, s->length);
	put_int(w, "ahead", s->in_list, s->ahead);
	jsn_w_close(w, '}');
	jsn_w_key(w, "workers");
	jsn_w_open(w, '{');
	put_int(w, "alive", s->workers_known, s->alive);
	put_int(w, "serve_queue", s->workers_known, s->serving);
	put_int(w, "have_handler", s->workers_known, s->able);
	jsn_w_close(w, '}');
}

void
explain_write(struct jsn_w *w, const struct situation *s)
{
	const struct task_row *t = &s->task;
	char text[TEXT_SIZE], id[ID_TEXT_SIZE];
	const char *reason = say(s, text);

	id_format(&t->id, id);
	jsn_w_open(w, '{');
	put_text(w, "id", id);
	put_text(w, "status", task_status_name(t->status));
	put_text(w, "reason", reason);
	put_text(w, "text", text);
	put_int(w, "attempt", true, t->attempt);
	put_time(w, "due_at", t->due_us);
	put_time(w, "queued_at", t->queued_us);
	put_time(w, "started_at", t->started_us);
	put_time(w, "finished_at", t->finished_us);
	put_time(w, "cancel_requested_at", s->wished_us);
	id_format(&t->worker, id);
	put_text(w, "worker", id_is_zero(&t->worker) ? NULL : id);
	jsn_w_key(w, "error");
	if (t->error.p != NULL)
		jsn_w_str(w, t->error.p, t->error.len);
	else
		jsn_w_null(w);
	if (t->status == TASK_QUEUED)
		put_list(w, s);
	jsn_w_close(w, '}');
}
