/*
 * What an operator does about once a month: a database that is newer than the
 * program, or older; a backup, and a restore of it beside empty Redis servers.
 */
#include <glob.h>
#include <signal.h>

#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

#define N_EACH 5

static const char base_conf[] = SHORT_TIMES "concurrency = 8\n" LEDGER_CONF;

static const char *const daemons[] = { "worker-1", "manager-1", "api-1" };

static void
start_all(void)
{
	for (size_t i = NELEM(daemons); i > 0; i--)
		part_start(daemons[i - 1]);
}

static void
stop_all(void)
{
	for (size_t i = 0; i < NELEM(daemons); i++)
		part_stop(daemons[i]);
}

/* Runs it; it must succeed, or fail with these words. */
static void
runs(const char *const argv[], const char *words)
{
	char *out;
	int code = run_program(argv, &out);

	if ((words == NULL) != (code == 0) ||
	    (words != NULL && strstr(out, words) == NULL))
		fail_msg(
		    "%s %s: exit %d: %.1500s", argv[0], argv[1], code, out);
	free(out);
}

static void
psql(const char *file)
{
	runs((const char *const[]){ "/usr/bin/psql", "-X", "-q", "-v",
		 "ON_ERROR_STOP=1", "-1", "-d",
		 stack_env("TASKFLOW_PG_DIRECT_URL"), "-f", file, NULL },
	    NULL);
}

static void
taskflowd(const char *what, const char *words)
{
	runs((const char *const[]){ stack_bin(), what,
		 text("--config=%s", stack_file("stack/taskflowd.conf")),
		 "--listen=127.0.0.1:0", NULL },
	    words);
}

static void
a_task_goes_through(void)
{
	const char *id = submit("noop", "1", NULL);

	task_wait(id);
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
}

/* ---- versions ---- */

/* The migration of the next program has been applied, and this one still runs:
 * that is the half of a rollout that comes first. */
static void
a_newer_schema_is_served(void **state)
{
	int64_t version = sql_int("SELECT max(version) FROM "
				  "taskflow.schema_version");

	(void)state;
	a_task_goes_through();
	/* What migrations may do while the last program runs: add. */
	sql("ALTER TABLE taskflow.tasks ADD COLUMN later text");
	sql("CREATE TABLE taskflow.later (id uuid PRIMARY KEY)");
	sql("INSERT INTO taskflow.schema_version (version, name) "
	    "VALUES (%lld, 'later')",
	    (long long)version + 1);
	a_task_goes_through(); /* those that run already */
	stop_all();
	start_all(); /* and those that start now */
	a_task_goes_through();
	taskflowd("--migrate", NULL); /* nothing to do for the older one */
	assert_true(sql_int("SELECT max(version) FROM "
			    "taskflow.schema_version") == version + 1);
	all_ended();
	sql("DELETE FROM taskflow.schema_version WHERE name = 'later'");
	sql("DROP TABLE taskflow.later");
	sql("ALTER TABLE taskflow.tasks DROP COLUMN later");
	stop_all();
	start_all();
}

/* All migrations but the last one, as the last program left the database. */
static void
make_older_schema(void)
{
	const char *name;
	glob_t g;

	assert_int_equal(glob("sql/schema/*.sql", 0, NULL, &g), 0);
	assert_true(g.gl_pathc > 1);
	sql("DROP SCHEMA taskflow CASCADE");
	sql("CREATE SCHEMA taskflow");
	sql("CREATE TABLE taskflow.schema_version ("
	    "version integer PRIMARY KEY, name text NOT NULL, "
	    "applied_at timestamptz NOT NULL DEFAULT now())");
	for (size_t i = 0; i + 1 < g.gl_pathc; i++) {
		name = strrchr(g.gl_pathv[i], '/') + 1;
		psql(g.gl_pathv[i]);
		sql("INSERT INTO taskflow.schema_version (version, name) "
		    "VALUES (%d, '%s')",
		    (int)i + 1, name);
	}
	globfree(&g);
}

static void
an_older_schema_is_refused_until_it_is_migrated(void **state)
{
	int64_t newest = sql_int("SELECT max(version) FROM "
				 "taskflow.schema_version");

	(void)state;
	stop_all();
	make_older_schema();
	taskflowd("--role=worker",
	    text("schema is version %lld and must be "
		 "%lld: run taskflowd --migrate first",
		(long long)newest - 1, (long long)newest));
	taskflowd("--role=manager", "run taskflowd --migrate first");
	taskflowd("--role=api", "run taskflowd --migrate first");
	taskflowd("--migrate", NULL);
	assert_true(sql_int("SELECT max(version) FROM "
			    "taskflow.schema_version") == newest);
	start_all();
	client_end(); /* its user was in the old tables */
	client_begin();
	a_task_goes_through();
	all_ended();
}

/* ---- backup and restore ---- */

/* Tasks in every state when the backup is made; after it everything is lost but
 * the backup. All of them end, those that ran by a second attempt. */
static void
a_backup_has_all_that_is_needed(void **state)
{
	const char *done, *running[N_EACH], *waiting[N_EACH];
	char dump[600];
	int i;

	(void)state;
	snprintf(dump, sizeof(dump), "%s", stack_file("backup.sql"));
	tables_clear();
	done = ledger_accept(submit("noop", "\"done\"", NULL));
	task_wait(done);
	for (i = 0; i < N_EACH; i++) {
		hold(text("r%d", i), 1);
		running[i] = submit("ledger", text("\"r%d\"", i),
		    i % 2 ? "\"priority\":\"high\"" : NULL);
	}
	UNTIL(tasks_with("IN_PROGRESS") == N_EACH);
	for (i = 0; i < N_EACH; i++) {
		submit("noop", "1", "\"delay_seconds\":4");
		waiting[i] = submit("noop", "1", "\"queue\":\"other\"");
	}
	assert_int_equal(tasks_with("QUEUED"), N_EACH);
	runs((const char *const[]){ "/usr/bin/pg_dump", "-d",
		 stack_env("TASKFLOW_PG_DIRECT_URL"), "--schema=taskflow",
		 "--no-owner", "-f", dump, NULL },
	    NULL);
	for (i = (int)NELEM(daemons) - 1; i >= 0; i--)
		part_kill(daemons[i]);
	for (i = 0; i < N_EACH; i++)
		release(text("r%d", i), 1);
	sql("DROP SCHEMA taskflow CASCADE");
	redis_int(LOW, "FLUSHALL");
	redis_int(HIGH, "FLUSHALL");

	psql(dump);
	stack_conf(
	    text("%squeues = default,other\n%s", SHORT_TIMES, LEDGER_CONF));
	start_all();
	task_get(done);
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
	for (i = 0; i < N_EACH; i++) {
		task_wait(waiting[i]);
		assert_string_equal(
		    str_of(http_json(&me), "status"), "COMPLETED");
		assert_int_equal(int_of(http_json(&me), "attempt"), 1);
		task_wait(running[i]);
		assert_string_equal(
		    str_of(http_json(&me), "status"), "COMPLETED");
		assert_int_equal(int_of(http_json(&me), "attempt"), 2);
	}
	UNTIL(tasks_with("COMPLETED") == 3 * N_EACH + 1);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_newer_schema_is_served),
	cmocka_unit_test(an_older_schema_is_refused_until_it_is_migrated),
	cmocka_unit_test(a_backup_has_all_that_is_needed),
};

int
main(int argc, char **argv)
{
	struct group g = { "upgrade", "api=1 manager=1 worker=1", base_conf,
		tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
