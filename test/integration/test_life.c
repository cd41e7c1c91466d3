/* The life of a task when nothing goes wrong but the task itself. */
#include <math.h>

#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

/* ---- results ---- */
static void
completes(const char *type, const char *payload, const char *result)
{
	const char *id = submit(type, payload, NULL);
	const cJSON *task = task_wait(id);

	assert_string_equal(str_of(task, "status"), "COMPLETED");
	assert_string_equal(raw_of("result"), result);
	assert_string_equal(raw_of("payload"), payload);
	assert_null(str_of(task, "error"));
	assert_int_equal(int_of(task, "attempt"), 1);
	assert_string_equal(
	    task_events(id), "CREATED/0 PICKED_UP/1 COMPLETED/1");
}

static void
fails(
    const char *type, const char *payload, const char *more, const char *error)
{
	const char *id = submit(type, payload, more);
	const cJSON *task = task_wait(id);

	assert_string_equal(str_of(task, "status"), "FAILED");
	assert_string_equal(raw_of("result"), "null");
	assert_string_equal(str_of(task, "error"), error);
}

static void
built_in_handlers(void **state)
{
	const char *id;

	(void)state;
	completes("noop", "null", "null");
	completes("echo", "{\"a\":[1,2]}", "{\"a\":[1,2]}");
	completes("sleep", "{\"ms\":30}", "null");
	completes("sleep", "{\"seconds\":0.01}", "null");
	id = submit("cpu", "{\"ms\":20}", NULL);
	assert_true(int_of(cJSON_GetObjectItem(task_wait(id), "result"),
			"iterations") > 0);
	fails("fail", "{\"message\":\"no luck\"}", "\"max_attempts\":1",
	    "no luck");
	fails("sleep", "\"long\"", NULL,
	    "bad payload; allowed is: {\"seconds\": N} or {\"ms\": N}, up to "
	    "30 days");
	all_ended();
}

static void
exec_handlers(void **state)
{
	const char *id;

	(void)state;
	/* Standard input is the payload as it was sent: five words. */
	completes("wordcount", "\"one two\\n three  four five\"", "5\n");
	completes("plain", "1", "\"no JSON, \\\"quoted\\\"\"");
	id = submit("about", "1", "\"queue\":\"default\"");
	task_wait(id);
	assert_string_equal(raw_of("result"), text("\"%s about 1\"", id));
	all_ended();
}

static void
exec_failures(void **state)
{
	const char *id;

	(void)state;
	id = submit("dataerr", "null", "\"max_attempts\":5");
	assert_string_equal(str_of(task_wait(id), "status"), "FAILED");
	assert_string_equal(
	    str_of(http_json(&me), "error"), "exit status 65: bad data, sorry");
	assert_string_equal(task_events(id), "CREATED/0 PICKED_UP/1 FAILED/1");
	id = submit("exit3", "null", "\"max_attempts\":2");
	assert_string_equal(str_of(task_wait(id), "status"), "FAILED");
	assert_string_equal(str_of(http_json(&me), "error"), "exit status 3");
	assert_string_equal(task_events(id),
	    "CREATED/0 PICKED_UP/1 RETRIED/1 QUEUED/1 PICKED_UP/2 FAILED/2");
	/* It ignores SIGTERM, so it is killed. */
	id = submit("stubborn", "null", "\"max_attempts\":1");
	assert_string_equal(str_of(task_wait(id), "status"), "FAILED");
	assert_non_null(strstr(str_of(http_json(&me), "error"), "time"));
	all_ended();
}

