/*
 * How children end, by themselves and by signals, and what they leave behind.
 */
#include "child_run.h"

/* ---- how it ends ---- */
static void
exit_status_is_reported(void **state)
{
	static const char *const scripts[] = { "exit 0", "exit 1", "exit 127",
		"exit 255" };
	static const int status[] = { 0, 1, 127, 255 };
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(scripts); i++) {
		struct run r = { 0 };

		run_sh(&r, scripts[i]);
		assert_int_equal(r.exit.status, status[i]);
		assert_int_equal(r.exit.signo, 0);
		finish(&r);
	}
}

static void
signal_is_reported(void **state)
{
	struct run r = { 0 }, s = { 0 };

	(void)state;
	run_sh(&r, "kill -SEGV $$");
	assert_int_equal(r.exit.status, -1);
	assert_int_equal(r.exit.signo, SIGSEGV);
	finish(&r);
	start(&s, (struct child_spec){ .argv = ARGV("/bin/sleep", "100") });
	child_signal(s.child, SIGUSR1);
	UNTIL(s.n_ended == 1);
	child_signal(s.child, SIGUSR1); /* nobody there: nothing happens */
	assert_int_equal(s.exit.signo, SIGUSR1);
	finish(&s);
}

static void
missing_program_is_an_end(void **state)
{
	struct run r = { 0 }, s = { 0 };

	(void)state;
	start(&r, (struct child_spec){ .argv = ARGV("/no/program") });
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.exit.status, 127);
	assert_string_equal(r.tail,
	    "taskflowd: cannot execute /no/program: "
	    "No such file or directory\n");
	finish(&r);
	start(&s, (struct child_spec){ .argv = ARGV("/etc/passwd") });
	UNTIL(s.n_ended == 1);
	assert_int_equal(s.exit.status, 127);
	assert_non_null(strstr(s.tail, "Permission denied"));
	finish(&s);
}

static void
missing_directory_is_an_end(void **state)
{
	struct run r = { 0 };

	(void)state;
	start(&r,
	    (struct child_spec){
		.argv = SH("exit 0"), .directory = "/no/directory" });
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.exit.status, 127);
	assert_non_null(strstr(r.tail, "cannot enter /no/directory"));
	finish(&r);
}

static void
unknown_user_is_refused(void **state)
{
	const struct child_spec spec = {
		.argv = SH("exit 0"), .envp = plain_env, .user = "no-such-user"
	};
	struct run r = { 0 };

	(void)state;
	errno = 0;
	assert_null(child_start(the_loop, &spec, &events, &r));
	assert_int_equal(errno, EINVAL);
}

static void
no_descriptors_is_refused(void **state)
{
	const struct child_spec spec = { .argv = SH("exit 0"),
		.envp = plain_env };
	struct rlimit old, low;
	struct run r = { 0 };
	int fds = count_fds(), spare;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old);
	/* The three pipes need six: let it fail at each of them. */
	for (spare = 0; spare < 6; spare++) {
		low = old;
		low.rlim_cur = (rlim_t)(dup(0) + spare);
		close((int)low.rlim_cur - spare);
		setrlimit(RLIMIT_NOFILE, &low);
		errno = 0;
		assert_null(child_start(the_loop, &spec, &events, &r));
		assert_int_equal(errno, EMFILE);
		setrlimit(RLIMIT_NOFILE, &old);
		assert_int_equal(count_fds(), fds);
	}
}

static void
who_ignores_sigterm_dies_of_sigkill(void **state)
{
	struct run r = { 0 };

	(void)state;
	start_sh(&r, "trap '' TERM; echo ready; read x; echo still; read x");
	UNTIL(r.out.len == 6);
	child_signal(r.child, SIGTERM);
	child_write(r.child, "x\n", 2);
	UNTIL(r.out.len == 12);
	assert_int_equal(r.n_ended, 0);
	child_signal(r.child, SIGKILL);
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.exit.signo, SIGKILL);
	finish(&r);
}

static void
signal_reaches_the_group(void **state)
{
	struct run r = { 0 };
	pid_t pid, inner;

	(void)state;
	/* The inner one says that it has left the shell's trap behind. */
	start_sh(&r,
	    "trap 'wait; exit 6' TERM; "
	    "sh -c 'echo $$; exec sleep 100' & wait");
	UNTIL(r.out.len > 0);
	pid = child_pid(r.child);
	inner = atoi(r.out.data);
	assert_int_equal(getpgid(inner), pid);
	assert_int_not_equal(getpgid(0), pid);
	child_signal(r.child, SIGTERM);
	UNTIL(r.n_ended == 1); /* not before the inner one is dead */
	assert_int_equal(r.exit.status, 6);
	finish(&r);
}

