/* Retry, one or many, and delete: what is final, and nothing else. */
#include "act_fixture.h"

#define RACES 25
#define MANY 30

static const char *
fail_one(const char *more)
{
	const char *id = submit("fail", "null", more);

	task_wait(id);
	assert_string_equal(str_of(http_json(&me), "status"), "FAILED");
	return id;
}

static int
delete_task(const char *id)
{
	return http_call(&me, "DELETE", text("/tasks/%s", id), NULL, NULL);
}

static int64_t
rows_of(const char *id)
{
	return sql_int("SELECT (SELECT count(*) FROM taskflow.tasks WHERE id = "
		       "'%s') + (SELECT count(*) FROM taskflow.task_events "
		       "WHERE task_id = '%s')",
	    id, id);
}

/* ---- one ---- */
static void
a_failed_task_has_all_its_attempts_again(void **state)
{
	const char *id = fail_one("\"max_attempts\":2");

	(void)state;
	assert_int_equal(act("retry", id, NULL), 200);
	assert_int_equal(int_of(http_json(&me), "attempts_used") <= 2, true);
	UNTIL(count_events(id, 6) == 2);
	assert_string_equal(task_events(id),
	    "CREATED/0 PICKED_UP/1 RETRIED/1 QUEUED/1 PICKED_UP/2 FAILED/2 "
	    "RETRIED/2 QUEUED/2 PICKED_UP/3 RETRIED/3 QUEUED/3 PICKED_UP/4 "
	    "FAILED/4");
	assert_int_equal(int_of(task_get(id), "attempts_used"), 2);
	/* The answer may wait for the end. */
	assert_int_equal(act("retry", id, "Prefer: wait=60\r\n"), 200);
	assert_string_equal(str_of(http_json(&me), "status"), "FAILED");
	assert_int_equal(int_of(http_json(&me), "attempt"), 6);
	all_ended();
}

static void
a_cancelled_task_runs_or_waits_for_its_time(void **state)
{
	const char *id, *when;

	(void)state;
	hold("c", 1);
	id = submit("ledger", "\"c\"", NULL);
	UNTIL(runs_of(id) == 1);
	assert_int_equal(act("cancel", id, "Prefer: wait=60\r\n"), 200);
	assert_int_equal(act("retry", id, NULL), 200);
	task_wait(id);
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
	assert_string_equal(
	    raw_of("result"), "{\"name\":\"c\",\"attempt\":2}\n");
	assert_string_equal(raw_of("error"), "null");
	release("c", 1);
	id = submit("noop", "null", "\"delay_seconds\":3600");
	when = text("%s", str_of(task_get(id), "scheduled_at"));
	assert_int_equal(act("cancel", id, NULL), 200);
	assert_int_equal(act("retry", id, NULL), 200);
	assert_string_equal(str_of(http_json(&me), "status"), "PENDING");
	assert_string_equal(str_of(http_json(&me), "due_at"), when);
	assert_int_equal(act("cancel", id, NULL), 200);
	all_ended();
}

static void
only_what_is_final_is_retried_or_deleted(void **state)
{
	const char *waits, *runs, *done = submit("noop", "null", NULL);
	struct http other;

	(void)state;
	task_wait(done);
	hold("o", 1);
	runs = submit("ledger", "\"o\"", NULL);
	waits = submit("noop", "null", "\"delay_seconds\":3600");
	UNTIL(runs_of(runs) == 1);
	assert_int_equal(act("retry", done, NULL), 409);
	assert_non_null(strstr(str_of(http_json(&me), "detail"), "COMPLETED"));
	assert_int_equal(act("retry", runs, NULL), 409);
	assert_int_equal(act("retry", waits, NULL), 409);
	assert_int_equal(delete_task(runs), 409);
	assert_non_null(
	    strstr(str_of(http_json(&me), "detail"), "IN_PROGRESS"));
	assert_int_equal(delete_task(waits), 409);
	assert_non_null(
	    strstr(str_of(http_json(&me), "detail"), "cancel it first"));
	client_user(&other, me.port, "other");
	assert_int_equal(http_call(&other, "POST",
			     text("/tasks/%s/retry", done), NULL, NULL),
	    404);
	assert_int_equal(
	    http_call(&other, "DELETE", text("/tasks/%s", done), NULL, NULL),
	    404);
	assert_int_equal(http_call(&other, "GET",
			     text("/tasks/%s/explain", done), NULL, NULL),
	    404);
	http_fini(&other);
	assert_int_equal(act("cancel", waits, NULL), 200);
	release("o", 1);
	all_ended();
}

