/* A stream: when the next request is due, and who sends it. */
#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "load.h"

#define WAVE 64 /* connections that are opened at once */

uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * SECOND_NS + (uint64_t)ts.tv_nsec;
}

/* ---- opening ---- */

static void
open_more(struct stream *s)
{
	while (s->unopened > 0 && s->opening < WAVE) {
		s->opening++;
		s->unopened--;
		conn_open(&s->conns[s->nconns - s->unopened - 1]);
	}
}

/* A connection is open, or could not be opened: it is tried again later, and
 * the stream does not wait for it. */
void
stream_opened(struct stream *s)
{
	s->opening--;
	s->opened++;
	if (s->opened < s->nconns)
		open_more(s);
	else
		event_base_loopbreak(s->base);
}

/* ---- sending ---- */

static uint64_t
due_at(const struct stream *s)
{
	return s->start + s->begun * s->period;
}

/* Is there one to be sent now, and since when? */
static bool
take(const struct stream *s, uint64_t *due)
{
	uint64_t now = now_ns();

	if (!s->started || s->stopped || s->begun >= s->limit || now >= s->end)
		return false;
	*due = s->period == 0 ? now : due_at(s);
	return *due <= now;
}

static void
arm(struct stream *s)
{
	uint64_t now = now_ns(), due = due_at(s), wait;
	struct timeval tv;

	if (evtimer_pending(&s->tick, NULL) || TAILQ_EMPTY(&s->idle))
		return;
	wait = due > now ? due - now : 0;
	tv.tv_sec = (time_t)(wait / SECOND_NS);
	tv.tv_usec = (suseconds_t)(wait % SECOND_NS / 1000);
	evtimer_add(&s->tick, &tv);
}

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = arg;
	struct conn *c;
	uint64_t due;

	(void)fd;
	(void)what;
	while ((c = TAILQ_FIRST(&s->idle)) != NULL && take(s, &due)) {
		TAILQ_REMOVE(&s->idle, c, link);
		conn_send(c, due);
	}
	if (!s->stopped && s->begun < s->limit)
		arm(s);
}

void
stream_idle(struct stream *s, struct conn *c)
{
	uint64_t due;

	if (take(s, &due)) {
		conn_send(c, due);
		return;
	}
	c->state = CONN_IDLE;
	TAILQ_INSERT_TAIL(&s->idle, c, link);
	if (s->started && s->period != 0 && !s->stopped && s->begun < s->limit)
		arm(s);
}

void
stream_answered(struct stream *s, struct conn *c)
{
	uint64_t now = now_ns();

	s->last = now;
	s->status[c->status]++;
	hist_add(&s->hist, now - c->due);
	if (c->status < 300)
		s->ok++;
	if ((c->status == 429 || c->status == 503) && !c->retry_after)
		s->no_retry_after++;
	if (s->busy == 0 && s->begun >= s->limit)
		event_base_loopbreak(s->base);
}

void
stream_time_out(struct stream *s)
{
	uint64_t now = now_ns();
	unsigned i;

	for (i = 0; i < s->nconns; i++)
		if (s->conns[i].state == CONN_BUSY &&
		    s->conns[i].deadline <= now)
			conn_lost(&s->conns[i]);
}

bool
stream_over(const struct stream *s)
{
	return s->busy == 0 &&
	    (s->stopped || s->begun >= s->limit || now_ns() >= s->end);
}

/* How many were due and had no connection to go on. */
uint64_t
stream_unsent(const struct stream *s)
{
	uint64_t now = now_ns(), due;

	if (s->period == 0)
		return 0;
	if (now > s->end)
		now = s->end;
	due = (now - s->start) / s->period + 1;
	if (due > s->limit)
		due = s->limit;
	return due > s->begun ? due - s->begun : 0;
}

/* ---- making ---- */

void
stream_init(struct stream *s, struct event_base *base, const struct opts *o,
    unsigned nconns)
{
	unsigned i;

	memset(s, 0, sizeof(*s));
	s->base = base;
	s->limit = s->end = UINT64_MAX;
	s->nconns = s->unopened = nconns;
	s->conns = calloc(nconns, sizeof(*s->conns));
	if (s->conns == NULL)
		err(1, "no memory");
	TAILQ_INIT(&s->idle);
	evtimer_assign(&s->tick, base, tick, s);
	for (i = 0; i < nconns; i++)
		conn_init(&s->conns[i], s, &o->targets[i % o->ntargets]);
	open_more(s);
}

void
stream_start(struct stream *s)
{
	struct conn *c, *next;
	struct conns ready = TAILQ_HEAD_INITIALIZER(ready);

	s->start = s->last = now_ns();
	s->started = true;
	TAILQ_CONCAT(&ready, &s->idle, link);
	for (c = TAILQ_FIRST(&ready); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		TAILQ_REMOVE(&ready, c, link);
		stream_idle(s, c);
	}
}
