/*
 * The answers, each with its line in the access log.
 */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "http_private.h"

/* Bytes of our headers in an answer. */
#define HEAD_MAX 16384
#define HEAD_FIRST 240

/* ---- the access log ---- */
static bool
is_probe(struct span path)
{
	return span_is(path, "/livez") || span_is(path, "/readyz") ||
	    span_is(path, "/metrics");
}

static void
copy_path(char *to, size_t size, struct span path)
{
	size_t n = path.len < size - 1 ? path.len : size - 1;

	memcpy(to, path.p, n);
	to[n] = '\0';
}

void
http_count_refusal(const struct problem *p)
{
	metric_count(METRIC_HTTP_REFUSED + problem_reason(p), 1);
}

static void
count(const struct http_req *req, int status, int64_t us)
{
	unsigned class = STATUS_5XX;

	if (status < 500)
		class = status < 300 ? STATUS_2XX
		    : status < 400   ? STATUS_3XX
				     : STATUS_4XX;
	metric_count(
	    METRIC_HTTP_REQUESTS + req->metric * N_SET_STATUS + class, 1);
	metric_observe(HTTP_SECONDS, req->metric, us);
}

void
http_log_access(const struct http_req *req, int status)
{
	enum log_level level = is_probe(req->path) ? LOG_DEBUG : LOG_INFO;
	int64_t us = clock_mono_us() - req->started_us;
	struct kv kvs[HTTP_MAX_NOTES + 9] = { { .key = "" } };
	char path[512] = "-";
	unsigned n = 1;

	count(req, status, us);
	if (!log_enabled(level))
		return;
	if (req->path.p != NULL)
		copy_path(path, sizeof(path), req->path);
	kvs[n++] = (struct kv)KV_STR("method", req->method);
	kvs[n++] = (struct kv)KV_STR("path", path);
	kvs[n++] = (struct kv)KV_INT("status", status);
	kvs[n++] = (struct kv)KV_INT("ms", us / US_PER_MS);
	if (req->ev != NULL)
		kvs[n++] = (struct kv)KV_STR("client", http_client(req));
	kvs[n++] = (struct kv)KV_STR("request_id", req->id);
	if (req->forwarded.scheme != NULL)
		kvs[n++] = (struct kv)KV_STR("scheme", req->forwarded.scheme);
	for (const struct http_note *note = req->note;
	     note < req->note + req->nnotes; note++)
		if (note->is_number)
			kvs[n++] = (struct kv)KV_INT(note->key, note->number);
		else
			kvs[n++] = (struct kv)KV_ID(note->key, &note->id);
	kvs[n].key = NULL;
	log_emit(level, "http", "request", kvs);
}

/* ---- answers ---- */

void
answer_init(struct http_req *req)
{
	buf_init(&req->head, HEAD_MAX);
	buf_reserve(&req->head, HEAD_FIRST);
	buf_adds(&req->head, req->id);
}

/*
 * Headers that evhttp need not know of are gathered as text behind the value of
 * the first one, X-Request-Id, and handed over as one: each header by itself is
 * two allocations, two copies and a printf.
 */
void
http_add_header(struct http_req *req, const char *name, const char *value)
{
	assert(req->ev != NULL && strpbrk(value, "\r\n") == NULL);
	buf_add(&req->head, "\r\n", 2);
	buf_adds(&req->head, name);
	buf_add(&req->head, ": ", 2);
	buf_adds(&req->head, value);
}

static bool
has_header(const struct http_req *req, const char *name)
{
	const char *p = req->head.data;
	size_t n = strlen(name);

	while ((p = strstr(p, "\r\n")) != NULL) {
		p += 2;
		if (strncmp(p, name, n) == 0 && p[n] == ':')
			return true;
	}
	return false;
}

/* What evhttp acts upon. */
static void
add_known_header(struct http_req *req, const char *name, const char *value)
{
	evhttp_add_header(
	    evhttp_request_get_output_headers(req->ev), name, value);
}

/* evhttp looks for a Content-Length, so that is what ours are called if there
 * is one. It frees what is in its list; the memory is malloc's (loop_open). */
static void
hand_over_head(struct http_req *req, bool has_length, size_t length)
{
	struct evkeyval *h = xcalloc(1, sizeof(*h));
	struct buf value;

	buf_init(&value, HEAD_MAX + 64);
	buf_reserve(&value, req->head.len + 40);
	if (has_length) {
		buf_add_int(&value, (int64_t)length);
		buf_adds(&value, "\r\nX-Request-Id: ");
	}
	buf_add(&value, req->head.data, req->head.len);
	h->key = xstrdup(has_length ? "Content-Length" : "X-Request-Id");
	h->value = value.data;
	TAILQ_INSERT_TAIL(evhttp_request_get_output_headers(req->ev), h, next);
	buf_fini(&req->head);
}

