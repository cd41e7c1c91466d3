/* POST /tasks/batch: many tasks, each for itself. One worker that runs one task
 * at a time, so that there is an order. */
#include "batch_fixture.h"

#define BATCH_MAX 1000

static const cJSON *
item(int i)
{
	const cJSON *tasks = cJSON_GetObjectItem(http_json(&me), "tasks");

	assert_non_null(cJSON_GetArrayItem(tasks, i));
	return cJSON_GetArrayItem(tasks, i);
}

static void
batch_of(const char *type, int n, const char *more)
{
	char *body = body_of(type, n, more);

	batch(body, 201);
	free(body);
}

/* Item i was refused, with that type and pointer. */
static void
refused(int i, const char *type, int status, const char *pointer)
{
	const cJSON *e = cJSON_GetObjectItem(item(i), "error");

	if (e == NULL ||
	    strcmp(str_of(e, "type"), text("urn:taskflow:problem:%s", type)) !=
		0 ||
	    int_of(e, "status") != status ||
	    strcmp(str_of(e, "pointer"), pointer) != 0 ||
	    *str_of(e, "title") == '\0' || *str_of(e, "detail") == '\0')
		fail_msg("%d: not %s at %s: %.900s", i, type, pointer, me.body);
}

#define ORDER                                                        \
	"SELECT count(*) FROM (SELECT started_at < lag(started_at) " \
	"OVER (PARTITION BY queue, priority ORDER BY id) AS early "  \
	"FROM taskflow.tasks) AS t WHERE early"

/* ---- what is accepted ---- */
static void
a_thousand_are_accepted_and_run_in_order(void **state)
{
	int i;

	(void)state;
	tables_clear();
	batch_of("echo", BATCH_MAX, "");
	assert_int_equal(ledger_accepted(), BATCH_MAX);
	for (i = 0; i < BATCH_MAX; i += 111) {
		assert_string_equal(str_of(item(i), "status"), "QUEUED");
		assert_string_equal(str_of(item(i), "priority"), "low");
		assert_string_equal(str_of(item(i), "queue"), "default");
		assert_null(cJSON_GetObjectItem(item(i), "scheduled_at"));
		/* The answer is in the order of the items. */
		assert_int_equal(
		    sql_int("SELECT payload::text FROM taskflow.tasks "
			    "WHERE id = '%s'",
			str_of(item(i), "id")),
		    i);
	}
	assert_string_equal(
	    http_header(&me, "Content-Type"), "application/json");
	/* One transaction. */
	assert_int_equal(sql_int("SELECT count(DISTINCT at) FROM "
				 "taskflow.task_events WHERE kind = 1"),
	    1);
	all_ended();
	assert_int_equal(tasks_with("COMPLETED"), BATCH_MAX);
	assert_int_equal(sql_int(ORDER), 0);
	assert_true(part_logged("api-1", "\"tasks\":1000"));
}

static void
queues_priorities_and_times_are_mixed(void **state)
{
	static const char *const more[] = { "", ",\"queue\":\"mail\"",
		",\"priority\":\"high\"",
		",\"queue\":\"mail\",\"priority\":\"high\"",
		",\"delay_seconds\":0.4",
		",\"scheduled_at\":\"2001-01-01T00:00:00Z\"" };
	char *body = NULL;
	size_t size;
	FILE *f = open_memstream(&body, &size);
	int i;

	(void)state;
	tables_clear();
	fprintf(f, "{\"tasks\":[{\"type\":\"noop\"}");
	for (i = 1; i < 300; i++)
		fprintf(f, ",\n\t{ \"type\" : \"echo\",\"payload\":%d%s }", i,
		    more[(size_t)i % NELEM(more)]);
	fprintf(f, "] }\n");
	fclose(f);
	batch(body, 201);
	free(body);
	assert_string_equal(str_of(item(1), "queue"), "mail");
	assert_string_equal(str_of(item(2), "priority"), "high");
	assert_string_equal(str_of(item(4), "status"), "PENDING");
	assert_non_null(str_of(item(4), "scheduled_at"));
	assert_string_equal(str_of(item(5), "status"), "QUEUED");
	all_ended();
	assert_int_equal(tasks_with("COMPLETED"), 300);
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks WHERE "
				 "started_at < scheduled_at"),
	    0);
	sql("DELETE FROM taskflow.tasks WHERE scheduled_at > created_at");
	assert_int_equal(sql_int(ORDER), 0);
}

