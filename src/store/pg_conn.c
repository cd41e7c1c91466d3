/*
 * One connection: DOWN -> CONNECTING -> IDLE <-> BUSY, and DOWN again whenever
 * something is odd. A lost connection is never repaired (PQreset forgets its
 * modes): a new one is made, after a backoff with full jitter.
 *
 * libpq may replace the socket behind the same descriptor number while it
 * connects, and libevent does not notice; so the watch is made anew around
 * each PQconnectPoll.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypt.h"
#include "pg_private.h"

#define CONNECT_TIMEOUT_MS 5000
#define BACKOFF_MIN_MS 50
#define BACKOFF_MAX_MS 5000
/* Beyond the first deadline of its calls a segment is not waited for. */
#define SEGMENT_MARGIN_US (50 * US_PER_MS)

struct connect {
	struct flow flow;
	struct pg_conn *conn;
	const char *addr; /* numeric, or NULL for a Unix socket */
	struct op ready;
};

static void on_event(struct loop_watch *, int what);
static void on_timer(struct loop_timer *);
static void poll_connect(struct pg_conn *);

static flow_step resolve_host, start_login, await_login;
static void connect_end(struct flow *, enum err);

static const struct step connect_steps[] = {
	STEP(resolve_host),
	STEP(start_login),
	STEP(await_login),
	STEP_LAST,
};

static const struct flow_def connect_flow = {
	.name = "pg-connect",
	.size = sizeof(struct connect),
	.steps = connect_steps,
	.end = connect_end,
};

void
conn_init(struct pg_conn *c, struct pg *pg, int number)
{
	int i;

	*c = (struct pg_conn){ .pg = pg, .number = number };
	watch_init(&c->watch, pg->loop, on_event);
	timer_init(&c->timer, pg->loop, on_timer);
	for (i = 0; i < PG_MAX_COLS; i++)
		buf_init(&c->cols[i], SIZE_MAX);
}

void
conn_fini(struct pg_conn *c)
{
	int i;

	if (c->state == CONN_BUSY)
		segment_lost(&c->segment, c->pg);
	c->state = CONN_DOWN;
	if (c->connecting != NULL)
		flow_abort(c->connecting, ERR_SHUTDOWN);
	/* The flow ends a turn later; it must not touch us any more. */
	if (c->connecting != NULL)
		((struct connect *)c->connecting)->conn = NULL;
	watch_fini(&c->watch);
	timer_fini(&c->timer);
	PQfinish(c->pgc);
	c->pgc = NULL;
	for (i = 0; i < PG_MAX_COLS; i++)
		buf_fini(&c->cols[i]);
}

static void
close_socket(struct pg_conn *c)
{
	watch_fini(&c->watch);
	timer_disarm(&c->timer);
	PQfinish(c->pgc);
	c->pgc = NULL;
}

static void
back_off(struct pg_conn *c)
{
	int64_t most = BACKOFF_MIN_MS;
	unsigned i;

	for (i = 0; i < c->failures && most < BACKOFF_MAX_MS; i++)
		most *= 2;
	c->failures++;
	timer_arm_ms(
	    &c->timer, 1 + (int64_t)(crypt_random_u64() % (uint64_t)most));
}

/* The connection is gone or useless; its segment's outcome is unknown. */
static void
conn_lost(struct pg_conn *c, const char *why)
{
	bool busy = c->state == CONN_BUSY;

	metric_count(METRIC_PG_LOST, 1);
	pg_note_error(c->pg, why);
	close_socket(c);
	c->state = CONN_DOWN;
	pg_conn_changed(c->pg);
	back_off(c);
	if (busy) {
		pg_segment_ended(c->pg, &c->segment);
		segment_lost(&c->segment, c->pg);
	}
}

/* ---- connecting ---- */
void
conn_start(struct pg_conn *c)
{
	struct flow *f = flow_new(c->pg->loop, &connect_flow);

	((struct connect *)f)->conn = c;
	c->connecting = f;
	c->state = CONN_CONNECTING;
	flow_deadline_ms(f, CONNECT_TIMEOUT_MS);
	flow_go(f);
}

static enum flow_next
resolve_host(struct flow *f)
{
	struct connect *k = (struct connect *)f;
	struct pg *pg = k->conn->pg;

	if (pg->host[0] == '\0' || pg->host[0] == '/')
		return FLOW_NEXT;
	return dns_lookup(pg->threads, pg->host, &k->addr, f);
}

static enum flow_next
start_login(struct flow *f)
{
	struct connect *k = (struct connect *)f;
	struct pg_conn *c = k->conn;
	const char *keys[64], *values[64];
	PQconninfoOption *o;
	size_t n = 0;

	for (o = c->pg->options; o->keyword != NULL && n < 60; o++) {
		if (o->val == NULL || o->val[0] == '\0')
			continue;
		keys[n] = o->keyword;
		values[n++] = o->val;
	}
	if (k->addr != NULL) {
		keys[n] = "hostaddr";
		values[n++] = k->addr;
	}
	keys[n] = "application_name";
	values[n++] = c->pg->application_name;
	keys[n] = "client_encoding";
	values[n++] = "UTF8";
	keys[n] = values[n] = NULL;
	c->pgc = PQconnectStartParams(keys, values, 0);
	if (c->pgc == NULL)
		return flow_check(f, ERR_NO_MEMORY);
	if (PQstatus(c->pgc) == CONNECTION_BAD)
		return flow_check(f, ERR_UNAVAILABLE);
	return FLOW_NEXT;
}

