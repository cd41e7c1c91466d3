/*
 * Connections. evhttp keeps them to itself: it has no list, no cap, no total
 * deadline for reading a request, and it answers some errors in HTML. So each
 * connection has a record here, fed by callbacks on its two buffers:
 *
 *	NEW --bytes--> READING --request--> SERVING --answered--> IDLE
 *	                  ^                     |                   |
 *	                  +----next one is here-+ <------bytes------+
 *
 * and is taken down through evhttp's own time-out path, never behind its back.
 */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/log.h"
#include "http_conn.h"

/* Over body and header: pipelined requests are read ahead this far. */
#define READ_AHEAD 65536
#define FD_TABLE_FIRST 64
#define ACCEPT_MAX 16 /* a turn */
/* So long a connection has been without a request before its place is given to
 * another; who has just been answered is about to send the next one. */
#define IDLE_MIN_MS 1000

static void conn_input(
    struct evbuffer *, const struct evbuffer_cb_info *, void *);
static void conn_output(
    struct evbuffer *, const struct evbuffer_cb_info *, void *);
static void conn_closed(struct evhttp_connection *, void *);
static void do_chores(int fd, short what, void *);
static void reading_too_long(struct loop_timer *);

void
conns_open(struct http_listener *l)
{
	struct loop *loop = l->http->loop;
	struct conns *cs = &l->conns;

	for (int i = 0; i < CONN_STATES; i++)
		TAILQ_INIT(&cs->in[i]);
	TAILQ_INIT(&cs->chores);
	TAILQ_INIT(&cs->watched);
	timer_init(&cs->watch, loop, conns_watch);
	TAILQ_INIT(&cs->lingers);
	timer_init(&cs->deadline, loop, reading_too_long);
	cs->chores_ev = event_new(loop_base(loop), -1, 0, do_chores, l);
	if (cs->chores_ev == NULL)
		abort();
}

void
conns_close(struct http_listener *l)
{
	struct conns *cs = &l->conns;

	do_chores(-1, 0, l);
	assert(cs->n == 0);
	lingers_close(l);
	timer_fini(&cs->deadline);
	timer_fini(&cs->watch);
	event_free(cs->chores_ev);
	free(cs->by_fd);
}

/* ---- one connection's life ---- */

/* The only place that changes a state. */
static void
conn_move(struct conn *c, enum conn_state to)
{
	struct conns *cs = &c->from->conns;

	TAILQ_REMOVE(&cs->in[c->state], c, link);
	cs->n_in[c->state]--;
	c->state = to;
	TAILQ_INSERT_TAIL(&cs->in[to], c, link);
	cs->n_in[to]++;
	if (to == CONN_IDLE)
		c->idle_us = clock_mono_us();
	if (to != CONN_READING)
		return;
	c->since_us = clock_mono_us();
	/* Left armed when the request is whole: moving it for each one would
	 * cost more than one look too many. */
	if (!cs->deadline.armed)
		timer_arm_ms(
		    &cs->deadline, c->from->http->conf.request_timeout_ms);
}

/* Chores are done before the loop looks at a socket again. */
static void
conn_needs(struct conn *c)
{
	struct conns *cs = &c->from->conns;

	if (c->has_chore)
		return;
	c->has_chore = true;
	TAILQ_INSERT_TAIL(&cs->chores, c, chore);
	event_active(cs->chores_ev, EV_TIMEOUT, 0);
}

struct bufferevent *
conn_accept(struct event_base *base, void *arg)
{
	struct http_listener *l = arg;
	const struct http_conf *conf = &l->http->conf;
	struct conns *cs = &l->conns;
	struct bufferevent *bev;
	struct conn *c;

	bev = l->tls ? tls_bufferevent(l->http, base)
		     : bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	if (bev == NULL)
		abort();
	/* evhttp takes a body out of this buffer when it is whole. */
	bufferevent_setwatermark(
	    bev, EV_READ, 0, conf->max_body + conf->max_header + READ_AHEAD);
	c = xcalloc(1, sizeof(*c));
	c->from = l;
	c->bev = bev;
	c->fd = -1;
	c->idle_us = clock_mono_us();
	TAILQ_INSERT_TAIL(&cs->in[CONN_NEW], c, link);
	cs->n_in[CONN_NEW]++;
	cs->n++;
	evbuffer_add_cb(bufferevent_get_input(bev), conn_input, c);
	evbuffer_add_cb(bufferevent_get_output(bev), conn_output, c);
	/* Ours until evhttp has taken it or has failed to: see conn_adopt. */
	bufferevent_incref(bev);
	conn_needs(c);
	/* The rest of a crowd waits for the next turn, as others do. */
	if (++l->accepted == ACCEPT_MAX && l->bound != NULL)
		evconnlistener_disable(
		    evhttp_bound_socket_get_listener(l->bound));
	return bev;
}

