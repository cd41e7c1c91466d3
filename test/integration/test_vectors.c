/*
 * JSON as payload and as result: what is accepted comes back byte for byte, and
 * the rest is refused with a problem that says why; alone and in a batch. The
 * texts are in test/vectors/json.
 */
#include "support/client.h"
#include "support/ledger.h"
#include "support/stack.h"

#define VECTORS_MAX 400

struct bytes {
	char *p;
	size_t len, cap;
};

struct vector {
	char *name;
	struct bytes text;
};

struct vectors {
	struct vector v[VECTORS_MAX];
	size_t n;
};

static struct vectors good, bad;

/* ---- the files ---- */
static void
add(struct bytes *b, const char *p, size_t len)
{
	if (b->len + len + 1 > b->cap) {
		b->cap = 2 * (b->len + len) + 64;
		b->p = realloc(b->p, b->cap);
	}
	memcpy(b->p + b->len, p, len);
	b->len += len;
	b->p[b->len] = '\0';
}

static void
adds(struct bytes *b, const char *s)
{
	add(b, s, strlen(s));
}

static void decode(struct bytes *to, const char *p, const char *end);

/* "N:TEXT)" behind "%("; where it ends. Only the text may hold parentheses,
 * and none of ours does. */
static const char *
decode_many(struct bytes *to, const char *p)
{
	char *text;
	long n = strtol(p, &text, 10);
	const char *end = strchr(p, ')');

	assert_true(n > 0 && *text == ':' && end != NULL);
	while (n-- > 0)
		decode(to, text + 1, end);
	return end + 1;
}

static void
decode(struct bytes *to, const char *p, const char *end)
{
	char hex[3] = "", c, *rest;

	add(to, "", 0);
	while (p < end) {
		if (p[0] != '%') {
			add(to, p++, 1);
		} else if (p[1] == '(') {
			p = decode_many(to, p + 2);
		} else {
			memcpy(hex, p + 1, 2);
			c = (char)strtol(hex, &rest, 16);
			assert_true(rest == hex + 2);
			add(to, &c, 1);
			p += 3;
		}
	}
}

static void
load(struct vectors *vs, const char *path)
{
	char *file = read_file(path), *rest = file, *line, *tab;
	struct vector *v;

	if (file == NULL)
		fail_msg("there is no %s", path);
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (*line == '#' || *line == '\0')
			continue;
		tab = strchr(line, '\t');
		assert_non_null(tab);
		assert_true(vs->n < VECTORS_MAX);
		v = &vs->v[vs->n++];
		v->name = strndup(line, (size_t)(tab - line));
		decode(&v->text, tab + 1, tab + strlen(tab));
	}
	free(file);
}

static void
forget(struct vectors *vs)
{
	for (size_t i = 0; i < vs->n; i++) {
		free(vs->v[i].name);
		free(vs->v[i].text.p);
	}
}

/* ---- requests: with any byte in the body ---- */
static int
post(const char *path, const char *headers, const struct bytes *body)
{
	struct bytes request = { NULL, 0, 0 };
	int status;

	adds(&request,
	    text("POST %s HTTP/1.1\r\nHost: localhost\r\n"
		 "Authorization: Bearer %s\r\n%sContent-Length: %zu\r\n\r\n",
		path, me.token, headers, body->len));
	add(&request, body->p, body->len);
	status = http_raw(&me, request.p, request.len);
	free(request.p);
	return status;
}

static void
add_task(struct bytes *to, const struct vector *v)
{
	adds(to, "{\"type\":\"echo\",\"payload\":");
	add(to, v->text.p, v->text.len);
	adds(to, "}");
}

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* A task's answer ends with them. */
static bool
came_back(const struct vector *v)
{
	const char *p = v->text.p, *end = p + v->text.len;
	struct bytes want = { NULL, 0, 0 };
	bool same;

	while (p < end && is_space(*p))
		p++;
	while (p < end && is_space(end[-1]))
		end--;
	adds(&want, "\"payload\":");
	add(&want, p, (size_t)(end - p));
	adds(&want, ",\"result\":");
	add(&want, p, (size_t)(end - p));
	adds(&want, "}\n");
	same = me.body_len > want.len &&
	    memcmp(me.body + me.body_len - want.len, want.p, want.len) == 0;
	free(want.p);
	return same;
}

