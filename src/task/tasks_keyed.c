/* Tasks whose submit has a key. */
#include "task/keyed.h"

#include "base/utf8.h"
#include "sql.h"
#include "tasks_private.h"

static const struct pg_stmt insert_stmt = {
	.name = "task_insert_keyed",
	.sql = sql_query_task_insert_keyed,
	.class = PG_WRITE,
	.batched = true,
	.ncols = DRAFT_COLS + 7,
	.cols = { DRAFT_TYPES, PG_TEXT, PG_UUID, PG_INT4, PG_TEXT, PG_TEXT,
	    PG_INT8, PG_TEXT },
};
static const struct pg_stmt idempotency_stmt = {
	.name = "sweep_idempotency",
	.sql = sql_query_sweep_idempotency,
	.class = PG_WRITE,
	.ncols = 1,
	.cols = { PG_INT8 },
};
static const struct pg_stmt unique_stmt = {
	.name = "sweep_unique",
	.sql = sql_query_sweep_unique,
	.class = PG_WRITE,
	.ncols = 3,
	.cols = { PG_UUID, PG_TEXT, PG_INT8 },
};

bool
unique_key_ok(const char *key)
{
	size_t left = strlen(key), n, chars = 0;

	for (; left > 0 && chars <= UNIQUE_KEY_MAX; left -= n, key += n) {
		n = utf8_len(key, left);
		if (n == 0)
			return false;
		chars++;
	}
	return chars >= 1 && chars <= UNIQUE_KEY_MAX;
}

struct pg_call *
tasks_insert_keyed(struct pg *pg, const struct task_draft *d, size_t n,
    const struct task_request *r)
{
	struct pg_call *c = pg_call_new(pg, &insert_stmt);
	const struct id *request = &d->id;
	size_t i;

	for (i = 0; i < n; i++, d++) {
		tasks_put_draft(c, d);
		pg_put_str(c, d->unique_key);
		pg_put_uuid(c, request);
		pg_put_int(c, (int64_t)i + 1);
		pg_put_str(c, r->key);
		pg_put_str(c, i == 0 && r->key ? r->fingerprint : NULL);
		if (r->key != NULL)
			pg_put_int(c, r->ttl_ms);
		else
			pg_put_null(c);
		pg_put_str(c, d->request_id);
	}
	return c;
}

void
tasks_keyed(const struct pg_call *c, size_t i, struct task_keyed *ret)
{
	int row = (int)i;

	ret->verdict = (enum keyed_verdict)pg_int(c, row, 0);
	ret->replayed = pg_int(c, row, 1) != 0;
	pg_uuid(c, row, 2, &ret->id);
	ret->accepted.status = (enum task_status)pg_int(c, row, 3);
	ret->accepted.created_us = pg_time(c, row, 4);
	ret->accepted.scheduled_us = pg_time(c, row, 5);
	ret->accepted.due_in_ms = pg_int(c, row, 6);
	ret->max_attempts = pg_int(c, row, 7);
	ret->traceparent = pg_span(c, row, 8);
}

bool
keyed_is_blocked(const struct pg_call *c)
{
	return strcmp(pg_call_sqlstate(c), "55P03") == 0;
}

/* ---- sweeping ---- */
struct pg_call *
keys_sweep_idempotency(struct pg *pg, int64_t limit)
{
	struct pg_call *c = pg_call_new(pg, &idempotency_stmt);

	pg_put_int(c, limit);
	return c;
}

int64_t
keys_swept_idempotency(const struct pg_call *c)
{
	return pg_int(c, 0, 0);
}

struct pg_call *
keys_sweep_unique(
    struct pg *pg, const struct id *user, struct span key, int64_t limit)
{
	struct pg_call *c = pg_call_new(pg, &unique_stmt);

	pg_put_uuid(c, user);
	pg_put_span(c, key);
	pg_put_int(c, limit);
	return c;
}

bool
keys_swept_unique(const struct pg_call *c, struct id *ret_user,
    struct span *ret_key, int64_t *ret_gone)
{
	if (pg_rows(c) == 0)
		return false;
	pg_uuid(c, 0, 0, ret_user);
	*ret_key = pg_span(c, 0, 1);
	*ret_gone = pg_int(c, 0, 2);
	return true;
}
