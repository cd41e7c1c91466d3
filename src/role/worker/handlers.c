/*
 * From a run to its handler and back.
 *
 *	NEW -> WAITING -> RUNNING -> STOPPING -> ENDED -> told, forgotten
 *	    \------------^       \--------------^
 *
 * What the programs are is the business of the kinds; when they start, how long
 * they may run and what a stopped run ends with is decided here.
 */
#include <assert.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/metric.h"
#include "base/utf8.h"
#include "handler_private.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */
#define CLOSE_POLL_MS 2

static const struct handler_ops *const kinds[] = {
	[HANDLER_EXEC] = &handler_exec,
	[HANDLER_PROCESS] = &handler_process,
};

static const struct conf_handler no_conf;

/* ---- states ---- */
#define TO(state) (1u << (state))
static const unsigned moves[] = {
	[RUN_NEW] = TO(RUN_WAITING) | TO(RUN_RUNNING),
	[RUN_WAITING] = TO(RUN_NEW) | TO(RUN_RUNNING) | TO(RUN_ENDED),
	[RUN_RUNNING] = TO(RUN_STOPPING) | TO(RUN_ENDED),
	[RUN_STOPPING] = TO(RUN_ENDED),
	[RUN_ENDED] = 0,
};

static bool
is_active(enum run_state s)
{
	return s == RUN_RUNNING || s == RUN_STOPPING;
}

/* NULL: the worker alone has it. */
static struct run_list *
list_of(struct handler *h, enum run_state s)
{
	if (is_active(s))
		return &h->active;
	if (s == RUN_WAITING)
		return &h->waiting;
	return s == RUN_ENDED ? &h->all->ended : NULL;
}

static void
run_move(struct run *run, enum run_state to)
{
	struct handler *h = run->handler;
	struct run_list *from_list = list_of(h, run->state);
	struct run_list *to_list = list_of(h, to);

	assert(moves[run->state] & TO(to));
	if (from_list != NULL)
		TAILQ_REMOVE(from_list, run, handler_link);
	if (to_list != NULL)
		TAILQ_INSERT_TAIL(to_list, run, handler_link);
	h->nactive += is_active(to);
	h->nactive -= is_active(run->state);
	run->state = to;
}

/* ---- ending ---- */
void
text_add(struct buf *b, struct span s)
{
	size_t i, n;

	for (i = 0; i < s.len && !b->overflow; i += n) {
		n = s.p[i] == '\0' ? 0 : utf8_len(s.p + i, s.len - i);
		if (n > 0)
			buf_add(b, s.p + i, n);
		else
			buf_adds(b, REPLACEMENT);
		n += n == 0;
	}
}

/* What the task asks for, at most what its handler allows; if it does not ask,
 * the handler's time, or the default. 0: for ever. */
static int64_t
time_limit_ms(const struct run *run)
{
	int64_t own = run->timeout_ms, most = run->handler->conf->timeout_ms;

	if (own <= 0)
		return most > 0 ? most : run->handler->all->default_timeout_ms;
	return most > 0 && most < own ? most : own;
}

static void
run_end(struct run *run)
{
	struct handlers *hs = run->handler->all;

	timer_fini(&run->timer);
	if (run->started_us != 0)
		metric_observe(
		    RUN_SECONDS, 0, clock_mono_us() - run->started_us);
	run_move(run, RUN_ENDED);
	loop_soon(hs->loop, &hs->tell);
}

void
run_done(struct run *run, struct span json)
{
	if (run->timed_out) {
		run_fail(run, VERDICT_FAILED, "it came to its end too late",
		    (struct span){ NULL, 0 });
		return;
	}
	run->result.verdict = VERDICT_DONE;
	run->result.result = json;
	run_end(run);
}

static void
add_part(struct buf *b, struct span part)
{
	if (part.len > 0 && b->len > 0)
		buf_adds(b, ": ");
	text_add(b, part);
}

/* Why it was stopped explains more than how it then ended, which for most
 * programs is a SIGTERM. */
static void
add_stop_reason(struct run *run, struct buf *text)
{
	if (run->cancelled) {
		buf_adds(text, "cancelled");
		run->result.verdict = VERDICT_CANCELLED;
	} else if (run->timed_out) {
		buf_addf(text, "timed out after %.10g s",
		    (double)time_limit_ms(run) / 1000);
		run->result.verdict = VERDICT_FAILED;
	} else if (run->interrupted) {
		buf_adds(text, "interrupted");
		run->result.verdict = VERDICT_INTERRUPTED;
	}
}

