/*
 * The kind exec: what a program gets, and what its output and its end mean.
 */
#include "handlers_run.h"

static void
run_sh(struct task *t, const char *script, const char *payload)
{
	add(HANDLER_EXEC, "x", SH(script));
	open_handlers();
	begin(t, "x", payload);
	UNTIL(t->has_ended);
}

/* ---- input ---- */
static void
payload_is_standard_input(void **state)
{
	struct task t;

	(void)state;
	run_sh(&t, "exec cat", "{ \"a\":\n1.10 }");
	ends(&t, VERDICT_DONE, "{ \"a\":\n1.10 }");
}

static void
a_large_payload_may_be_left_unread(void **state)
{
	char *payload = xmalloc(4 * MB);
	struct task t;

	(void)state;
	memset(payload, '7', 4 * MB - 1);
	payload[4 * MB - 1] = '\0';
	run_sh(&t, "exec echo 1", payload);
	ends(&t, VERDICT_DONE, "1\n");
	free(payload);
}

/* Exactly that, whatever stands in ours. */
static void
environment_is_what_the_manual_says(void **state)
{
	char want[1024], id[ID_TEXT_SIZE];
	struct task t;

	(void)state;
	setenv("SECRET", "x", 1);
	add(HANDLER_EXEC, "the.type",
	    ((const char *const[]){
		"/usr/bin/env", "sh", "-c", "env | sort; pwd", NULL }));
	open_handlers();
	task_init(&t, "the.type", "1");
	id_format(&t.run.id, id);
	t.run.attempt = 7;
	t.run.traceparent = "00-1-2-01";
	t.run.queue = "bulk";
	task_start(&t);
	snprintf(want, sizeof(want),
	    "\"HOME=/\\nLANG=C.UTF-8\\nPATH=/usr/local/sbin:/usr/local/bin:"
	    "/usr/sbin:/usr/bin:/sbin:/bin\\nPWD=/\\nTASKFLOW_ATTEMPT=7\\n"
	    "TASKFLOW_IDEMPOTENCY_TOKEN=%s\\nTASKFLOW_QUEUE=bulk\\n"
	    "TASKFLOW_TASK_ID=%s\\nTASKFLOW_TRACEPARENT=00-1-2-01\\n"
	    "TASKFLOW_TYPE=the.type\\n/\\n\"",
	    id, id);
	ends(&t, VERDICT_DONE, want);
}

/* ---- output ---- */
static void
output_becomes_the_result(void **state)
{
	static const char *const pairs[][2] = {
		{ ":", "\"\"" },
		{ "echo '[1.10, {\"a\":null}]'", "[1.10, {\"a\":null}]\n" },
		{ "echo hello", "\"hello\\n\"" },
		{ "printf '1 2'", "\"1 2\"" },
		{ "printf 'a\\000\\377\\303\\251\"'",
		    "\"a\\u0000\xef\xbf\xbd\xc3\xa9\\\"\"" },
		{ "printf '\"\\377\"'", "\"\\\"\xef\xbf\xbd\\\"\"" },
		{ "echo 1; echo lost >&2", "1\n" },
	};
	struct task t;
	char type[8];
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(pairs); i++) {
		snprintf(type, sizeof(type), "t%zu", i);
		add(HANDLER_EXEC, type, SH(pairs[i][0]));
	}
	open_handlers();
	for (i = 0; i < NELEM(pairs); i++) {
		snprintf(type, sizeof(type), "t%zu", i);
		begin(&t, type, "null");
		ends(&t, VERDICT_DONE, pairs[i][1]);
	}
}

static void
output_has_a_limit(void **state)
{
	struct task t;

	(void)state;
	add(HANDLER_EXEC, "over", SH("head -c 1001 /dev/zero"))->max_result =
	    1000;
	add(HANDLER_EXEC, "fits", SH("head -c 1000 /dev/zero"))->max_result =
	    1000;
	add(HANDLER_EXEC, "some", SH("echo"))->max_result = 0;
	add(HANDLER_EXEC, "none", SH(":"))->max_result = 0;
	add(HANDLER_EXEC, "much", SH("head -c 20000000 /dev/zero"));
	open_handlers();
	begin(&t, "over", "1");
	ends(&t, VERDICT_FAILED_FOR_GOOD, "result larger than 1000 bytes");
	begin(&t, "fits", "1");
	UNTIL(t.has_ended);
	assert_int_equal(t.result.len, 6 * 1000 + 2);
	finish(&t);
	begin(&t, "some", "1");
	ends(&t, VERDICT_FAILED_FOR_GOOD, "result larger than 0 bytes");
	begin(&t, "none", "1");
	ends(&t, VERDICT_DONE, "\"\"");
	begin(&t, "much", "1");
	ends(&t, VERDICT_FAILED_FOR_GOOD, "result larger than 1048576 bytes");
}

/* ---- ends ---- */
static void
exit_status_decides(void **state)
{
	struct task t;

	(void)state;
	add(HANDLER_EXEC, "three",
	    SH("echo 1; echo ' bad thing ' >&2; exit 3"));
	add(HANDLER_EXEC, "data", SH("exit 65"));
	add(HANDLER_EXEC, "abort", SH("echo why >&2; kill -ABRT $$"));
	add(HANDLER_EXEC, "real", SH("kill -40 $$"));
	add(HANDLER_EXEC, "gone",
	    ((const char *const[]){ "/nowhere/program", NULL }));
	open_handlers();
	begin(&t, "three", "1");
	ends(&t, VERDICT_FAILED, "exit status 3: bad thing");
	begin(&t, "data", "1");
	ends(&t, VERDICT_FAILED_FOR_GOOD, "exit status 65");
	begin(&t, "abort", "1");
	UNTIL(t.has_ended);
	assert_non_null(strstr(text(&t.error), " kB, CPU "));
	assert_non_null(strstr(text(&t.error), " ms): why"));
	ends_like(&t, VERDICT_FAILED, "killed by SIGABRT (max RSS ");
	begin(&t, "real", "1");
	ends_like(&t, VERDICT_FAILED, "killed by signal 40 (max RSS ");
	begin(&t, "gone", "1");
	ends_like(&t, VERDICT_FAILED,
	    "exit status 127: taskflowd: cannot execute /nowhere/program: ");
	assert_int_equal(handlers_processes(the_handlers), 0);
}

