/*
 * The flow engine: runs the steps of a table until one waits, and takes up
 * again when what it waited for is done. See the four rules in loop/flow.h.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/crash.h"
#include "base/log.h"
#include "loop/flow.h"
#include "loop_private.h"

static void flow_wake(struct loop_task *);
static void flow_expire(struct loop_timer *);

struct flow *
flow_new(struct loop *l, const struct flow_def *def)
{
	struct flow *f = xcalloc(1, def->size);

	assert(def->size >= sizeof(*f));
	f->def = def;
	f->loop = l;
	f->step = def->steps;
	arena_init(&f->arena);
	f->wake.fn = flow_wake;
	timer_init(&f->deadline, l, flow_expire);
	loop_count_flow(l, +1);
	return f;
}

size_t
flow_count(const struct loop *l)
{
	return loop_flow_count(l);
}

/* Whatever comes of what we wait for, it will find nobody home. */
static void
stop_waiting(struct flow *f)
{
	struct op *op = f->op;

	loop_task_cancel(f->loop, &f->wake);
	f->op = NULL;
	if (op == NULL)
		return;
	op->waiter = NULL;
	if (op->abandon != NULL)
		op->abandon(op);
}

static void
flow_finish(struct flow *f)
{
	stop_waiting(f);
	timer_fini(&f->deadline);
	if (log_enabled(LOG_DEBUG))
		log_debug("flow", "end", KV_STR("flow", f->def->name),
		    KV_STR("err", err_name(f->err)));
	crash_before(f->def->name, "end");
	f->def->end(f, f->err);
	if (f->caller != NULL)
		op_done(f->caller, f->err);
	loop_count_flow(f->loop, -1);
	arena_fini(&f->arena);
	free(f);
}

static void
flow_run(struct flow *f)
{
	enum flow_next next = f->err != OK ? FLOW_END : FLOW_NEXT;
	const struct step *s;

	assert(!f->running);
	f->running = true;
	while (next == FLOW_NEXT && f->step->run != NULL) {
		s = f->step++;
		crash_before(f->def->name, s->name);
		next = s->run(f);
		if (next == FLOW_WAIT)
			crash_while(f->def->name, s->name);
		/* A step that started a wait and did not return it, or one that
		 * waits for nothing. */
		assert((next == FLOW_WAIT) ==
		    (f->op != NULL || f->wake.list != NULL));
	}
	f->running = false;
	if (next != FLOW_WAIT)
		flow_finish(f);
}

void
flow_go(struct flow *f)
{
	flow_run(f);
}

static void
flow_wake(struct loop_task *t)
{
	flow_run(container_of(t, struct flow, wake));
}

static void
flow_expire(struct loop_timer *t)
{
	struct flow *f = container_of(t, struct flow, deadline);

	stop_waiting(f);
	f->err = ERR_TIMEOUT;
	flow_run(f);
}

void
flow_deadline_ms(struct flow *f, int64_t ms)
{
	if (ms > 0)
		timer_arm_ms(&f->deadline, ms);
	else
		timer_disarm(&f->deadline);
}

void
flow_abort(struct flow *f, enum err err)
{
	assert(!f->running && err != OK);
	stop_waiting(f);
	f->err = err;
	loop_soon(f->loop, &f->wake);
}

enum flow_next
flow_check(struct flow *f, enum err err)
{
	f->err = err;
	return err == OK ? FLOW_NEXT : FLOW_END;
}

void
flow_then(struct flow *f, flow_step *to)
{
	const struct step *s;

	for (s = f->def->steps; s->run != to; s++)
		assert(s->run != NULL);
	f->step = s;
}

enum flow_next
flow_goto(struct flow *f, flow_step *to)
{
	flow_then(f, to);
	return FLOW_NEXT;
}

enum flow_next
flow_again(struct flow *f)
{
	arena_fini(&f->arena);
	arena_init(&f->arena);
	f->step = f->def->steps;
	return FLOW_NEXT;
}

