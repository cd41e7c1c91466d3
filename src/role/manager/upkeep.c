/* Partitions: made ahead and dropped when they are over, once an hour and after
 * each election. */
#include "manager.h"

#define DAYS_AHEAD 3
#define EVERY_MS (3600 * 1000)
#define AGAIN_MS 5000 /* not the leader */
#define RETRY_MS 60000 /* no lock to be had: not soon again, see sql/schema */
/* Dropping looks at all of a partition. */
#define DROP_TIMEOUT_MS 60000

struct keeping {
	struct duty_flow duty;
	struct pg_call *call;
	int64_t pause_ms;
};

static flow_step pause_between, make_ahead, drop_old, note_dropped, note_strays;

static const struct step upkeep_steps[] = {
	STEP(pause_between),
	STEP(make_ahead),
	STEP(drop_old),
	STEP(note_dropped),
	STEP(note_strays),
	STEP_LAST,
};

static const struct flow_def upkeep_flow = {
	.name = "upkeep",
	.size = sizeof(struct keeping),
	.steps = upkeep_steps,
	.end = duty_end,
};

void
upkeep_start(struct manager *m)
{
	duty_start(&m->upkeep, &upkeep_flow);
}

static enum flow_next
pause_between(struct flow *f)
{
	struct keeping *k = (struct keeping *)f;

	return duty_sleep(
	    f, k->duty.duty, k->pause_ms > 0 ? k->pause_ms : AGAIN_MS);
}

static enum flow_next
make_ahead(struct flow *f)
{
	struct keeping *k = (struct keeping *)f;
	struct manager *m = k->duty.duty->manager;

	k->pause_ms = AGAIN_MS;
	if (!leads(m))
		return flow_again(f);
	k->call = partitions_ensure(m->app->pg, DAYS_AHEAD);
	return pg_try(k->call, f);
}

static enum flow_next
drop_old(struct flow *f)
{
	struct keeping *k = (struct keeping *)f;
	struct manager *m = k->duty.duty->manager;

	if (pg_call_err(k->call) != OK) {
		k->pause_ms = RETRY_MS;
		log_warn("manager", "cannot make partitions",
		    KV_STR("err", pg_call_message(k->call)));
		return flow_again(f);
	}
	k->call = partitions_drop(m->app->pg, m->app->conf->retention_ms);
	pg_call_timeout_ms(k->call, DROP_TIMEOUT_MS);
	return pg_try(k->call, f);
}

static enum flow_next
note_dropped(struct flow *f)
{
	struct keeping *k = (struct keeping *)f;
	int i;

	if (pg_call_err(k->call) != OK) {
		k->pause_ms = RETRY_MS;
		log_warn("manager", "cannot drop partitions",
		    KV_STR("err", pg_call_message(k->call)));
		return flow_again(f);
	}
	for (i = 0; i < pg_rows(k->call); i++) {
		struct span name = pg_span(k->call, i, 0);

		log_info("manager", "dropped a partition",
		    KV_STR("name", arena_dup(&f->arena, name.p, name.len)));
	}
	k->call = partitions_default(k->duty.duty->manager->app->pg);
	return pg_try(k->call, f);
}

static enum flow_next
note_strays(struct flow *f)
{
	struct keeping *k = (struct keeping *)f;

	if (pg_call_err(k->call) == OK && pg_int(k->call, 0, 0) != 0)
		log_warn("manager",
		    "tasks stand in the default partition: no "
		    "partition was made for their day, or a "
		    "clock is wrong");
	k->pause_ms = EVERY_MS;
	return flow_again(f);
}
