/* The tasks in PostgreSQL: what the worker and the API write. */
#include <assert.h>
#include <stdio.h>

#include "sql.h"
#include "task/tasks.h"
#include "tasks_private.h"

static const struct pg_stmt insert_stmt = {
	.name = "task_insert",
	.sql = sql_query_task_insert,
	.class = PG_WRITE,
	.batched = true,
	.ncols = DRAFT_COLS,
	.cols = { DRAFT_TYPES },
};
static const struct pg_stmt insert_asked_stmt = {
	.name = "task_insert_asked",
	.sql = sql_query_task_insert_asked,
	.class = PG_WRITE,
	.batched = true,
	.ncols = 12,
	.cols = { PG_UUID, PG_UUID, PG_TEXT, PG_TEXT, PG_INT2, PG_INT4, PG_INT8,
	    PG_TIME, PG_INT8, PG_TEXT, PG_JSON, PG_TEXT },
};
static const struct pg_stmt claim_stmt = {
	.name = "task_claim",
	.sql = sql_query_task_claim,
	.class = PG_WRITE,
	.batched = true,
	.bounds = 1,
	.ncols = 3,
	.cols = { PG_UUID, PG_UUID, PG_TIME },
};
static const struct pg_stmt settle_stmt = {
	.name = "task_settle",
	.sql = sql_query_task_settle,
	.class = PG_WRITE,
	.batched = true,
	.bounds = 1,
	.ncols = 10,
	.cols = { PG_UUID, PG_INT4, PG_UUID, PG_INT2, PG_INT2, PG_INT8, PG_INT4,
	    PG_INT4, PG_JSON, PG_TEXT },
};
static const struct pg_stmt stale_stmt = {
	.name = "task_stale",
	.sql = sql_query_task_stale,
	.class = PG_WRITE,
	.batched = true,
	.bounds = 1,
	.ncols = 4,
	.cols = { PG_UUID, PG_INT4, PG_UUID, PG_TEXT },
};
static const struct pg_stmt progress_stmt = {
	.name = "task_progress",
	.sql = sql_query_task_progress,
	.class = PG_WRITE,
	.batched = true,
	.bounds = 1,
	.ncols = 4,
	.cols = { PG_UUID, PG_INT4, PG_UUID, PG_TEXT },
};

/* ---- accepting ---- */
void
tasks_put_draft(struct pg_call *c, const struct task_draft *d)
{
	pg_put_uuid(c, &d->id);
	pg_put_uuid(c, &d->user_id);
	pg_put_str(c, d->type);
	pg_put_str(c, d->queue);
	pg_put_int(c, d->priority);
	pg_put_int(c, d->max_attempts);
	pg_put_int(c, d->timeout_ms);
	if (d->scheduled_us != 0)
		pg_put_time(c, d->scheduled_us);
	else
		pg_put_null(c);
	if (d->delay_ms != 0)
		pg_put_int(c, d->delay_ms);
	else
		pg_put_null(c);
	pg_put_str(c, d->traceparent);
	pg_put_span(c, d->payload);
}

struct pg_call *
tasks_insert(struct pg *pg, const struct task_draft *d, size_t n)
{
	const struct task_draft *end = d + n;
	bool asked = d->request_id != NULL;
	struct pg_call *c =
	    pg_call_new(pg, asked ? &insert_asked_stmt : &insert_stmt);

	for (; d < end; d++) {
		tasks_put_draft(c, d);
		if (asked)
			pg_put_str(c, d->request_id);
	}
	return c;
}

/* The row of an input. Most often none is missing; else a binary search. */
static int
row_of_input(const struct pg_call *c, size_t input)
{
	int lo = 0, hi = pg_rows(c) - 1, mid, at;

	if ((int)input <= hi && pg_row_input(c, (int)input) == (int)input)
		return (int)input;
	while (lo <= hi) {
		mid = (lo + hi) / 2;
		at = pg_row_input(c, mid);
		if (at == (int)input)
			return mid;
		if (at < (int)input)
			lo = mid + 1;
		else
			hi = mid - 1;
	}
	return -1;
}

