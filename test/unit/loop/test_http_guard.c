/* The guard alone, row by row; test_http.c sends the same over a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../../src/loop/http_rules.h"

#define G EVHTTP_REQ_GET
#define P EVHTTP_REQ_POST

static const struct row {
	int status;
	enum evhttp_cmd_type method;
	int major, minor;
	const char *target;
	size_t body_len;
	const char *header[8]; /* name, value, name, value */
} rows[] = {
	{ 0, G, 1, 1, "/", 0, { "Host", "x" } },
	{ 0, G, 1, 1, "/", 0, { "hOST", "" } },
	{ 0, G, 1, 0, "/", 0, { NULL } },
	{ 0, P, 1, 1, "/a?b=%2f+", 12,
	    { "Host", "x", "content-length", "12" } },
	{ 0, P, 1, 1, "/", 12, { "Host", "x", "Content-Length", "0012" } },
	{ 0, P, 1, 1, "/", 1,
	    { "Host", "x", "Content-Length", "1", "Expect", "100-Continue" } },
	{ 0, EVHTTP_REQ_OPTIONS, 1, 1, "*", 0, { "Host", "x" } },
	{ 0, G, 1, 1, "/", 0,
	    { "Host", "x", "X-Y!#$%&'*+.^_`|~9", "\tv\xff" } },
	{ 505, G, 1, 2, "/", 0, { "Host", "x" } },
	{ 505, G, 0, 9, "/", 0, { "Host", "x" } },
	{ 505, G, 1, -57, "/", 0, { "Host", "x" } },
	{ 505, G, -1, 1, "/", 0, { "Host", "x" } },
	{ 505, G, 2, 0, "/", 0, { "Host", "x" } },
	{ 501, EVHTTP_REQ_TRACE, 1, 1, "/", 0, { "Host", "x" } },
	{ 501, EVHTTP_REQ_CONNECT, 1, 1, "/", 0, { "Host", "x" } },
	{ 501, (enum evhttp_cmd_type)(1 << 15), 1, 1, "/", 0, { "Host", "x" } },
	{ 400, G, 1, 1, NULL, 0, { "Host", "x" } },
	{ 400, G, 1, 1, "", 0, { "Host", "x" } },
	{ 400, G, 1, 1, "*", 0, { "Host", "x" } },
	{ 400, EVHTTP_REQ_OPTIONS, 1, 1, "*x", 0, { "Host", "x" } },
	{ 400, G, 1, 1, "a", 0, { "Host", "x" } },
	{ 400, G, 1, 1, "//", 0, { "Host", "x" } },
	{ 400, G, 1, 1, "/ ", 0, { "Host", "x" } },
	{ 400, G, 1, 1, "/\x80", 0, { "Host", "x" } },
	{ 400, G, 1, 1, "/%", 0, { "Host", "x" } },
	{ 400, G, 1, 1, "/%a", 0, { "Host", "x" } },
	{ 400, G, 1, 1, "/%ag", 0, { "Host", "x" } },
	{ 400, G, 1, 1, "/%00", 0, { "Host", "x" } },
	{ 400, G, 1, 1, "/?%00", 0, { "Host", "x" } },
	{ 400, G, 1, 1, "/", 0, { NULL } },
	{ 400, G, 1, 1, "/", 0, { "Host", "x", "HOST", "x" } },
	{ 400, G, 1, 0, "/", 0, { "Host", "x", "Host", "y" } },
	{ 400, G, 1, 1, "/", 0, { "Host", "x,y" } },
	{ 400, G, 1, 1, "/", 0, { "Host", "u@x" } },
	{ 400, G, 1, 1, "/", 0, { "Host", "x", "", "v" } },
	{ 400, G, 1, 1, "/", 0, { "Host", "x", "X ", "v" } },
	{ 400, G, 1, 1, "/", 0, { "Host", "x", "X\xe9", "v" } },
	{ 400, G, 1, 1, "/", 0, { "Host", "x", "X\xc1", "v" } },
	{ 400, G, 1, 1, "/", 0, { "Host", "x", "X@", "v" } },
	{ 400, G, 1, 1, "/", 0, { "Host", "x", "X[", "v" } },
	{ 400, G, 1, 1, "/", 0, { "Host", "x", "X", "a\rb" } },
	{ 400, G, 1, 1, "/", 0, { "Host", "x", "X", "\x7f" } },
	{ 411, P, 1, 1, "/", 5,
	    { "Host", "x", "transfer-encoding", "chunked" } },
	{ 411, P, 1, 1, "/", 5,
	    { "Host", "x", "Content-Length", "5", "Transfer-Encoding", "" } },
	{ 400, P, 1, 1, "/", 5,
	    { "Host", "x", "Content-Length", "5", "Content-Length", "5" } },
	{ 400, P, 1, 1, "/", 5, { "Host", "x", "Content-Length", "+5" } },
	{ 400, P, 1, 1, "/", 5, { "Host", "x", "Content-Length", "5 " } },
	{ 400, P, 1, 1, "/", 0, { "Host", "x", "Content-Length", "" } },
	{ 400, P, 1, 1, "/", 5, { "Host", "x", "Content-Length", "6" } },
	{ 400, P, 1, 1, "/", 5, { "Host", "x" } },
	{ 400, P, 1, 1, "/", 0,
	    { "Host", "x", "Content-Length", "18446744073709551616" } },
	{ 400, P, 1, 1, "/", 4,
	    { "Host", "x", "Content-Length", "184467440737095516164" } },
	{ 417, G, 1, 1, "/", 0, { "Host", "x", "Expect", "tea" } },
	{ 417, G, 1, 1, "/", 0,
	    { "Host", "x", "Expect", "100-continue", "Expect",
		"100-continue" } },
};

static int
check(const struct row *r, const char **ret_why)
{
	struct evkeyval kv[4];
	struct evkeyvalq q;
	struct guard_input in = { r->method, r->major, r->minor, r->target, &q,
		r->body_len };

	TAILQ_INIT(&q);
	for (int i = 0; i < 4 && r->header[2 * i] != NULL; i++) {
		kv[i].key = (char *)(uintptr_t)r->header[2 * i];
		kv[i].value = (char *)(uintptr_t)r->header[2 * i + 1];
		TAILQ_INSERT_TAIL(&q, &kv[i], next);
	}
	return guard_check(&in, ret_why);
}

static void
test_rows(void **state)
{
	const char *why;
	int status;

	(void)state;
	for (size_t i = 0; i < NELEM(rows); i++) {
		why = NULL;
		status = check(&rows[i], &why);
		if (status != rows[i].status)
			fail_msg("row %zu: %d (%s) instead of %d", i, status,
			    why ? why : "-", rows[i].status);
		assert_true((why != NULL) == (status != 0));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
