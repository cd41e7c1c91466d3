#ifndef TASKFLOW_TEST_HANDLERS_RUN_H
#define TASKFLOW_TEST_HANDLERS_RUN_H

/*
 * For the tests of handlers: real programs, on the real loop. Each test leaves
 * no process, no zombie and no descriptor behind: tear_down looks.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/jsn.h"
#include "loop/child.h"
#include "role/worker/handlers.h"

#define MB (1024 * 1024)
#define SCRIPT_ARGS 6
#define UNTIL(condition)                                                 \
	do {                                                             \
		int64_t give_up = clock_mono_us() + 30 * US_PER_S;       \
		while (!(condition)) {                                   \
			loop_turn(the_loop);                             \
			poll(NULL, 0, 1);                                \
			if (clock_mono_us() > give_up)                   \
				fail_msg("not in time: %s", #condition); \
		}                                                        \
	} while (0)

static struct loop *the_loop;
static struct handlers *the_handlers;
static struct conf the_conf;
static int fds_before;
static int n_ended; /* of all tasks, since set_up */
static bool in_start; /* nothing may be told then */

/* ---- one task, and what came of it ---- */
struct task {
	struct run run; /* first */
	bool has_ended;
	int rank; /* the how manieth to end */
	enum verdict verdict;
	struct buf result, error, progress;
	int64_t retry_after_ms;
	int n_progress;
};

static inline void
on_ended(void *arg, struct run *run, const struct run_result *r)
{
	struct task *t = (struct task *)run;

	assert_ptr_equal(arg, &the_conf);
	assert_false(in_start);
	assert_false(t->has_ended);
	t->has_ended = true;
	t->rank = ++n_ended;
	t->verdict = r->verdict;
	t->retry_after_ms = r->retry_after_ms;
	buf_add(&t->result, r->result.p, r->result.len);
	buf_add(&t->error, r->error.p, r->error.len);
	assert_true((r->verdict == VERDICT_DONE) == (r->error.p == NULL));
	assert_true((r->verdict == VERDICT_DONE) == (r->result.p != NULL));
	assert_true(r->error.len <= 4096);
	/* It may be freed by now: nobody looks at it any more. */
	memset(run, 0x5a, sizeof(*run));
}

static inline void
on_progress(void *arg, struct run *run, struct span message)
{
	struct task *t = (struct task *)run;

	assert_ptr_equal(arg, &the_conf);
	assert_false(t->has_ended);
	assert_true(message.len <= 4096);
	t->n_progress++;
	buf_clear(&t->progress);
	buf_add(&t->progress, message.p, message.len);
}

static const struct handler_events events = { on_ended, on_progress };

static inline void
task_init(struct task *t, const char *type, const char *payload)
{
	memset(t, 0, sizeof(*t));
	buf_init(&t->result, 64 * MB);
	buf_init(&t->error, 64 * MB);
	buf_init(&t->progress, 64 * MB);
	id_new(&t->run.id);
	t->run.attempt = t->run.used = 1;
	t->run.max_attempts = 3;
	t->run.queue = "default";
	t->run.type = type;
	t->run.payload = span_of(payload);
}

static inline void
task_start(struct task *t)
{
	in_start = true;
	handlers_start(the_handlers, &t->run);
	in_start = false;
	assert_false(t->has_ended);
}

static inline void
begin(struct task *t, const char *type, const char *payload)
{
	task_init(t, type, payload);
	task_start(t);
}

static inline void
interrupt(struct task *t)
{
	in_start = true;
	handlers_interrupt(the_handlers, &t->run);
	in_start = false;
}

static inline void
cancel(struct task *t)
{
	in_start = true;
	handlers_cancel(the_handlers, &t->run);
	in_start = false;
}

static inline void
finish(struct task *t)
{
	buf_fini(&t->result);
	buf_fini(&t->error);
	buf_fini(&t->progress);
}

static inline const char *
text(const struct buf *b)
{
	return buf_span(b).p;
}

