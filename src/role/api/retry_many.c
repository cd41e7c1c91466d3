/*
 * POST /tasks/retry: those of the caller's FAILED or CANCELLED tasks that match
 * a filter, newest first. A request looks at a bounded number of tasks and
 * retries a bounded number, all of them in one transaction; it says whether
 * there may be more, and from where to go on.
 */
#include "accept.h"
#include "act.h"
#include "api.h"
#include "charge.h"
#include "base/clock.h"
#include "doc.h"

#define LIMIT_MAX 1000
#define LOOK_MAX 20000
/* A dry run shows so many ids. */
#define SHOWN_MAX 20

struct retry_many {
	struct api_call call;
	struct retry_filter filter;
	int64_t limit;
	bool dry_run;
	struct pg_call *find, *retry;
	struct id *ids;
	size_t nids, nretried;
	bool has_more;
	struct id last; /* up to this one all was looked at */
};

static flow_step parse_filter, find_tasks, note_found, write_retries,
    note_retries;
static void retry_many_end(struct flow *, enum err);

static const struct step retry_many_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(parse_filter),
	STEP(find_tasks),
	STEP(note_found), /* a dry run ends here */
	STEP(write_retries),
	STEP(note_retries),
	STEP_LAST,
};

const struct flow_def retry_many_flow = {
	.name = "retry_many",
	.size = sizeof(struct retry_many),
	.steps = retry_many_steps,
	.end = retry_many_end,
};

/* ---- the filter ---- */
static bool
take_status(void *to, const struct jsn_value *v, struct arena *a)
{
	struct retry_filter *f = &((struct retry_many *)to)->filter;
	const char *name;

	if (!input_str(v, 1, 16, a, &name))
		return false;
	f->status = task_status_parse(name);
	return f->status == TASK_FAILED || f->status == TASK_CANCELLED;
}

static bool
take_name(const struct jsn_value *v, struct arena *a, const char **ret)
{
	return input_str(v, 1, TASK_NAME_MAX, a, ret) &&
	    task_name_ok(*ret, strlen(*ret));
}

static bool
take_type(void *to, const struct jsn_value *v, struct arena *a)
{
	return take_name(v, a, &((struct retry_many *)to)->filter.type);
}

static bool
take_queue(void *to, const struct jsn_value *v, struct arena *a)
{
	return take_name(v, a, &((struct retry_many *)to)->filter.queue);
}

static bool
take_priority(void *to, const struct jsn_value *v, struct arena *a)
{
	struct retry_filter *f = &((struct retry_many *)to)->filter;
	const char *name;

	f->has_priority = true;
	return input_str(v, 1, 8, a, &name) &&
	    task_priority_parse(name, &f->priority);
}

/* 0 stands for none, and before 1970 there was nothing. */
static bool
take_time(const struct jsn_value *v, struct arena *a, int64_t *ret)
{
	const char *text;

	if (!input_str(v, 1, 64, a, &text) ||
	    !time_parse(text, strlen(text), ret))
		return false;
	if (*ret < 1)
		*ret = 1;
	return true;
}

static bool
take_after(void *to, const struct jsn_value *v, struct arena *a)
{
	return take_time(v, a, &((struct retry_many *)to)->filter.after_us);
}

static bool
take_before(void *to, const struct jsn_value *v, struct arena *a)
{
	return take_time(v, a, &((struct retry_many *)to)->filter.before_us);
}

static bool
take_limit(void *to, const struct jsn_value *v, struct arena *a)
{
	(void)a;
	return input_int(v, 1, LIMIT_MAX, &((struct retry_many *)to)->limit);
}

static bool
take_cursor(void *to, const struct jsn_value *v, struct arena *a)
{
	struct retry_filter *f = &((struct retry_many *)to)->filter;
	const char *text;

	f->has_below = true;
	return input_str(v, ID_TEXT_LEN, ID_TEXT_LEN, a, &text) &&
	    id_parse(text, ID_TEXT_LEN, &f->below);
}

static bool
take_dry_run(void *to, const struct jsn_value *v, struct arena *a)
{
	(void)a;
	return jsn_get_bool(v, &((struct retry_many *)to)->dry_run);
}

#define A_NAME "a name of 1 to 64 characters A-Z a-z 0-9 _ . -"
#define A_TIME "a time as RFC 3339 has it, such as \"2026-01-02T03:04:05Z\""
static const struct input_member members[] = {
	{ .name = "status",
	    .allowed = "\"FAILED\" or \"CANCELLED\"",
	    .schema = "{\"type\":\"string\","
		      "\"enum\":[\"FAILED\",\"CANCELLED\"]}",
	    .take = take_status },
	{ .name = "type",
	    .allowed = A_NAME,
	    .schema = S_NAME,
	    .take = take_type },
	{ .name = "queue",
	    .allowed = A_NAME,
	    .schema = S_NAME,
	    .take = take_queue },
	{ .name = "priority",
	    .allowed = "\"low\" or \"high\"",
	    .schema = "{\"type\":\"string\",\"enum\":[\"high\",\"low\"]}",
	    .take = take_priority },
	{ .name = "created_after",
	    .allowed = A_TIME,
	    .schema = S_TIME,
	    .take = take_after },
	{ .name = "created_before",
	    .allowed = A_TIME,
	    .schema = S_TIME,
	    .take = take_before },
	{ .name = "limit",
	    .allowed = "an integer from 1 to 1000",
	    .schema = "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}",
	    .take = take_limit },
	{ .name = "cursor",
	    .allowed = "the next_cursor of another answer",
	    .schema = S_ID,
	    .take = take_cursor },
	{ .name = "dry_run",
	    .allowed = "true or false",
	    .schema = S_BOOL,
	    .take = take_dry_run },
};