static void
process_handlers(void **state)
{
	const char *id, *first, *pid;

	(void)state;
	completes("lines", "{\"do\":\"echo\",\"x\":[1 , 2.50]}",
	    "{\"do\":\"echo\",\"x\":[1 , 2.50]}");
	fails("lines", "{\"do\":\"error\"}", "\"max_attempts\":1", "as asked");
	first = submit("lines", "{\"do\":\"pid\"}", NULL);
	task_wait(first);
	pid = raw_of("result");
	/* The same process goes on. */
	id = submit("lines", "{\"do\":\"pid\"}", NULL);
	task_wait(id);
	assert_string_equal(raw_of("result"), pid);
	/* It dies with the task; the next attempt has another one. */
	id = submit("lines", "{\"do\":\"die\"}", NULL);
	assert_string_equal(str_of(task_wait(id), "status"), "COMPLETED");
	assert_int_equal(int_of(http_json(&me), "attempt"), 2);
	assert_string_not_equal(raw_of("result"), pid);
	id = submit("lines", "{\"do\":\"progress\"}", NULL);
	task_wait(id);
	assert_string_equal(
	    task_events(id), "CREATED/0 PICKED_UP/1 PROGRESS/1 COMPLETED/1");
	all_ended();
}

static void
an_unknown_type_fails_for_good(void **state)
{
	const char *id = submit("nobody.knows", "1", NULL);

	(void)state;
	assert_string_equal(str_of(task_wait(id), "status"), "FAILED");
	assert_non_null(
	    strstr(str_of(http_json(&me), "error"), "nobody.knows"));
	assert_string_equal(task_events(id), "CREATED/0 PICKED_UP/1 FAILED/1");
	all_ended();
}

static void
payloads_are_kept_byte_for_byte(void **state)
{
	static const char *const payloads[] = {
		"123456789012345678901234567890.10",
		"-0",
		"1E400",
		"{ \"a\" : 1,\t\"a\" : 2 }",
		"[ ]",
		"\"\\u00e9\\/\\ud83d\\ude00 \xc3\xa9\"",
		"[0.10,1e5,1E+5]",
		"{\"z\":1,\"a\":{\"y\":null,\"b\":true}}",
	};
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(payloads); i++) {
		completes("echo", payloads[i], payloads[i]);
		completes("cat", payloads[i], payloads[i]);
	}
	all_ended();
}

static void
a_large_payload_comes_through(void **state)
{
	enum { SIZE = 1000 * 1000 };
	char *payload = malloc(SIZE + 3);
	const char *id;

	(void)state;
	memset(payload, 'x', SIZE + 2);
	payload[0] = payload[SIZE + 1] = '"';
	payload[SIZE + 2] = '\0';
	id = submit("cat", payload, NULL);
	task_wait(id);
	assert_string_equal(str_of(task_get(id), "status"), "COMPLETED");
	assert_int_equal(
	    strlen(cJSON_GetObjectItem(http_json(&me), "result")->valuestring),
	    SIZE);
	free(payload);
	all_ended();
}

/* ---- retries ---- */
static void
a_task_is_tried_again_until_it_succeeds(void **state)
{
	const char *id =
	    submit("fail", "{\"times\":2,\"message\":\"not yet\"}", NULL);
	const cJSON *task = task_wait(id);

	(void)state;
	assert_string_equal(str_of(task, "status"), "COMPLETED");
	assert_int_equal(int_of(task, "attempt"), 3);
	assert_int_equal(int_of(task, "attempts_used"), 3);
	assert_string_equal(task_events(id),
	    "CREATED/0 PICKED_UP/1 RETRIED/1 QUEUED/1 PICKED_UP/2 RETRIED/2 "
	    "QUEUED/2 PICKED_UP/3 COMPLETED/3");
	all_ended();
}

static void
a_task_that_always_fails_ends(void **state)
{
	const char *id = submit("fail", "{}", "\"max_attempts\":4");

	(void)state;
	task_wait(id);
	assert_string_equal(str_of(task_get(id), "status"), "FAILED");
	assert_int_equal(int_of(http_json(&me), "attempt"), 4);
	assert_string_equal(task_events(id),
	    "CREATED/0 PICKED_UP/1 RETRIED/1 QUEUED/1 PICKED_UP/2 RETRIED/2 "
	    "QUEUED/2 PICKED_UP/3 RETRIED/3 QUEUED/3 PICKED_UP/4 FAILED/4");
	id = submit("fail", "{\"for_good\":true}", "\"max_attempts\":4");
	task_wait(id);
	assert_string_equal(task_events(id), "CREATED/0 PICKED_UP/1 FAILED/1");
	all_ended();
}

