/*
 * From a run to its handler and back: built-in handlers, limits, time-outs,
 * stopping, closing.
 */
#include "handlers_run.h"

/* ---- built in ---- */
static void
noop_is_told_later(void **state)
{
	struct task t;

	(void)state;
	open_handlers();
	begin(&t, "noop", "{\"any\": 1}");
	assert_int_equal(t.run.state, RUN_ENDED);
	interrupt(&t); /* too late: nothing */
	loop_turn(the_loop);
	assert_true(t.has_ended);
	ends(&t, VERDICT_DONE, "null");
	assert_int_equal(t.retry_after_ms, -1);
}

static void
echo_keeps_every_byte(void **state)
{
	static const char payload[] = " {\"a\" :\t1.10, \"a\":1e400}\n";
	struct task t;

	(void)state;
	open_handlers();
	begin(&t, "echo", payload);
	ends(&t, VERDICT_DONE, payload);
}

static void
sleep_sleeps(void **state)
{
	int64_t began = clock_mono_us();
	struct task a, b;

	(void)state;
	open_handlers();
	begin(&a, "sleep", "{\"seconds\": 0.15, \"n\": 1}");
	begin(&b, "sleep", "{\"ms\": 50}");
	ends(&a, VERDICT_DONE, "null");
	assert_in_range(clock_mono_us() - began, 149000, 20000000);
	ends(&b, VERDICT_DONE, "null");
	assert_true(b.rank < a.rank);
}

static void
sleep_and_cpu_can_be_interrupted(void **state)
{
	struct task a, b;

	(void)state;
	open_handlers();
	begin(&a, "sleep", "{\"seconds\": 1000}");
	begin(&b, "cpu", "{\"ms\": 60000}");
	loop_turn(the_loop);
	interrupt(&a);
	interrupt(&a);
	interrupt(&b);
	ends(&a, VERDICT_INTERRUPTED, "interrupted");
	ends(&b, VERDICT_INTERRUPTED, "interrupted");
}

static void
built_ins_time_out(void **state)
{
	struct task a, b, c;

	(void)state;
	open_handlers();
	task_init(&a, "sleep", "{\"seconds\": 1000}");
	a.run.timeout_ms = 100;
	task_start(&a);
	task_init(&b, "cpu", "{\"ms\": 60000}");
	b.run.timeout_ms = 1234;
	task_start(&b);
	task_init(&c, "noop", "null");
	c.run.timeout_ms = 1;
	task_start(&c);
	ends(&a, VERDICT_FAILED, "timed out after 0.1 s");
	ends(&b, VERDICT_FAILED, "timed out after 1.234 s");
	ends(&c, VERDICT_DONE, "null");
}

static void
fail_fails_as_asked(void **state)
{
	static const char twice[] =
	    "{\"times\": 2, \"for_good\": false, \"message\": \"no\\u00e9\"}";
	struct task t;

	(void)state;
	open_handlers();
	begin(&t, "fail", "{\"message\": \"\"}");
	ends(&t, VERDICT_FAILED, "no reason was given");
	begin(&t, "fail", "null");
	ends_like(&t, VERDICT_FAILED, "failed");
	begin(&t, "fail", "{\"for_good\": true, \"message\": \"m\"}");
	ends(&t, VERDICT_FAILED_FOR_GOOD, "m");
	task_init(&t, "fail", twice);
	t.run.used = 2;
	task_start(&t);
	ends(&t, VERDICT_FAILED, "no\xc3\xa9");
	task_init(&t, "fail", twice);
	t.run.used = 3;
	task_start(&t);
	ends(&t, VERDICT_DONE, "null");
}

static void
bad_payloads_fail_for_good(void **state)
{
	static const char *const bad[][2] = { { "sleep", "null" },
		{ "sleep", "{}" }, { "sleep", "5" },
		{ "sleep", "{\"seconds\": -1}" },
		{ "sleep", "{\"seconds\": \"1\"}" },
		{ "sleep", "{\"ms\": 1e99}" }, { "cpu", "{}" },
		{ "cpu", "{\"ms\": 60001}" }, { "cpu", "{\"ms\": -1}" },
		{ "cpu", "[]" }, { "fail", "7" }, { "fail", "{\"times\": -1}" },
		{ "fail", "{\"times\": 1.5}" }, { "fail", "{\"message\": 1}" },
		{ "fail", "{\"message\": \"\\u0000\"}" },
		{ "fail", "{\"for_good\": 1}" } };
	struct task t;
	size_t i;

	(void)state;
	open_handlers();
	for (i = 0; i < NELEM(bad); i++) {
		begin(&t, bad[i][0], bad[i][1]);
		ends_like(
		    &t, VERDICT_FAILED_FOR_GOOD, "bad payload; allowed is: {");
	}
}

