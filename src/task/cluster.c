/* The Redis side: who lives, who leads, and whether the server still has what
 * we gave it. */
#include <stdio.h>

#include "sql.h"
#include "task/queue.h"

#define HEARTBEAT_PREFIX "taskflow:worker:"
#define HEARTBEAT_KEY_SIZE (sizeof(HEARTBEAT_PREFIX) + ID_TEXT_LEN)
#define WORKERS_KEY "taskflow:workers"
#define DEAD_KEY "taskflow:dead"
#define LEADER_KEY "taskflow:leader"
#define TERM_KEY "taskflow:term"
#define EPOCH_KEY "taskflow:epoch"

static struct redis_script dead_script = { "dead", lua_dead, "" };
static struct redis_script set_script = { "set", lua_set, "" };
static struct redis_script beat_script = { "beat", lua_beat, "" };
static struct redis_script verdict_script = { "verdict", lua_verdict, "" };
static struct redis_script lease_script = { "lease", lua_lease, "" };
static struct redis_script release_script = { "release", lua_release, "" };

static const char *
heartbeat_key(char buf[HEARTBEAT_KEY_SIZE], const struct id *worker)
{
	char text[ID_TEXT_SIZE];

	id_format(worker, text);
	snprintf(buf, HEARTBEAT_KEY_SIZE, "%s%s", HEARTBEAT_PREFIX, text);
	return buf;
}

struct redis_call *
worker_beat(
    struct redis *r, const struct id *worker, const char *json, int64_t ttl_ms)
{
	struct redis_call *c = redis_call_new(r);
	char key[HEARTBEAT_KEY_SIZE];

	redis_begin_script(c, &beat_script, 3, 3);
	redis_arg_str(c, heartbeat_key(key, worker));
	redis_arg_str(c, WORKERS_KEY);
	redis_arg_str(c, DEAD_KEY);
	redis_arg_id(c, worker);
	redis_arg_str(c, json);
	redis_arg_int(c, ttl_ms);
	return c;
}

struct redis_call *
worker_leave(struct redis *r, const struct id *worker)
{
	struct redis_call *c = redis_call_new(r);
	char key[HEARTBEAT_KEY_SIZE], text[ID_TEXT_SIZE];

	id_format(worker, text);
	redis_cmd(c, "SREM", WORKERS_KEY, text, NULL);
	redis_cmd(c, "DEL", heartbeat_key(key, worker), NULL);
	return c;
}

struct redis_call *
workers_list(struct redis *r)
{
	struct redis_call *c = redis_call_new(r);

	redis_cmd(c, "SMEMBERS", WORKERS_KEY, NULL);
	return c;
}

/* A dead worker's connection may still put an id into its list, and a worker
 * that was only stopped may come back: look at it for an hour. */
struct redis_call *
workers_dead(struct redis *r)
{
	struct redis_call *c = redis_call_new(r);

	redis_begin_script(c, &dead_script, 1, 0);
	redis_arg_str(c, DEAD_KEY);
	return c;
}

struct redis_call *
workers_add(struct redis *r, const struct id *ids, size_t n)
{
	struct redis_call *c = redis_call_new(r);
	size_t i;

	redis_begin(c, n + 2);
	redis_arg_str(c, "SADD");
	redis_arg_str(c, WORKERS_KEY);
	for (i = 0; i < n; i++)
		redis_arg_id(c, &ids[i]);
	return c;
}

struct redis_call *
workers_alive(struct redis *r, const struct id *ids, size_t n)
{
	struct redis_call *c = redis_call_new(r);
	char key[HEARTBEAT_KEY_SIZE];
	size_t i;

	for (i = 0; i < n; i++)
		redis_cmd(c, "EXISTS", heartbeat_key(key, &ids[i]), NULL);
	return c;
}

struct redis_call *
workers_say(struct redis *r, const struct id *ids, size_t n)
{
	struct redis_call *c = redis_call_new(r);
	char key[HEARTBEAT_KEY_SIZE];
	size_t i;

	redis_begin(c, n + 1);
	redis_arg_str(c, "MGET");
	for (i = 0; i < n; i++)
		redis_arg_str(c, heartbeat_key(key, &ids[i]));
	return c;
}

struct redis_call *
workers_said(struct redis *r, const struct id *ids, size_t n)
{
	struct redis_call *c = redis_call_new(r);
	char key[HEARTBEAT_KEY_SIZE];
	size_t i;

	for (i = 0; i < n; i++)
		redis_cmd(c, "GET", heartbeat_key(key, &ids[i]), NULL);
	return c;
}

