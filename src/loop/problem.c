/*
 * Errors as HTTP answers (RFC 9457). The type is a URN and not a link: it is
 * a name to compare with, it never changes, and nobody needs to fetch it.
 */
#include <stdio.h>

#include "base/jsn.h"
#include "http_rules.h"

#define PROBLEM_URN "urn:taskflow:problem:"
/* A longer one would only be noise in the answer. */
#define INSTANCE_MAX 1024

/* The names are those of err.c, so that logs and answers say the same. */
static const struct problem rows[ERR_MAX] = {
	[OK] = { 200, "ok", "OK", 0 },
	[ERR_INVALID] = { 400, "invalid", "Bad Request", 0 },
	[ERR_UNPROCESSABLE] = { 422, "unprocessable", "Unprocessable Content",
	    0 },
	[ERR_UNAUTHORIZED] = { 401, "unauthorized", "Unauthorized", 0 },
	[ERR_FORBIDDEN] = { 403, "forbidden", "Forbidden", 0 },
	[ERR_NOT_FOUND] = { 404, "not-found", "Not Found", 0 },
	[ERR_METHOD] = { 405, "method-not-allowed", "Method Not Allowed", 0 },
	[ERR_CONFLICT] = { 409, "conflict", "Conflict", 0 },
	[ERR_KEY_HELD] = { 409, "unique-key", "Conflict", 0 },
	[ERR_KEY_RUNNING] = { 409, "idempotency-running", "Conflict", 1 },
	[ERR_KEY_REUSED] = { 422, "idempotency-reuse", "Unprocessable Content",
	    0 },
	[ERR_LENGTH_REQUIRED] = { 411, "length-required", "Length Required",
	    0 },
	[ERR_TOO_LARGE] = { 413, "too-large", "Content Too Large", 0 },
	[ERR_MEDIA_TYPE] = { 415, "media-type", "Unsupported Media Type", 0 },
	[ERR_RATE_LIMITED] = { 429, "rate-limited", "Too Many Requests", 1 },
	[ERR_OVERLOADED] = { 503, "overloaded", "Service Unavailable", 1 },
	[ERR_UNAVAILABLE] = { 503, "unavailable", "Service Unavailable", 5 },
	[ERR_TIMEOUT] = { 503, "timeout", "Service Unavailable", 5 },
	[ERR_DATA] = { 422, "data", "Unprocessable Content", 0 },
	[ERR_SHUTDOWN] = { 503, "shutdown", "Service Unavailable", 1 },
	[ERR_NO_MEMORY] = { 503, "no-memory", "Service Unavailable", 5 },
	[ERR_INTERNAL] = { 500, "internal", "Internal Server Error", 0 },
};

/* Only the guard, evhttp and the clock say these. */
static const struct problem protocol_rows[] = {
	{ 408, "request-timeout", "Request Timeout", 0 },
	{ 417, "expectation-failed", "Expectation Failed", 0 },
	{ 501, "not-implemented", "Not Implemented", 0 },
	{ 505, "http-version", "HTTP Version Not Supported", 0 },
};

const struct problem *
problem_of_err(enum err err)
{
	if ((unsigned)err >= ERR_MAX || rows[err].name == NULL)
		err = ERR_INTERNAL;
	return &rows[err];
}

const struct problem *
problem_of_status(int status)
{
	for (size_t i = 0; i < NELEM(protocol_rows); i++)
		if (protocol_rows[i].status == status)
			return &protocol_rows[i];
	for (size_t i = 1; i < ERR_MAX; i++)
		if (rows[i].status == status)
			return &rows[i];
	return &rows[ERR_INTERNAL];
}

/* Both tables are in the order of the enums. */
unsigned
problem_reason(const struct problem *p)
{
	if (p >= rows && p < rows + ERR_MAX)
		return (unsigned)(p - rows);
	return ERR_MAX + (unsigned)(p - protocol_rows);
}

int
problem_status(enum err err)
{
	return problem_of_err(err)->status;
}

static void
write_member(struct jsn_w *w, const char *name, const char *value)
{
	jsn_w_key(w, name);
	jsn_w_strz(w, value);
}

static void
write_errors(struct jsn_w *w, const struct fault *fault)
{
	jsn_w_key(w, "errors");
	jsn_w_open(w, '[');
	jsn_w_open(w, '{');
	write_member(w, "pointer", fault->pointer);
	write_member(w, "detail", fault->detail);
	jsn_w_close(w, '}');
	jsn_w_close(w, ']');
}

/* What only this kind of problem has. */
static void
write_more(struct jsn_w *w, const char *members)
{
	if (members == NULL || members[0] == '\0')
		return;
	buf_addc(w->buf, ',');
	buf_adds(w->buf, members);
}

static void
write_kind(struct jsn_w *w, const struct problem *p, const char *detail)
{
	char type[64];

	snprintf(type, sizeof(type), PROBLEM_URN "%s", p->name);
	write_member(w, "type", type);
	write_member(w, "title", p->title);
	jsn_w_key(w, "status");
	jsn_w_int(w, p->status);
	write_member(w, "detail", detail);
}

void
problem_embed(
    struct jsn_w *w, enum err err, const struct fault *fault, const char *where)
{
	char pointer[sizeof(fault->pointer) + 64];

	snprintf(pointer, sizeof(pointer), "%s%s", where, fault->pointer);
	jsn_w_open(w, '{');
	write_kind(w, problem_of_err(err),
	    fault->detail[0] != '\0' ? fault->detail : err_text(err));
	write_member(w, "pointer", pointer);
	write_more(w, fault->more);
	jsn_w_close(w, '}');
}

void
problem_write(
    struct buf *buf, const struct problem *p, const struct problem_case *c)
{
	struct jsn_w w;

	jsn_w_init(&w, buf);
	jsn_w_open(&w, '{');
	write_kind(&w, p, c->detail);
	if (c->path.p != NULL && c->path.len <= INSTANCE_MAX) {
		jsn_w_key(&w, "instance");
		jsn_w_str(&w, c->path.p, c->path.len);
	}
	write_member(&w, "request_id", c->request_id);
	write_more(&w, c->more);
	if (c->fault != NULL)
		write_errors(&w, c->fault);
	jsn_w_close(&w, '}');
	buf_addc(buf, '\n');
}

void
problem_write_raw(struct buf *buf, const struct problem *p, const char *detail,
    const char *request_id)
{
	const struct problem_case c = { .detail = detail,
		.request_id = request_id };
	struct buf body;

	buf_init(&body, PROBLEM_MAX);
	problem_write(&body, p, &c);
	buf_addf(buf,
	    "HTTP/1.1 %d %s\r\n"
	    "Content-Type: " PROBLEM_TYPE "\r\n"
	    "Content-Length: %zu\r\n"
	    "Cache-Control: no-store\r\n"
	    "X-Request-Id: %s\r\n",
	    p->status, p->title, body.len, request_id);
	if (p->retry_after_s > 0)
		buf_addf(buf, "Retry-After: %d\r\n", p->retry_after_s);
	buf_adds(buf, "Connection: close\r\n\r\n");
	buf_add(buf, body.data, body.len);
	buf_fini(&body);
}
