/*
 * The kind process: programs that stay, the lines they get and the lines they
 * say.
 */
#include "handlers_run.h"

/* ---- the good case ---- */
static void
one_process_does_many_tasks(void **state)
{
	struct task t;
	pid_t pid = 0;
	int i;

	(void)state;
	add(HANDLER_PROCESS, "p", SH(EACH_LINE(OK_LINE)));
	open_handlers();
	for (i = 0; i < 20; i++) {
		begin(&t, "p", "1");
		if (i == 0)
			pid = pid_of(&t);
		assert_int_equal(pid_of(&t), pid);
		assert_int_equal(handlers_processes(the_handlers), 1);
		finish(&t);
	}
}

static void
as_many_processes_as_tasks_at_once(void **state)
{
	struct task t[6];
	int i;

	(void)state;
	add(HANDLER_PROCESS, "p", SH(EACH_LINE("sleep 0.05; " OK_LINE)))
	    ->concurrency = 3;
	open_handlers();
	for (i = 0; i < 6; i++)
		begin(&t[i], "p", "1");
	assert_int_equal(handlers_processes(the_handlers), 3);
	for (i = 0; i < 6; i++) {
		pid_of(&t[i]);
		finish(&t[i]);
	}
	assert_int_equal(handlers_processes(the_handlers), 3);
}

static void
the_task_is_one_line(void **state)
{
	char want[512], id[ID_TEXT_SIZE];
	struct task t;

	(void)state;
	add(HANDLER_PROCESS, "the.type",
	    SH(EACH_LINE(
		"printf '{\"id\":\"%s\",\"result\":[%s]}\\n' $id \"$line\"")));
	open_handlers();
	task_init(&t, "the.type", "{\n\"a\":\r\n[1.10,\"\\n\"]\n}\n");
	id_format(&t.run.id, id);
	t.run.attempt = 4;
	t.run.max_attempts = 9;
	task_start(&t);
	snprintf(want, sizeof(want),
	    "[{\"id\":\"%s\",\"type\":\"the.type\",\"queue\":\"default\","
	    "\"attempt\":4,\"max_attempts\":9,\"traceparent\":null,"
	    "\"payload\":{ \"a\":  [1.10,\"\\n\"] } }]",
	    id);
	ends(&t, VERDICT_DONE, want);
	task_init(&t, "the.type", "1");
	t.run.traceparent = "00-ab-cd-01";
	task_start(&t);
	UNTIL(t.has_ended);
	assert_non_null(
	    strstr(text(&t.result), ",\"traceparent\":\"00-ab-cd-01\","));
	finish(&t);
}

static void
result_keeps_its_bytes(void **state)
{
	struct task t;

	(void)state;
	add(HANDLER_PROCESS, "p", OBEY);
	open_handlers();
	begin(&t, "p",
	    "\"{\\\"x\\\":1, \\\"result\\\" : [1.10, "
	    "\\\"\\\\u00e9\\\" ] , \\\"id\\\":\\\"ID\\\"}\\r\"");
	ends(&t, VERDICT_DONE, "[1.10, \"\\u00e9\" ]");
	begin(&t, "p", "{\"id\":\"ID\",\"result\":null}");
	ends(&t, VERDICT_DONE, "null");
}

static void
lines_may_come_in_pieces(void **state)
{
	struct task t;

	(void)state;
	add(HANDLER_PROCESS, "p",
	    SH(EACH_LINE(
		"printf '{\"id\":\"'; sleep 0.05; printf $id; sleep 0.05; "
		"printf '\",\"progress\":1}\\n{\"id\"'; sleep 0.05; "
		"echo ':\"'$id'\",\"result\":2}'")));
	open_handlers();
	begin(&t, "p", "1");
	UNTIL(t.has_ended);
	assert_int_equal(t.n_progress, 1);
	ends(&t, VERDICT_DONE, "2");
	begin(&t, "p", "1");
	ends(&t, VERDICT_DONE, "2");
}

