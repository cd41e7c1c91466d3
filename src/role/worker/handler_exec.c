/*
 * exec: a program is started for each task. The payload is its standard input,
 * what it prints is the result, its exit status says how it went. Above that,
 * what all handlers have in common that are programs.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/jsn.h"
#include "base/metric.h"
#include "handler_private.h"

#define STDERR_TAIL 2048
#define ENV_MAX 10
#define TASK_INPUT_MAX (256 * 1024 * 1024)

/* ---- programs ---- */
static void
fail_to_start(struct run *run, int error)
{
	const struct conf_handler *c = run->handler->conf;
	char what[256];

	metric_count(METRIC_EXITS + EXIT_NOT_STARTED, 1);
	if (error == EINVAL && c->user != NULL)
		snprintf(what, sizeof(what),
		    "cannot start the program: there is no user %.100s",
		    c->user);
	else
		snprintf(what, sizeof(what), "cannot start the program: %s",
		    strerror(error));
	run_fail(run, VERDICT_FAILED, what, span_of(c->argv[0]));
}

/* As much as it has tasks at once; each has been limited where it came from. */
static size_t
max_input(const struct conf_handler *c)
{
	size_t n = (size_t)c->in_flight, most = SIZE_MAX / 4;

	return n > most / TASK_INPUT_MAX ? most : n * TASK_INPUT_MAX;
}

struct child *
program_start(struct run *run, char *const *envp, size_t max_stdout,
    const struct child_events *events, void *arg)
{
	const struct conf_handler *c = run->handler->conf;
	struct child_spec spec = { .argv = c->argv,
		.envp = envp,
		.directory = c->directory,
		.user = c->user,
		.max_memory = c->max_memory,
		.max_cpu_s = c->max_cpu_s,
		.max_stdin = max_input(c),
		.max_stdout = max_stdout,
		.max_stderr_tail = STDERR_TAIL };
	struct child *child;

	child = child_start(run->handler->all->loop, &spec, events, arg);
	if (child == NULL)
		fail_to_start(run, errno);
	else
		run->handler->all->processes++;
	return child;
}

void
program_free(struct handler *h, struct child *child)
{
	child_free(child);
	h->all->processes--;
}

/* Why it was told to end says more than how it did. */
void
program_count_exit(const struct child_exit *e, bool timed_out, bool interrupted)
{
	unsigned how = EXIT_OK;

	if (timed_out)
		how = EXIT_TIMED_OUT;
	else if (interrupted)
		how = EXIT_INTERRUPTED;
	else if (e->signo != 0)
		how = EXIT_SIGNAL;
	else if (e->status == EX_DATAERR)
		how = EXIT_BAD_DATA;
	else if (e->status != 0)
		how = EXIT_STATUS;
	metric_count(METRIC_EXITS + how, 1);
}

void
program_exit_text(const struct child_exit *e, char ret[EXIT_TEXT_SIZE])
{
	const char *name = sigabbrev_np(e->signo);
	char number[16];

	snprintf(number, sizeof(number), "%d", e->signo);
	if (e->signo == 0)
		snprintf(ret, EXIT_TEXT_SIZE, "exit status %d", e->status);
	else
		snprintf(ret, EXIT_TEXT_SIZE,
		    "killed by %s%s (max RSS %lld kB, CPU %lld ms)",
		    name == NULL ? "signal " : "SIG",
		    name == NULL ? number : name, (long long)e->max_rss_kb,
		    (long long)e->cpu_us / 1000);
}

static bool
is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The tail may begin within a character. */
struct span
program_complaint(const struct child_exit *e)
{
	struct span s = e->stderr_tail;

	while (s.len > 0 && s.len + 3 > STDERR_TAIL && (*s.p & 0xc0) == 0x80) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_blank(*s.p)) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

void
program_fail_of_size(struct run *run)
{
	char what[64];

	snprintf(what, sizeof(what), "result larger than %lld bytes",
	    (long long)run->handler->conf->max_result);
	run_fail(run, VERDICT_FAILED_FOR_GOOD, what, span_of(NULL));
}

/* ---- one task, one process ---- */
struct exec {
	struct run *run;
	struct child *child;
	const struct buf *out; /* NULL: nothing has come */
};

static void
exec_abandon(struct run *run)
{
	struct exec *x = run->priv;

	program_free(run->handler, x->child);
	free(x);
}

static void
exec_output(struct child *child, struct buf *out)
{
	struct exec *x = child_arg(child);

	x->out = out;
}

/* What is no JSON becomes a string: up to six bytes for one. */
static void
keep_output(struct run *run, const struct buf *out)
{
	struct span text = { "", 0 };
	struct fault fault;

	if (out != NULL)
		text = buf_span(out);
	if (jsn_scan(text, NULL, &fault) == OK)
		buf_add(&run->text, text.p, text.len);
	else
		jsn_quote(&run->text, text.p, text.len);
	run_done(run, buf_span(&run->text));
}

static void
exec_ended(struct child *child, const struct child_exit *e)
{
	struct exec *x = child_arg(child);
	struct run *run = x->run;
	char what[EXIT_TEXT_SIZE];

	program_count_exit(e, run->timed_out, run->interrupted);
	program_exit_text(e, what);
	if (e->signo != 0 || e->status != 0)
		run_fail(run,
		    e->status == EX_DATAERR ? VERDICT_FAILED_FOR_GOOD
					    : VERDICT_FAILED,
		    what, program_complaint(e));
	else if (e->truncated)
		program_fail_of_size(run);
	else
		keep_output(run, x->out);
	exec_abandon(run);
}

static const struct child_events exec_events = { exec_output, exec_ended };

/* The whole environment: nothing of ours gets through. */
static char **
make_env(struct arena *a, const struct run *run)
{
	char **env = arena_alloc(a, ENV_MAX * sizeof(*env)), **e = env;
	char id[ID_TEXT_SIZE];

	id_format(&run->id, id);
	*e++ = arena_printf(a, PROGRAM_PATH);
	*e++ = arena_printf(a, PROGRAM_LANG);
	*e++ = arena_printf(a, PROGRAM_HOME);
	*e++ = arena_printf(a, "TASKFLOW_TASK_ID=%s", id);
	*e++ = arena_printf(a, "TASKFLOW_IDEMPOTENCY_TOKEN=%s", id);
	*e++ = arena_printf(a, "TASKFLOW_TYPE=%s", run->type);
	*e++ = arena_printf(a, "TASKFLOW_QUEUE=%s", run->queue);
	*e++ =
	    arena_printf(a, "TASKFLOW_ATTEMPT=%lld", (long long)run->attempt);
	if (run->traceparent != NULL)
		*e++ = arena_printf(
		    a, "TASKFLOW_TRACEPARENT=%s", run->traceparent);
	*e = NULL;
	return env;
}

static void
exec_start(struct run *run)
{
	struct exec *x = xcalloc(1, sizeof(*x));
	struct arena a;

	arena_init(&a);
	x->run = run;
	x->child = program_start(run, make_env(&a, run),
	    (size_t)run->handler->conf->max_result, &exec_events, x);
	arena_fini(&a);
	if (x->child == NULL) {
		free(x);
		return;
	}
	run->priv = x;
	child_write(x->child, run->payload.p, run->payload.len);
	child_close_stdin(x->child);
}

static void
exec_stop(struct run *run, int signo)
{
	const struct exec *x = run->priv;

	child_signal(x->child, signo);
}

const struct handler_ops handler_exec = {
	.start = exec_start,
	.stop = exec_stop,
	.abandon = exec_abandon,
};
