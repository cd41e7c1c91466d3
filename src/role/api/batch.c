/*
 * POST /tasks/batch: accept many tasks, each for itself.
 *
 * All of them are one statement in one transaction. Should the database refuse
 * the data of one, nothing of it was done: then halves are tried on their own
 * until the culprit stands alone, and the others are accepted all the same.
 */
#include <assert.h>
#include <stdio.h>

#include "accept.h"
#include "api.h"
#include "base/clock.h"
#include "base/metric.h"
#include "charge.h"
#include "announce.h"
#include "drafts.h"
#include "keyed.h"
#include "render.h"

/* Each split leaves one half behind: the logarithm of DRAFTS_MAX, and one. */
#define RANGES_MAX 12

struct range {
	size_t from, to; /* of the drafts; to is beyond the last one */
};

struct outcome {
	const struct refusal *refused; /* NULL: accepted, if done */
	struct task_accepted accepted;
	bool done;
};

struct batch {
	struct api_call call;
	struct drafts drafts;
	struct outcome *outcome; /* of each draft */
	size_t naccepted;
	struct task_request request;
	bool keyed, replayed;
	struct range todo[RANGES_MAX]; /* the next one is the last */
	size_t ntodo;
	struct range at; /* what insert tries */
	struct pg_call *insert;
};

static flow_step count_items, parse_drafts, insert_range, note_range, announce;
static void batch_end(struct flow *, enum err);

static const struct step batch_steps[] = {
	STEP(api_authenticate),
	STEP(count_items), /* what it costs */
	STEP(api_charge),
	STEP(api_admit),
	STEP(parse_drafts),
	STEP(insert_range), /* the promise; most often once */
	STEP(note_range),
	STEP(announce), /* the shortcut */
	STEP_LAST,
};

const struct flow_def batch_flow = {
	.name = "batch",
	.size = sizeof(struct batch),
	.steps = batch_steps,
	.end = batch_end,
};

static enum flow_next
count_items(struct flow *f)
{
	struct batch *b = (struct batch *)f;
	struct api_call *c = &b->call;

	if (api_is_limited(c))
		c->cost =
		    (int64_t)drafts_count(http_body(c->http.req), &f->arena);
	return FLOW_NEXT;
}

static enum flow_next
parse_drafts(struct flow *f)
{
	struct batch *b = (struct batch *)f;
	struct api_call *c = &b->call;
	const struct draft_base base = { api_app(c)->conf, clock_wall_us(),
		&f->arena };
	const char *trace = accept_traceparent(c);
	struct drafts *d = &b->drafts;
	enum err err = http_expect_json(c->http.req, &c->fault);

	if (err == OK)
		err = drafts_parse(http_body(c->http.req), &base, d, &c->fault);
	if (err == OK)
		err = keyed_request(c, "POST /tasks/batch", &b->request);
	if (err != OK)
		return flow_check(f, err);
	b->keyed = keyed_any(&b->request, d->draft, d->n);
	http_note_int(c->http.req, "tasks", (int64_t)d->nitems);
	if (d->n == 0)
		return FLOW_END;
	for (size_t i = 0; i < d->n; i++)
		accept_draft(c, trace, i, &d->draft[i]);
	b->outcome = arena_zalloc(&f->arena, d->n * sizeof(*b->outcome));
	b->todo[b->ntodo++] = (struct range){ 0, d->n };
	return FLOW_NEXT;
}

/* ---- the promise ---- */
static enum flow_next
insert_range(struct flow *f)
{
	struct batch *b = (struct batch *)f;
	struct pg *pg = api_app(&b->call)->pg;
	const struct task_draft *from;

	b->at = b->todo[--b->ntodo];
	from = b->drafts.draft + b->at.from;
	b->insert = b->keyed
	    ? tasks_insert_keyed(pg, from, b->at.to - b->at.from, &b->request)
	    : tasks_insert(pg, from, b->at.to - b->at.from);
	return pg_try(b->insert, f);
}

/* An error is one of the whole request. */
static enum err
note_keyed_one(struct batch *b, size_t i)
{
	struct arena *a = &b->call.http.flow.arena;
	struct outcome *o = &b->outcome[i];
	struct task_keyed k;
	struct fault why;
	enum err err;

	tasks_keyed(b->insert, i - b->at.from, &k);
	err = keyed_outcome(&k, a, &b->drafts.draft[i], &o->accepted, &why);
	if (err != OK && err != ERR_KEY_HELD) {
		b->call.fault = why;
		return err;
	}
	if (err != OK)
		o->refused = refusal_new(a, err, &why);
	b->naccepted += err == OK;
	if (err == OK && !k.replayed)
		metric_count(METRIC_SUBMITTED + b->drafts.draft[i].priority, 1);
	b->replayed |= k.replayed;
	o->done = true;
	return OK;
}

static enum err
note_keyed(struct batch *b)
{
	enum err err = OK;

	for (size_t i = b->at.from; i < b->at.to && err == OK; i++)
		err = note_keyed_one(b, i);
	return err;
}

static void
note_accepted(struct batch *b)
{
	struct range r = b->at;

	for (size_t i = r.from; i < r.to; i++) {
		accept_result(b->insert, i - r.from, &b->drafts.draft[i],
		    &b->outcome[i].accepted);
		b->outcome[i].done = true;
		metric_count(METRIC_SUBMITTED + b->drafts.draft[i].priority, 1);
	}
	b->naccepted += r.to - r.from;
}

