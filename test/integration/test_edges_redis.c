/* Redis servers that refuse writes, and what stands in lists afterwards. */
#include <signal.h>

#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

#define BACKLOG 60

/* The reconciler leaves younger ids alone than 2 * pg_timeout + 1 s. */
static const char base_conf[] = SHORT_TIMES
    "pg_timeout = 2s\n"
    "concurrency = 4\n" LEDGER_CONF "[handler one]\n"
    "command = @TOP@/test/integration/ledger.sh @HOME@/ledger @HOME@/hold\n"
    "concurrency = 1\n[handler twice]\n"
    "command = /bin/sh -c \"test $TASKFLOW_ATTEMPT = 2 && exit 0; "
    "while [ -e @HOME@/hold/x.1 ]; do sleep 0.05; done; exit 1\"\n";

static int
times_logged(const char *part, const char *words)
{
	char *s = read_file(stack_log(part)), *at = s;
	int n = 0;

	while (at != NULL && (at = strstr(at, words)) != NULL) {
		at += strlen(words);
		n++;
	}
	free(s);
	return n;
}

/* It has heard it, so that a second one is another one. */
static void
ask_to_leave(const char *part)
{
	int before = times_logged(part, "\"draining\"");

	part_signal(part, SIGTERM);
	UNTIL(times_logged(part, "\"draining\"") > before);
}

static int64_t
queued_in(enum server s)
{
	return redis_int(s, "LLEN taskflow:queue:default");
}

/* No write is so small that there is memory for it. */
static void
use_up_memory(enum server s)
{
	/* What clients may have is a part of maxmemory, and not the matter. */
	redis_int(s, "CONFIG SET maxmemory-clients 0");
	redis_int(s, "CONFIG SET maxmemory 1");
}

/* As it was, however the test ended. */
static int
accept_writes(void **state)
{
	enum server s;

	(void)state;
	for (s = LOW; s <= HIGH; s++) {
		redis_int(s, "CONFIG SET maxmemory 192mb");
		redis_int(s, "CONFIG SET maxmemory-clients 10%%");
		redis_int(s, "CONFIG SET min-replicas-to-write 0");
	}
	return 0;
}

static void
completes(const char *id, int attempt)
{
	task_wait(id);
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
	assert_int_equal(int_of(http_json(&me), "attempt"), attempt);
}

static bool
is_declared_dead(const char *worker)
{
	return redis_int(HIGH, "ZSCORE taskflow:dead %s", worker) > 0;
}

/* ---- a new name ---- */

/* It takes its own lost tasks from both lists while it still runs them. */
static void
a_worker_takes_its_own_tasks_again(void **state)
{
	const char *low, *high;

	(void)state;
	hold("again", 1);
	low = submit("sleep", "{\"ms\":6000}", NULL);
	high = submit("ledger", "\"again\"", "\"priority\":\"high\"");
	UNTIL(task_is(low, "IN_PROGRESS") && runs_of(high) == 1);
	part_signal("worker-1", SIGSTOP);
	UNTIL(task_is(low, "QUEUED") && task_is(high, "QUEUED"));
	UNTIL(queued_in(LOW) == 1 && queued_in(HIGH) == 1);
	part_signal("worker-1", SIGCONT);
	UNTIL(queued_in(LOW) == 0 && queued_in(HIGH) == 0);
	release("again", 1);
	completes(high, 2);
	assert_string_equal(
	    raw_of("result"), "{\"name\":\"again\",\"attempt\":2}\n");
	completes(low, 2);
	all_ended();
	assert_int_equal(runs_of(high), 2);
}

/* ---- leaving while redis-low refuses writes ---- */

/* A new leader makes a full pass, which finds lists of workers that nobody
 * knows. After this it has found one, and will not find ours. */
static void
await_full_pass(void)
{
	char lost[ID_SIZE];

	snprintf(lost, sizeof(lost), "%s", sql("SELECT gen_random_uuid()"));
	part_stop("manager-1");
	redis_int(LOW, "RPUSH taskflow:processing:%s %s", lost, lost);
	part_start("manager-1");
	UNTIL(is_declared_dead(lost) && lists_are_empty());
}

/* One runs, one waits for its handler: neither can be given back. */
static void
what_a_leaving_worker_cannot_give_back_is_found(void **state)
{
	const char *running, *waiting;

	(void)state;
	await_full_pass();
	hold("r", 1);
	running = submit("one", "\"r\"", "\"max_attempts\":1");
	waiting = submit("one", "\"r\"", "\"max_attempts\":1");
	UNTIL(runs_of(running) == 1 && task_is(waiting, "IN_PROGRESS"));
	redis_int(LOW, "CONFIG SET min-replicas-to-write 1");
	ask_to_leave("worker-1");
	UNTIL(task_is(waiting, "QUEUED"));
	part_signal("worker-1", SIGTERM);
	UNTIL(!part_runs("worker-1"));
	assert_true(task_is(running, "QUEUED"));
	accept_writes(NULL);
	release("r", 1);
	part_start("worker-2");
	completes(running, 2);
	completes(waiting, 1);
	all_ended();
	assert_int_equal(runs_of(running), 2);
	assert_int_equal(runs_of(waiting), 1);
}