/* Three at once, and the loop still turns every few milliseconds. */
static void
cpu_does_not_hold_the_loop(void **state)
{
	int64_t began, before, worst = 0, now;
	struct task t[3];
	int i;

	(void)state;
	open_handlers();
	began = before = clock_mono_us();
	for (i = 0; i < 3; i++)
		begin(&t[i], "cpu", "{\"ms\": 100}");
	while (n_ended < 3) {
		loop_turn(the_loop);
		now = clock_mono_us();
		if (now - before > worst)
			worst = now - before;
		before = now;
	}
	assert_true(clock_mono_us() - began > 299000);
	assert_true(worst < 100000);
	for (i = 0; i < 3; i++)
		ends_like(&t[i], VERDICT_DONE, "{\"iterations\":");
	begin(&t[0], "cpu", "{\"ms\": 0}");
	ends(&t[0], VERDICT_DONE, "{\"iterations\":0}");
}

static void
unknown_types_fail_for_good(void **state)
{
	struct task t;

	(void)state;
	the_conf.builtin_handlers = false;
	open_handlers();
	begin(&t, "noop", "null");
	ends(&t, VERDICT_FAILED_FOR_GOOD,
	    "the worker has no handler for this task type: noop");
	begin(&t, "", "null");
	ends_like(&t, VERDICT_FAILED_FOR_GOOD, "the worker has no handler");
}

/* ---- limits ---- */
#define SIX 6
static int
count_state(const struct task *t, enum run_state s)
{
	int i, n = 0;

	for (i = 0; i < SIX; i++)
		n += !t[i].has_ended && t[i].run.state == s;
	return n;
}

static void
begin_six(struct task *t)
{
	int i;

	add(HANDLER_EXEC, "x", SH("exec sleep 0.1"))->concurrency = 2;
	open_handlers();
	for (i = 0; i < SIX; i++)
		begin(&t[i], "x", "1");
	assert_int_equal(count_state(t, RUN_RUNNING), 2);
	assert_int_equal(count_state(t, RUN_WAITING), 4);
	assert_int_equal(handlers_processes(the_handlers), 2);
}

static void
six_run_two_at_a_time_in_order(void **state)
{
	struct task t[SIX], other;
	int i, k;

	(void)state;
	begin_six(t);
	begin(&other, "noop", "1"); /* is not held up */
	ends(&other, VERDICT_DONE, "null");
	while (n_ended < SIX + 1) {
		UNTIL(n_ended == SIX + 1 || count_state(t, RUN_RUNNING) == 2 ||
		    count_state(t, RUN_WAITING) == 0);
		assert_true(handlers_processes(the_handlers) <= 2);
		/* Nobody runs while one before it waits. */
		for (i = 0; i < SIX; i++)
			for (k = i + 1; k < SIX; k++)
				assert_false(!t[i].has_ended &&
				    t[i].run.state == RUN_WAITING &&
				    (t[k].has_ended ||
					t[k].run.state != RUN_WAITING));
		loop_turn(the_loop);
	}
	for (i = 0; i < SIX; i++)
		ends(&t[i], VERDICT_DONE, "\"\"");
}

static void
waiting_runs_are_withdrawn_or_interrupted(void **state)
{
	struct task t[SIX];
	int i;

	(void)state;
	begin_six(t);
	handlers_withdraw(the_handlers, &t[2].run);
	assert_int_equal(t[2].run.state, RUN_NEW);
	interrupt(&t[3]);
	ends(&t[3], VERDICT_INTERRUPTED, "interrupted");
	handlers_withdraw(the_handlers, &t[5].run);
	UNTIL(n_ended == 4);
	for (i = 0; i < SIX; i++)
		if (i < 2 || i == 4)
			ends(&t[i], VERDICT_DONE, "\"\"");
	assert_false(t[2].has_ended || t[5].has_ended);
	assert_int_equal(handlers_processes(the_handlers), 0);
}