/* NULL: libevent knows a phrase. */
static const char *
reason_of(int status)
{
	const struct problem *p;

	if (status < 400)
		return NULL;
	p = problem_of_status(status);
	return p->status == status ? p->title : NULL;
}

/* For HTTP/1.0, evhttp would say keep-alive beside our close. */
static void
say_close(struct http_req *req)
{
	evhttp_remove_header(
	    evhttp_request_get_input_headers(req->ev), "Connection");
	add_known_header(req, "Connection", "close");
}

static void
add_usual_headers(
    struct http_req *req, int status, const char *type, size_t len)
{
	bool may_have_body = status >= 200 && status != 204 && status != 304;
	const char *origins = req->http->conf.cors_origins;

	if (origins != NULL && *origins != '\0')
		cors_answer(req, origins);
	if (!has_header(req, "Cache-Control"))
		http_add_header(req, "Cache-Control", "no-store");
	if (type != NULL && may_have_body)
		http_add_header(req, "Content-Type", type);
	if (req->closes || req->http->draining)
		say_close(req);
	hand_over_head(req, may_have_body, len);
}

/* The client may have gone: then evhttp just frees its request here. */
void
http_reply(struct http_req *req, int status, const char *type, struct span body)
{
	struct evhttp_request *ev = req->ev;

	assert(ev != NULL); /* one answer, and only one */
	add_usual_headers(req, status, type, body.len);
	/* evhttp would send the body of an answer to HEAD. */
	if (!req->is_head && status != 204 && status != 304)
		evbuffer_add(
		    evhttp_request_get_output_buffer(ev), body.p, body.len);
	answer_end(req, status);
	if (evhttp_request_get_connection(ev) != NULL)
		conn_watch(ev);
	evhttp_send_reply(ev, status, reason_of(status), NULL);
}

void
answer_end(struct http_req *req, int status)
{
	http_log_access(req, status);
	req->ev = NULL;
	req->path = req->query = span_of(NULL);
	req->http->in_flight--;
}

/* No length, and the connection ends with it. The path is kept for the log. */
struct evhttp_request *
answer_begin(struct http_req *req, const char *type)
{
	struct evhttp_request *ev = req->ev;

	assert(ev != NULL);
	if (!has_header(req, "Cache-Control"))
		http_add_header(req, "Cache-Control", "no-store");
	http_add_header(req, "Content-Type", type);
	say_close(req);
	hand_over_head(req, false, 0);
	req->ev = NULL;
	if (req->is_head)
		evhttp_send_reply(ev, 200, NULL, NULL);
	else
		evhttp_send_reply_start(ev, 200, NULL);
	return req->is_head ? NULL : ev;
}

void
http_reply_json(struct http_req *req, int status, const struct buf *body)
{
	http_reply(req, status, JSON_TYPE, buf_span(body));
}

/* RFC 6750, 3: an error only when there were credentials. */
static void
add_challenge(struct http_req *req)
{
	bool given = http_header(req, "Authorization") != NULL ||
	    http_header(req, "X-API-Key") != NULL;

	http_add_header(req, "WWW-Authenticate",
	    given ? "Bearer realm=\"taskflow\", error=\"invalid_token\""
		  : "Bearer realm=\"taskflow\"");
}

void
req_refuse(struct http_req *req, const struct problem *p, const char *detail,
    const struct fault *fault, int retry_after_s)
{
	const struct problem_case c = { detail, req->id, req->path, fault,
		req->more };
	char text[24];
	struct buf body;

	http_count_refusal(p);
	if (retry_after_s <= 0)
		retry_after_s = p->retry_after_s;
	if (retry_after_s > 0 && !has_header(req, "Retry-After")) {
		snprintf(text, sizeof(text), "%d", retry_after_s);
		http_add_header(req, "Retry-After", text);
	}
	if (p->status == 401 && !has_header(req, "WWW-Authenticate"))
		add_challenge(req);
	buf_init(&body, PROBLEM_MAX);
	problem_write(&body, p, &c);
	http_reply(req, p->status, PROBLEM_TYPE, buf_span(&body));
	buf_fini(&body);
}

void
http_problem(struct http_req *req, enum err err, const struct fault *fault,
    int retry_after_s)
{
	bool has_detail = fault != NULL && fault->detail[0] != '\0';
	bool is_about_input = err == ERR_INVALID || err == ERR_UNPROCESSABLE;

	req->more = fault != NULL ? fault->more : NULL;
	req_refuse(req, problem_of_err(err),
	    has_detail ? fault->detail : err_text(err),
	    has_detail && is_about_input ? fault : NULL, retry_after_s);
}
