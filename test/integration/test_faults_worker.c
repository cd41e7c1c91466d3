/* Workers that die, hang and come back. */
#include <signal.h>

#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

static const char *
worker_of(const char *id)
{
	return sql("SELECT worker FROM taskflow.tasks WHERE id = '%s'", id);
}

static bool
runs_as(const char *id, int attempt)
{
	return task_is(id, "IN_PROGRESS") && task_attempt(id) == attempt;
}

/* ---- kill -9 ---- */
static void
a_killed_workers_task_runs_again(void **state)
{
	const char *id;

	(void)state;
	hold("a", 1);
	id = submit("ledger", "\"a\"", NULL);
	UNTIL(runs_of(id) == 1);
	part_kill("worker-1");
	part_start("worker-1");
	task_wait(id);
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
	assert_string_equal(
	    raw_of("result"), "{\"name\":\"a\",\"attempt\":2}\n");
	assert_int_equal(int_of(http_json(&me), "attempts_used"), 2);
	assert_string_equal(task_events(id),
	    "CREATED/0 PICKED_UP/1 RECOVERED/1 PICKED_UP/2 COMPLETED/2");
	assert_int_equal(runs_of(id), 2);
	release("a", 1);
	all_ended();
}

static void
the_last_attempt_dies_with_its_worker(void **state)
{
	const char *id, *worker;

	(void)state;
	hold("b", 1);
	id = submit(
	    "ledger", "\"b\"", "\"max_attempts\":1,\"priority\":\"high\"");
	UNTIL(runs_of(id) == 1);
	worker = worker_of(id);
	part_kill("worker-1");
	/* Without any worker: it is the manager's to say. */
	task_wait(id);
	assert_string_equal(str_of(http_json(&me), "status"), "FAILED");
	assert_string_equal(str_of(http_json(&me), "error"),
	    text("its worker %s died", worker));
	assert_string_equal(task_events(id), "CREATED/0 PICKED_UP/1 FAILED/1");
	part_start("worker-1");
	release("b", 1);
	all_ended();
	assert_int_equal(runs_of(id), 1);
}

/* What a worker had taken and what it had not: all of it goes on, in order. */
static void
a_killed_workers_backlog_goes_on(void **state)
{
	int i;

	(void)state;
	tables_clear();
	hold("c", 1);
	for (i = 0; i < 4; i++)
		submit("ledger", "\"c\"",
		    i % 2 == 0 ? NULL : "\"priority\":\"high\"");
	UNTIL(tasks_with("IN_PROGRESS") == 4);
	for (i = 0; i < 100; i++)
		submit("echo", text("%d", i),
		    i % 2 == 0 ? NULL : "\"priority\":\"high\"");
	part_kill("worker-1");
	part_start("worker-2");
	all_ended();
	release("c", 1);
	assert_int_equal(tasks_with("COMPLETED"), 104);
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE type = 'echo' AND attempt <> 1"),
	    0);
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE type = 'ledger' AND attempt <> 2"),
	    0);
}

/* A BLMOVE of the worker stands at redis-low, since less than a second: so it
 * will stand there for another second. */
static bool
waits_at_list(void)
{
	char *clients = redis_words(LOW, "CLIENT LIST"), *at;
	bool found = false;

	for (at = strtok(clients, "\n"); at != NULL; at = strtok(NULL, "\n"))
		found = found ||
		    (strstr(at, "cmd=blmove") != NULL &&
			strstr(at, " idle=0 ") != NULL &&
			strstr(at, " flags=b") != NULL);
	free(clients);
	return found;
}

/* Taken from the list, and never claimed: the worker was stopped in between,
 * and the server has answered its BLMOVE. */
static void
ids_that_were_taken_but_not_claimed_are_given_back(void **state)
{
	const char *id;
	bool taken;

	(void)state;
	do {
		UNTIL(waits_at_list());
		part_signal("worker-1", SIGSTOP);
		id = submit("noop", "null", NULL);
		taken = redis_int(LOW, "KEYS taskflow:processing:*") == 1 &&
		    task_is(id, "QUEUED");
		if (!taken)
			part_signal("worker-1", SIGCONT);
	} while (!taken);
	part_kill("worker-1");
	part_start("worker-2");
	task_wait(id);
	assert_string_equal(
	    task_events(id), "CREATED/0 PICKED_UP/1 COMPLETED/1");
	all_ended();
}