static void
large_lines_pass(void **state)
{
	char *payload = xmalloc(900000);
	struct task t;

	(void)state;
	memset(payload, 'x', 900000);
	payload[0] = payload[899998] = '"';
	payload[899999] = '\0';
	add(HANDLER_PROCESS, "p",
	    PERL(
		"$| = 1; while (<STDIN>) { /\"id\":\"(.*?)\".*payload\":(.*)}/;"
		"print qq({\"id\":\"$1\",\"result\":$2}\\n); }"));
	open_handlers();
	begin(&t, "p", payload);
	ends(&t, VERDICT_DONE, payload);
	free(payload);
}

static void
progress_and_log_are_passed_on(void **state)
{
	char *many = xmalloc(20000);
	struct task t;

	(void)state;
	add(HANDLER_PROCESS, "p", OBEY);
	open_handlers();
	begin(&t, "p", "{\"id\":\"ID\",\"progress\":\"50 %\\u00e9\"}");
	UNTIL(t.n_progress == 1);
	assert_string_equal(text(&t.progress), "50 %\xc3\xa9");
	interrupt(&t);
	ends_like(&t, VERDICT_INTERRUPTED, "interrupted: killed by SIGTERM ");
	begin(&t, "p", "{\"id\":\"ID\",\"progress\":{\"n\":[1]}}");
	UNTIL(t.n_progress == 1);
	assert_string_equal(text(&t.progress), "{\"n\":[1]}");
	interrupt(&t);
	ends_like(&t, VERDICT_INTERRUPTED, "interrupted: killed by SIGTERM ");
	snprintf(many, 20000,
	    "\"{\\\"id\\\":\\\"ID\\\",\\\"progress\\\":\\\"%0*d"
	    "\\\"}\\n{\\\"log\\\":\\\"working\\\"}\\n"
	    "{\\\"id\\\":\\\"ID\\\",\\\"result\\\":true}\"",
	    9000, 0);
	begin(&t, "p", many);
	UNTIL(t.has_ended);
	assert_int_equal(t.n_progress, 1);
	assert_int_equal(t.progress.len, 4096);
	ends(&t, VERDICT_DONE, "true");
	free(many);
}

static void
errors_say_whether_to_try_again(void **state)
{
	struct task t;

	(void)state;
	add(HANDLER_PROCESS, "p", OBEY);
	open_handlers();
	begin(&t, "p", "{\"id\":\"ID\",\"error\":\"no \\u00e9\"}");
	ends(&t, VERDICT_FAILED, "no \xc3\xa9");
	assert_int_equal(t.retry_after_ms, -1);
	begin(&t, "p",
	    "{\"id\":\"ID\",\"error\":\"later\",\"retry_after_ms\":1500.0}");
	ends(&t, VERDICT_FAILED, "later");
	assert_int_equal(t.retry_after_ms, 1500);
	begin(&t, "p", "{\"id\":\"ID\",\"error\":\"bad\",\"retry\":false}");
	ends(&t, VERDICT_FAILED_FOR_GOOD, "bad");
	begin(&t, "p", "{\"id\":\"ID\",\"error\":\"a\\u0000b\"}");
	ends(&t, VERDICT_FAILED, "\"a\\u0000b\"");
	begin(&t, "p", "{\"id\":\"ID\",\"error\":\"\"}");
	ends(&t, VERDICT_FAILED, "no reason was given");
	assert_int_equal(handlers_processes(the_handlers), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_process_does_many_tasks),
		TEST(as_many_processes_as_tasks_at_once),
		TEST(the_task_is_one_line),
		TEST(result_keeps_its_bytes),
		TEST(lines_may_come_in_pieces),
		TEST(large_lines_pass),
		TEST(progress_and_log_are_passed_on),
		TEST(errors_say_whether_to_try_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
