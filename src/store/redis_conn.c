/*
 * One connection: DOWN -> CONNECTING -> UP, and DOWN again. The adapter to the
 * loop is our own: what was queued in one turn is written at the end of that
 * turn without waiting for the socket to report that it is writable.
 *
 * hiredis frees its context by itself after a failed connect and after the
 * disconnect callback, and at once if we free it inside the connect callback;
 * so callbacks only note what happened.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/crypt.h"
#include "base/log.h"
#include "base/metric.h"
#include "redis_private.h"

#define CONNECT_TIMEOUT_MS 3000
#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 2000
/* An idle connection is asked whether it lives. */
#define PING_MS 5000

struct connect {
	struct flow flow;
	struct redis *redis;
	const char *addr; /* numeric */
	struct op ready;
};

static void on_event(struct loop_watch *, int what);
static void on_flush(struct loop_task *);
static void on_timer(struct loop_timer *);

static flow_step resolve_host, start_connect, await_connect, log_in,
    check_login;
static void connect_end(struct flow *, enum err);

static const struct step connect_steps[] = {
	STEP(resolve_host),
	STEP(start_connect),
	STEP(await_connect),
	STEP(log_in),
	STEP(check_login),
	STEP_LAST,
};

static const struct flow_def connect_flow = {
	.name = "redis-connect",
	.size = sizeof(struct connect),
	.steps = connect_steps,
	.end = connect_end,
};

void
rconn_init(struct redis *r)
{
	watch_init(&r->watch, r->loop, on_event);
	timer_init(&r->timer, r->loop, on_timer);
	r->flush.fn = on_flush;
}

static void
back_off(struct redis *r)
{
	int64_t most = BACKOFF_MIN_MS;
	unsigned i;

	if (r->closing)
		return;
	for (i = 0; i < r->failures && most < BACKOFF_MAX_MS; i++)
		most *= 2;
	r->failures++;
	timer_arm_ms(
	    &r->timer, 1 + (int64_t)(crypt_random_u64() % (uint64_t)most));
}

/* hiredis has given up the context, or never had one. */
static void
gone_down(struct redis *r)
{
	bool was_up = r->state == REDIS_UP;

	r->ac = NULL;
	r->state = REDIS_DOWN;
	r->up_since_us = 0;
	watch_set(&r->watch, -1, 0);
	loop_task_cancel(r->loop, &r->flush);
	timer_disarm(&r->timer);
	if (r->connecting != NULL && !r->connecting->running)
		flow_abort(r->connecting, ERR_UNAVAILABLE);
	else if (r->connecting == NULL)
		back_off(r);
	listeners_drop(r);
	if (r->closing || r->told_down)
		return;
	r->told_down = true;
	log_warn("redis",
	    was_up ? "connection lost, trying again"
		   : "cannot connect, trying again",
	    KV_STR("server", r->name), KV_STR("err", r->last_error));
}

void
rconn_drop(struct redis *r, const char *why)
{
	redisAsyncContext *ac = r->ac;

	redis_note_error(r, why);
	if (ac != NULL)
		redisAsyncFree(ac); /* calls back: replies, disconnect */
	if (r->ac == ac)
		gone_down(r);
}

void
rconn_fini(struct redis *r)
{
	if (r->connecting != NULL) {
		((struct connect *)r->connecting)->redis = NULL;
		flow_abort(r->connecting, ERR_SHUTDOWN);
		r->connecting = NULL;
	}
	rconn_drop(r, "shutting down");
	watch_fini(&r->watch);
	timer_fini(&r->timer);
	loop_task_cancel(r->loop, &r->flush);
}

/* ---- the adapter ---- */
static void
add_read(void *arg)
{
	struct redis *r = arg;

	watch_set(&r->watch, r->ac->c.fd, r->watch.what | WATCH_READ);
}

static void
del_read(void *arg)
{
	struct redis *r = arg;

	watch_set(&r->watch, r->watch.fd, r->watch.what & ~WATCH_READ);
}

