#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/idmap.h"
#include "base/log.h"
#include "denied.h"
#include "task/queue.h"

#define LOOK_MS 5000
#define ALL_MS (15 * 60 * 1000) /* what is old is forgotten then */
#define USERS_MAX 100000
/* A change counts from the beginning of its transaction, and is seen after its
 * end. */
#define OVERLAP_MS 60000

struct denial {
	bool disabled;
	int64_t tokens_after_us;
};

struct denied {
	struct pg *pg;
	struct redis *redis;
	struct redis_listener *listener;
	struct flow_signal wake;
	struct flow *look;
	struct idmap users; /* struct denial */
	uint64_t notes; /* of our own so far */
	int64_t token_ttl_ms;
	int64_t looked_us; /* began; monotonic; 0: not yet */
	int64_t all_us; /* the same, for all of it */
};

/* A token counts as made in the whole second in which its user was disabled:
 * it is refused. POST /login makes those of the second with the next one. */
bool
denied_has(const struct denied *d, const struct caller *c)
{
	const struct denial *u;

	if (d == NULL || d->users.used == 0)
		return false;
	u = idmap_get(&d->users, &c->user_id);
	return u != NULL &&
	    (u->disabled ||
		(u->tokens_after_us != 0 &&
		    c->issued_s <= u->tokens_after_us / US_PER_S));
}

static void
put(struct idmap *users, const struct user_change *u)
{
	struct denial *old = idmap_get(users, &u->id);
	struct denial *new = old != NULL ? old : xcalloc(1, sizeof(*new));

	new->disabled = u->disabled;
	new->tokens_after_us = u->tokens_after_us;
	if (old == NULL)
		idmap_put(users, &u->id, new);
}

static void
forget(struct idmap *users)
{
	const struct idmap_slot *slot;
	size_t at = 0;

	while ((slot = idmap_next(users, &at)) != NULL)
		free(slot->value);
	idmap_fini(users);
}

void
denied_note(struct denied *d, const struct user_change *u)
{
	if (d == NULL)
		return;
	put(&d->users, u);
	d->notes++;
	redis_send(signal_access(d->redis));
}

/* ---- looking ---- */
struct look {
	struct flow flow;
	struct denied *denied; /* NULL: closed */
	struct pg_call *call;
	int64_t began_us;
	uint64_t notes;
	bool all;
};

static flow_step await_news, ask_changes, take_changes;
static void look_end(struct flow *, enum err);

static const struct step look_steps[] = {
	STEP(await_news),
	STEP(ask_changes),
	STEP(take_changes),
	STEP_LAST,
};

static const struct flow_def look_flow = {
	.name = "denied",
	.size = sizeof(struct look),
	.steps = look_steps,
	.end = look_end,
};

static enum flow_next
await_news(struct flow *f)
{
	return signal_wait(f, &((struct look *)f)->denied->wake, LOOK_MS);
}

static enum flow_next
ask_changes(struct flow *f)
{
	struct look *k = (struct look *)f;
	struct denied *d = k->denied;
	int64_t within_ms;

	k->notes = d->notes;
	k->began_us = clock_mono_us();
	k->all =
	    d->looked_us == 0 || k->began_us - d->all_us > ALL_MS * US_PER_MS;
	within_ms =
	    k->all ? d->token_ttl_ms : (k->began_us - d->looked_us) / US_PER_MS;
	k->call =
	    users_changed(d->pg, within_ms + 2 * OVERLAP_MS, k->all, USERS_MAX);
	return pg_try(k->call, f);
}

/* Not if something was noted meanwhile, of which the answer may not know. */
static void
take(struct denied *d, const struct look *k)
{
	struct user_change u;
	int row;

	if (k->all) {
		forget(&d->users);
		idmap_init(&d->users);
		d->all_us = k->began_us;
	}
	d->looked_us = k->began_us;
	if (pg_rows(k->call) == USERS_MAX)
		log_warn("api", "more users are disabled than are remembered",
		    KV_INT("users", USERS_MAX));
	for (row = 0; row < pg_rows(k->call); row++) {
		users_change(k->call, row, &u);
		put(&d->users, &u);
	}
}

static enum flow_next
take_changes(struct flow *f)
{
	struct look *k = (struct look *)f;
	struct denied *d = k->denied;

	if (pg_call_err(k->call) == OK && k->notes == d->notes)
		take(d, k);
	else if (pg_call_err(k->call) == OK)
		signal_raise(&d->wake);
	return flow_again(f);
}

static void
look_end(struct flow *f, enum err err)
{
	assert(((struct look *)f)->denied == NULL && err != OK);
	(void)f;
	(void)err;
}

/* ---- open and close ---- */
static void
on_news(void *arg, struct span message)
{
	struct denied *d = arg;

	(void)message;
	signal_raise(&d->wake);
}

struct denied *
denied_open(
    struct loop *l, struct pg *pg, struct redis *high, int64_t token_ttl_ms)
{
	struct denied *d = xcalloc(1, sizeof(*d));

	d->pg = pg;
	d->redis = high;
	d->token_ttl_ms = token_ttl_ms;
	idmap_init(&d->users);
	signal_init(&d->wake, l);
	signal_raise(&d->wake);
	d->listener = redis_listen(high, SIGNAL_ACCESS, on_news, d);
	d->look = flow_new(l, &look_flow);
	((struct look *)d->look)->denied = d;
	flow_go(d->look);
	return d;
}

void
denied_close(struct denied *d)
{
	redis_unlisten(d->listener);
	((struct look *)d->look)->denied = NULL;
	flow_abort(d->look, ERR_SHUTDOWN);
	signal_fini(&d->wake);
	forget(&d->users);
	free(d);
}