struct redis_call *
worker_verdict(struct redis *r, const struct id *worker)
{
	struct redis_call *c = redis_call_new(r);
	char key[HEARTBEAT_KEY_SIZE];

	redis_begin_script(c, &verdict_script, 3, 1);
	redis_arg_str(c, heartbeat_key(key, worker));
	redis_arg_str(c, WORKERS_KEY);
	redis_arg_str(c, DEAD_KEY);
	redis_arg_id(c, worker);
	return c;
}

/* ---- leadership ---- */
struct redis_call *
lease_take(struct redis *r, const struct id *me, int64_t ttl_ms)
{
	struct redis_call *c = redis_call_new(r);

	redis_begin_script(c, &lease_script, 1, 2);
	redis_arg_str(c, LEADER_KEY);
	redis_arg_id(c, me);
	redis_arg_int(c, ttl_ms);
	return c;
}

struct redis_call *
lease_release(struct redis *r, const struct id *me)
{
	struct redis_call *c = redis_call_new(r);

	redis_begin_script(c, &release_script, 1, 1);
	redis_arg_str(c, LEADER_KEY);
	redis_arg_id(c, me);
	return c;
}

struct redis_call *
term_get(struct redis *r)
{
	struct redis_call *c = redis_call_new(r);

	redis_cmd(c, "GET", TERM_KEY, NULL);
	return c;
}

struct redis_call *
term_set(struct redis *r, int64_t term)
{
	struct redis_call *c = redis_call_new(r);

	redis_begin_script(c, &set_script, 1, 1);
	redis_arg_str(c, TERM_KEY);
	redis_arg_int(c, term);
	return c;
}

struct redis_call *
cluster_get(struct redis *r)
{
	struct redis_call *c = redis_call_new(r);

	redis_cmd(c, "GET", LEADER_KEY, NULL);
	redis_cmd(c, "GET", TERM_KEY, NULL);
	redis_cmd(c, "SCARD", WORKERS_KEY, NULL);
	return c;
}

/* ---- the server's memory ---- */
struct redis_call *
epoch_get(struct redis *r)
{
	struct redis_call *c = redis_call_new(r);

	epoch_add(c);
	return c;
}

void
epoch_add(struct redis_call *c)
{
	redis_cmd(c, "GET", EPOCH_KEY, NULL);
}

struct redis_call *
epoch_set(struct redis *r, const struct id *epoch)
{
	struct redis_call *c = redis_call_new(r);

	redis_begin_script(c, &set_script, 1, 1);
	redis_arg_str(c, EPOCH_KEY);
	redis_arg_id(c, epoch);
	return c;
}

struct redis_call *
server_policy(struct redis *r)
{
	struct redis_call *c = redis_call_new(r);

	redis_cmd(c, "CONFIG", "GET", "maxmemory*", NULL);
	return c;
}

/* ---- signals ---- */
struct redis_call *
signal_due(struct redis *r)
{
	struct redis_call *c = redis_call_new(r);

	redis_cmd(c, "PUBLISH", SIGNAL_DUE, "soon", NULL);
	return c;
}

struct redis_call *
signal_access(struct redis *r)
{
	struct redis_call *c = redis_call_new(r);

	redis_cmd(c, "PUBLISH", SIGNAL_ACCESS, "look", NULL);
	return c;
}

static struct redis_call *
publish_ids(
    struct redis *r, const char *channel, const struct id *ids, size_t n)
{
	struct redis_call *c = redis_call_new(r);
	struct buf text;
	char id[ID_TEXT_SIZE];
	size_t i;

	buf_init(&text, n * ID_TEXT_SIZE + 1);
	for (i = 0; i < n; i++) {
		id_format(&ids[i], id);
		id[ID_TEXT_LEN] = ' ';
		buf_add(&text, id, i + 1 < n ? ID_TEXT_SIZE : ID_TEXT_LEN);
	}
	redis_begin(c, 3);
	redis_arg_str(c, "PUBLISH");
	redis_arg_str(c, channel);
	redis_arg(c, buf_span(&text));
	buf_fini(&text);
	return c;
}

struct redis_call *
signal_settled(struct redis *r, const struct id *ids, size_t n)
{
	return publish_ids(r, SIGNAL_SETTLED, ids, n);
}

struct redis_call *
signal_cancel(struct redis *r, const struct id *ids, size_t n)
{
	return publish_ids(r, SIGNAL_CANCEL, ids, n);
}
