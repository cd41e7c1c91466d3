/* Batches, and what dies while they are accepted: of each, all or nothing. */
#include <pthread.h>

#include "batch_fixture.h"

static void
a_batch_outlives_its_api_and_redis(void **state)
{
	char *body = body_of("noop", 200, "");
	int status;

	(void)state;
	tables_clear();
	status = http_call(&me, "POST", "/tasks/batch", JSON_TYPE, body);
	part_kill("api-1");
	assert_int_equal(status, 201);
	accept_items(&me);
	part_start("api-1");
	/* The push fails, which the client need not know. */
	part_kill("redis-low");
	batch(body, 201);
	free(body);
	part_start("redis-low");
	all_ended();
	assert_int_equal(tasks_with("COMPLETED"), 400);
}

static void
a_client_that_goes_leaves_all_or_nothing(void **state)
{
	char *body = body_of("noop", 100, "");
	struct http h;
	int i, status;

	(void)state;
	tables_clear();
	for (i = 0; i < 8; i++) {
		http_init(&h, me.port);
		h.token = strdup(me.token);
		h.timeout_ms = 1 + i % 3;
		status = http_call(&h, "POST", "/tasks/batch", JSON_TYPE, body);
		if (status == 201)
			accept_items(&h);
		else
			assert_int_equal(status, HTTP_LOST);
		http_fini(&h);
	}
	batch(body, 201);
	free(body);
	all_ended();
	assert_int_equal(
	    sql_int("SELECT count(*) %% 100 FROM taskflow.tasks"), 0);
}

struct sender {
	pthread_t thread;
	bool stop;
	int number;
	int64_t known, unknown;
};

static void
accept_quietly(struct http *h)
{
	const cJSON *one;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(http_json(h), "tasks"))
	    ledger_accept(cJSON_GetObjectItem(one, "id")->valuestring);
}

/* Batches of 50, each with a name of its own in the type. */
static void *
send_until_stopped(void *arg)
{
	struct sender *s = arg;
	char type[32], *body;
	struct http h;
	int i, status;

	http_init(&h, me.port);
	h.timeout_ms = 30 * 1000;
	h.token = strdup(me.token);
	for (i = 0; !__atomic_load_n(&s->stop, __ATOMIC_RELAXED); i++) {
		snprintf(type, sizeof(type), "batch-%d-%d", s->number, i);
		body = body_of(type, 50, ",\"max_attempts\":1");
		status = http_call(&h, "POST", "/tasks/batch", JSON_TYPE, body);
		free(body);
		if (status == 201)
			accept_quietly(&h);
		s->known += status == 201;
		s->unknown += status != 201 && status != HTTP_UNSENT;
		pause_ms(status == 201 ? 1 : POLL_MS);
	}
	http_fini(&h);
	return NULL;
}

/* Of each batch all or nothing is there; the ledger has those with an answer.
 * The types are unknown to the worker: they fail at once, which is an end. */
static void
batches_are_whole_whatever_dies(void **state)
{
	static const char *const parts[] = { "api-1", "pgbouncer", "api-1",
		"redis-low", "pgbouncer" };
	struct sender s[2] = { { .number = 0 }, { .number = 1 } };
	size_t i;

	(void)state;
	tables_clear();
	http_call(&me, "GET", "/livez", NULL, NULL);
	for (i = 0; i < NELEM(s); i++)
		assert_int_equal(pthread_create(&s[i].thread, NULL,
				     send_until_stopped, &s[i]),
		    0);
	for (i = 0; i < NELEM(parts); i++) {
		int64_t before = (int64_t)ledger_accepted();

		UNTIL((int64_t)ledger_accepted() > before + 100);
		part_kill(parts[i]);
		part_start(parts[i]);
	}
	for (i = 0; i < NELEM(s); i++)
		__atomic_store_n(&s[i].stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < NELEM(s); i++)
		pthread_join(s[i].thread, NULL);
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM (SELECT 1 FROM "
				 "taskflow.tasks GROUP BY type HAVING "
				 "count(*) <> 50) AS t"),
	    0);
	assert_in_range(sql_int("SELECT count(DISTINCT type) FROM "
				"taskflow.tasks"),
	    s[0].known + s[1].known,
	    s[0].known + s[1].known + s[0].unknown + s[1].unknown);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_batch_outlives_its_api_and_redis),
	cmocka_unit_test(a_client_that_goes_leaves_all_or_nothing),
	cmocka_unit_test(batches_are_whole_whatever_dies),
};

int
main(int argc, char **argv)
{
	struct group g = { "batch-faults", "api=1 manager=1 worker=1",
		SHORT_TIMES "concurrency = 8\n", tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
