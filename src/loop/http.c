/*
 * The HTTP server: listeners, and the way of a request from evhttp through
 * the guard and the routes into its flow. One struct evhttp per listener, so
 * that each has its own routes.
 */
#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "http_private.h"

#define BACKLOG 1024
#define HOST_MAX 256
/* Without descriptors, accept fails at once and again, at full speed. */
#define ACCEPT_PAUSE_MS 100
#define READ_RATE 16384
/* Descriptors that are not for connections: 64 that linger, 16 of a turn, the
 * connections of a listener that stays open, and what the rest needs. */
#define FD_RESERVE 160
#define KEPT_CONNECTIONS 32

/* All listeners of the process: libevent's callback for a failed accept cannot
 * carry a pointer of ours. */
static struct listener_list everyone = TAILQ_HEAD_INITIALIZER(everyone);

static void
put_in_flight(struct metric_out *out, void *arg)
{
	metric_put(out, (int64_t)((struct http *)arg)->in_flight, NULL, NULL);
}

static void
put_connections(struct metric_out *out, void *arg)
{
	const struct http_listener *l;
	size_t n = 0;

	TAILQ_FOREACH (l, &((struct http *)arg)->listeners, link)
		n += l->conns.n;
	metric_put(out, (int64_t)n, NULL, NULL);
}

/* NULL: nobody is trusted. */
static struct net_list *
read_trusted(const char *text)
{
	struct net_list *list;
	const char *why;

	if (text == NULL || *text == '\0')
		return NULL;
	list = xcalloc(1, sizeof(*list));
	if (!net_list_parse(text, list, &why))
		abort(); /* the configuration has checked it */
	return list;
}

struct http *
http_open(struct loop *loop, const struct http_conf *conf)
{
	struct http *h = xcalloc(1, sizeof(*h));

	h->loop = loop;
	h->conf = *conf;
	room_init(&h->room, loop);
	h->trusted = read_trusted(conf->trusted_proxies);
	if (h->conf.read_rate == 0)
		h->conf.read_rate = READ_RATE;
	h->write_timeout.tv_sec = conf->idle_timeout_ms / 1000;
	h->write_timeout.tv_usec = conf->idle_timeout_ms % 1000 * 1000;
	LIST_INIT(&h->streams);
	TAILQ_INIT(&h->listeners);
	metric_collect(ROW_HTTP_IN_FLIGHT, put_in_flight, h);
	metric_collect(ROW_HTTP_CONNECTIONS, put_connections, h);
	return h;
}

/* ---- listening ---- */

/* "host:port", "[v6]:port", ":port" */
static bool
split_address(const char *addr, char host[HOST_MAX], const char **ret_port)
{
	const char *colon = strrchr(addr, ':');
	size_t len;

	if (colon == NULL || colon[1] == '\0' ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strtol(colon + 1, NULL, 10) > 65535)
		return false;
	len = (size_t)(colon - addr);
	if (len >= 2 && addr[0] == '[' && addr[len - 1] == ']') {
		addr++;
		len -= 2;
	} else if (memchr(addr, ':', len) != NULL) {
		return false;
	}
	if (len >= HOST_MAX)
		return false;
	memcpy(host, addr, len);
	host[len] = '\0';
	*ret_port = colon + 1;
	return true;
}

static struct evconnlistener *
bind_one(struct http *h, const struct addrinfo *ai)
{
	return evconnlistener_new_bind(loop_base(h->loop), NULL, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE | LEV_OPT_CLOSE_ON_EXEC,
	    BACKLOG, ai->ai_addr, (int)ai->ai_addrlen);
}

/* All addresses: IPv6 first, whose socket takes IPv4 too. A name: IPv4 first.
 * err tells why the family that comes first failed, unless it merely was not
 * that of the address. */
static struct evconnlistener *
bind_address(struct http *h, const char *host, const char *port, char *err,
    size_t err_size)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE };
	bool any = host[0] == '\0';
	struct evconnlistener *lev = NULL;
	struct addrinfo *list;
	const char *why = NULL;
	int rc;

	for (int i = 0; lev == NULL && i < 2; i++) {
		hints.ai_family = (i == 0) == any ? AF_INET6 : AF_INET;
		rc = getaddrinfo(any ? NULL : host, port, &hints, &list);
		if (rc == 0) {
			lev = bind_one(h, list);
			freeaddrinfo(list);
			why = why == NULL ? strerrordesc_np(errno) : why;
		} else if (rc != EAI_ADDRFAMILY && why == NULL) {
			why = gai_strerror(rc);
		}
	}
	if (lev == NULL)
		snprintf(err, err_size, "cannot listen on %s port %s: %s",
		    any ? "all addresses" : host, port,
		    why == NULL ? "no such address" : why);
	return lev;
}

