/*
 * From a request to what it caused: its name in the answer, in the log, in
 * problems and in the events of its tasks; and its trace, up to the handler.
 */
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

#define TRACE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
#define NAME "X-Request-Id: my.request_1-A\r\n"

static const char conf[] =
    "log_format = json\n" LEDGER_CONF "[handler trace]\n"
    "command = /bin/sh -c \"printf %s $TASKFLOW_TRACEPARENT\"\n"
    "[handler false]\ncommand = /bin/false\n";

static char name[128]; /* of the last request */

static void
call(const char *method, const char *path, const char *headers,
    const char *body, int status)
{
	assert_int_equal(http_call(&me, method, path, headers, body), status);
	assert_non_null(http_header(&me, "X-Request-Id"));
	snprintf(name, sizeof(name), "%s", http_header(&me, "X-Request-Id"));
}

/* The request of an event of a task; "" for null. */
static const char *
request_of(const char *id, const char *event)
{
	const cJSON *items, *e, *request;

	assert_int_equal(
	    http_call(&me, "GET", text("/tasks/%s/events", id), NULL, NULL),
	    200);
	items = cJSON_GetObjectItem(http_json(&me), "items");
	cJSON_ArrayForEach(e, items) if (strcmp(str_of(e, "event"), event) == 0)
	{
		request = cJSON_GetObjectItem(e, "request_id");
		assert_non_null(request);
		return cJSON_IsString(request) ? request->valuestring : "";
	}
	fail_msg("no event %s of %s", event, id);
	return NULL;
}

static char *
accepted(const char *headers)
{
	call("POST", "/tasks", text("%s%s", JSON_TYPE, headers),
	    "{\"type\":\"ledger\",\"payload\":\"n\"}", 201);
	return strdup(ledger_accept(str_of(http_json(&me), "id")));
}

static int64_t
stored(const char *id)
{
	return sql_int("SELECT count(*) FROM taskflow.task_events WHERE "
		       "task_id = '%s' AND request_id IS NOT NULL",
	    id);
}

static void
a_clients_name_is_everywhere(void **state)
{
	char *id;

	(void)state;
	id = accepted(NAME);
	assert_string_equal(name, "my.request_1-A");
	assert_string_equal(request_of(id, "CREATED"), "my.request_1-A");
	task_wait(id);
	assert_string_equal(request_of(id, "COMPLETED"), "");
	assert_int_equal(stored(id), 1);
	UNTIL(part_logged("api-1",
	    text("\"request_id\":\"my.request_1-A\",\"user\":\"%s\","
		 "\"task\":\"%s\"",
		sql("SELECT user_id FROM taskflow.tasks WHERE id = '%s'", id),
		id)));
	free(id);
	all_ended();
}

static void
a_name_of_ours_is_the_id_of_the_task(void **state)
{
	char *id;

	(void)state;
	id = accepted("");
	assert_string_equal(name, id);
	assert_string_equal(request_of(id, "CREATED"), id);
	assert_int_equal(stored(id), 0);
	free(id);
	all_ended();
}

/* Refused: what cannot stand in a log is not a name. */
static void
a_bad_name_is_replaced(void **state)
{
	static const char *const bad[] = { "a b", "", "a\"b", "\xc3\xa4", "a,b",
		"12345678901234567890123456789012345678901234567890"
		"123456789012345" };
	char *id;

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++) {
		id = accepted(text("X-Request-Id: %s\r\n", bad[i]));
		assert_string_equal(name, id);
		free(id);
	}
	all_ended();
}

static void
tasks_of_a_batch_tell_their_request(void **state)
{
	static const char body[] =
	    "{\"tasks\":[{\"type\":\"ledger\",\"payload\":\"n\"},"
	    "{\"type\":\"a b\"},{\"type\":\"ledger\",\"payload\":\"n\"},"
	    "{\"type\":\"ledger\",\"payload\":\"n\"}]}";
	const char *const headers[] = { JSON_TYPE, JSON_TYPE NAME };
	const cJSON *t;
	char ids[4][ID_SIZE];
	size_t n;

	(void)state;
	for (size_t i = 0; i < NELEM(headers); i++) {
		call("POST", "/tasks/batch", headers[i], body, 200);
		n = 0;
		cJSON_ArrayForEach(t,
		    cJSON_GetObjectItem(http_json(&me),
			"tasks")) if (cJSON_GetObjectItem(t, "id") != NULL)
		    snprintf(ids[n++], ID_SIZE, "%s",
			ledger_accept(str_of(t, "id")));
		assert_int_equal(n, 3);
		assert_true(i == 1 || strncmp(name, ids[0], 33) == 0);
		for (size_t j = 0; j < n; j++) {
			assert_string_equal(
			    request_of(ids[j], "CREATED"), name);
			assert_int_equal(stored(ids[j]), i);
			assert_true(j == 0 || strcmp(ids[j - 1], ids[j]) < 0);
		}
	}
	assert_string_equal(name, "my.request_1-A");
	all_ended();
}

static void
a_problem_names_its_request(void **state)
{
	(void)state;
	call("POST", "/tasks", JSON_TYPE NAME, "{", 400);
	assert_string_equal(
	    str_of(http_json(&me), "request_id"), "my.request_1-A");
	call("GET", "/nowhere", NULL, NULL, 404);
	assert_string_equal(str_of(http_json(&me), "request_id"), name);
	UNTIL(
	    part_logged("api-1",
		text("\"status\":404,\"ms\":0,\"request_id\":\"%s\"", name)) ||
	    part_logged("api-1", text("\"request_id\":\"%s\"", name)));
	all_ended();
}

static void
the_trace_comes_to_the_handler(void **state)
{
	const char *id;

	(void)state;
	call("POST", "/tasks", JSON_TYPE "traceparent: " TRACE "\r\n",
	    "{\"type\":\"trace\",\"payload\":1}", 201);
	id = ledger_accept(str_of(http_json(&me), "id"));
	task_wait(id);
	assert_string_equal(raw_of("result"), "\"" TRACE "\"");
	assert_string_equal(str_of(http_json(&me), "traceparent"), TRACE);
	/* One that is none is not handed on. */
	call("POST", "/tasks", JSON_TYPE "traceparent: 00-0-0-0\r\n",
	    "{\"type\":\"trace\",\"payload\":1}", 201);
	id = ledger_accept(str_of(http_json(&me), "id"));
	task_wait(id);
	assert_string_equal(raw_of("result"), "\"\"");
	all_ended();
}

/* What a worker says of a task that failed. */
static void
a_line_of_the_worker_names_task_and_attempt(void **state)
{
	const char *id;

	(void)state;
	id = submit("false", "\"n\"", "\"max_attempts\":1");
	task_wait(id);
	UNTIL(part_logged("worker-1",
	    text("\"event\":\"attempt ended\",\"task\":\"%s\",\"type\":"
		 "\"false\",\"attempt\":1",
		id)));
	all_ended();
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_clients_name_is_everywhere),
		cmocka_unit_test(a_name_of_ours_is_the_id_of_the_task),
		cmocka_unit_test(a_bad_name_is_replaced),
		cmocka_unit_test(tasks_of_a_batch_tell_their_request),
		cmocka_unit_test(a_problem_names_its_request),
		cmocka_unit_test(the_trace_comes_to_the_handler),
		cmocka_unit_test(a_line_of_the_worker_names_task_and_attempt),
	};
	const struct group g = { "request", "api=1 manager=1 worker=1", conf,
		tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
