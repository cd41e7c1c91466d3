/*
 * process: programs that stay and are given one task after the other, each a
 * line of JSON on their standard input, and answer with lines of JSON.
 *
 * A program that breaks these rules is not talked to any more: nobody knows
 * what its next line would be the answer to. It is killed, and the next task
 * gets a new one.
 */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/jsn.h"
#include "base/log.h"
#include "handler_private.h"

#define LINE_EXTRA (1024 * 1024) /* a line may be so much above max_result */
#define QUOTED 200 /* bytes of a bad line that are shown */
/* So many programs in a row that end before they have ever answered make us
 * pause before the next start, each further one twice as long. */
#define BAD_STARTS 3
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 5000

enum proc_state {
	PROC_IDLE, /* waits for a task */
	PROC_BUSY, /* has one */
	PROC_LEAVING, /* was told to end; its run may still be waiting for it */
	PROC_STATES
};

struct proc {
	TAILQ_ENTRY(proc) link; /* in the pool's list of its state */
	enum proc_state state;
	struct handler *handler;
	struct child *child;
	struct run *run;
	struct loop_timer grace; /* from leaving to SIGKILL */
	size_t seen; /* so much of its output has no line break */
	int64_t started_us;
	bool has_answered;
};
TAILQ_HEAD(proc_list, proc);

/* Runs that wait for the end of a pause are active but have no proc. */
struct pool {
	struct handler *handler;
	struct proc_list procs[PROC_STATES];
	struct loop_timer pause;
	int bad_starts;
	int64_t judged_us; /* what started before does not count again */
	char *type_env;
};

/* ---- one program ---- */
static void
proc_move(struct proc *p, enum proc_state to)
{
	struct pool *pool = p->handler->priv;

	TAILQ_REMOVE(&pool->procs[p->state], p, link);
	/* Who has just worked is the next to work: others are left asleep. */
	TAILQ_INSERT_HEAD(&pool->procs[to], p, link);
	p->state = to;
}

static void
proc_free(struct proc *p)
{
	struct pool *pool = p->handler->priv;

	TAILQ_REMOVE(&pool->procs[p->state], p, link);
	timer_fini(&p->grace);
	program_free(p->handler, p->child);
	free(p);
}

static void
grace_is_over(struct loop_timer *t)
{
	child_signal(container_of(t, struct proc, grace)->child, SIGKILL);
}

static void
proc_leave(struct proc *p)
{
	if (p->state == PROC_LEAVING)
		return;
	proc_move(p, PROC_LEAVING);
	child_close_stdin(p->child);
	child_signal(p->child, SIGTERM);
	timer_arm_ms(&p->grace, p->handler->conf->grace_ms);
}

/* It ended, or had to be ended, unasked. Programs that were started together
 * fail together: that is one failure. */
static void
judge(const struct proc *p)
{
	struct pool *pool = p->handler->priv;
	int64_t ms = PAUSE_FIRST_MS;
	int n;

	if (p->has_answered || p->state == PROC_LEAVING ||
	    p->started_us < pool->judged_us)
		return;
	n = ++pool->bad_starts;
	if (n < BAD_STARTS)
		return;
	while (n-- > BAD_STARTS && ms < PAUSE_MAX_MS)
		ms *= 2;
	timer_arm_ms(&pool->pause, ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS);
	pool->judged_us = clock_mono_us();
}

/* ---- giving a task ---- */
/* In valid JSON a line break stands between tokens only. */
static void
add_payload(struct jsn_w *w, struct span payload)
{
	size_t start = w->buf->len, i;

	jsn_w_raw(w, payload);
	for (i = start; i < w->buf->len; i++)
		if (w->buf->data[i] == '\n' || w->buf->data[i] == '\r')
			w->buf->data[i] = ' ';
}

static void
send_task(struct proc *p, const struct run *run)
{
	char id[ID_TEXT_SIZE];
	struct jsn_w w;
	struct buf b;

	buf_init(&b, SIZE_MAX);
	jsn_w_init(&w, &b);
	id_format(&run->id, id);
	jsn_w_open(&w, '{');
	jsn_w_key(&w, "id");
	jsn_w_strz(&w, id);
	jsn_w_key(&w, "type");
	jsn_w_strz(&w, run->type);
	jsn_w_key(&w, "queue");
	jsn_w_strz(&w, run->queue);
	jsn_w_key(&w, "attempt");
	jsn_w_int(&w, run->attempt);
	jsn_w_key(&w, "max_attempts");
	jsn_w_int(&w, run->max_attempts);
	jsn_w_key(&w, "traceparent");
	jsn_w_strz(&w, run->traceparent);
	jsn_w_key(&w, "payload");
	add_payload(&w, run->payload);
	jsn_w_close(&w, '}');
	buf_addc(&b, '\n');
	child_write(p->child, b.data, b.len);
	buf_fini(&b);
}