static void
must_be_refused(const struct vector *v)
{
	const cJSON *o = http_json(&me);
	const char *type = http_header(&me, "Content-Type");

	if ((me.status != 400 && me.status != 422) || o == NULL ||
	    type == NULL || strcmp(type, "application/problem+json") != 0 ||
	    int_of(o, "status") != me.status ||
	    strlen(str_of(o, "detail")) < 10 ||
	    /* It is for us to see, and not for the database. */
	    strcmp(str_of(o, "type"), "urn:taskflow:problem:data") == 0)
		fail_msg("%s: %d %.600s", v->name, me.status, me.body);
}

/* ---- tests ---- */
static void
there_are_enough(void **state)
{
	(void)state;
	assert_true(good.n >= 100 && bad.n >= 100);
	all_ended();
}

static void
alone_they_come_back(void **state)
{
	struct bytes body = { NULL, 0, 0 };
	const struct vector *v;

	(void)state;
	for (v = good.v; v < good.v + good.n; v++) {
		body.len = 0;
		add_task(&body, v);
		if (post("/tasks", JSON_TYPE "Prefer: wait=60\r\n", &body) !=
			201 ||
		    !came_back(v))
			fail_msg("%s: %d %.900s", v->name, me.status, me.body);
	}
	free(body.p);
	all_ended();
}

static void
alone_they_are_refused(void **state)
{
	struct bytes body = { NULL, 0, 0 };
	const struct vector *v;

	(void)state;
	for (v = bad.v; v < bad.v + bad.n; v++) {
		body.len = 0;
		add_task(&body, v);
		post("/tasks", JSON_TYPE, &body);
		must_be_refused(v);
		/* And as the whole body. */
		post("/tasks", JSON_TYPE, &v->text);
		must_be_refused(v);
	}
	free(body.p);
	assert_int_equal(tasks_with("COMPLETED") + tasks_with("QUEUED"), 0);
	all_ended();
}

static void
in_a_batch_they_come_back(void **state)
{
	struct bytes body = { NULL, 0, 0 };
	char(*id)[ID_SIZE] = calloc(good.n, ID_SIZE);
	const cJSON *item;
	size_t i;

	(void)state;
	adds(&body, "{\"tasks\":[");
	for (i = 0; i < good.n; i++) {
		adds(&body, i > 0 ? "," : "");
		add_task(&body, &good.v[i]);
	}
	adds(&body, "]}");
	if (post("/tasks/batch", JSON_TYPE, &body) != 201)
		fail_msg("%d %.900s", me.status, me.body);
	i = 0;
	cJSON_ArrayForEach(item, cJSON_GetObjectItem(http_json(&me), "tasks"))
	    snprintf(id[i++], ID_SIZE, "%s", str_of(item, "id"));
	assert_int_equal(i, good.n);
	for (i = 0; i < good.n; i++) {
		ledger_accept(id[i]);
		task_wait(id[i]);
		if (!came_back(&good.v[i]))
			fail_msg("%s: %d %.900s", good.v[i].name, me.status,
			    me.body);
	}
	free(id);
	free(body.p);
	all_ended();
}

static void
in_a_batch_they_are_refused(void **state)
{
	struct bytes body = { NULL, 0, 0 };
	const struct vector *v;

	(void)state;
	for (v = bad.v; v < bad.v + bad.n; v++) {
		body.len = 0;
		adds(&body, "{\"tasks\":[{\"type\":\"echo\"},");
		add_task(&body, v);
		adds(&body, "]}");
		post("/tasks/batch", JSON_TYPE, &body);
		must_be_refused(v);
	}
	free(body.p);
	assert_int_equal(tasks_with("COMPLETED") + tasks_with("QUEUED"), 0);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(there_are_enough),
	cmocka_unit_test(alone_they_are_refused),
	cmocka_unit_test(in_a_batch_they_are_refused),
	cmocka_unit_test(alone_they_come_back),
	cmocka_unit_test(in_a_batch_they_come_back),
};

int
main(int argc, char **argv)
{
	struct group g = { "vectors", "api=1 manager=1 worker=1",
		"concurrency = 8\n", tests, NELEM(tests) };
	int failed;

	load(&good, "test/vectors/json/accept");
	load(&bad, "test/vectors/json/refuse");
	failed = group_run(&g, argc, argv);
	forget(&good);
	forget(&bad);
	return failed;
}
