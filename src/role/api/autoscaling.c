/*
 * GET /autoscaling/{queue}: what waits and what runs, and how many workers that
 * wants, for a scaler. A number that is not known is 503: nobody shall take
 * workers away because a server is.
 */
#include "api.h"
#include "base/jsn.h"
#include "call.h"
#include "charge.h"
#include "task/load.h"

#define REPLY_MAX 512

struct autoscaling {
	struct api_call call;
	const char *queue;
	struct redis_call *ask;
	struct load load;
};

static flow_step find_queue, ask_high, ask_low, take_low;
static void autoscaling_end(struct flow *, enum err);

static const struct step autoscaling_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(find_queue),
	STEP(ask_high),
	STEP(ask_low),
	STEP(take_low),
	STEP_LAST,
};

const struct flow_def autoscaling_flow = {
	.name = "autoscaling",
	.size = sizeof(struct autoscaling),
	.steps = autoscaling_steps,
	.end = autoscaling_end,
};

static enum flow_next
find_queue(struct flow *f)
{
	struct autoscaling *a = (struct autoscaling *)f;

	a->queue = http_param(a->call.http.req, "queue");
	if (!task_name_ok(a->queue, strlen(a->queue)))
		return flow_check(f,
		    fault_set(&a->call.fault, ERR_INVALID, "",
			"a queue's name has 1 to 64 letters, digits, \"_\", "
			"\".\" and \"-\""));
	return FLOW_NEXT;
}

static enum flow_next
ask_high(struct flow *f)
{
	struct autoscaling *a = (struct autoscaling *)f;

	a->ask =
	    load_ask_high(api_app(&a->call)->redis[PRIORITY_HIGH], a->queue);
	return redis_run(a->ask, f);
}

static enum flow_next
unknown(struct autoscaling *a, const char *server)
{
	return flow_check(&a->call.http.flow,
	    fault_set(&a->call.fault, ERR_UNAVAILABLE, "",
		"%s has lost its lists, or no manager leads: the number is "
		"not known",
		server));
}

static enum flow_next
ask_low(struct flow *f)
{
	struct autoscaling *a = (struct autoscaling *)f;

	if (!load_high(a->ask, &a->load))
		return unknown(a, "redis-high");
	a->ask = load_ask_low(api_app(&a->call)->redis[PRIORITY_LOW], a->queue);
	return redis_run(a->ask, f);
}

static enum flow_next
take_low(struct flow *f)
{
	struct autoscaling *a = (struct autoscaling *)f;

	if (!load_low(a->ask, &a->load))
		return unknown(a, "redis-low");
	return FLOW_NEXT;
}

static void
write_int(struct jsn_w *w, const char *name, int64_t v)
{
	jsn_w_key(w, name);
	jsn_w_int(w, v);
}

static void
autoscaling_end(struct flow *f, enum err err)
{
	struct autoscaling *a = (struct autoscaling *)f;
	const struct conf *conf = api_app(&a->call)->conf;
	const struct load_scale scale = { .target = conf->scale_target,
		.concurrency = conf->concurrency,
		.min = conf->scale_min,
		.max = conf->scale_max };
	struct jsn_w w;
	struct buf b;

	if (err != OK) {
		api_refuse(&a->call, err);
		return;
	}
	buf_init(&b, REPLY_MAX);
	jsn_w_init(&w, &b);
	jsn_w_open(&w, '{');
	jsn_w_key(&w, "queue");
	jsn_w_strz(&w, a->queue);
	write_int(&w, "queued", a->load.high + a->load.low);
	write_int(&w, "high", a->load.high);
	write_int(&w, "low", a->load.low);
	write_int(&w, "in_flight", a->load.in_flight);
	write_int(&w, "wanted", load_wanted(&a->load, &scale));
	jsn_w_close(&w, '}');
	http_add_header(a->call.http.req, "Cache-Control", "no-store");
	api_reply(&a->call, 200, &b);
}