static void
errors_are_clean_text(void **state)
{
	struct task t;
	size_t len;

	(void)state;
	/* The tail begins in the middle of a character. */
	run_sh(&t,
	    "perl -e 'print STDERR \"\\xc3\\xa9\" x 4000, \"\\0\\xff;\"';"
	    "exit 1",
	    "1");
	assert_int_equal(t.verdict, VERDICT_FAILED);
	len = strlen("exit status 1: ");
	assert_memory_equal(text(&t.error) + len, "\xc3\xa9\xc3\xa9", 4);
	assert_string_equal(
	    text(&t.error) + t.error.len - 7, "\xef\xbf\xbd\xef\xbf\xbd;");
	assert_in_range(t.error.len, 2040, 2048 + 40);
	finish(&t);
}

static void
errors_are_bounded(void **state)
{
	struct task t;

	(void)state;
	run_sh(&t, "perl -e 'print STDERR \"\\xff\" x 10000'; exit 1", "1");
	assert_int_equal(t.verdict, VERDICT_FAILED);
	assert_in_range(t.error.len, 4090, 4096);
	finish(&t);
}

static void
no_such_user(void **state)
{
	char user[] = "nobody-of-that-name";
	struct task t;

	(void)state;
	add(HANDLER_EXEC, "x", SH("exit 0"))->user = user;
	add(HANDLER_PROCESS, "p", SH("exit 0"))->user = user;
	open_handlers();
	begin(&t, "x", "1");
	ends(&t, VERDICT_FAILED,
	    "cannot start the program: there is no user nobody-of-that-name: "
	    "/bin/sh");
	begin(&t, "p", "1");
	ends_like(&t, VERDICT_FAILED, "cannot start the program: ");
	assert_int_equal(handlers_processes(the_handlers), 0);
}

/* ---- stopping ---- */
static void
who_ignores_sigterm_is_killed(void **state)
{
	struct conf_handler *h;
	struct task t;

	(void)state;
	h = add(HANDLER_EXEC, "x",
	    SH("trap '' TERM; echo here >&2; sleep 60; sleep 60"));
	h->timeout_ms = 1000;
	h->grace_ms = 100;
	open_handlers();
	begin(&t, "x", "1");
	UNTIL(t.has_ended);
	assert_non_null(strstr(text(&t.error), " ms): here"));
	ends_like(
	    &t, VERDICT_FAILED, "timed out after 1 s: killed by SIGKILL ");
	assert_int_equal(handlers_processes(the_handlers), 0);
}

static void
interrupted_while_running(void **state)
{
	struct task t;

	(void)state;
	add(HANDLER_EXEC, "x", SH("sleep 60; exit 0"));
	open_handlers();
	begin(&t, "x", "1");
	interrupt(&t);
	assert_int_equal(t.run.state, RUN_STOPPING);
	interrupt(&t);
	ends_like(&t, VERDICT_INTERRUPTED,
	    "interrupted: killed by SIGTERM (max RSS ");
}

/* Ready means that the trap is set: the test has no other way to know. */
static void
until_ready(const char *path)
{
	UNTIL(access(path, F_OK) == 0);
	unlink(path);
}

static void
who_finishes_all_the_same_has_finished(void **state)
{
	char path[] = "/tmp/taskflow-test-XXXXXX", script[2][256];
	struct task t;

	(void)state;
	close(mkstemp(path));
	unlink(path);
	snprintf(script[0], sizeof(script[0]),
	    "trap 'echo 5; exit 0' TERM; : >%s; while :; do sleep 0.01; done",
	    path);
	snprintf(script[1], sizeof(script[1]),
	    "trap 'exit 65' TERM; : >%s; while :; do sleep 0.01; done", path);
	add(HANDLER_EXEC, "done", SH(script[0]));
	add(HANDLER_EXEC, "data", SH(script[1]));
	add(HANDLER_EXEC, "late", SH(script[0]))->timeout_ms = 1000;
	open_handlers();
	begin(&t, "done", "1");
	until_ready(path);
	interrupt(&t);
	ends(&t, VERDICT_DONE, "5\n");
	begin(&t, "data", "1");
	until_ready(path);
	interrupt(&t);
	ends_like(&t, VERDICT_INTERRUPTED, "interrupted: exit status 65");
	begin(&t, "late", "1");
	until_ready(path);
	ends(&t, VERDICT_FAILED,
	    "timed out after 1 s: it came to its end too late");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(payload_is_standard_input),
		TEST(a_large_payload_may_be_left_unread),
		TEST(environment_is_what_the_manual_says),
		TEST(output_becomes_the_result),
		TEST(output_has_a_limit),
		TEST(exit_status_decides),
		TEST(errors_are_clean_text),
		TEST(errors_are_bounded),
		TEST(no_such_user),
		TEST(who_ignores_sigterm_is_killed),
		TEST(interrupted_while_running),
		TEST(who_finishes_all_the_same_has_finished),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
