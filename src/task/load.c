/* How much there is to do, and how many workers that wants. */
#include <stdio.h>

#include "base/jsn.h"
#include "sql.h"
#include "task/load.h"
#include "task/queue.h"

#define INFLIGHT_PREFIX "taskflow:inflight:"
#define INFLIGHT_MARK "taskflow:inflight-counted"
#define INFLIGHT_KEY_SIZE (sizeof(INFLIGHT_PREFIX) + TASK_NAME_MAX)
#define MEMBERS_MAX 32 /* of a heartbeat */
#define QUEUES_MAX 256 /* of a worker */

static struct redis_script inflight_script = { "inflight", lua_inflight, "" };

static int64_t
ceil_div(int64_t n, int64_t by)
{
	return n / by + (n % by > 0);
}

int64_t
load_wanted(const struct load *l, const struct load_scale *s)
{
	int64_t queue = ceil_div(l->high + l->low, s->target);
	int64_t busy = ceil_div(l->in_flight, s->concurrency);
	int64_t wanted = queue > busy ? queue : busy;

	if (wanted > s->max)
		wanted = s->max;
	return wanted < s->min ? s->min : wanted;
}

/* ---- asking ---- */
static const char *
inflight_key(char buf[INFLIGHT_KEY_SIZE], const char *queue)
{
	snprintf(buf, INFLIGHT_KEY_SIZE, "%s%s", INFLIGHT_PREFIX, queue);
	return buf;
}

struct redis_call *
load_ask_low(struct redis *r, const char *queue)
{
	struct redis_call *c = queue_length(r, queue);

	epoch_add(c);
	return c;
}

/* An epoch: the server still has the lists that it was given. */
bool
load_low(const struct redis_call *c, struct load *ret)
{
	ret->low = redis_reply(c, 0)->integer;
	return redis_reply(c, 1)->type == REPLY_STR;
}

struct redis_call *
load_ask_high(struct redis *r, const char *queue)
{
	struct redis_call *c = queue_length(r, queue);
	char key[INFLIGHT_KEY_SIZE];

	epoch_add(c);
	redis_cmd(c, "LLEN", inflight_key(key, queue), NULL);
	redis_cmd(c, "EXISTS", INFLIGHT_MARK, NULL);
	return c;
}

bool
load_high(const struct redis_call *c, struct load *ret)
{
	ret->high = redis_reply(c, 0)->integer;
	ret->in_flight = redis_reply(c, 2)->integer;
	return redis_reply(c, 1)->type == REPLY_STR &&
	    redis_reply(c, 3)->integer == 1;
}

/* ---- counting ---- */
static void
add_to_queue(struct inflight *in, const char *queue, size_t len, int64_t tasks)
{
	size_t i;

	if (!task_name_ok(queue, len))
		return;
	for (i = 0; i < in->n; i++)
		if (strlen(in->of[i].queue) == len &&
		    memcmp(in->of[i].queue, queue, len) == 0)
			break;
	if (i == INFLIGHT_QUEUES)
		return;
	if (i == in->n) {
		memcpy(in->of[i].queue, queue, len);
		in->of[i].queue[len] = '\0';
		in->of[i].tasks = 0;
		in->n++;
	}
	in->of[i].tasks += tasks;
	if (in->of[i].tasks > INFLIGHT_MAX)
		in->of[i].tasks = INFLIGHT_MAX;
}

static void
add_to_queues(struct inflight *in, const struct jsn_value *names, int64_t tasks)
{
	struct jsn_value *name;
	struct fault fault;
	struct arena arena;
	size_t i, n, len;
	char *queue;

	arena_init(&arena);
	if (names->type == JSN_ARRAY &&
	    jsn_array(names->text, &arena, QUEUES_MAX, &name, &n, &fault) == OK)
		for (i = 0; i < n; i++)
			if (jsn_get_str(
				&name[i], &arena, TASK_NAME_MAX, &queue, &len))
				add_to_queue(in, queue, len, tasks);
	arena_fini(&arena);
}

void
inflight_add(struct inflight *in, struct span heartbeat, int64_t taken)
{
	struct jsn_member members[MEMBERS_MAX];
	const struct jsn_value *names, *most;
	struct fault fault;
	int64_t concurrency;
	size_t n;

	if (jsn_object(heartbeat, members, MEMBERS_MAX, &n, &fault) != OK)
		return;
	names = jsn_find(members, n, "queues");
	most = jsn_find(members, n, "concurrency");
	if (names != NULL && most != NULL && jsn_get_int(most, &concurrency))
		add_to_queues(
		    in, names, taken < concurrency ? taken : concurrency);
}

struct redis_call *
inflight_write(struct redis *r, const struct inflight *in)
{
	struct redis_call *c = redis_call_new(r);
	char key[INFLIGHT_KEY_SIZE];
	size_t i;

	redis_begin_script(c, &inflight_script, in->n + 1, in->n + 1);
	redis_arg_str(c, INFLIGHT_MARK);
	for (i = 0; i < in->n; i++)
		redis_arg_str(c, inflight_key(key, in->of[i].queue));
	redis_arg_int(c, INFLIGHT_TTL_MS);
	for (i = 0; i < in->n; i++)
		redis_arg_int(c, in->of[i].tasks);
	return c;
}
