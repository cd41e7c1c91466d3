/*
 * What goes into a child and what comes out; freeing it at any time.
 */
#include "child_run.h"

/* ---- input and output ---- */
static char *
pattern(size_t len)
{
	char *p = xmalloc(len);
	size_t i;

	for (i = 0; i < len; i++)
		p[i] = (char)(i * 31 + i / 255);
	return p;
}

static void
cat_gives_back_a_megabyte(void **state)
{
	char *p = pattern(MB);
	struct run r = { 0 };

	(void)state;
	start(&r, (struct child_spec){ .argv = ARGV("/bin/cat") });
	child_write(r.child, p, MB / 2);
	child_write(r.child, p + MB / 2, MB / 2);
	child_close_stdin(r.child);
	child_write(r.child, "late", 4); /* dropped */
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.exit.status, 0);
	assert_int_equal(r.exit.signo, 0);
	assert_int_equal(r.out.len, MB);
	assert_memory_equal(r.out.data, p, MB);
	assert_false(r.exit.truncated);
	assert_int_equal(r.exit.stderr_tail.len, 0);
	finish(&r);
	free(p);
}

/* Far more than its cap goes through a buffer that is emptied in time. */
static void
drained_output_is_not_truncated(void **state)
{
	char *p = pattern(MB);
	struct run r = { .drains = true };

	(void)state;
	start(&r,
	    (struct child_spec){
		.argv = ARGV("/bin/cat"), .max_stdout = 1000 });
	child_write(r.child, p, MB);
	child_close_stdin(r.child);
	UNTIL(r.n_ended == 1);
	assert_false(r.exit.truncated);
	assert_int_equal(r.out.len, MB);
	assert_memory_equal(r.out.data, p, MB);
	finish(&r);
	free(p);
}

static void
lines_go_back_and_forth(void **state)
{
	struct run r = { 0 };
	int i;

	(void)state;
	start_sh(&r, "while read x; do echo \"<$x>\"; done; exit 4");
	for (i = 1; i <= 20; i++) {
		child_write(r.child, "abc\n", 4);
		UNTIL(r.out.len == 6 * (size_t)i);
	}
	assert_int_equal(r.n_ended, 0);
	child_close_stdin(r.child);
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.exit.status, 4);
	finish(&r);
}

static void
output_is_capped(void **state)
{
	struct run r = { 0 };

	(void)state;
	start(&r,
	    (struct child_spec){ .max_stdout = 1000,
		.argv = SH("yes | head -c 1000000; exit 9") });
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.exit.status, 9);
	assert_int_equal(r.out.len, 1000);
	assert_memory_equal(r.out.data, "y\ny\ny\n", 6);
	assert_true(r.exit.truncated);
	finish(&r);
}

static void
output_of_just_the_cap_is_whole(void **state)
{
	struct run r = { 0 };

	(void)state;
	start(&r,
	    (struct child_spec){
		.max_stdout = 1000, .argv = SH("yes | head -c 1000") });
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.out.len, 1000);
	assert_false(r.exit.truncated);
	finish(&r);
}

static void
stderr_keeps_its_tail(void **state)
{
	struct run r = { 0 }, s = { 0 };

	(void)state;
	start(&r,
	    (struct child_spec){ .max_stderr_tail = 10,
		.argv = SH("yes | head -c 200000 >&2; printf END >&2") });
	start(&s,
	    (struct child_spec){ .max_stderr_tail = 9,
		.argv = SH("for i in 1 2 3 4 5 6; do echo $i$i >&2; done") });
	UNTIL(r.n_ended == 1 && s.n_ended == 1);
	assert_string_equal(r.tail, "\ny\ny\ny\nEND");
	assert_string_equal(s.tail, "44\n55\n66\n");
	finish(&r);
	finish(&s);
}

static void
child_may_close_its_stdin(void **state)
{
	char *p = pattern(MB);
	struct run r = { 0 };

	(void)state;
	start_sh(&r, "exec 0<&-; echo closed; exec sleep 100");
	UNTIL(r.out.len > 0);
	child_write(r.child, p, MB); /* EPIPE */
	child_write(r.child, p, MB);
	child_close_stdin(r.child);
	child_close_stdin(r.child);
	child_signal(r.child, SIGTERM);
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.exit.signo, SIGTERM);
	finish(&r);
	free(p);
}

