/* GET /tasks/{id}/explain: the reason, for each that there is. */
#include "act_fixture.h"

static const char *
reason(const char *id)
{
	int status =
	    http_call(&me, "GET", text("/tasks/%s/explain", id), NULL, NULL);

	if (status != 200)
		fail_msg("explain %s: %d %s", id, status, me.body);
	return text("%s", str_of(http_json(&me), "reason"));
}

static bool
says(const char *words)
{
	return strstr(str_of(http_json(&me), "text"), words) != NULL;
}

static void
what_waits_for_its_time(void **state)
{
	const char *id = submit("noop", "null", "\"delay_seconds\":3600");

	(void)state;
	assert_string_equal(reason(id), "not_due");
	assert_true(says(str_of(http_json(&me), "due_at")));
	act("cancel", id, NULL);
	assert_string_equal(reason(id), "final");
	assert_true(says("CANCELLED"));
	assert_non_null(str_of(http_json(&me), "cancel_requested_at"));
	part_stop("manager-1");
	id = submit("fail", "{\"message\":\"no luck\"}", NULL);
	UNTIL(task_is(id, "RETRYING"));
	assert_string_equal(reason(id), "retrying");
	assert_string_equal(str_of(http_json(&me), "error"), "no luck");
	assert_true(says(str_of(http_json(&me), "due_at")));
	part_start("manager-1");
	all_ended();
}

static void
what_runs(void **state)
{
	const char *id;

	(void)state;
	hold("a", 1);
	id = submit("ledger", "\"a\"", NULL);
	UNTIL(runs_of(id) == 1);
	assert_string_equal(reason(id), "running");
	assert_true(says(str_of(http_json(&me), "worker")));
	assert_true(says(str_of(http_json(&me), "started_at")));
	part_signal("worker-1", SIGSTOP);
	assert_int_equal(act("cancel", id, NULL), 202);
	assert_string_equal(reason(id), "cancelling");
	part_signal("worker-1", SIGCONT);
	task_wait(id);
	release("a", 1);
	all_ended();
}

static const cJSON *
member(const char *name)
{
	return cJSON_GetObjectItem(http_json(&me), name);
}

static void
what_is_queued(void **state)
{
	const char *id, *busy[2], *last, *strange;
	int i;

	(void)state;
	id = submit("noop", "null", "\"queue\":\"nobody\"");
	UNTIL(strcmp(reason(id), "no_worker_for_queue") == 0);
	assert_true(says("\"nobody\""));
	assert_int_equal(int_of(member("workers"), "alive"), 1);
	assert_int_equal(int_of(member("workers"), "serve_queue"), 0);
	act("cancel", id, NULL);
	/* The worker is full. */
	hold("b", 1);
	for (i = 0; i < 2; i++)
		busy[i] = submit("ledger", "\"b\"", NULL);
	UNTIL(runs_of(busy[0]) == 1 && runs_of(busy[1]) == 1);
	submit("noop", "null", NULL);
	submit("noop", "null", NULL);
	last = submit("noop", "null", NULL);
	UNTIL(redis_int(LOW, "LLEN taskflow:queue:default") == 3);
	assert_string_equal(reason(last), "waiting");
	assert_true(says("2 tasks are ahead"));
	assert_int_equal(int_of(member("list"), "ahead"), 2);
	assert_int_equal(int_of(member("list"), "length"), 3);
	assert_int_equal(int_of(member("workers"), "have_handler"), 1);
	strange = submit("unheard-of", "null", NULL);
	assert_string_equal(reason(strange), "no_handler");
	assert_true(says("\"unheard-of\""));
	/* Of a list that is not there to be asked. */
	part_kill("redis-low");
	assert_string_equal(reason(last), "queued");
	part_start("redis-low");
	release("b", 1);
	all_ended();
	part_stop("worker-1");
	id = submit("noop", "null", NULL);
	assert_string_equal(reason(id), "no_worker");
	part_start("worker-1");
	task_wait(id);
	assert_string_equal(reason(id), "final");
	assert_true(says("COMPLETED"));
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_waits_for_its_time),
	cmocka_unit_test(what_runs),
	cmocka_unit_test(what_is_queued),
};

int
main(int argc, char **argv)
{
	struct group g = { "explain", "api=1 manager=1 worker=1",
		SHORT_TIMES "concurrency = 2\n" LEDGER_CONF, tests,
		NELEM(tests) };

	return group_run(&g, argc, argv);
}
