/* Cancel: what waits at once, what runs in bounded time, whatever gets lost. */
#include <errno.h>

#include "act_fixture.h"

#define RACES 40

static const char stopped[] =
    "CREATED/0 PICKED_UP/1 CANCEL_REQUESTED/1 CANCELLED/1";

static void
is_cancelled(const char *id)
{
	const cJSON *task = task_wait(id);

	assert_string_equal(str_of(task, "status"), "CANCELLED");
	assert_null(str_of(task, "result"));
}

static const char *
begin(const char *name)
{
	const char *id;

	hold(name, 1);
	id = submit("ledger", text("\"%s\"", name), NULL);
	UNTIL(runs_of(id) == 1);
	return id;
}

/* ---- what waits ---- */
static void
cancel_waiting(const char *id, const char *events)
{
	int64_t finished;
	int i;

	for (i = 0; i < 2; i++) {
		assert_int_equal(act("cancel", id, NULL), 200);
		assert_string_equal(
		    str_of(http_json(&me), "status"), "CANCELLED");
		assert_non_null(str_of(http_json(&me), "finished_at"));
		assert_null(str_of(http_json(&me), "due_at"));
	}
	assert_string_equal(task_events(id), events);
	finished = sql_int("SELECT count(*) FROM taskflow.tasks WHERE id = "
			   "'%s' AND due_at IS NULL",
	    id);
	assert_int_equal(finished, 1);
}

static void
waiting_tasks_are_cancelled_at_once(void **state)
{
	const char *id;

	(void)state;
	cancel_waiting(submit("noop", "null", "\"delay_seconds\":3600"),
	    "CREATED/0 CANCELLED/0");
	id = submit("noop", "null", "\"queue\":\"nobody\"");
	UNTIL(redis_int(LOW, "LLEN taskflow:queue:nobody") == 1);
	cancel_waiting(id, "CREATED/0 CANCELLED/0");
	assert_int_equal(redis_int(LOW, "LLEN taskflow:queue:nobody"), 0);
	part_stop("manager-1"); /* nobody lets it try again */
	id = submit("fail", "null", NULL);
	UNTIL(task_is(id, "RETRYING"));
	cancel_waiting(id, "CREATED/0 PICKED_UP/1 RETRIED/1 CANCELLED/1");
	part_start("manager-1");
	all_ended();
}

static void
what_cannot_be_cancelled_says_why(void **state)
{
	struct http other;
	const char *id = submit("noop", "null", NULL);

	(void)state;
	task_wait(id);
	assert_int_equal(act("cancel", id, NULL), 409);
	assert_non_null(strstr(str_of(http_json(&me), "detail"), "COMPLETED"));
	id = submit("noop", "null", "\"delay_seconds\":3600");
	client_user(&other, me.port, "other");
	assert_int_equal(
	    http_call(&other, "POST", text("/tasks/%s/cancel", id), NULL, NULL),
	    404);
	http_fini(&other);
	assert_true(task_is(id, "PENDING"));
	assert_int_equal(act("cancel", "x", NULL), 404);
	assert_int_equal(
	    act("cancel", "019283a4-1234-7000-8000-0123456789ab", NULL), 404);
	assert_int_equal(act("cancel", id, NULL), 200);
	all_ended();
}

/* ---- what runs ---- */
static void
a_running_task_is_stopped(void **state)
{
	const char *id = begin("a");

	(void)state;
	assert_int_equal(act("cancel", id, NULL), 202);
	is_cancelled(id);
	assert_int_equal(strncmp(raw_of("error"), "\"cancelled", 10), 0);
	assert_int_equal(int_of(http_json(&me), "attempts_used"), 0);
	assert_string_equal(task_events(id), stopped);
	assert_int_equal(act("cancel", id, NULL), 200);
	release("a", 1);
	/* The answer may wait for the end. */
	id = begin("b");
	assert_int_equal(act("cancel", id, "Prefer: wait=60\r\n"), 200);
	assert_string_equal(str_of(http_json(&me), "status"), "CANCELLED");
	release("b", 1);
	all_ended();
}

static void
every_kind_of_handler_is_stopped(void **state)
{
	static const char *const kinds[][2] = {
		{ "sleep", "{\"ms\":600000}" },
		{ "cpu", "{\"ms\":60000}" },
		{ "mute", "null" },
	};
	const char *id, *first;
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(kinds); i++) {
		id = submit(kinds[i][0], kinds[i][1], NULL);
		UNTIL(task_is(id, "IN_PROGRESS"));
		act("cancel", id, NULL);
		is_cancelled(id);
		assert_string_equal(task_events(id), stopped);
	}
	/* One that waits in the worker for its handler. */
	hold("w", 1);
	first = submit("one", "\"w\"", NULL);
	UNTIL(runs_of(first) == 1);
	id = submit("one", "\"w\"", NULL);
	UNTIL(task_is(id, "IN_PROGRESS"));
	assert_int_equal(act("cancel", id, NULL), 202);
	is_cancelled(id);
	assert_int_equal(runs_of(id), 0);
	release("w", 1);
	task_wait(first);
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
	all_ended();
}

