/*
 * What a program finds when it starts: environment, descriptors, signals,
 * limits, user, and a parent that it does not outlive.
 */
#include <grp.h>
#include <limits.h>
#include <sys/prctl.h>

#include "child_run.h"

/* ---- what the program finds ---- */
static void
environment_is_what_was_given(void **state)
{
	char *const *env = ARGV("A=1", "B=two words");
	struct run r = { 0 };

	(void)state;
	setenv("TASKFLOW_SECRET", "no", 1);
	start(&r,
	    (struct child_spec){ .argv = ARGV("/usr/bin/env"), .envp = env });
	UNTIL(r.n_ended == 1);
	assert_string_equal(r.out.data, "A=1\nB=two words\n");
	finish(&r);
}

static void
descriptors_are_three(void **state)
{
	struct run r = { 0 }, other = { 0 };
	int leak = fcntl(0, F_DUPFD, 500); /* not close-on-exec */

	(void)state;
	assert_true(leak >= 500);
	start_sh(&other, "read x");
	start_sh(&r, "exec ls /proc/self/fd"); /* 3 is the listing itself */
	UNTIL(r.n_ended == 1);
	assert_string_equal(r.out.data, "0\n1\n2\n3\n");
	close(leak);
	finish(&r);
	finish(&other);
}

/* A daemon may have been started with its standard descriptors closed. */
static void
works_without_standard_descriptors(void **state)
{
	int saved[3], i;
	struct run r = { 0 };
	bool timely;
	int64_t give_up;

	(void)state;
	for (i = 0; i < 3; i++) {
		saved[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
		close(i);
	}
	start_sh(&r, "read x; echo out-$x; echo err >&2; ls /proc/self/fd");
	child_write(r.child, "in\n", 3);
	give_up = clock_mono_us() + 20 * US_PER_S;
	while (r.n_ended == 0 && clock_mono_us() < give_up)
		loop_turn(the_loop);
	timely = r.n_ended == 1;
	child_free(r.child);
	for (i = 0; i < 3; i++) {
		dup2(saved[i], i);
		close(saved[i]);
	}
	assert_true(timely);
	assert_string_equal(r.out.data, "out-in\n0\n1\n2\n3\n");
	assert_string_equal(r.tail, "err\n");
	buf_fini(&r.out);
}

/* 32 and 33 belong to the C library, which lets nobody touch them; make leaves
 * them ignored. */
#define LIBC_SIGNALS (3UL << 31)

static unsigned long
mask_of(const char *status, const char *label)
{
	const char *p = strstr(status, label);

	assert_non_null(p);
	return strtoul(p + strlen(label), NULL, 16);
}

static void
signals_are_as_new(void **state)
{
	struct run r = { 0 };
	sigset_t set, old;

	(void)state;
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, &old);
	start(&r,
	    (struct child_spec){
		.argv = ARGV("/bin/grep", "-E", "^(SigBlk|SigIgn|NoNewPrivs)",
		    "/proc/self/status") });
	sigprocmask(SIG_SETMASK, NULL, &set);
	assert_true(sigismember(&set, SIGUSR2));
	assert_false(sigismember(&set, SIGTERM));
	UNTIL(r.n_ended == 1);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGHUP, SIG_DFL);
	assert_non_null(strstr(r.out.data, "SigBlk:\t0000000000000000\n"));
	assert_int_equal(mask_of(r.out.data, "SigIgn:") & ~LIBC_SIGNALS, 0);
	assert_non_null(strstr(r.out.data, "NoNewPrivs:\t1\n"));
	finish(&r);
}

static void
directory_is_root_unless_given(void **state)
{
	struct run r = { 0 }, s = { 0 };

	(void)state;
	start(&r, (struct child_spec){ .argv = ARGV("/bin/pwd") });
	start(&s,
	    (struct child_spec){
		.argv = ARGV("/bin/pwd"), .directory = "/usr" });
	UNTIL(r.n_ended == 1 && s.n_ended == 1);
	assert_string_equal(r.out.data, "/\n");
	assert_string_equal(s.out.data, "/usr\n");
	finish(&r);
	finish(&s);
}

static void
limits_are_set(void **state)
{
	struct run r = { 0 };
	struct rlimit old, high;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &old);
	high = old;
	high.rlim_cur = high.rlim_max; /* as a daemon would */
	setrlimit(RLIMIT_NOFILE, &high);
	start(&r,
	    (struct child_spec){ .max_cpu_s = 7,
		.max_memory = 200 * MB,
		.argv = SH("ulimit -c; ulimit -n; "
			   "ulimit -St; ulimit -Ht; ulimit -v") });
	setrlimit(RLIMIT_NOFILE, &old);
	UNTIL(r.n_ended == 1);
	assert_string_equal(r.out.data, "0\n1024\n7\n12\n204800\n");
	finish(&r);
}