/* A dead worker's list names a task that somebody else runs by now. */
static void
a_dead_workers_list_takes_nothing_from_others(void **state)
{
	static const char dead[] = "019283a4-1234-7000-8000-0123456789ab";
	const char *id;

	(void)state;
	hold("x", 1);
	id = submit("ledger", "\"x\"", NULL);
	UNTIL(runs_of(id) == 1);
	redis_int(LOW, "RPUSH taskflow:processing:%s %s", dead, id);
	redis_int(HIGH, "SADD taskflow:workers %s", dead);
	UNTIL(redis_int(LOW, "EXISTS taskflow:processing:%s", dead) == 0);
	assert_true(runs_as(id, 1));
	release("x", 1);
	task_wait(id);
	assert_string_equal(
	    task_events(id), "CREATED/0 PICKED_UP/1 COMPLETED/1");
	all_ended();
}

/* ---- SIGSTOP past the TTL ---- */

/* worker-1 runs the first attempt and is stopped; worker-2 gets the second
 * one. Both are held. */
static const char *
split_brain(const char *name)
{
	const char *id;

	hold(name, 1);
	hold(name, 2);
	id = submit("ledger", text("\"%s\"", name), NULL);
	UNTIL(runs_of(id) == 1);
	part_signal("worker-1", SIGSTOP);
	part_start("worker-2");
	UNTIL(runs_as(id, 2) && runs_of(id) == 2);
	return id;
}

static void
goes_on_under_a_new_name(const char *old)
{
	const char *id;

	UNTIL(part_logged("worker-1", "goes on under a new name"));
	part_stop("worker-2");
	id = submit("echo", "\"again\"", NULL);
	task_wait(id);
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
	assert_string_not_equal(worker_of(id), old);
}

static const char *
first_worker_of(const char *id)
{
	return sql("SELECT worker FROM taskflow.task_events "
		   "WHERE task_id = '%s' AND kind = 3 AND attempt = 1",
	    id);
}

static void
a_late_result_is_refused_while_another_runs(void **state)
{
	const char *id = split_brain("d"), *first = first_worker_of(id);

	(void)state;
	part_signal("worker-1", SIGCONT);
	release("d", 1);
	UNTIL(part_logged("worker-1", "late result refused"));
	assert_true(runs_as(id, 2));
	release("d", 2);
	task_wait(id);
	assert_string_equal(
	    raw_of("result"), "{\"name\":\"d\",\"attempt\":2}\n");
	assert_string_equal(task_events(id),
	    "CREATED/0 PICKED_UP/1 RECOVERED/1 PICKED_UP/2 STALE_RESULT/1 "
	    "COMPLETED/2");
	assert_string_equal(sql("SELECT worker FROM taskflow.task_events "
				"WHERE task_id = '%s' AND kind = 12",
				id),
	    first);
	goes_on_under_a_new_name(first);
	all_ended();
}

static void
a_late_result_is_refused_after_the_end(void **state)
{
	const char *id = split_brain("e"), *first = first_worker_of(id);

	(void)state;
	release("e", 2);
	task_wait(id);
	/* The same numbers, but for the worker: what counts is who claimed. */
	release("e", 1);
	part_signal("worker-1", SIGCONT);
	UNTIL(strstr(task_events(id), "STALE_RESULT") != NULL);
	assert_string_equal(task_events(id),
	    "CREATED/0 PICKED_UP/1 RECOVERED/1 PICKED_UP/2 COMPLETED/2 "
	    "STALE_RESULT/1");
	task_get(id);
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
	assert_string_equal(
	    raw_of("result"), "{\"name\":\"e\",\"attempt\":2}\n");
	goes_on_under_a_new_name(first);
	all_ended();
}