void
run_fail(
    struct run *run, enum verdict verdict, const char *what, struct span detail)
{
	struct buf text;

	buf_init(&text, TEXT_MAX);
	run->result.verdict = verdict;
	add_stop_reason(run, &text);
	add_part(&text, span_of(what));
	add_part(&text, detail);
	if (text.len == 0)
		buf_adds(&text, "no reason was given");
	buf_fini(&run->text);
	run->text = text;
	run->result.error = buf_span(&run->text);
	run_end(run);
}

/* ---- beginning ---- */
static void
begin(struct run *run)
{
	run_move(run, RUN_RUNNING);
	run->started_us = clock_mono_us();
	metric_count(METRIC_STARTED + run->priority, 1);
	run->handler->kind->start(run);
	if (run->state == RUN_RUNNING && time_limit_ms(run) > 0)
		timer_arm_ms(&run->timer, time_limit_ms(run));
}

static bool
has_room(const struct handler *h)
{
	return h->conf->concurrency == 0 ||
	    h->nactive < (size_t)h->conf->concurrency;
}

static void
begin_waiting(struct handler *h)
{
	while (!TAILQ_EMPTY(&h->waiting) && has_room(h))
		begin(TAILQ_FIRST(&h->waiting));
}

/* The worker may free the run, and may hand over new ones. */
static void
give_back(struct run *run)
{
	struct run_result result = run->result;
	struct handler *h = run->handler;
	struct buf text = run->text;

	h->all->events->ended(h->all->arg, run, &result);
	buf_fini(&text);
	begin_waiting(h);
}

/* Only what has ended by now: what a new run comes to is told in its turn. */
static void
tell(struct loop_task *t)
{
	struct handlers *hs = container_of(t, struct handlers, tell);
	struct run_list now = TAILQ_HEAD_INITIALIZER(now);
	struct run *run;

	TAILQ_CONCAT(&now, &hs->ended, handler_link);
	while ((run = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, run, handler_link);
		give_back(run);
	}
}

/* ---- stopping ---- */
static void
stop(struct run *run)
{
	run_move(run, RUN_STOPPING);
	run->handler->kind->stop(run, SIGTERM);
	if (run->state == RUN_STOPPING)
		timer_arm_ms(&run->timer, run->handler->conf->grace_ms);
}

static void
time_is_over(struct loop_timer *t)
{
	struct run *run = container_of(t, struct run, timer);

	if (run->state == RUN_STOPPING) {
		run->handler->kind->stop(run, SIGKILL);
	} else {
		run->timed_out = true;
		stop(run);
	}
}

void
handlers_interrupt(struct handlers *hs, struct run *run)
{
	(void)hs;
	if (run->state != RUN_RUNNING && run->state != RUN_WAITING)
		return;
	run->interrupted = true;
	if (run->state == RUN_RUNNING)
		stop(run);
	else
		run_fail(run, VERDICT_INTERRUPTED, "", span_of(NULL));
}

void
handlers_cancel(struct handlers *hs, struct run *run)
{
	(void)hs;
	if (run->state != RUN_RUNNING && run->state != RUN_WAITING &&
	    run->state != RUN_STOPPING)
		return;
	run->cancelled = true;
	if (run->state == RUN_RUNNING)
		stop(run);
	else if (run->state == RUN_WAITING)
		run_fail(run, VERDICT_CANCELLED, "", span_of(NULL));
}

/* ---- taking ---- */
static void
unknown_start(struct run *run)
{
	run_fail(run, VERDICT_FAILED_FOR_GOOD,
	    "the worker has no handler for this task type", span_of(run->type));
}

static const struct handler_ops kind_unknown = { .start = unknown_start };

static struct handler *
find(struct handlers *hs, const char *type)
{
	struct handler *h = hs->list, *unknown = &hs->list[hs->n - 1];

	while (h != unknown && strcmp(h->type, type) != 0)
		h++;
	return h;
}

