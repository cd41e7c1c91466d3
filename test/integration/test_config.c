/*
 * What stops a start, and what does not: each reason is one clear line. The
 * servers alone run; the database has no schema until the tests make it, so
 * these tests go in their order.
 */
#include <signal.h>
#include <unistd.h>

#include "support/conf.h"
#include "support/stack.h"
#include "support/store.h"

#define MIGRATES 4

static const char *config;

static const char *
conf_option(void)
{
	if (config == NULL)
		config = strdup(
		    text("--config=%s", stack_file("stack/taskflowd.conf")));
	return config;
}

/* Ends with that code, and says all these words in one line. */
static void
ends_with(int code, const char *role, const char *option, const char *word,
    const char *other)
{
	const char *argv[] = { stack_bin(), conf_option(), role,
		"--listen=127.0.0.1:0", option, NULL };
	char *out, *line;
	int got = run_program(argv, &out);

	if (got != code)
		fail_msg("%s %s: exit %d, not %d: %s", role,
		    option ? option : "", got, code, out);
	for (line = strtok(out, "\n"); line != NULL; line = strtok(NULL, "\n"))
		if (strstr(line, word) != NULL && strstr(line, other) != NULL)
			break;
	if (line == NULL)
		fail_msg("%s %s: no line with \"%s\" and \"%s\"", role,
		    option ? option : "", word, other);
	free(out);
}

/* ---- options ---- */
static void
wrong_options_are_named(void **state)
{
	static const struct {
		const char *option, *allowed;
	} cases[] = {
		{ "--concurency=4", "concurrency" },
		{ "--concurrency=0", "1 to 1000" },
		{ "--concurrency=many", "1 to 1000" },
		{ "--pg-timeout=5", "ms, s, min, h" },
		{ "--redis-high-url=http://x", "redis://" },
		{ "--heartbeat-interval=9s", "heartbeat_ttl" },
		{ "--pg-url-file=/nowhere/at/all", "No such file" },
		{ "--jwt-secret=short", "at least 32" },
	};
	char name[64];
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(cases); i++) {
		/* The line names it as the table does, whatever was typed. */
		snprintf(name, sizeof(name), "%.*s",
		    (int)strcspn(cases[i].option + 2, "-="),
		    cases[i].option + 2);
		ends_with(
		    2, "--role=all", cases[i].option, name, cases[i].allowed);
	}
	ends_with(2, "--role=boss", NULL, "role", "manager");
}

static void
a_missing_secret_is_named(void **state)
{
	(void)state;
	ends_with(2, "--role=api", "--jwt-secret=", "jwt_secret", "32 bytes");
}

/* ---- the schema ---- */
static void
a_missing_schema_is_named(void **state)
{
	(void)state;
	ends_with(1, "--role=manager", NULL, "no TaskFlow schema", "--migrate");
}

static void
migrations_run_once(void **state)
{
	const char *argv[] = { stack_bin(), conf_option(), "--migrate", NULL };
	pid_t pids[MIGRATES];
	int i, applied = 0;
	char *out, *at;

	(void)state;
	for (i = 0; i < MIGRATES; i++)
		pids[i] = begin_program(argv, stack_file("migrate.out"));
	for (i = 0; i < MIGRATES; i++)
		assert_int_equal(end_program(pids[i], 0), 0);
	out = read_file(stack_file("migrate.out"));
	for (at = out; (at = strstr(at, "\"applied\"")) != NULL; at++)
		applied++;
	free(out);
	assert_int_equal(
	    applied, sql_int("SELECT count(*) FROM taskflow.schema_version"));
	assert_int_equal(applied,
	    sql_int("SELECT max(version) FROM taskflow.schema_version"));
	/* Again: there is nothing to do. */
	assert_int_equal(run_program(argv, &out), 0);
	assert_null(strstr(out, "\"applied\""));
	assert_non_null(strstr(out, "up to date"));
	free(out);
}

static void
an_old_schema_is_named(void **state)
{
	(void)state;
	sql("UPDATE taskflow.schema_version SET version = -version WHERE "
	    "version = (SELECT max(version) FROM taskflow.schema_version)");
	ends_with(
	    1, "--role=worker", NULL, "schema is version", "--migrate first");
	sql("UPDATE taskflow.schema_version SET version = -version WHERE "
	    "version < 0");
}

