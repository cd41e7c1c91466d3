/*
 * GET /status, in every role: how the service and its parts are, for people.
 *
 * Each part is asked by a flow of its own, all at once and for one second at
 * the most. They keep the usual patience of their calls, since a call that is
 * overdue costs everybody the connection; only we do not wait for it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/jsn.h"
#include "role/app.h"
#include "task/queue.h"
#include "task/tasks.h"

#define PATIENCE_MS 1000
#define QUEUE "default"
#define STATUS_MAX 8192

enum part { PART_PG, PART_HIGH, PART_LOW, PARTS };
static const char *const part_names[PARTS] = { "postgres", "redis_high",
	"redis_low" };

struct status;

/* What a part said. */
struct answer {
	enum err err;
	int64_t latency_us;
	int64_t queue; /* length, of the Redis servers */
	struct id leader; /* of redis-high: zero if there is none */
	int64_t term, workers;
};

struct probe {
	struct flow flow;
	struct status *status; /* NULL: it has been answered without us */
	const struct app *app;
	enum part part;
	int64_t asked_us;
	struct pg_call *ping;
	struct redis_call *call;
	struct answer answer;
};

struct status {
	struct http_flow http;
	struct flow_signal answered; /* by all */
	struct probe *probes[PARTS]; /* that are still asking */
	struct answer answers[PARTS];
};

/* ---- one part ---- */
static flow_step ask_pg, ask_queue, take_queue, ask_cluster, take_cluster;
static void probe_end(struct flow *, enum err);

static const struct step pg_steps[] = {
	STEP(ask_pg),
	STEP_LAST,
};
static const struct step low_steps[] = {
	STEP(ask_queue),
	STEP(take_queue),
	STEP_LAST,
};
static const struct step high_steps[] = {
	STEP(ask_queue),
	STEP(take_queue),
	STEP(ask_cluster),
	STEP(take_cluster),
	STEP_LAST,
};

static const struct flow_def probe_flows[PARTS] = {
	[PART_PG] = { "probe_pg", sizeof(struct probe), pg_steps, probe_end },
	[PART_HIGH] = { "probe_high", sizeof(struct probe), high_steps,
	    probe_end },
	[PART_LOW] = { "probe_low", sizeof(struct probe), low_steps,
	    probe_end },
};

static enum flow_next
ask_pg(struct flow *f)
{
	struct probe *p = (struct probe *)f;

	p->ping = pg_ping(p->app->pg);
	return pg_run(p->ping, f);
}

static struct redis *
redis_of(const struct probe *p)
{
	return p->app
	    ->redis[p->part == PART_HIGH ? PRIORITY_HIGH : PRIORITY_LOW];
}

static enum flow_next
ask_queue(struct flow *f)
{
	struct probe *p = (struct probe *)f;

	p->call = queue_length(redis_of(p), QUEUE);
	return redis_run(p->call, f);
}

static enum flow_next
take_queue(struct flow *f)
{
	struct probe *p = (struct probe *)f;

	p->answer.queue = redis_reply(p->call, 0)->integer;
	p->answer.latency_us = clock_mono_us() - p->asked_us;
	return FLOW_NEXT;
}

static enum flow_next
ask_cluster(struct flow *f)
{
	struct probe *p = (struct probe *)f;

	p->call = cluster_get(redis_of(p));
	return redis_run(p->call, f);
}

static enum flow_next
take_cluster(struct flow *f)
{
	struct probe *p = (struct probe *)f;
	const struct reply *term = redis_reply(p->call, 1);

	queue_ids(redis_reply(p->call, 0), &p->answer.leader, 1);
	if (term->type == REPLY_STR)
		p->answer.term = strtoll(term->str.p, NULL, 10);
	p->answer.workers = redis_reply(p->call, 2)->integer;
	return FLOW_NEXT;
}

static bool
all_answered(const struct status *s)
{
	int i;

	for (i = 0; i < PARTS; i++)
		if (s->probes[i] != NULL)
			return false;
	return true;
}

static void
probe_end(struct flow *f, enum err err)
{
	struct probe *p = (struct probe *)f;

	if (p->status == NULL)
		return;
	if (p->answer.latency_us == 0)
		p->answer.latency_us = clock_mono_us() - p->asked_us;
	p->answer.err = err;
	p->status->answers[p->part] = p->answer;
	p->status->probes[p->part] = NULL;
	if (all_answered(p->status))
		signal_raise(&p->status->answered);
}

/* ---- all of them ---- */
static flow_step ask_parts, wait_for_parts;
static void status_end(struct flow *, enum err);

static const struct step status_steps[] = {
	STEP(ask_parts),
	STEP(wait_for_parts),
	STEP_LAST,
};

const struct flow_def status_flow = {
	.name = "status",
	.size = sizeof(struct status),
	.steps = status_steps,
	.end = status_end,
};

static struct probe *
make_probe(struct status *s, enum part part)
{
	struct flow *f = flow_new(s->http.flow.loop, &probe_flows[part]);
	struct probe *p = (struct probe *)f;

	p->status = s;
	p->app = s->http.ctx;
	p->part = part;
	p->asked_us = clock_mono_us();
	flow_deadline_ms(f, PATIENCE_MS);
	return p;
}

