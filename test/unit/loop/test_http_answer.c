/*
 * What answers look like: statuses, headers, problem bodies, and the line in
 * the access log.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include "http_fixture.h"

#define HOST "Host: x\r\n"

static void
test_methods(void **state)
{
	struct answer a;

	(void)state;
	ask(api_port, "POST /tasks/1 HTTP/1.1\r\n" HOST "\r\n", &a, true);
	assert_problem(&a, 405);
	assert_header(&a, "Allow", "GET, HEAD, DELETE, OPTIONS");
	assert_header(&a, "Connection", NULL);
	ask(api_port, "GET /echo HTTP/1.1\r\n" HOST "\r\n", &a, true);
	assert_problem(&a, 405);
	assert_header(&a, "Allow", "POST, OPTIONS");
	ask(api_port, "OPTIONS /tasks/1 HTTP/1.1\r\n" HOST "\r\n", &a, true);
	assert_int_equal(a.status, 204);
	assert_header(&a, "Allow", "GET, HEAD, DELETE, OPTIONS");
	assert_header(&a, "Content-Length", NULL);
	assert_header(&a, "Content-Type", NULL);
	ask(api_port, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", &a, true);
	assert_int_equal(a.status, 204);
	assert_header(&a, "Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS");
	ask(api_port, "OPTIONS /nowhere HTTP/1.1\r\n" HOST "\r\n", &a, true);
	assert_problem(&a, 404);
}

static void
test_not_found(void **state)
{
	static const char *const paths[] = { "/", "/nowhere", "/tasks",
		"/tasks/", "/tasks//", "/tasks/1/", "/tasks/1/2", "/echo/",
		"/ECHO", "/tasks%2f1", "/metrics" };
	char request[256];
	struct answer a;

	(void)state;
	for (size_t i = 0; i < NELEM(paths); i++) {
		snprintf(request, sizeof(request),
		    "GET %s?q HTTP/1.1\r\n" HOST "\r\n", paths[i]);
		ask(api_port, request, &a, true);
		if (a.status != 404)
			fail_msg("%d for %s", a.status, paths[i]);
		assert_problem(&a, 404);
	}
	a.body[a.body_len - 1] = '\0';
	assert_non_null(strstr(a.body, "\"instance\":\"/metrics\""));
	assert_non_null(
	    strstr(a.body, "\"type\":\"urn:taskflow:problem:not-found\""));
	assert_int_equal(n_served, 0);
	/* Each listener has its own. */
	ask(admin_port, "GET /metrics HTTP/1.1\r\n" HOST "\r\n", &a, true);
	assert_int_equal(a.status, 200);
	ask(admin_port, "GET /tasks/1 HTTP/1.1\r\n" HOST "\r\n", &a, true);
	assert_problem(&a, 404);
}

static void
fail_with(const char *name, const char *headers, struct answer *a)
{
	char request[256];

	snprintf(request, sizeof(request),
	    "GET /fail/%s HTTP/1.1\r\n" HOST "%s\r\n", name, headers);
	ask(api_port, request, a, true);
	a->body[a->body_len - 1] = '\0';
	a->body_len--;
}

static void
test_problems(void **state)
{
	char value[256];
	struct answer a;

	(void)state;
	for (enum err e = OK + 1; e < ERR_MAX; e++) {
		fail_with(err_name(e), "", &a);
		assert_problem(&a, problem_status(e));
		assert_true((header_of(&a, "Retry-After", value) != NULL) ==
		    (a.status == 429 || a.status == 503 ||
			e == ERR_KEY_RUNNING));
		snprintf(value, sizeof(value), "problem:%s\"", err_name(e));
		assert_non_null(strstr(a.body, value));
	}
	fail_with("invalid", "", &a);
	assert_non_null(strstr(a.body,
	    "\"errors\":[{\"pointer\":\"/payload/\\\"x\\\"\","
	    "\"detail\":\"must not be \\\"invalid\\\"\"}]"));
	fail_with("not-found", "", &a);
	assert_null(strstr(a.body, "errors"));
	fail_with("rate-limited", "", &a);
	assert_header(&a, "Retry-After", "17");
	fail_with("unauthorized", "", &a);
	assert_header(&a, "WWW-Authenticate", "Bearer realm=\"taskflow\"");
	fail_with("unauthorized", "Authorization: Bearer x\r\n", &a);
	assert_header(&a, "WWW-Authenticate",
	    "Bearer realm=\"taskflow\", error=\"invalid_token\"");
}

static void
test_request_id(void **state)
{
	static const char sixty_five[] = "1234567890123456789012345678901234567"
					 "8901234567890123456789012345";
	static const char *const bad[] = { "", "a b", "a\"b", "a/b",
		sixty_five };
	char request[256], have[256];
	struct answer a;
	struct id id;

	(void)state;
	ask(api_port,
	    "GET /tasks/1 HTTP/1.1\r\n" HOST "x-request-id: A.z_0-9\r\n\r\n",
	    &a, true);
	assert_header(&a, "X-Request-Id", "A.z_0-9");
	for (size_t i = 0; i < NELEM(bad); i++) {
		snprintf(request, sizeof(request),
		    "GET /none HTTP/1.1\r\n" HOST "X-Request-Id: %s\r\n\r\n",
		    bad[i]);
		ask(api_port, request, &a, true);
		assert_non_null(header_of(&a, "X-Request-Id", have));
		assert_true(id_parse(have, strlen(have), &id));
		assert_non_null(strstr(a.body, have));
	}
	/* What evhttp refuses has one, too. */
	ask(api_port, "hello\r\n\r\n", &a, true);
	assert_non_null(header_of(&a, "X-Request-Id", have));
	assert_true(id_parse(have, strlen(have), &id));
}

