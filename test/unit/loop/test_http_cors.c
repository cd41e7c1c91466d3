/* What scripts in a browser are told, and what proxies may tell: through the
 * whole server. */
#include "http_fixture.h"

#define HOST "Host: x\r\n"
#define ALLOW_ORIGIN "Access-Control-Allow-Origin"
#define ONE "https://app.example"

static void
start_with(const char *origins, const char *proxies)
{
	const struct http_conf conf = {
		.max_body = MAX_BODY,
		.max_header = MAX_HEADER,
		.max_connections = 100,
		.request_timeout_ms = 10000,
		.idle_timeout_ms = 10000,
		.cors_origins = origins,
		.trusted_proxies = proxies,
	};

	server_start(&conf);
}

static int
stop(void **state)
{
	return tear_down(state);
}

static void
get(const char *path, const char *headers, struct answer *a)
{
	char request[1024];

	snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" HOST "%s\r\n",
	    path, headers);
	ask(api_port, request, a, true);
}

#define PREFLIGHT                            \
	"OPTIONS /tasks/1 HTTP/1.1\r\n" HOST \
	"Access-Control-Request-Method: DELETE\r\n"

static void
test_off(void **state)
{
	struct answer a;

	(void)state;
	start_with("", "");
	get("/tasks/1", "Origin: " ONE "\r\n", &a);
	assert_int_equal(a.status, 200);
	assert_null(strstr(a.head, "Access-Control"));
	assert_null(strstr(a.head, "Vary"));
	ask(api_port, PREFLIGHT "Origin: " ONE "\r\n\r\n", &a, false);
	assert_int_equal(a.status, 204);
	assert_null(strstr(a.head, "Access-Control"));
}

static void
test_list(void **state)
{
	static const char *const strangers[] = { "https://app.example.evil",
		"https://app.exampl", "http://app.example", "null", "",
		"https://APP.example", ONE ":443", ONE "/",
		ONE ",http://localhost:3000" };
	char header[128];
	struct answer a;

	(void)state;
	start_with(ONE ",http://localhost:3000", NULL);
	get("/tasks/1", "Origin: " ONE "\r\n", &a);
	assert_header(&a, ALLOW_ORIGIN, ONE);
	assert_header(&a, "Vary", "Origin");
	assert_non_null(strstr(a.head, "Access-Control-Expose-Headers: "));
	assert_non_null(strstr(a.head, "RateLimit"));
	assert_null(strstr(a.head, "Credentials"));
	get("/tasks/1", "Origin: http://localhost:3000\r\n", &a);
	assert_header(&a, ALLOW_ORIGIN, "http://localhost:3000");
	/* On errors too: else a script learns nothing of them. */
	get("/nothing", "Origin: " ONE "\r\n", &a);
	assert_problem(&a, 404);
	assert_header(&a, ALLOW_ORIGIN, ONE);
	get("/fail/conflict", "Origin: " ONE "\r\n", &a);
	assert_true(a.status >= 400);
	assert_header(&a, ALLOW_ORIGIN, ONE);
	ask(api_port,
	    "GET / HTTP/1.1\r\n" HOST "Content-Length: +0\r\nOrigin: " ONE
	    "\r\n\r\n",
	    &a, true);
	assert_problem(&a, 400);
	assert_header(&a, ALLOW_ORIGIN, ONE);
	/* Strangers get the answer, which their browser keeps from them. */
	for (size_t i = 0; i < NELEM(strangers); i++) {
		snprintf(
		    header, sizeof(header), "Origin: %s\r\n", strangers[i]);
		get("/tasks/1", header, &a);
		assert_int_equal(a.status, 200);
		assert_null(strstr(a.head, "Access-Control"));
		assert_header(&a, "Vary", "Origin");
	}
	get("/tasks/1", "", &a);
	assert_null(strstr(a.head, "Access-Control"));
	assert_header(&a, "Vary", "Origin");
}

