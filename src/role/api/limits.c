/* Limits of users in memory, and buckets for when Redis is away. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "api.h"
#include "base/clock.h"
#include "base/metric.h"
#include "base/idmap.h"
#include "limits.h"

#define LOOK_MS 2000
/* A change is dated before its commit, which may take a while. */
#define OVERLAP_MS 30000
#define FOR_EVER_MS (100LL * 365 * 86400 * 1000)
/* Users with limits of their own; who comes later has the default's. */
#define OWN_MAX 100000
/* Users who are counted here; who was not seen for longest is forgotten. */
#define LOCAL_MAX 10000
#define MAX_PENDING (16 * 1024 * 1024)

/* What a user has of his own, or else the default's. */
struct own {
	bool has[LIMIT_KINDS];
	struct rate rate[LIMIT_KINDS];
};

struct local {
	TAILQ_ENTRY(local) link;
	struct id user;
	struct rate_bucket bucket[LIMIT_KINDS];
};

struct limits {
	const struct app *app;
	struct redis *redis; /* NULL: nobody has been limited yet */
	struct rate rate[LIMIT_KINDS]; /* of everybody else */
	struct idmap own; /* of struct own */
	bool own_is_full;
	struct flow *look;
	int64_t
	    read_us; /* as of then, own is what the database has; 0: never */
	bool is_away; /* redis-low did not answer the last one */
	struct idmap locals; /* of struct local */
	TAILQ_HEAD(, local) by_use; /* the last one used is the last */
};

/* ---- of whom ---- */
static void
parse_default(struct limits *l, enum limit_kind kind, const char *text)
{
	const char *why;

	/* The configuration has checked it. */
	if (!rate_parse(text, &l->rate[kind], &why))
		l->rate[kind].count = 0;
}

static void
forget_own(struct limits *l, const struct id *user)
{
	free(idmap_remove(&l->own, user));
}

static void
keep_own(struct limits *l, const struct id *user, const struct own *o)
{
	struct own *to = idmap_get(&l->own, user);

	if (to == NULL && l->own.used >= OWN_MAX) {
		if (!l->own_is_full)
			log_warn("rate",
			    "too many users have limits of "
			    "their own",
			    KV_INT("max", OWN_MAX));
		l->own_is_full = true;
		return;
	}
	if (to == NULL) {
		to = xmalloc(sizeof(*to));
		idmap_put(&l->own, user, to);
	}
	*to = *o;
}

static void
take_row(struct limits *l, const struct user_limits *row)
{
	struct own o = { .has = { false } };
	char text[RATE_TEXT_SIZE];
	const char *why;

	for (int k = 0; k < LIMIT_KINDS; k++) {
		snprintf(text, sizeof(text), "%.*s", (int)row->rate[k].len,
		    row->rate[k].p == NULL ? "" : row->rate[k].p);
		o.has[k] = rate_parse(text, &o.rate[k], &why);
	}
	if (o.has[LIMIT_SUBMIT] || o.has[LIMIT_READ])
		keep_own(l, &row->user, &o);
	else
		forget_own(l, &row->user);
}

bool
limits_of(const struct limits *l, const struct id *user, enum limit_kind kind,
    struct rate *ret)
{
	const struct own *o;

	if (l == NULL)
		return false;
	o = l->own.used > 0 ? idmap_get(&l->own, user) : NULL;
	*ret = o != NULL && o->has[kind] ? o->rate[kind] : l->rate[kind];
	return ret->count > 0;
}

/* ---- reading them, again and again ---- */
struct look {
	struct flow flow;
	struct limits *limits; /* NULL: closed */
	int64_t since_us; /* when this round began */
	struct id after;
	struct pg_call *page;
};

static flow_step read_defaults, read_page, take_page, pause_look, look_again;
static void look_end(struct flow *, enum err);

static const struct step look_steps[] = {
	STEP(read_defaults), /* SIGHUP may have changed them */
	STEP(read_page),
	STEP(take_page), /* as long as there is another one */
	STEP(pause_look),
	STEP(look_again),
	STEP_LAST,
};

static const struct flow_def look_flow = {
	.name = "limits",
	.size = sizeof(struct look),
	.steps = look_steps,
	.end = look_end,
};

static void
connect_if_needed(struct limits *l)
{
	const struct app *app = l->app;
	const struct redis_conf rc = { .url = app->conf->redis_low_url,
		.name = "low-rate",
		.timeout_ms = app->conf->rate_timeout_ms,
		.max_pending_bytes = MAX_PENDING };
	char why[256];

	if (l->redis != NULL ||
	    (l->rate[LIMIT_SUBMIT].count == 0 &&
		l->rate[LIMIT_READ].count == 0 && l->own.used == 0))
		return;
	/* The URL was good for the other connection. */
	l->redis = redis_open(app->loop, app->threads, &rc, why, sizeof(why));
}

