/*
 * The Redis client: calls in flight, their deadlines, their errors. hiredis
 * 0.14 knows no time-outs, so ours is kept here: a call that is not answered
 * in time means that the server (or the way to it) hangs, and the connection
 * is dropped with everything on it.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "redis_private.h"

struct redis *
redis_alloc(struct loop *l, struct thread_pool *threads,
    const struct redis_addr *addr, const char *name, int64_t timeout_ms,
    size_t max_pending)
{
	struct redis *r = xcalloc(1, sizeof(*r));

	r->loop = l;
	r->threads = threads;
	r->name = xstrdup(name);
	r->server = -1;
	r->timeout_ms = timeout_ms;
	r->max_pending = max_pending;
	addr_copy(&r->addr, addr);
	TAILQ_INIT(&r->calls);
	TAILQ_INIT(&r->listeners);
	snprintf(r->last_error, sizeof(r->last_error), "not connected yet");
	rconn_init(r);
	return r;
}

struct redis *
redis_open(struct loop *l, struct thread_pool *threads,
    const struct redis_conf *conf, char *err, size_t err_size)
{
	struct redis_addr addr;
	struct redis *r;

	if (!addr_parse(&addr, conf->url, err, err_size))
		return NULL;
	r = redis_alloc(l, threads, &addr, conf->name, conf->timeout_ms,
	    conf->max_pending_bytes);
	addr_free(&addr);
	if (strcmp(conf->name, "low") == 0 || strcmp(conf->name, "high") == 0)
		r->server = conf->name[0] == 'h';
	rconn_start(r);
	return r;
}

void
redis_close(struct redis *r)
{
	if (r == NULL)
		return;
	assert(TAILQ_EMPTY(&r->listeners));
	r->closing = true;
	rconn_fini(r);
	assert(TAILQ_EMPTY(&r->calls));
	addr_free(&r->addr);
	free(r->name);
	free(r);
}

bool
redis_is_up(const struct redis *r)
{
	return r->state == REDIS_UP;
}

int64_t
redis_up_since_us(const struct redis *r)
{
	return r->state == REDIS_UP ? r->up_since_us : 0;
}

uint64_t
redis_generation(const struct redis *r)
{
	return r->generation;
}

const char *
redis_last_error(const struct redis *r)
{
	return r->last_error;
}

int64_t
redis_last_call_us(const struct redis *r)
{
	return r->last_call_us;
}

void
redis_note_error(struct redis *r, const char *text)
{
	if (text != r->last_error)
		snprintf(r->last_error, sizeof(r->last_error), "%s", text);
}

/* ---- errors ---- */
enum err
reply_error(const char *text)
{
	static const struct {
		const char *prefix;
		enum err err;
	} known[] = {
		{ "LOADING", ERR_UNAVAILABLE },
		{ "READONLY", ERR_UNAVAILABLE },
		{ "MISCONF", ERR_UNAVAILABLE },
		{ "NOAUTH", ERR_UNAVAILABLE },
		{ "WRONGPASS", ERR_UNAVAILABLE },
		{ "MASTERDOWN", ERR_UNAVAILABLE },
		{ "CLUSTERDOWN", ERR_UNAVAILABLE },
		{ "BUSY", ERR_UNAVAILABLE },
		{ "NOREPLICAS", ERR_UNAVAILABLE },
		{ "UNBLOCKED", ERR_UNAVAILABLE },
		{ "OOM", ERR_OVERLOADED },
	};
	size_t i;

	for (i = 0; i < NELEM(known); i++)
		if (strncmp(text, known[i].prefix, strlen(known[i].prefix)) ==
		    0)
			return known[i].err;
	return ERR_INTERNAL;
}

static enum err
first_error(const struct redis_call *c)
{
	size_t i;

	for (i = 0; i < c->nreplies; i++)
		if (c->replies[i].type == REPLY_ERROR)
			return reply_error(c->replies[i].str.p);
	return OK;
}

/* ---- the end of a call ---- */
static void
count(const struct redis *r, enum err err)
{
	unsigned server = (unsigned)r->server;

	if (err != OK) {
		metric_count(METRIC_REDIS_FAILED + server, 1);
		return;
	}
	metric_count(METRIC_REDIS_CALLS + server, 1);
	metric_observe(REDIS_SECONDS, server, r->last_call_us);
}