static void
memory_limit_bites(void **state)
{
	struct run r = { 0 };

	(void)state;
	start(&r,
	    (struct child_spec){ .max_memory = 100 * MB,
		.argv =
		    SH("exec perl -e '$x = \"a\" x 300_000_000; print 1'") });
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.out.len, 0);
	assert_true(r.exit.status != 0);
	finish(&r);
}

static void
cpu_limit_bites(void **state)
{
	struct run r = { 0 };

	(void)state;
	start(&r,
	    (struct child_spec){
		.max_cpu_s = 1, .argv = SH("while :; do :; done") });
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.exit.signo, SIGXCPU);
	assert_true(r.exit.cpu_us > 500000 && r.exit.cpu_us < 3000000);
	finish(&r);
}

static void
user_is_switched(void **state)
{
	gid_t old[64], extra = 4;
	int n = getgroups(64, old);
	struct run r = { 0 };

	(void)state;
	if (geteuid() != 0)
		skip();
	setgroups(1, &extra); /* which it must not keep */
	start(&r,
	    (struct child_spec){
		.user = "nobody", .argv = SH("id -un; id -Gn; id -ru") });
	UNTIL(r.n_ended == 1);
	setgroups((size_t)n, old);
	assert_string_equal(r.out.data, "nobody\nnogroup\n65534\n");
	finish(&r);
}

/* ---- the parent dies ---- */

/* A parent of its own with its own loop; it tells us the pid of its child. */
static void
be_parent(int tell, const char *user)
{
	const struct child_spec spec = { .user = user,
		.envp = plain_env,
		.argv = SH("echo ready; exec sleep 100"),
		.max_stdout = 100 };
	struct run r = { 0 };
	pid_t pid;

	the_loop = loop_open();
	child_reaper_start(the_loop);
	buf_init(&r.out, 100);
	r.child = child_start(the_loop, &spec, &events, &r);
	pid = child_pid(r.child);
	while (r.n_output == 0)
		loop_turn(the_loop);
	if (write(tell, &pid, sizeof(pid)) < 0)
		_exit(1);
	for (;;)
		pause();
}

static void
parent_death_kills(const char *user)
{
	int p[2];
	pid_t parent, pid = -1;

	assert_int_equal(pipe(p), 0);
	parent = fork();
	if (parent == 0)
		be_parent(p[1], user);
	close(p[1]);
	assert_int_equal(read(p[0], &pid, sizeof(pid)), sizeof(pid));
	close(p[0]);
	set_up(NULL); /* only now, so that they do not share it */
	assert_false(is_gone(pid));
	kill(parent, SIGKILL);
	UNTIL(is_gone(parent));
	UNTIL(is_gone(pid));
	tear_down(NULL);
}

static void
child_dies_with_its_parent(void **state)
{
	(void)state;
	parent_death_kills(NULL);
}

static void
other_user_dies_with_its_parent(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	parent_death_kills("nobody");
}

static void
read_line(const char *path, char ret[64])
{
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	assert_non_null(fgets(ret, 64, f));
	fclose(f);
}

/* It may have shared our memory for a while. */
static void
nothing_of_it_is_ours(void **state)
{
	char before[64], after[64], cwd[PATH_MAX], cwd_after[PATH_MAX];
	struct rlimit old, new;
	struct run r = { 0 };

	(void)state;
	read_line("/proc/self/oom_score_adj", before);
	getrlimit(RLIMIT_AS, &old);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	start(&r,
	    (struct child_spec){ .argv = SH("cat /proc/self/oom_score_adj"),
		.directory = "/usr",
		.max_memory = 512 * MB });
	assert_true(getpgid(0) != child_pid(r.child));
	UNTIL(r.n_ended == 1);
	assert_string_equal(r.out.data, "1000\n");
	read_line("/proc/self/oom_score_adj", after);
	assert_string_equal(after, before);
	getrlimit(RLIMIT_AS, &new);
	assert_true(new.rlim_cur == old.rlim_cur);
	assert_non_null(getcwd(cwd_after, sizeof(cwd_after)));
	assert_string_equal(cwd_after, cwd);
	assert_int_equal(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
	assert_int_equal(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 1);
	finish(&r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(environment_is_what_was_given),
		TEST(descriptors_are_three),
		TEST(works_without_standard_descriptors),
		TEST(signals_are_as_new),
		TEST(directory_is_root_unless_given),
		TEST(limits_are_set),
		TEST(memory_limit_bites),
		TEST(cpu_limit_bites),
		TEST(user_is_switched),
		cmocka_unit_test(child_dies_with_its_parent),
		cmocka_unit_test(other_user_dies_with_its_parent),
		TEST(nothing_of_it_is_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
