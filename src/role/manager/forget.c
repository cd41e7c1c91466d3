/* Keys of submits that nobody needs any more go, a bounded part at a time: an
 * Idempotency-Key when its time is over, a unique_key when the task that had it
 * is final. Nothing depends on it but the size of the tables. */
#include "manager.h"
#include "task/keyed.h"

#define EVERY_MS (10 * 1000)
#define PART 5000 /* rows in one transaction */
#define UNIQUE_MAX 2000 /* looked at in one transaction */

/* How far the walk over the unique keys has come; lives as long as the flow. */
struct place {
	struct id user;
	char key[UNIQUE_KEY_SIZE];
};

struct forgetting {
	struct duty_flow duty;
	struct place place;
	bool more; /* than one part */
	struct pg_call *call;
};

static flow_step pause_between, sweep_idempotency, sweep_unique, note_place;

static const struct step forget_steps[] = {
	STEP(pause_between),
	STEP(sweep_idempotency),
	STEP(sweep_unique),
	STEP(note_place),
	STEP_LAST,
};

static const struct flow_def forget_flow = {
	.name = "forget",
	.size = sizeof(struct forgetting),
	.steps = forget_steps,
	.end = duty_end,
};

void
forget_start(struct manager *m)
{
	duty_start(&m->forget, &forget_flow);
}

static enum flow_next
pause_between(struct flow *f)
{
	struct forgetting *k = (struct forgetting *)f;

	return signal_wait(f, &k->duty.duty->wake, EVERY_MS);
}

static enum flow_next
sweep_idempotency(struct flow *f)
{
	struct forgetting *k = (struct forgetting *)f;
	struct manager *m = k->duty.duty->manager;

	if (!leads(m))
		return flow_again(f);
	k->call = keys_sweep_idempotency(m->app->pg, PART);
	return pg_try(k->call, f);
}

static enum flow_next
sweep_unique(struct flow *f)
{
	struct forgetting *k = (struct forgetting *)f;

	k->more = pg_call_err(k->call) == OK &&
	    keys_swept_idempotency(k->call) == PART;
	k->call = keys_sweep_unique(k->duty.duty->manager->app->pg,
	    &k->place.user, span_of(k->place.key), UNIQUE_MAX);
	return pg_try(k->call, f);
}

static void
go_on_after(struct place *p, struct span key)
{
	size_t n = key.len < sizeof(p->key) ? key.len : sizeof(p->key) - 1;

	memcpy(p->key, key.p, n);
	p->key[n] = '\0';
}

/* From the beginning again after the last one. */
static enum flow_next
note_place(struct flow *f)
{
	struct forgetting *k = (struct forgetting *)f;
	struct place *p = &k->place;
	struct span key;
	int64_t gone;

	if (k->more)
		signal_raise(&k->duty.duty->wake);
	if (pg_call_err(k->call) != OK)
		return flow_again(f);
	if (keys_swept_unique(k->call, &p->user, &key, &gone))
		go_on_after(p, key);
	else
		memset(p, 0, sizeof(*p));
	return flow_again(f);
}