static void
conn_free(struct conn *c)
{
	struct conns *cs = &c->from->conns;

	evbuffer_remove_cb(bufferevent_get_input(c->bev), conn_input, c);
	evbuffer_remove_cb(bufferevent_get_output(c->bev), conn_output, c);
	TAILQ_REMOVE(&cs->in[c->state], c, link);
	cs->n_in[c->state]--;
	if (c->has_chore)
		TAILQ_REMOVE(&cs->chores, c, chore);
	if (c->give_up_us != 0)
		TAILQ_REMOVE(&cs->watched, c, watch);
	if (c->fd != -1)
		cs->by_fd[c->fd] = NULL;
	else
		bufferevent_decref(c->bev);
	cs->n--;
	free(c);
}

static void
conn_closed(struct evhttp_connection *evcon, void *arg)
{
	struct conn *c = arg;

	(void)evcon;
	if (c->from->tls)
		tls_goodbye(c->bev);
	if (c->lingers)
		linger_start(c->from, c->fd);
	if (c->stream != NULL)
		stream_gone(c->stream);
	conn_free(c);
}

/* evhttp closes it, and we hear of it in conn_closed. */
void
conn_drop(struct conn *c)
{
	bufferevent_trigger_event(
	    c->bev, BEV_EVENT_READING | BEV_EVENT_TIMEOUT, 0);
}

/* A last word, unless evhttp is having its own: as much as the socket takes. */
static void
conn_refuse(struct conn *c, const struct problem *p, const char *detail)
{
	struct http_req none = { .started_us = clock_mono_us() };
	struct buf text;
	struct id id;

	if (evbuffer_get_length(bufferevent_get_output(c->bev)) > 0) {
		conn_drop(c);
		return;
	}
	http_count_refusal(p);
	id_new(&id);
	id_format(&id, none.id);
	buf_init(&text, PROBLEM_MAX);
	problem_write_raw(&text, p, detail, none.id);
	if (c->from->tls)
		c->lingers = tls_say(c->bev, text.data, text.len);
	else
		c->lingers = send(c->fd, text.data, text.len,
				 MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
	buf_fini(&text);
	http_log_access(&none, p->status);
	conn_drop(c);
}

/* ---- what comes in ---- */
static void
conn_input(struct evbuffer *b, const struct evbuffer_cb_info *info, void *arg)
{
	struct conn *c = arg;

	(void)b;
	if (info->n_added > 0 &&
	    (c->state == CONN_NEW || c->state == CONN_IDLE))
		conn_move(c, CONN_READING);
}

/* The answer is written. What the client has sent meanwhile is the beginning
 * of its next request. */
static void
conn_answered(struct evhttp_request *ev, void *arg)
{
	struct conn *c = arg;

	(void)ev;
	if (c->give_up_us != 0)
		TAILQ_REMOVE(&c->from->conns.watched, c, watch);
	c->give_up_us = 0;
	conn_move(c,
	    evbuffer_get_length(bufferevent_get_input(c->bev)) > 0
		? CONN_READING
		: CONN_IDLE);
}

static struct conn *
conn_of(struct http_listener *l, struct evhttp_request *ev)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(ev);
	int fd;

	if (evcon == NULL)
		return NULL;
	fd = bufferevent_getfd(evhttp_connection_get_bufferevent(evcon));
	if (fd < 0 || (size_t)fd >= l->conns.by_fd_size)
		return NULL;
	return l->conns.by_fd[fd];
}

void
conn_serving(struct http_listener *l, struct evhttp_request *ev)
{
	struct conn *c = conn_of(l, ev);

	assert(c != NULL);
	conn_move(c, CONN_SERVING);
	/* Not called if the connection dies before: then nor is c there. */
	evhttp_request_set_on_complete_cb(ev, conn_answered, c);
}

void
conn_linger(struct http_listener *l, struct evhttp_request *ev)
{
	struct conn *c = conn_of(l, ev);

	if (c != NULL)
		c->lingers = true;
}

/* While evhttp has a connection for the request, its record is here. */
bool
conn_set_stream(struct evhttp_request *ev, struct http_stream *stream)
{
	struct conn *c;

	if (evhttp_request_get_connection(ev) == NULL)
		return false;
	c = ev->on_complete_cb_arg;
	c->stream = stream;
	/* A client that listens says nothing, for as long as it likes. */
	if (stream != NULL)
		bufferevent_set_timeouts(
		    c->bev, NULL, &c->from->http->write_timeout);
	return true;
}

static void
reading_too_long(struct loop_timer *t)
{
	struct http_listener *l =
	    container_of(t, struct http_listener, conns.deadline);
	int64_t limit = l->http->conf.request_timeout_ms * US_PER_MS;
	int64_t now = clock_mono_us();
	struct conn *c;

	while ((c = TAILQ_FIRST(&l->conns.in[CONN_READING])) != NULL) {
		if (now - c->since_us < limit) {
			timer_arm_us(t, c->since_us + limit - now);
			return;
		}
		conn_refuse(c, problem_of_status(408),
		    "The request did not come whole in time");
	}
}

