/*
 * The pool: calls wait here, by class, until a connection is free; then one
 * segment takes as many of them as fit. With one caller that is at once; with
 * a thousand they travel together.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "pg_private.h"

#define EXPIRY_MS 100
/* So many calls at once are no crowd: each goes as soon as it can. */
#define SMALL_CROWD 4
/* A segment that takes longer than this, and this for each row, is slow. */
#define SLOW_US 1000
#define SLOW_ROW_US 20

static void dispatch(struct loop_task *);
static void dispatch_all(struct loop_task *);
static void expire(struct loop_timer *);
static void patience_is_over(struct loop_timer *);

static const char *
option(const struct pg *pg, const char *keyword)
{
	PQconninfoOption *o;

	for (o = pg->options; o->keyword != NULL; o++)
		if (strcmp(o->keyword, keyword) == 0)
			return o->val != NULL ? o->val : "";
	return "";
}

struct pg *
pg_open(struct loop *l, struct thread_pool *threads, const struct pg_conf *conf,
    char *err, size_t err_size)
{
	PQconninfoOption *options;
	struct pg *pg;
	char *why = NULL;
	int i;

	options = PQconninfoParse(conf->url, &why);
	if (options == NULL) {
		snprintf(err, err_size, "%s", why != NULL ? why : "no memory");
		err[strcspn(err, "\n")] = '\0';
		PQfreemem(why);
		return NULL;
	}
	pg = xcalloc(1, sizeof(*pg));
	pg->loop = l;
	pg->threads = threads;
	pg->options = options;
	pg->host = option(pg, "host");
	pg->application_name = xstrdup(conf->application_name);
	pg->timeout_ms = conf->timeout_ms;
	pg->dispatch.fn = dispatch;
	pg->dispatch_all.fn = dispatch_all;
	timer_init(&pg->expiry, l, expire);
	timer_init(&pg->patience, l, patience_is_over);
	for (i = 0; i < 2; i++) {
		TAILQ_INIT(&pg->waiting[i]);
		TAILQ_INIT(&pg->parts[i]);
		/* Neither class may take all connections from the other. */
		pg->limit[i] = (conf->connections + 1) / 2;
	}
	snprintf(pg->last_error, sizeof(pg->last_error), "not connected yet");
	pg->nconns = conf->connections;
	pg->conns = xcalloc((size_t)pg->nconns, sizeof(*pg->conns));
	for (i = 0; i < pg->nconns; i++)
		conn_init(&pg->conns[i], pg, i);
	for (i = 0; i < pg->nconns; i++)
		conn_start(&pg->conns[i]);
	return pg;
}

static void
give_up(struct call_list *l)
{
	struct pg_call *c;

	while ((c = TAILQ_FIRST(l)) != NULL) {
		TAILQ_REMOVE(l, c, link);
		pg_finish(c, ERR_SHUTDOWN, "", "shutting down");
	}
}

void
pg_close(struct pg *pg)
{
	struct pg_part *part;
	int i;

	if (pg == NULL)
		return;
	pg->closing = true;
	for (i = 0; i < pg->nconns; i++)
		conn_fini(&pg->conns[i]);
	for (i = 0; i < 2; i++) {
		while ((part = TAILQ_FIRST(&pg->parts[i])) != NULL) {
			TAILQ_REMOVE(&pg->parts[i], part, link);
			give_up(&part->calls);
			free(part);
		}
		pg->nwaiting[i] = 0;
		give_up(&pg->waiting[i]);
	}
	loop_task_cancel(pg->loop, &pg->dispatch);
	loop_task_cancel(pg->loop, &pg->dispatch_all);
	timer_fini(&pg->expiry);
	timer_fini(&pg->patience);
	PQconninfoFree(pg->options);
	free(pg->application_name);
	free(pg->conns);
	free(pg);
}

bool
pg_is_up(const struct pg *pg)
{
	return pg->up > 0;
}

const char *
pg_last_error(const struct pg *pg)
{
	return pg->last_error;
}

int64_t
pg_last_segment_us(const struct pg *pg)
{
	return pg->last_segment_us;
}

void
pg_counts(const struct pg *pg, uint64_t *ret_segments, uint64_t *ret_calls)
{
	*ret_segments = pg->nsegments;
	*ret_calls = pg->ncalls;
}

void
pg_note_error(struct pg *pg, const char *text)
{
	if (text != pg->last_error)
		snprintf(pg->last_error, sizeof(pg->last_error), "%s", text);
	pg->last_error[strcspn(pg->last_error, "\n")] = '\0';
}

/* One line per change of state of the whole pool. */
void
pg_conn_changed(struct pg *pg)
{
	int i;

	pg->up = 0;
	for (i = 0; i < pg->nconns; i++)
		pg->up += pg->conns[i].state >= CONN_IDLE;
	if (pg->closing || (pg->up > 0) == pg->told_up)
		return;
	pg->told_up = pg->up > 0;
	if (pg->told_up)
		log_info("pg", "connected");
	else
		log_warn("pg", "connection lost, trying again",
		    KV_STR("err", pg->last_error));
}

/* ---- calls ---- */
static size_t
all_waiting(const struct pg *pg)
{
	return pg->nwaiting[PG_READ] + pg->nwaiting[PG_WRITE];
}

