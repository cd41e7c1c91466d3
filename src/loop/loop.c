/*
 * The event loop over libevent. The point of this file is what it forbids: no
 * other floor sees an event, and nothing is called back before its caller has
 * returned.
 */
#include <assert.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metric.h"
#include "loop/loop.h"
#include "loop_private.h"

#define TICK_US (500 * US_PER_MS)
#define MAX_SIGNALS 8
/* Of events: the default is the middle one. */
#define PRIORITIES 3
#define PRIORITY_IDLE 2

struct loop_signal {
	struct event *ev;
	void (*fn)(void *, int);
	void *arg;
};

struct loop {
	struct event_base *base;
	struct task_list soon, late, idle;
	struct event *soon_ev, *idle_ev;
	bool in_soon; /* new work then waits for the next turn */
	struct loop_task log;
	struct loop_timer tick;
	int64_t tick_due_us;
	int64_t worst_lag_us;
	uint64_t turns;
	size_t flows;
	struct loop_signal signals[MAX_SIGNALS];
	int nsignals;
};

static void run_soon(int fd, short what, void *arg);
static void run_idle(int fd, short what, void *arg);
static void run_tick(struct loop_timer *);
static void put_lag(struct metric_out *, void *);

static void
route_log(int severity, const char *text)
{
	if (severity >= EVENT_LOG_WARN)
		log_warn("loop", "libevent", KV_STR("text", text));
	else
		log_debug("loop", "libevent", KV_STR("text", text));
}

/* Lines of the log go out together, when nothing is more urgent (run_tick sees
 * to it that this comes). */
static void
want_log(void *arg)
{
	struct loop *l = arg;

	loop_idle(l, &l->log);
}

static void
write_log(struct loop_task *t)
{
	(void)t;
	log_flush();
}

/* What changes about a descriptor within a turn is told to the kernel once. */
static struct event_base *
open_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base;

	if (config == NULL ||
	    event_config_set_flag(
		config, EVENT_BASE_FLAG_EPOLL_USE_CHANGELIST) != 0)
		abort();
	base = event_base_new_with_config(config);
	event_config_free(config);
	if (base == NULL || event_base_priority_init(base, PRIORITIES) != 0)
		abort();
	return base;
}

struct loop *
loop_open(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	event_set_log_callback(route_log);
	/* Its own way to zeroed memory is calloc, which in glibc goes past the
	 * cache of the thread. */
	event_set_mem_functions(malloc, realloc, free);
	signal(SIGPIPE, SIG_IGN);
	l->base = open_base();
	TAILQ_INIT(&l->soon);
	TAILQ_INIT(&l->late);
	TAILQ_INIT(&l->idle);
	l->soon_ev = event_new(l->base, -1, 0, run_soon, l);
	l->idle_ev = event_new(l->base, -1, 0, run_idle, l);
	if (l->soon_ev == NULL || l->idle_ev == NULL ||
	    event_priority_set(l->idle_ev, PRIORITY_IDLE) != 0)
		abort();
	l->log.fn = write_log;
	log_gather(want_log, l);
	timer_init(&l->tick, l, run_tick);
	l->tick_due_us = clock_mono_us() + TICK_US;
	timer_arm_us(&l->tick, TICK_US);
	metric_collect(ROW_LOOP_LAG_MAX, put_lag, l);
	return l;
}

void
loop_close(struct loop *l)
{
	int i;

	if (l == NULL)
		return;
	metric_forget(l);
	timer_fini(&l->tick);
	/* Bufferevents free themselves a turn late. */
	event_base_loop(l->base, EVLOOP_NONBLOCK);
	assert(l->flows == 0);
	log_gather(NULL, NULL);
	loop_task_cancel(l, &l->log);
	for (i = 0; i < l->nsignals; i++)
		event_free(l->signals[i].ev);
	event_free(l->soon_ev);
	event_free(l->idle_ev);
	event_base_free(l->base);
	free(l);
}

