/*
 * The scheduler: what is due becomes QUEUED and goes into its list. It sleeps
 * until exactly the next due time, at most schedule_interval, and is woken by
 * whoever submits something that is due sooner.
 */
#include "manager.h"

struct scheduling {
	struct duty_flow duty;
	struct pg_call *due;
	struct pg_call *promoted;
	struct task_ref *refs; /* that are due; in the arena */
	struct task_ref *left; /* of one server */
	size_t nrefs, nleft;
	enum task_priority server;
	struct redis_call *push;
	int64_t next_us; /* from now until the next one is due; -1: at once */
};

static flow_step sleep_until_due, ask_due, promote, pick_server, push, pushed;

static const struct step schedule_steps[] = {
	STEP(sleep_until_due),
	STEP(ask_due),
	STEP(promote),
	STEP(pick_server), /* high, then low */
	STEP(push), /* a queue at a time */
	STEP(pushed),
	STEP_LAST,
};

static const struct flow_def schedule_flow = {
	.name = "schedule",
	.size = sizeof(struct scheduling),
	.steps = schedule_steps,
	.end = duty_end,
};

void
schedule_start(struct manager *m)
{
	duty_start(&m->schedule, &schedule_flow);
}

static enum flow_next
sleep_until_due(struct flow *f)
{
	struct scheduling *k = (struct scheduling *)f;
	struct manager *m = k->duty.duty->manager;
	int64_t ms = m->app->conf->schedule_interval_ms;

	if (k->next_us < 0 && !m->draining)
		return FLOW_NEXT;
	if (k->next_us > 0 && k->next_us / US_PER_MS < ms)
		ms = k->next_us / US_PER_MS + 1;
	return duty_sleep(f, &m->schedule, ms);
}

static enum flow_next
ask_due(struct flow *f)
{
	struct scheduling *k = (struct scheduling *)f;
	struct manager *m = k->duty.duty->manager;

	k->next_us = 0;
	if (!leads(m))
		return flow_again(f);
	k->due = tasks_due(
	    m->app->pg, m->app->conf->schedule_interval_ms + 1000, CHUNK);
	return pg_try(k->due, f);
}

static enum flow_next
promote(struct flow *f)
{
	struct scheduling *k = (struct scheduling *)f;
	struct manager *m = k->duty.duty->manager;
	int i;

	if (pg_call_err(k->due) != OK)
		return flow_again(f);
	k->nrefs = 0;
	k->refs = arena_alloc(&f->arena, CHUNK * sizeof(*k->refs));
	for (i = 0; i < pg_rows(k->due); i++) {
		struct task_ref *ref = &k->refs[k->nrefs];

		tasks_due_row(k->due, i, ref);
		if (ref->wait_us > 0) {
			k->next_us = ref->wait_us;
			break;
		}
		metric_observe(DUE_LATE, 0, -ref->wait_us);
		k->nrefs++;
	}
	if (k->nrefs == 0)
		return flow_again(f);
	k->promoted = tasks_promote(m->app->pg, k->refs, k->nrefs);
	return pg_try(k->promoted, f);
}

/* All of them are pushed, whatever the answer says: if it got lost they are
 * promoted all the same, and an id too many is harmless. */
static enum flow_next
pick_server(struct flow *f)
{
	struct scheduling *k = (struct scheduling *)f;
	size_t i;

	if (pg_call_err(k->promoted) != OK) {
		want_full_pass(k->duty.duty->manager, PRIORITY_LOW, 1000);
		want_full_pass(k->duty.duty->manager, PRIORITY_HIGH, 1000);
		k->next_us = 0;
		return flow_again(f);
	}
	if (pg_rows(k->promoted) > 0)
		k->next_us = -1; /* more may be due: look again at once */
	if (k->left == NULL) {
		k->left = arena_alloc(&f->arena, CHUNK * sizeof(*k->left));
		k->server = PRIORITY_HIGH;
	}
	k->nleft = 0;
	for (i = 0; i < k->nrefs; i++)
		if (k->refs[i].priority == k->server)
			k->left[k->nleft++] = k->refs[i];
	return FLOW_NEXT;
}

static enum flow_next
push(struct flow *f)
{
	struct scheduling *k = (struct scheduling *)f;

	if (k->nleft == 0 && k->server == PRIORITY_LOW) {
		k->left = NULL;
		return flow_again(f);
	}
	if (k->nleft == 0) {
		k->server = PRIORITY_LOW;
		return flow_goto(f, pick_server);
	}
	k->push = push_group(k->duty.duty->manager, k->server, &f->arena,
	    k->left, &k->nleft, false);
	return redis_try(k->push, f);
}

static enum flow_next
pushed(struct flow *f)
{
	struct scheduling *k = (struct scheduling *)f;

	if (redis_call_err(k->push) != OK)
		want_full_pass(k->duty.duty->manager, k->server, 1000);
	return flow_goto(f, push);
}
