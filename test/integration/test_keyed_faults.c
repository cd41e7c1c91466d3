/* Submits with keys: lost answers, processes that die, keys that somebody else
 * holds on to, rows that the database refuses; and what is swept. */
#include <libpq-fe.h>

#include "keyed_fixture.h"

/* ---- what dies, and what stands in the way ---- */

/* A client that does not wait for the answer, or whose process dies, asks the
 * other one with the same key: whatever it was, there is one task. */
static void
an_answer_that_was_lost_is_asked_for_again(void **state)
{
	char key[32], body[80];
	struct http h;
	int i, lost = 0;

	(void)state;
	begin();
	for (i = 0; i < 24; i++) {
		snprintf(key, sizeof(key), "lost-%d", i);
		snprintf(body, sizeof(body),
		    "{\"type\":\"noop\",\"payload\":%d}", i);
		http_init(&h, i % 2 ? other_api.port : me.port);
		h.token = strdup(me.token);
		h.timeout_ms = 1 + i % 5;
		lost += post(&h, with_key(key), body) != 201;
		http_fini(&h);
		if (i == 11)
			part_kill("api-2");
		UNTIL(post(&me, with_key(key), body) == 201);
		ledger_accept(id_in(&me));
		if (i == 11)
			part_start("api-2");
	}
	assert_true(lost > 0);
	part_kill("redis-low");
	assert_int_equal(post(&me, with_key("r"), PLAIN), 201);
	ledger_accept(id_in(&me));
	assert_int_equal(post(&other_api, with_key("r"), PLAIN), 201);
	assert_string_equal(id_in(&other_api), id_in(&me));
	part_start("redis-low");
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 25);
}

static PGconn *
open_transaction(const char *statement)
{
	PGconn *c = PQconnectdb(stack_env("TASKFLOW_PG_DIRECT_URL"));

	PQclear(PQexec(c, "BEGIN"));
	PQclear(PQexec(c, statement));
	if (PQtransactionStatus(c) != PQTRANS_INTRANS)
		fail_msg("%s", PQerrorMessage(c));
	return c;
}

/* Somebody's transaction has the key and does not end. Others are not in its
 * way. */
static void
a_key_that_is_being_worked_on_is_refused(void **state)
{
	PGconn *c;

	(void)state;
	begin();
	post(&me, with_key("k"), PLAIN);
	ledger_accept(id_in(&me));
	c = open_transaction(
	    "INSERT INTO taskflow.idempotency_keys SELECT user_id, request, "
	    "created_at, expires_at, 'busy', fingerprint, traceparent, "
	    "task_ids, statuses, max_attempts, scheduled_at FROM "
	    "taskflow.idempotency_keys");
	for (int i = 0; i < 3; i++) {
		post(&other_api, with_key("busy"), PLAIN);
		must(&other_api, 409, "idempotency-running");
		assert_non_null(http_header(&other_api, "Retry-After"));
	}
	assert_int_equal(
	    post_batch(&me, "busy", "{\"tasks\":[" PLAIN "]}"), 409);
	PQclear(PQexec(c, "ROLLBACK"));
	PQfinish(c);
	post(&other_api, with_key("busy"), PLAIN);
	must(&other_api, 201, NULL);
	ledger_accept(id_in(&other_api));
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 2);
}

#define CROWD 100
static struct racer crowd[CROWD];