static const char *
begin_script(const char *type)
{
	const char *id = submit(type, "null", NULL);
	const char *path = strdup(stack_file(text("hold/pids.%s", id)));
	char *pids;

	UNTIL((pids = read_file(path)) != NULL);
	free(pids);
	free((char *)path);
	return id;
}

static bool
is_gone(long pid)
{
	return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static void
who_ignores_sigterm_is_killed_with_its_children(void **state)
{
	const char *id = begin_script("stubborn");
	char *pids = read_file(stack_file(text("hold/pids.%s", id)));
	long parent, child;

	(void)state;
	assert_int_equal(sscanf(pids, "%ld %ld", &parent, &child), 2);
	free(pids);
	assert_false(is_gone(parent));
	assert_false(is_gone(child));
	assert_int_equal(act("cancel", id, NULL), 202);
	is_cancelled(id);
	assert_non_null(strstr(raw_of("error"), "SIGKILL"));
	UNTIL(is_gone(parent));
	UNTIL(is_gone(child));
	all_ended();
}

static void
a_success_after_the_wish_does_not_count(void **state)
{
	const char *id = begin_script("polite");

	(void)state;
	assert_int_equal(act("cancel", id, NULL), 202);
	is_cancelled(id);
	assert_string_equal(task_events(id), stopped);
	/* And one of which the worker did not know when it settled. */
	id = begin("p");
	part_signal("worker-1", SIGSTOP);
	release("p", 1);
	assert_int_equal(act("cancel", id, NULL), 202);
	part_signal("worker-1", SIGCONT);
	is_cancelled(id);
	assert_string_equal(task_events(id), stopped);
	all_ended();
}

/* ---- what gets lost ---- */
static void
a_dead_workers_task_is_cancelled_not_run_again(void **state)
{
	const char *id = begin("d");

	(void)state;
	part_signal("worker-1", SIGSTOP);
	assert_int_equal(act("cancel", id, NULL), 202);
	assert_int_equal(act("cancel", id, NULL), 202);
	part_kill("worker-1");
	part_start("worker-1");
	is_cancelled(id);
	assert_string_equal(task_events(id), stopped);
	assert_int_equal(runs_of(id), 1);
	release("d", 1);
	all_ended();
}

static void
a_draining_worker_hears_it(void **state)
{
	const char *id = begin("g");

	(void)state;
	part_signal("worker-1", SIGTERM);
	UNTIL(part_logged("worker-1", "draining"));
	assert_int_equal(act("cancel", id, NULL), 202);
	is_cancelled(id);
	assert_string_equal(task_events(id), stopped);
	release("g", 1);
	UNTIL(!part_runs("worker-1"));
	part_start("worker-1");
	all_ended();
}

static void
a_lost_signal_costs_time_alone(void **state)
{
	const char *id = begin("l");

	(void)state;
	/* Nobody is told. */
	sql_int("SELECT count(*) FROM taskflow.cancel_tasks(ARRAY['%s'::uuid], "
		"ARRAY(SELECT user_id FROM taskflow.tasks WHERE id = '%s'), "
		"ARRAY['a test'], ARRAY['a request'], '%s', '%s')",
	    id, id, id, id);
	is_cancelled(id);
	assert_string_equal(task_events(id), stopped);
	release("l", 1);
	/* Nobody listens. */
	id = begin("m");
	redis_int(HIGH, "CLIENT KILL TYPE pubsub");
	assert_int_equal(act("cancel", id, NULL), 202);
	redis_int(HIGH, "FLUSHALL");
	is_cancelled(id);
	assert_string_equal(task_events(id), stopped);
	release("m", 1);
	/* There is no server for signals. */
	id = begin("n");
	part_kill("redis-high");
	assert_int_equal(act("cancel", id, NULL), 202);
	UNTIL(task_is(id, "CANCELLED"));
	part_start("redis-high");
	assert_string_equal(task_events(id), stopped);
	release("n", 1);
	all_ended();
}

/* Whatever a worker writes that has not heard of the wish: an interruption by a
 * shutdown, a failure that it would try again, one that it has not started. */
static void
every_settlement_of_it_is_a_cancel(void **state)
{
	static const struct {
		int status, kind, returned, unclaimed;
	} cases[] = {
		{ 2, 9, 1, 0 },
		{ 2, 10, 0, 1 },
		{ 4, 7, 0, 0 },
		{ 6, 6, 0, 0 },
		{ 5, 5, 0, 0 },
	};
	const char *id[NELEM(cases)];
	size_t i;

	(void)state;
	hold("v", 1);
	for (i = 0; i < NELEM(cases); i++)
		id[i] = submit("ledger", "\"v\"", NULL);
	for (i = 0; i < NELEM(cases); i++)
		UNTIL(runs_of(id[i]) == 1);
	part_signal("worker-1", SIGSTOP);
	for (i = 0; i < NELEM(cases); i++) {
		assert_int_equal(act("cancel", id[i], NULL), 202);
		assert_int_equal(
		    sql_int("SELECT status FROM taskflow.tasks t, LATERAL "
			    "taskflow.settle_tasks(ARRAY[t.id], "
			    "ARRAY[t.attempt], ARRAY[t.worker], '{%d}', "
			    "'{%d}', '{50}', '{%d}', '{%d}', '{1}', '{why}', "
			    "t.id, t.id) AS s(ord, after) WHERE id = '%s' "
			    "AND after = 7",
			cases[i].status, cases[i].kind, cases[i].returned,
			cases[i].unclaimed, id[i]) > 0,
		    1);
		is_cancelled(id[i]);
		assert_int_equal(int_of(http_json(&me), "attempts_used"), 0);
		assert_null(str_of(http_json(&me), "due_at"));
		assert_string_equal(task_events(id[i]), stopped);
	}
	part_signal("worker-1", SIGCONT);
	release("v", 1);
	all_ended();
	for (i = 0; i < NELEM(cases); i++)
		assert_string_equal(task_events(id[i]), stopped);
}

/* An old signal, for a task that runs again, stops nothing. */
static void
a_signal_alone_cancels_nothing(void **state)
{
	const char *id = begin("s"), *next = begin("t");

	(void)state;
	redis_int(HIGH, "PUBLISH taskflow:signal:cancel %s", id);
	redis_int(HIGH, "PUBLISH taskflow:signal:cancel rubbish");
	assert_int_equal(act("cancel", next, "Prefer: wait=60\r\n"), 200);
	assert_true(task_is(id, "IN_PROGRESS"));
	release("s", 1);
	release("t", 1);
	task_wait(id);
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
	all_ended();
}

/* ---- races ---- */

/* What was answered holds: 200 and 202 end CANCELLED, 409 does not. */
static void
answer_holds(const char *id, int status)
{
	const cJSON *task = task_wait(id);
	bool cancelled = strcmp(str_of(task, "status"), "CANCELLED") == 0;

	if (cancelled != (status == 200 || status == 202) ||
	    (!cancelled && status != 409))
		fail_msg("%s: answer %d, and it is %s", id, status,
		    str_of(task, "status"));
	assert_int_equal(count_events(id, 11), cancelled);
}

static void
cancel_races_claim_settle_and_cancel(void **state)
{
	struct shot a, b;
	const char *id;
	int i;

	(void)state;
	for (i = 0; i < RACES; i++) {
		id = i % 2 == 0 ? submit("noop", "null", NULL)
				: submit("sleep", text("{\"ms\":%d}", i), NULL);
		a = shot(1, "POST", id, "cancel");
		b = shot(2, "POST", id, "cancel");
		fire_both(&a, &b);
		/* One may be asked while it runs, the other when it is over. */
		if ((a.status == 409) != (b.status == 409))
			fail_msg("answers %d and %d", a.status, b.status);
		answer_holds(id, a.status);
		answer_holds(id, b.status);
	}
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(waiting_tasks_are_cancelled_at_once),
	cmocka_unit_test(what_cannot_be_cancelled_says_why),
	cmocka_unit_test(a_running_task_is_stopped),
	cmocka_unit_test(every_kind_of_handler_is_stopped),
	cmocka_unit_test(who_ignores_sigterm_is_killed_with_its_children),
	cmocka_unit_test(a_success_after_the_wish_does_not_count),
	cmocka_unit_test(a_dead_workers_task_is_cancelled_not_run_again),
	cmocka_unit_test(a_draining_worker_hears_it),
	cmocka_unit_test(a_lost_signal_costs_time_alone),
	cmocka_unit_test(every_settlement_of_it_is_a_cancel),
	cmocka_unit_test(a_signal_alone_cancels_nothing),
	cmocka_unit_test(cancel_races_claim_settle_and_cancel),
};

int
main(int argc, char **argv)
{
	struct group g = { "cancel", "api=2 manager=1 worker=1",
		SHORT_TIMES
		"concurrency = 5\n"
		"shutdown_timeout = 60s\n" LEDGER_CONF "[handler one]\n"
		"command = @TOP@/test/integration/ledger.sh @HOME@/ledger "
		"@HOME@/hold\n"
		"concurrency = 1\n"
		"[handler mute]\nkind = process\ngrace = 300ms\n"
		"command = /bin/sleep 1000\n"
		"[handler stubborn]\ngrace = 300ms\n"
		"command = @TOP@/test/integration/stubborn.sh @HOME@/hold\n"
		"[handler polite]\n"
		"command = @TOP@/test/integration/polite.sh @HOME@/hold\n",
		tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
