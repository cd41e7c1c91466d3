#include <stdlib.h>

#include "base/clock.h"
#include "doc.h"
#include "listing.h"
#include "task/keyed.h"

/* Ids are made by the clock of an API process and created_at by that of the
 * database: they are not further apart than this. */
#define CLOCKS_APART_MS (3600LL * 1000)
#define QUERY_MAX 8192

/* ---- parameters ---- */
static bool
take_statuses(void *to, const char *text)
{
	struct listing *l = to;
	enum task_status status;
	char name[16];
	size_t n;

	for (;; text += n + 1) {
		n = strcspn(text, ",");
		if (n >= sizeof(name))
			return false;
		memcpy(name, text, n);
		name[n] = '\0';
		status = task_status_parse(name);
		if (status == 0)
			return false;
		l->filter.statuses |= 1U << status;
		if (text[n] == '\0')
			return true;
	}
}

static bool
take_type(void *to, const char *text)
{
	struct listing *l = to;

	l->filter.type = text;
	return task_name_ok(text, strlen(text));
}

static bool
take_queue(void *to, const char *text)
{
	struct listing *l = to;

	l->filter.queue = text;
	return task_name_ok(text, strlen(text));
}

static bool
take_priority(void *to, const char *text)
{
	struct listing *l = to;

	l->filter.has_priority = true;
	return task_priority_parse(text, &l->filter.priority);
}

static bool
take_after(void *to, const char *text)
{
	struct listing *l = to;

	return time_parse(text, strlen(text), &l->filter.after_us);
}

static bool
take_before(void *to, const char *text)
{
	struct listing *l = to;
	int64_t *at = &l->filter.before_us;

	if (!time_parse(text, strlen(text), at))
		return false;
	if (*at == 0)
		*at = 1; /* 0 is no time, and nothing is that old */
	return true;
}

static bool
take_unique_key(void *to, const char *text)
{
	struct listing *l = to;

	l->filter.unique_key = text;
	return unique_key_ok(text);
}

static bool
take_limit(void *to, const char *text)
{
	struct listing *l = to;
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 9 || text[n] != '\0')
		return false;
	l->limit = strtoll(text, NULL, 10);
	return l->limit >= 1 && l->limit <= LISTING_LIMIT_MAX;
}

#define A_NAME "1 to 64 of A-Z a-z 0-9 _ . -"
#define A_TIME "a time as RFC 3339 has it, such as 2026-01-02T03:04:05Z"
#define A_CURSOR "next_cursor or prev_cursor of a page with the same filters"

#define S_STATUSES \
	"(PENDING|QUEUED|IN_PROGRESS|RETRYING|COMPLETED|FAILED|CANCELLED)"

/* The filters come first, up to limit. */
static const struct query_param params[] = {
	{ "status",
	    "one or more, with commas, of PENDING, QUEUED, IN_PROGRESS, "
	    "RETRYING, COMPLETED, FAILED and CANCELLED",
	    "{\"type\":\"string\",\"pattern\":\"^" S_STATUSES "(," S_STATUSES
	    ")*$\"}",
	    take_statuses },
	{ "type", A_NAME, S_NAME, take_type },
	{ "priority", "high or low",
	    "{\"type\":\"string\",\"enum\":[\"high\",\"low\"]}",
	    take_priority },
	{ "queue", A_NAME, S_NAME, take_queue },
	{ "created_after", A_TIME, S_TIME, take_after },
	{ "created_before", A_TIME, S_TIME, take_before },
	{ "unique_key", "1 to 200 characters",
	    "{\"type\":\"string\",\"minLength\":1,\"maxLength\":200}",
	    take_unique_key },
	{ "limit", "an integer from 1 to 500",
	    "{\"type\":\"integer\",\"minimum\":1,\"maximum\":500}",
	    take_limit },
	/* Good for the same filters, so that it comes after them. */
	{ "cursor", A_CURSOR, S_STR, NULL },
};
#define NFILTERS (NELEM(params) - 2)