void
rcall_finish(struct redis_call *c, enum err err)
{
	struct redis *r = c->redis;

	if (c->state == RCALL_SENT) {
		TAILQ_REMOVE(&r->calls, c, link);
		r->pending_bytes -= c->enc.len;
	}
	c->state = RCALL_DONE;
	c->err = err;
	if (err == OK)
		r->last_call_us = clock_mono_us() - c->sent_us;
	if (r->server >= 0)
		count(r, err);
	if (c->abandoned)
		rcall_free(c);
	else
		op_done(&c->op, c->tolerant ? OK : err);
}

static bool
lacks_script(const struct redis_call *c, const redisReply *reply)
{
	return c->script != NULL && reply->type == REDIS_REPLY_ERROR &&
	    strncmp(reply->str, "NOSCRIPT", 8) == 0;
}

void
redis_on_reply(redisAsyncContext *ac, void *reply, void *arg)
{
	struct redis_call *c = arg;
	struct redis *r = c->redis;

	(void)ac;
	if (reply == NULL) { /* the connection is gone, with all its calls */
		if (++c->nreplies == c->ncmds)
			rcall_finish(c, ERR_UNAVAILABLE);
		return;
	}
	if (lacks_script(c, reply)) {
		r->pending_bytes -= c->enc.len;
		rcall_spell_out(c);
		r->pending_bytes += c->enc.len;
		if (!redis_submit(c))
			rcall_finish(c, ERR_UNAVAILABLE);
		return;
	}
	reply_copy(&c->arena, reply, &c->replies[c->nreplies]);
	if (++c->nreplies < c->ncmds)
		return;
	c->err = first_error(c);
	if (c->err == ERR_INTERNAL)
		log_error("redis", "command refused", KV_STR("server", r->name),
		    KV_STR("err", ((redisReply *)reply)->str));
	rcall_finish(c, c->err);
}

/* ---- sending ---- */
bool
redis_submit(struct redis_call *c)
{
	const char *p = c->enc.data;
	uint32_t end, begin = 0;
	size_t i;

	for (i = 0; i < c->ncmds; i++) {
		memcpy(&end, c->ends.data + i * sizeof(end), sizeof(end));
		/* A disconnecting context refuses and never calls back; that
		 * can only be the first command, as nothing runs between. */
		if (redisAsyncFormattedCommand(c->redis->ac, redis_on_reply, c,
			p + begin, end - begin) != REDIS_OK) {
			assert(i == 0);
			return false;
		}
		begin = end;
	}
	return true;
}

static enum err
start(struct redis_call *c)
{
	struct redis *r = c->redis;

	assert(c->state == RCALL_NEW && c->ncmds > 0);
	if (r->state != REDIS_UP || r->closing)
		return ERR_UNAVAILABLE;
	if (c->enc.overflow || r->pending_bytes + c->enc.len > r->max_pending)
		return ERR_OVERLOADED;
	c->replies = arena_zalloc(&c->arena, c->ncmds * sizeof(*c->replies));
	if (!redis_submit(c))
		return ERR_UNAVAILABLE;
	c->state = RCALL_SENT;
	c->sent_us = clock_mono_us();
	c->deadline_us = c->sent_us + c->timeout_ms * US_PER_MS;
	TAILQ_INSERT_TAIL(&r->calls, c, link);
	r->pending_bytes += c->enc.len;
	redis_watch_deadlines(r);
	return OK;
}

/* The flow's arena dies: at once, or when the answer comes. */
static void
release(void *arg)
{
	struct redis_call *c = arg;

	if (c->state == RCALL_SENT)
		c->abandoned = true;
	else
		rcall_free(c);
}

static enum flow_next
run(struct redis_call *c, struct flow *f, bool tolerant)
{
	enum err err;

	op_init(&c->op, NULL);
	arena_defer(&f->arena, release, c);
	c->tolerant = tolerant;
	err = start(c);
	if (err != OK)
		rcall_finish(c, err);
	return flow_wait(f, &c->op);
}

enum flow_next
redis_run(struct redis_call *c, struct flow *f)
{
	return run(c, f, false);
}

enum flow_next
redis_try(struct redis_call *c, struct flow *f)
{
	return run(c, f, true);
}

void
redis_send(struct redis_call *c)
{
	enum err err;

	c->abandoned = true;
	err = start(c);
	if (err != OK)
		rcall_finish(c, err);
}
