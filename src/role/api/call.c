/* What the endpoints share: who is asking, and the forms of an answer. */
#include <strings.h>

#include "api.h"
#include "base/clock.h"
#include "call.h"
#include "task/token.h"

/* A payload and a result, both as large as a body may be, and the rest. */
#define BODY_MAX (256 * 1024 * 1024)
#define BODY_FIRST 1000 /* of a task with a small payload */
#define SCHEME "Bearer "

enum flow_next
api_authenticate(struct flow *f)
{
	struct api_call *c = (struct api_call *)f;
	const char *given = http_header(c->http.req, "Authorization");
	enum err err;

	if (given == NULL || strncasecmp(given, SCHEME, strlen(SCHEME)) != 0)
		return flow_check(f,
		    fault_set(&c->fault, ERR_UNAUTHORIZED, "",
			"the request needs a header \"Authorization: Bearer "
			"TOKEN\"; POST /login gives a token"));
	given += strlen(SCHEME);
	err = token_verify(api_tokens(api_app(c)), given + strspn(given, " "),
	    clock_wall_us() / US_PER_S, &c->caller, &c->fault);
	if (err == OK)
		http_note_id(c->http.req, "user", &c->caller.user_id);
	return flow_check(f, err);
}

void
api_refuse(struct api_call *c, enum err err)
{
	http_problem(c->http.req, err, &c->fault, 0);
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