/* No queue of a thousand is served here, so nobody takes them away. */
static void
each_item_has_a_queue_of_its_own(void **state)
{
	char *body = NULL, *ids;
	size_t size;
	FILE *f = open_memstream(&body, &size);
	int i;

	(void)state;
	tables_clear();
	fprintf(f, "{\"tasks\":[{\"type\":\"noop\",\"queue\":\"q0\"}");
	for (i = 1; i < BATCH_MAX; i++)
		fprintf(f, ",{\"type\":\"noop\",\"queue\":\"q%d\"}", i % 500);
	fprintf(f, "]}");
	fclose(f);
	batch(body, 201);
	free(body);
	/* The answer does not wait for it. */
	UNTIL(redis_int(LOW, "KEYS taskflow:queue:*") == 500);
	assert_int_equal(redis_int(LOW, "LLEN taskflow:queue:q499"), 2);
	ids = redis_words(LOW, "LRANGE taskflow:queue:q0 0 -1");
	assert_string_equal(ids, text("%s %s", ledger_id(0), ledger_id(500)));
	free(ids);
	tables_clear();
	redis_int(LOW, "FLUSHALL");
	all_ended();
}

static void
headers_hold_for_all(void **state)
{
	static const char trace[] =
	    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	char *body = body_of("ledger", 3, "");

	(void)state;
	tables_clear();
	/* Nobody waits for the end of a batch. */
	batch_with(
	    text(JSON_TYPE "Prefer: wait=60\r\ntraceparent: %s\r\n", trace),
	    body, 201);
	free(body);
	assert_null(http_header(&me, "Preference-Applied"));
	assert_null(http_header(&me, "Location"));
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE traceparent = '%s'",
			     trace),
	    3);
	all_ended();
}

/* ---- what is refused ---- */
static void
bad_items_do_not_hold_up_the_others(void **state)
{
	(void)state;
	tables_clear();
	batch("{\"tasks\":[{\"type\":\"noop\"},{\"type\":\"a b\"},{},7,"
	      "{\"type\":\"noop\",\"type\":\"noop\"},[{\"type\":\"noop\"}],"
	      "{\"type\":\"noop\",\"a/b\":1},{\"type\":\"noop\"},"
	      "{\"type\":\"noop\",\"delay_seconds\":1,"
	      "\"scheduled_at\":\"2026-01-01T00:00:00Z\"},"
	      "{\"type\":\"noop\",\"max_attempts\":0},null,"
	      "{\"type\":\"echo\",\"payload\":[\"]}\"]}]}",
	    200);
	assert_int_equal(int_of(http_json(&me), "accepted"), 3);
	assert_int_equal(int_of(http_json(&me), "refused"), 9);
	refused(1, "unprocessable", 422, "/tasks/1/type");
	refused(2, "unprocessable", 422, "/tasks/2/type");
	refused(3, "invalid", 400, "/tasks/3");
	refused(4, "invalid", 400, "/tasks/4/type");
	refused(5, "invalid", 400, "/tasks/5");
	refused(6, "unprocessable", 422, "/tasks/6/a~1b");
	refused(8, "unprocessable", 422, "/tasks/8/delay_seconds");
	refused(9, "unprocessable", 422, "/tasks/9/max_attempts");
	refused(10, "invalid", 400, "/tasks/10");
	assert_non_null(str_of(item(0), "id"));
	assert_non_null(str_of(item(7), "id"));
	assert_non_null(str_of(item(11), "id"));
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 3);
	all_ended();
	assert_int_equal(tasks_with("COMPLETED"), 3);
}

static void
a_batch_of_bad_items_is_refused(void **state)
{
	char *body = body_of("a b", BATCH_MAX, "");

	(void)state;
	tables_clear();
	batch(body, 422);
	free(body);
	assert_string_equal(
	    http_header(&me, "Content-Type"), "application/json");
	assert_int_equal(int_of(http_json(&me), "accepted"), 0);
	assert_int_equal(int_of(http_json(&me), "refused"), BATCH_MAX);
	refused(999, "unprocessable", 422, "/tasks/999/type");
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 0);
	all_ended();
}

static void
refused_whole(const char *body, int status, const char *pointer)
{
	const cJSON *errors, *p;

	if (http_call(&me, "POST", "/tasks/batch", JSON_TYPE, body) != status)
		fail_msg("%.200s: %d %s", body, me.status, me.body);
	assert_string_equal(
	    http_header(&me, "Content-Type"), "application/problem+json");
	errors = cJSON_GetObjectItem(http_json(&me), "errors");
	p = cJSON_GetObjectItem(cJSON_GetArrayItem(errors, 0), "pointer");
	if (pointer != NULL && strcmp(p->valuestring, pointer) != 0)
		fail_msg("%.200s: %s", body, me.body);
}