static void
give(struct proc *p, struct run *run)
{
	p->run = run;
	run->priv = p;
	proc_move(p, PROC_BUSY);
	send_task(p, run);
}

static void
has_answered(struct proc *p)
{
	struct pool *pool = p->handler->priv;

	p->run = NULL;
	p->has_answered = true;
	if (p->state == PROC_BUSY)
		proc_move(p, PROC_IDLE);
	pool->bad_starts = 0;
	if (pool->pause.armed)
		timer_arm_ms(&pool->pause, 0);
}

/* ---- taking an answer ---- */
static void
take_result(struct proc *p, const struct answer *a)
{
	struct run *run = p->run;

	if (a->value.len > (size_t)p->handler->conf->max_result) {
		program_fail_of_size(run);
	} else {
		buf_add(&run->text, a->value.p, a->value.len);
		run_done(run, buf_span(&run->text));
	}
	has_answered(p);
}

static void
take_error(struct proc *p, const struct answer *a)
{
	p->run->result.retry_after_ms = a->retry_after_ms;
	run_fail(p->run, a->retry ? VERDICT_FAILED : VERDICT_FAILED_FOR_GOOD,
	    "", a->value);
	has_answered(p);
}

static void
take_progress(struct proc *p, const struct answer *a)
{
	const struct handlers *hs = p->handler->all;
	struct buf text;

	buf_init(&text, TEXT_MAX);
	text_add(&text, a->value);
	hs->events->progress(hs->arg, p->run, buf_span(&text));
	buf_fini(&text);
}

static void
take_log(struct proc *p, const struct answer *a)
{
	char id[ID_TEXT_SIZE] = "-";
	struct buf text;

	buf_init(&text, TEXT_MAX);
	text_add(&text, a->value);
	if (p->run != NULL)
		id_format(&p->run->id, id);
	log_info("handler", "says", KV_STR("type", p->handler->type),
	    KV_STR("task", id), KV_STR("text", buf_span(&text).p));
	buf_fini(&text);
}

static void (*const takers[ANSWER_KINDS])(
    struct proc *, const struct answer *) = {
	[ANSWER_RESULT] = take_result,
	[ANSWER_ERROR] = take_error,
	[ANSWER_PROGRESS] = take_progress,
	[ANSWER_LOG] = take_log,
};

/* NULL, or what is wrong. */
static const char *
take(struct proc *p, struct span line, struct arena *arena)
{
	struct answer a;
	const char *wrong = answer_parse(line, arena, &a);

	if (wrong != NULL)
		return wrong;
	if (a.kind != ANSWER_LOG) {
		if (p->run == NULL)
			return "it has no task to speak of";
		if (id_cmp(&a.id, &p->run->id) != 0)
			return "id is the one of another task";
	}
	takers[a.kind](p, &a);
	return NULL;
}

/* ---- output ---- */
static struct span
beginning_of(struct span line)
{
	size_t len = line.len < QUOTED ? line.len : QUOTED;

	/* Not in the middle of a character. */
	while (len < line.len && len > 0 && (line.p[len] & 0xc0) == 0x80)
		len--;
	return (struct span){ line.p, len };
}

/* Kill it; its run fails. */
static void
proc_break(struct proc *p, const char *why, struct span line)
{
	char what[512];
	struct buf quoted;

	line = beginning_of(line);
	buf_init(&quoted, QUOTED * 3 + 2);
	buf_addc(&quoted, '"');
	text_add(&quoted, line);
	buf_addc(&quoted, '"');
	judge(p);
	snprintf(what, sizeof(what), "bad line of the program (%s)", why);
	if (p->run != NULL)
		run_fail(p->run, VERDICT_FAILED, what, buf_span(&quoted));
	else
		log_warn("handler", "idle program broke the rules",
		    KV_STR("type", p->handler->type), KV_STR("err", why),
		    KV_STR("line", quoted.data));
	buf_fini(&quoted);
	proc_free(p);
}

/* False: p is gone. */
static bool
take_line(struct proc *p, struct span line)
{
	struct arena arena;
	const char *wrong;

	arena_init(&arena);
	wrong = take(p, line, &arena);
	if (wrong != NULL)
		proc_break(p, wrong, line);
	arena_fini(&arena);
	return wrong == NULL;
}

static void
proc_output(struct child *child, struct buf *out)
{
	struct proc *p = child_arg(child);
	size_t start = 0, from = p->seen, end;
	const char *nl;

	while ((nl = memchr(out->data + from, '\n', out->len - from)) != NULL) {
		end = (size_t)(nl - out->data);
		if (!take_line(
			p, (struct span){ out->data + start, end - start }))
			return;
		start = from = end + 1;
	}
	buf_drain(out, start);
	p->seen = out->len;
	if (out->len == out->max)
		proc_break(
		    p, "longer than max_result and 1 MiB", buf_span(out));
}