const struct input_table retry_input = { members, NELEM(members) };

static enum flow_next
parse_filter(struct flow *f)
{
	struct retry_many *k = (struct retry_many *)f;
	struct http_req *req = k->call.http.req;
	enum err err = http_expect_json(req, &k->call.fault);

	k->filter.status = TASK_FAILED;
	k->limit = LIMIT_MAX;
	if (err == OK)
		err = input_parse(http_body(req), members, NELEM(members), k,
		    &f->arena, &k->call.fault);
	return flow_check(f, err);
}

/* ---- finding ---- */

/* One more than asked for tells whether there are more. */
static enum flow_next
find_tasks(struct flow *f)
{
	struct retry_many *k = (struct retry_many *)f;

	k->find = tasks_find_failed(api_app(&k->call)->pg,
	    &k->call.caller.user_id, &k->filter, LOOK_MAX, k->limit + 1);
	return pg_run(k->find, f);
}

static enum flow_next
note_found(struct flow *f)
{
	struct retry_many *k = (struct retry_many *)f;
	int row, n = pg_rows(k->find);
	int64_t looked = 0;
	struct id id;

	k->ids = arena_alloc(&f->arena, ((size_t)n + 1) * sizeof(*k->ids));
	for (row = 0; row < n; row++) {
		if (!tasks_found(k->find, row, &id, &looked))
			k->last = id;
		else
			k->ids[k->nids++] = id;
	}
	k->has_more = looked == LOOK_MAX;
	if (k->nids > (size_t)k->limit) {
		k->nids = (size_t)k->limit;
		k->last = k->ids[k->nids - 1];
		k->has_more = true;
	}
	return k->dry_run || k->nids == 0 ? FLOW_END : FLOW_NEXT;
}

static enum flow_next
write_retries(struct flow *f)
{
	struct retry_many *k = (struct retry_many *)f;

	k->retry = tasks_retry(api_app(&k->call)->pg, k->ids, k->nids,
	    &k->call.caller.user_id, act_actor(&k->call));
	return pg_run(k->retry, f);
}

/* Some may have been retried or deleted by somebody else meanwhile. */
static enum flow_next
note_retries(struct flow *f)
{
	struct retry_many *k = (struct retry_many *)f;
	struct task_acted acted;
	int row;

	for (row = 0; row < pg_rows(k->retry); row++)
		if (tasks_retried(k->retry, row, &acted) && acted.done)
			k->ids[k->nretried++] =
			    k->ids[pg_row_input(k->retry, row)];
	accept_tell_scheduler(&k->call);
	return FLOW_END;
}

/* ---- the answer ---- */
static void
write_ids(struct jsn_w *w, const struct id *ids, size_t n)
{
	char text[ID_TEXT_SIZE];
	size_t i;

	jsn_w_key(w, "ids");
	jsn_w_open(w, '[');
	for (i = 0; i < n; i++) {
		id_format(&ids[i], text);
		jsn_w_strz(w, text);
	}
	jsn_w_close(w, ']');
}

static void
retry_many_end(struct flow *f, enum err err)
{
	struct retry_many *k = (struct retry_many *)f;
	size_t n = k->dry_run ? k->nids : k->nretried;
	char cursor[ID_TEXT_SIZE];
	struct buf body;
	struct jsn_w w;

	if (err != OK) {
		api_refuse(&k->call, err);
		return;
	}
	id_format(&k->last, cursor);
	api_body_init(&body);
	jsn_w_init(&w, &body);
	jsn_w_open(&w, '{');
	jsn_w_key(&w, "dry_run");
	jsn_w_bool(&w, k->dry_run);
	jsn_w_key(&w, k->dry_run ? "matched" : "retried");
	jsn_w_int(&w, (int64_t)n);
	write_ids(&w, k->ids, k->dry_run && n > SHOWN_MAX ? SHOWN_MAX : n);
	jsn_w_key(&w, "has_more");
	jsn_w_bool(&w, k->has_more);
	jsn_w_key(&w, "next_cursor");
	jsn_w_strz(&w, k->has_more ? cursor : NULL);
	jsn_w_close(&w, '}');
	api_reply(&k->call, 200, &body);
}