/* A hundred requests at once: how many got that status? */
static int
run_crowd(int status)
{
	static char bodies[CROWD][96], headers[CROWD][96];
	int i, n = 0;

	for (i = 0; i < CROWD; i++) {
		http_init(&crowd[i].h, me.port);
		crowd[i].h.token = strdup(me.token);
		crowd[i].h.timeout_ms = 60 * 1000;
		snprintf(bodies[i], sizeof(bodies[i]),
		    "{\"type\":\"noop\",\"payload\":%d}", i);
		snprintf(headers[i], sizeof(headers[i]),
		    JSON_TYPE "Idempotency-Key: crowd-%d\r\n", i);
		crowd[i].body = bodies[i];
		crowd[i].headers =
		    crowd[i].headers == NULL ? JSON_TYPE : headers[i];
		assert_int_equal(
		    pthread_create(&crowd[i].thread, NULL, race, &crowd[i]), 0);
	}
	for (i = 0; i < CROWD; i++) {
		pthread_join(crowd[i].thread, NULL);
		n += crowd[i].status == status;
		if (crowd[i].status == 201)
			ledger_accept(crowd[i].id);
		http_fini(&crowd[i].h);
	}
	return n;
}

/* Without keys, and with them. */
static void
one_that_is_bad_fails_alone(void **state)
{
	int i, keyed;

	(void)state;
	begin();
	sql("ALTER TABLE taskflow.tasks ADD CONSTRAINT no_curse CHECK "
	    "(payload::text <> '63') NOT VALID");
	for (keyed = 0; keyed < 2; keyed++) {
		for (i = 0; i < CROWD; i++)
			crowd[i].headers = keyed ? "" : NULL;
		assert_int_equal(run_crowd(201), CROWD - 1);
		assert_int_equal(crowd[63].status, 422);
	}
	sql("ALTER TABLE taskflow.tasks DROP CONSTRAINT no_curse");
	all_ended();
	assert_int_equal(
	    sql_int("SELECT count(*) FROM taskflow.tasks"), 2 * (CROWD - 1));
}

static void
one_that_is_blocked_is_refused_alone(void **state)
{
	PGconn *c;

	(void)state;
	begin();
	post(&me, with_key("k"), PLAIN);
	ledger_accept(id_in(&me));
	c = open_transaction(
	    "INSERT INTO taskflow.idempotency_keys SELECT user_id, request, "
	    "created_at, expires_at, 'crowd-17', fingerprint, traceparent, "
	    "task_ids, statuses, max_attempts, scheduled_at FROM "
	    "taskflow.idempotency_keys");
	for (int i = 0; i < CROWD; i++)
		crowd[i].headers = "";
	assert_int_equal(run_crowd(201), CROWD - 1);
	assert_int_equal(crowd[17].status, 409);
	PQfinish(c);
	all_ended();
}

/* ---- what is over ---- */
static void
what_is_over_is_swept(void **state)
{
	const char *live;

	(void)state;
	begin();
	post(&me, with_key("k"), UNIQUE("done"));
	ledger_accept(id_in(&me));
	task_wait(id_in(&me));
	hold("a", 1);
	post(&me, with_key("k2"), UNIQUE("live"));
	live = ledger_accept(id_in(&me));
	sql("UPDATE taskflow.idempotency_keys SET expires_at = now() "
	    "WHERE key = 'k'");
	/* It is done after an election, and by the clock. */
	part_stop("manager-1");
	part_start("manager-1");
	UNTIL(sql_int("SELECT count(*) FROM taskflow.task_unique") == 1 &&
	    sql_int("SELECT count(*) FROM taskflow.idempotency_keys") == 1);
	assert_string_equal(
	    sql("SELECT task_id FROM taskflow.task_unique"), live);
	post(&me, JSON_TYPE, UNIQUE("live"));
	must(&me, 409, "unique-key");
	release("a", 1);
	all_ended();
}

/* For what makes a final task live again. */
static void
a_task_that_lives_again_needs_its_key(void **state)
{
	const char *old, *new;

	(void)state;
	begin();
	post(&me, JSON_TYPE, UNIQUE("k"));
	old = ledger_accept(id_in(&me));
	task_wait(old);
	post(&me, JSON_TYPE,
	    "{\"type\":\"noop\",\"delay_seconds\":1000,\"unique_key\":\"k\"}");
	new = ledger_accept(id_in(&me));
#define TAKE                                                 \
	"SELECT holder FROM taskflow.tasks t, LATERAL "      \
	"taskflow.take_unique(ARRAY[t.id], ARRAY[user_id], " \
	"ARRAY[unique_key]) WHERE t.id = '%s'"
	assert_string_equal(sql(TAKE, old), new);
	make_due(new);
	task_wait(new);
	assert_string_equal(sql(TAKE, old), "");
	assert_string_equal(
	    sql("SELECT task_id FROM taskflow.task_unique"), old);
	all_ended();
}

