/*
 * One program of the kind process: the lines it is given, one a task, and the
 * lines it answers with, in any order.
 *
 * A program that breaks these rules is not talked to any more: nobody knows
 * what its next line would be the answer to. It is killed, and the next task
 * gets a new one.
 *
 * Whose fault it is when a program with several tasks ends, nobody knows. The
 * oldest one is taken for it and its attempt fails; the others are interrupted
 * and queued again. So each such end uses an attempt of one task, and what
 * always crashes comes to an end.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/jsn.h"
#include "base/log.h"
#include "base/metric.h"
#include "handler_proc.h"

#define LINE_EXTRA (1024 * 1024) /* a line may be so much above max_result */
#define QUOTED 200 /* bytes of a bad line that are shown */

/* ---- giving a task ---- */
static void
blank_out(char *p, size_t len, int c)
{
	const char *end = p + len;

	while ((p = memchr(p, c, (size_t)(end - p))) != NULL)
		*p = ' ';
}

/* In valid JSON a line break stands between tokens only. */
static void
add_payload(struct jsn_w *w, struct span payload)
{
	const struct buf *b = w->buf;
	size_t start = b->len;

	jsn_w_raw(w, payload);
	if (b->len > start) {
		blank_out(b->data + start, b->len - start, '\n');
		blank_out(b->data + start, b->len - start, '\r');
	}
}

static void
send_task(struct proc *p, const struct run *run)
{
	char id[ID_TEXT_SIZE];
	struct buf *b = child_input(p->child);
	struct jsn_w w;

	if (b == NULL)
		return; /* it does not listen: its end is near */
	jsn_w_init(&w, b);
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
	buf_addc(b, '\n');
}

void
proc_give(struct proc *p, struct run *run)
{
	run->priv = p;
	TAILQ_INSERT_TAIL(&p->runs, run, kind_link);
	p->nruns++;
	idmap_put(&pool_of(p)->runs, &run->id, run);
	proc_sort(p);
	send_task(p, run);
}

void
proc_drop(struct proc *p, struct run *run)
{
	TAILQ_REMOVE(&p->runs, run, kind_link);
	p->nruns--;
	idmap_remove(&pool_of(p)->runs, &run->id);
	run->priv = NULL;
}

static void
has_answered(struct proc *p, struct run *run)
{
	proc_drop(p, run);
	proc_sort(p);
	proc_praise(p);
}

/* ---- taking an answer ---- */
static void
take_result(struct proc *p, struct run *run, const struct answer *a)
{
	has_answered(p, run);
	if (a->value.len > (size_t)p->handler->conf->max_result) {
		program_fail_of_size(run);
	} else {
		buf_add(&run->text, a->value.p, a->value.len);
		run_done(run, buf_span(&run->text));
	}
}

static void
take_error(struct proc *p, struct run *run, const struct answer *a)
{
	has_answered(p, run);
	run->result.retry_after_ms = a->retry_after_ms;
	run_fail(run, a->retry ? VERDICT_FAILED : VERDICT_FAILED_FOR_GOOD, "",
	    a->value);
}

static void
take_progress(struct proc *p, struct run *run, const struct answer *a)
{
	const struct handlers *hs = p->handler->all;
	struct buf text;

	buf_init(&text, TEXT_MAX);
	text_add(&text, a->value);
	hs->events->progress(hs->arg, run, buf_span(&text));
	buf_fini(&text);
}

/* Of which of several tasks it speaks is not known. */
static void
take_log(struct proc *p, struct run *run, const struct answer *a)
{
	char id[ID_TEXT_SIZE] = "-";
	struct buf text;

	buf_init(&text, TEXT_MAX);
	text_add(&text, a->value);
	if (p->nruns == 1)
		run = TAILQ_FIRST(&p->runs);
	if (run != NULL)
		id_format(&run->id, id);
	log_info("handler", "says", KV_STR("type", p->handler->type),
	    KV_STR("task", id), KV_STR("text", buf_span(&text).p));
	buf_fini(&text);
}

static void (*const takers[ANSWER_KINDS])(
    struct proc *, struct run *, const struct answer *) = {
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
	struct run *run = NULL;

	if (wrong != NULL)
		return wrong;
	if (a.kind != ANSWER_LOG) {
		if (p->nruns == 0)
			return "it has no task to speak of";
		run = idmap_get(&pool_of(p)->runs, &a.id);
		if (run == NULL || run->priv != p)
			return "id is the one of another task";
	}
	takers[a.kind](p, run, &a);
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

/* It is of no use any more. Who was stopped has that as its reason; of the
 * others the oldest is blamed, unless the program ends because we wanted it. */
static void
take_runs(struct proc *p, const char *what, struct span detail)
{
	bool blame = p->state != PROC_LEAVING;
	struct run *run;

	while ((run = TAILQ_FIRST(&p->runs)) != NULL) {
		proc_drop(p, run);
		if (blame || run->timed_out || run->interrupted)
			run_fail(run, VERDICT_FAILED, what, detail);
		else
			run_fail(run, VERDICT_INTERRUPTED,
			    "its program ended with several tasks",
			    span_of(what));
		blame = false;
	}
}

/* Kill it. */
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
	metric_count(METRIC_EXITS + EXIT_BAD_LINE, 1);
	proc_judge(p);
	snprintf(what, sizeof(what), "bad line of the program (%s)", why);
	if (p->nruns == 0)
		log_warn("handler", "idle program broke the rules",
		    KV_STR("type", p->handler->type), KV_STR("err", why),
		    KV_STR("line", quoted.data));
	take_runs(p, what, buf_span(&quoted));
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
	const struct run *run;

	run = TAILQ_FIRST(&p->runs);
	program_count_exit(e, run != NULL && run->timed_out,
	    p->state == PROC_LEAVING || (run != NULL && run->interrupted));
	proc_judge(p);
	program_exit_text(e, how);
	snprintf(what, sizeof(what), "%s, without an answer", how);
	take_runs(p, what, program_complaint(e));
	proc_free(p);
}

static const struct child_events proc_events = { proc_output, proc_ended };

/* ---- beginning ---- */
struct proc *
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
	TAILQ_INIT(&p->runs);
	return p;
}