static void
a_task_that_takes_too_long_is_stopped(void **state)
{
	const char *id = submit("sleep", "{\"seconds\":3600}",
	    "\"timeout_seconds\":1,\"max_attempts\":2");

	(void)state;
	task_wait(id);
	assert_string_equal(str_of(task_get(id), "status"), "FAILED");
	assert_string_equal(task_events(id),
	    "CREATED/0 PICKED_UP/1 RETRIED/1 QUEUED/1 PICKED_UP/2 FAILED/2");
	all_ended();
}

/* ---- times ---- */

/* The daemon's own record says it: not one began before its time. */
static void
scheduled_tasks_do_not_begin_early(void **state)
{
	const char *at, *id;
	int i;

	(void)state;
	for (i = 0; i < 10; i++)
		submit(
		    "noop", "null", text("\"delay_seconds\":%d.%d", i % 3, i));
	at = sql("SELECT to_char(now() AT TIME ZONE 'UTC' + '2 s'::interval, "
		 "'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')");
	id = submit("noop", "null",
	    text("\"scheduled_at\":\"%s\",\"priority\":\"high\"", at));
	assert_string_equal(str_of(http_json(&me), "status"), "PENDING");
	assert_memory_equal(str_of(http_json(&me), "scheduled_at"), at, 23);
	task_wait(id);
	assert_string_equal(
	    task_events(id), "CREATED/0 QUEUED/0 PICKED_UP/1 COMPLETED/1");
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE started_at < scheduled_at"),
	    0);
}

static void
a_time_that_is_over_means_now(void **state)
{
	const char *id = submit("noop", "null",
	    "\"scheduled_at\":\"2001-02-03T04:05:06.789+01:00\"");

	(void)state;
	assert_string_equal(str_of(http_json(&me), "status"), "QUEUED");
	task_wait(id);
	assert_string_equal(
	    task_events(id), "CREATED/0 PICKED_UP/1 COMPLETED/1");
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(built_in_handlers),
	cmocka_unit_test(exec_handlers),
	cmocka_unit_test(exec_failures),
	cmocka_unit_test(process_handlers),
	cmocka_unit_test(an_unknown_type_fails_for_good),
	cmocka_unit_test(payloads_are_kept_byte_for_byte),
	cmocka_unit_test(a_large_payload_comes_through),
	cmocka_unit_test(a_task_is_tried_again_until_it_succeeds),
	cmocka_unit_test(a_task_that_always_fails_ends),
	cmocka_unit_test(a_task_that_takes_too_long_is_stopped),
	cmocka_unit_test(scheduled_tasks_do_not_begin_early),
	cmocka_unit_test(a_time_that_is_over_means_now),
};

static const char conf[] =
    "retry_base = 50ms\n"
    "retry_max = 200ms\n"
    "max_body = 2MiB\n"
    "[handler wordcount]\n"
    "command = /usr/bin/wc -w\n"
    "timeout = 30s\n"
    "concurrency = 4\n"
    "[handler cat]\n"
    "command = /bin/cat\n"
    "[handler plain]\n"
    "command = /usr/bin/printf \"no JSON, \\042quoted\\042\"\n"
    "[handler about]\n"
    "command = /bin/sh -c \"printf '\\042%s %s %s\\042' $TASKFLOW_TASK_ID "
    "$TASKFLOW_TYPE $TASKFLOW_ATTEMPT\"\n"
    "[handler dataerr]\n"
    "command = /bin/sh -c \"echo bad data, sorry >&2; exit 65\"\n"
    "[handler exit3]\n"
    "command = /bin/sh -c \"echo result; exit 3\"\n"
    "[handler stubborn]\n"
    "command = /bin/sh -c \"trap '' TERM; while :; do sleep 1; done\"\n"
    "timeout = 200ms\n"
    "grace = 100ms\n"
    "[handler lines]\n"
    "kind = process\n"
    "concurrency = 1\n"
    "command = /usr/bin/perl @TOP@/test/integration/lines.pl\n";

int
main(int argc, char **argv)
{
	struct group g = { "life", "api=1 manager=1 worker=1", conf, tests,
		NELEM(tests) };

	return group_run(&g, argc, argv);
}
