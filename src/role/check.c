/*
 * Are the servers fit for us? Asked once, before any role starts. A server that
 * is not there yet is waited for; one that would lose tasks, or an old schema,
 * stops the start with one line that says what to do.
 */
#include <stdio.h>

#include "app_private.h"
#include "base/clock.h"
#include "role/migrate.h"
#include "task/queue.h"
#include "task/tasks.h"

#define PG_VERSION_MIN 140000
#define AGAIN_MIN_MS 100
#define AGAIN_MAX_MS 5000
#define COMPLAIN_EVERY_US (10 * US_PER_S)

struct check {
	struct flow flow;
	struct app *app;
	struct pg_call *call;
	struct redis_call *policy;
	enum task_priority server;
	int64_t wait_ms;
	int64_t complained_us;
};

static flow_step ask_server, check_server, ask_version, check_version,
    ask_policy, check_policy, ask_other;
static void check_end(struct flow *, enum err);

static const struct step check_steps[] = {
	STEP(ask_server),
	STEP(check_server),
	STEP(ask_version),
	STEP(check_version),
	STEP(ask_policy), /* of redis-high, then of redis-low */
	STEP(check_policy),
	STEP(ask_other),
	STEP_LAST,
};

static const struct flow_def check_flow = {
	.name = "check",
	.size = sizeof(struct check),
	.steps = check_steps,
	.end = check_end,
};

void
app_check_start(struct app *app)
{
	struct flow *f = flow_new(app->loop, &check_flow);
	struct check *k = (struct check *)f;

	k->app = app;
	k->server = PRIORITY_HIGH;
	k->wait_ms = AGAIN_MIN_MS;
	k->complained_us = clock_mono_us();
	app->check = f;
	flow_go(f);
}

/* Not there yet: the same step again, a little later. */
static enum flow_next
again(struct check *k, flow_step *step, const char *what, const char *why)
{
	int64_t now = clock_mono_us();

	if (now - k->complained_us > COMPLAIN_EVERY_US) {
		log_warn("app", "still waiting", KV_STR("for", what),
		    KV_STR("err", why));
		k->complained_us = now;
	}
	service_waits(k->app, what, why);
	/* What was asked so far is in the arena. */
	arena_fini(&k->flow.arena);
	arena_init(&k->flow.arena);
	flow_then(&k->flow, step);
	if (k->wait_ms < AGAIN_MAX_MS)
		k->wait_ms += k->wait_ms / 2;
	return flow_sleep_ms(&k->flow, k->wait_ms);
}

static enum flow_next unfit(struct check *k, const char *fmt, ...) PRINTF(2, 3);

static enum flow_next
unfit(struct check *k, const char *fmt, ...)
{
	char text[400];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	app_fail(k->app, text);
	return flow_check(&k->flow, ERR_INVALID);
}

static enum flow_next
ask_server(struct flow *f)
{
	struct check *k = (struct check *)f;

	k->call = pg_server_check(k->app->pg);
	return pg_try(k->call, f);
}

static enum flow_next
check_server(struct flow *f)
{
	struct check *k = (struct check *)f;
	struct span encoding;

	if (pg_call_err(k->call) != OK)
		return again(
		    k, ask_server, "PostgreSQL", pg_call_message(k->call));
	encoding = pg_span(k->call, 0, 1);
	if (pg_int(k->call, 0, 0) < PG_VERSION_MIN)
		return unfit(k,
		    "PostgreSQL is version %lld and must be 14 or "
		    "newer",
		    (long long)(pg_int(k->call, 0, 0) / 10000));
	if (!span_is(encoding, "UTF8"))
		return unfit(k,
		    "the database's encoding is %.*s and must be "
		    "UTF8 (createdb --encoding=UTF8)",
		    (int)encoding.len, encoding.p);
	if (pg_int(k->call, 0, 2) == 0)
		return unfit(k,
		    "the database has no TaskFlow schema: run "
		    "taskflowd --migrate first");
	return FLOW_NEXT;
}

static enum flow_next
ask_version(struct flow *f)
{
	struct check *k = (struct check *)f;

	k->call = pg_schema_version(k->app->pg);
	return pg_try(k->call, f);
}

static enum flow_next
check_version(struct flow *f)
{
	struct check *k = (struct check *)f;
	int64_t version;

	if (pg_call_err(k->call) != OK)
		return again(
		    k, ask_version, "PostgreSQL", pg_call_message(k->call));
	version = pg_int(k->call, 0, 0);
	/* A newer one is fine: migrations keep the last program alive. */
	if (version < migrate_newest())
		return unfit(k,
		    "the database's schema is version %lld and "
		    "must be %d: run taskflowd --migrate first",
		    (long long)version, migrate_newest());
	return FLOW_NEXT;
}

static const char *
server_name(enum task_priority server)
{
	return server == PRIORITY_HIGH ? "redis-high" : "redis-low";
}

static enum flow_next
ask_policy(struct flow *f)
{
	struct check *k = (struct check *)f;

	k->policy = server_policy(k->app->redis[k->server]);
	return redis_try(k->policy, f);
}

static struct span
setting(const struct reply *rep, const char *name)
{
	size_t i;

	for (i = 0; rep != NULL && i + 1 < rep->n; i += 2)
		if (span_is(rep->elem[i].str, name))
			return rep->elem[i + 1].str;
	return (struct span){ NULL, 0 };
}

static enum flow_next
check_policy(struct flow *f)
{
	struct check *k = (struct check *)f;
	const char *name = server_name(k->server);
	struct span policy;

	if (redis_call_err(k->policy) == ERR_INTERNAL) {
		log_warn("app", "may not ask for the eviction policy",
		    KV_STR("server", name));
		return FLOW_NEXT;
	}
	if (redis_call_err(k->policy) != OK)
		return again(k, ask_policy, name,
		    redis_last_error(k->app->redis[k->server]));
	policy = setting(redis_reply(k->policy, 0), "maxmemory-policy");
	if (policy.len >= 7 && memcmp(policy.p, "allkeys", 7) == 0)
		return unfit(k,
		    "%s has maxmemory-policy %.*s, which can drop "
		    "queues: set noeviction%s",
		    name, (int)policy.len, policy.p,
		    k->server == PRIORITY_LOW ? " or volatile-ttl" : "");
	if (k->server == PRIORITY_HIGH && !span_is(policy, "noeviction"))
		return unfit(k,
		    "redis-high has maxmemory-policy %.*s, which "
		    "can drop the leader's lock and heartbeats: "
		    "set noeviction",
		    (int)policy.len, policy.p);
	return FLOW_NEXT;
}

static enum flow_next
ask_other(struct flow *f)
{
	struct check *k = (struct check *)f;

	if (k->server == PRIORITY_LOW)
		return FLOW_END;
	k->server = PRIORITY_LOW;
	return flow_goto(f, ask_policy);
}

static void
check_end(struct flow *f, enum err err)
{
	struct check *k = (struct check *)f;

	k->app->check = NULL;
	if (err == OK && k->app->state == APP_STARTING)
		app_start_roles(k->app);
}
