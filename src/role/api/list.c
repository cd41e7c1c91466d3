/*
 * GET /tasks: the caller's tasks, newest first, page by page.
 *
 * The cursor is the last id of a page and says only "below this one", among
 * the caller's own: a forged one harms nobody.
 */
#include <stdio.h>
#include <stdlib.h>

#include "api.h"
#include "call.h"
#include "doc.h"
#include "charge.h"
#include "render.h"

#define LIMIT_DEFAULT 50
#define LIMIT_MAX 200

struct list {
	struct api_call call;
	enum task_status status; /* 0: any */
	int64_t limit;
	bool has_below;
	struct id below;
	struct pg_call *rows;
};

static flow_step parse_query, read_tasks;
static void list_end(struct flow *, enum err);

static const struct step list_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(parse_query),
	STEP(read_tasks),
	STEP_LAST,
};

const struct flow_def list_flow = {
	.name = "list",
	.size = sizeof(struct list),
	.steps = list_steps,
	.end = list_end,
};

/* ---- the query ---- */
static bool
take_status(struct list *l, const char *text)
{
	l->status = task_status_parse(text);
	return l->status != 0;
}

static bool
take_limit(struct list *l, const char *text)
{
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 9 || text[n] != '\0')
		return false;
	l->limit = strtoll(text, NULL, 10);
	return l->limit >= 1 && l->limit <= LIMIT_MAX;
}

static bool
take_cursor(struct list *l, const char *text)
{
	l->has_below = true;
	return id_parse(text, strlen(text), &l->below);
}

static const struct {
	const char *name, *allowed;
	bool (*take)(struct list *, const char *);
} params[] = {
	{ "status",
	    "PENDING, QUEUED, IN_PROGRESS, RETRYING, COMPLETED, FAILED or "
	    "CANCELLED",
	    take_status },
	{ "limit", "an integer from 1 to 200", take_limit },
	{ "cursor", "the next_cursor of another page", take_cursor },
};
static const char *const known_params[] = { "status", "limit", "cursor", NULL };

const struct doc_param list_params[] = {
	{ "status", S_STR, "Only these." },
	{ "limit", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":200}",
	    "Of a page; 50 unless told." },
	{ "cursor", S_STR, "The next_cursor of another page." },
	{ NULL, NULL, NULL },
};

static enum err
parse_param(struct list *l, size_t i)
{
	bool many;
	const char *text = http_query(l->call.http.req, params[i].name, &many);

	if (text == NULL || (!many && params[i].take(l, text)))
		return OK;
	return fault_set(&l->call.fault, ERR_UNPROCESSABLE, "",
	    "%s is \"%.60s\"%s; allowed is %s, once", params[i].name, text,
	    many ? " and more" : "", params[i].allowed);
}

static enum flow_next
parse_query(struct flow *f)
{
	struct list *l = (struct list *)f;
	const char *unknown =
	    http_query_unknown(l->call.http.req, known_params);
	enum err err = OK;
	size_t i;

	l->limit = LIMIT_DEFAULT;
	if (unknown != NULL)
		err = fault_set(&l->call.fault, ERR_UNPROCESSABLE, "",
		    "the parameter \"%.60s\" is unknown; allowed are status, "
		    "limit and cursor",
		    unknown);
	for (i = 0; i < NELEM(params) && err == OK; i++)
		err = parse_param(l, i);
	return flow_check(f, err);
}

/* One more than asked for tells whether there is another page. */
static enum flow_next
read_tasks(struct flow *f)
{
	struct list *l = (struct list *)f;

	l->rows = tasks_list(api_app(&l->call)->pg, &l->call.caller.user_id,
	    l->status, l->has_below ? &l->below : NULL, l->limit + 1);
	return pg_run(l->rows, f);
}

/* ---- the page ---- */
static void
add_link(struct list *l, const char *cursor)
{
	char text[160];

	snprintf(text, sizeof(text),
	    "</tasks?limit=%lld%s%s&cursor=%s>; rel=\"next\"",
	    (long long)l->limit, l->status != 0 ? "&status=" : "",
	    l->status != 0 ? task_status_name(l->status) : "", cursor);
	http_add_header(l->call.http.req, "Link", text);
}

static void
write_page(struct list *l, struct jsn_w *w, int n, const char *cursor)
{
	struct task_row row;
	int i;

	jsn_w_open(w, '{');
	jsn_w_key(w, "items");
	jsn_w_open(w, '[');
	for (i = 0; i < n; i++) {
		tasks_row(l->rows, i, false, &row);
		render_task(w, &row, false);
	}
	jsn_w_close(w, ']');
	jsn_w_key(w, "next_cursor");
	jsn_w_strz(w, cursor);
	jsn_w_close(w, '}');
}

static void
list_end(struct flow *f, enum err err)
{
	struct list *l = (struct list *)f;
	char cursor[ID_TEXT_SIZE];
	struct task_row last;
	bool has_more;
	struct buf body;
	struct jsn_w w;

	if (err != OK) {
		api_refuse(&l->call, err);
		return;
	}
	has_more = pg_rows(l->rows) > l->limit;
	if (has_more) {
		tasks_row(l->rows, (int)l->limit - 1, false, &last);
		id_format(&last.id, cursor);
		add_link(l, cursor);
	}
	api_body_init(&body);
	jsn_w_init(&w, &body);
	write_page(l, &w, has_more ? (int)l->limit : pg_rows(l->rows),
	    has_more ? cursor : NULL);
	api_reply(&l->call, 200, &body);
}