/* libevent hands us evhttp here and nothing else; see `everyone`. */
static void
accept_failed(struct evconnlistener *lev, void *arg)
{
	int saved = errno;
	struct http_listener *l;

	TAILQ_FOREACH (l, &everyone, peer)
		if (l->evhttp == arg)
			break;
	if (l == NULL)
		return;
	evconnlistener_disable(lev);
	timer_arm_ms(&l->pause, ACCEPT_PAUSE_MS);
	log_warn("http", "accept failed", KV_STR("err", strerror(saved)));
}

static void
pause_over(struct loop_timer *t)
{
	struct http_listener *l = container_of(t, struct http_listener, pause);

	if (l->bound != NULL)
		evconnlistener_enable(
		    evhttp_bound_socket_get_listener(l->bound));
}

static struct evhttp *
make_evhttp(struct http *h, struct http_listener *l)
{
	struct evhttp *evhttp = evhttp_new(loop_base(h->loop));

	if (evhttp == NULL)
		abort();
	evhttp_set_timeout_tv(evhttp, &h->write_timeout);
	evhttp_set_max_headers_size(evhttp, (ev_ssize_t)h->conf.max_header);
	evhttp_set_max_body_size(evhttp, (ev_ssize_t)h->conf.max_body);
	evhttp_set_default_content_type(evhttp, NULL);
	/* All, and even those it does not know: we refuse better. */
	evhttp_set_allowed_methods(evhttp, 0xffff);
	evhttp_set_bevcb(evhttp, conn_accept, l);
	evhttp_set_gencb(evhttp, serve_request, l);
	return evhttp;
}

/* HEAD counts as the GET whose route it takes. */
static void
name_metrics(struct http_listener *l)
{
	static const char *const methods[] = { "GET", "POST", "PUT", "PATCH",
		"DELETE" };

	l->metric = xcalloc(l->nroutes + 1, sizeof(*l->metric));
	for (size_t i = 0; i < l->nroutes; i++)
		l->metric[i] = metric_route(
		    methods[l->routes[i].method], l->routes[i].path);
}

/* Room is left for servers, files, what lingers, and who asks how we are. */
static size_t
connections_for(size_t wanted)
{
	struct rlimit limit = { 0 };
	size_t most;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
	    limit.rlim_cur == RLIM_INFINITY)
		return wanted;
	most = limit.rlim_cur > 2 * FD_RESERVE ? limit.rlim_cur - FD_RESERVE
					       : limit.rlim_cur / 2;
	if (wanted > most)
		log_info("http", "fewer connections than max_connections",
		    KV_INT("descriptors", (int64_t)limit.rlim_cur),
		    KV_INT("connections", (int64_t)most));
	return wanted < most ? wanted : most;
}

static void
serve_listener(struct http *h, struct evconnlistener *lev,
    const struct route *routes, size_t n, void *ctx)
{
	struct http_listener *l;
	int on = 1;

	/* Accepted sockets inherit it, and evhttp has no other place for it. */
	setsockopt(evconnlistener_get_fd(lev), IPPROTO_TCP, TCP_NODELAY, &on,
	    sizeof(on));
	l = xcalloc(1, sizeof(*l));
	l->http = h;
	l->routes = routes;
	l->nroutes = n;
	name_metrics(l);
	l->ctx = ctx;
	l->tls = h->tls != NULL;
	l->max_connections = connections_for(h->conf.max_connections);
	timer_init(&l->pause, h->loop, pause_over);
	conns_open(l);
	l->evhttp = make_evhttp(h, l);
	evconnlistener_set_error_cb(lev, accept_failed);
	l->bound = evhttp_bind_listener(l->evhttp, lev);
	if (l->bound == NULL)
		abort();
	TAILQ_INSERT_TAIL(&h->listeners, l, link);
	TAILQ_INSERT_TAIL(&everyone, l, peer);
}

