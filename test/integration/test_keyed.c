/* Submits with keys, by way of two API processes: a unique_key has one live
 * task at most, and an Idempotency-Key makes a request that is sent again do
 * nothing new. */
#include "keyed_fixture.h"

/* ---- unique_key ---- */
static void
a_key_has_one_live_task(void **state)
{
	const char *first, *second;
	struct http stranger;

	(void)state;
	begin();
	hold("a", 1);
	post(&me, JSON_TYPE, UNIQUE("k\\u00e9"));
	must(&me, 201, NULL);
	first = ledger_accept(id_in(&me));
	assert_string_equal(str_of(http_json(&me), "unique_key"), "k\303\251");
	UNTIL(task_is(first, "IN_PROGRESS"));
	post(&other_api, JSON_TYPE, UNIQUE("k\303\251"));
	held_by(&other_api, first, "IN_PROGRESS");
	/* Another key, and the same one of another user, are free. */
	post(&me, JSON_TYPE, "{\"type\":\"noop\",\"unique_key\":\"k\"}");
	must(&me, 201, NULL);
	ledger_accept(id_in(&me));
	client_user(&stranger, me.port, "stranger");
	post(&stranger, JSON_TYPE,
	    "{\"type\":\"noop\",\"unique_key\":\"k\303\251\"}");
	must(&stranger, 201, NULL);
	ledger_accept(id_in(&stranger));
	http_fini(&stranger);
	assert_string_equal(str_of(task_get(first), "unique_key"), "k\303\251");
	release("a", 1);
	task_wait(first);
	post(&other_api, JSON_TYPE, UNIQUE("k\303\251"));
	must(&other_api, 201, NULL);
	second = ledger_accept(id_in(&other_api));
	assert_string_not_equal(first, second);
	all_ended();
	/* What is gone holds nothing. */
	sql("TRUNCATE taskflow.tasks, taskflow.task_events");
	post(&me, JSON_TYPE, UNIQUE("k\303\251"));
	must(&me, 201, NULL);
	task_wait(id_in(&me));
}

static void
a_key_is_held_until_the_end(void **state)
{
	const char *failing, *later;

	(void)state;
	begin();
	post(&me, JSON_TYPE,
	    "{\"type\":\"noop\",\"delay_seconds\":1000,\"unique_key\":\"k\"}");
	must(&me, 201, NULL);
	later = ledger_accept(id_in(&me));
	post(&me, JSON_TYPE, UNIQUE("k"));
	held_by(&me, later, "PENDING");
	make_due(later);
	task_wait(later);
	/* Failed, but tried again. */
	post(&me, JSON_TYPE,
	    "{\"type\":\"fail\",\"max_attempts\":2,\"unique_key\":\"k\"}");
	must(&me, 201, NULL);
	failing = ledger_accept(id_in(&me));
	do {
		post(&other_api, JSON_TYPE, UNIQUE("k"));
		if (other_api.status == 409)
			assert_non_null(strstr(other_api.body, failing));
	} while (other_api.status == 409);
	must(&other_api, 201, NULL);
	ledger_accept(id_in(&other_api));
	assert_true(task_is(failing, "FAILED"));
	all_ended();
}

#define RACERS 8
static struct racer racers[RACERS];

static void
racers_begin(void)
{
	for (int i = 0; i < RACERS; i++) {
		http_init(&racers[i].h, i % 2 ? me.port : other_api.port);
		racers[i].h.token = strdup(me.token);
		racers[i].h.timeout_ms = 30 * 1000;
		http_call(&racers[i].h, "GET", "/livez", NULL, NULL);
	}
}

/* All at once. How many were accepted; the first of them. */
static int
run_race(const char *headers, const char *body, const struct racer **ret)
{
	int i, accepted = 0;

	for (i = 0; i < RACERS; i++) {
		racers[i].body = body;
		racers[i].headers = headers;
		assert_int_equal(
		    pthread_create(&racers[i].thread, NULL, race, &racers[i]),
		    0);
	}
	for (i = 0; i < RACERS; i++)
		pthread_join(racers[i].thread, NULL);
	for (i = RACERS - 1; i >= 0; i--)
		if (racers[i].status == 201) {
			*ret = &racers[i];
			accepted++;
		}
	return accepted;
}

static void
racers_end(void)
{
	for (int i = 0; i < RACERS; i++)
		http_fini(&racers[i].h);
}

/* Half of the rounds find a key whose last task is final, the others a new one.
 * Whoever loses is told who has won. */
