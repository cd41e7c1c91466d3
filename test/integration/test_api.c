/* The HTTP contract: waiting, lists, order, errors, probes. One worker that
 * runs one task at a time. */
#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

/* ---- Prefer: wait ---- */
static const char *
accept_with(const char *prefer, const char *body, int want)
{
	int status = http_call(&me, "POST", "/tasks", prefer, body);

	if (status != want)
		fail_msg("POST /tasks: %d %s", status, me.body);
	return ledger_accept(str_of(http_json(&me), "id"));
}

static void
post_waits_for_the_result(void **state)
{
	const char *id = accept_with(JSON_TYPE "Prefer: wait=60\r\n",
	    "{\"type\":\"ledger\",\"payload\":\"a\"}", 201);

	(void)state;
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
	assert_string_equal(
	    raw_of("result"), "{\"name\":\"a\",\"attempt\":1}\n");
	assert_string_equal(http_header(&me, "Preference-Applied"), "wait=60");
	assert_string_equal(
	    http_header(&me, "Location"), text("/tasks/%s", id));
	all_ended();
}

static void
a_wait_that_is_over_tells_how_far_it_is(void **state)
{
	const char *id;

	(void)state;
	hold("b", 1);
	id = accept_with(JSON_TYPE "Prefer: wait=1\r\n",
	    "{\"type\":\"ledger\",\"payload\":\"b\"}", 202);
	assert_string_not_equal(str_of(http_json(&me), "status"), "COMPLETED");
	assert_int_equal(http_call(&me, "GET", text("/tasks/%s", id),
			     "Prefer: wait=1\r\n", NULL),
	    200);
	assert_string_not_equal(str_of(http_json(&me), "status"), "COMPLETED");
	release("b", 1);
	UNTIL(http_call(&me, "GET", text("/tasks/%s", id),
		  "Prefer: wait=60\r\n", NULL) == 200 &&
	    strcmp(str_of(http_json(&me), "status"), "COMPLETED") == 0);
	all_ended();
}

/* ---- lists ---- */

/* The ids of a list, with a blank after each; the cursor is in *next. */
static char *
page_of(struct http *h, const char *query, char next[ID_SIZE], int *count)
{
	const cJSON *item, *cursor;
	char *ids = calloc(1, 64 * 1024);

	if (http_call(h, "GET", text("/tasks?%s", query), NULL, NULL) != 200)
		fail_msg("%s: %d %s", query, h->status, h->body);
	*count = 0;
	cJSON_ArrayForEach(item, cJSON_GetObjectItem(http_json(h), "items"))
	{
		strcat(ids, cJSON_GetObjectItem(item, "id")->valuestring);
		strcat(ids, " ");
		++*count;
	}
	cursor = cJSON_GetObjectItem(http_json(h), "next_cursor");
	snprintf(next, ID_SIZE, "%s",
	    cJSON_IsString(cursor) ? cursor->valuestring : "");
	return ids;
}

/* Pages of ten of what the query selects, one after the other. */
static int
read_pages(const char *query, char *all)
{
	char next[ID_SIZE] = "", *ids;
	int pages = 0, count;

	do {
		ids = page_of(&me,
		    text("limit=10%s%s%s", query,
			*next != '\0' ? "&cursor=" : "", next),
		    next, &count);
		assert_true(count == 10 || *next == '\0');
		assert_true(
		    (http_header(&me, "Link") != NULL &&
			strstr(http_header(&me, "Link"), "rel=\"next\"") !=
			    NULL) == (*next != '\0'));
		strcat(all, ids);
		free(ids);
		pages++;
	} while (*next != '\0');
	return pages;
}

static void
a_list_is_read_by_pages(void **state)
{
	char *got = calloc(1, 64 * 1024), *want = calloc(1, 64 * 1024);
	char *failed = calloc(1, 64 * 1024);
	size_t i;

	(void)state;
	tables_clear();
	for (i = 0; i < 25; i++)
		submit(
		    i % 5 == 0 ? "fail" : "noop", "null", "\"max_attempts\":1");
	all_ended();
	for (i = 25; i-- > 0;) {
		strcat(strcat(want, ledger_id(i)), " ");
		if (i % 5 == 0)
			strcat(strcat(failed, ledger_id(i)), " ");
	}
	assert_int_equal(read_pages("", got), 3);
	assert_string_equal(got, want);
	*got = '\0';
	assert_int_equal(read_pages("&status=FAILED", got), 1);
	assert_string_equal(got, failed);
	*got = '\0';
	assert_int_equal(read_pages("&status=COMPLETED", got), 2);
	assert_int_equal(strlen(got), 20 * ID_SIZE);
	free(got);
	free(want);
	free(failed);
}