/* An answer that got lost on the way: the statement is sent again. */
static void
a_retry_that_is_sent_again_is_one(void **state)
{
	const char *id = fail_one("\"max_attempts\":1");
	int i;

	(void)state;
	for (i = 0; i < 2; i++)
		assert_string_equal(
		    sql("SELECT retried FROM taskflow.retry_tasks("
			"ARRAY['%s'::uuid], ARRAY(SELECT user_id FROM "
			"taskflow.tasks WHERE id = '%s'), ARRAY['a test'], "
			"ARRAY['a request'], '%s', '%s')",
			id, id, id, id),
		    "t");
	/* Nobody has told the scheduler. */
	UNTIL(count_events(id, 6) == 2);
	assert_string_equal(task_events(id),
	    "CREATED/0 PICKED_UP/1 FAILED/1 RETRIED/1 QUEUED/1 PICKED_UP/2 "
	    "FAILED/2");
	all_ended();
}

static void
a_deleted_task_is_gone(void **state)
{
	const char *id = submit_loose("{\"type\":\"noop\"}");

	(void)state;
	task_wait(id);
	assert_int_equal(delete_task(id), 204);
	assert_int_equal(me.body_len, 0);
	assert_int_equal(rows_of(id), 0);
	assert_int_equal(delete_task(id), 404);
	assert_int_equal(act("retry", id, NULL), 404);
	assert_int_equal(
	    http_call(&me, "GET", text("/tasks/%s", id), NULL, NULL), 404);
	assert_int_equal(
	    http_call(&me, "GET", text("/tasks/%s/events", id), NULL, NULL),
	    404);
	all_ended();
}

/* ---- many ---- */
static int64_t
retry_many(const char *filter, const char *member)
{
	int status = http_call(&me, "POST", "/tasks/retry", JSON_TYPE, filter);

	if (status != 200)
		fail_msg("%s: %d %s", filter, status, me.body);
	return int_of(http_json(&me), member);
}

static bool
says_more(void)
{
	return strcmp(raw_of("has_more"), "true") == 0;
}

static void
many_are_found_by_a_filter(void **state)
{
	const char *before, *dry = "\"dry_run\":true";
	int i;

	(void)state;
	tables_clear();
	for (i = 0; i < MANY; i++)
		submit(i < 10 ? "fail" : "unheard-of", "null",
		    i % 2 == 0 ? "\"max_attempts\":1"
			       : "\"max_attempts\":1,\"priority\":\"high\"");
	submit("noop", "null", NULL);
	assert_int_equal(
	    act("cancel", submit("noop", "null", "\"delay_seconds\":3600"),
		NULL),
	    200);
	UNTIL(tasks_with("FAILED") == MANY);
#define DRY(more) retry_many(text("{%s" more "}", dry), "matched")
	assert_int_equal(DRY(""), MANY);
	assert_int_equal(
	    cJSON_GetArraySize(cJSON_GetObjectItem(http_json(&me), "ids")), 20);
	assert_false(says_more());
	assert_int_equal(DRY(",\"status\":\"CANCELLED\""), 1);
	assert_int_equal(DRY(",\"type\":\"fail\""), 10);
	assert_int_equal(DRY(",\"type\":\"fail\",\"priority\":\"high\""), 5);
	assert_int_equal(DRY(",\"queue\":\"default\""), MANY);
	assert_int_equal(DRY(",\"queue\":\"other\""), 0);
	assert_int_equal(
	    DRY(",\"created_before\":\"1960-01-01T00:00:00Z\""), 0);
	assert_int_equal(
	    DRY(",\"created_after\":\"1960-01-01T00:00:00Z\""), MANY);
	assert_int_equal(DRY(",\"created_after\":\"9998-01-01T00:00:00Z\""), 0);
	before = sql("SELECT to_char(created_at AT TIME ZONE 'UTC', "
		     "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') FROM taskflow.tasks "
		     "ORDER BY id OFFSET 10 LIMIT 1");
	assert_int_equal(
	    retry_many(
		text("{%s,\"created_before\":\"%s\"}", dry, before), "matched"),
	    10);
	assert_int_equal(DRY(",\"limit\":7"), 7);
	assert_true(says_more());
	/* Nothing was touched. */
	assert_int_equal(tasks_with("FAILED"), MANY);
	all_ended();
}