enum flow_next
flow_yield(struct flow *f)
{
	loop_soon(f->loop, &f->wake);
	return FLOW_WAIT;
}

/* ---- ops ---- */
void
op_init(struct op *op, void (*abandon)(struct op *))
{
	*op = (struct op){ .abandon = abandon };
}

enum flow_next
flow_wait(struct flow *f, struct op *op)
{
	assert(f->running && f->op == NULL);
	if (op->done) {
		f->err = op->err;
		loop_soon(f->loop, &f->wake);
	} else {
		f->op = op;
		op->waiter = f;
	}
	return FLOW_WAIT;
}

void
op_done(struct op *op, enum err err)
{
	struct flow *f = op->waiter;

	assert(!op->done);
	op->done = true;
	op->err = err;
	if (f == NULL)
		return;
	op->waiter = NULL;
	f->op = NULL;
	f->err = err;
	loop_soon(f->loop, &f->wake);
}

/* ---- calling another flow ---- */
struct call {
	struct op op;
	struct flow *callee;
};

static void
call_abandon(struct op *op)
{
	struct call *c = container_of(op, struct call, op);

	c->callee->caller = NULL;
	flow_abort(c->callee, ERR_SHUTDOWN);
}

enum flow_next
flow_call(struct flow *f, struct flow *callee)
{
	struct call *c = arena_alloc(&f->arena, sizeof(*c));

	op_init(&c->op, call_abandon);
	c->callee = callee;
	callee->caller = &c->op;
	/* It may end at once; then we are woken a turn later all the same. */
	flow_go(callee);
	return flow_wait(f, &c->op);
}

/* ---- sleeping ---- */
struct sleep {
	struct op op;
	struct loop_timer timer;
};

static void
sleep_fini(void *arg)
{
	struct sleep *s = arg;

	timer_fini(&s->timer);
}

static void
sleep_over(struct loop_timer *t)
{
	op_done(&container_of(t, struct sleep, timer)->op, OK);
}

static void
sleep_abandon(struct op *op)
{
	timer_disarm(&container_of(op, struct sleep, op)->timer);
}

enum flow_next
flow_sleep_ms(struct flow *f, int64_t ms)
{
	struct sleep *s = xcalloc(1, sizeof(*s));

	/* A flow that loops sleeps often: its arena must not grow by it. */
	arena_defer(&f->arena, free, s);
	arena_defer(&f->arena, sleep_fini, s);
	op_init(&s->op, sleep_abandon);
	timer_init(&s->timer, f->loop, sleep_over);
	timer_arm_ms(&s->timer, ms);
	return flow_wait(f, &s->op);
}

/* ---- signals ---- */
static void
signal_over(struct loop_timer *t)
{
	struct flow_signal *s = container_of(t, struct flow_signal, timer);

	if (s->waiting)
		op_done(&s->op, OK);
	s->waiting = false;
}

static void
signal_abandon(struct op *op)
{
	struct flow_signal *s = container_of(op, struct flow_signal, op);

	s->waiting = false;
	timer_disarm(&s->timer);
}

void
signal_init(struct flow_signal *s, struct loop *l)
{
	*s = (struct flow_signal){ .raised = false };
	op_init(&s->op, signal_abandon);
	timer_init(&s->timer, l, signal_over);
}

void
signal_fini(struct flow_signal *s)
{
	timer_fini(&s->timer);
}

void
signal_raise(struct flow_signal *s)
{
	if (!s->waiting) {
		s->raised = true;
		return;
	}
	s->waiting = false;
	timer_disarm(&s->timer);
	op_done(&s->op, OK);
}

enum flow_next
signal_wait(struct flow *f, struct flow_signal *s, int64_t ms)
{
	assert(!s->waiting);
	if (s->raised) {
		s->raised = false;
		return FLOW_NEXT;
	}
	op_init(&s->op, signal_abandon);
	s->waiting = true;
	if (ms > 0)
		timer_arm_ms(&s->timer, ms);
	return flow_wait(f, &s->op);
}