static void
add_write(void *arg)
{
	struct redis *r = arg;
	bool connected = (r->ac->c.flags & REDIS_CONNECTED) != 0;

	if (connected && !r->flushing)
		loop_late(r->loop, &r->flush);
	else
		watch_set(&r->watch, r->ac->c.fd, r->watch.what | WATCH_WRITE);
}

static void
del_write(void *arg)
{
	struct redis *r = arg;

	watch_set(&r->watch, r->watch.fd, r->watch.what & ~WATCH_WRITE);
}

static void
cleanup(void *arg)
{
	struct redis *r = arg;

	watch_fini(&r->watch);
}

static void
on_flush(struct loop_task *t)
{
	struct redis *r = container_of(t, struct redis, flush);

	if (r->ac == NULL)
		return;
	r->flushing = true;
	redisAsyncHandleWrite(r->ac);
	r->flushing = false;
}

static void
on_event(struct loop_watch *w, int what)
{
	struct redis *r = container_of(w, struct redis, watch);

	if ((what & WATCH_READ) && r->ac != NULL)
		redisAsyncHandleRead(r->ac);
	if ((what & WATCH_WRITE) && r->ac != NULL && w->ev != NULL) {
		r->flushing = true;
		redisAsyncHandleWrite(r->ac);
		r->flushing = false;
	}
}

/* ---- connecting ---- */
void
rconn_start(struct redis *r)
{
	struct flow *f = flow_new(r->loop, &connect_flow);

	((struct connect *)f)->redis = r;
	r->connecting = f;
	r->state = REDIS_CONNECTING;
	flow_deadline_ms(f, CONNECT_TIMEOUT_MS);
	flow_go(f);
}

static enum flow_next
resolve_host(struct flow *f)
{
	struct connect *k = (struct connect *)f;
	struct redis *r = k->redis;

	if (r->addr.host == NULL)
		return FLOW_NEXT;
	redis_note_error(r, "cannot look up the host name");
	return dns_lookup(r->threads, r->addr.host, &k->addr, f);
}

static void
on_connect(const redisAsyncContext *ac, int status)
{
	struct redis *r = ac->data;
	struct connect *k;

	if (r == NULL)
		return;
	if (status != REDIS_OK) {
		redis_note_error(r, ac->errstr);
		r->ac = NULL; /* hiredis frees it */
		gone_down(r);
		return;
	}
	k = (struct connect *)r->connecting;
	op_done(&k->ready, OK);
}

static void
on_disconnect(const redisAsyncContext *ac, int status)
{
	struct redis *r = ac->data;

	if (status != REDIS_OK)
		redis_note_error(r, ac->errstr);
	gone_down(r);
}

static enum flow_next
start_connect(struct flow *f)
{
	struct connect *k = (struct connect *)f;
	struct redis *r = k->redis;
	redisAsyncContext *ac;

	redis_note_error(r, "no answer while connecting");
	ac = k->addr != NULL ? redisAsyncConnect(k->addr, r->addr.port)
			     : redisAsyncConnectUnix(r->addr.path);
	if (ac == NULL || ac->err != 0) {
		redis_note_error(r, ac == NULL ? "no memory" : ac->errstr);
		if (ac != NULL)
			redisAsyncFree(ac);
		return flow_check(f, ERR_UNAVAILABLE);
	}
	r->ac = ac;
	ac->data = r;
	ac->ev.data = r;
	ac->ev.addRead = add_read;
	ac->ev.delRead = del_read;
	ac->ev.addWrite = add_write;
	ac->ev.delWrite = del_write;
	ac->ev.cleanup = cleanup;
	return FLOW_NEXT;
}

static enum flow_next
await_connect(struct flow *f)
{
	struct connect *k = (struct connect *)f;

	op_init(&k->ready, NULL);
	redisAsyncSetDisconnectCallback(k->redis->ac, on_disconnect);
	/* This one also starts to watch the socket. */
	redisAsyncSetConnectCallback(k->redis->ac, on_connect);
	return flow_wait(f, &k->ready);
}