static void
of_many_at_once_one_wins(void **state)
{
	const struct racer *won = NULL;
	char body[128];
	int round, i;

	(void)state;
	begin();
	racers_begin();
	for (round = 0; round < 60; round++) {
		snprintf(body, sizeof(body),
		    "{\"type\":\"noop\",\"queue\":\"unserved\",\"unique_key\":"
		    "\"r%d\"}",
		    round / 2);
		assert_int_equal(run_race(JSON_TYPE, body, &won), 1);
		for (i = 0; i < RACERS; i++)
			if (&racers[i] != won) {
				assert_int_equal(racers[i].status, 409);
				assert_string_equal(racers[i].holder, won->id);
			}
		assert_int_equal(
		    sql_int("SELECT count(*) FROM taskflow.tasks WHERE "
			    "status < 5"),
		    1);
		sql("UPDATE taskflow.tasks SET status = 7");
	}
	racers_end();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 60);
	tables_clear();
	redis_int(LOW, "FLUSHALL");
	all_ended();
}

static void
keys_in_a_batch_are_each_for_itself(void **state)
{
	const char *first, *holder;
	const cJSON *items, *error;

	(void)state;
	begin();
	hold("a", 1);
	post(&me, JSON_TYPE, UNIQUE("x"));
	first = ledger_accept(id_in(&me));
	UNTIL(task_is(first, "IN_PROGRESS"));
	batch("{\"tasks\":["
	      "{\"type\":\"noop\"},{\"type\":\"noop\",\"unique_key\":\"x\"},"
	      "{\"type\":\"noop\",\"unique_key\":\"y\",\"delay_seconds\":0.5},"
	      "{\"type\":\"noop\",\"unique_key\":\"y\"},{\"type\":\"a b\"},"
	      "{\"type\":\"noop\",\"unique_key\":\"z\"}]}",
	    200);
	items = cJSON_GetObjectItem(http_json(&me), "tasks");
	assert_int_equal(int_of(http_json(&me), "accepted"), 3);
	error = cJSON_GetObjectItem(cJSON_GetArrayItem(items, 1), "error");
	assert_string_equal(str_of(error, "task_id"), first);
	assert_string_equal(str_of(error, "task_status"), "IN_PROGRESS");
	assert_string_equal(str_of(error, "pointer"), "/tasks/1/unique_key");
	assert_string_equal(
	    str_of(error, "type"), "urn:taskflow:problem:unique-key");
	/* The one before it in the same batch. */
	holder = str_of(cJSON_GetArrayItem(items, 2), "id");
	error = cJSON_GetObjectItem(cJSON_GetArrayItem(items, 3), "error");
	assert_string_equal(str_of(error, "task_id"), holder);
	assert_string_equal(str_of(error, "task_status"), "PENDING");
	release("a", 1);
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 4);
}

/* ---- Idempotency-Key ---- */
static void
the_same_request_gets_the_same_answer(void **state)
{
	char *body, *location;
	const char *id;

	(void)state;
	begin();
	post(&me,
	    with_key("\"order 17\"\r\ntraceparent: 00-0af7651916cd43dd8448eb2"
		     "11c80319c-b7ad6b7169203331-01"),
	    PLAIN);
	must(&me, 201, NULL);
	assert_null(http_header(&me, "Idempotent-Replayed"));
	id = ledger_accept(id_in(&me));
	body = strdup(me.body);
	location = strdup(http_header(&me, "Location"));
	task_wait(id);
	/* At another process, although the Redis know nothing any more. */
	redis_int(LOW, "FLUSHALL");
	post(&other_api, with_key("\"order 17\""), PLAIN);
	must(&other_api, 201, NULL);
	assert_string_equal(other_api.body, body);
	assert_string_equal(http_header(&other_api, "Location"), location);
	assert_string_equal(
	    http_header(&other_api, "Idempotent-Replayed"), "true");
	/* Who waits sees how the task of then has ended. */
	post(&other_api,
	    text("%sPrefer: wait=20\r\n", with_key("\"order 17\"")), PLAIN);
	must(&other_api, 201, NULL);
	assert_string_equal(id_in(&other_api), id);
	assert_non_null(strstr(other_api.body, "\"COMPLETED\""));
	/* Without the quotes it is the same key; of somebody else it is not. */
	post(&me, with_key("\"x-1\""), PLAIN);
	ledger_accept(id_in(&me));
	post(&other_api, with_key("x-1"), PLAIN);
	assert_string_equal(id_in(&other_api), id_in(&me));
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 2);
	free(body);
	free(location);
}

static void
another_request_with_the_key_is_refused(void **state)
{
	(void)state;
	begin();
	post(&me, with_key("k"), PLAIN);
	must(&me, 201, NULL);
	ledger_accept(id_in(&me));
	post(&other_api, with_key("k"), PLAIN " ");
	must(&other_api, 422, "idempotency-reuse");
	assert_int_equal(http_call(&other_api, "POST", "/tasks/batch",
			     with_key("k"), "{\"tasks\":[" PLAIN "]}"),
	    422);
	must(&other_api, 422, "idempotency-reuse");
	/* Its time is over. */
	sql("UPDATE taskflow.idempotency_keys SET expires_at = now()");
	post(&other_api, with_key("k"), PLAIN " ");
	must(&other_api, 201, NULL);
	assert_null(http_header(&other_api, "Idempotent-Replayed"));
	ledger_accept(id_in(&other_api));
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 2);
}