static void
many_are_retried_part_by_part(void **state)
{
	const char *cursor = NULL;
	int64_t done = 0;
	int i;

	(void)state;
	tables_clear();
	for (i = 0; i < MANY; i++)
		submit("fail", "null", "\"max_attempts\":1");
	UNTIL(tasks_with("FAILED") == MANY);
	do {
		done += retry_many(cursor == NULL
			? "{\"limit\":7}"
			: text("{\"limit\":7,\"cursor\":\"%s\"}", cursor),
		    "retried");
		cursor = says_more()
		    ? text("%s", str_of(http_json(&me), "next_cursor"))
		    : NULL;
	} while (cursor != NULL);
	assert_int_equal(done, MANY);
	UNTIL(sql_int("SELECT count(*) FROM taskflow.task_events "
		      "WHERE kind = 6") == 2 * MANY);
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE attempt <> 2"),
	    0);
	all_ended();
}

static void
bad_filters_are_refused(void **state)
{
	static const struct {
		const char *body, *pointer;
		int status;
	} cases[] = {
		{ "", "", 400 },
		{ "[]", "", 400 },
		{ "{\"status\":\"QUEUED\"}", "/status", 422 },
		{ "{\"type\":\"a b\"}", "/type", 422 },
		{ "{\"queue\":1}", "/queue", 422 },
		{ "{\"priority\":\"middle\"}", "/priority", 422 },
		{ "{\"created_after\":\"today\"}", "/created_after", 422 },
		{ "{\"created_before\":1}", "/created_before", 422 },
		{ "{\"limit\":0}", "/limit", 422 },
		{ "{\"limit\":1001}", "/limit", 422 },
		{ "{\"cursor\":\"x\"}", "/cursor", 422 },
		{ "{\"dry_run\":1}", "/dry_run", 422 },
		{ "{\"dryrun\":true}", "/dryrun", 422 },
	};
	size_t i;
	int status;

	(void)state;
	for (i = 0; i < NELEM(cases); i++) {
		status = http_call(
		    &me, "POST", "/tasks/retry", JSON_TYPE, cases[i].body);
		if (status != cases[i].status ||
		    strstr(me.body,
			text("\"pointer\":\"%s\"", cases[i].pointer)) == NULL)
			fail_msg("%s: %d %s", cases[i].body, status, me.body);
	}
	all_ended();
}

/* ---- races ---- */
static void
of_two_retries_one_is_done(void **state)
{
	const char *id;
	struct shot a, b;
	int i;

	(void)state;
	part_stop(
	    "worker-1"); /* so that the loser finds what the winner left */
	for (i = 0; i < RACES; i++) {
		id = submit("noop", "null", NULL);
		assert_int_equal(act("cancel", id, NULL), 200);
		a = shot(1, "POST", id, "retry");
		b = shot(2, "POST", id, "retry");
		fire_both(&a, &b);
		if (a.status + b.status != 200 + 409)
			fail_msg("answers %d and %d", a.status, b.status);
		assert_int_equal(count_events(id, 7), 1);
	}
	part_start("worker-1");
	all_ended();
	assert_int_equal(tasks_with("CANCELLED"), 0);
}

static void
delete_and_retry_exclude_each_other(void **state)
{
	const char *id;
	struct shot a, b;
	int i, deleted = 0;

	(void)state;
	for (i = 0; i < RACES; i++) {
		id = submit_loose("{\"type\":\"sleep\",\"payload\":{\"ms\":50},"
				  "\"delay_seconds\":3600}");
		assert_int_equal(act("cancel", id, NULL), 200);
		a = shot(1, "DELETE", id, "");
		b = shot(2, "POST", id, "retry");
		fire_both(&a, &b);
		deleted += a.status == 204;
		if (a.status == 204 ? b.status != 404
				    : a.status != 409 || b.status != 200)
			fail_msg("answers %d and %d", a.status, b.status);
		if (a.status == 204)
			assert_int_equal(rows_of(id), 0);
		else
			assert_int_equal(act("cancel", id, NULL), 200);
	}
	print_message("%d of %d were deleted\n", deleted, RACES);
	all_ended();
}

/* A retry, and a cancel right after it, or before. */
static void
cancel_and_retry_come_in_some_order(void **state)
{
	const char *id;
	struct shot a, b;
	int i;

	(void)state;
	for (i = 0; i < RACES; i++) {
		id = submit("sleep", "{\"ms\":20}", NULL);
		a = shot(1, "POST", id, "cancel");
		b = shot(2, "POST", id, "retry");
		fire_both(&a, &b);
		if (b.status != 200 && b.status != 409)
			fail_msg("answers %d and %d", a.status, b.status);
		assert_int_equal(count_events(id, 7), b.status == 200);
	}
	all_ended();
}