static enum flow_next
ask_parts(struct flow *f)
{
	struct status *s = (struct status *)f;
	int i;

	signal_init(&s->answered, f->loop);
	for (i = 0; i < PARTS; i++)
		s->probes[i] = make_probe(s, (enum part)i);
	/* None has answered before the first wait: that is a turn later. */
	for (i = 0; i < PARTS; i++)
		flow_go(&s->probes[i]->flow);
	return FLOW_NEXT;
}

static enum flow_next
wait_for_parts(struct flow *f)
{
	struct status *s = (struct status *)f;

	return signal_wait(f, &s->answered, 0);
}

/* ---- the answer ---- */

/* Anybody may ask, so no word of a server comes through: they name addresses
 * and users. */
static const char *
reason(enum err err)
{
	return err == ERR_TIMEOUT ? "no answer within a second" : err_text(err);
}

static void
write_ms(struct jsn_w *w, int64_t us)
{
	char text[32];

	snprintf(text, sizeof(text), "%lld.%03d", (long long)(us / US_PER_MS),
	    (int)(us % US_PER_MS));
	jsn_w_raw(w, span_of(text));
}

static void
write_part(struct jsn_w *w, const char *name, const struct answer *a)
{
	bool up = a->err == OK;

	jsn_w_key(w, name);
	jsn_w_open(w, '{');
	jsn_w_key(w, "status");
	jsn_w_strz(w, up ? "up" : "down");
	jsn_w_key(w, "latency_ms");
	if (up)
		write_ms(w, a->latency_us);
	else
		jsn_w_null(w);
	jsn_w_key(w, "error");
	jsn_w_strz(w, up ? NULL : reason(a->err));
	jsn_w_close(w, '}');
}

static void
write_known(
    struct jsn_w *w, const char *name, const struct answer *a, int64_t v)
{
	jsn_w_key(w, name);
	if (a->err == OK)
		jsn_w_int(w, v);
	else
		jsn_w_null(w);
}

static void
write_leader(struct jsn_w *w, const struct answer *a)
{
	char text[ID_TEXT_SIZE];

	jsn_w_key(w, "leader");
	if (a->err != OK || id_is_zero(&a->leader)) {
		jsn_w_null(w);
		return;
	}
	id_format(&a->leader, text);
	jsn_w_open(w, '{');
	jsn_w_key(w, "id");
	jsn_w_strz(w, text);
	jsn_w_key(w, "term");
	jsn_w_int(w, a->term);
	jsn_w_close(w, '}');
}

static void
write_process(struct jsn_w *w, const struct app *app)
{
	int64_t up_us =
	    clock_wall_us() - id_time_ms(&app->instance) * US_PER_MS;
	char text[ID_TEXT_SIZE];
	int i;

	id_format(&app->instance, text);
	jsn_w_key(w, "version");
	jsn_w_strz(w, TASKFLOW_VERSION);
	jsn_w_key(w, "instance");
	jsn_w_strz(w, text);
	jsn_w_key(w, "roles");
	jsn_w_open(w, '[');
	for (i = 0; i < app->nroles; i++)
		jsn_w_strz(w, app->roles[i]->name);
	jsn_w_close(w, ']');
	jsn_w_key(w, "uptime_seconds");
	jsn_w_int(w, up_us > 0 ? up_us / US_PER_S : 0);
}

/* Without a leader nothing is recovered, and nothing that is due begins. */
static bool
is_degraded(const struct answer *a)
{
	int i;

	for (i = 0; i < PARTS; i++)
		if (a[i].err != OK)
			return true;
	return id_is_zero(&a[PART_HIGH].leader);
}

static void
write_status(struct status *s, struct jsn_w *w)
{
	const struct answer *a = s->answers;
	int i;

	jsn_w_open(w, '{');
	jsn_w_key(w, "status");
	jsn_w_strz(w, is_degraded(a) ? "degraded" : "ok");
	write_process(w, s->http.ctx);
	jsn_w_key(w, "parts");
	jsn_w_open(w, '{');
	for (i = 0; i < PARTS; i++)
		write_part(w, part_names[i], &a[i]);
	jsn_w_close(w, '}');
	write_leader(w, &a[PART_HIGH]);
	jsn_w_key(w, "queues");
	jsn_w_open(w, '{');
	write_known(w, "high", &a[PART_HIGH], a[PART_HIGH].queue);
	write_known(w, "low", &a[PART_LOW], a[PART_LOW].queue);
	jsn_w_close(w, '}');
	write_known(w, "workers", &a[PART_HIGH], a[PART_HIGH].workers);
	jsn_w_close(w, '}');
}

static void
status_end(struct flow *f, enum err err)
{
	struct status *s = (struct status *)f;
	struct buf body;
	struct jsn_w w;
	int i;

	for (i = 0; i < PARTS; i++)
		if (s->probes[i] != NULL)
			s->probes[i]->status = NULL;
	signal_fini(&s->answered);
	if (err != OK) {
		http_problem(s->http.req, err, NULL, 0);
		return;
	}
	buf_init(&body, STATUS_MAX);
	jsn_w_init(&w, &body);
	write_status(s, &w);
	buf_addc(&body, '\n');
	http_reply_json(s->http.req, 200, &body);
	buf_fini(&body);
}