/* 20 of 20 on two pages: the second one has no other after it. */
static void
a_last_page_that_is_full_has_no_cursor(void **state)
{
	char *got = calloc(1, 64 * 1024);
	int i;

	(void)state;
	tables_clear();
	for (i = 0; i < 20; i++)
		submit("noop", "null", NULL);
	assert_int_equal(read_pages("", got), 2);
	free(got);
	all_ended();
}

static void
tasks_of_another_user_are_not_there(void **state)
{
	const char *id = submit("noop", "null", NULL);
	char next[ID_SIZE], *ids;
	struct http other;
	int count;

	(void)state;
	task_wait(id);
	client_user(&other, me.port, "other");
	assert_int_equal(
	    http_call(&other, "GET", text("/tasks/%s", id), NULL, NULL), 404);
	assert_int_equal(
	    http_call(&other, "GET", text("/tasks/%s/events", id), NULL, NULL),
	    404);
	ids = page_of(&other, "limit=10", next, &count);
	assert_int_equal(count, 0);
	free(ids);
	assert_int_equal(
	    http_call(&me, "GET", text("/tasks/%s", id), NULL, NULL), 200);
	http_fini(&other);
	all_ended();
}

static void
an_unchanged_task_is_not_sent_again(void **state)
{
	const char *id = submit("noop", "null", NULL), *etag;

	(void)state;
	task_wait(id);
	etag = http_header(&me, "ETag");
	assert_non_null(etag);
	assert_int_equal(http_call(&me, "GET", text("/tasks/%s", id),
			     text("If-None-Match: %s\r\n", etag), NULL),
	    304);
	assert_int_equal(http_call(&me, "GET", text("/tasks/%s", id),
			     "If-None-Match: \"x\"\r\n", NULL),
	    200);
	all_ended();
}

/* ---- order ---- */
static void
high_comes_before_low_and_each_in_order(void **state)
{
	const char *id;
	int i;

	(void)state;
	tables_clear();
	hold("first", 1);
	id = submit("ledger", "\"first\"", NULL);
	UNTIL(task_is(id, "IN_PROGRESS"));
	for (i = 0; i < 5; i++) {
		submit("echo", text("\"low%d\"", i), NULL);
		submit("echo", text("\"high%d\"", i), "\"priority\":\"high\"");
	}
	release("first", 1);
	all_ended();
	assert_string_equal(
	    sql("SELECT string_agg(payload #>> '{}', ' ' ORDER BY started_at) "
		"FROM taskflow.tasks"),
	    "first high0 high1 high2 high3 high4 low0 low1 low2 low3 low4");
}

/* ---- errors ---- */
#define POST_TASKS "POST /tasks HTTP/1.1\r\nHost: a\r\nAuthorization: TOKEN\r\n"
#define JSON "Content-Type: application/json\r\n"
#define TASK(members) POST_TASKS JSON "Content-Length: LENGTH\r\n\r\n" members

struct problem {
	const char *request; /* TOKEN and LENGTH are put in */
	int status;
	const char *type;
	const char *pointer; /* NULL: none is looked for */
};

