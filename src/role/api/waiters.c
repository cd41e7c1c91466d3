#include <assert.h>
#include <stdlib.h>

#include "base/crypt.h"
#include "task/queue.h"
#include "task/tasks.h"
#include "waiters.h"

#define WAITERS_MAX 10000
#define BUCKETS 4096 /* a power of 2 */
#define LOOK_MS 2000
#define LOOK_MAX 1000 /* ids in one statement */

TAILQ_HEAD(waiter_list, waiter);

struct waiters {
	struct loop *loop;
	struct pg *pg;
	struct redis_listener *listener;
	struct flow *look;
	bool draining;
	size_t n;
	/* Clients choose the ids that they wait for, but not the buckets. */
	uint64_t hash_key[2];
	struct waiter_list all; /* in turn: who was looked up goes last */
	struct waiter_list bucket[BUCKETS];
};

static struct waiter_list *
bucket_of(struct waiters *ws, const struct id *id)
{
	uint64_t half[2], h;

	memcpy(half, id->b, sizeof(half));
	h = half[0] * ws->hash_key[0] + half[1] * ws->hash_key[1];
	return &ws->bucket[(h >> 32) % BUCKETS];
}

static void
wake(struct waiters *ws, const struct id *id)
{
	struct waiter *w;

	TAILQ_FOREACH (w, bucket_of(ws, id), bucket_link)
		if (id_cmp(&w->id, id) == 0)
			signal_raise(&w->settled);
}

/* ---- by signal ---- */

/* Ids, by spaces. It costs next to nothing while nobody waits. */
static void
on_settled(void *arg, struct span message)
{
	struct waiters *ws = arg;
	const char *p = message.p, *end = message.p + message.len;
	struct id id;

	if (ws->n == 0)
		return;
	for (; end - p >= ID_TEXT_LEN; p += ID_TEXT_SIZE) {
		if (id_parse(p, ID_TEXT_LEN, &id))
			wake(ws, &id);
		if (end - p < ID_TEXT_SIZE)
			break;
	}
}

/* ---- by the clock ---- */

struct look {
	struct flow flow;
	struct waiters *waiters; /* NULL: closed */
	struct pg_call *call;
	size_t left; /* of the round: not looked up yet */
	size_t n;
	struct id ids[LOOK_MAX];
};

static flow_step pause_look, ask_settled, wake_settled;
static void look_end(struct flow *, enum err);

static const struct step look_steps[] = {
	STEP(pause_look),
	STEP(ask_settled), /* again, until the round is over */
	STEP(wake_settled),
	STEP_LAST,
};

static const struct flow_def look_flow = {
	.name = "look",
	.size = sizeof(struct look),
	.steps = look_steps,
	.end = look_end,
};

static enum flow_next
pause_look(struct flow *f)
{
	return flow_sleep_ms(f, LOOK_MS);
}

static enum flow_next
ask_settled(struct flow *f)
{
	struct look *k = (struct look *)f;
	struct waiters *ws = k->waiters;
	struct waiter *w;

	if (k->left == 0 || k->left > ws->n)
		k->left = ws->n;
	if (k->left == 0)
		return flow_again(f);
	for (k->n = 0; k->n < LOOK_MAX && k->left > 0; k->left--) {
		w = TAILQ_FIRST(&ws->all);
		TAILQ_REMOVE(&ws->all, w, link);
		TAILQ_INSERT_TAIL(&ws->all, w, link);
		k->ids[k->n++] = w->id;
	}
	k->call = tasks_settled_of(ws->pg, k->ids, k->n);
	return pg_try(k->call, f);
}

/* An error is not worth a word: in two seconds we look again. */
static enum flow_next
wake_settled(struct flow *f)
{
	struct look *k = (struct look *)f;
	int row;

	if (pg_call_err(k->call) != OK)
		return flow_again(f);
	for (row = 0; row < pg_rows(k->call); row++)
		wake(k->waiters, &k->ids[pg_row_input(k->call, row)]);
	return k->left > 0 ? flow_goto(f, ask_settled) : flow_again(f);
}

static void
look_end(struct flow *f, enum err err)
{
	struct look *k = (struct look *)f;

	assert(k->waiters == NULL && err != OK);
	(void)k;
	(void)err;
}

static struct flow *
start_look(struct waiters *ws)
{
	struct flow *f = flow_new(ws->loop, &look_flow);

	((struct look *)f)->waiters = ws;
	flow_go(f);
	return f;
}

/* ---- open and close ---- */
struct waiters *
waiters_open(struct loop *l, struct pg *pg, struct redis *redis)
{
	struct waiters *ws = xcalloc(1, sizeof(*ws));
	size_t i;

	ws->loop = l;
	ws->pg = pg;
	TAILQ_INIT(&ws->all);
	for (i = 0; i < BUCKETS; i++)
		TAILQ_INIT(&ws->bucket[i]);
	ws->hash_key[0] = crypt_random_u64() | 1;
	ws->hash_key[1] = crypt_random_u64() | 1;
	ws->look = start_look(ws);
	ws->listener = redis_listen(redis, SIGNAL_SETTLED, on_settled, ws);
	return ws;
}

void
waiters_drain(struct waiters *ws)
{
	struct waiter *w;

	ws->draining = true;
	TAILQ_FOREACH (w, &ws->all, link)
		signal_raise(&w->settled);
}

static void
unlink_waiter(struct waiter *w)
{
	struct waiters *ws = w->of;

	TAILQ_REMOVE(&ws->all, w, link);
	TAILQ_REMOVE(bucket_of(ws, &w->id), w, bucket_link);
	ws->n--;
	w->of = NULL;
}

void
waiters_close(struct waiters *ws)
{
	struct waiter *w;

	redis_unlisten(ws->listener);
	((struct look *)ws->look)->waiters = NULL;
	flow_abort(ws->look, ERR_SHUTDOWN);
	waiters_drain(ws);
	while ((w = TAILQ_FIRST(&ws->all)) != NULL)
		unlink_waiter(w);
	free(ws);
}

/* ---- one that waits ---- */
bool
waiter_join(
    struct waiters *ws, struct waiter *w, struct loop *l, const struct id *id)
{
	if (ws == NULL || ws->draining || ws->n >= WAITERS_MAX)
		return false;
	w->of = ws;
	w->joined = true;
	w->id = *id;
	signal_init(&w->settled, l);
	TAILQ_INSERT_TAIL(&ws->all, w, link);
	TAILQ_INSERT_TAIL(bucket_of(ws, id), w, bucket_link);
	ws->n++;
	return true;
}

void
waiter_leave(struct waiter *w)
{
	if (w->of != NULL)
		unlink_waiter(w);
	if (w->joined)
		signal_fini(&w->settled);
	w->joined = false;
}

enum flow_next
waiter_wait(struct flow *f, struct waiter *w, int64_t ms)
{
	assert(ms > 0);
	return signal_wait(f, &w->settled, ms);
}

bool
waiter_may_wait(const struct waiter *w)
{
	return w->of != NULL && !w->of->draining;
}
