/*
 * The way of a request: from evhttp through the guard and the routes into its
 * flow, or to a refusal.
 */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>

#include "http_private.h"

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
	if (p == NULL && allow != NULL)
		cors_preflight(&req, allow);
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
	f->req->metric = l->metric[m->route - l->routes];
	arena_defer(&flow->arena, check_answered, f->req);
	room_go(&l->http->room, flow,
	    evbuffer_get_length(evhttp_request_get_input_buffer(ev)));
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

void
serve_request(struct evhttp_request *ev, void *arg)
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
