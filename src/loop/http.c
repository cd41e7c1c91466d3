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
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
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

static void on_request(struct evhttp_request *, void *);

struct http *
http_open(struct loop *loop, const struct http_conf *conf)
{
	struct http *h = xcalloc(1, sizeof(*h));

	h->loop = loop;
	h->conf = *conf;
	if (h->conf.read_rate == 0)
		h->conf.read_rate = READ_RATE;
	h->write_timeout.tv_sec = conf->idle_timeout_ms / 1000;
	h->write_timeout.tv_usec = conf->idle_timeout_ms % 1000 * 1000;
	LIST_INIT(&h->streams);
	TAILQ_INIT(&h->listeners);
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
	evhttp_set_gencb(evhttp, on_request, l);
	return evhttp;
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

void
http_keep_open(struct http *h)
{
	struct http_listener *l = TAILQ_LAST(&h->listeners, listener_list);

	l->stays = true;
	if (l->max_connections > KEPT_CONNECTIONS)
		l->max_connections = KEPT_CONNECTIONS;
}

bool
http_listen(struct http *h, const char *addr, const struct route *routes,
    size_t n, void *ctx, char *err, size_t err_size)
{
	char host[HOST_MAX];
	struct evconnlistener *lev;
	struct http_listener *l;
	const char *port;
	int on = 1;

	if (!split_address(addr, host, &port)) {
		snprintf(err, err_size,
		    "\"%s\" is not host:port, [v6]:port or :port", addr);
		return false;
	}
	lev = bind_address(h, host, port, err, err_size);
	if (lev == NULL)
		return false;
	/* Accepted sockets inherit it, and evhttp has no other place for it. */
	setsockopt(evconnlistener_get_fd(lev), IPPROTO_TCP, TCP_NODELAY, &on,
	    sizeof(on));
	l = xcalloc(1, sizeof(*l));
	l->http = h;
	l->routes = routes;
	l->nroutes = n;
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
	return true;
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

/* ---- a request ---- */

/* For an answer without a flow. */
static void
answer_plain(struct http_listener *l, struct evhttp_request *ev,
    const struct problem *p, const char *detail, const char *allow)
{
	struct http_req req = { 0 };
	struct arena arena;

	arena_init(&arena);
	req_init(&req, l->http, ev, &arena, NULL);
	if (allow != NULL)
		http_add_header(&req, "Allow", allow);
	if (p == NULL)
		http_reply(&req, 204, NULL, span_of(NULL));
	else
		req_refuse(&req, p, detail, NULL, 0);
	arena_fini(&arena);
}

/* Who breaks the protocol once is not listened to any longer: what follows
 * may be the body of what we refused. */
static void
refuse_and_close(struct http_listener *l, struct evhttp_request *ev,
    const struct problem *p, const char *why)
{
	struct http_req req = { 0 };
	struct arena arena;

	arena_init(&arena);
	req_init(&req, l->http, ev, &arena, NULL);
	req.closes = true;
	conn_linger(l, ev);
	/* evhttp would repeat a version that is none, never close after
	 * CONNECT, and drop our Connection header for http://host/. */
	ev->major = 1;
	ev->minor = 1;
	ev->flags &= ~EVHTTP_PROXY_REQUEST;
	if (ev->type != EVHTTP_REQ_HEAD)
		ev->type = EVHTTP_REQ_GET;
	req_refuse(&req, p, why, NULL, 0);
	arena_fini(&arena);
}

/* The flow's arena dies after its end, and must have answered there. */
static void
check_answered(void *arg)
{
	const struct http_req *req = arg;

	assert(req->ev == NULL && req->stream == NULL);
}

static void
start_flow(struct http_listener *l, struct evhttp_request *ev,
    const struct route_match *m)
{
	struct flow *flow = flow_new(l->http->loop, m->route->flow);
	struct http_flow *f = (struct http_flow *)flow;

	assert(m->route->flow->size >= sizeof(*f));
	f->req = arena_zalloc(&flow->arena, sizeof(*f->req));
	f->ctx = l->ctx;
	req_init(f->req, l->http, ev, &flow->arena, m);
	arena_defer(&flow->arena, check_answered, f->req);
	flow_go(flow);
}

/* False: OPTIONS, which is no route's. */
static bool
method_of(enum evhttp_cmd_type type, enum http_method *ret)
{
	switch (type) {
	case EVHTTP_REQ_GET:
	case EVHTTP_REQ_HEAD:
		*ret = HTTP_GET;
		return true;
	case EVHTTP_REQ_POST:
		*ret = HTTP_POST;
		return true;
	case EVHTTP_REQ_PUT:
		*ret = HTTP_PUT;
		return true;
	case EVHTTP_REQ_PATCH:
		*ret = HTTP_PATCH;
		return true;
	case EVHTTP_REQ_DELETE:
		*ret = HTTP_DELETE;
		return true;
	default:
		return false;
	}
}

static unsigned
all_methods(const struct http_listener *l)
{
	unsigned bits = 0;

	for (size_t i = 0; i < l->nroutes; i++)
		bits |= 1U << l->routes[i].method;
	return bits;
}

static void
route_request(struct http_listener *l, struct evhttp_request *ev)
{
	char allow[ROUTE_ALLOW_SIZE];
	enum http_method method = HTTP_GET;
	bool has_method = method_of(ev->type, &method);
	struct span path, query;
	struct route_match m;

	req_split_target(ev->uri, &path, &query);
	route_find(l->routes, l->nroutes, method, path, &m);
	if (span_is(path, "*"))
		m.allowed = all_methods(l);
	if (m.allowed == 0) {
		answer_plain(l, ev, problem_of_err(ERR_NOT_FOUND),
		    err_text(ERR_NOT_FOUND), NULL);
		return;
	}
	if (has_method && m.route != NULL) {
		start_flow(l, ev, &m);
		return;
	}
	route_allow(m.allowed, allow);
	answer_plain(l, ev, has_method ? problem_of_err(ERR_METHOD) : NULL,
	    err_text(ERR_METHOD), allow);
}

static void
on_request(struct evhttp_request *ev, void *arg)
{
	struct http_listener *l = arg;
	struct guard_input in = {
		.method = ev->type,
		.major = ev->major,
		.minor = ev->minor,
		.target = ev->uri,
		.headers = ev->input_headers,
		.body_len = evbuffer_get_length(ev->input_buffer),
	};
	const char *why = NULL;
	int status;

	conn_serving(l, ev);
	status = guard_check(&in, &why);
	if (status != 0)
		refuse_and_close(l, ev, problem_of_status(status), why);
	else
		route_request(l, ev);
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
http_drain(struct http *h)
{
	struct http_listener *l;

	if (!h->draining) {
		h->draining = true;
		streams_drain(h);
	}
	TAILQ_FOREACH (l, &h->listeners, link)
		if (!l->stays)
			stop_accepting(l);
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
	http_drain(h);
	while ((l = TAILQ_FIRST(&h->listeners)) != NULL) {
		TAILQ_REMOVE(&h->listeners, l, link);
		TAILQ_REMOVE(&everyone, l, peer);
		stop_accepting(l);
		conns_flush(l);
		evhttp_free(l->evhttp);
		conns_close(l);
		timer_fini(&l->pause);
		free(l);
	}
	tls_close(h);
	free(h);
}
