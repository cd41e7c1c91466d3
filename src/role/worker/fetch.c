/*
 * Waiting at the lists. While the worker is idle, one BLMOVE stands at each
 * queue on both servers, each on a connection of its own; what comes goes into
 * the processing list in the same step, so it cannot be lost between the two.
 * While there is much to do the claim loop takes batches and nobody waits.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker.h"

#define MARGIN_MS 2000
#define DOWN_MS 200
#define MAX_PENDING (1024 * 1024)

struct fetch {
	struct worker *worker;
	struct redis *redis;
	enum task_priority server;
	const char *queue;
	struct flow_signal go;
	struct flow *flow;
};

struct fetching {
	struct flow flow;
	struct fetch *fetch;
	struct id name; /* of the worker when it asked */
	struct redis_call *call;
};

static flow_step await_idle, stand_at_list, take_over, begin_again;
static void fetch_end(struct flow *, enum err);

static const struct step fetch_steps[] = {
	STEP(await_idle),
	STEP(stand_at_list),
	STEP(take_over),
	STEP(begin_again),
	STEP_LAST,
};

static const struct flow_def fetch_flow = {
	.name = "fetch",
	.size = sizeof(struct fetching),
	.steps = fetch_steps,
	.end = fetch_end,
};

static bool
wanted(const struct worker *w)
{
	return !w->hot && w->ntaken == 0 && worker_free_slots(w) > 0 &&
	    !w->draining;
}

static enum flow_next
await_idle(struct flow *f)
{
	struct fetch *fetch = ((struct fetching *)f)->fetch;

	if (wanted(fetch->worker))
		return FLOW_NEXT;
	flow_then(f, await_idle);
	return signal_wait(f, &fetch->go, 0);
}

static enum flow_next
stand_at_list(struct flow *f)
{
	struct fetching *k = (struct fetching *)f;
	struct fetch *fetch = k->fetch;

	k->name = fetch->worker->id;
	k->call =
	    queue_wait(fetch->redis, fetch->queue, &k->name, WAIT_SECONDS);
	redis_call_timeout_ms(k->call, WAIT_SECONDS * 1000 + MARGIN_MS);
	return redis_try(k->call, f);
}

static enum flow_next
take_over(struct flow *f)
{
	struct fetching *k = (struct fetching *)f;
	struct worker *w = k->fetch->worker;
	struct id id;

	/* Out of memory, BLMOVE is refused, but our script is not: without it
	 * a full server could never be emptied. */
	if (redis_call_err(k->call) == ERR_OVERLOADED) {
		w->hot = true;
		signal_raise(&w->wake);
	} else if (redis_call_err(k->call) != OK) {
		/* It may have been done, and the answer lost. */
		resync_want(w, k->fetch->server);
	}
	if (redis_call_err(k->call) != OK)
		return flow_sleep_ms(f, DOWN_MS);
	/* Under our old name it belongs to the scanner, who looks there. */
	if (queue_ids(redis_reply(k->call, 0), &id, 1) == 1 &&
	    id_cmp(&k->name, &w->id) == 0 && !w->draining) {
		work_take(w, &id, k->fetch->server, k->fetch->queue);
		signal_raise(&w->wake);
	}
	return FLOW_NEXT;
}

static enum flow_next
begin_again(struct flow *f)
{
	return flow_again(f);
}

static void
fetch_end(struct flow *f, enum err err)
{
	(void)err;
	((struct fetching *)f)->fetch->flow = NULL;
}

static void
open_one(struct worker *w, enum task_priority server, const char *queue)
{
	const struct conf *conf = w->app->conf;
	struct fetch *fetch = xcalloc(1, sizeof(*fetch));
	char name[96], err[256];
	struct redis_conf rc = { .url = server == PRIORITY_HIGH
		    ? conf->redis_high_url
		    : conf->redis_low_url,
		.name = name,
		.timeout_ms = conf->redis_timeout_ms,
		.max_pending_bytes = MAX_PENDING };

	snprintf(name, sizeof(name), "%s-wait:%s", task_priority_name(server),
	    queue);
	fetch->worker = w;
	fetch->server = server;
	fetch->queue = queue;
	signal_init(&fetch->go, w->app->loop);
	fetch->redis =
	    redis_open(w->app->loop, w->app->threads, &rc, err, sizeof(err));
	assert(fetch->redis != NULL); /* the app opened the same URL */
	fetch->flow = flow_new(w->app->loop, &fetch_flow);
	((struct fetching *)fetch->flow)->fetch = fetch;
	w->fetches[w->nfetches++] = fetch;
	flow_go(fetch->flow);
}

void
fetch_start(struct worker *w)
{
	int i;

	for (i = 0; i < w->nqueues; i++) {
		open_one(w, PRIORITY_HIGH, w->queues[i]);
		open_one(w, PRIORITY_LOW, w->queues[i]);
	}
}

void
fetch_wake(struct worker *w)
{
	int i;

	if (!wanted(w))
		return;
	for (i = 0; i < w->nfetches; i++)
		signal_raise(&w->fetches[i]->go);
}

/* The server may have given us an id that never arrived: leave.c looks into the
 * processing lists at the end. */
void
fetch_stop(struct worker *w)
{
	struct fetch *fetch;
	int i;

	for (i = 0; i < w->nfetches; i++) {
		fetch = w->fetches[i];
		if (fetch->flow != NULL)
			flow_abort(fetch->flow, ERR_SHUTDOWN);
		redis_close(fetch->redis);
		fetch->redis = NULL;
	}
}

void
fetch_fini(struct worker *w)
{
	int i;

	for (i = 0; i < w->nfetches; i++) {
		assert(w->fetches[i]->flow == NULL);
		signal_fini(&w->fetches[i]->go);
		free(w->fetches[i]);
	}
	w->nfetches = 0;
}
