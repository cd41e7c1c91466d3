/* The Redis side: lists of ids. All key names of lists are made here. */
#include <stdio.h>
#include <stdlib.h>

#include "sql.h"
#include "task/queue.h"

#define QUEUE_PREFIX "taskflow:queue:"
#define PROCESSING_PREFIX "taskflow:processing:"
#define QUEUE_KEY_SIZE (sizeof(QUEUE_PREFIX) + TASK_NAME_MAX)
#define PROCESSING_KEY_SIZE (sizeof(PROCESSING_PREFIX) + ID_TEXT_LEN)

static struct redis_script take_script = { "take", lua_take, "" };
static struct redis_script give_back_script = { "give_back", lua_give_back,
	"" };
static struct redis_script drop_script = { "drop", lua_drop, "" };
static struct redis_script restore_script = { "restore", lua_restore, "" };

static const char *
queue_key(char buf[QUEUE_KEY_SIZE], const char *queue)
{
	snprintf(buf, QUEUE_KEY_SIZE, "%s%s", QUEUE_PREFIX, queue);
	return buf;
}

static const char *
processing_key(char buf[PROCESSING_KEY_SIZE], const struct id *worker)
{
	char text[ID_TEXT_SIZE];

	id_format(worker, text);
	snprintf(buf, PROCESSING_KEY_SIZE, "%s%s", PROCESSING_PREFIX, text);
	return buf;
}

struct redis_call *
queue_push(struct redis *r, const char *queue, const struct id *ids, size_t n,
    bool at_head)
{
	struct redis_call *c = redis_call_new(r);
	char key[QUEUE_KEY_SIZE];
	size_t i;

	redis_begin(c, n + 2);
	redis_arg_str(c, at_head ? "LPUSH" : "RPUSH");
	redis_arg_str(c, queue_key(key, queue));
	for (i = 0; i < n; i++)
		redis_arg_id(c, &ids[at_head ? n - 1 - i : i]);
	return c;
}

static int
by_queue_and_id(const void *a, const void *b)
{
	const struct queue_entry *x = a, *y = b;
	int order = strcmp(x->queue, y->queue);

	return order != 0 ? order : id_cmp(&x->id, &y->id);
}

/* Most often there is one queue, and ids come in the order of their making. */
static bool
is_sorted(const struct queue_entry *e, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (by_queue_and_id(&e[i - 1], &e[i]) > 0)
			return false;
	return true;
}

struct redis_call *
queue_push_many(struct redis *r, struct queue_entry *e, size_t n)
{
	struct redis_call *c = redis_call_new(r);
	const struct queue_entry *end = e + n, *next;
	char key[QUEUE_KEY_SIZE];

	if (!is_sorted(e, n))
		qsort(e, n, sizeof(*e), by_queue_and_id);
	while (e < end) {
		for (next = e + 1; next < end; next++)
			if (strcmp(next->queue, e->queue) != 0)
				break;
		redis_begin(c, (size_t)(next - e) + 2);
		redis_arg_str(c, "RPUSH");
		redis_arg_str(c, queue_key(key, e->queue));
		for (; e < next; e++)
			redis_arg_id(c, &e->id);
	}
	return c;
}

struct redis_call *
queue_wait(
    struct redis *r, const char *queue, const struct id *worker, int seconds)
{
	struct redis_call *c = redis_call_new(r);
	char from[QUEUE_KEY_SIZE], to[PROCESSING_KEY_SIZE], secs[16];

	snprintf(secs, sizeof(secs), "%d", seconds);
	redis_cmd(c, "BLMOVE", queue_key(from, queue),
	    processing_key(to, worker), "LEFT", "RIGHT", secs, NULL);
	return c;
}

struct redis_call *
queue_take(
    struct redis *r, const char *queue, const struct id *worker, size_t n)
{
	struct redis_call *c = redis_call_new(r);
	char from[QUEUE_KEY_SIZE], to[PROCESSING_KEY_SIZE];

	redis_begin_script(c, &take_script, 2, 1);
	redis_arg_str(c, queue_key(from, queue));
	redis_arg_str(c, processing_key(to, worker));
	redis_arg_int(c, (int64_t)n);
	return c;
}

/* One LREM an id: processing lists are short, so each is a short scan. */
struct redis_call *
queue_remove(
    struct redis *r, const struct id *worker, const struct id *ids, size_t n)
{
	struct redis_call *c = redis_call_new(r);
	char key[PROCESSING_KEY_SIZE];
	size_t i;

	processing_key(key, worker);
	for (i = 0; i < n; i++) {
		redis_begin(c, 4);
		redis_arg_str(c, "LREM");
		redis_arg_str(c, key);
		redis_arg_str(c, "1");
		redis_arg_id(c, &ids[i]);
	}
	return c;
}

struct redis_call *
queue_give_back(struct redis *r, const char *queue, const struct id *worker,
    const struct id *ids, size_t n)
{
	struct redis_call *c = redis_call_new(r);
	char from[PROCESSING_KEY_SIZE], to[QUEUE_KEY_SIZE];
	size_t i;

	redis_begin_script(c, &give_back_script, 2, n);
	redis_arg_str(c, processing_key(from, worker));
	redis_arg_str(c, queue_key(to, queue));
	for (i = 0; i < n; i++)
		redis_arg_id(c, &ids[i]);
	return c;
}

struct redis_call *
queue_restore(
    struct redis *r, const struct id *worker, const struct id *ids, size_t n)
{
	struct redis_call *c = redis_call_new(r);
	char key[PROCESSING_KEY_SIZE];
	size_t i;