const struct query_table list_query = { params, NELEM(params) };

/* RFC 3986: what is not unreserved is escaped. */
static void
add_param(struct buf *b, const char *name, const char *value)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
				    "pqrstuvwxyz0123456789-._~";

	buf_addf(b, "&%s=", name);
	for (; *value != '\0'; value++)
		if (strchr(plain, *value) != NULL)
			buf_addc(b, *value);
		else
			buf_addf(b, "%%%02X", (unsigned char)*value);
}

static enum err
take_param(const struct http_req *req, const struct query_param *p,
    struct listing *l, struct buf *query, struct fault *fault)
{
	const char *text = NULL;
	enum err err = query_take(req, p, l, &text, fault);

	if (err == OK && text != NULL && p < params + NFILTERS)
		add_param(query, p->name, text);
	return err;
}

/* ---- ranges ---- */
static enum err
take_cursor(struct http_req *req, struct span secret, struct listing *l,
    struct fault *fault)
{
	bool many = false;
	const char *text = http_query(req, "cursor", &many);

	if (text == NULL)
		return OK;
	l->has_cursor =
	    !many && cursor_parse(text, secret, l->list, &l->cursor);
	if (!l->has_cursor)
		return fault_set(fault, ERR_INVALID, "",
		    "cursor is \"%.60s\", which is not of this list; allowed "
		    "is " A_CURSOR ", once and unchanged",
		    text);
	l->up = l->cursor.up;
	return OK;
}

static int64_t
floor_ms(int64_t ms)
{
	return ms < 0 ? 0 : ms;
}

/* The smaller the range, the less is looked at. */
static void
narrow(struct listing *l)
{
	struct task_filter *t = &l->filter;
	const struct id *at = &l->cursor.id;

	if (t->after_us != 0)
		id_floor(floor_ms(t->after_us / US_PER_MS - CLOCKS_APART_MS),
		    &t->above);
	if (t->before_us != 0)
		id_floor(floor_ms(t->before_us / US_PER_MS + CLOCKS_APART_MS),
		    &t->below);
	if (l->has_cursor && l->up && id_cmp(at, &t->above) > 0)
		t->above = *at;
	if (l->has_cursor && !l->up &&
	    (id_is_zero(&t->below) || id_cmp(at, &t->below) < 0))
		t->below = *at;
}

/* ---- all of it ---- */
static void
name_list(struct listing *l, const struct buf *query, struct arena *a)
{
	const struct id *user = &l->filter.user;
	char *p = arena_alloc(a, sizeof(user->b) + query->len + 1);

	memcpy(p, user->b, sizeof(user->b));
	memcpy(p + sizeof(user->b), buf_span(query).p, query->len);
	l->list = (struct span){ p, sizeof(user->b) + query->len };
	l->query = (struct span){ p + sizeof(user->b), query->len };
}

enum err
listing_parse(struct http_req *req, struct span secret, struct arena *a,
    struct listing *l, struct fault *fault)
{
	enum err err = query_known(req, &list_query, fault);
	struct buf query;

	l->limit = LISTING_LIMIT;
	buf_init(&query, QUERY_MAX);
	for (size_t i = 0; i < NELEM(params) && err == OK; i++)
		if (params[i].take != NULL)
			err = take_param(req, &params[i], l, &query, fault);
	name_list(l, &query, a);
	buf_fini(&query);
	if (err == OK)
		err = take_cursor(req, secret, l, fault);
	if (err == OK)
		narrow(l);
	return err;
}

void
listing_link(
    const struct listing *l, const char *cursor, const char *rel, struct buf *b)
{
	buf_addf(b, "</tasks?limit=%lld", (long long)l->limit);
	buf_add(b, l->query.p, l->query.len);
	buf_addf(b, "&cursor=%s>; rel=\"%s\"", cursor, rel);
}
