/*
 * GET /livez and /readyz, in every role (/status and /metrics have their own
 * files). Alive means that our loops turn, and
 * never looks at a server: an outage must not restart everything. Ready means
 * that the start is done and the end has not begun.
 */
#include "base/clock.h"
#include "role/app.h"

static flow_step look_alive, look_ready;
static void probe_end(struct flow *, enum err);

struct probe {
	struct http_flow http;
	struct fault fault;
};

static const struct step livez_steps[] = {
	STEP(look_alive),
	STEP_LAST,
};
static const struct step readyz_steps[] = {
	STEP(look_ready),
	STEP_LAST,
};

const struct flow_def livez_flow = {
	.name = "livez",
	.size = sizeof(struct probe),
	.steps = livez_steps,
	.end = probe_end,
};
const struct flow_def readyz_flow = {
	.name = "readyz",
	.size = sizeof(struct probe),
	.steps = readyz_steps,
	.end = probe_end,
};

const struct route ops_routes[] = {
	{ HTTP_GET, "/livez", &livez_flow, 0, NULL },
	{ HTTP_GET, "/readyz", &readyz_flow, 0, NULL },
	{ HTTP_GET, "/status", &status_flow, 0, NULL },
	{ HTTP_GET, "/metrics", &metrics_flow, 0, NULL },
};
const size_t ops_nroutes = NELEM(ops_routes);

static enum flow_next
look_alive(struct flow *f)
{
	struct probe *p = (struct probe *)f;
	const char *role;

	if (app_is_alive(p->http.ctx, &role))
		return FLOW_END;
	return flow_check(f,
	    fault_set(&p->fault, ERR_UNAVAILABLE, "",
		"the loop of the role %s does not turn", role));
}

static enum flow_next
look_ready(struct flow *f)
{
	struct probe *p = (struct probe *)f;
	const struct app *app = p->http.ctx;

	if (app->state == APP_READY)
		return FLOW_END;
	return flow_check(f,
	    fault_set(&p->fault, ERR_UNAVAILABLE, "", "%s",
		app->state == APP_STARTING ? "waiting for the servers"
					   : "draining"));
}

static void
probe_end(struct flow *f, enum err err)
{
	struct probe *p = (struct probe *)f;

	if (err != OK)
		http_problem(p->http.req, err, &p->fault, 1);
	else
		http_reply(p->http.req, 200, "text/plain", span_of("ok\n"));
}