/* ---- tasks with a unique_key ---- */
#define KEYED "\"max_attempts\":1,\"unique_key\":\"k\""
#define LIVE_KEYED \
	"{\"type\":\"noop\",\"delay_seconds\":3600,\"unique_key\":\"k\"}"

static int64_t
live_with_key(void)
{
	return sql_int("SELECT count(*) FROM taskflow.tasks "
		       "WHERE unique_key = 'k' AND status < 5");
}

static void
a_key_that_is_held_stops_a_retry(void **state)
{
	const char *failed, *live;

	(void)state;
	tables_clear();
	failed = fail_one(KEYED);
	live = submit_loose(LIVE_KEYED);
	assert_int_equal(act("retry", failed, NULL), 409);
	assert_string_equal(
	    str_of(http_json(&me), "type"), "urn:taskflow:problem:unique-key");
	assert_string_equal(str_of(task_get(failed), "status"), "FAILED");
	assert_int_equal(count_events(failed, 7), 0);
	/* Many: it says how many it has retried, and that is none. */
	assert_int_equal(retry_many("{}", "retried"), 0);
	assert_string_equal(str_of(task_get(failed), "status"), "FAILED");
	/* The holder has gone. */
	assert_int_equal(act("cancel", live, NULL), 200);
	assert_int_equal(retry_many("{}", "retried"), 1);
	UNTIL(count_events(failed, 6) == 2);
	tables_clear();
	all_ended();
}

static void
of_two_with_one_key_one_comes_back(void **state)
{
	const char *a, *b;

	(void)state;
	a = fail_one(KEYED);
	b = fail_one(KEYED);
	part_stop("worker-1");
	assert_int_equal(retry_many("{}", "retried"), 1);
	assert_int_equal(
	    cJSON_GetArraySize(cJSON_GetObjectItem(http_json(&me), "ids")), 1);
	assert_int_equal(count_events(a, 7) + count_events(b, 7), 1);
	assert_int_equal(live_with_key(), 1);
	assert_int_equal(tasks_with("FAILED"), 1);
	assert_int_equal(retry_many("{}", "retried"), 0);
	tables_clear();
	part_start("worker-1");
	all_ended();
}

static void *
submit_keyed(void *arg)
{
	struct http h;

	http_init(&h, part_port("api-2"));
	h.token = strdup(me.token);
	*(int *)arg = http_call(&h, "POST", "/tasks", JSON_TYPE, LIVE_KEYED);
	http_fini(&h);
	return NULL;
}

/* A retry at one API, a submit with its key at the other: one of them. */
static void
a_retry_and_a_submit_share_a_key(void **state)
{
	int i, submitted = 0, status;
	const char *id;
	pthread_t thread;

	(void)state;
	for (i = 0; i < RACES; i++) {
		tables_clear();
		id = submit_loose(LIVE_KEYED);
		assert_int_equal(act("cancel", id, NULL), 200);
		assert_int_equal(
		    pthread_create(&thread, NULL, submit_keyed, &status), 0);
		act("retry", id, NULL);
		pthread_join(thread, NULL);
		submitted += status == 201;
		if (me.status + status !=
		    (status == 201 ? 409 + 201 : 200 + 409))
			fail_msg("answers %d and %d", me.status, status);
		assert_int_equal(live_with_key(), 1);
	}
	print_message("%d of %d were submitted\n", submitted, RACES);
	tables_clear();
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_key_that_is_held_stops_a_retry),
	cmocka_unit_test(of_two_with_one_key_one_comes_back),
	cmocka_unit_test(a_retry_and_a_submit_share_a_key),
	cmocka_unit_test(a_failed_task_has_all_its_attempts_again),
	cmocka_unit_test(a_cancelled_task_runs_or_waits_for_its_time),
	cmocka_unit_test(only_what_is_final_is_retried_or_deleted),
	cmocka_unit_test(a_retry_that_is_sent_again_is_one),
	cmocka_unit_test(a_deleted_task_is_gone),
	cmocka_unit_test(many_are_found_by_a_filter),
	cmocka_unit_test(many_are_retried_part_by_part),
	cmocka_unit_test(bad_filters_are_refused),
	cmocka_unit_test(of_two_retries_one_is_done),
	cmocka_unit_test(delete_and_retry_exclude_each_other),
	cmocka_unit_test(cancel_and_retry_come_in_some_order),
};

int
main(int argc, char **argv)
{
	struct group g = { "retry", "api=2 manager=1 worker=1",
		SHORT_TIMES "concurrency = 4\n" LEDGER_CONF, tests,
		NELEM(tests) };

	return group_run(&g, argc, argv);
}