/* Who connected a moment ago is about to send, and would be sorry. */
bool
conns_busy(const struct http_listener *l)
{
	const struct conns *cs = &l->conns;
	const struct conn *c = TAILQ_LAST(&cs->in[CONN_NEW], conn_list);

	if (cs->n_in[CONN_READING] > 0 || cs->n_in[CONN_SERVING] > 0)
		return true;
	return c != NULL &&
	    clock_mono_us() - c->idle_us < IDLE_MIN_MS * US_PER_MS;
}

/* ---- chores ---- */
static void
remember_fd(struct conns *cs, struct conn *c)
{
	size_t fd = (size_t)c->fd, size = cs->by_fd_size;

	if (size == 0)
		size = FD_TABLE_FIRST;
	while (size <= fd)
		size *= 2;
	if (size != cs->by_fd_size) {
		cs->by_fd = xrealloc(cs->by_fd, size * sizeof(c));
		memset(cs->by_fd + cs->by_fd_size, 0,
		    (size - cs->by_fd_size) * sizeof(c));
		cs->by_fd_size = size;
	}
	assert(cs->by_fd[fd] == NULL);
	cs->by_fd[fd] = c;
}

/* NULL: nobody has been idle for long enough. */
static struct conn *
longest_idle(const struct http_listener *from)
{
	struct conn *c = TAILQ_FIRST(&from->conns.in[CONN_IDLE]);
	int64_t least = from->http->conf.idle_timeout_ms / 2;

	if (least > IDLE_MIN_MS)
		least = IDLE_MIN_MS;
	if (c == NULL || clock_mono_us() - c->idle_us < least * US_PER_MS)
		return NULL;
	return c;
}

/*
 * evhttp makes its connection after it has asked us for the bufferevent, and
 * tells nobody: but it is the argument of the callbacks it has set there. None
 * are set when it has given up.
 */
static void
conn_adopt(struct conn *c)
{
	struct conns *cs = &c->from->conns;
	struct bufferevent *bev = c->bev;
	struct conn *idle;
	void *evcon = NULL;

	bufferevent_getcb(bev, NULL, NULL, NULL, &evcon);
	if (evcon == NULL) {
		conn_free(c);
		return;
	}
	assert(evhttp_connection_get_bufferevent(evcon) == bev);
	evhttp_connection_set_closecb(evcon, conn_closed, c);
	c->fd = bufferevent_getfd(bev);
	remember_fd(cs, c);
	bufferevent_decref(bev);
	/* The handshake counts as part of the first request: byte by byte, it
	 * would else go on for ever. */
	if (c->from->tls)
		conn_move(c, CONN_READING);
	if (cs->n <= c->from->max_connections)
		return;
	/* A client must expect to lose a connection that it does not use. */
	if ((idle = longest_idle(c->from)) != NULL)
		conn_drop(idle);
	else
		conn_refuse(c, problem_of_err(ERR_OVERLOADED),
		    "There are too many connections");
}

/* Bytes go out although no request was handed to us. */
static void
conn_output(struct evbuffer *b, const struct evbuffer_cb_info *info, void *arg)
{
	struct conn *c = arg;

	(void)b;
	if (info->n_added == 0 || c->state != CONN_READING || c->page)
		return;
	c->page = true;
	conn_needs(c);
}

static void
do_chores(int fd, short what, void *arg)
{
	struct http_listener *l = arg;
	struct conns *cs = &l->conns;
	struct conn *c;

	(void)fd;
	(void)what;
	if (l->accepted >= ACCEPT_MAX && l->bound != NULL && !l->pause.armed)
		evconnlistener_enable(
		    evhttp_bound_socket_get_listener(l->bound));
	l->accepted = 0;
	while ((c = TAILQ_FIRST(&cs->chores)) != NULL) {
		TAILQ_REMOVE(&cs->chores, c, chore);
		c->has_chore = false;
		if (c->fd == -1)
			conn_adopt(c);
		else if (c->page && page_replace(c->bev, l->tls, c->since_us))
			c->lingers = true;
		else
			c->page = false;
	}
}

/* ---- closing ---- */
void
conns_flush(struct http_listener *l)
{
	struct evbuffer *out;
	struct conn *c;

	TAILQ_FOREACH (c, &l->conns.in[CONN_SERVING], link) {
		if (l->tls) {
			tls_flush(c->bev);
			continue;
		}
		out = bufferevent_get_output(c->bev);
		evbuffer_unfreeze(out, 1);
		evbuffer_write(out, c->fd);
		evbuffer_freeze(out, 1);
	}
}