void
handlers_start(struct handlers *hs, struct run *run)
{
	run->state = RUN_NEW;
	run->handler = find(hs, run->type);
	run->priv = NULL;
	run->started_us = 0;
	run->timed_out = run->interrupted = run->cancelled = false;
	run->result = (struct run_result){ .retry_after_ms = -1 };
	timer_init(&run->timer, hs->loop, time_is_over);
	/* What goes into it has been limited where it came from. */
	buf_init(&run->text, SIZE_MAX);
	if (TAILQ_EMPTY(&run->handler->waiting) && has_room(run->handler))
		begin(run);
	else
		run_move(run, RUN_WAITING);
}

void
handlers_withdraw(struct handlers *hs, struct run *run)
{
	(void)hs;
	assert(run->state == RUN_WAITING);
	run_move(run, RUN_NEW);
}

/* ---- opening and closing ---- */
static void
add_handler(struct handlers *hs, const char *type,
    const struct handler_ops *kind, const struct conf_handler *conf)
{
	struct handler *h = &hs->list[hs->n++];

	h->all = hs;
	h->type = type;
	h->kind = kind;
	h->conf = conf;
	TAILQ_INIT(&h->waiting);
	TAILQ_INIT(&h->active);
	if (kind->open != NULL)
		kind->open(h);
}

static size_t
count(const struct conf *conf)
{
	const struct handler_builtin *b;
	const struct conf_handler *c;
	size_t n = 1; /* for unknown types */

	for (c = conf->handlers; c != NULL; c = c->next)
		n++;
	for (b = handler_builtins; b->type != NULL; b++)
		n++;
	return n;
}

struct handlers *
handlers_open(struct loop *loop, const struct conf *conf,
    const struct handler_events *events, void *arg)
{
	struct handlers *hs = xcalloc(1, sizeof(*hs));
	const struct handler_builtin *b = handler_builtins;
	const struct conf_handler *c;

	hs->loop = loop;
	hs->events = events;
	hs->arg = arg;
	hs->default_timeout_ms = conf->default_timeout_ms;
	hs->tell.fn = tell;
	TAILQ_INIT(&hs->ended);
	hs->list = xcalloc(count(conf), sizeof(*hs->list));
	for (c = conf->handlers; c != NULL; c = c->next)
		add_handler(hs, c->name, kinds[c->kind], c);
	for (; conf->builtin_handlers && b->type != NULL; b++)
		add_handler(hs, b->type, &b->kind, &no_conf);
	add_handler(hs, "", &kind_unknown, &no_conf);
	return hs;
}

static void
give_up(struct run_list *runs)
{
	struct run *run;

	while ((run = TAILQ_FIRST(runs)) != NULL) {
		TAILQ_REMOVE(runs, run, handler_link);
		if (is_active(run->state))
			run->handler->kind->abandon(run);
		timer_fini(&run->timer);
		buf_fini(&run->text);
		run->state = RUN_NEW;
	}
}

static bool
is_alive(const struct handlers *hs, int64_t waited_ms)
{
	const struct handler *h;

	for (h = hs->list; h < hs->list + hs->n; h++)
		if (waited_ms < h->conf->grace_ms &&
		    h->kind->is_alive != NULL && h->kind->is_alive(h))
			return true;
	return false;
}

/* The loop cannot be turned: we may be called from it. */
static void
wait_for_processes(const struct handlers *hs)
{
	int64_t began = clock_mono_us();

	while (is_alive(hs, (clock_mono_us() - began) / US_PER_MS))
		poll(NULL, 0, CLOSE_POLL_MS);
}

void
handlers_close(struct handlers *hs)
{
	struct handler *h;

	if (hs == NULL)
		return;
	for (h = hs->list; h < hs->list + hs->n; h++) {
		give_up(&h->waiting);
		give_up(&h->active);
		if (h->kind->dismiss != NULL)
			h->kind->dismiss(h);
	}
	give_up(&hs->ended);
	wait_for_processes(hs);
	for (h = hs->list; h < hs->list + hs->n; h++)
		if (h->kind->close != NULL)
			h->kind->close(h);
	assert(hs->processes == 0);
	loop_task_cancel(hs->loop, &hs->tell);
	free(hs->list);
	free(hs);
}

const char *
handlers_type(const struct handlers *hs, int i)
{
	return (size_t)i + 1 < hs->n ? hs->list[i].type : NULL;
}

size_t
handlers_processes(const struct handlers *hs)
{
	return hs->processes;
}
