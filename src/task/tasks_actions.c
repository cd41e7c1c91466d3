/* The tasks in PostgreSQL: what their owners do to them. */
#include "sql.h"
#include "task/actions.h"

static const struct pg_stmt cancel_stmt = {
	.name = "task_cancel",
	.sql = sql_query_task_cancel,
	.class = PG_WRITE,
	.batched = true,
	.bounds = 1,
	.ncols = 4,
	.cols = { PG_UUID, PG_UUID, PG_TEXT, PG_TEXT },
};
static const struct pg_stmt retry_stmt = {
	.name = "task_retry",
	.sql = sql_query_task_retry,
	.class = PG_WRITE,
	.batched = true,
	.bounds = 1,
	.ncols = 4,
	.cols = { PG_UUID, PG_UUID, PG_TEXT, PG_TEXT },
};
static const struct pg_stmt delete_stmt = {
	.name = "task_delete",
	.sql = sql_query_task_delete,
	.class = PG_WRITE,
	.batched = true,
	.bounds = 1,
	.ncols = 2,
	.cols = { PG_UUID, PG_UUID },
};
static const struct pg_stmt wished_stmt = {
	.name = "task_wished",
	.sql = sql_query_task_wished,
	.class = PG_READ,
	.batched = true,
	.bounds = 1,
	.ncols = 3,
	.cols = { PG_UUID, PG_INT4, PG_UUID },
};
static const struct pg_stmt failed_of_stmt = {
	.name = "task_failed_of",
	.sql = sql_query_task_failed_of,
	.class = PG_READ,
	.ncols = 10,
	.cols = { PG_UUID, PG_INT2, PG_TEXT, PG_TEXT, PG_INT2, PG_TIME, PG_TIME,
	    PG_UUID, PG_INT8, PG_INT8 },
};
static const struct pg_stmt explain_stmt = {
	.name = "task_explain",
	.sql = sql_query_task_explain,
	.class = PG_READ,
	.ncols = 2,
	.cols = { PG_UUID, PG_UUID },
};

static struct pg_call *
call_on_ids(struct pg *pg, const struct pg_stmt *stmt, const struct id *ids,
    size_t n, const struct id *user, const struct task_actor *by)
{
	struct pg_call *c = pg_call_new(pg, stmt);
	size_t i;

	for (i = 0; i < n; i++) {
		pg_put_uuid(c, &ids[i]);
		pg_put_uuid(c, user);
		if (by == NULL)
			continue;
		pg_put_str(c, by->who);
		pg_put_str(c, by->request_id);
	}
	return c;
}

struct pg_call *
tasks_cancel(struct pg *pg, const struct id *ids, size_t n,
    const struct id *user, const struct task_actor *by)
{
	return call_on_ids(pg, &cancel_stmt, ids, n, user, by);
}

bool
tasks_cancelled(const struct pg_call *c, int row, struct task_acted *ret)
{
	if (row >= pg_rows(c))
		return false;
	*ret =
	    (struct task_acted){ .status = (enum task_status)pg_int(c, row, 0),
		    .done = pg_int(c, row, 1) != 0,
		    .queue = pg_span(c, row, 2),
		    .priority = (enum task_priority)pg_int(c, row, 3) };
	return true;
}

struct pg_call *
tasks_retry(struct pg *pg, const struct id *ids, size_t n,
    const struct id *user, const struct task_actor *by)
{
	return call_on_ids(pg, &retry_stmt, ids, n, user, by);
}

bool
tasks_retried(const struct pg_call *c, int row, struct task_acted *ret)
{
	if (row >= pg_rows(c))
		return false;
	*ret =
	    (struct task_acted){ .status = (enum task_status)pg_int(c, row, 0),
		    .done = pg_int(c, row, 1) != 0,
		    .due_in_ms = pg_int(c, row, 2) };
	return true;
}

struct pg_call *
tasks_delete(struct pg *pg, const struct id *id, const struct id *user)
{
	return call_on_ids(pg, &delete_stmt, id, 1, user, NULL);
}

bool
tasks_deleted(const struct pg_call *c, struct task_acted *ret)
{
	enum task_status was;

	if (pg_rows(c) == 0)
		return false;
	was = (enum task_status)pg_int(c, 0, 0);
	*ret = (struct task_acted){ .status = was,
		.done = task_status_is_final(was) };
	return true;
}

struct pg_call *
tasks_wished(struct pg *pg, const struct task_attempt *a, size_t n)
{
	struct pg_call *c = pg_call_new(pg, &wished_stmt);
	const struct task_attempt *end = a + n;

	for (; a < end; a++) {
		pg_put_uuid(c, &a->id);
		pg_put_int(c, a->attempt);
		pg_put_uuid(c, &a->worker);
	}
	return c;
}

static void
put_some_int(struct pg_call *c, bool given, int64_t v)
{
	if (given)
		pg_put_int(c, v);
	else
		pg_put_null(c);
}

static void
put_some_time(struct pg_call *c, int64_t us)
{
	if (us != 0)
		pg_put_time(c, us);
	else
		pg_put_null(c);
}

struct pg_call *
tasks_find_failed(struct pg *pg, const struct id *user,
    const struct retry_filter *f, int64_t look, int64_t limit)
{
	struct pg_call *c = pg_call_new(pg, &failed_of_stmt);
	struct id most;

	memset(&most, 0xff, sizeof(most));
	pg_put_uuid(c, user);
	put_some_int(c, f->status != 0, f->status);
	pg_put_str(c, f->type);
	pg_put_str(c, f->queue);
	put_some_int(c, f->has_priority, f->priority);
	put_some_time(c, f->after_us);
	put_some_time(c, f->before_us);
	pg_put_uuid(c, f->has_below ? &f->below : &most);
	pg_put_int(c, look);
	pg_put_int(c, limit);
	return c;
}

bool
tasks_found(
    const struct pg_call *c, int row, struct id *ret, int64_t *ret_looked)
{
	pg_uuid(c, row, 0, ret);
	*ret_looked = pg_int(c, row, 2);
	return !pg_is_null(c, row, 1);
}

struct pg_call *
tasks_explain(struct pg *pg, const struct id *id, const struct id *user)
{
	struct pg_call *c = pg_call_new(pg, &explain_stmt);

	pg_put_uuid(c, id);
	pg_put_uuid(c, user);
	return c;
}

void
tasks_explained(
    const struct pg_call *c, struct task_row *ret, int64_t *ret_wished_us)
{
	memset(ret, 0, sizeof(*ret));
	ret->type = pg_span(c, 0, 0);
	ret->queue = pg_span(c, 0, 1);
	ret->priority = (enum task_priority)pg_int(c, 0, 2);
	ret->status = (enum task_status)pg_int(c, 0, 3);
	ret->attempt = pg_int(c, 0, 4);
	ret->due_us = pg_time(c, 0, 5);
	ret->queued_us = pg_time(c, 0, 6);
	ret->started_us = pg_time(c, 0, 7);
	ret->finished_us = pg_time(c, 0, 8);
	pg_uuid(c, 0, 9, &ret->worker);
	ret->error = pg_span(c, 0, 10);
	*ret_wished_us = pg_time(c, 0, 11);
}