/* Not a redis_call: those are refused until we are up. */
static void
on_login_reply(redisAsyncContext *ac, void *reply, void *last)
{
	struct redis *r = ac->data;
	struct connect *k = (struct connect *)r->connecting;
	const redisReply *rep = reply;

	if (k == NULL || k->ready.done)
		return;
	if (rep == NULL || rep->type == REDIS_REPLY_ERROR) {
		if (rep != NULL)
			redis_note_error(r, rep->str);
		op_done(&k->ready, ERR_UNAVAILABLE);
	} else if (last != NULL) {
		op_done(&k->ready, OK);
	}
}

static enum flow_next
log_in(struct flow *f)
{
	struct connect *k = (struct connect *)f;
	struct redis *r = k->redis;
	const struct redis_addr *a = &r->addr;

	op_init(&k->ready, NULL);
	redisEnableKeepAlive(&r->ac->c);
	redis_note_error(r, "no answer while logging in");
	if (a->user != NULL)
		redisAsyncCommand(r->ac, on_login_reply, NULL, "AUTH %s %s",
		    a->user, a->password);
	else if (a->password != NULL)
		redisAsyncCommand(
		    r->ac, on_login_reply, NULL, "AUTH %s", a->password);
	/* Also tells a server that is still loading its data. */
	redisAsyncCommand(r->ac, on_login_reply, NULL, "SELECT %d", a->db);
	redisAsyncCommand(r->ac, on_login_reply, r, "PING");
	return flow_wait(f, &k->ready);
}

static enum flow_next
check_login(struct flow *f)
{
	struct connect *k = (struct connect *)f;

	return flow_check(f, k->redis->ac == NULL ? ERR_UNAVAILABLE : OK);
}

static void
connect_end(struct flow *f, enum err err)
{
	struct redis *r = ((struct connect *)f)->redis;

	if (r == NULL)
		return; /* closed meanwhile */
	r->connecting = NULL;
	if (err != OK) {
		rconn_drop(r, r->last_error);
		return;
	}
	r->state = REDIS_UP;
	r->failures = 0;
	r->generation++;
	if (r->server >= 0)
		metric_count(METRIC_REDIS_CONNECTS + (unsigned)r->server, 1);
	r->up_since_us = clock_mono_us();
	if (r->told_down || r->generation == 1)
		log_info("redis", "connected", KV_STR("server", r->name));
	r->told_down = false;
	redis_watch_deadlines(r);
	if (r->on_up != NULL)
		r->on_up(r, r->on_up_arg);
}

/* ---- deadlines ---- */
void
redis_watch_deadlines(struct redis *r)
{
	int64_t now = clock_mono_us(), first = now + PING_MS * US_PER_MS;
	const struct redis_call *c;

	/* Calls are answered in order: the first one tells how the server is,
	 * but later ones may have shorter patience. */
	TAILQ_FOREACH (c, &r->calls, link) {
		if (c->deadline_us < first)
			first = c->deadline_us;
		if (c->timeout_ms <= r->timeout_ms)
			break;
	}
	if (!r->timer.armed || r->timer_due_us > first) {
		r->timer_due_us = first;
		timer_arm_us(&r->timer, first - now);
	}
}

static bool
overdue(const struct redis *r)
{
	int64_t now = clock_mono_us();
	const struct redis_call *c;

	TAILQ_FOREACH (c, &r->calls, link)
		if (c->deadline_us <= now)
			return true;
	return false;
}

static void
on_timer(struct loop_timer *t)
{
	struct redis *r = container_of(t, struct redis, timer);
	struct redis_call *ping;

	if (r->state == REDIS_DOWN) {
		rconn_start(r);
		return;
	}
	if (r->state != REDIS_UP)
		return;
	if (overdue(r)) {
		rconn_drop(r, "no answer before the deadline");
		return;
	}
	if (TAILQ_EMPTY(&r->calls) && r->on_up == NULL) {
		ping = redis_call_new(r);
		redis_cmd(ping, "PING", NULL);
		redis_send(ping);
	}
	redis_watch_deadlines(r);
}