static void
must_cancel(const char *id)
{
	assert_int_equal(
	    http_call(&me, "POST", text("/tasks/%s/cancel", id), NULL, NULL),
	    200);
}

/* The task waits when a retry looks first; it is over when the retry comes to
 * it, and another one has its key. */
static void
a_retry_that_waits_does_not_miss_a_key(void **state)
{
	char first[ID_SIZE], ends[ID_SIZE], key_to[ID_SIZE];
	PGconn *holder, *retry;
	const char *statement;

	(void)state;
	begin();
#define LATER "{\"type\":\"noop\",\"delay_seconds\":1000"
	post(&me, JSON_TYPE, LATER "}");
	snprintf(first, sizeof(first), "%s", ledger_accept(id_in(&me)));
	post(&me, JSON_TYPE, LATER ",\"unique_key\":\"k\"}");
	snprintf(ends, sizeof(ends), "%s", ledger_accept(id_in(&me)));
	must_cancel(first);
	holder = open_transaction(text(
	    "SELECT FROM taskflow.tasks WHERE id = '%s' FOR UPDATE", first));
	retry = PQconnectdb(stack_env("TASKFLOW_PG_DIRECT_URL"));
	statement = text("SELECT r.ord FROM taskflow.retry_tasks("
			 "ARRAY['%s','%s']::uuid[], ARRAY(SELECT user_id FROM "
			 "taskflow.tasks WHERE id IN ('%s','%s')), "
			 "ARRAY['a','b'], ARRAY['a','b'], '%s', '%s') r "
			 "WHERE retried ORDER BY 1",
	    first, ends, first, ends, first, ends);
	assert_int_equal(PQsendQuery(retry, statement), 1);
	UNTIL(sql_int("SELECT count(*) FROM pg_locks WHERE pid = %d AND NOT "
		      "granted",
		  PQbackendPID(retry)) > 0);
	must_cancel(ends);
	assert_int_equal(
	    post(&me, JSON_TYPE, LATER ",\"unique_key\":\"k\"}"), 201);
	snprintf(key_to, sizeof(key_to), "%s", ledger_accept(id_in(&me)));
	PQclear(PQexec(holder, "COMMIT"));
	PQfinish(holder);
	PQclear(PQgetResult(retry));
	PQfinish(retry);
	assert_string_equal(
	    sql("SELECT string_agg(id::text, ' ') FROM taskflow.tasks "
		"WHERE unique_key = 'k' AND status < 5"),
	    key_to);
	assert_int_equal(sql_int("SELECT status FROM taskflow.tasks "
				 "WHERE id = '%s'",
			     first),
	    1);
	make_due(first);
	make_due(key_to);
	task_wait(first);
	task_wait(key_to);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(an_answer_that_was_lost_is_asked_for_again),
	cmocka_unit_test(a_key_that_is_being_worked_on_is_refused),
	cmocka_unit_test(one_that_is_bad_fails_alone),
	cmocka_unit_test(one_that_is_blocked_is_refused_alone),
	cmocka_unit_test(what_is_over_is_swept),
	cmocka_unit_test(a_task_that_lives_again_needs_its_key),
	cmocka_unit_test(a_retry_that_waits_does_not_miss_a_key),
};

int
main(int argc, char **argv)
{
	struct group g = { "keyed-faults", "api=2 manager=1 worker=1",
		SHORT_TIMES "concurrency = 8\n" LEDGER_CONF, tests,
		NELEM(tests) };

	return group_run(&g, argc, argv);
}
