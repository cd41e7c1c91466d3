#ifndef TASKFLOW_TEST_KEYED_FIXTURE_H
#define TASKFLOW_TEST_KEYED_FIXTURE_H

/* Submits with keys, by way of two API processes; for test_keyed*.c alone. */
#include <pthread.h>

#include "batch_fixture.h"

static struct http other_api; /* the same user at the other process */

static inline void
begin(void)
{
	tables_clear();
	sql("TRUNCATE taskflow.task_unique, taskflow.idempotency_keys");
	http_fini(&other_api);
	http_init(&other_api, part_port("api-2"));
	other_api.token = strdup(me.token);
}

static inline const char *
with_key(const char *key)
{
	return text(JSON_TYPE "Idempotency-Key: %s\r\n", key);
}

static inline int
post(struct http *h, const char *headers, const char *body)
{
	return http_call(h, "POST", "/tasks", headers, body);
}

/* Of the last answer, a 201. */
static inline const char *
id_in(struct http *h)
{
	const cJSON *id = cJSON_GetObjectItem(http_json(h), "id");

	if (id == NULL)
		fail_msg("no id: %d %.300s", h->status, h->body);
	return text("%s", id->valuestring);
}

static inline void
must(struct http *h, int status, const char *type)
{
	const cJSON *got;

	if (h->status != status)
		fail_msg("%d, not %d: %.400s", h->status, status, h->body);
	if (type == NULL)
		return;
	got = cJSON_GetObjectItem(http_json(h), "type");
	assert_non_null(got);
	assert_string_equal(
	    got->valuestring, text("urn:taskflow:problem:%s", type));
}

/* It was refused for its unique_key, by this task in this state. */
static inline void
held_by(struct http *h, const char *id, const char *status)
{
	must(h, 409, "unique-key");
	assert_string_equal(
	    cJSON_GetObjectItem(http_json(h), "task_id")->valuestring, id);
	assert_string_equal(
	    cJSON_GetObjectItem(http_json(h), "task_status")->valuestring,
	    status);
}

static inline void
make_due(const char *id)
{
	sql("UPDATE taskflow.tasks SET due_at = now() WHERE id = '%s'", id);
	redis_int(HIGH, "PUBLISH taskflow:signal:due x");
}

#define UNIQUE(key) \
	"{\"type\":\"ledger\",\"payload\":\"a\",\"unique_key\":\"" key "\"}"

#define PLAIN "{\"type\":\"noop\",\"payload\":[1.50, \"\\u00e9\"]}"

static inline int
post_batch(struct http *h, const char *key, const char *body)
{
	return http_call(h, "POST", "/tasks/batch", with_key(key), body);
}

/* ---- several at once ---- */
struct racer {
	pthread_t thread;
	struct http h;
	const char *body, *headers;
	int status;
	char id[ID_SIZE], holder[ID_SIZE];
	bool replayed;
};

static inline void
copy_member(struct http *h, const char *name, char ret[ID_SIZE])
{
	const cJSON *v = cJSON_GetObjectItem(http_json(h), name);

	snprintf(ret, ID_SIZE, "%s", cJSON_IsString(v) ? v->valuestring : "");
}

static inline void *
race(void *arg)
{
	struct racer *r = arg;

	r->status = http_call(&r->h, "POST", "/tasks", r->headers, r->body);
	copy_member(&r->h, "id", r->id);
	copy_member(&r->h, "task_id", r->holder);
	r->replayed = r->h.len > 0 &&
	    strstr(r->h.bytes, "Idempotent-Replayed: true") != NULL;
	return NULL;
}

#endif
