/* The tasks in PostgreSQL: what the manager does, and the server itself. */
#include "sql.h"
#include "task/tasks.h"

static const struct pg_stmt due_stmt = {
	.name = "task_due",
	.sql = sql_query_task_due,
	.class = PG_READ,
	.ncols = 2,
	.cols = { PG_INT8, PG_INT8 },
};
static const struct pg_stmt promote_stmt = {
	.name = "task_promote",
	.sql = sql_query_task_promote,
	.class = PG_WRITE,
	.batched = true,
	.bounds = 1,
	.ncols = 1,
	.cols = { PG_UUID },
};
static const struct pg_stmt recover_stmt = {
	.name = "task_recover",
	.sql = sql_query_task_recover,
	.class = PG_WRITE,
	.batched = true,
	.bounds = 1,
	.ncols = 3,
	.cols = { PG_UUID, PG_UUID, PG_TEXT },
};
static const struct pg_stmt scan_stmt = {
	.name = "task_scan",
	.sql = sql_query_task_scan,
	.class = PG_READ,
	.ncols = 3,
	.cols = { PG_UUID, PG_UUID, PG_INT8 },
};
static const struct pg_stmt still_queued_stmt = {
	.name = "task_still_queued",
	.sql = sql_query_task_still_queued,
	.class = PG_READ,
	.batched = true,
	.bounds = 1,
	.ncols = 1,
	.cols = { PG_UUID },
};
static const struct pg_stmt ages_stmt = {
	.name = "task_ages",
	.sql = sql_query_task_ages,
	.class = PG_READ,
	.batched = true,
	.bounds = 1,
	.ncols = 1,
	.cols = { PG_UUID },
};
static const struct pg_stmt elect_stmt = {
	.name = "leader_elect",
	.sql = sql_query_leader_elect,
	.class = PG_WRITE,
	.ncols = 2,
	.cols = { PG_UUID, PG_INT8 },
};
static const struct pg_stmt ensure_stmt = {
	.name = "partitions_ensure",
	.sql = sql_query_partitions_ensure,
	.class = PG_WRITE,
	.alone = true,
	.ncols = 1,
	.cols = { PG_INT4 },
};
static const struct pg_stmt drop_stmt = {
	.name = "partitions_drop",
	.sql = sql_query_partitions_drop,
	.class = PG_WRITE,
	.alone = true,
	.ncols = 1,
	.cols = { PG_INT8 },
};
/* A statement without parameters still needs one row of one column. */
static const struct pg_stmt ping_stmt = {
	.name = "ping",
	.sql = sql_query_ping,
	.class = PG_READ,
	.ncols = 1,
	.cols = { PG_INT4 },
};
static const struct pg_stmt check_stmt = {
	.name = "server_check",
	.sql = sql_query_server_check,
	.class = PG_READ,
	.ncols = 1,
	.cols = { PG_INT4 },
};
static const struct pg_stmt version_stmt = {
	.name = "schema_version",
	.sql = sql_query_schema_version,
	.class = PG_READ,
	.ncols = 1,
	.cols = { PG_INT4 },
};

static const struct pg_stmt default_stmt = {
	.name = "default_rows",
	.sql = sql_query_default_rows,
	.class = PG_READ,
	.ncols = 1,
	.cols = { PG_INT4 },
};

static void
copy_queue(char to[TASK_NAME_MAX + 1], struct span s)
{
	size_t n = s.len < TASK_NAME_MAX ? s.len : TASK_NAME_MAX;

	memcpy(to, s.p != NULL ? s.p : "", n);
	to[n] = '\0';
}

/* ---- due ---- */
struct pg_call *
tasks_due(struct pg *pg, int64_t lookahead_ms, int64_t limit)
{
	struct pg_call *c = pg_call_new(pg, &due_stmt);

	pg_put_int(c, lookahead_ms);
	pg_put_int(c, limit);
	return c;
}

void
tasks_due_row(const struct pg_call *c, int row, struct task_ref *ret)
{
	memset(ret, 0, sizeof(*ret));
	pg_uuid(c, row, 0, &ret->id);
	copy_queue(ret->queue, pg_span(c, row, 1));
	ret->priority = (enum task_priority)pg_int(c, row, 2);
	ret->wait_us = pg_int(c, row, 3);
}

