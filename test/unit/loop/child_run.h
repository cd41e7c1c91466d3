#ifndef TASKFLOW_TEST_CHILD_RUN_H
#define TASKFLOW_TEST_CHILD_RUN_H

/*
 * For the tests of child processes: real ones, on the real loop. Each test
 * leaves no child, no zombie and no descriptor behind: tear_down looks.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/child.h"

#define UNTIL(condition)                                                 \
	do {                                                             \
		int64_t give_up = clock_mono_us() + 20 * US_PER_S;       \
		while (!(condition)) {                                   \
			loop_turn(the_loop);                             \
			sched_yield();                                   \
			if (clock_mono_us() > give_up)                   \
				fail_msg("not in time: %s", #condition); \
		}                                                        \
	} while (0)

#define MB (1024 * 1024)

static struct loop *the_loop;
static int fds_before;

/* ---- one run of a program, and what came of it ---- */
struct run {
	struct child *child; /* NULL once freed */
	struct buf out; /* all output, gathered or drained */
	int n_output, n_ended;
	struct child_exit exit;
	char tail[256];
	bool drains; /* the receiver empties the buffer each time */
	bool frees_on_output, frees_on_end;
};

static inline void
on_output(struct child *c, struct buf *out)
{
	struct run *r = child_arg(c);

	r->n_output++;
	assert_int_equal(r->n_ended, 0);
	if (r->drains) {
		buf_add(&r->out, out->data, out->len);
		buf_drain(out, out->len);
	} else {
		buf_clear(&r->out);
		buf_add(&r->out, out->data, out->len);
	}
	if (r->frees_on_output) {
		child_free(c);
		r->child = NULL;
	}
}

static inline void
on_ended(struct child *c, const struct child_exit *e)
{
	struct run *r = child_arg(c);

	r->n_ended++;
	r->exit = *e;
	snprintf(r->tail, sizeof(r->tail), "%.*s", (int)e->stderr_tail.len,
	    e->stderr_tail.p);
	if (r->frees_on_end) {
		child_free(c);
		r->child = NULL;
	}
}

static const struct child_events events = { on_output, on_ended };
static char *const plain_env[] = {
	(char *)"PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", NULL
};

/* The output is kept up to 3 MB, the spec may say less. */
static inline void
start(struct run *r, struct child_spec spec)
{
	buf_init(&r->out, 3 * MB);
	if (spec.envp == NULL)
		spec.envp = plain_env;
	if (spec.max_stdout == 0)
		spec.max_stdout = 3 * MB;
	if (spec.max_stderr_tail == 0)
		spec.max_stderr_tail = 200;
	r->child = child_start(the_loop, &spec, &events, r);
	assert_non_null(r->child);
	assert_int_equal(r->n_output + r->n_ended, 0);
}

#define ARGV(...) ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })
#define SH(script) ARGV("/bin/sh", "-c", script)

static inline void
start_sh(struct run *r, const char *script)
{
	start(r, (struct child_spec){ .argv = SH(script) });
}

static inline void
finish(struct run *r)
{
	child_free(r->child);
	buf_fini(&r->out);
}

static inline void
run_sh(struct run *r, const char *script)
{
	start_sh(r, script);
	child_close_stdin(r->child);
	UNTIL(r->n_ended > 0);
}

/* ---- fixture ---- */
static inline int
count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

/* Neither running nor zombie; does not reap, that is the loop's job. */
static inline bool
no_children(void)
{
	siginfo_t si;

	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 &&
	    errno == ECHILD;
}

static inline bool
is_gone(pid_t pid)
{
	return kill(pid, 0) < 0 && errno == ESRCH;
}

static inline int
set_up(void **state)
{
	(void)state;
	fds_before = count_fds();
	the_loop = loop_open();
	child_reaper_start(the_loop);
	return 0;
}

static inline int
tear_down(void **state)
{
	(void)state;
	UNTIL(no_children());
	loop_close(the_loop);
	assert_int_equal(count_fds(), fds_before);
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

#endif
