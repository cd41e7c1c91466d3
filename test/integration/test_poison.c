/* Tasks that do harm: to their worker, to the machine, to what we expect. */
#include <dirent.h>
#include <stdlib.h>

#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

#define POISON "command = @TOP@/test/integration/poison.sh\n"

/* What its events say, of one kind. */
static const char *
messages(const char *id, const char *kind)
{
	return sql("SELECT string_agg(message, ' / ' ORDER BY seq) "
		   "FROM taskflow.task_events "
		   "WHERE task_id = '%s' AND kind = %s",
	    id, kind);
}

#define FAILED "6"
#define RETRIED "7"
#define RECOVERED "8"

static void
assert_says(const char *said, const char *words)
{
	assert_non_null(said);
	if (strstr(said, words) == NULL)
		fail_msg("it does not say \"%s\"", words);
}

/* Descriptors of the worker. */
static int
open_files(void)
{
	DIR *d = opendir(text("/proc/%d/fd", (int)part_pid("worker-1")));
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static int
children(void)
{
	char *out;
	const char *argv[] = { "/bin/sh", "-c",
		text("ps -o stat= --ppid %d | grep -vc '^Z' || true",
		    (int)part_pid("worker-1")),
		NULL };
	int n;

	run_program(argv, &out);
	n = atoi(out);
	free(out);
	return n;
}

/* Others go on while it is there, and after it the worker is as it was. */
static void
worker_is_well(pid_t pid, int files)
{
	const char *other = submit("echo", "1", NULL);

	task_wait(other);
	assert_string_equal(
	    task_events(other), "CREATED/0 PICKED_UP/1 COMPLETED/1");
	assert_int_equal(part_pid("worker-1"), pid);
	UNTIL(open_files() <= files);
}

static const char *
poison(const char *how, const char *type, const char *more)
{
	const char *id = submit(type, text("\"%s\"", how), more);
	const char *other = submit("echo", "2", NULL);

	task_wait(other);
	assert_string_equal(
	    task_events(other), "CREATED/0 PICKED_UP/1 COMPLETED/1");
	task_wait(id);
	return id;
}

#define ONCE "\"max_attempts\":1"

/* Which starts the worker again whenever it has ended. */
static bool
failed_under_a_supervisor(const char *id)
{
	if (!part_runs("worker-1"))
		part_start("worker-1");
	return task_is(id, "FAILED");
}

static void
who_kills_its_worker_is_stopped_after_its_attempts(void **state)
{
	const char *id, *others[20];
	int i;

	(void)state;
	id = submit("poison", "\"kill-worker\"", "\"max_attempts\":3");
	for (i = 0; i < 20; i++)
		others[i] = submit("echo", "3", NULL);
	UNTIL(failed_under_a_supervisor(id));
	assert_string_equal(task_events(id),
	    "CREATED/0 PICKED_UP/1 RECOVERED/1 PICKED_UP/2 RECOVERED/2 "
	    "PICKED_UP/3 FAILED/3");
	assert_says(messages(id, RECOVERED), "died");
	assert_says(messages(id, FAILED), "died");
	if (!part_runs("worker-1"))
		part_start("worker-1");
	for (i = 0; i < 20; i++) {
		task_wait(others[i]);
		assert_true(task_is(others[i], "COMPLETED"));
	}
	all_ended();
}

static void
a_crash_is_told_with_signal_memory_and_last_words(void **state)
{
	const char *id, *said;
	int i;

	(void)state;
	id = poison("crash", "poison", "\"max_attempts\":3");
	assert_string_equal(task_events(id),
	    "CREATED/0 PICKED_UP/1 RETRIED/1 QUEUED/1 PICKED_UP/2 RETRIED/2 "
	    "QUEUED/2 PICKED_UP/3 FAILED/3");
	said = text("%s / %s", messages(id, RETRIED), messages(id, FAILED));
	for (i = 1; i <= 3; i++)
		assert_says(said, text("about to crash, attempt %d", i));
	assert_says(said, "killed by SIGSEGV (max RSS ");
	assert_says(said, " kB, CPU ");
	all_ended();
}

static void
who_eats_memory_meets_its_limit(void **state)
{
	pid_t pid = part_pid("worker-1");
	int files = open_files();
	const char *id;

	(void)state;
	id = poison("memory", "small", ONCE);
	assert_true(task_is(id, "FAILED"));
	assert_says(messages(id, FAILED), "Out of memory");
	worker_is_well(pid, files);
	all_ended();
}

/* A table of harm: which handler, how it ends, and what is said of it. */
static const struct harm {
	const char *how, *status, *says;
} harms[] = {
	{ "hang", "FAILED", "timed out after 1 s" },
	{ "ignore", "FAILED", "killed by SIGKILL" },
	{ "write", "FAILED", "timed out after 1 s" },
	{ "complain", "FAILED", "oh no" },
	{ "fork", "COMPLETED", NULL },
	{ "pipes", "COMPLETED", NULL },
	{ "input", "COMPLETED", NULL },
};

static void
misbehaviour_does_not_disturb_the_worker(void **state)
{
	pid_t pid = part_pid("worker-1");
	int files = open_files();
	const char *id;
	size_t i;

	(void)state;
	id = submit("poison", "\"hang\"", ONCE);
	UNTIL(children() > 0); /* so that none in the end means something */
	task_wait(id);
	for (i = 0; i < NELEM(harms); i++) {
		id = poison(harms[i].how, "poison", ONCE);
		if (!task_is(id, harms[i].status))
			fail_msg("%s: %s", harms[i].how, task_events(id));
		if (harms[i].says != NULL)
			assert_says(messages(id, FAILED), harms[i].says);
		worker_is_well(pid, files);
	}
	UNTIL(children() == 0);
	all_ended();
}

/* Those that stay: one that says nothing, one that ends, one that talks. */
static void
programs_that_stay_misbehave_too(void **state)
{
	static const char *const types[] = { "mute", "gone", "talker" };
	pid_t pid = part_pid("worker-1");
	int files = open_files();
	const char *id;
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(types); i++) {
		id = poison("x", types[i], ONCE);
		assert_true(task_is(id, "FAILED"));
		assert_says(messages(id, FAILED),
		    i == 0       ? "timed out"
			: i == 1 ? "without an answer"
				 : "bad line of the program");
		worker_is_well(pid, files + 3); /* a new one may be ready */
	}
	all_ended();
}

