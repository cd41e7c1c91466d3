/* The plans of the statements of every task: however far the ids of a batch
 * are from each other, nothing between them is looked at. */
#include <libpq-fe.h>

#include "support/stack.h"
#include "support/store.h"

#define SOMEBODY "'01890000-0000-7000-8000-000000000001'"
#define TWICE "ARRAY[" SOMEBODY ", " SOMEBODY "]::uuid[]"
#define OLD "taskflow.id_floor(now() - interval '1 day')"
#define NEW "taskflow.id_floor(now() + interval '2 days')"
#define OLD_AND_NEW "ARRAY[" OLD ", " NEW "]::uuid[]"
#define BOUNDS OLD ", " NEW

#define MIDDLE "taskflow.id_floor(now() - interval '1 hour')"
#define LIST(statuses, type, from, to, up, n, look)                           \
	"SELECT * FROM taskflow.list_tasks(" SOMEBODY ", " statuses ", " type \
	", NULL, NULL, NULL, NULL, NULL, " from ", " to ", " up ", " n        \
	", " look ")"
/* Two tasks in one request, or in two. */
#define KEYED(unique_keys, keys)                                           \
	"SELECT * FROM taskflow.insert_keyed(ARRAY[gen_random_uuid(), "    \
	"gen_random_uuid()], " TWICE ", '{noop,noop}', '{q,q}', '{0,0}', " \
	"'{3,3}', '{0,0}', '{NULL,NULL}', '{NULL,NULL}', '{NULL,NULL}', "  \
	"ARRAY['null','null']::json[], " unique_keys ", " OLD_AND_NEW      \
	", '{1,1}', " keys ", '{00,00}', '{1000,1000}', '{r,r}')"

static const char many_tasks[] =
    "INSERT INTO taskflow.tasks (user_id, id, type, queue, priority, "
    "max_attempts, timeout_ms, created_at, status, payload) SELECT " SOMEBODY
    ", taskflow.id_floor(now() - interval '1 day' + n * interval "
    "'5 s'), 'noop', 'default', 0, 3, 0, now(), 5, 'null' "
    "FROM generate_series(0, 51840) n";

static PGresult *
run(PGconn *c, const char *statement)
{
	PGresult *res = PQexec(c, statement);

	if (PQresultStatus(res) != PGRES_TUPLES_OK &&
	    PQresultStatus(res) != PGRES_COMMAND_OK)
		fail_msg("%s: %s", statement, PQerrorMessage(c));
	return res;
}

/* Rows of tasks that a statement has looked at, over all partitions. */
static int64_t
rows_seen(const char *statement)
{
	PGconn *c = PQconnectdb(stack_env("TASKFLOW_PG_DIRECT_URL"));
	PGresult *res;
	int64_t n;

	PQclear(run(c, "BEGIN"));
	PQclear(run(c, statement));
	res = run(c,
	    "SELECT sum(coalesce(idx_tup_fetch, 0) + seq_tup_read) "
	    "FROM pg_stat_xact_user_tables WHERE relname ~ '^tasks_'");
	n = atoll(PQgetvalue(res, 0, 0));
	PQclear(res);
	PQfinish(c);
	return n;
}

static void
nothing_between_is_looked_at(void **state)
{
	static const char *const statements[] = {
		"SELECT * FROM taskflow.claim_tasks(" OLD_AND_NEW ", " TWICE
		", '{NULL, NULL}', " BOUNDS ")",
		"SELECT * FROM taskflow.settle_tasks(" OLD_AND_NEW
		", '{1, 1}', " TWICE ", '{5, 5}', '{5, 5}', '{0, 0}', "
		"'{0, 0}', '{0, 0}', '{null, null}', '{NULL, NULL}', " BOUNDS
		")",
		"SELECT * FROM taskflow.get_tasks(" OLD_AND_NEW ", " TWICE
		", " BOUNDS ")",
		"SELECT * FROM taskflow.cancel_tasks(" OLD_AND_NEW ", " TWICE
		", '{a, a}', '{r, r}', " BOUNDS ")",
		"SELECT * FROM taskflow.retry_tasks(" OLD_AND_NEW ", " TWICE
		", '{a, a}', '{r, r}', " BOUNDS ")",
		"SELECT * FROM taskflow.delete_tasks(" OLD_AND_NEW ", " TWICE
		", " BOUNDS ")",
		LIST("NULL", "NULL", OLD, NEW, "false", "11", "10000"),
		LIST("NULL", "NULL", OLD, NEW, "true", "11", "10000"),
		LIST("NULL", "NULL", MIDDLE, NEW, "true", "11", "10000"),
		LIST("32", "'noop'", OLD, MIDDLE, "false", "11", "10000"),
		LIST("2", "'none'", OLD, NEW, "false", "11", "5"),
		KEYED("'{a,b}'", "'{NULL,NULL}'"),
		KEYED("'{NULL,NULL}'", "'{a,a}'"),
	};

	(void)state;
	sql("%s", many_tasks);
	/* With statistics and without: the table of today has none as yet. */
	for (size_t i = 0; i < 2 * NELEM(statements); i++) {
		if (i == NELEM(statements))
			sql("ANALYZE taskflow.tasks");
		assert_in_range(
		    rows_seen(statements[i % NELEM(statements)]), 0, 20);
	}
	/* A look at all of them would have been counted. */
	assert_true(rows_seen("SELECT max(payload::text) FROM "
			      "taskflow.tasks") > 50000);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(nothing_between_is_looked_at),
};

int
main(int argc, char **argv)
{
	struct group g = { "plans", "api=1", "", tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
