/* What the endpoints share: the forms of an answer. */
#include <stdio.h>

#include "call.h"
#include "task/token.h"

/* A payload and a result, both as large as a body may be, and the rest. */
#define BODY_MAX (256 * 1024 * 1024)
#define BODY_FIRST 1000 /* of a task with a small payload */

void
api_refuse(struct api_call *c, enum err err)
{
	http_problem(c->http.req, err, &c->fault, c->retry_after_s);
}

enum err
api_limit(struct api_call *c, int64_t ms, const char *what)
{
	long long seconds = (ms + 999) / 1000;
	char text[24];

	snprintf(text, sizeof(text), "%lld", seconds);
	http_add_header(c->http.req, "Retry-After", text);
	return fault_set(
	    &c->fault, ERR_RATE_LIMITED, "", "%s: wait %lld s", what, seconds);
}

void
api_body_init(struct buf *b)
{
	buf_init(b, BODY_MAX);
	buf_reserve(b, BODY_FIRST);
}

void
api_reply(struct api_call *c, int status, struct buf *b)
{
	buf_addc(b, '\n');
	if (b->overflow)
		http_problem(c->http.req, ERR_INTERNAL, NULL, 0);
	else
		http_reply_json(c->http.req, status, b);
	buf_fini(b);
}

void
api_put_scopes(struct jsn_w *w, unsigned scopes)
{
	unsigned one;

	jsn_w_open(w, '[');
	for (one = 1; one <= scopes; one <<= 1)
		if ((scopes & one) != 0)
			jsn_w_strz(w, scope_name((enum scope)one));
	jsn_w_close(w, ']');
}
