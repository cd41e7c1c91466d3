/* Several processes on the same queues, with the times that are the default:
 * nothing runs twice. */
#include <signal.h>

#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

static void
nothing_runs_twice(int n)
{
	int i;

	for (i = 0; i < n; i++)
		submit("ledger", text("\"t%d\"", i),
		    i % 3 != 0 ? NULL : "\"priority\":\"high\"");
	all_ended();
	assert_int_equal(tasks_with("COMPLETED"), n);
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE attempt <> 1"),
	    0);
	for (i = 0; i < n; i++)
		assert_int_equal(runs_of(ledger_id((size_t)i)), 1);
	runs_are_apart();
}

static void
two_workers_share_a_queue(void **state)
{
	(void)state;
	tables_clear();
	nothing_runs_twice(100);
	/* Both had a part of it. */
	assert_int_equal(sql_int("SELECT count(DISTINCT worker) "
				 "FROM taskflow.tasks"),
	    2);
}

/* Each id is in the list three times. */
static void
duplicates_in_the_list_run_once(void **state)
{
	const char *id;
	int i, k;

	(void)state;
	tables_clear();
	part_signal("worker-1", SIGSTOP);
	part_signal("worker-2", SIGSTOP);
	for (i = 0; i < 60; i++) {
		id = submit("ledger", text("\"d%d\"", i), NULL);
		for (k = 0; k < 2; k++)
			redis_int(LOW, "RPUSH taskflow:queue:default %s", id);
	}
	part_signal("worker-1", SIGCONT);
	part_signal("worker-2", SIGCONT);
	all_ended();
	for (i = 0; i < 60; i++)
		assert_int_equal(runs_of(ledger_id((size_t)i)), 1);
	runs_are_apart();
	assert_int_equal(tasks_with("COMPLETED"), 60);
}

/* Three processes that do everything, instead of one for each role. */
static void
processes_with_all_roles_share_the_work(void **state)
{
	(void)state;
	tables_clear();
	part_start("all-1");
	part_start("all-2");
	part_stop("worker-1");
	part_stop("worker-2");
	part_stop("manager-1");
	nothing_runs_twice(100);
	submit("fail", "{\"times\":2}", NULL);
	submit("noop", "null", "\"delay_seconds\":1");
	all_ended();
}

static void
a_killed_worker_is_found_with_the_default_times(void **state)
{
	const char *id, *worker, *victim;
	int i;

	(void)state;
	tables_clear();
	hold("a", 1);
	id = submit("ledger", "\"a\"", NULL);
	UNTIL(runs_of(id) == 1);
	worker = sql("SELECT worker FROM taskflow.tasks WHERE id = '%s'", id);
	victim = part_logged("worker-1", worker) ? "worker-1" : "worker-2";
	part_kill(victim);
	/* The other one goes on meanwhile. */
	for (i = 0; i < 50; i++)
		submit("echo", "1", NULL);
	task_wait(id);
	assert_string_equal(
	    raw_of("result"), "{\"name\":\"a\",\"attempt\":2}\n");
	assert_string_equal(task_events(id),
	    "CREATED/0 PICKED_UP/1 RECOVERED/1 PICKED_UP/2 COMPLETED/2");
	release("a", 1);
	all_ended();
	assert_int_equal(runs_of(id), 2);
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE attempt > 1"),
	    1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(two_workers_share_a_queue),
	cmocka_unit_test(duplicates_in_the_list_run_once),
	cmocka_unit_test(processes_with_all_roles_share_the_work),
	cmocka_unit_test(a_killed_worker_is_found_with_the_default_times),
};

int
main(int argc, char **argv)
{
	struct group g = { "many", "api=1 manager=1 worker=2",
		"concurrency = 4\n" LEDGER_CONF, tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