static enum flow_next
await_login(struct flow *f)
{
	struct connect *k = (struct connect *)f;

	op_init(&k->ready, NULL);
	/* As if PQconnectPoll had said PGRES_POLLING_WRITING (libpq manual). */
	watch_renew(&k->conn->watch, PQsocket(k->conn->pgc), WATCH_WRITE);
	return flow_wait(f, &k->ready);
}

static void
poll_connect(struct pg_conn *c)
{
	struct connect *k = (struct connect *)c->connecting;

	watch_fini(&c->watch);
	switch (PQconnectPoll(c->pgc)) {
	case PGRES_POLLING_READING:
		watch_renew(&c->watch, PQsocket(c->pgc), WATCH_READ);
		break;
	case PGRES_POLLING_WRITING:
		watch_renew(&c->watch, PQsocket(c->pgc), WATCH_WRITE);
		break;
	case PGRES_POLLING_OK:
		op_done(&k->ready, OK);
		break;
	default:
		op_done(&k->ready, ERR_UNAVAILABLE);
	}
}

static void
drop_notice(void *arg, const PGresult *r)
{
	(void)arg;
	(void)r;
}

static void
connect_end(struct flow *f, enum err err)
{
	struct pg_conn *c = ((struct connect *)f)->conn;
	const char *why;

	if (c == NULL)
		return; /* closed meanwhile */
	c->connecting = NULL;
	if (err == OK && PQsetnonblocking(c->pgc, 1) == 0 &&
	    PQenterPipelineMode(c->pgc) == 1) {
		PQsetNoticeReceiver(c->pgc, drop_notice, NULL);
		c->state = CONN_IDLE;
		metric_count(METRIC_PG_CONNECTS, 1);
		watch_renew(&c->watch, PQsocket(c->pgc), WATCH_READ);
		pg_conn_changed(c->pg);
		pg_dispatch_soon(c->pg);
		return;
	}
	why = c->pgc != NULL ? PQerrorMessage(c->pgc) : "";
	conn_lost(c,
	    err == ERR_TIMEOUT   ? "no answer while logging in"
		: why[0] != '\0' ? why
				 : "cannot look up the host name");
}

/* ---- a segment ---- */
static void
watch_for_answers(struct pg_conn *c)
{
	int rc = PQflush(c->pgc);

	if (rc < 0) {
		conn_lost(c, PQerrorMessage(c->pgc));
		return;
	}
	/* Both directions must move, or large segments deadlock. */
	watch_set(&c->watch, PQsocket(c->pgc),
	    rc == 1 ? WATCH_READ | WATCH_WRITE : WATCH_READ);
}

void
conn_send(struct pg_conn *c)
{
	assert(c->state == CONN_IDLE && !segment_empty(&c->segment));
	c->state = CONN_BUSY;
	if (!segment_send(&c->segment, c->pgc, c->cols)) {
		conn_lost(c, PQerrorMessage(c->pgc));
		return;
	}
	/* Its other calls, if they have more patience, are sent again. */
	timer_arm_us(&c->timer,
	    c->segment.deadline_us - clock_mono_us() + SEGMENT_MARGIN_US);
	watch_for_answers(c);
}

static void
segment_over(struct pg_conn *c)
{
	struct pg *pg = c->pg;

	timer_disarm(&c->timer);
	pg->last_segment_us = clock_mono_us() - c->segment.sent_us;
	metric_observe(
	    PG_SEGMENT_SECONDS, c->segment.class, pg->last_segment_us);
	pg_segment_ended(pg, &c->segment);
	c->state = CONN_IDLE;
	if (!segment_done(&c->segment, pg)) {
		conn_lost(c, pg->last_error);
		return;
	}
	/* A login proves nothing: PgBouncer accepts it without a server. */
	c->failures = 0;
	pg_dispatch_soon(pg);
}

/* The result protocol of pipeline mode: results of a statement, then NULL;
 * after the last statement PGRES_PIPELINE_SYNC, without a NULL. */
static void
read_results(struct pg_conn *c)
{
	PGresult *r;

	while (c->state == CONN_BUSY && !PQisBusy(c->pgc)) {
		r = PQgetResult(c->pgc);
		if (r == NULL) {
			if (++c->segment.answered > c->segment.ngroups)
				conn_lost(c, "an answer too many");
		} else if (PQresultStatus(r) == PGRES_PIPELINE_SYNC) {
			PQclear(r);
			segment_over(c);
		} else if (c->segment.answered >= c->segment.ngroups ||
		    PQstatus(c->pgc) == CONNECTION_BAD) {
			PQclear(r);
			conn_lost(c, PQerrorMessage(c->pgc));
		} else {
			segment_result(&c->segment, r);
		}
	}
}

static void
on_event(struct loop_watch *w, int what)
{
	struct pg_conn *c = container_of(w, struct pg_conn, watch);

	if (c->state == CONN_CONNECTING) {
		poll_connect(c);
		return;
	}
	if ((what & WATCH_READ) && !PQconsumeInput(c->pgc)) {
		conn_lost(c, PQerrorMessage(c->pgc));
		return;
	}
	if (c->state == CONN_BUSY)
		read_results(c);
	if (c->state == CONN_BUSY) {
		if (PQstatus(c->pgc) == CONNECTION_BAD)
			conn_lost(c, PQerrorMessage(c->pgc));
		else
			watch_for_answers(c);
	}
}

/* DOWN: the backoff is over. BUSY: the segment's deadline has passed. */
static void
on_timer(struct loop_timer *t)
{
	struct pg_conn *c = container_of(t, struct pg_conn, timer);

	if (c->state == CONN_BUSY)
		conn_lost(c, "no answer before the deadline");
	else if (c->state == CONN_DOWN)
		conn_start(c);
}