static void
bad_keys_are_refused(void **state)
{
	static const char *const bad[] = { "\"\"", "\"", "a b", "\"a\"b",
		"\"a\\b\"", "a\"b", "\"a\\\"", "\"\303\251\"", "a\\b", "\303" };
	char *longer = malloc(202);

	(void)state;
	begin();
	for (size_t i = 0; i < NELEM(bad); i++) {
		post(&me, with_key(bad[i]), PLAIN);
		must(&me, 400, "invalid");
		assert_non_null(strstr(me.body, "Idempotency-Key"));
	}
	memset(longer, 'x', 201);
	longer[201] = '\0';
	post(&me, with_key(longer), PLAIN);
	must(&me, 400, "invalid");
	longer[200] = '\0';
	post(&me, with_key(longer), PLAIN);
	must(&me, 201, NULL);
	ledger_accept(id_in(&me));
	/* What is refused before it begins leaves the key free. */
	post(&me, with_key("k"), "{\"type\":\"a b\"}");
	must(&me, 422, "unprocessable");
	post(&me, with_key("k"), PLAIN);
	must(&me, 201, NULL);
	ledger_accept(id_in(&me));
	free(longer);
	all_ended();
}

static void
of_many_at_once_one_runs(void **state)
{
	const struct racer *first = NULL;
	char headers[128];
	int round, i, fresh;

	(void)state;
	begin();
	racers_begin();
	for (round = 0; round < 30; round++) {
		snprintf(headers, sizeof(headers),
		    JSON_TYPE "Idempotency-Key: r%d\r\n", round);
		assert_int_equal(
		    run_race(headers, "{\"type\":\"noop\"}", &first), RACERS);
		for (i = fresh = 0; i < RACERS; i++) {
			fresh += !racers[i].replayed;
			assert_string_equal(racers[i].id, first->id);
		}
		assert_int_equal(fresh, 1);
		ledger_accept(first->id);
	}
	racers_end();
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 30);
}

static void
a_batch_is_repeated_whole(void **state)
{
	static const char body[] =
	    "{\"tasks\":[{\"type\":\"noop\",\"delay_seconds\":0.4},"
	    "{\"type\":\"a b\"},{\"type\":\"noop\",\"unique_key\":\"u\"},"
	    "{\"type\":\"ledger\",\"payload\":\"a\",\"unique_key\":\"v\"},"
	    "{\"type\":\"noop\",\"priority\":\"high\"}]}";
	const char *holder;
	char *answer;

	(void)state;
	begin();
	hold("a", 1);
	post(&me, JSON_TYPE, UNIQUE("v"));
	holder = ledger_accept(id_in(&me));
	UNTIL(task_is(holder, "IN_PROGRESS"));
	assert_int_equal(post_batch(&me, "b", body), 200);
	accept_items(&me);
	answer = strdup(me.body);
	assert_non_null(strstr(answer, holder));
	release("a", 1);
	task_wait(holder);
	assert_int_equal(post_batch(&other_api, "b", body), 200);
	assert_string_equal(other_api.body, answer);
	assert_string_equal(
	    http_header(&other_api, "Idempotent-Replayed"), "true");
	free(answer);
	/* Of this one nothing is accepted, so nothing is kept. */
	hold("a", 1);
	post(&me, JSON_TYPE, UNIQUE("v"));
	holder = ledger_accept(id_in(&me));
	assert_int_equal(
	    post_batch(&me, "c", "{\"tasks\":[" UNIQUE("v") "]}"), 422);
	post(&me, with_key("d"), UNIQUE("v"));
	must(&me, 409, "unique-key");
	release("a", 1);
	task_wait(holder);
	assert_int_equal(
	    post_batch(&me, "c", "{\"tasks\":[" UNIQUE("v") "]}"), 201);
	accept_items(&me);
	all_ended();
	assert_int_equal(
	    sql_int("SELECT count(*) FROM taskflow.idempotency_keys"), 2);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_key_has_one_live_task),
	cmocka_unit_test(a_key_is_held_until_the_end),
	cmocka_unit_test(of_many_at_once_one_wins),
	cmocka_unit_test(keys_in_a_batch_are_each_for_itself),
	cmocka_unit_test(the_same_request_gets_the_same_answer),
	cmocka_unit_test(another_request_with_the_key_is_refused),
	cmocka_unit_test(bad_keys_are_refused),
	cmocka_unit_test(of_many_at_once_one_runs),
	cmocka_unit_test(a_batch_is_repeated_whole),
};

int
main(int argc, char **argv)
{
	struct group g = { "keyed", "api=2 manager=1 worker=1",
		SHORT_TIMES "concurrency = 8\n" LEDGER_CONF, tests,
		NELEM(tests) };

	return group_run(&g, argc, argv);
}