/* The first half is tried next. */
static void
split(struct batch *b)
{
	struct range r = b->at;
	size_t middle = r.from + (r.to - r.from) / 2;

	assert(b->ntodo + 2 <= RANGES_MAX);
	b->todo[b->ntodo++] = (struct range){ middle, r.to };
	b->todo[b->ntodo++] = (struct range){ r.from, middle };
}

/* Alone, and the database does not take it. */
static void
note_culprit(struct batch *b)
{
	struct fault why;
	enum err err = fault_set(&why, ERR_DATA, "",
	    "the database refuses the task: %s", pg_call_message(b->insert));

	b->outcome[b->at.from].refused =
	    refusal_new(&b->call.http.flow.arena, err, &why);
	b->outcome[b->at.from].done = true;
}

/* Some are accepted, so that the request has not failed; but the database does
 * not answer any more. */
static void
give_up_rest(struct batch *b, enum err err)
{
	const struct fault why = { "", "", "" };
	const struct refusal *rest =
	    refusal_new(&b->call.http.flow.arena, err, &why);

	for (size_t i = 0; i < b->drafts.n; i++)
		if (!b->outcome[i].done)
			b->outcome[i].refused = rest;
	b->ntodo = 0;
}

/* What an Idempotency-Key stands for is one transaction. */
static enum err
refuse_whole(struct batch *b, enum err err)
{
	if (err == ERR_DATA)
		fault_set(&b->call.fault, err, "",
		    "the database refuses one of the tasks: %s",
		    pg_call_message(b->insert));
	return err;
}

static enum flow_next
note_keyed_range(struct batch *b)
{
	struct flow *f = &b->call.http.flow;
	enum err err = note_keyed(b);

	if (err != OK)
		return flow_check(f, err);
	return b->ntodo > 0 ? flow_goto(f, insert_range) : FLOW_NEXT;
}

static enum flow_next
note_range(struct flow *f)
{
	struct batch *b = (struct batch *)f;
	enum err err = keyed_failed(b->insert, pg_call_err(b->insert));

	if (err == OK && b->keyed)
		return note_keyed_range(b);
	if (err == OK)
		note_accepted(b);
	else if (b->request.key != NULL)
		return flow_check(f, refuse_whole(b, err));
	else if (err == ERR_DATA && b->at.to - b->at.from > 1)
		split(b);
	else if (err == ERR_DATA)
		note_culprit(b);
	else if (b->naccepted == 0)
		return flow_check(f, err);
	else
		give_up_rest(b, err);
	return b->ntodo > 0 ? flow_goto(f, insert_range) : FLOW_NEXT;
}

/* ---- the shortcut ---- */

static bool
any_is_soon(const struct batch *b)
{
	const struct outcome *o = b->outcome, *end = o + b->drafts.n;

	for (; o < end; o++)
		if (o->refused == NULL &&
		    accept_is_soon(&b->call, &o->accepted))
			return true;
	return false;
}

static enum flow_next
announce(struct flow *f)
{
	struct batch *b = (struct batch *)f;
	struct announcer *to = api_announcer(api_app(&b->call));
	const struct task_draft *d = b->drafts.draft;
	const struct outcome *o = b->outcome;

	if (b->replayed)
		return FLOW_NEXT;
	for (size_t i = 0; i < b->drafts.n; i++)
		if (o[i].refused == NULL && o[i].accepted.status == TASK_QUEUED)
			announce_ready(to, d[i].priority, d[i].queue, &d[i].id);
	if (any_is_soon(b))
		accept_tell_scheduler(&b->call);
	return FLOW_NEXT;
}

/* ---- the answer ---- */
static void
write_refused(struct jsn_w *w, size_t i, const struct refusal *r)
{
	char where[32];

	metric_count(METRIC_ITEMS_REFUSED + (unsigned)r->err, 1);
	snprintf(where, sizeof(where), "/tasks/%zu", i);
	jsn_w_open(w, '{');
	jsn_w_key(w, "error");
	problem_embed(w, r->err, &r->fault, where);
	jsn_w_close(w, '}');
}

static void
write_items(const struct batch *b, struct jsn_w *w)
{
	const struct drafts *d = &b->drafts;
	const struct refusal *r;
	size_t i, k = 0; /* item i is draft k, if it is one */

	for (i = 0; i < d->nitems; i++) {
		r = d->item[i] != NULL ? d->item[i] : b->outcome[k].refused;
		if (r != NULL)
			write_refused(w, i, r);
		else
			render_accepted(
			    w, &d->draft[k], &b->outcome[k].accepted);
		k += d->item[i] == NULL;
	}
}

static void
batch_end(struct flow *f, enum err err)
{
	struct batch *b = (struct batch *)f;
	size_t n = b->drafts.nitems;
	struct buf body;
	struct jsn_w w;

	if (err != OK && b->naccepted == 0) {
		api_refuse(&b->call, err);
		return;
	}
	if (b->replayed)
		keyed_note_replay(&b->call);
	/* What was accepted is not undone by what came after it. */
	if (err != OK)
		give_up_rest(b, err);
	api_body_init(&body);
	jsn_w_init(&w, &body);
	jsn_w_open(&w, '{');
	jsn_w_key(&w, "tasks");
	jsn_w_open(&w, '[');
	write_items(b, &w);
	jsn_w_close(&w, ']');
	jsn_w_key(&w, "accepted");
	jsn_w_int(&w, (int64_t)b->naccepted);
	jsn_w_key(&w, "refused");
	jsn_w_int(&w, (int64_t)(n - b->naccepted));
	jsn_w_close(&w, '}');
	api_reply(&b->call,
	    b->naccepted == n      ? 201
		: b->naccepted > 0 ? 200
				   : 422,
	    &body);
}
