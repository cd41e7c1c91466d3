/* Charging a request to its caller: steps that the routes share. */
#include <stdio.h>

#include "api.h"
#include "base/metric.h"
#include "charge.h"
#include "limits.h"

struct charge {
	enum limit_kind kind;
	struct rate rate; /* as it was when it was asked */
	int64_t cost;
	struct redis_call *call;
};

static enum limit_kind
kind_of(const struct api_call *c)
{
	return http_route(c->http.req)->scope == SCOPE_TASKS_WRITE
	    ? LIMIT_SUBMIT
	    : LIMIT_READ;
}

bool
api_is_limited(const struct api_call *c)
{
	struct rate rate;

	return limits_of(
	    api_limits(api_app(c)), &c->caller.user_id, kind_of(c), &rate);
}

static int64_t
seconds(int64_t ms)
{
	return (ms + 999) / 1000;
}

/* ---- headers ---- */

/* A burst that is not the count is a parameter of our own. */
static void
add_policy(struct api_call *c, const struct charge *g)
{
	char text[96];
	int n = snprintf(text, sizeof(text), "\"%s\";q=%lld;w=%lld",
	    limit_name(g->kind), (long long)g->rate.count,
	    (long long)g->rate.per_ms / 1000);

	if (g->rate.burst != g->rate.count)
		snprintf(text + n, sizeof(text) - (size_t)n,
		    ";taskflow-burst=%lld", (long long)g->rate.burst);
	http_add_header(c->http.req, "RateLimit-Policy", text);
}

static void
add_state(struct api_call *c, const struct charge *g, int64_t used)
{
	char text[96];

	snprintf(text, sizeof(text), "\"%s\";r=%lld;t=%lld",
	    limit_name(g->kind), (long long)rate_left(&g->rate, used),
	    (long long)seconds(rate_full_ms(&g->rate, used)));
	http_add_header(c->http.req, "RateLimit", text);
}

/* ---- refusals ---- */

/* No wait would help. */
static enum err
refuse_for_ever(struct api_call *c, const struct charge *g)
{
	char limit[RATE_TEXT_SIZE];

	rate_format(&g->rate, limit);
	return fault_set(&c->fault, ERR_UNPROCESSABLE, "/tasks",
	    "tasks has %lld elements, but your limit of %s is %s; allowed are "
	    "at most %lld at once",
	    (long long)g->cost, limit_name(g->kind), limit,
	    (long long)g->rate.burst);
}

static enum err
refuse(struct api_call *c, const struct charge *g, int64_t used)
{
	int64_t wait_s = seconds(rate_wait_ms(&g->rate, used, g->cost));
	char limit[RATE_TEXT_SIZE];

	rate_format(&g->rate, limit);
	c->retry_after_s = (int)(wait_s > 0 ? wait_s : 1);
	metric_count(METRIC_RATE_LIMITS + LIMIT_EXCEEDED, 1);
	return fault_set(&c->fault, ERR_RATE_LIMITED, "",
	    "your limit of %s is %s; this needs %lld and there are %lld left: "
	    "wait %d s",
	    limit_name(g->kind), limit, (long long)g->cost,
	    (long long)rate_left(&g->rate, used), c->retry_after_s);
}

static enum err
refuse_uncounted(struct api_call *c)
{
	metric_count(METRIC_RATE_LIMITS + LIMIT_UNKNOWN, 1);
	return fault_set(&c->fault, ERR_UNAVAILABLE, "",
	    "the rate limit cannot be looked at, so nothing was done");
}

/* ---- steps ---- */
enum flow_next
api_charge(struct flow *f)
{
	struct api_call *c = (struct api_call *)f;
	const struct limits *l = api_limits(api_app(c));
	enum limit_kind kind = kind_of(c);
	struct charge *g;
	struct rate rate;

	if (!limits_of(l, &c->caller.user_id, kind, &rate))
		return FLOW_NEXT;
	g = arena_alloc(&f->arena, sizeof(*g));
	*g = (struct charge){ kind, rate, c->cost > 0 ? c->cost : 1, NULL };
	add_policy(c, g);
	if (g->cost > rate.burst)
		return flow_check(f, refuse_for_ever(c, g));
	c->charge = g;
	g->call = limit_charge(
	    limits_redis(l), &c->caller.user_id, kind, &rate, g->cost);
	return redis_try(g->call, f);
}

/* Without Redis each process has buckets of its own. */
static enum err
admit_uncounted(struct api_call *c, bool *ret_passed, int64_t *ret_used)
{
	struct limits *l = api_limits(api_app(c));
	const struct charge *g = c->charge;

	if (l == NULL)
		return ERR_SHUTDOWN;
	limits_note(l, redis_call_err(g->call));
	if (api_app(c)->conf->rate_fallback == RATE_REFUSE)
		return refuse_uncounted(c);
	*ret_passed = limits_take(
	    l, &c->caller.user_id, g->kind, &g->rate, g->cost, ret_used);
	return OK;
}

enum flow_next
api_admit(struct flow *f)
{
	struct api_call *c = (struct api_call *)f;
	const struct charge *g = c->charge;
	struct limits *l = api_limits(api_app(c));
	enum err err = OK;
	bool passed = false;
	int64_t used = 0;

	if (g == NULL)
		return FLOW_NEXT;
	if (l != NULL && redis_call_err(g->call) == OK) {
		limits_note(l, OK);
		passed = limit_charged(g->call, &used);
	} else {
		err = admit_uncounted(c, &passed, &used);
	}
	if (err != OK)
		return flow_check(f, err);
	add_state(c, g, used);
	return flow_check(f, passed ? OK : refuse(c, g, used));
}
