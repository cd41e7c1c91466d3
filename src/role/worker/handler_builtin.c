/*
 * The handlers that are no programs: for tests, benchmarks and first steps.
 * They are on the loop, so they must be quick or come back in slices.
 */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/jsn.h"
#include "handler_private.h"

#define MEMBERS_MAX 32
#define SLEEP_MAX_MS (30 * 24 * 3600 * 1000LL)
#define CPU_MAX_MS 60000
#define SLICE_US 1000
#define ROUNDS 1000 /* between two looks at the clock: some microseconds */

static const struct span nothing = { "null", 4 };

/* ---- payloads ---- */
struct payload {
	struct jsn_member m[MEMBERS_MAX];
	size_t n;
};

/* null is as good as an object without members. */
static bool
payload_read(const struct run *run, struct payload *ret)
{
	struct jsn_value v;
	struct fault fault;

	ret->n = 0;
	if (jsn_scan(run->payload, &v, &fault) != OK)
		return false;
	return v.type == JSN_NULL ||
	    jsn_object(v.text, ret->m, MEMBERS_MAX, &ret->n, &fault) == OK;
}

static void
refuse(struct run *run, const char *allowed)
{
	run_fail(run, VERDICT_FAILED_FOR_GOOD, "bad payload; allowed is",
	    span_of(allowed));
}

/* A member in milliseconds, given in such units; false: none, or not one
 * between 0 and max_ms. */
static bool
get_ms(const struct payload *p, const char *name, double unit_ms,
    int64_t max_ms, int64_t *ret)
{
	const struct jsn_value *v = jsn_find(p->m, p->n, name);
	double n;

	if (v == NULL || !jsn_get_double(v, &n))
		return false;
	n *= unit_ms;
	if (n < 0 || n > (double)max_ms)
		return false;
	*ret = (int64_t)llround(n);
	return true;
}

/* ---- noop and echo ---- */
static void
noop_start(struct run *run)
{
	run_done(run, nothing);
}

static void
echo_start(struct run *run)
{
	run_done(run, run->payload);
}

/* ---- sleep ---- */
struct sleeper {
	struct run *run;
	struct loop_timer timer;
};

static void
sleep_abandon(struct run *run)
{
	struct sleeper *s = run->priv;

	timer_fini(&s->timer);
	free(s);
}

static void
sleep_over(struct loop_timer *t)
{
	struct run *run = container_of(t, struct sleeper, timer)->run;

	sleep_abandon(run);
	run_done(run, nothing);
}