/* ---- unfit servers ---- */
static void
a_redis_that_may_drop_queues_is_refused(void **state)
{
	(void)state;
	redis_int(LOW, "CONFIG SET maxmemory-policy allkeys-lru");
	ends_with(1, "--role=worker", NULL, "redis-low", "allkeys-lru");
	redis_int(LOW, "CONFIG SET maxmemory-policy volatile-ttl");
	redis_int(HIGH, "CONFIG SET maxmemory-policy volatile-lru");
	ends_with(1, "--role=manager", NULL, "redis-high", "noeviction");
	redis_int(HIGH, "CONFIG SET maxmemory-policy noeviction");
}

/* Made by the superuser: the role of the daemons may not. */
static void
make_latin_database(void)
{
	char *password = read_file(stack_file("stack/etc/postgres.password"));
	const char *url = text("postgresql://postgres:%s@127.0.0.1:%d/postgres",
	    password, part_port("postgres"));
	char *out;

	assert_int_equal(
	    run_program((const char *const[]){ "/usr/bin/psql", "-X", url, "-c",
			    "CREATE DATABASE latin ENCODING 'LATIN1' "
			    "LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
			    NULL },
		&out),
	    0);
	free(out);
	free(password);
}

static void
a_database_of_another_encoding_is_refused(void **state)
{
	const char *url = stack_env("TASKFLOW_PG_DIRECT_URL");

	(void)state;
	make_latin_database();
	ends_with(1, "--role=worker",
	    text("--pg-url=%.*slatin", (int)(strrchr(url, '/') - url + 1), url),
	    "LATIN1", "UTF8");
}

/* ---- servers that are away ---- */

/* It says what it waits for, and works once the server is there. */
static void
waits_for(const char *server, const char *words)
{
	const char *part = "manager-1";

	unlink(stack_log(part));
	part_kill(server);
	part_launch(part);
	UNTIL(part_logged(part, words));
	assert_true(part_runs(part));
	assert_false(part_logged(part, "\"ready\""));
	part_start(server);
	UNTIL(part_logged(part, "\"ready\""));
	part_stop(part);
}

static void
servers_that_are_away_are_waited_for(void **state)
{
	(void)state;
	waits_for("pgbouncer", "onnect");
	waits_for("redis-high", "onnect");
	waits_for("redis-low", "onnect");
	waits_for("postgres", "\"sub\":\"app\",\"event\":\"still waiting\"");
}

/* Somebody who waits may be told to stop. */
static void
a_start_that_waits_can_be_stopped(void **state)
{
	(void)state;
	part_kill("redis-low");
	part_launch("worker-1");
	UNTIL(part_logged("worker-1", "onnect"));
	part_stop("worker-1");
	part_start("redis-low");
}

/* ---- what only looks ---- */
static void
actions_end_at_once(void **state)
{
	static const struct {
		const char *option, *word;
	} cases[] = {
		{ "--help", "--concurrency" },
		{ "--version", "taskflowd " },
		{ "--dump-config", "redis_low_url" },
		{ "--check-config", "good" },
	};
	char *out;
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(cases); i++)
		ends_with(0, "--role=all", cases[i].option, cases[i].word, "");
	/* No secret is printed. */
	assert_int_equal(run_program((const char *const[]){ stack_bin(),
					 conf_option(), "--dump-config", NULL },
			     &out),
	    0);
	assert_null(strstr(out,
	    text("%.20s",
		strstr(stack_env("TASKFLOW_PG_URL"), "taskflow:") +
		    strlen("taskflow:"))));
	free(out);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(wrong_options_are_named),
	cmocka_unit_test(a_missing_secret_is_named),
	cmocka_unit_test(a_missing_schema_is_named),
	cmocka_unit_test(migrations_run_once),
	cmocka_unit_test(an_old_schema_is_named),
	cmocka_unit_test(a_redis_that_may_drop_queues_is_refused),
	cmocka_unit_test(a_database_of_another_encoding_is_refused),
	cmocka_unit_test(servers_that_are_away_are_waited_for),
	cmocka_unit_test(a_start_that_waits_can_be_stopped),
	cmocka_unit_test(actions_end_at_once),
};

int
main(int argc, char **argv)
{
	struct group g = { "config", NULL, "# the defaults\n", tests,
		NELEM(tests) };
	int failed = group_run(&g, argc, argv);

	free((char *)config);
	return failed;
}
