/* A deploy is not a failure: SIGTERM to a worker. */
#include <signal.h>

#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

#define BACKLOG 12

/* One handler at a time, so that most claimed tasks wait for their handler. */
static const char base_conf[] = SHORT_TIMES
    "concurrency = 4\n"
    "shutdown_timeout = 60s\n" LEDGER_CONF "[handler one]\n"
    "command = @TOP@/test/integration/ledger.sh @HOME@/ledger @HOME@/hold\n"
    "concurrency = 1\n";

/* ids[0..n) are the tasks with these payloads, in order. */
static void
fill(char ids[][ID_SIZE], int n, const char *type, const char *more)
{
	int i;

	for (i = 0; i < n; i++)
		snprintf(ids[i], ID_SIZE, "%s",
		    submit(type, text("\"n%d\"", i), more));
}

static char *
join(char ids[][ID_SIZE], int from, int n)
{
	char *all = calloc(1, (size_t)n * ID_SIZE + 1);
	int i;

	for (i = from; i < n; i++)
		strcat(strcat(all, i > from ? " " : ""), ids[i]);
	return all;
}

/* The queue of redis-low holds these, in this order. */
static bool
queue_is(char ids[][ID_SIZE], int from, int n)
{
	char *want = join(ids, from, n);
	char *got = redis_words(LOW, "LRANGE taskflow:queue:default 0 -1");
	bool same = strcmp(want, got) == 0;

	free(want);
	free(got);
	return same;
}

static void
unstarted_tasks_go_back_to_the_head_in_order(void **state)
{
	char ids[BACKLOG][ID_SIZE];
	int i;

	(void)state;
	tables_clear();
	hold("n0", 1);
	fill(ids, BACKLOG, "one", NULL);
	/* One runs, three wait for its handler, the rest is queued. */
	UNTIL(runs_of(ids[0]) == 1 && tasks_with("IN_PROGRESS") == 4 &&
	    queue_is(ids, 4, BACKLOG));
	part_signal("worker-1", SIGTERM);
	UNTIL(queue_is(ids, 1, BACKLOG));
	/* It still runs, and the worker waits for it. */
	assert_true(part_runs("worker-1"));
	assert_true(task_is(ids[0], "IN_PROGRESS"));
	assert_int_equal(tasks_with("QUEUED"), BACKLOG - 1);
	for (i = 1; i < 4; i++) {
		assert_int_equal(task_attempt(ids[i]), 0);
		assert_string_equal(
		    task_events(ids[i]), "CREATED/0 PICKED_UP/1 RELEASED/1");
	}
	release("n0", 1);
	UNTIL(!part_runs("worker-1"));
	assert_true(task_is(ids[0], "COMPLETED"));
	assert_string_equal(
	    task_events(ids[0]), "CREATED/0 PICKED_UP/1 COMPLETED/1");
	assert_true(queue_is(ids, 1, BACKLOG));
	assert_int_equal(redis_int(LOW, "KEYS taskflow:processing:*"), 0);
	assert_int_equal(redis_int(HIGH, "SCARD taskflow:workers"), 0);
	part_start("worker-2");
	all_ended();
	runs_are_apart();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE attempt <> 1 OR returned <> 0"),
	    0);
}

static void
both_priorities_go_back_to_their_own_lists(void **state)
{
	char ids[8][ID_SIZE];

	(void)state;
	tables_clear();
	hold("n0", 1);
	fill(ids, 4, "one", "\"priority\":\"high\"");
	UNTIL(runs_of(ids[0]) == 1 && tasks_with("IN_PROGRESS") == 4);
	fill(ids + 4, 4, "one", NULL);
	part_signal("worker-1", SIGTERM);
	/* A BLMOVE on low may have been on its way: then one comes back. */
	UNTIL(redis_int(HIGH, "LLEN taskflow:queue:default") == 3 &&
	    redis_int(LOW, "LLEN taskflow:queue:default") == 4);
	release("n0", 1);
	UNTIL(!part_runs("worker-1"));
	part_start("worker-1");
	all_ended();
	runs_are_apart();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE attempt <> 1 OR returned <> 0"),
	    0);
}

/* The worker is asked to hurry, gives it back, and another one ends it. */
static void
what_runs_too_long_is_given_back(void **state)
{
	const char *id, *event;

	(void)state;
	stack_conf(text("%sshutdown_timeout = 500ms\n%s", SHORT_TIMES,
	    "concurrency = 4\n" LEDGER_CONF));
	part_stop("worker-1");
	part_start("worker-1");
	hold("long", 1);
	id = submit("ledger", "\"long\"", "\"max_attempts\":1");
	UNTIL(runs_of(id) == 1);
	part_signal("worker-1", SIGTERM);
	UNTIL(!part_runs("worker-1"));
	assert_true(task_is(id, "QUEUED"));
	task_get(id);
	assert_int_equal(int_of(http_json(&me), "attempt"), 1);
	assert_int_equal(int_of(http_json(&me), "attempts_used"), 0);
	part_start("worker-2");
	task_wait(id);
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
	assert_int_equal(int_of(http_json(&me), "attempts_used"), 1);
	event = task_events(id);
	assert_string_equal(event,
	    "CREATED/0 PICKED_UP/1 INTERRUPTED/1 PICKED_UP/2 COMPLETED/2");
	release("long", 1);
	all_ended();
	assert_int_equal(runs_of(id), 2);
}

/* One is stopped, another started, again and again, as a rollout does it. */
static void
a_rollout_costs_no_attempt(void **state)
{
	int i, k;

	(void)state;
	tables_clear();
	for (i = 0; i < 4; i++) {
		for (k = 0; k < 25; k++)
			submit(k % 5 == 0 ? "ledger" : "sleep",
			    k % 5 == 0 ? "\"x\"" : "{\"ms\":40}",
			    k % 2 == 0 ? NULL : "\"priority\":\"high\"");
		part_launch(text("worker-%d", i + 2));
		part_stop(text("worker-%d", i + 1));
	}
	all_ended();
	runs_are_apart();
	assert_int_equal(tasks_with("COMPLETED"), 100);
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE attempt <> 1"),
	    0);
}

/* SIGTERM to the API: whoever waits is answered, and the port is closed. */
static void
an_api_answers_before_it_leaves(void **state)
{
	const char *id;

	(void)state;
	hold("w", 1);
	id = submit("ledger", "\"w\"", NULL);
	part_start("api-2");
	part_signal("api-2", SIGTERM);
	UNTIL(!part_runs("api-2"));
	release("w", 1);
	task_wait(id);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(unstarted_tasks_go_back_to_the_head_in_order),
	cmocka_unit_test(both_priorities_go_back_to_their_own_lists),
	cmocka_unit_test(what_runs_too_long_is_given_back),
	cmocka_unit_test(a_rollout_costs_no_attempt),
	cmocka_unit_test(an_api_answers_before_it_leaves),
};

int
main(int argc, char **argv)
{
	struct group g = { "drain", "api=1 manager=1 worker=1", base_conf,
		tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