static void
proc_ended(struct child *child, const struct child_exit *e)
{
	struct proc *p = child_arg(child);
	char how[EXIT_TEXT_SIZE], what[EXIT_TEXT_SIZE + 32];

	judge(p);
	if (p->run != NULL) {
		program_exit_text(e, how);
		snprintf(what, sizeof(what), "%s, without an answer", how);
		run_fail(p->run, VERDICT_FAILED, what, program_complaint(e));
	}
	proc_free(p);
}

static const struct child_events proc_events = { proc_output, proc_ended };

/* ---- the kind ---- */
/* NULL: the run has failed. */
static struct proc *
proc_new(struct run *run)
{
	const struct conf_handler *c = run->handler->conf;
	struct pool *pool = run->handler->priv;
	char *env[] = { (char *)PROGRAM_PATH, (char *)PROGRAM_LANG,
		(char *)PROGRAM_HOME, pool->type_env, NULL };
	struct proc *p = xcalloc(1, sizeof(*p));

	p->handler = run->handler;
	p->child = program_start(
	    run, env, (size_t)c->max_result + LINE_EXTRA + 1, &proc_events, p);
	if (p->child == NULL) {
		free(p);
		return NULL;
	}
	p->started_us = clock_mono_us();
	timer_init(&p->grace, p->handler->all->loop, grace_is_over);
	TAILQ_INSERT_HEAD(&pool->procs[PROC_IDLE], p, link);
	return p;
}

static void
process_start(struct run *run)
{
	struct pool *pool = run->handler->priv;
	struct proc *p = TAILQ_FIRST(&pool->procs[PROC_IDLE]);

	if (p == NULL && pool->pause.armed)
		return; /* pause_is_over comes back to it */
	if (p == NULL)
		p = proc_new(run);
	if (p != NULL)
		give(p, run);
}

static void
pause_is_over(struct loop_timer *t)
{
	struct pool *pool = container_of(t, struct pool, pause);
	struct run *run, *next;

	TAILQ_FOREACH_SAFE (run, &pool->handler->active, handler_link, next)
		if (run->priv == NULL)
			process_start(run);
}

static void
process_stop(struct run *run, int signo)
{
	struct proc *p = run->priv;

	if (p == NULL)
		run_fail(run, VERDICT_FAILED,
		    "no program was running: it keeps ending at its start",
		    span_of(NULL));
	else if (signo == SIGTERM)
		proc_leave(p);
	else
		child_signal(p->child, signo);
}

static void
process_abandon(struct run *run)
{
	if (run->priv != NULL)
		proc_free(run->priv);
}

static void
process_open(struct handler *h)
{
	static const char name[] = "TASKFLOW_TYPE=";
	struct pool *pool = xcalloc(1, sizeof(*pool));
	size_t size = sizeof(name) + strlen(h->type);
	int i;

	pool->handler = h;
	for (i = 0; i < PROC_STATES; i++)
		TAILQ_INIT(&pool->procs[i]);
	timer_init(&pool->pause, h->all->loop, pause_is_over);
	pool->type_env = xmalloc(size);
	snprintf(pool->type_env, size, "%s%s", name, h->type);
	h->priv = pool;
}

static void
process_dismiss(struct handler *h)
{
	struct pool *pool = h->priv;
	struct proc *p;

	assert(TAILQ_EMPTY(&pool->procs[PROC_BUSY]));
	while ((p = TAILQ_FIRST(&pool->procs[PROC_IDLE])) != NULL)
		proc_leave(p);
}

/* Looked at without reaping it, which is the loop's. */
static bool
process_is_alive(const struct handler *h)
{
	const struct pool *pool = h->priv;
	const struct proc *p;
	siginfo_t si;

	TAILQ_FOREACH (p, &pool->procs[PROC_LEAVING], link) {
		si.si_pid = 0;
		if (waitid(P_PID, (id_t)child_pid(p->child), &si,
			WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    si.si_pid == 0)
			return true;
	}
	return false;
}

static void
process_close(struct handler *h)
{
	struct pool *pool = h->priv;
	struct proc *p;

	while ((p = TAILQ_FIRST(&pool->procs[PROC_LEAVING])) != NULL)
		proc_free(p);
	timer_fini(&pool->pause);
	free(pool->type_env);
	free(pool);
}

const struct handler_ops handler_process = {
	.start = process_start,
	.stop = process_stop,
	.abandon = process_abandon,
	.open = process_open,
	.dismiss = process_dismiss,
	.is_alive = process_is_alive,
	.close = process_close,
};
