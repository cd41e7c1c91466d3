/*
 * When waiting calls become a segment, and which of them.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pg_private.h"

/* So many calls at once are no crowd: each goes as soon as it can. */
#define SMALL_CROWD 4
/* A segment that takes longer than this, and this for each row, is slow. */
#define SLOW_US 1000
#define SLOW_ROW_US 20

static struct pg_conn *
idle_conn(struct pg *pg)
{
	int i;

	for (i = 0; i < pg->nconns; i++)
		if (pg->conns[i].state == CONN_IDLE)
			return &pg->conns[i];
	return NULL;
}

static void
fill_from_part(struct pg *pg, struct pg_segment *s)
{
	struct pg_part *part = TAILQ_FIRST(&pg->parts[s->class]);
	struct pg_call *c;
	bool fits;

	TAILQ_REMOVE(&pg->parts[s->class], part, link);
	while ((c = TAILQ_FIRST(&part->calls)) != NULL) {
		TAILQ_REMOVE(&part->calls, c, link);
		fits = segment_add(s, c);
		assert(fits); /* it did when it was part of a larger one */
		(void)fits;
	}
	free(part);
}

static void
fill_from_queue(struct pg *pg, struct pg_segment *s)
{
	struct call_list *l = &pg->waiting[s->class];
	struct pg_call *c;

	while ((c = TAILQ_FIRST(l)) != NULL) {
		TAILQ_REMOVE(l, c, link);
		if (!segment_add(s, c)) {
			TAILQ_INSERT_HEAD(l, c, link);
			break;
		}
		pg->nwaiting[s->class]--;
	}
}

/*
 * When does a segment go? One call alone at once. But the price of a segment
 * hardly depends on its size, and two at a time are in each other's way, so a
 * crowd travels together: while one segment is on its way the next one gathers,
 * and while the loop has other work it waits for half of all calls that there
 * are at once, lately. Only where commits are slow, more go meanwhile.
 */
static bool
is_slow(const struct pg *pg, enum pg_class class, int64_t now)
{
	const struct pg_conn *c;
	int i;

	for (i = 0; i < pg->nconns; i++) {
		c = &pg->conns[i];
		if (c->state == CONN_BUSY && c->segment.class == class &&
		    now - c->segment.sent_us <
			SLOW_US + SLOW_ROW_US * (int64_t)c->segment.rows)
			return false;
	}
	return true;
}

static bool
may_go(const struct pg *pg, enum pg_class class, bool idle)
{
	if (!TAILQ_EMPTY(&pg->parts[class]))
		return true;
	if (pg->active[class] > 0 && pg->crowd[class] > SMALL_CROWD)
		return is_slow(pg, class, clock_mono_us());
	return idle || 2 * pg->nwaiting[class] >= pg->crowd[class];
}

static void
note_crowd(struct pg *pg, enum pg_class class)
{
	size_t now = pg->nsent[class] + pg->nwaiting[class];
	size_t *crowd = &pg->crowd[class];

	*crowd -= *crowd / 8;
	if (*crowd < now)
		*crowd = now;
}

static void
send_segment(struct pg *pg, enum pg_class class, struct pg_conn *conn)
{
	struct pg_segment *s = &conn->segment;

	segment_init(s, class);
	note_crowd(pg, class);
	if (!TAILQ_EMPTY(&pg->parts[class]))
		fill_from_part(pg, s);
	else
		fill_from_queue(pg, s);
	pg->nsegments++;
	metric_count(METRIC_PG_SEGMENTS + class, 1);
	metric_observe(PG_SEGMENT_ROWS, class, (int64_t)s->rows);
	pg->active[class]++;
	pg->nsent[class] += s->ncalls;
	conn_send(conn);
}

void
pg_segment_ended(struct pg *pg, const struct pg_segment *s)
{
	pg->active[s->class]--;
	pg->nsent[s->class] -= s->ncalls;
}

static bool
has_work(const struct pg *pg, enum pg_class class)
{
	return pg->nwaiting[class] > 0 || !TAILQ_EMPTY(&pg->parts[class]);
}

/* Until the loop has nothing else to do, or the segment that is on its way
 * comes back, or proves to be slow. */
static void
wait_for_more(struct pg *pg, enum pg_class class)
{
	if (pg->active[class] == 0)
		loop_idle(pg->loop, &pg->dispatch_all);
	else if (!pg->patience.armed)
		timer_arm_us(&pg->patience, SLOW_US);
}

static void
dispatch_class(struct pg *pg, enum pg_class class, bool idle)
{
	struct pg_conn *conn;

	while (pg->active[class] < pg->limit[class] && has_work(pg, class)) {
		conn = idle_conn(pg);
		if (conn == NULL)
			return;
		if (!may_go(pg, class, idle)) {
			wait_for_more(pg, class);
			return;
		}
		send_segment(pg, class, conn);
	}
}

static void
dispatch_both(struct pg *pg, bool idle)
{
	dispatch_class(pg, PG_WRITE, idle);
	dispatch_class(pg, PG_READ, idle);
	if ((has_work(pg, PG_WRITE) || has_work(pg, PG_READ)) &&
	    !pg->expiry.armed)
		timer_arm_ms(&pg->expiry, EXPIRY_MS);
}

static void
dispatch(struct loop_task *t)
{
	dispatch_both(container_of(t, struct pg, dispatch), false);
}

static void
patience_is_over(struct loop_timer *t)
{
	dispatch_both(container_of(t, struct pg, patience), false);
}

static void
dispatch_all(struct loop_task *t)
{
	dispatch_both(container_of(t, struct pg, dispatch_all), true);
}

/* Later in this turn, so that all requests that came together go together. */
void
pg_dispatch_soon(struct pg *pg)
{
	if (!pg->closing)
		loop_late(pg->loop, &pg->dispatch);
}

void
pg_dispatch_init(struct pg *pg)
{
	pg->dispatch.fn = dispatch;
	pg->dispatch_all.fn = dispatch_all;
	timer_init(&pg->patience, pg->loop, patience_is_over);
}

void
pg_dispatch_fini(struct pg *pg)
{
	loop_task_cancel(pg->loop, &pg->dispatch);
	loop_task_cancel(pg->loop, &pg->dispatch_all);
	timer_fini(&pg->patience);
}
