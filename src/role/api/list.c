/*
 * GET /tasks: the caller's tasks, newest first, page by page, up and down.
 *
 * A page says where the next one and the one before it begin: beyond its last
 * and its first id. Ids sort by their making, so tasks that come in meanwhile
 * are above all pages, and paging neither repeats nor misses one of the others.
 */
#include <stdio.h>

#include "api.h"
#include "call.h"
#include "doc.h"
#include "charge.h"
#include "cursor.h"
#include "listing.h"
#include "render.h"
#include "task/token.h"

struct list {
	struct api_call call;
	uint8_t secret[32]; /* of cursors */
	struct listing want;
	struct pg_call *rows;
	/* The page, once it is read. */
	int n;
	bool has_next, has_prev;
	struct id next, prev; /* beyond these */
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

static struct span
secret_of(const struct list *l)
{
	return (struct span){ (const char *)l->secret, sizeof(l->secret) };
}

static enum flow_next
parse_query(struct flow *f)
{
	struct list *l = (struct list *)f;
	struct api_call *c = &l->call;

	l->want.filter.user = c->caller.user_id;
	/* There may be no jwt_secret, but a key that signs there is. */
	token_derive(api_tokens(api_app(c)), "cursors", l->secret);
	return flow_check(f,
	    listing_parse(
		c->http.req, secret_of(l), &f->arena, &l->want, &c->fault));
}

/* One more than asked for tells whether there is another page. */
static enum flow_next
read_tasks(struct flow *f)
{
	struct list *l = (struct list *)f;

	l->rows = tasks_list(api_app(&l->call)->pg, &l->want.filter, l->want.up,
	    l->want.limit + 1);
	return pg_run(l->rows, f);
}

/* ---- the page ---- */
static void
id_of(const struct list *l, int row, struct id *ret)
{
	struct task_row t;

	tasks_row(l->rows, row, false, &t);
	*ret = t.id;
}

/* The neighbour of an id, so that "beyond" it includes the id itself. */
static struct id
id_beside(struct id id, bool up)
{
	for (int i = (int)sizeof(id.b) - 1; i >= 0; i--) {
		id.b[i] = (uint8_t)(id.b[i] + (up ? 1 : -1));
		if (id.b[i] != (up ? 0 : 0xff))
			break;
	}
	return id;
}

/* Behind us is the page that we came from; before us, if there is one more row,
 * or not all was looked at. */
static void
look_around(struct list *l)
{
	bool up = l->want.up, came = l->want.has_cursor, more, stopped;
	struct id last, first, end;

	stopped = tasks_list_end(l->rows, &end);
	l->n = pg_rows(l->rows) - stopped;
	more = l->n > l->want.limit;
	l->n -= more;
	if (l->n > 0) {
		id_of(l, 0, &first);
		id_of(l, l->n - 1, &last);
	} else {
		first = last = id_beside(l->want.cursor.id, !up);
	}
	/* Nothing found: back is the way we came, its last task included. */
	if (l->n == 0)
		first = id_beside(l->want.cursor.id, up);
	if (stopped)
		last = end;
	l->has_next = up ? came : more || stopped;
	l->has_prev = up ? more || stopped : came;
	l->next = up ? first : last;
	l->prev = up ? last : first;
}

static void
make_cursor(const struct list *l, bool up, const struct id *id, char *ret)
{
	const struct cursor c = { up, *id };

	cursor_format(&c, secret_of(l), l->want.list, ret);
}

static void
add_links(struct list *l, const char *next, const char *prev)
{
	struct http_req *req = l->call.http.req;
	struct buf link;

	if (next == NULL && prev == NULL)
		return;
	buf_init(&link, 16384);
	if (next != NULL)
		listing_link(&l->want, next, "next", &link);
	if (next != NULL && prev != NULL)
		buf_adds(&link, ", ");
	if (prev != NULL)
		listing_link(&l->want, prev, "prev", &link);
	http_add_header(req, "Link", link.data);
	buf_fini(&link);
}

static void
write_page(struct list *l, struct jsn_w *w, const char *next, const char *prev)
{
	struct task_row row;
	int i;

	jsn_w_open(w, '{');
	jsn_w_key(w, "items");
	jsn_w_open(w, '[');
	for (i = 0; i < l->n; i++) {
		tasks_row(l->rows, l->want.up ? l->n - 1 - i : i, false, &row);
		render_task(w, &row, false);
	}
	jsn_w_close(w, ']');
	jsn_w_key(w, "next_cursor");
	jsn_w_strz(w, next);
	jsn_w_key(w, "prev_cursor");
	jsn_w_strz(w, prev);
	jsn_w_close(w, '}');
}

static void
list_end(struct flow *f, enum err err)
{
	struct list *l = (struct list *)f;
	char next[CURSOR_SIZE], prev[CURSOR_SIZE];
	struct buf body;
	struct jsn_w w;

	if (err != OK) {
		api_refuse(&l->call, err);
		return;
	}
	look_around(l);
	if (l->has_next)
		make_cursor(l, false, &l->next, next);
	if (l->has_prev)
		make_cursor(l, true, &l->prev, prev);
	add_links(l, l->has_next ? next : NULL, l->has_prev ? prev : NULL);
	api_body_init(&body);
	jsn_w_init(&w, &body);
	write_page(l, &w, l->has_next ? next : NULL, l->has_prev ? prev : NULL);
	api_reply(&l->call, 200, &body);
}