static enum flow_next
read_defaults(struct flow *f)
{
	struct look *k = (struct look *)f;
	const struct conf *conf = k->limits->app->conf;

	parse_default(k->limits, LIMIT_SUBMIT, conf->rate_submit);
	parse_default(k->limits, LIMIT_READ, conf->rate_read);
	connect_if_needed(k->limits);
	k->since_us = clock_mono_us();
	memset(&k->after, 0, sizeof(k->after));
	return FLOW_NEXT;
}

static enum flow_next
read_page(struct flow *f)
{
	struct look *k = (struct look *)f;
	struct limits *l = k->limits;
	int64_t within = l->read_us == 0
	    ? FOR_EVER_MS
	    : (clock_mono_us() - l->read_us) / US_PER_MS + OVERLAP_MS;

	k->page = limits_changed(l->app->pg, &k->after, within);
	return pg_try(k->page, f);
}

/* An error is not worth a word: in two seconds we look again. */
static enum flow_next
take_page(struct flow *f)
{
	struct look *k = (struct look *)f;
	struct user_limits row;
	int i;

	if (pg_call_err(k->page) != OK)
		return FLOW_NEXT;
	for (i = 0; i < pg_rows(k->page); i++) {
		limits_row(k->page, i, &row);
		take_row(k->limits, &row);
		k->after = row.user;
	}
	connect_if_needed(k->limits);
	if (i == LIMITS_PAGE) {
		arena_fini(&f->arena);
		arena_init(&f->arena);
		return flow_goto(f, read_page);
	}
	k->limits->read_us = k->since_us;
	return FLOW_NEXT;
}

static enum flow_next
pause_look(struct flow *f)
{
	return flow_sleep_ms(f, LOOK_MS);
}

static enum flow_next
look_again(struct flow *f)
{
	return flow_again(f);
}

static void
look_end(struct flow *f, enum err err)
{
	struct look *k = (struct look *)f;

	assert(k->limits == NULL && err != OK);
	(void)k;
	(void)err;
}

/* ---- Redis, and without it ---- */
struct redis *
limits_redis(const struct limits *l)
{
	/* Until it is there for the first time, the one that is. */
	return l->redis != NULL && redis_generation(l->redis) > 0
	    ? l->redis
	    : l->app->redis[PRIORITY_LOW];
}

void
limits_note(struct limits *l, enum err err)
{
	bool is_away = err != OK;

	if (is_away == l->is_away)
		return;
	l->is_away = is_away;
	if (!is_away)
		log_info("rate", "limits are counted in redis-low again");
	else if (l->app->conf->rate_fallback == RATE_REFUSE)
		log_warn("rate",
		    "redis-low does not answer: what is limited "
		    "is refused",
		    KV_STR("err", err_name(err)));
	else
		log_warn("rate",
		    "redis-low does not answer: limits are "
		    "counted by each process",
		    KV_STR("err", err_name(err)));
}

static struct local *
local_of(struct limits *l, const struct id *user)
{
	struct local *b = idmap_get(&l->locals, user);

	if (b != NULL) {
		TAILQ_REMOVE(&l->by_use, b, link);
	} else if (l->locals.used >= LOCAL_MAX) {
		b = TAILQ_FIRST(&l->by_use);
		TAILQ_REMOVE(&l->by_use, b, link);
		idmap_remove(&l->locals, &b->user);
		memset(b, 0, sizeof(*b));
	} else {
		b = xcalloc(1, sizeof(*b));
	}
	b->user = *user;
	idmap_put(&l->locals, user, b);
	TAILQ_INSERT_TAIL(&l->by_use, b, link);
	return b;
}

bool
limits_take(struct limits *l, const struct id *user, enum limit_kind kind,
    const struct rate *rate, int64_t cost, int64_t *ret_used)
{
	struct rate_bucket *b = &local_of(l, user)->bucket[kind];
	bool passed = rate_take(b, rate, cost, clock_mono_us() / US_PER_MS);

	metric_count(METRIC_RATE_LIMITS + LIMITED_LOCALLY, 1);
	*ret_used = b->used;
	return passed;
}

/* ---- open and close ---- */
struct limits *
limits_open(const struct app *app)
{
	struct limits *l = xcalloc(1, sizeof(*l));

	l->app = app;
	idmap_init(&l->own);
	idmap_init(&l->locals);
	TAILQ_INIT(&l->by_use);
	l->look = flow_new(app->loop, &look_flow);
	((struct look *)l->look)->limits = l;
	flow_go(l->look);
	return l;
}

void
limits_close(struct limits *l)
{
	const struct idmap_slot *slot;
	size_t at;

	((struct look *)l->look)->limits = NULL;
	flow_abort(l->look, ERR_SHUTDOWN);
	redis_close(l->redis);
	for (at = 0; (slot = idmap_next(&l->own, &at)) != NULL;)
		free(slot->value);
	for (at = 0; (slot = idmap_next(&l->locals, &at)) != NULL;)
		free(slot->value);
	idmap_fini(&l->own);
	idmap_fini(&l->locals);
	free(l);
}
