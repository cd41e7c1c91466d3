#ifndef TASKFLOW_ROLE_API_CALL_H
#define TASKFLOW_ROLE_API_CALL_H

/* What every endpoint's flow begins with, and how it answers. */
#include "base/jsn.h"
#include "role/app.h"
#include "task/users.h"

struct auth;
struct credential;
struct charge;

struct api_call {
	struct http_flow http;
	struct caller caller; /* after api_authenticate */
	struct fault fault; /* what is wrong with the request */
	struct auth *auth; /* of auth.c */
	/* NULL: the headers of the request say it. */
	const struct credential *shown;
	struct charge *charge; /* charge.h; NULL: there is no limit */
	int64_t cost; /* set before api_charge, if it is not 1 */
	int retry_after_s; /* of a refusal; 0: as usual */
};

/* A step: who is asking, and has he the scope that the route needs? */
flow_step api_authenticate;
/* What the request has shown, for another flow to ask again with when the
 * headers are gone; in the arena, after api_authenticate. */
const struct credential *api_shown(struct api_call *);
/* Aborts if a route needs a scope, and its flow does not look. */
void api_check_route(const struct route *);

static inline struct app *
api_app(const struct api_call *call)
{
	return call->http.ctx;
}

/* ---- for the end of a flow ---- */
void api_refuse(struct api_call *, enum err);
/* The answer will be 429 with a Retry-After; for flow_check. */
enum err api_limit(struct api_call *, int64_t ms, const char *what);
/* For a body of JSON; api_reply ends it. */
void api_body_init(struct buf *);
void api_reply(struct api_call *, int status, struct buf *);
/* Their names, as an array. */
void api_put_scopes(struct jsn_w *, unsigned scopes);

#endif
