/* For the tests of what owners do to tasks: requests, one after the other and
 * two at the same time at two APIs. */
#ifndef ACT_FIXTURE_H
#define ACT_FIXTURE_H

#include <pthread.h>
#include <signal.h>

#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

/* POST /tasks/{id}/action; the status. */
static inline int
act(const char *action, const char *id, const char *headers)
{
	return http_call(
	    &me, "POST", text("/tasks/%s/%s", id, action), headers, NULL);
}

/* A task that all_ended() does not expect to be there in the end. */
static inline const char *
submit_loose(const char *body)
{
	char id[ID_SIZE];

	assert_int_equal(try_submit(&me, body, id), 201);
	return text("%s", id);
}

/* ---- two requests at once ---- */
struct shot {
	int api; /* 1 or 2 */
	const char *method;
	char path[96];
	int status;
};

static void *
fire(void *arg)
{
	struct shot *s = arg;
	struct http h;

	http_init(&h, part_port(s->api == 1 ? "api-1" : "api-2"));
	h.token = strdup(me.token);
	s->status = http_call(&h, s->method, s->path, NULL, NULL);
	http_fini(&h);
	return NULL;
}

static inline struct shot
shot(int api, const char *method, const char *id, const char *action)
{
	struct shot s = { .api = api, .method = method };

	snprintf(s.path, sizeof(s.path), "/tasks/%s%s%s", id,
	    *action != '\0' ? "/" : "", action);
	return s;
}

static inline void
fire_both(struct shot *a, struct shot *b)
{
	pthread_t first, second;

	assert_int_equal(pthread_create(&first, NULL, fire, a), 0);
	assert_int_equal(pthread_create(&second, NULL, fire, b), 0);
	pthread_join(first, NULL);
	pthread_join(second, NULL);
}

static inline int64_t
count_events(const char *id, int kind)
{
	return sql_int("SELECT count(*) FROM taskflow.task_events "
		       "WHERE task_id = '%s' AND kind = %d",
	    id, kind);
}

#endif