	redis_begin_script(c, &restore_script, 1, n);
	redis_arg_str(c, processing_key(key, worker));
	for (i = 0; i < n; i++)
		redis_arg_id(c, &ids[i]);
	return c;
}

struct redis_call *
queue_processing(struct redis *r, const struct id *worker)
{
	struct redis_call *c = redis_call_new(r);
	char key[PROCESSING_KEY_SIZE];

	redis_cmd(c, "LRANGE", processing_key(key, worker), "0", "-1", NULL);
	return c;
}

struct redis_call *
queue_processing_lengths(struct redis *r, const struct id *workers, size_t n)
{
	struct redis_call *c = redis_call_new(r);
	char key[PROCESSING_KEY_SIZE];
	size_t i;

	for (i = 0; i < n; i++)
		redis_cmd(c, "LLEN", processing_key(key, &workers[i]), NULL);
	return c;
}

struct redis_call *
queue_processing_drop(struct redis *r, const struct id *worker)
{
	struct redis_call *c = redis_call_new(r);
	char key[PROCESSING_KEY_SIZE];

	redis_cmd(c, "DEL", processing_key(key, worker), NULL);
	return c;
}

struct redis_call *
queue_range(struct redis *r, const char *queue, int64_t first, int64_t last)
{
	struct redis_call *c = redis_call_new(r);
	char key[QUEUE_KEY_SIZE];

	redis_begin(c, 4);
	redis_arg_str(c, "LRANGE");
	redis_arg_str(c, queue_key(key, queue));
	redis_arg_int(c, first);
	redis_arg_int(c, last);
	return c;
}

struct redis_call *
queue_length(struct redis *r, const char *queue)
{
	struct redis_call *c = redis_call_new(r);
	char key[QUEUE_KEY_SIZE];

	redis_cmd(c, "LLEN", queue_key(key, queue), NULL);
	return c;
}

struct redis_call *
queue_drop(struct redis *r, const char *queue, const struct id *id)
{
	struct redis_call *c = redis_call_new(r);
	char key[QUEUE_KEY_SIZE];

	redis_begin_script(c, &drop_script, 1, 2);
	redis_arg_str(c, queue_key(key, queue));
	redis_arg_int(c, QUEUE_SEARCH_MAX);
	redis_arg_id(c, id);
	return c;
}

struct redis_call *
queue_place(struct redis *r, const char *queue, const struct id *id)
{
	struct redis_call *c = redis_call_new(r);
	char key[QUEUE_KEY_SIZE];

	redis_begin(c, 5);
	redis_arg_str(c, "LPOS");
	redis_arg_str(c, queue_key(key, queue));
	redis_arg_id(c, id);
	redis_arg_str(c, "MAXLEN");
	redis_arg_int(c, QUEUE_SEARCH_MAX);
	redis_cmd(c, "LLEN", key, NULL);
	return c;
}

static struct redis_call *
scan(struct redis *r, const char *cursor, const char *pattern)
{
	struct redis_call *c = redis_call_new(r);

	redis_cmd(c, "SCAN", cursor, "MATCH", pattern, "COUNT", "1000", NULL);
	return c;
}

struct redis_call *
queue_scan_processing(struct redis *r, const char *cursor)
{
	return scan(r, cursor, PROCESSING_PREFIX "*");
}

struct redis_call *
queue_scan_names(struct redis *r, const char *cursor)
{
	return scan(r, cursor, QUEUE_PREFIX "*");
}

bool
queue_of_key(struct span key, struct span *ret)
{
	size_t n = strlen(QUEUE_PREFIX);

	if (key.len <= n || key.len - n > TASK_NAME_MAX ||
	    memcmp(key.p, QUEUE_PREFIX, n) != 0)
		return false;
	*ret = (struct span){ key.p + n, key.len - n };
	return true;
}

struct redis_call *
queue_heads(struct redis *r, const char *const *queues, size_t n)
{
	struct redis_call *c = redis_call_new(r);
	char key[QUEUE_KEY_SIZE];

	for (size_t i = 0; i < n; i++) {
		queue_key(key, queues[i]);
		redis_cmd(c, "LLEN", key, NULL);
		redis_cmd(c, "LINDEX", key, "0", NULL);
	}
	return c;
}

bool
worker_of_key(struct span key, struct id *ret)
{
	size_t n = strlen(PROCESSING_PREFIX);

	return key.len > n && memcmp(key.p, PROCESSING_PREFIX, n) == 0 &&
	    id_parse(key.p + n, key.len - n, ret);
}

size_t
queue_group(struct task_ref *refs, size_t *n, size_t max,
    char ret_queue[TASK_NAME_MAX + 1], struct id *ret)
{
	size_t i, taken = 0, rest = 0;

	memcpy(ret_queue, refs[0].queue, TASK_NAME_MAX + 1);
	for (i = 0; i < *n; i++) {
		if (taken < max && strcmp(refs[i].queue, ret_queue) == 0)
			ret[taken++] = refs[i].id;
		else
			refs[rest++] = refs[i];
	}
	*n = rest;
	return taken;
}

size_t
queue_ids(const struct reply *rep, struct id *ret, size_t max)
{
	size_t i, n = 0;

	if (rep == NULL)
		return 0;
	if (rep->type == REPLY_STR)
		return max > 0 && id_parse(rep->str.p, rep->str.len, ret);
	for (i = 0; rep->type == REPLY_ARRAY && i < rep->n && n < max; i++)
		if (rep->elem[i].type == REPLY_STR &&
		    id_parse(rep->elem[i].str.p, rep->elem[i].str.len, &ret[n]))
			n++;
	return n;
}