static void
the_smaller_time_out_holds(void **state)
{
	struct task a, b;

	(void)state;
	add(HANDLER_EXEC, "x", SH("exec sleep 60"))->timeout_ms = 200;
	open_handlers();
	begin(&a, "x", "1");
	task_init(&b, "x", "1");
	b.run.timeout_ms = 100;
	task_start(&b);
	ends_like(&b, VERDICT_FAILED,
	    "timed out after 0.1 s: killed by SIGTERM (max RSS ");
	ends_like(&a, VERDICT_FAILED,
	    "timed out after 0.2 s: killed by SIGTERM (max RSS ");
}

/* Whatever else stops it: that its owner does not want it any more counts. */
static void
cancelled_runs_end_as_such(void **state)
{
	struct task t[5];
	size_t i;

	(void)state;
	add(HANDLER_EXEC, "x", SH("trap '' TERM; sleep 60"))->concurrency = 1;
	the_conf.handlers->grace_ms = 100;
	add(HANDLER_EXEC, "late", SH("trap '' TERM; sleep 60; sleep 60"))
	    ->timeout_ms = 50;
	the_conf.handlers->grace_ms = 100;
	open_handlers();
	begin(&t[3], "late", "1");
	UNTIL(t[3].run.state == RUN_STOPPING);
	/* The loop does not turn before all are cancelled. */
	begin(&t[0], "x", "1");
	begin(&t[1], "x", "1");
	begin(&t[2], "sleep", "{\"ms\": 100000}");
	begin(&t[4], "sleep", "{\"ms\": 100000}");
	interrupt(&t[0]);
	for (i = 0; i < 4; i++)
		cancel(&t[i]);
	cancel(&t[0]); /* again */
	ends(&t[1], VERDICT_CANCELLED, "cancelled");
	ends(&t[2], VERDICT_CANCELLED, "cancelled");
	ends_like(&t[0], VERDICT_CANCELLED, "cancelled: killed by SIG");
	ends_like(&t[3], VERDICT_CANCELLED, "cancelled: killed by SIG");
	interrupt(&t[4]);
	ends(&t[4], VERDICT_INTERRUPTED, "interrupted");
	assert_int_equal(handlers_processes(the_handlers), 0);
}

/* ---- closing ---- */
static void
closing_gives_up_what_is_left(void **state)
{
	struct task t[7];
	size_t i;

	(void)state;
	add(HANDLER_EXEC, "x", SH("trap '' TERM; sleep 60; sleep 60"))
	    ->concurrency = 1;
	add(HANDLER_PROCESS, "p", SH("trap '' TERM; sleep 60; sleep 60"));
	open_handlers();
	begin(&t[0], "x", "1");
	begin(&t[1], "x", "1");
	begin(&t[2], "p", "1");
	begin(&t[3], "p", "1");
	begin(&t[4], "sleep", "{\"ms\": 100000}");
	begin(&t[5], "cpu", "{\"ms\": 60000}");
	loop_turn(the_loop);
	interrupt(&t[3]);
	begin(&t[6], "noop", "1");
	assert_int_equal(handlers_processes(the_handlers), 3);
	/* A leaving process has no grace left when its run is given up. */
	handlers_close(the_handlers);
	the_handlers = NULL;
	UNTIL(no_children());
	assert_int_equal(n_ended, 0);
	for (i = 0; i < NELEM(t); i++)
		finish(&t[i]);
}

static void
nothing_to_close(void **state)
{
	(void)state;
	handlers_close(NULL);
	add(HANDLER_PROCESS, "p", SH("cat"));
	open_handlers();
	assert_int_equal(handlers_processes(the_handlers), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(noop_is_told_later),
		TEST(echo_keeps_every_byte),
		TEST(sleep_sleeps),
		TEST(sleep_and_cpu_can_be_interrupted),
		TEST(built_ins_time_out),
		TEST(fail_fails_as_asked),
		TEST(bad_payloads_fail_for_good),
		TEST(cpu_does_not_hold_the_loop),
		TEST(unknown_types_fail_for_good),
		TEST(six_run_two_at_a_time_in_order),
		TEST(waiting_runs_are_withdrawn_or_interrupted),
		TEST(the_smaller_time_out_holds),
		TEST(cancelled_runs_end_as_such),
		TEST(closing_gives_up_what_is_left),
		TEST(nothing_to_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