/* A task is over when its leader is. */
static void
rest_of_the_group_is_killed(void **state)
{
	int64_t began = clock_mono_us();
	struct run r = { 0 };
	pid_t left;

	(void)state;
	run_sh(&r, "sleep 100 & echo $!; exit 3");
	assert_int_equal(r.exit.status, 3);
	assert_true(clock_mono_us() - began < 10 * US_PER_S);
	left = atoi(r.out.data);
	assert_true(left > 1);
	UNTIL(is_gone(left));
	finish(&r);
}

static void
grandchild_cannot_hold_the_end(void **state)
{
	struct run r = { 0 };
	int64_t began;
	pid_t left;

	(void)state;
	start_sh(&r,
	    "setsid sh -c 'echo $$; exec sleep 100' & read x; "
	    "echo done; exit 2");
	UNTIL(r.out.len > 0);
	left = atoi(r.out.data);
	assert_int_equal(getsid(left), left);
	began = clock_mono_us();
	child_write(r.child, "x\n", 2);
	UNTIL(r.n_ended == 1);
	assert_true(clock_mono_us() - began >= 100 * US_PER_MS);
	assert_true(clock_mono_us() - began < 5 * US_PER_S);
	assert_int_equal(r.exit.status, 2);
	assert_non_null(strstr(r.out.data, "done\n"));
	assert_false(is_gone(left));
	finish(&r);
	assert_false(no_children()); /* the orphan is ours now */
	kill(left, SIGKILL);
	UNTIL(is_gone(left));
}

/* It writes without end, and is not listened to. */
static void
grandchild_cannot_flood_the_end(void **state)
{
	struct run r = { .drains = true };
	pid_t left;

	(void)state;
	start(&r,
	    (struct child_spec){ .max_stdout = 100000,
		.argv =
		    SH("setsid sh -c 'echo $$; exec yes' & read x; exit 2") });
	UNTIL(r.out.len > 0);
	left = atoi(r.out.data);
	child_write(r.child, "x\n", 2);
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.exit.status, 2);
	finish(&r);
	UNTIL(is_gone(left)); /* of SIGPIPE */
}

static void
fifty_at_once(void **state)
{
	static struct run r[50];
	char script[50][40];
	int i, done, fds = count_fds();

	(void)state;
	memset(r, 0, sizeof(r));
	for (i = 0; i < 50; i++) {
		snprintf(script[i], sizeof(script[i]),
		    "read x; echo %d; exit %d", i, i);
		start_sh(&r[i], script[i]);
	}
	for (i = 0; i < 50; i++)
		child_write(r[i].child, "\n", 1);
	do {
		loop_turn(the_loop);
		for (i = done = 0; i < 50; i++)
			done += r[i].n_ended;
	} while (done < 50);
	for (i = 0; i < 50; i++) {
		assert_int_equal(r[i].n_ended, 1);
		assert_int_equal(r[i].exit.status, i);
		assert_int_equal(atoi(r[i].out.data), i);
		finish(&r[i]);
	}
	assert_true(no_children());
	assert_int_equal(count_fds(), fds);
}

static void
use_is_measured(void **state)
{
	struct run r = { 0 };

	(void)state;
	run_sh(&r,
	    "exec perl -e 'my $x = \"a\" x 80_000_000; my $i = 0; "
	    "while ((times)[0] + (times)[1] < 0.3) { $i++ }'");
	assert_int_equal(r.exit.status, 0);
	assert_true(r.exit.max_rss_kb > 75000);
	assert_true(r.exit.cpu_us >= 300000 && r.exit.cpu_us < 5000000);
	finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(exit_status_is_reported),
		TEST(signal_is_reported),
		TEST(missing_program_is_an_end),
		TEST(missing_directory_is_an_end),
		TEST(unknown_user_is_refused),
		TEST(no_descriptors_is_refused),
		TEST(who_ignores_sigterm_dies_of_sigkill),
		TEST(signal_reaches_the_group),
		TEST(rest_of_the_group_is_killed),
		TEST(grandchild_cannot_hold_the_end),
		TEST(grandchild_cannot_flood_the_end),
		TEST(fifty_at_once),
		TEST(use_is_measured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