static void
sleep_start(struct run *run)
{
	struct payload p;
	struct sleeper *s;
	int64_t ms;

	if (!payload_read(run, &p) ||
	    (!get_ms(&p, "ms", 1, SLEEP_MAX_MS, &ms) &&
		!get_ms(&p, "seconds", 1000, SLEEP_MAX_MS, &ms))) {
		refuse(run, "{\"seconds\": N} or {\"ms\": N}, up to 30 days");
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->run = run;
	run->priv = s;
	timer_init(&s->timer, run->handler->all->loop, sleep_over);
	timer_arm_ms(&s->timer, ms);
}

static void
sleep_stop(struct run *run, int signo)
{
	(void)signo;
	sleep_abandon(run);
	run_fail(run, VERDICT_FAILED, "", span_of(NULL));
}

/* ---- fail ---- */
struct failure {
	const char *message;
	size_t message_len;
	int64_t times;
	bool for_good;
};

/* What is not there keeps its default. */
static bool
failure_read(const struct payload *p, struct arena *a, struct failure *f)
{
	const struct jsn_value *message = jsn_find(p->m, p->n, "message");
	const struct jsn_value *times = jsn_find(p->m, p->n, "times");
	const struct jsn_value *for_good = jsn_find(p->m, p->n, "for_good");
	char *text;

	if (message != NULL) {
		if (!jsn_get_str(message, a, TEXT_MAX, &text, &f->message_len))
			return false;
		f->message = text;
	}
	if (times != NULL && (!jsn_get_int(times, &f->times) || f->times < 0))
		return false;
	return for_good == NULL || jsn_get_bool(for_good, &f->for_good);
}

static void
fail_start(struct run *run)
{
	static const char asked[] = "failed, as the payload asks for";
	struct failure f = { asked, sizeof(asked) - 1, INT64_MAX, false };
	struct payload p;
	struct arena a;

	arena_init(&a);
	if (!payload_read(run, &p) || !failure_read(&p, &a, &f))
		refuse(run,
		    "{\"message\": TEXT, \"times\": N, \"for_good\": BOOL}, "
		    "each of them may be left out; a text of at most 4 KiB");
	else if (run->used > f.times)
		run_done(run, nothing);
	else
		run_fail(run,
		    f.for_good ? VERDICT_FAILED_FOR_GOOD : VERDICT_FAILED, "",
		    (struct span){ f.message, f.message_len });
	arena_fini(&a);
}

/* ---- cpu: all of them together take half of the loop's time ---- */
struct burner {
	TAILQ_ENTRY(burner) link;
	struct run *run;
	int64_t left_us;
	uint64_t iterations;
};
TAILQ_HEAD(burner_list, burner);

struct burners { /* handler->priv */
	struct burner_list list; /* whose turn it is comes first */
	struct loop_timer turn;
};

static void
burn(struct burner *b)
{
	static volatile uint32_t spent_on; /* or it would be optimized away */
	int64_t began = clock_mono_us(), spent;
	int i;

	do {
		for (i = 0; i < ROUNDS; i++)
			spent_on = spent_on * 3 + 1;
		b->iterations += ROUNDS;
		spent = clock_mono_us() - began;
	} while (spent < SLICE_US && spent < b->left_us);
	b->left_us -= spent;
}

static void
cpu_abandon(struct run *run)
{
	struct burners *all = run->handler->priv;
	struct burner *b = run->priv;

	TAILQ_REMOVE(&all->list, b, link);
	free(b);
}

static void
cpu_turn(struct loop_timer *t)
{
	struct burners *all = container_of(t, struct burners, turn);
	struct burner *b = TAILQ_FIRST(&all->list);
	struct run *run;

	if (b == NULL)
		return;
	if (b->left_us > 0)
		burn(b);
	if (b->left_us > 0) {
		TAILQ_REMOVE(&all->list, b, link);
		TAILQ_INSERT_TAIL(&all->list, b, link);
	} else {
		run = b->run;
		buf_addf(&run->text, "{\"iterations\":%llu}",
		    (unsigned long long)b->iterations);
		cpu_abandon(run);
		run_done(run, buf_span(&run->text));
	}
	/* From the beginning of this slice, as the loop counts. */
	if (!TAILQ_EMPTY(&all->list))
		timer_arm_us(t, SLICE_US * 2);
}

static void
cpu_open(struct handler *h)
{
	struct burners *all = xcalloc(1, sizeof(*all));

	timer_init(&all->turn, h->all->loop, cpu_turn);
	TAILQ_INIT(&all->list);
	h->priv = all;
}

static void
cpu_close(struct handler *h)
{
	struct burners *all = h->priv;

	timer_fini(&all->turn);
	free(all);
}

static void
cpu_start(struct run *run)
{
	struct burners *all = run->handler->priv;
	struct payload p;
	struct burner *b;
	int64_t ms;

	if (!payload_read(run, &p) || !get_ms(&p, "ms", 1, CPU_MAX_MS, &ms)) {
		refuse(run, "{\"ms\": N}, up to 60000");
		return;
	}
	b = xcalloc(1, sizeof(*b));
	b->run = run;
	b->left_us = ms * US_PER_MS;
	run->priv = b;
	TAILQ_INSERT_TAIL(&all->list, b, link);
	if (!all->turn.armed)
		timer_arm_us(&all->turn, 0);
}

static void
cpu_stop(struct run *run, int signo)
{
	(void)signo;
	cpu_abandon(run);
	run_fail(run, VERDICT_FAILED, "", span_of(NULL));
}

const struct handler_builtin handler_builtins[] = {
	{ "noop", { .start = noop_start } },
	{ "echo", { .start = echo_start } },
	{ "sleep",
	    { .start = sleep_start,
		.stop = sleep_stop,
		.abandon = sleep_abandon } },
	{ "fail", { .start = fail_start } },
	{ "cpu",
	    { .start = cpu_start,
		.stop = cpu_stop,
		.abandon = cpu_abandon,
		.open = cpu_open,
		.close = cpu_close } },
	{ NULL, { .start = NULL } },
};