static void
child_may_close_its_output(void **state)
{
	struct run r = { 0 };
	int i;

	(void)state;
	start_sh(&r, "echo bye; exec >&- 2>&-; read x; exit 7");
	UNTIL(r.out.len == 4);
	for (i = 0; i < 100; i++)
		loop_turn(the_loop);
	assert_int_equal(r.n_ended, 0);
	child_write(r.child, "x\n", 2);
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.exit.status, 7);
	finish(&r);
}

static void
last_words_are_heard(void **state)
{
	struct run r[20] = { 0 };
	int i, done;

	(void)state;
	for (i = 0; i < 20; i++)
		start_sh(&r[i],
		    "head -c 60000 /dev/zero; head -c 100 "
		    "/dev/zero | tr '\\0' e >&2");
	do {
		loop_turn(the_loop);
		for (i = done = 0; i < 20; i++)
			done += r[i].n_ended;
	} while (done < 20);
	for (i = 0; i < 20; i++) {
		assert_int_equal(r[i].out.len, 60000);
		assert_int_equal(r[i].exit.stderr_tail.len, 100);
		finish(&r[i]);
	}
}

/* What was sent fills the pipe to the brim, then there is more. */
static void
full_pipe_waits(void **state)
{
	char *p = pattern(70000);
	struct run r = { 0 };
	siginfo_t si;

	(void)state;
	start_sh(&r, "kill -STOP $$; exec cat");
	waitid(P_PID, (id_t)child_pid(r.child), &si, WSTOPPED | WNOWAIT);
	child_write(r.child, p, 65536);
	child_write(r.child, p + 65536, 70000 - 65536);
	child_close_stdin(r.child);
	assert_int_equal(r.n_output, 0);
	child_signal(r.child, SIGCONT);
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.out.len, 70000);
	assert_memory_equal(r.out.data, p, 70000);
	finish(&r);
	free(p);
}

static void
too_much_input_kills(void **state)
{
	struct run r = { 0 }, s = { 0 };

	(void)state;
	start(&r, (struct child_spec){ .argv = ARGV("/bin/cat") });
	child_write(r.child, "", (size_t)1 << 40);
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.exit.signo, SIGKILL);
	finish(&r);
	start(&s,
	    (struct child_spec){
		.argv = SH("read x; read x; exit 4"), .max_stdin = 4 });
	child_write(s.child, "abc\n", 4);
	loop_turn(the_loop);
	child_write(s.child, "def\n", 4);
	UNTIL(s.n_ended == 1);
	assert_int_equal(s.exit.status, 4);
	finish(&s);
}

/* What is added in a turn goes with one write, and keeps its order. */
static void
input_is_gathered(void **state)
{
	struct run r = { 0 }, s = { 0 };
	struct buf *b;

	(void)state;
	start(&r,
	    (struct child_spec){
		.argv = ARGV("/usr/bin/perl", "-e",
		    "$| = 1; print sysread(STDIN, $b, 99), ' '; print <>") });
	b = child_input(r.child);
	buf_adds(b, "abc\n");
	assert_ptr_equal(child_input(r.child), b);
	buf_adds(b, "def\n");
	UNTIL(r.out.len == 2);
	buf_adds(child_input(r.child), "one ");
	child_write(r.child, "two ", 4);
	buf_adds(child_input(r.child), "three");
	child_close_stdin(r.child);
	assert_null(child_input(r.child));
	UNTIL(r.n_ended == 1);
	assert_string_equal(r.out.data, "8 one two three");
	finish(&r);
	start(&s, (struct child_spec){ .argv = ARGV("/bin/cat") });
	buf_adds(child_input(s.child), "never sent");
	finish(&s);
}

#define PIECE (1024 * 1024)

static void
too_much_gathered_input_kills(void **state)
{
	struct run r = { 0 };
	char *piece = calloc(1, PIECE);
	struct buf *in;

	(void)state;
	start(&r, (struct child_spec){ .argv = ARGV("/bin/cat") });
	for (in = child_input(r.child); !in->overflow;)
		buf_add(in, piece, PIECE);
	free(piece);
	assert_non_null(child_input(r.child));
	UNTIL(r.n_ended == 1);
	assert_int_equal(r.exit.signo, SIGKILL);
	assert_null(child_input(r.child));
	finish(&r);
}