static void
test_media_type(void **state)
{
	static const struct {
		const char *header;
		int status;
	} types[] = {
		{ "", 204 },
		{ "Content-Type: application/json\r\n", 204 },
		{ "Content-Type: Application/JSON; charset=utf-8\r\n", 204 },
		{ "Content-Type: application/vnd.x+json\r\n", 204 },
		{ "Content-Type: text/plain\r\n", 415 },
		{ "Content-Type: application/jsonx\r\n", 415 },
		{ "Content-Type: application/x-www-form-urlencoded\r\n", 415 },
		{ "Content-Type:\r\n", 415 },
		{ "Content-Encoding: identity\r\n", 204 },
		{ "Content-Encoding: gzip\r\n", 415 },
	};
	char request[256];
	struct answer a;

	(void)state;
	for (size_t i = 0; i < NELEM(types); i++) {
		snprintf(request, sizeof(request),
		    "POST /json HTTP/1.1\r\n" HOST
		    "Content-Length: 2\r\n%s\r\n{}",
		    types[i].header);
		ask(api_port, request, &a, true);
		if (a.status != types[i].status)
			fail_msg("%d for %s", a.status, types[i].header);
	}
}

/* ---- the access log ---- */
static int
read_log(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);
	int lines = 0;

	assert_true(n >= 0);
	text[n] = '\0';
	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

static void
test_access_log(void **state)
{
	char name[] = "/tmp/test_http_XXXXXX", text[8192];
	int fd = mkstemp(name), saved = dup(STDERR_FILENO), lines;
	struct answer a;

	(void)state;
	assert_true(fd >= 0 && saved >= 0);
	unlink(name);
	dup2(fd, STDERR_FILENO);
	log_open(LOG_INFO, LOG_TEXT, "api");
	ask(api_port,
	    "POST /json?secret=1 HTTP/1.1\r\n" HOST "X-Request-Id: r1\r\n\r\n",
	    &a, true);
	ask(api_port, "GET /none HTTP/1.1\r\n" HOST "\r\n", &a, true);
	ask(api_port, "GET /livez HTTP/1.1\r\n" HOST "\r\n", &a, true);
	ask(api_port, "BREW / HTTP/1.1\r\n" HOST "\r\n", &a, true);
	ask(api_port, "hello\r\n\r\n", &a, true);
	log_open(LOG_ERROR, LOG_TEXT, "test");
	lines = read_log(fd, text, sizeof(text));
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fd);
	assert_int_equal(lines, 4); /* all but the probe */
	assert_non_null(strstr(text, "method=POST path=/json status=204 ms="));
	assert_non_null(strstr(text, "request_id=r1 user="));
	assert_non_null(strstr(text, "path=/none status=404"));
	assert_non_null(strstr(text, "status=501"));
	assert_non_null(strstr(text, "method=- path=- status=400")
		?: strstr(text, "method=\"-\" path=\"-\" status=400"));
	assert_null(strstr(text, "livez"));
	assert_null(strstr(text, "secret"));
}

static void
test_bad_addresses(void **state)
{
	static const char *const bad[] = { "", "8080", "x:", "127.0.0.1:x",
		"127.0.0.1:65536", "::1:80", "127.0.0.1:-1", "[::1]",
		"no.such.host.invalid:0", "192.0.2.1:0" };
	char err[256], taken[32];

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++) {
		err[0] = '\0';
		assert_false(http_listen(the_http, bad[i], admin_routes, 1,
		    &n_served, err, sizeof(err)));
		assert_true(err[0] != '\0' && strchr(err, '\n') == NULL);
	}
	/* In use. */
	snprintf(taken, sizeof(taken), "127.0.0.1:%d", api_port);
	assert_false(http_listen(
	    the_http, taken, admin_routes, 1, &n_served, err, sizeof(err)));
	/* All addresses: an IPv4 peer looks like one. */
	assert_true(http_listen(the_http, ":0", api_routes, NELEM(api_routes),
	    &n_served, err, sizeof(err)));
	{
		struct answer a;

		ask(http_port(the_http), "GET /query HTTP/1.1\r\n" HOST "\r\n",
		    &a, true);
		assert_int_equal(a.status, 200);
		a.body[a.body_len] = '\0';
		assert_non_null(strstr(a.body, "peer=127.0.0.1"));
	}
}

/* A flow that ends without an answer is a bug, and says so at once. */
static void
test_no_answer_aborts(void **state)
{
	static const struct rlimit no_core;
	struct answer a;
	int status;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(STDERR_FILENO);
		setrlimit(RLIMIT_CORE, &no_core);
		set_up(state);
		ask(api_port, "PUT /mute HTTP/1.1\r\n" HOST "\r\n", &a, true);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_methods),
		TEST(test_not_found),
		TEST(test_problems),
		TEST(test_request_id),
		TEST(test_media_type),
		TEST(test_access_log),
		TEST(test_bad_addresses),
		cmocka_unit_test(test_no_answer_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
