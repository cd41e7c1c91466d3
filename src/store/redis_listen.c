/*
 * Messages of a channel, on a connection of its own. A subscribed connection
 * cannot be asked whether it lives, so it shares the fate of the one it was
 * made from: when that is dropped, so is this one. Messages may get lost;
 * whoever listens also looks by the clock.
 */
#include <stdlib.h>

#include "redis_private.h"

struct redis_listener {
	TAILQ_ENTRY(redis_listener) link;
	struct redis *owner;
	struct redis *conn;
	char *channel;
	void (*fn)(void *, struct span);
	void *arg;
};

static void
on_message(redisAsyncContext *ac, void *reply, void *arg)
{
	struct redis_listener *l = arg;
	const redisReply *r = reply;

	(void)ac;
	if (r == NULL || r->type != REDIS_REPLY_ARRAY || r->elements != 3)
		return;
	if (r->element[2]->type == REDIS_REPLY_STRING)
		l->fn(l->arg,
		    (struct span){
			r->element[2]->str, (size_t)r->element[2]->len });
}

static void
subscribe(struct redis *conn, void *arg)
{
	struct redis_listener *l = arg;

	redisAsyncCommand(conn->ac, on_message, l, "SUBSCRIBE %s", l->channel);
}

struct redis_listener *
redis_listen(struct redis *r, const char *channel,
    void (*fn)(void *arg, struct span message), void *arg)
{
	struct redis_listener *l = xcalloc(1, sizeof(*l));

	l->owner = r;
	l->channel = xstrdup(channel);
	l->fn = fn;
	l->arg = arg;
	l->conn = redis_alloc(r->loop, r->threads, &r->addr, "listener",
	    r->timeout_ms, r->max_pending);
	l->conn->on_up = subscribe;
	l->conn->on_up_arg = l;
	TAILQ_INSERT_TAIL(&r->listeners, l, link);
	rconn_start(l->conn);
	return l;
}

void
listeners_drop(struct redis *r)
{
	struct redis_listener *l;

	TAILQ_FOREACH (l, &r->listeners, link)
		if (l->conn->state == REDIS_UP)
			rconn_drop(l->conn, "the other connection was lost");
}

void
redis_unlisten(struct redis_listener *l)
{
	if (l == NULL)
		return;
	TAILQ_REMOVE(&l->owner->listeners, l, link);
	redis_close(l->conn);
	free(l->channel);
	free(l);
}