/* The end of the task: verdict, and result or error. */
static inline void
ends(struct task *t, enum verdict verdict, const char *expected)
{
	UNTIL(t->has_ended);
	if (t->verdict != verdict)
		fail_msg("verdict %d: %s%s", t->verdict, text(&t->result),
		    text(&t->error));
	assert_string_equal(
	    text(verdict == VERDICT_DONE ? &t->result : &t->error), expected);
	finish(t);
}

/* As above, but the text need only begin like that. */
static inline void
ends_like(struct task *t, enum verdict verdict, const char *beginning)
{
	const struct buf *b = verdict == VERDICT_DONE ? &t->result : &t->error;

	UNTIL(t->has_ended);
	if (t->verdict != verdict ||
	    strncmp(text(b), beginning, strlen(beginning)) != 0)
		fail_msg("verdict %d: %s%s", t->verdict, text(&t->result),
		    text(&t->error));
	finish(t);
}

/* ---- handlers ---- */
static inline struct conf_handler *
add(enum handler_kind kind, const char *type, const char *const *argv)
{
	struct conf_handler *h = xcalloc(1, sizeof(*h));
	int i;

	h->next = the_conf.handlers;
	h->name = xstrdup(type);
	h->kind = kind;
	h->argv = xcalloc(SCRIPT_ARGS + 1, sizeof(*h->argv));
	for (i = 0; i < SCRIPT_ARGS && argv[i] != NULL; i++)
		h->argv[i] = xstrdup(argv[i]);
	h->timeout_ms = 600000;
	h->grace_ms = 20000;
	h->in_flight = 1;
	h->max_result = MB;
	the_conf.handlers = h;
	return h;
}

#define SH(script) ((const char *const[]){ "/bin/sh", "-c", script, NULL })
#define PERL(script)            \
	((const char *const[]){ \
	    "/usr/bin/perl", "-MJSON::PP", "-e", script, NULL })

static inline void
open_handlers(void)
{
	the_handlers = handlers_open(the_loop, &the_conf, &events, &the_conf);
}

/* ---- programs of the kind process ---- */

/* Shell that knows its task: $line and $id. */
#define GET_ID "id=${line#*'\"id\":\"'}; id=${id%%'\"'*}; "
#define EACH_LINE(body) "while read -r line; do " GET_ID body "; done"
#define OK_LINE "echo '{\"id\":\"'$id'\",\"result\":'$$'}'"

/* What it does is the payload. */
#define OBEY                                                            \
	PERL("$| = 1; my $j = JSON::PP->new->allow_nonref->utf8;"       \
	     "while (<STDIN>) { my $t = $j->decode($_);"                \
	     "my $p = $t->{payload}; kill 'SEGV', $$ if $p eq 'crash';" \
	     "if ($p eq 'die') { print STDERR \"dying\\n\"; exit 9 }"   \
	     "exit 0 if $p eq 'leave';"                                 \
	     "my $say = $j->encode($p); $say = $p if !ref $p;"          \
	     "$say =~ s/ID/$t->{id}/g; print \"$say\\n\"; }")

static inline pid_t
pid_of(struct task *t)
{
	UNTIL(t->has_ended);
	if (t->verdict != VERDICT_DONE)
		fail_msg("verdict %d: %s", t->verdict, text(&t->error));
	return (pid_t)atoi(text(&t->result));
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

/* Neither running nor zombie. */
static inline bool
no_children(void)
{
	siginfo_t si;

	return waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) < 0 &&
	    errno == ECHILD;
}

static inline int
set_up(void **state)
{
	(void)state;
	fds_before = count_fds();
	memset(&the_conf, 0, sizeof(the_conf));
	the_conf.builtin_handlers = true;
	n_ended = 0;
	the_loop = loop_open();
	child_reaper_start(the_loop);
	return 0;
}

static inline int
tear_down(void **state)
{
	struct conf_handler *h;
	int i;

	(void)state;
	handlers_close(the_handlers);
	the_handlers = NULL;
	UNTIL(no_children());
	loop_close(the_loop);
	assert_int_equal(count_fds(), fds_before);
	while ((h = the_conf.handlers) != NULL) {
		the_conf.handlers = h->next;
		for (i = 0; h->argv[i] != NULL; i++)
			free(h->argv[i]);
		free(h->argv);
		free(h->name);
		free(h);
	}
	return 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

#endif
