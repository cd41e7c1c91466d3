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

static void expire(struct loop_timer *);

static void
put_waiting(struct metric_out *out, void *arg)
{
	const struct pg *pg = arg;

	metric_put(out, (int64_t)pg->nwaiting[PG_WRITE], "write", NULL);
	metric_put(out, (int64_t)pg->nwaiting[PG_READ], "read", NULL);
}

static void
put_connections(struct metric_out *out, void *arg)
{
	metric_put(out, ((const struct pg *)arg)->up, NULL, NULL);
}

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
	pg_dispatch_init(pg);
	metric_collect(ROW_PG_WAITING, put_waiting, pg);
	metric_collect(ROW_PG_CONNECTIONS, put_connections, pg);
	timer_init(&pg->expiry, l, expire);
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
	metric_forget(pg);
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
	pg_dispatch_fini(pg);
	timer_fini(&pg->expiry);
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
	if (err != OK)
		metric_count(METRIC_PG_FAILED + err, 1);
	snprintf(c->sqlstate, sizeof(c->sqlstate), "%s", sqlstate);
	snprintf(c->message, sizeof(c->message), "%s", message);
	call_drop_params(c);
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
	if (all_waiting(pg) >= PG_MAX_WAITING || c->enc.overflow ||
	    pg->bytes + c->enc.len > PG_MAX_BYTES) {
		pg_finish(c, ERR_OVERLOADED, "", "too many calls wait");
		return flow_wait(f, &c->op);
	}
	c->deadline_us = clock_mono_us() + c->timeout_ms * US_PER_MS;
	c->counted = c->enc.len;
	pg->bytes += c->counted;
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
