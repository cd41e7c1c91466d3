/* The tasks in PostgreSQL: what is read for people. */
#include "sql.h"
#include "task/tasks.h"

static const struct pg_stmt get_stmt = {
	.name = "task_get",
	.sql = sql_query_task_get,
	.class = PG_READ,
	.batched = true,
	.bounds = 1,
	.ncols = 2,
	.cols = { PG_UUID, PG_UUID },
};
static const struct pg_stmt events_stmt = {
	.name = "task_events",
	.sql = sql_query_task_events,
	.class = PG_READ,
	.batched = true,
	.bounds = 1,
	.ncols = 3,
	.cols = { PG_UUID, PG_UUID, PG_INT8 },
};
static const struct pg_stmt settled_of_stmt = {
	.name = "task_settled_of",
	.sql = sql_query_task_settled_of,
	.class = PG_READ,
	.batched = true,
	.bounds = 1,
	.ncols = 1,
	.cols = { PG_UUID },
};
static const struct pg_stmt list_stmt = {
	.name = "task_list",
	.sql = sql_query_task_list,
	.class = PG_READ,
	.ncols = 13,
	.cols = { PG_UUID, PG_INT4, PG_TEXT, PG_INT2, PG_TEXT, PG_TEXT, PG_TIME,
	    PG_TIME, PG_UUID, PG_UUID, PG_BOOL, PG_INT8, PG_INT8 },
};

struct pg_call *
tasks_get(struct pg *pg, const struct id *id, const struct id *user)
{
	struct pg_call *c = pg_call_new(pg, &get_stmt);

	pg_put_uuid(c, id);
	pg_put_uuid(c, user);
	return c;
}

static void
put_int_if(struct pg_call *c, bool has, int64_t v)
{
	if (has)
		pg_put_int(c, v);
	else
		pg_put_null(c);
}

static void
put_time_if(struct pg_call *c, int64_t wall_us)
{
	if (wall_us != 0)
		pg_put_time(c, wall_us);
	else
		pg_put_null(c);
}

struct pg_call *
tasks_list(struct pg *pg, const struct task_filter *t, bool up, int64_t limit)
{
	struct pg_call *c = pg_call_new(pg, &list_stmt);
	struct id most;

	memset(&most, 0xff, sizeof(most));
	pg_put_uuid(c, &t->user);
	put_int_if(c, t->statuses != 0, t->statuses);
	pg_put_str(c, t->type);
	put_int_if(c, t->has_priority, t->priority);
	pg_put_str(c, t->queue);
	pg_put_str(c, t->unique_key);
	put_time_if(c, t->after_us);
	put_time_if(c, t->before_us);
	pg_put_uuid(c, &t->above);
	pg_put_uuid(c, id_is_zero(&t->below) ? &most : &t->below);
	pg_put_int(c, up);
	pg_put_int(c, limit);
	pg_put_int(c, TASKS_LOOK);
	return c;
}

bool
tasks_list_end(const struct pg_call *c, struct id *ret)
{
	int last = pg_rows(c) - 1;

	if (last < 0 || !pg_is_null(c, last, 1))
		return false;
	pg_uuid(c, last, 0, ret);
	return true;
}

void
tasks_row(
    const struct pg_call *c, int row, bool with_bodies, struct task_row *ret)
{
	memset(ret, 0, sizeof(*ret));
	pg_uuid(c, row, 0, &ret->id);
	ret->type = pg_span(c, row, 1);
	ret->queue = pg_span(c, row, 2);
	ret->priority = (enum task_priority)pg_int(c, row, 3);
	ret->status = (enum task_status)pg_int(c, row, 4);
	ret->attempt = pg_int(c, row, 5);
	ret->returned = pg_int(c, row, 6);
	ret->max_attempts = pg_int(c, row, 7);
	ret->timeout_ms = pg_int(c, row, 8);
	ret->created_us = pg_time(c, row, 9);
	ret->scheduled_us = pg_time(c, row, 10);
	ret->due_us = pg_time(c, row, 11);
	ret->queued_us = pg_time(c, row, 12);
	ret->started_us = pg_time(c, row, 13);
	ret->finished_us = pg_time(c, row, 14);
	pg_uuid(c, row, 15, &ret->worker);
	ret->error = pg_span(c, row, 16);
	ret->traceparent = pg_span(c, row, 17);
	ret->unique_key = pg_span(c, row, 18);
	if (with_bodies) {
		ret->payload = pg_span(c, row, 19);
		ret->result = pg_span(c, row, 20);
	}
}

struct pg_call *
tasks_settled_of(struct pg *pg, const struct id *ids, size_t n)
{
	struct pg_call *c = pg_call_new(pg, &settled_of_stmt);
	size_t i;

	for (i = 0; i < n; i++)
		pg_put_uuid(c, &ids[i]);
	return c;
}

struct pg_call *
tasks_events(struct pg *pg, const struct id *id, const struct id *user,
    int64_t after_seq)
{
	struct pg_call *c = pg_call_new(pg, &events_stmt);

	pg_put_uuid(c, id);
	pg_put_uuid(c, user);
	pg_put_int(c, after_seq);
	return c;
}

void
tasks_event_row(const struct pg_call *c, int row, struct task_event_row *ret)
{
	ret->seq = pg_int(c, row, 0);
	ret->at_us = pg_time(c, row, 1);
	ret->event = (enum task_event)pg_int(c, row, 2);
	ret->status = (enum task_status)pg_int(c, row, 3);
	ret->attempt = pg_int(c, row, 4);
	pg_uuid(c, row, 5, &ret->worker);
	ret->message = pg_span(c, row, 6);
	ret->request_id = pg_span(c, row, 7);
}