void
pg_finish(
    struct pg_call *c, enum err err, const char *sqlstate, const char *message)
{
	c->state = CALL_DONE;
	c->err = err;
	snprintf(c->sqlstate, sizeof(c->sqlstate), "%s", sqlstate);
	snprintf(c->message, sizeof(c->message), "%s", message);
	buf_fini(&c->enc);
	if (c->abandoned) {
		call_free(c);
		return;
	}
	if (err == ERR_INTERNAL)
		log_error("pg", "statement refused",
		    KV_STR("statement", c->stmt->name),
		    KV_STR("sqlstate", sqlstate), KV_STR("err", message));
	op_done(&c->op, c->tolerant ? OK : err);
}

/* The flow's arena dies: at once, or when the answer comes. */
static void
release(void *arg)
{
	struct pg_call *c = arg;

	switch (c->state) {
	case CALL_QUEUED:
		TAILQ_REMOVE(&c->pg->waiting[c->stmt->class], c, link);
		c->pg->nwaiting[c->stmt->class]--;
		call_free(c);
		break;
	case CALL_SENT:
		c->abandoned = true;
		break;
	default:
		call_free(c);
	}
}

static enum flow_next
run(struct pg_call *c, struct flow *f, bool tolerant)
{
	struct pg *pg = c->pg;

	assert(c->col == 0 && c->rows > 0 && c->state == CALL_NEW);
	op_init(&c->op, NULL);
	arena_defer(&f->arena, release, c);
	c->tolerant = tolerant;
	if (all_waiting(pg) >= PG_MAX_WAITING || c->enc.overflow) {
		pg_finish(c, ERR_OVERLOADED, "", "too many calls wait");
		return flow_wait(f, &c->op);
	}
	c->deadline_us = clock_mono_us() + c->timeout_ms * US_PER_MS;
	c->state = CALL_QUEUED;
	TAILQ_INSERT_TAIL(&pg->waiting[c->stmt->class], c, link);
	pg->nwaiting[c->stmt->class]++;
	pg->ncalls++;
	pg_dispatch_soon(pg);
	return flow_wait(f, &c->op);
}

enum flow_next
pg_run(struct pg_call *c, struct flow *f)
{
	return run(c, f, false);
}

enum flow_next
pg_try(struct pg_call *c, struct flow *f)
{
	return run(c, f, true);
}

/* ---- waiting ---- */
void
pg_requeue(struct pg *pg, struct call_list *l)
{
	int64_t now = clock_mono_us();
	struct pg_call *c;

	while ((c = TAILQ_LAST(l, call_list)) != NULL) {
		TAILQ_REMOVE(l, c, link);
		if (c->abandoned) {
			call_free(c);
		} else if (pg->closing) {
			pg_finish(c, ERR_SHUTDOWN, "", "shutting down");
		} else if (c->deadline_us <= now) {
			pg_finish(c, ERR_UNAVAILABLE, "", pg->last_error);
		} else {
			c->state = CALL_QUEUED;
			TAILQ_INSERT_HEAD(
			    &pg->waiting[c->stmt->class], c, link);
			pg->nwaiting[c->stmt->class]++;
		}
	}
	pg_dispatch_soon(pg);
}

void
pg_push_part(struct pg *pg, enum pg_class class, struct call_list *calls)
{
	struct pg_part *part = xcalloc(1, sizeof(*part));

	part->class = class;
	TAILQ_INIT(&part->calls);
	TAILQ_CONCAT(&part->calls, calls, link);
	TAILQ_INSERT_TAIL(&pg->parts[class], part, link);
	pg_dispatch_soon(pg);
}

/* How many were answered that their time is over. */
static size_t
expire_list(struct pg *pg, struct call_list *l, int64_t now)
{
	struct pg_call *c, *next;
	size_t n = 0;

	TAILQ_FOREACH_SAFE (c, l, link, next) {
		if (c->deadline_us > now)
			continue;
		TAILQ_REMOVE(l, c, link);
		pg_finish(c, ERR_UNAVAILABLE, "", pg->last_error);
		n++;
	}
	return n;
}

/* True: some are left. */
static bool
expire_class(struct pg *pg, enum pg_class class, int64_t now)
{
	struct pg_part *part, *next;
	bool some;

	pg->nwaiting[class] -= expire_list(pg, &pg->waiting[class], now);
	some = !TAILQ_EMPTY(&pg->waiting[class]);

	TAILQ_FOREACH_SAFE (part, &pg->parts[class], link, next) {
		expire_list(pg, &part->calls, now);
		if (TAILQ_EMPTY(&part->calls)) {
			TAILQ_REMOVE(&pg->parts[class], part, link);
			free(part);
		}
	}
	return some || !TAILQ_EMPTY(&pg->parts[class]);
}

static void
expire(struct loop_timer *t)
{
	struct pg *pg = container_of(t, struct pg, expiry);
	int64_t now = clock_mono_us();
	bool some = expire_class(pg, PG_READ, now);

	some = expire_class(pg, PG_WRITE, now) || some;
	if (some)
		timer_arm_ms(&pg->expiry, EXPIRY_MS);
}

/* ---- dispatch ---- */
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