bool
tasks_inserted(const struct pg_call *c, size_t i, struct task_accepted *ret)
{
	int row = row_of_input(c, i);

	if (row < 0)
		return false;
	ret->status = (enum task_status)pg_int(c, row, 0);
	ret->created_us = pg_time(c, row, 1);
	ret->scheduled_us = pg_time(c, row, 2);
	ret->due_in_ms = pg_int(c, row, 3);
	return true;
}

/* ---- working ---- */
struct pg_call *
tasks_claim(struct pg *pg, const struct id *worker, const struct id *ids,
    size_t n, int64_t expires_us)
{
	struct pg_call *c = pg_call_new(pg, &claim_stmt);
	size_t i;

	for (i = 0; i < n; i++) {
		pg_put_uuid(c, &ids[i]);
		pg_put_uuid(c, worker);
		if (expires_us != 0)
			pg_put_time(c, expires_us);
		else
			pg_put_null(c);
	}
	return c;
}

int64_t
tasks_claim_time_us(const struct pg_call *c)
{
	return pg_time(c, 0, 10);
}

bool
tasks_claimed(const struct pg_call *c, int row, struct task_claimed *ret)
{
	if (pg_is_null(c, row, 0))
		return false;
	ret->input = (size_t)pg_row_input(c, row);
	ret->attempt = pg_int(c, row, 0);
	ret->used = ret->attempt - pg_int(c, row, 1);
	ret->max_attempts = pg_int(c, row, 2);
	ret->timeout_ms = pg_int(c, row, 3);
	ret->priority = (enum task_priority)pg_int(c, row, 4);
	ret->queue = pg_span(c, row, 5);
	ret->type = pg_span(c, row, 6);
	ret->traceparent = pg_span(c, row, 7);
	ret->payload = pg_span(c, row, 8);
	pg_uuid(c, row, 9, &ret->user_id);
	ret->queued_us = pg_time(c, row, 11);
	return true;
}

struct pg_call *
tasks_settle(struct pg *pg, const struct task_settlement *s, size_t n)
{
	struct pg_call *c = pg_call_new(pg, &settle_stmt);
	const struct task_settlement *end = s + n;

	for (; s < end; s++) {
		assert(task_may_move(TASK_IN_PROGRESS, s->status));
		pg_put_uuid(c, &s->id);
		pg_put_int(c, s->attempt);
		pg_put_uuid(c, &s->worker);
		pg_put_int(c, s->status);
		pg_put_int(c, s->event);
		pg_put_int(c, s->delay_ms);
		pg_put_int(c, s->not_counted);
		pg_put_int(c, s->not_started);
		pg_put_span(c, s->result);
		pg_put_span(c, s->error);
	}
	return c;
}

enum task_status
tasks_settled(const struct pg_call *c, size_t i)
{
	int row = row_of_input(c, i);

	return row < 0 ? 0 : (enum task_status)pg_int(c, row, 0);
}

struct pg_call *
tasks_stale(struct pg *pg, const struct task_settlement *s, size_t n)
{
	struct pg_call *c = pg_call_new(pg, &stale_stmt);
	const struct task_settlement *end = s + n;
	char text[96];

	for (; s < end; s++) {
		snprintf(text, sizeof(text),
		    "result %s of attempt %lld came too late and was refused",
		    task_status_name(s->status), (long long)s->attempt);
		pg_put_uuid(c, &s->id);
		pg_put_int(c, s->attempt);
		pg_put_uuid(c, &s->worker);
		pg_put_str(c, text);
	}
	return c;
}

bool
tasks_was_settled(const struct pg_call *c, size_t i)
{
	int row = row_of_input(c, i);

	return row >= 0 && pg_int(c, row, 0) != 0;
}

struct pg_call *
tasks_progress(struct pg *pg, const struct id *id, int64_t attempt,
    const struct id *worker, struct span message)
{
	struct pg_call *c = pg_call_new(pg, &progress_stmt);

	pg_put_uuid(c, id);
	pg_put_int(c, attempt);
	pg_put_uuid(c, worker);
	pg_put_span(c, message);
	return c;
}