static void
test_preflight(void **state)
{
	struct answer a;

	(void)state;
	start_with(ONE, NULL);
	ask(api_port, PREFLIGHT "Origin: " ONE "\r\n\r\n", &a, false);
	assert_int_equal(a.status, 204);
	assert_header(&a, ALLOW_ORIGIN, ONE);
	assert_header(
	    &a, "Access-Control-Allow-Methods", "GET, HEAD, DELETE, OPTIONS");
	assert_non_null(strstr(a.head,
	    "Access-Control-Allow-Headers: "
	    "Authorization, Content-Type, "));
	assert_header(&a, "Access-Control-Max-Age", "600");
	/* A stranger's says no. */
	ask(api_port, PREFLIGHT "Origin: https://evil.example\r\n\r\n", &a,
	    false);
	assert_int_equal(a.status, 204);
	assert_header(&a, ALLOW_ORIGIN, NULL);
	/* OPTIONS that is no preflight. */
	ask(api_port,
	    "OPTIONS /tasks/1 HTTP/1.1\r\n" HOST "Origin: " ONE "\r\n\r\n", &a,
	    false);
	assert_header(&a, "Access-Control-Allow-Methods", NULL);
	assert_header(&a, "Allow", "GET, HEAD, DELETE, OPTIONS");
}

static void
test_everybody(void **state)
{
	struct answer a;

	(void)state;
	start_with("*", NULL);
	get("/tasks/1", "Origin: https://any.example\r\n", &a);
	assert_header(&a, ALLOW_ORIGIN, "*");
	assert_header(&a, "Vary", NULL);
	assert_null(strstr(a.head, "Credentials"));
	ask(api_port, PREFLIGHT "Origin: null\r\n\r\n", &a, false);
	assert_header(&a, ALLOW_ORIGIN, "*");
	assert_header(&a, "Access-Control-Max-Age", "600");
}

/* ---- proxies; the access log tells ---- */
static void
log_of(const char *proxies, const char *headers, char text[4096])
{
	char name[] = "/tmp/test_http_XXXXXX";
	int fd = mkstemp(name), saved = dup(STDERR_FILENO);
	struct answer a;
	ssize_t n;

	assert_true(fd >= 0 && saved >= 0);
	unlink(name);
	start_with(NULL, proxies);
	dup2(fd, STDERR_FILENO);
	log_open(LOG_INFO, LOG_TEXT, "api");
	get("/tasks/1", headers, &a);
	log_open(LOG_ERROR, LOG_TEXT, "test");
	n = pread(fd, text, 4095, 0);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(fd);
	assert_true(n > 0);
	text[n] = '\0';
	stop(NULL);
}

static void
test_proxies(void **state)
{
	static const char said[] = "X-Forwarded-For: 9.9.9.9, 192.0.2.7\r\n"
				   "X-Forwarded-Proto: https\r\n";
	char text[4096];

	(void)state;
	log_of("", said, text);
	assert_non_null(strstr(text, "client=127.0.0.1 "));
	assert_null(strstr(text, "scheme="));
	log_of("10.0.0.0/8", said, text);
	assert_non_null(strstr(text, "client=127.0.0.1 "));
	assert_null(strstr(text, "scheme="));
	log_of("127.0.0.0/8", said, text);
	assert_non_null(strstr(text, "client=192.0.2.7 "));
	assert_non_null(strstr(text, "scheme=https"));
	log_of("127.0.0.0/8", "X-Forwarded-For: a b=c\r\n", text);
	assert_non_null(strstr(text, "client=127.0.0.1 "));
	start_with(NULL, NULL); /* for the tear-down */
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, stop)
	const struct CMUnitTest tests[] = {
		TEST(test_off),
		TEST(test_list),
		TEST(test_preflight),
		TEST(test_everybody),
		TEST(test_proxies),
	};

	log_open(LOG_ERROR, LOG_TEXT, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