static const struct problem problems[] = {
	/* the request itself */
	{ "GET /tasks HTTP/1.1\r\nHost: a\r\nBad Header\r\n\r\n", 400,
	    "invalid", NULL },
	{ POST_TASKS JSON "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 411,
	    "length-required", NULL },
	{ POST_TASKS JSON "\r\n", 400, "invalid", "" },
	{ POST_TASKS JSON "Content-Length: 99999999\r\n\r\n", 413, "too-large",
	    NULL },
	{ POST_TASKS "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}",
	    415, "media-type", NULL },
	/* who, where, how */
	{ "GET /tasks HTTP/1.1\r\nHost: a\r\n\r\n", 401, "unauthorized", NULL },
	{ "GET /tasks HTTP/1.1\r\nHost: a\r\n"
	  "Authorization: Bearer x.y.z\r\n\r\n",
	    401, "unauthorized", NULL },
	{ "GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 404, "not-found", NULL },
	{ "GET /tasks/12 HTTP/1.1\r\nHost: a\r\nAuthorization: TOKEN\r\n\r\n",
	    404, "not-found", NULL },
	{ "GET /tasks/019283a4-1234-7000-8000-0123456789ab HTTP/1.1\r\n"
	  "Host: a\r\nAuthorization: TOKEN\r\n\r\n",
	    404, "not-found", NULL },
	{ "GET /tasks/019283a4-1234-7000-8000-0123456789ab/events HTTP/1.1\r\n"
	  "Host: a\r\nAuthorization: TOKEN\r\n\r\n",
	    404, "not-found", NULL },
	{ "DELETE /tasks HTTP/1.1\r\nHost: a\r\n\r\n", 405,
	    "method-not-allowed", NULL },
	{ "PUT /login HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", 405,
	    "method-not-allowed", NULL },
	/* bodies that are no JSON object */
	{ TASK(""), 400, "invalid", "" },
	{ TASK("{"), 400, "invalid", NULL },
	{ TASK("{\"type\":\"noop\",}"), 400, "invalid", NULL },
	{ TASK("{\"type\":\"noop\"} x"), 400, "invalid", NULL },
	{ TASK("{\"type\":\"noop\",\"type\":\"echo\"}"), 400, "invalid", NULL },
	{ TASK("{\"type\":\"no\xff\"}"), 400, "invalid", NULL },
	/* values */
	{ TASK("{}"), 422, "unprocessable", "/type" },
	{ TASK("{\"type\":\"a b\"}"), 422, "unprocessable", "/type" },
	{ TASK("{\"type\":7}"), 422, "unprocessable", "/type" },
	{ TASK("{\"type\":\"noop\",\"priority\":\"urgent\"}"), 422,
	    "unprocessable", "/priority" },
	{ TASK("{\"type\":\"noop\",\"max_attempts\":0}"), 422, "unprocessable",
	    "/max_attempts" },
	{ TASK("{\"type\":\"noop\",\"max_attempts\":1.5}"), 422,
	    "unprocessable", "/max_attempts" },
	{ TASK("{\"type\":\"noop\",\"timeout_seconds\":-1}"), 422,
	    "unprocessable", "/timeout_seconds" },
	{ TASK("{\"type\":\"noop\",\"scheduled_at\":\"tomorrow\"}"), 422,
	    "unprocessable", "/scheduled_at" },
	{ TASK("{\"type\":\"noop\",\"scheduled_at\":\"2026-02-30T00:00:00Z\"}"),
	    422, "unprocessable", "/scheduled_at" },
	{ TASK("{\"type\":\"noop\",\"delay_seconds\":-1}"), 422,
	    "unprocessable", "/delay_seconds" },
	{ TASK("{\"type\":\"noop\",\"queue\":\"\"}"), 422, "unprocessable",
	    "/queue" },
	{ TASK("{\"type\":\"noop\",\"colour\":1}"), 422, "unprocessable",
	    "/colour" },
	/* queries */
	{ "GET /tasks?limit=0 HTTP/1.1\r\nHost: a\r\nAuthorization: TOKEN\r\n"
	  "\r\n",
	    422, "unprocessable", NULL },
	{ "GET /tasks?cursor=x HTTP/1.1\r\nHost: a\r\nAuthorization: TOKEN\r\n"
	  "\r\n",
	    400, "invalid", NULL },
	{ "GET /tasks?status=DONE HTTP/1.1\r\nHost: a\r\nAuthorization: "
	  "TOKEN\r\n\r\n",
	    422, "unprocessable", NULL },
};

/* With TOKEN and LENGTH replaced; heap. */
static char *
fill_in(const char *request)
{
	const char *body = strstr(request, "\r\n\r\n") + 4, *at;
	char *to = malloc(strlen(request) + 4096), *p = to;

	for (at = request; *at != '\0';) {
		if (strncmp(at, "TOKEN", 5) == 0) {
			p += sprintf(p, "Bearer %s", me.token);
			at += 5;
		} else if (strncmp(at, "LENGTH", 6) == 0) {
			p += sprintf(p, "%zu", strlen(body));
			at += 6;
		} else {
			*p++ = *at++;
		}
	}
	*p = '\0';
	return to;
}

static const char *
pointer_of(struct http *h)
{
	const cJSON *errors = cJSON_GetObjectItem(http_json(h), "errors");
	const cJSON *p =
	    cJSON_GetObjectItem(cJSON_GetArrayItem(errors, 0), "pointer");

	return p == NULL ? "none" : p->valuestring;
}

static void
check_problem(struct http *h, const struct problem *p)
{
	char *request = fill_in(p->request);
	int status = http_raw(h, request, strlen(request));
	const char *type = http_header(h, "Content-Type");
	const cJSON *o = http_json(h);

	if (status != p->status || o == NULL || type == NULL ||
	    strcmp(type, "application/problem+json") != 0 ||
	    int_of(o, "status") != p->status ||
	    strcmp(str_of(o, "type"),
		text("urn:taskflow:problem:%s", p->type)) != 0 ||
	    *str_of(o, "title") == '\0' || *str_of(o, "request_id") == '\0' ||
	    (p->pointer != NULL && strcmp(pointer_of(h), p->pointer) != 0))
		fail_msg("%.600s\nwants %d %s %s\nbut got %.900s", request,
		    p->status, p->type, p->pointer ? p->pointer : "", h->bytes);
	if (status == 405)
		assert_non_null(http_header(h, "Allow"));
	if (status == 401)
		assert_non_null(http_header(h, "WWW-Authenticate"));
	free(request);
}

static void
errors_are_problems(void **state)
{
	struct http h;
	size_t i;

	(void)state;
	tables_clear();
	http_init(&h, me.port);
	for (i = 0; i < NELEM(problems); i++)
		check_problem(&h, &problems[i]);
	http_fini(&h);
	/* None of it was accepted. */
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 0);
	all_ended();
}

