#ifndef TASKFLOW_TEST_BATCH_FIXTURE_H
#define TASKFLOW_TEST_BATCH_FIXTURE_H

/* Batches, and what they are answered with; for test_batch*.c alone. */
#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

/* {"tasks":[item, ...]} of n items: {"type":...,"payload":<number><more>}. A
 * number of items is enough for most tests. Heap. */
static inline char *
body_of(const char *type, int n, const char *more)
{
	char *body = NULL;
	size_t size;
	FILE *f = open_memstream(&body, &size);
	int i;

	assert_non_null(f);
	fprintf(f, "{\"tasks\":[");
	for (i = 0; i < n; i++)
		fprintf(f, "%s{\"type\":\"%s\",\"payload\":%d%s}",
		    i > 0 ? "," : "", type, i, more);
	fprintf(f, "]}");
	fclose(f);
	return body;
}

/* Those of the last answer, into the ledger; and they count as it says. */
static inline void
accept_items(struct http *h)
{
	const cJSON *one, *id, *o = http_json(h);
	int accepted = 0, refused = 0;

	cJSON_ArrayForEach(one, cJSON_GetObjectItem(o, "tasks"))
	{
		id = cJSON_GetObjectItem(one, "id");
		if (id != NULL)
			ledger_accept(id->valuestring);
		accepted += id != NULL;
		refused += cJSON_GetObjectItem(one, "error") != NULL;
	}
	assert_int_equal(int_of(o, "accepted"), accepted);
	assert_int_equal(int_of(o, "refused"), refused);
}

static inline void
batch_with(const char *headers, const char *body, int want)
{
	int status = http_call(&me, "POST", "/tasks/batch", headers, body);

	if (status != want)
		fail_msg("POST /tasks/batch: %d, not %d: %.500s", status, want,
		    me.body);
	if (status <= 201 || strstr(me.body, "\"tasks\":[") != NULL)
		accept_items(&me);
}

static inline void
batch(const char *body, int want)
{
	batch_with(JSON_TYPE, body, want);
}

#endif