static struct pg_call *
call_on_refs(struct pg *pg, const struct pg_stmt *stmt,
    const struct task_ref *refs, size_t n)
{
	struct pg_call *c = pg_call_new(pg, stmt);
	size_t i;

	for (i = 0; i < n; i++)
		pg_put_uuid(c, &refs[i].id);
	return c;
}

struct pg_call *
tasks_promote(struct pg *pg, const struct task_ref *refs, size_t n)
{
	return call_on_refs(pg, &promote_stmt, refs, n);
}

struct pg_call *
tasks_still_queued(struct pg *pg, const struct task_ref *refs, size_t n)
{
	return call_on_refs(pg, &still_queued_stmt, refs, n);
}

struct pg_call *
tasks_ages(struct pg *pg, const struct task_ref *refs, size_t n)
{
	return call_on_refs(pg, &ages_stmt, refs, n);
}

/* ---- recovery ---- */
struct pg_call *
tasks_recover(struct pg *pg, const struct id *worker, const struct id *ids,
    size_t n, const char *reason)
{
	struct pg_call *c = pg_call_new(pg, &recover_stmt);
	size_t i;

	for (i = 0; i < n; i++) {
		pg_put_uuid(c, &ids[i]);
		pg_put_uuid(c, worker);
		pg_put_str(c, reason);
	}
	return c;
}

void
tasks_recovered(
    const struct pg_call *c, int row, size_t *ret_input, struct task_ref *ret)
{
	*ret_input = (size_t)pg_row_input(c, row);
	ret->status = (enum task_status)pg_int(c, row, 0);
	copy_queue(ret->queue, pg_span(c, row, 1));
	ret->priority = (enum task_priority)pg_int(c, row, 2);
}

/* ---- walking ---- */
struct pg_call *
tasks_scan(
    struct pg *pg, const struct id *after, const struct id *upto, int64_t limit)
{
	struct pg_call *c = pg_call_new(pg, &scan_stmt);

	pg_put_uuid(c, after);
	pg_put_uuid(c, upto);
	pg_put_int(c, limit);
	return c;
}

bool
tasks_scan_row(
    const struct pg_call *c, int row, struct task_ref *ret, int64_t *ret_seen)
{
	memset(ret, 0, sizeof(*ret));
	pg_uuid(c, row, 0, &ret->id);
	*ret_seen = pg_int(c, row, 5);
	if (pg_is_null(c, row, 1))
		return false;
	ret->status = (enum task_status)pg_int(c, row, 1);
	ret->priority = (enum task_priority)pg_int(c, row, 2);
	copy_queue(ret->queue, pg_span(c, row, 3));
	pg_uuid(c, row, 4, &ret->worker);
	return true;
}

/* ---- the rest ---- */
struct pg_call *
leader_elect(struct pg *pg, const struct id *leader, int64_t seen_term)
{
	struct pg_call *c = pg_call_new(pg, &elect_stmt);

	pg_put_uuid(c, leader);
	pg_put_int(c, seen_term);
	return c;
}

static struct pg_call *
call_on_int(struct pg *pg, const struct pg_stmt *stmt, int64_t v)
{
	struct pg_call *c = pg_call_new(pg, stmt);

	pg_put_int(c, v);
	return c;
}

struct pg_call *
partitions_ensure(struct pg *pg, int64_t days_ahead)
{
	return call_on_int(pg, &ensure_stmt, days_ahead);
}

struct pg_call *
partitions_drop(struct pg *pg, int64_t retention_ms)
{
	return call_on_int(pg, &drop_stmt, retention_ms);
}

struct pg_call *
partitions_default(struct pg *pg)
{
	return call_on_int(pg, &default_stmt, 0);
}

struct pg_call *
pg_ping(struct pg *pg)
{
	return call_on_int(pg, &ping_stmt, 0);
}

struct pg_call *
pg_server_check(struct pg *pg)
{
	return call_on_int(pg, &check_stmt, 0);
}

struct pg_call *
pg_schema_version(struct pg *pg)
{
	return call_on_int(pg, &version_stmt, 0);
}