static void
users_have_their_rules(void **state)
{
	static const struct {
		const char *path, *body;
		int status;
	} cases[] = {
		{ "/users",
		    "{\"email\":\"me@example.org\",\"password\":"
		    "\"12345678\"}",
		    422 },
		{ "/users", "{\"email\":\"x\",\"password\":\"12345678\"}",
		    422 },
		{ "/users", "{\"email\":\"y@example.org\",\"password\":\"1\"}",
		    422 },
		{ "/login", "{\"username\":\"me\",\"password\":\"wrong!!!\"}",
		    401 },
		{ "/login",
		    "{\"username\":\"nobody\",\"password\":\"12345678\"}",
		    401 },
		{ "/login", "{\"password\":\"12345678\"}", 422 },
	};
	struct http h;
	size_t i;
	int status;

	(void)state;
	http_init(&h, me.port);
	for (i = 0; i < NELEM(cases); i++) {
		status = http_call(
		    &h, "POST", cases[i].path, JSON_TYPE, cases[i].body);
		/* Taken is a conflict of resources: 409. */
		if (i == 0 ? status != 409 : status != cases[i].status)
			fail_msg("%s %s: %d %s", cases[i].path, cases[i].body,
			    status, h.body);
	}
	http_fini(&h);
	all_ended();
}

/* ---- probes ---- */
static void
probes_answer_in_every_role(void **state)
{
	static const char *const parts[] = { "api-1", "manager-1", "worker-1" };
	struct http h;
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(parts); i++) {
		http_init(&h, part_port(parts[i]));
		assert_int_equal(
		    http_call(&h, "GET", "/livez", NULL, NULL), 200);
		assert_int_equal(
		    http_call(&h, "GET", "/readyz", NULL, NULL), 200);
		/* A leader has to be elected first. */
		UNTIL(http_call(&h, "GET", "/status", NULL, NULL) == 200 &&
		    strcmp(str_of(http_json(&h), "status"), "ok") == 0);
		assert_int_equal(int_of(http_json(&h), "workers"), 1);
		http_fini(&h);
	}
	all_ended();
}

static const char *
redis_low_is(struct http *h)
{
	int status = http_call(h, "GET", "/status", NULL, NULL);
	const cJSON *parts = cJSON_GetObjectItem(http_json(h), "parts");

	assert_int_equal(status, 200);
	return str_of(cJSON_GetObjectItem(parts, "redis_low"), "status");
}

static void
status_names_the_part_that_is_down(void **state)
{
	struct http h;

	(void)state;
	http_init(&h, me.port);
	assert_string_equal(redis_low_is(&h), "up");
	part_kill("redis-low");
	UNTIL(strcmp(redis_low_is(&h), "down") == 0);
	assert_string_equal(str_of(http_json(&h), "status"), "degraded");
	/* An outage of a server is no reason to restart us. */
	assert_int_equal(http_call(&h, "GET", "/livez", NULL, NULL), 200);
	part_start("redis-low");
	UNTIL(strcmp(redis_low_is(&h), "up") == 0);
	http_fini(&h);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(post_waits_for_the_result),
	cmocka_unit_test(a_wait_that_is_over_tells_how_far_it_is),
	cmocka_unit_test(a_list_is_read_by_pages),
	cmocka_unit_test(a_last_page_that_is_full_has_no_cursor),
	cmocka_unit_test(tasks_of_another_user_are_not_there),
	cmocka_unit_test(an_unchanged_task_is_not_sent_again),
	cmocka_unit_test(high_comes_before_low_and_each_in_order),
	cmocka_unit_test(errors_are_problems),
	cmocka_unit_test(users_have_their_rules),
	cmocka_unit_test(probes_answer_in_every_role),
	cmocka_unit_test(status_names_the_part_that_is_down),
};

int
main(int argc, char **argv)
{
	struct group g = { "api", "api=1 manager=1 worker=1",
		"concurrency = 1\n" LEDGER_CONF, tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
