/*
 * The kind process: programs that break the rules, crash, keep ending at their
 * start, or have to be stopped.
 */
#include "handlers_run.h"

/* ---- broken programs ---- */
static void
bad_lines_fail_the_run(void **state)
{
	static const char *const bad[][2] = {
		{ "\"hello world\"", "\"hello world\"" },
		{ "\"\"", "\"\"" },
		{ "[1]", "\"[1]\"" },
		{ "{\"id\":\"ID\"}", "just one of result, error" },
		{ "{\"id\":\"ID\",\"result\":1,\"error\":\"\"}",
		    "just one of" },
		{ "{\"result\":1}", "id is missing" },
		{ "{\"id\":7,\"result\":1}", "id is not the id of a task" },
		{ "{\"id\":\"x\",\"result\":1}", "id is not the id" },
		{ "{\"id\":\"01234567-89ab-7def-8123-456789abcdef\","
		  "\"result\":1}",
		    "id is the one of another task" },
		{ "{\"id\":\"ID\",\"error\":{}}", "text is not a string" },
		{ "{\"log\":1}", "text is not a string" },
		{ "{\"id\":\"ID\",\"error\":\"\",\"retry\":1}",
		    "retry is not true or false" },
		{ "{\"id\":\"ID\",\"error\":\"\",\"retry_after_ms\":-1}",
		    "retry_after_ms is not" },
	};
	struct task t;
	size_t i;

	(void)state;
	add(HANDLER_PROCESS, "p", OBEY);
	open_handlers();
	for (i = 0; i < NELEM(bad); i++) {
		begin(&t, "p", "{\"id\":\"ID\",\"result\":0}");
		ends(&t, VERDICT_DONE, "0");
		begin(&t, "p", bad[i][0]);
		UNTIL(t.has_ended);
		if (strstr(text(&t.error), bad[i][1]) == NULL)
			fail_msg("%s: %s", bad[i][0], text(&t.error));
		ends_like(&t, VERDICT_FAILED, "bad line of the program (");
		assert_int_equal(handlers_processes(the_handlers), 0);
	}
}

/* At most 200 bytes are shown, whole characters, whatever they are. */
static void
bad_bytes_are_quoted(void **state)
{
	char want[256];
	struct task t;
	const char *quote;

	(void)state;
	add(HANDLER_PROCESS, "long",
	    PERL("$| = 1; <STDIN>; print 'abc', \"\\xc3\\xa9\" x 400, \"\\n\";"
		 "sleep 60"));
	add(HANDLER_PROCESS, "bytes",
	    PERL("$| = 1; <STDIN>; print \"\\xff\\0\\n\"; sleep 60"));
	open_handlers();
	begin(&t, "long", "1");
	UNTIL(t.has_ended);
	quote = strchr(text(&t.error), '"');
	assert_non_null(quote);
	assert_memory_equal(quote, "\"abc\xc3\xa9", 6);
	assert_int_equal(strlen(quote), 2 + 199);
	ends_like(&t, VERDICT_FAILED, "bad line of the program (");
	begin(&t, "bytes", "1");
	UNTIL(t.has_ended);
	snprintf(want, sizeof(want), "\"\xef\xbf\xbd\xef\xbf\xbd\"");
	assert_string_equal(strchr(text(&t.error), '"'), want);
	finish(&t);
}

static void
ten_megabytes_without_a_line_break(void **state)
{
	struct task t;

	(void)state;
	add(HANDLER_PROCESS, "p",
	    PERL("$| = 1; <STDIN>; print 'x' x 10_000_000; sleep 60"));
	open_handlers();
	begin(&t, "p", "1");
	ends_like(&t, VERDICT_FAILED,
	    "bad line of the program (longer than max_result and 1 MiB): \"xx");
	assert_int_equal(handlers_processes(the_handlers), 0);
}

/* Between max_result and the limit of a line: the program is all right. */
static void
a_large_result_fails_for_good(void **state)
{
	struct task t;

	(void)state;
	add(HANDLER_PROCESS, "p", OBEY)->max_result = 10;
	open_handlers();
	begin(&t, "p", "{\"id\":\"ID\",\"result\":\"12345678\"}");
	ends(&t, VERDICT_DONE, "\"12345678\"");
	begin(&t, "p", "{\"id\":\"ID\",\"result\":\"123456789\"}");
	ends(&t, VERDICT_FAILED_FOR_GOOD, "result larger than 10 bytes");
	assert_int_equal(handlers_processes(the_handlers), 1);
}

