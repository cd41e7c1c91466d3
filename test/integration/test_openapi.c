/* /openapi.json against the daemon, both ways: openapi.py asks. */
#include <libpq-fe.h>
#include <signal.h>

#include "access_fixture.h"
#include "support/ledger.h"

static struct http admin;

/* with: what the stage needs, or NULL. */
static void
ask(const char *stage, const char *api, const char *with)
{
	const char *argv[] = { "/usr/bin/python3",
		"test/integration/openapi.py", stage,
		text("http://127.0.0.1:%d", part_port(api)), stack_file("seen"),
		with, NULL };
	char *output;
	int status = run_program(argv, &output);

	if (status != 0)
		fail_msg("%s of %s:\n%s", stage, api, output);
	free(output);
}

static const char *
credentials(void)
{
	if (admin.token == NULL)
		admin_at(&admin, "api-1");
	return text("{\"admin\":\"%s\",\"user\":\"%s\",\"secret\":\"%s\"}",
	    admin.token, me.token, stack_file("stack/jwt.secret"));
}

/* Both APIs are asked, for they must say the same. */
static void
the_document_is_sound(void **state)
{
	(void)state;
	ask("document", "api-1", NULL);
	ask("document", "api-2", NULL);
	all_ended();
}

static void
answers_are_as_it_says(void **state)
{
	(void)state;
	ask("answers", "api-1", credentials());
	all_ended();
}

static void
so_are_those_of_one_that_is_closed(void **state)
{
	(void)state;
	credentials();
	stack_conf("registration = closed\nlockout_failures = 2\n"
		   "rate_submit = 1/d\nrate_read = 1/d\nrate_timeout = 60s\n");
	part_start("api-3");
	ask("closed", "api-3", credentials());
	all_ended();
}

/* A transaction that has the key and does not end. */
static void
a_key_that_is_busy_is_409(void **state)
{
	PGconn *c = PQconnectdb(stack_env("TASKFLOW_PG_DIRECT_URL"));

	(void)state;
	assert_int_equal(http_call(&me, "POST", "/tasks",
			     JSON_TYPE "Idempotency-Key: openapi\r\n",
			     "{\"type\":\"noop\"}"),
	    201);
	PQclear(PQexec(c, "BEGIN"));
	PQclear(PQexec(c,
	    "INSERT INTO taskflow.idempotency_keys SELECT user_id, request, "
	    "created_at, expires_at, 'busy', fingerprint, traceparent, "
	    "task_ids, statuses, max_attempts, scheduled_at FROM "
	    "taskflow.idempotency_keys WHERE key = 'openapi'"));
	if (PQtransactionStatus(c) != PQTRANS_INTRANS)
		fail_msg("%s", PQerrorMessage(c));
	ask("busy", "api-2", credentials());
	PQfinish(c);
	all_ended();
}

/* Who had a key with the scope admin alone, and is no administrator now. */
static void
a_key_of_no_use_is_403(void **state)
{
	struct key key;

	(void)state;
	credentials();
	make_key(&admin, "\"admin\"", "", &key);
	sql("UPDATE taskflow.users SET role = 'user' WHERE username = 'root'");
	ask("useless", "api-2", text("{\"key\":\"%s\"}", key.text));
	sql("UPDATE taskflow.users SET role = 'admin' WHERE username = 'root'");
	all_ended();
}

static void
a_redis_that_is_needed_and_away_is_503(void **state)
{
	(void)state;
	part_kill("redis-low");
	ask("dark", "api-2", credentials());
	part_start("redis-low");
	all_ended();
}

static void
a_database_that_is_away_is_503(void **state)
{
	(void)state;
	credentials();
	part_signal("pgbouncer", SIGSTOP);
	ask("down", "api-2", credentials());
	part_signal("pgbouncer", SIGCONT);
	all_ended();
}

static void
each_status_was_answered(void **state)
{
	(void)state;
	ask("coverage", "api-1", NULL);
	http_fini(&admin);
	all_ended();
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_document_is_sound),
		cmocka_unit_test(answers_are_as_it_says),
		cmocka_unit_test(so_are_those_of_one_that_is_closed),
		cmocka_unit_test(a_key_that_is_busy_is_409),
		cmocka_unit_test(a_key_of_no_use_is_403),
		cmocka_unit_test(a_redis_that_is_needed_and_away_is_503),
		cmocka_unit_test(a_database_that_is_away_is_503),
		cmocka_unit_test(each_status_was_answered),
	};
	static const struct group group = {
		.name = "openapi",
		.roles = "api=2 manager=1 worker=1",
		.conf = "pg_timeout = 1s\n",
		.tests = tests,
		.ntests = NELEM(tests),
	};

	return group_run(&group, argc, argv);
}