/* ---- freeing at any time ---- */
static void
free_kills_and_reaps(void **state)
{
	struct run r[30] = { 0 };
	pid_t pid[30];
	int i, turn;

	(void)state;
	for (i = 0; i < 30; i++) {
		start_sh(&r[i], "echo hello; sleep 100");
		pid[i] = child_pid(r[i].child);
		child_write(r[i].child, "abc", 3);
		for (turn = 0; turn < i * 20; turn++)
			loop_turn(the_loop);
		finish(&r[i]);
	}
	UNTIL(no_children());
	for (i = 0; i < 30; i++) {
		assert_int_equal(r[i].n_ended, 0);
		assert_true(is_gone(pid[i]));
	}
}

static void
free_inside_output(void **state)
{
	struct run r = { .frees_on_output = true };
	struct run s = { .frees_on_output = true };

	(void)state;
	start_sh(&r, "echo a; sleep 100");
	start_sh(&s, "head -c 100000 /dev/zero; echo e >&2");
	UNTIL(r.child == NULL && s.child == NULL);
	UNTIL(no_children());
	assert_int_equal(r.n_output, 1);
	assert_int_equal(s.n_output, 1);
	assert_int_equal(r.n_ended, 0);
	assert_int_equal(s.n_ended, 0);
	finish(&r);
	finish(&s);
}

/* Make the other run's child write and exit, and wait for it. */
static void
on_output_wake_other(struct child *c, struct buf *out)
{
	struct run *other = child_arg(c);
	siginfo_t si;

	buf_clear(out);
	child_write(other->child, "\n", 1);
	waitid(P_PID, (id_t)child_pid(other->child), &si, WEXITED | WNOWAIT);
}

static void
on_ended_nothing(struct child *c, const struct child_exit *e)
{
	(void)c;
	(void)e;
}

/* It is freed by the event of the output that is found while it is reaped. One
 * turn sees output and exit of the first child; while it is given the output,
 * the second one writes and exits, so its exit is seen before its output. */
static void
free_inside_last_output(void **state)
{
	static const struct child_events wake = { on_output_wake_other,
		on_ended_nothing };
	const struct child_spec spec = {
		.argv = SH("echo go"), .envp = plain_env, .max_stdout = 10
	};
	struct run r = { .frees_on_output = true };
	struct child *first;
	siginfo_t si;

	(void)state;
	start_sh(&r, "read x; echo a");
	first = child_start(the_loop, &spec, &wake, &r);
	waitid(P_PID, (id_t)child_pid(first), &si, WEXITED | WNOWAIT);
	UNTIL(r.child == NULL);
	UNTIL(no_children());
	assert_int_equal(r.n_output, 1);
	assert_int_equal(r.n_ended, 0);
	child_free(first);
	finish(&r);
}

static void
free_inside_ended(void **state)
{
	struct run r = { .frees_on_end = true };
	struct run s = { .frees_on_end = true };

	(void)state;
	run_sh(&r, "echo x");
	start(&s, (struct child_spec){ .argv = ARGV("/no/program") });
	UNTIL(s.n_ended == 1);
	assert_null(r.child);
	assert_null(s.child);
	finish(&r);
	finish(&s);
}

static void
free_between_exit_and_end(void **state)
{
	struct run r = { 0 };
	pid_t left, pid;
	int i;

	(void)state;
	start_sh(&r, "setsid sh -c 'echo $$; exec sleep 100' & read x");
	UNTIL(r.out.len > 0);
	left = atoi(r.out.data);
	pid = child_pid(r.child);
	child_write(r.child, "x\n", 2);
	UNTIL(is_gone(pid));
	assert_int_equal(r.n_ended, 0);
	finish(&r);
	for (i = 0; i < 10; i++)
		loop_turn(the_loop);
	assert_false(is_gone(left));
	kill(left, SIGKILL);
	UNTIL(no_children());
	assert_int_equal(r.n_ended, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(cat_gives_back_a_megabyte),
		TEST(drained_output_is_not_truncated),
		TEST(lines_go_back_and_forth),
		TEST(output_is_capped),
		TEST(output_of_just_the_cap_is_whole),
		TEST(stderr_keeps_its_tail),
		TEST(child_may_close_its_stdin),
		TEST(child_may_close_its_output),
		TEST(last_words_are_heard),
		TEST(full_pipe_waits),
		TEST(too_much_input_kills),
		TEST(input_is_gathered),
		TEST(too_much_gathered_input_kills),
		TEST(free_kills_and_reaps),
		TEST(free_inside_output),
		TEST(free_inside_last_output),
		TEST(free_inside_ended),
		TEST(free_between_exit_and_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