void
loop_run(struct loop *l)
{
	event_base_dispatch(l->base);
}

void
loop_stop(struct loop *l)
{
	event_base_loopbreak(l->base);
}

void
loop_turn(struct loop *l)
{
	/* Without EVLOOP_ONCE it goes on while anything is active. */
	event_base_loop(l->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
}

struct event_base *
loop_base(struct loop *l)
{
	return l->base;
}

void
loop_count_flow(struct loop *l, int delta)
{
	l->flows += (size_t)delta;
}

size_t
loop_flow_count(const struct loop *l)
{
	return l->flows;
}

/* ---- lag ---- */
static void
run_tick(struct loop_timer *t)
{
	struct loop *l = container_of(t, struct loop, tick);
	int64_t now = clock_mono_us();
	int64_t late = now - l->tick_due_us;

	l->turns++;
	log_flush();
	if (late > l->worst_lag_us)
		l->worst_lag_us = late;
	metric_observe(LOOP_LAG, 0, late);
	l->tick_due_us = now + TICK_US;
	timer_arm_us(&l->tick, TICK_US);
}

uint64_t
loop_turns(const struct loop *l)
{
	return l->turns;
}

int64_t
loop_take_lag_us(struct loop *l)
{
	int64_t lag = l->worst_lag_us;

	l->worst_lag_us = 0;
	return lag;
}

static void
put_lag(struct metric_out *out, void *arg)
{
	metric_put(out, loop_take_lag_us(arg), NULL, NULL);
}

/* ---- soon, late, idle ---- */
static void
run_task(struct loop_task *t)
{
	TAILQ_REMOVE(t->list, t, link);
	t->list = NULL;
	t->fn(t);
}

static void
run_soon(int fd, short what, void *arg)
{
	struct loop *l = arg;
	struct loop_task *t, *last = TAILQ_LAST(&l->soon, task_list);
	static const struct timeval at_once;
	int64_t began = clock_mono_us();
	bool more = last != NULL;

	(void)fd;
	(void)what;
	l->in_soon = true;
	/* Only what was there when we began: work that makes more work must not
	 * keep the loop from its sockets. The last one may be cancelled by one
	 * before it; then we merely run a few more. */
	while (more && (t = TAILQ_FIRST(&l->soon)) != NULL) {
		more = t != last;
		run_task(t);
	}
	while ((t = TAILQ_FIRST(&l->late)) != NULL)
		run_task(t);
	l->in_soon = false;
	metric_observe(LOOP_TURN, 0, clock_mono_us() - began);
	if (!TAILQ_EMPTY(&l->soon))
		event_add(l->soon_ev, &at_once);
}

/* libevent looks at the sockets again before it comes to a lower priority. */
static void
run_idle(int fd, short what, void *arg)
{
	struct loop *l = arg;
	struct loop_task *t;

	(void)fd;
	(void)what;
	while ((t = TAILQ_FIRST(&l->idle)) != NULL)
		loop_soon(l, t);
}

static void
enlist(struct loop *l, struct loop_task *t, struct task_list *list)
{
	if (TAILQ_EMPTY(&l->soon) && TAILQ_EMPTY(&l->late) && !l->in_soon)
		event_active(l->soon_ev, EV_TIMEOUT, 0);
	TAILQ_INSERT_TAIL(list, t, link);
	t->list = list;
}

void
loop_soon(struct loop *l, struct loop_task *t)
{
	if (t->list == &l->idle)
		loop_task_cancel(l, t);
	if (t->list == NULL)
		enlist(l, t, &l->soon);
}

void
loop_late(struct loop *l, struct loop_task *t)
{
	if (t->list == &l->idle)
		loop_task_cancel(l, t);
	if (t->list == NULL)
		enlist(l, t, &l->late);
}

void
loop_idle(struct loop *l, struct loop_task *t)
{
	if (t->list != NULL)
		return;
	if (TAILQ_EMPTY(&l->idle))
		event_active(l->idle_ev, EV_TIMEOUT, 0);
	TAILQ_INSERT_TAIL(&l->idle, t, link);
	t->list = &l->idle;
}

void
loop_task_cancel(struct loop *l, struct loop_task *t)
{
	(void)l;
	if (t->list == NULL)
		return;
	TAILQ_REMOVE(t->list, t, link);
	t->list = NULL;
}

/* ---- timers ---- */
static void
timer_fired(int fd, short what, void *arg)
{
	struct loop_timer *t = arg;

	(void)fd;
	(void)what;
	t->armed = false;
	t->fn(t);
}

void
timer_init(
    struct loop_timer *t, struct loop *l, void (*fn)(struct loop_timer *))
{
	*t = (struct loop_timer){ .fn = fn, .loop = l };
}

void
timer_arm_us(struct loop_timer *t, int64_t us)
{
	struct timeval tv;

	if (us < 0)
		us = 0;
	if (t->ev == NULL)
		t->ev = evtimer_new(t->loop->base, timer_fired, t);
	if (t->ev == NULL)
		abort();
	tv.tv_sec = us / US_PER_S;
	tv.tv_usec = us % US_PER_S;
	evtimer_add(t->ev, &tv);
	t->armed = true;
}

void
timer_arm_ms(struct loop_timer *t, int64_t ms)
{
	timer_arm_us(t, ms * US_PER_MS);
}

void
timer_disarm(struct loop_timer *t)
{
	if (t->armed)
		evtimer_del(t->ev);
	t->armed = false;
}

void
timer_fini(struct loop_timer *t)
{
	if (t->ev != NULL)
		event_free(t->ev);
	t->ev = NULL;
	t->armed = false;
}

/* ---- descriptors ---- */
static void
watch_fired(int fd, short what, void *arg)
{
	struct loop_watch *w = arg;

	(void)fd;
	w->fn(w,
	    ((what & EV_READ) ? WATCH_READ : 0) |
		((what & EV_WRITE) ? WATCH_WRITE : 0));
}

void
watch_init(struct loop_watch *w, struct loop *l,
    void (*fn)(struct loop_watch *, int what))
{
	*w = (struct loop_watch){ .fn = fn, .loop = l, .fd = -1 };
}

void
watch_renew(struct loop_watch *w, int fd, int what)
{
	short flags = EV_PERSIST;

	if (w->ev != NULL)
		event_free(w->ev);
	w->ev = NULL;
	w->fd = fd;
	w->what = fd < 0 ? 0 : what;
	if (w->what == 0)
		return;
	if (what & WATCH_READ)
		flags |= EV_READ;
	if (what & WATCH_WRITE)
		flags |= EV_WRITE;
	w->ev = event_new(w->loop->base, fd, flags, watch_fired, w);
	if (w->ev == NULL || event_add(w->ev, NULL) != 0)
		abort();
}

void
watch_set(struct loop_watch *w, int fd, int what)
{
	if (w->fd != fd || w->what != what)
		watch_renew(w, fd, what);
}

void
watch_fini(struct loop_watch *w)
{
	watch_renew(w, -1, 0);
}

/* ---- signals ---- */
static void
signal_fired(int signo, short what, void *arg)
{
	struct loop_signal *s = arg;

	(void)what;
	s->fn(s->arg, signo);
}

void
loop_on_signal(
    struct loop *l, int signo, void (*fn)(void *, int signo), void *arg)
{
	struct loop_signal *s = &l->signals[l->nsignals];

	assert(l->nsignals < MAX_SIGNALS);
	l->nsignals++;
	s->fn = fn;
	s->arg = arg;
	s->ev = evsignal_new(l->base, signo, signal_fired, s);
	if (s->ev == NULL || event_add(s->ev, NULL) != 0)
		abort();
}