/* ---- no memory ---- */
static const char *
submit_backlog(void)
{
	const char *held;
	int i;

	hold("m", 1);
	hold("n", 1);
	held = submit("ledger", "\"n\"", NULL);
	for (i = 0; i < 3; i++)
		submit("ledger", "\"m\"", NULL);
	UNTIL(tasks_with("IN_PROGRESS") == 4 && runs_of(held) == 1);
	for (i = 0; i < BACKLOG; i++)
		submit("echo", text("%d", i), NULL);
	assert_int_equal(queued_in(LOW), BACKLOG);
	return held;
}

/* Taking is what makes room. */
static void
a_full_redis_low_is_emptied(void **state)
{
	const char *held;
	int i;

	(void)state;
	tables_clear();
	held = submit_backlog();
	use_up_memory(LOW);
	/* Accepted, although no list can hold them. */
	for (i = 0; i < 10; i++)
		submit("noop", "null", NULL);
	assert_int_equal(queued_in(LOW), BACKLOG);
	release("m", 1);
	UNTIL(queued_in(LOW) == 0 && tasks_with("COMPLETED") == 3 + BACKLOG);
	/* One that has nothing to do, and cannot wait at the lists, takes what
	 * another one gives back. */
	part_start("worker-2");
	ask_to_leave("worker-1");
	part_signal("worker-1", SIGTERM);
	completes(held, 2);
	release("n", 1);
	assert_int_equal(tasks_with("COMPLETED"), 4 + BACKLOG);
	assert_int_equal(tasks_with("QUEUED"), 10);
	accept_writes(NULL);
	all_ended();
	assert_int_equal(tasks_with("COMPLETED"), 14 + BACKLOG);
}

/* Heartbeats and the lease need no new memory. */
static void
a_full_redis_high_kills_nobody(void **state)
{
	int dead = times_logged("manager-1", "declared a worker dead");
	int elected = times_logged("manager-1", "\"leads\"");
	const char *longer, *high;

	(void)state;
	tables_clear();
	use_up_memory(HIGH);
	high = submit("noop", "null", "\"priority\":\"high\"");
	/* More than two times to live. */
	longer = submit("sleep", "{\"ms\":8000}", NULL);
	completes(longer, 1);
	/* It still takes work, and the manager still has its lease. */
	completes(submit("echo", "1", NULL), 1);
	completes(submit("noop", "null", "\"delay_seconds\":0.2"), 1);
	assert_true(task_is(high, "QUEUED"));
	accept_writes(NULL);
	completes(high, 1);
	all_ended();
	assert_int_equal(
	    times_logged("manager-1", "declared a worker dead"), dead);
	assert_int_equal(times_logged("manager-1", "\"leads\""), elected);
}

/* ---- rubbish ---- */
static void
taken_by_nobody(enum server s, const char *worker, const char *entry)
{
	redis_int(s, "RPUSH taskflow:processing:%s %s", worker, entry);
	redis_int(HIGH, "SADD taskflow:workers %s", worker);
}

static void
rubbish_in_processing_lists_goes_away(void **state)
{
	pid_t manager = part_pid("manager-1");
	char worker[4][ID_SIZE];
	int i;

	(void)state;
	for (i = 0; i < 4; i++)
		snprintf(
		    worker[i], ID_SIZE, "%s", sql("SELECT gen_random_uuid()"));
	taken_by_nobody(HIGH, worker[0], "junk");
	taken_by_nobody(LOW, worker[1], "junk");
	/* Beside an id that no task has. */
	taken_by_nobody(HIGH, worker[2], "junk");
	taken_by_nobody(HIGH, worker[2], worker[3]);
	taken_by_nobody(LOW, worker[3], "junk junk");
	for (i = 0; i < 4; i++)
		UNTIL(is_declared_dead(worker[i]));
	UNTIL(lists_are_empty());
	completes(submit("noop", "null", "\"delay_seconds\":0.2"), 1);
	assert_true(part_runs("manager-1"));
	assert_int_equal(part_pid("manager-1"), manager);
	all_ended();
}

/* The entry of a task that has ended stays in a living worker's list... */
static void
an_entry_that_could_not_be_removed_goes_later(void **state)
{
	const char *id;

	(void)state;
	await_full_pass();
	hold("p", 1);
	id = submit("ledger", "\"p\"", NULL);
	UNTIL(runs_of(id) == 1);
	redis_int(LOW, "CONFIG SET min-replicas-to-write 1");
	release("p", 1);
	task_wait(id);
	accept_writes(NULL);
	all_ended();
}

/* ... and must not hide that its retry was pushed nowhere. */
static void
a_retry_that_could_not_be_pushed_is_run(void **state)
{
	const char *id;

	(void)state;
	await_full_pass();
	hold("x", 1);
	id = submit("twice", "null", NULL);
	UNTIL(task_is(id, "IN_PROGRESS"));
	redis_int(LOW, "CONFIG SET min-replicas-to-write 1");
	release("x", 1);
	UNTIL(task_is(id, "QUEUED"));
	accept_writes(NULL);
	all_ended();
}

#define TEST(f) cmocka_unit_test_teardown(f, accept_writes)

static const struct CMUnitTest tests[] = {
	TEST(an_entry_that_could_not_be_removed_goes_later),
	TEST(a_retry_that_could_not_be_pushed_is_run),
	TEST(a_worker_takes_its_own_tasks_again),
	TEST(what_a_leaving_worker_cannot_give_back_is_found),
	TEST(a_full_redis_low_is_emptied),
	TEST(a_full_redis_high_kills_nobody),
	TEST(rubbish_in_processing_lists_goes_away),
};

int
main(int argc, char **argv)
{
	struct group g = { "edges_redis", "api=1 manager=1 worker=1", base_conf,
		tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