static const char *
submit_running(const char *payload, const char *more)
{
	const char *id = submit("flight", payload, more);

	UNTIL(strcmp(task_events(id), "CREATED/0 PICKED_UP/1") == 0 ||
	    strcmp(payload, "\"crash\"") == 0);
	return id;
}

/* One of several in a program crashes it: the oldest has failed, the others
 * have all their attempts left. */
static void
a_crash_with_several_in_flight_costs_one_attempt(void **state)
{
	pid_t pid = part_pid("worker-1");
	int files = open_files();
	const char *id[4];
	int i;

	(void)state;
	id[0] = submit_running("1", "\"max_attempts\":2");
	id[1] = submit_running("1", ONCE);
	id[2] = submit_running("1", ONCE);
	id[3] = submit_running("\"crash\"", ONCE);
	for (i = 0; i < 4; i++) {
		assert_string_equal(
		    str_of(task_wait(id[i]), "status"), "COMPLETED");
		assert_string_equal(task_events(id[i]),
		    i == 0 ? "CREATED/0 PICKED_UP/1 RETRIED/1 QUEUED/1 "
			     "PICKED_UP/2 COMPLETED/2"
			   : "CREATED/0 PICKED_UP/1 INTERRUPTED/1 PICKED_UP/2 "
			     "COMPLETED/2");
	}
	worker_is_well(pid, files + 3);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_crash_is_told_with_signal_memory_and_last_words),
	cmocka_unit_test(who_eats_memory_meets_its_limit),
	cmocka_unit_test(misbehaviour_does_not_disturb_the_worker),
	cmocka_unit_test(programs_that_stay_misbehave_too),
	cmocka_unit_test(a_crash_with_several_in_flight_costs_one_attempt),
	cmocka_unit_test(who_kills_its_worker_is_stopped_after_its_attempts),
};

int
main(int argc, char **argv)
{
	struct group g = { "poison", "api=1 manager=1 worker=1",
		SHORT_TIMES
		"concurrency = 4\n"
		"[handler poison]\n" POISON "timeout = 1s\ngrace = 300ms\n"
		"[handler small]\n" POISON "max_memory = 128MiB\n"
		"[handler mute]\nkind = process\ntimeout = 1s\n"
		"grace = 300ms\ncommand = /bin/sleep 1000\n"
		"[handler gone]\nkind = process\ncommand = /bin/false\n"
		"[handler talker]\nkind = process\n"
		"command = /usr/bin/yes hello\n"
		"[handler flight]\nkind = process\nin_flight = 4\n"
		"command = /usr/bin/perl @TOP@/test/integration/flight.pl\n",
		tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
