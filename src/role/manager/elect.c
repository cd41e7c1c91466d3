/*
 * The election: a lease on redis-high, taken by whoever comes first, extended
 * by its holder, given up on SIGTERM. Each election has a term above all terms
 * before it; PostgreSQL keeps the number, since Redis may forget.
 */
#include <stdlib.h>

#include "manager.h"

#define STANDBY_MS 500

struct electing {
	struct flow flow;
	struct manager *manager;
	struct redis_call *lease;
	int64_t sent_us;
	struct redis_call *term;
	struct pg_call *elected;
};

static flow_step ask_lease, hear_lease, ask_term, write_term, tell_term,
    pause_between, begin_again, resign, resigned;
static void elect_end(struct flow *, enum err);

static const struct step elect_steps[] = {
	STEP(ask_lease),
	STEP(hear_lease),
	STEP(ask_term), /* elected: a new term */
	STEP(write_term),
	STEP(tell_term),
	STEP(pause_between),
	STEP(begin_again),
	STEP(resign), /* when draining */
	STEP(resigned),
	STEP_LAST,
};

static const struct flow_def elect_flow = {
	.name = "elect",
	.size = sizeof(struct electing),
	.steps = elect_steps,
	.end = elect_end,
};

void
elect_start(struct manager *m)
{
	m->elect = flow_new(m->app->loop, &elect_flow);
	((struct electing *)m->elect)->manager = m;
	flow_go(m->elect);
}

static void
elect_end(struct flow *f, enum err err)
{
	(void)err;
	((struct electing *)f)->manager->elect = NULL;
}

static void
step_down(struct manager *m, const char *why)
{
	if (!m->leading)
		return;
	m->leading = false;
	log_warn("manager", "leads no more", KV_INT("term", m->term),
	    KV_STR("why", why));
}

static void
take_over(struct manager *m)
{
	m->leading = true;
	metric_count(METRIC_ELECTIONS, 1);
	log_info("manager", "leads", KV_INT("term", m->term),
	    KV_ID("leader", &m->id));
	/* What the last leader had in hand is in no list perhaps. */
	want_full_pass(m, PRIORITY_LOW, 0);
	want_full_pass(m, PRIORITY_HIGH, 0);
	signal_raise(&m->schedule.wake);
	signal_raise(&m->scan.wake);
	signal_raise(&m->upkeep.wake);
	signal_raise(&m->depth.wake);
	signal_raise(&m->forget.wake);
}

static enum flow_next
ask_lease(struct flow *f)
{
	struct electing *k = (struct electing *)f;
	struct manager *m = k->manager;

	if (m->draining && (duties_are_done(m) || m->hurried))
		return flow_goto(f, resign);
	k->sent_us = clock_mono_us();
	k->lease = lease_take(
	    m->app->redis[PRIORITY_HIGH], &m->id, m->app->conf->leader_ttl_ms);
	return redis_try(k->lease, f);
}

static enum flow_next
hear_lease(struct flow *f)
{
	struct electing *k = (struct electing *)f;
	struct manager *m = k->manager;
	int64_t ttl = m->app->conf->leader_ttl_ms * US_PER_MS;

	if (redis_call_err(k->lease) != OK) {
		if (m->leading && clock_mono_us() >= m->lease_until_us)
			step_down(m, "redis-high does not answer");
		return flow_goto(f, pause_between);
	}
	if (redis_reply(k->lease, 0)->integer == 0) {
		step_down(m, "somebody else holds the lease");
		return flow_goto(f, pause_between);
	}
	/* It was ours from when we asked, not from when we heard. */
	m->lease_until_us = k->sent_us + ttl * 9 / 10;
	/* Taken while we led: redis-high has lost it, and the term with it. */
	if (m->leading && redis_reply(k->lease, 0)->integer == 2)
		return flow_goto(f, pause_between);
	return FLOW_NEXT;
}

static enum flow_next
ask_term(struct flow *f)
{
	struct electing *k = (struct electing *)f;

	k->term = term_get(k->manager->app->redis[PRIORITY_HIGH]);
	return redis_try(k->term, f);
}

static enum flow_next
write_term(struct flow *f)
{
	struct electing *k = (struct electing *)f;
	struct manager *m = k->manager;
	const struct reply *rep = redis_reply(k->term, 0);
	int64_t seen = 0;

	if (redis_call_err(k->term) != OK)
		return flow_goto(f, pause_between);
	if (rep->type == REPLY_STR)
		seen = strtoll(rep->str.p, NULL, 10);
	k->elected = leader_elect(m->app->pg, &m->id, seen);
	return pg_try(k->elected, f);
}

static enum flow_next
tell_term(struct flow *f)
{
	struct electing *k = (struct electing *)f;
	struct manager *m = k->manager;

	if (pg_call_err(k->elected) != OK || m->draining ||
	    clock_mono_us() >= m->lease_until_us)
		return flow_goto(f, pause_between);
	m->term = pg_int(k->elected, 0, 0);
	take_over(m);
	k->term = term_set(m->app->redis[PRIORITY_HIGH], m->term);
	return redis_try(k->term, f);
}

static enum flow_next
pause_between(struct flow *f)
{
	struct electing *k = (struct electing *)f;
	struct manager *m = k->manager;
	int64_t ms = m->app->conf->leader_renew_ms;

	if (m->leading && clock_mono_us() >= m->lease_until_us)
		step_down(m, "the lease could not be extended in time");
	if (!m->leading && ms > STANDBY_MS)
		ms = STANDBY_MS;
	/* The lead is kept until what is in hand is done. */
	if (m->draining && (duties_are_done(m) || m->hurried))
		return FLOW_NEXT;
	return signal_wait(f, &m->elect_wake, ms);
}

static enum flow_next
begin_again(struct flow *f)
{
	return flow_again(f);
}

/* A standby can take over at once. */
static enum flow_next
resign(struct flow *f)
{
	struct electing *k = (struct electing *)f;
	struct manager *m = k->manager;

	step_down(m, "shutting down");
	k->lease = lease_release(m->app->redis[PRIORITY_HIGH], &m->id);
	return redis_try(k->lease, f);
}

static enum flow_next
resigned(struct flow *f)
{
	((struct electing *)f)->manager->resigned = true;
	return FLOW_END;
}