/* Recovered and not yet claimed by anybody. */
static void
a_late_result_is_refused_while_the_task_waits(void **state)
{
	const char *id, *first;

	(void)state;
	hold("f", 1);
	id = submit("ledger", "\"f\"", NULL);
	UNTIL(runs_of(id) == 1);
	first = worker_of(id);
	part_signal("worker-1", SIGSTOP);
	UNTIL(task_is(id, "QUEUED"));
	release("f", 1);
	part_signal("worker-1", SIGCONT);
	task_wait(id);
	UNTIL(strstr(task_events(id), "STALE_RESULT") != NULL);
	/* It is its own successor, under another name. */
	assert_string_equal(str_of(task_get(id), "status"), "COMPLETED");
	assert_string_equal(
	    raw_of("result"), "{\"name\":\"f\",\"attempt\":2}\n");
	assert_string_not_equal(worker_of(id), first);
	all_ended();
	assert_int_equal(runs_of(id), 2);
}

/* It takes its own lost task from the list while it still runs it. */
static void
a_worker_may_be_its_own_successor(void **state)
{
	const char *id;

	(void)state;
	hold("s", 1);
	id = submit("ledger", "\"s\"", NULL);
	UNTIL(runs_of(id) == 1);
	part_signal("worker-1", SIGSTOP);
	UNTIL(task_is(id, "QUEUED"));
	UNTIL(redis_int(LOW, "LLEN taskflow:queue:default") == 1);
	part_signal("worker-1", SIGCONT);
	UNTIL(redis_int(LOW, "LLEN taskflow:queue:default") == 0);
	release("s", 1);
	task_wait(id);
	assert_string_equal(
	    raw_of("result"), "{\"name\":\"s\",\"attempt\":2}\n");
	all_ended();
}

/* The server has moved it, and the answer was lost: only the worker can know
 * that it does not run what stands in its list. */
static void
what_was_given_to_a_worker_unawares_is_done(void **state)
{
	const char *id, *busy[4];
	char *moved;
	int i;

	(void)state;
	hold("u", 1);
	for (i = 0; i < 4; i++)
		busy[i] = submit("ledger", "\"u\"", NULL);
	UNTIL(tasks_with("IN_PROGRESS") == 4);
	id = submit("echo", "1", NULL);
	UNTIL(redis_int(LOW, "LLEN taskflow:queue:default") == 1);
	moved = redis_words(LOW,
	    "LMOVE taskflow:queue:default taskflow:processing:%s LEFT RIGHT",
	    worker_of(busy[0]));
	assert_string_equal(moved, id);
	free(moved);
	release("u", 1);
	task_wait(id);
	assert_string_equal(
	    task_events(id), "CREATED/0 PICKED_UP/1 COMPLETED/1");
	all_ended();
}

/* Without a manager nobody gives its tasks away: what it did still counts. */
static void
a_result_counts_while_nobody_else_has_the_task(void **state)
{
	const char *id, *key, *old;

	(void)state;
	part_stop("manager-1");
	hold("g", 1);
	id = submit("ledger", "\"g\"", NULL);
	UNTIL(runs_of(id) == 1);
	old = worker_of(id);
	key = text("EXISTS taskflow:worker:%s", old);
	part_signal("worker-1", SIGSTOP);
	UNTIL(redis_int(HIGH, "%s", key) == 0);
	release("g", 1);
	part_signal("worker-1", SIGCONT);
	task_wait(id);
	assert_string_equal(
	    task_events(id), "CREATED/0 PICKED_UP/1 COMPLETED/1");
	assert_string_equal(worker_of(id), old);
	part_start("manager-1");
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_killed_workers_task_runs_again),
	cmocka_unit_test(the_last_attempt_dies_with_its_worker),
	cmocka_unit_test(a_killed_workers_backlog_goes_on),
	cmocka_unit_test(ids_that_were_taken_but_not_claimed_are_given_back),
	cmocka_unit_test(a_dead_workers_list_takes_nothing_from_others),
	cmocka_unit_test(a_late_result_is_refused_while_another_runs),
	cmocka_unit_test(a_late_result_is_refused_after_the_end),
	cmocka_unit_test(a_late_result_is_refused_while_the_task_waits),
	cmocka_unit_test(a_worker_may_be_its_own_successor),
	cmocka_unit_test(a_result_counts_while_nobody_else_has_the_task),
	cmocka_unit_test(what_was_given_to_a_worker_unawares_is_done),
};

int
main(int argc, char **argv)
{
	struct group g = { "faults_worker", "api=1 manager=1 worker=1",
		SHORT_TIMES "concurrency = 4\n" LEDGER_CONF, tests,
		NELEM(tests) };

	return group_run(&g, argc, argv);
}