static void
a_crash_costs_one_task(void **state)
{
	struct task t;

	(void)state;
	add(HANDLER_PROCESS, "p", OBEY);
	open_handlers();
	begin(&t, "p", "{\"id\":\"ID\",\"result\":1}");
	ends(&t, VERDICT_DONE, "1");
	begin(&t, "p", "\"crash\"");
	UNTIL(t.has_ended);
	assert_non_null(strstr(text(&t.error), " ms), without an answer"));
	ends_like(&t, VERDICT_FAILED, "killed by SIGSEGV (max RSS ");
	assert_int_equal(handlers_processes(the_handlers), 0);
	begin(&t, "p", "{\"id\":\"ID\",\"result\":2}");
	ends(&t, VERDICT_DONE, "2");
	begin(&t, "p", "\"die\"");
	ends_like(
	    &t, VERDICT_FAILED, "exit status 9, without an answer: dying");
	begin(&t, "p", "\"leave\"");
	ends(&t, VERDICT_FAILED, "exit status 0, without an answer");
}

static void
an_idle_process_may_go(void **state)
{
	struct task t;

	(void)state;
	add(HANDLER_PROCESS, "p", SH("read -r line; " GET_ID OK_LINE));
	open_handlers();
	begin(&t, "p", "1");
	UNTIL(t.has_ended);
	finish(&t);
	UNTIL(handlers_processes(the_handlers) == 0);
	begin(&t, "p", "1");
	UNTIL(t.has_ended);
	assert_int_equal(t.verdict, VERDICT_DONE);
	finish(&t);
}

/* Nobody's run fails for it, and the next one gets another program. */
static void
who_speaks_unasked_is_replaced(void **state)
{
	struct task t;
	pid_t pid;

	(void)state;
	add(HANDLER_PROCESS, "p",
	    SH(EACH_LINE("echo '{\"log\":\"x\"}'; " OK_LINE ";"
			 "echo '{\"log\":\"idle\"}'; " OK_LINE)));
	open_handlers();
	begin(&t, "p", "1");
	pid = pid_of(&t);
	finish(&t);
	UNTIL(handlers_processes(the_handlers) == 0);
	begin(&t, "p", "1");
	assert_int_not_equal(pid_of(&t), pid);
	finish(&t);
}

/* ---- programs that end at their start ---- */
static void
who_keeps_failing_is_started_less_often(void **state)
{
	int64_t began = clock_mono_us();
	struct task t;
	int i;

	(void)state;
	add(HANDLER_PROCESS, "p", SH("exit 3"));
	open_handlers();
	for (i = 0; i < 3; i++) {
		begin(&t, "p", "1");
		ends(&t, VERDICT_FAILED, "exit status 3, without an answer");
	}
	began = clock_mono_us();
	for (i = 0; i < 3; i++) { /* after 100, 200 and 400 ms */
		begin(&t, "p", "1");
		assert_int_equal(handlers_processes(the_handlers), 0);
		ends(&t, VERDICT_FAILED, "exit status 3, without an answer");
	}
	assert_in_range(clock_mono_us() - began, 690000, 20000000);
	/* In the pause. */
	begin(&t, "p", "1");
	assert_int_equal(t.run.state, RUN_RUNNING);
	interrupt(&t);
	ends_like(&t, VERDICT_INTERRUPTED, "interrupted: no program");
	task_init(&t, "p", "1");
	t.run.timeout_ms = 1;
	task_start(&t);
	ends_like(&t, VERDICT_FAILED, "timed out after 0.001 s: no program");
	begin(&t, "p", "1"); /* for closing */
	handlers_close(the_handlers);
	the_handlers = NULL;
	finish(&t);
}

static void
a_good_answer_ends_the_pause(void **state)
{
	char path[] = "/tmp/taskflow-test-XXXXXX", script[512];
	struct task good, t[8];
	int i;

	(void)state;
	/* As long as the file is there only the first one works, slowly. */
	close(mkstemp(path));
	snprintf(script, sizeof(script),
	    "f=%s; if mkdir $f.d; then :; elif [ -e $f ]; then exit 3; fi; %s",
	    path, EACH_LINE("while [ -e $f ]; do sleep 0.01; done; " OK_LINE));
	add(HANDLER_PROCESS, "p", SH(script));
	open_handlers();
	begin(&good, "p", "1");
	snprintf(script, sizeof(script), "%s.d", path);
	UNTIL(access(script, F_OK) == 0);
	for (i = 0; i < 5; i++) {
		begin(&t[i], "p", "1");
		ends_like(&t[i], VERDICT_FAILED, "exit status 3");
	}
	for (i = 0; i < 8; i++) /* all in the pause of 400 ms */
		begin(&t[i], "p", "1");
	assert_int_equal(handlers_processes(the_handlers), 1);
	unlink(path);
	rmdir(script);
	pid_of(&good);
	finish(&good);
	for (i = 0; i < 8; i++) {
		pid_of(&t[i]);
		finish(&t[i]);
	}
	rmdir(script);
}