static void
what_is_no_batch_is_refused_whole(void **state)
{
#define GOOD "{\"type\":\"noop\"}"
	static const struct {
		const char *body;
		int status;
		const char *pointer;
	} cases[] = {
		{ "", 400, "" },
		{ "[]", 400, "" },
		{ "[" GOOD "]", 400, "" },
		{ GOOD, 422, "/type" },
		{ "{\"tasks\":[" GOOD, 400, "" },
		{ "{\"tasks\":[" GOOD ",]}", 400, "" },
		{ "{\"tasks\":[" GOOD "]}]", 400, "" },
		{ "{\"tasks\":[" GOOD ",{\"type\":}]}", 400, "" },
		{ "{\"tasks\":[" GOOD "],\"tasks\":[" GOOD "]}", 400,
		    "/tasks" },
		{ "{\"tasks\":[" GOOD "],\"t\\u0061sks\":[" GOOD "]}", 400,
		    "/tasks" },
		{ "{\"tasks\":[" GOOD "],\"queue\":\"a\"}", 422, "/queue" },
		{ "{}", 422, "/tasks" },
		{ "{\"tasks\":[]}", 422, "/tasks" },
		{ "{\"tasks\":null}", 422, "/tasks" },
		{ "{\"tasks\":" GOOD "}", 422, "/tasks" },
		{ "{\"tasks\":\"[]\"}", 422, "/tasks" },
	};
	char *body = body_of("noop", BATCH_MAX + 1, "");

	(void)state;
	tables_clear();
	for (size_t i = 0; i < NELEM(cases); i++)
		refused_whole(cases[i].body, cases[i].status, cases[i].pointer);
	refused_whole(body, 422, "/tasks");
	free(body);
	assert_int_equal(http_call(&me, "POST", "/tasks/batch",
			     "Content-Type: text/plain\r\n", "x"),
	    415);
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 0);
	all_ended();
}

/* Nothing that passes our own checks is refused by the database as it is, so
 * it is made to. */
static void
the_database_refuses_some(void **state)
{
	char *body = body_of("echo", 100, ""), *cursed;

	(void)state;
	tables_clear();
	sql("ALTER TABLE taskflow.tasks ADD CONSTRAINT no_curse "
	    "CHECK (payload::text NOT IN ('17', '63', '64', '99')) NOT VALID");
	batch(body, 200);
	free(body);
	assert_int_equal(int_of(http_json(&me), "accepted"), 96);
	refused(17, "data", 422, "/tasks/17");
	refused(63, "data", 422, "/tasks/63");
	refused(64, "data", 422, "/tasks/64");
	refused(99, "data", 422, "/tasks/99");
	assert_non_null(
	    strstr(str_of(cJSON_GetObjectItem(item(17), "error"), "detail"),
		"no_curse"));
	cursed = body_of("noop", 5, ",\"queue\":\"cursed\"");
	sql("ALTER TABLE taskflow.tasks ADD CONSTRAINT no_queue "
	    "CHECK (queue <> 'cursed') NOT VALID");
	batch(cursed, 422);
	free(cursed);
	refused(4, "data", 422, "/tasks/4");
	sql("ALTER TABLE taskflow.tasks DROP CONSTRAINT no_curse, "
	    "DROP CONSTRAINT no_queue");
	all_ended();
	assert_int_equal(tasks_with("COMPLETED"), 96);
	assert_int_equal(sql_int(ORDER), 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_thousand_are_accepted_and_run_in_order),
	cmocka_unit_test(queues_priorities_and_times_are_mixed),
	cmocka_unit_test(each_item_has_a_queue_of_its_own),
	cmocka_unit_test(headers_hold_for_all),
	cmocka_unit_test(bad_items_do_not_hold_up_the_others),
	cmocka_unit_test(a_batch_of_bad_items_is_refused),
	cmocka_unit_test(what_is_no_batch_is_refused_whole),
	cmocka_unit_test(the_database_refuses_some),
};

int
main(int argc, char **argv)
{
	struct group g = { "batch", "api=1 manager=1 worker=1",
		SHORT_TIMES
		"concurrency = 1\nqueues = default,mail\n" LEDGER_CONF,
		tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