bool
http_listen(struct http *h, const char *addr, const struct route *routes,
    size_t n, void *ctx, char *err, size_t err_size)
{
	char host[HOST_MAX];
	struct evconnlistener *lev;
	const char *port;

	if (!split_address(addr, host, &port)) {
		snprintf(err, err_size,
		    "\"%s\" is not host:port, [v6]:port or :port", addr);
		return false;
	}
	lev = bind_address(h, host, port, err, err_size);
	if (lev == NULL)
		return false;
	serve_listener(h, lev, routes, n, ctx);
	return true;
}

/* A stream socket of the internet that listens. */
static bool
is_listening(int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss), size = sizeof(int);
	int on = 0;

	return getsockname(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    (ss.ss_family == AF_INET || ss.ss_family == AF_INET6) &&
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &size) == 0 && on;
}

bool
http_listen_fd(struct http *h, int fd, const char *what,
    const struct route *routes, size_t n, void *ctx, char *err, size_t err_size)
{
	struct evconnlistener *lev;

	if (!is_listening(fd)) {
		snprintf(err, err_size,
		    "the socket \"%s\" that was given to us does not listen "
		    "on TCP (descriptor %d)",
		    what, fd);
		close(fd);
		return false;
	}
	evutil_make_socket_nonblocking(fd);
	evutil_make_socket_closeonexec(fd);
	/* 0: it has its backlog. */
	lev = evconnlistener_new(loop_base(h->loop), NULL, NULL,
	    LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (lev == NULL)
		abort();
	serve_listener(h, lev, routes, n, ctx);
	return true;
}

void
http_keep_open(struct http *h)
{
	struct http_listener *l = TAILQ_LAST(&h->listeners, listener_list);

	l->keeps_open = true;
	if (l->max_connections > KEPT_CONNECTIONS)
		l->max_connections = KEPT_CONNECTIONS;
}

int
http_port(const struct http *h)
{
	struct http_listener *l = TAILQ_LAST(&h->listeners, listener_list);
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);

	if (getsockname(evhttp_bound_socket_get_fd(l->bound),
		(struct sockaddr *)&ss, &len) != 0)
		return -1;
	if (ss.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)&ss)->sin6_port);
	return ntohs(((struct sockaddr_in *)&ss)->sin_port);
}

/* ---- the end ---- */
static void
stop_accepting(struct http_listener *l)
{
	timer_disarm(&l->pause);
	if (l->bound != NULL)
		evhttp_del_accept_socket(l->evhttp, l->bound);
	l->bound = NULL;
}

void
http_drain_soon(struct http *h)
{
	if (h->draining)
		return;
	h->draining = true;
	streams_drain(h);
}

void
http_drain(struct http *h)
{
	struct http_listener *l;

	http_drain_soon(h);
	TAILQ_FOREACH (l, &h->listeners, link)
		if (!l->keeps_open)
			stop_accepting(l);
}

bool
http_accepts(const struct http *h)
{
	const struct http_listener *l;

	TAILQ_FOREACH (l, &h->listeners, link)
		if (!l->keeps_open && l->bound != NULL)
			return true;
	return false;
}

bool
http_busy(const struct http *h)
{
	const struct http_listener *l;

	TAILQ_FOREACH (l, &h->listeners, link)
		if (!l->keeps_open && conns_busy(l))
			return true;
	return h->in_flight > 0;
}

size_t
http_in_flight(const struct http *h)
{
	return h->in_flight;
}

void
http_close(struct http *h)
{
	struct http_listener *l;

	if (h == NULL)
		return;
	assert(h->in_flight == 0);
	room_fini(&h->room);
	metric_forget(h);
	TAILQ_FOREACH (l, &h->listeners, link)
		stop_accepting(l);
	while ((l = TAILQ_FIRST(&h->listeners)) != NULL) {
		TAILQ_REMOVE(&h->listeners, l, link);
		TAILQ_REMOVE(&everyone, l, peer);
		stop_accepting(l);
		conns_flush(l);
		evhttp_free(l->evhttp);
		conns_close(l);
		timer_fini(&l->pause);
		free(l->metric);
		free(l);
	}
	free(h->trusted);
	tls_close(h);
	free(h);
}