/* Eight that fail together are one failure, not eight. */
static void
failing_together_counts_once(void **state)
{
	struct task t[8];
	int64_t began;
	int i;

	(void)state;
	add(HANDLER_PROCESS, "p", SH("read -r x; sleep 0.2; exit 3"));
	open_handlers();
	for (i = 0; i < 8; i++)
		begin(&t[i], "p", "1");
	for (i = 0; i < 8; i++)
		ends_like(&t[i], VERDICT_FAILED, "exit status 3");
	began = clock_mono_us();
	begin(&t[0], "p", "1");
	UNTIL(handlers_processes(the_handlers) == 1);
	assert_in_range(clock_mono_us() - began, 0, 1500000);
	interrupt(&t[0]);
	ends_like(&t[0], VERDICT_INTERRUPTED, "interrupted");
}

/* ---- stopping ---- */
static void
a_time_out_ends_the_process(void **state)
{
	struct conf_handler *h;
	struct task t;
	pid_t pid;

	(void)state;
	h = add(HANDLER_PROCESS, "p",
	    SH("trap '' TERM; " EACH_LINE(
		"case $line in *hang*) sleep 60; sleep 60;; esac; " OK_LINE)));
	h->timeout_ms = 1000;
	h->grace_ms = 100;
	open_handlers();
	begin(&t, "p", "1");
	pid = pid_of(&t);
	finish(&t);
	begin(&t, "p", "\"hang\"");
	ends_like(
	    &t, VERDICT_FAILED, "timed out after 1 s: killed by SIGKILL ");
	begin(&t, "p", "1");
	assert_int_not_equal(pid_of(&t), pid);
	finish(&t);
}

/* It ignores the signal and answers within the grace; then it has to go all
 * the same, and is killed since it does not. */
static void
who_answers_after_sigterm_has_answered(void **state)
{
	struct task t;
	pid_t pid;

	(void)state;
	add(HANDLER_PROCESS, "p",
	    SH("trap '' TERM; " EACH_LINE(
		"echo '{\"id\":\"'$id'\",\"progress\":1}'; "
		"sleep 0.1; " OK_LINE) "; sleep 60"))
	    ->grace_ms = 500;
	open_handlers();
	begin(&t, "p", "1");
	UNTIL(t.n_progress == 1);
	interrupt(&t);
	pid = pid_of(&t);
	finish(&t);
	assert_int_equal(handlers_processes(the_handlers), 1);
	begin(&t, "p", "1");
	assert_int_equal(handlers_processes(the_handlers), 2);
	assert_int_not_equal(pid_of(&t), pid);
	finish(&t);
	UNTIL(handlers_processes(the_handlers) == 1);
}

static void
closing_is_quick_with_who_listens(void **state)
{
	int64_t began;
	struct task t[3];
	int i;

	(void)state;
	add(HANDLER_PROCESS, "eof", SH("trap '' TERM; " EACH_LINE(OK_LINE)));
	add(HANDLER_PROCESS, "term", SH(EACH_LINE(OK_LINE) "; sleep 60"));
	add(HANDLER_PROCESS, "deaf",
	    SH("trap '' TERM; " EACH_LINE(OK_LINE) "; sleep 60"))
	    ->grace_ms = 300;
	open_handlers();
	begin(&t[0], "eof", "1");
	begin(&t[1], "term", "1");
	for (i = 0; i < 2; i++) {
		pid_of(&t[i]);
		finish(&t[i]);
	}
	began = clock_mono_us();
	handlers_close(the_handlers);
	assert_in_range(clock_mono_us() - began, 0, 5000000);
	open_handlers();
	begin(&t[2], "deaf", "1");
	pid_of(&t[2]);
	finish(&t[2]);
	began = clock_mono_us();
	handlers_close(the_handlers);
	the_handlers = NULL;
	assert_in_range(clock_mono_us() - began, 299000, 5000000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bad_lines_fail_the_run),
		TEST(bad_bytes_are_quoted),
		TEST(ten_megabytes_without_a_line_break),
		TEST(a_large_result_fails_for_good),
		TEST(a_crash_costs_one_task),
		TEST(an_idle_process_may_go),
		TEST(who_speaks_unasked_is_replaced),
		TEST(who_keeps_failing_is_started_less_often),
		TEST(a_good_answer_ends_the_pause),
		TEST(failing_together_counts_once),
		TEST(a_time_out_ends_the_process),
		TEST(who_answers_after_sigterm_has_answered),
		TEST(closing_is_quick_with_who_listens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
