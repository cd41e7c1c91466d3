/*
 * The protocol: what is refused and how, and what an answer looks like. The
 * first table is section 3 of TRAPS.md, row by row.
 */
#include "http_fixture.h"

#define HOST "Host: x\r\n"
#define POST_ECHO "POST /echo HTTP/1.1\r\n" HOST
/* If the server took a refused body for a request, this would be served. */
#define SMUGGLED "GET /tasks/smuggled HTTP/1.1\r\n" HOST "\r\n"
#define CHUNKED POST_ECHO "Transfer-Encoding: chunked\r\n\r\n"

/* Refused, with a problem, and the connection closed; no flow has begun. */
static const struct refusal {
	const char *request;
	int status; /* 0: 400 with libevent's security fixes, else 411 */
} refusals[] = {
	/* chunks */
	{ CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 411 },
	{ CHUNKED "+5\r\nhello\r\n0\r\n\r\n", 411 },
	{ CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 411 },
	{ CHUNKED "5\r\nhello0\r\n\r\n", 411 },
	{ CHUNKED "5\r\nhello\r\n0\r\n\r\n", 411 },
	{ CHUNKED "0\r\n\r\n" SMUGGLED, 411 },
	{ CHUNKED "fffff\r\n", 413 },
	{ CHUNKED "nonsense\r\n", 413 },
	/* other encodings, and encodings with lengths */
	{ POST_ECHO "Transfer-Encoding: xchunked\r\n\r\n" SMUGGLED, 411 },
	{ POST_ECHO "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 411 },
	{ POST_ECHO "Transfer-Encoding: identity\r\n\r\n" SMUGGLED, 411 },
	{ POST_ECHO "Transfer-Encoding:\r\n\r\n" SMUGGLED, 411 },
	{ POST_ECHO "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "0\r\n\r\n",
	    0 },
	/* lengths */
	{ POST_ECHO "Content-Length: 2\r\nContent-Length: 5\r\n\r\nhello",
	    400 },
	{ POST_ECHO "Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", 400 },
	{ POST_ECHO "Content-Length: +2\r\n\r\nhi", 400 },
	{ POST_ECHO "Content-Length: 2abc\r\n\r\nhi", 400 },
	{ POST_ECHO "Content-Length: 0x2\r\n\r\nhi", 400 },
	{ POST_ECHO "Content-Length: -1\r\n\r\nhi", 400 },
	{ POST_ECHO "Content-Length: \t2\r\n\r\nhi", 400 },
	{ POST_ECHO "Content-Length:\r\n\r\nhi", 400 },
	{ POST_ECHO "Content-Length: 99999999999999999999\r\n\r\nhi", 413 },
	{ POST_ECHO "Content-Length: 65537\r\n\r\nhi", 413 },
	/* versions */
	{ "GET /tasks/1 HTTP/1.1111111111\r\n" HOST "\r\n", 505 },
	{ "GET /tasks/1 HTTP/1.2\r\n" HOST "\r\n", 505 },
	{ "GET /tasks/1 HTTP/0.9\r\n" HOST "\r\n", 505 },
	{ "GET /tasks/1 HTTP/-1.1\r\n" HOST "\r\n", 505 },
	{ "GET /tasks/1 HTTP/2.0\r\n" HOST "\r\n", 400 },
	/* hosts and names */
	{ "GET /tasks/1 HTTP/1.1\r\n\r\n", 400 },
	{ "GET /tasks/1 HTTP/1.1\r\n" HOST HOST "\r\n", 400 },
	{ "GET /tasks/1 HTTP/1.0\r\n" HOST HOST "\r\n", 400 },
	{ "GET /tasks/1 HTTP/1.1\r\nHost: a b\r\n\r\n", 400 },
	{ "GET /tasks/1 HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
	{ "GET /tasks/1 HTTP/1.1\r\n" HOST ": v\r\n\r\n", 400 },
	{ "GET /tasks/1 HTTP/1.1\r\n" HOST "X-\xc3\xa9: v\r\n\r\n", 400 },
	{ "GET /tasks/1 HTTP/1.1\r\n" HOST "X-A : v\r\n\r\n", 400 },
	{ POST_ECHO "Content-Length : 40\r\n\r\n" SMUGGLED, 400 },
	{ "GET /tasks/1 HTTP/1.1\r\n" HOST "X(A): v\r\n\r\n", 400 },
	{ "GET /tasks/1 HTTP/1.1\r\n" HOST "X: a\001b\r\n\r\n", 400 },
	{ "GET /tasks/1 HTTP/1.1\r\n" HOST "no colon\r\n\r\n", 400 },
	/* targets */
	{ "GET /a b HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /a\tb HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /a\x7f HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /\xc3\xa9 HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /tasks/1#f HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /tasks/%00 HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /query?a=%00 HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /tasks/%4 HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET /tasks/%zz HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET //evil/a HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET http://evil/tasks/1 HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET tasks/1/2 HTTP/1.1\r\n" HOST "\r\n", 400 },
	{ "GET * HTTP/1.1\r\n" HOST "\r\n", 400 },
	/* methods */
	{ "CONNECT x:443 HTTP/1.1\r\n" HOST "\r\n" SMUGGLED, 501 },
	{ "TRACE /tasks/1 HTTP/1.1\r\n" HOST "\r\n", 501 },
	{ "BREW /tasks/1 HTTP/1.1\r\n" HOST "\r\n", 501 },
	{ "get /tasks/1 HTTP/1.1\r\n" HOST "\r\n", 501 },
	/* expectations */
	{ POST_ECHO "Expect: tea\r\nContent-Length: 2\r\n\r\nhi", 417 },
	{ POST_ECHO "Expect: tea\r\nContent-Length: 0\r\n\r\n", 417 },
	{ POST_ECHO "Expect: 100-continue\r\nContent-Length: 65537\r\n\r\n",
	    413 },
	/* not HTTP at all */
	{ "\r\n\r\n", 400 },
	{ "hello\r\n\r\n", 400 },
};

static void
check_refusal(const struct refusal *r)
{
	struct client c;
	struct answer a;

	n_served = 0;
	client_open(&c, api_port);
	client_says(&c, r->request);
	get_answer(&c, &a, true);
	if (r->status == 0 ? a.status != 400 && a.status != 411
			   : a.status != r->status)
		fail_msg("%d instead of %d for: %s", a.status, r->status,
		    r->request);
	assert_problem(&a, a.status);
	assert_header(&a, "Connection", "close");
	assert_int_equal(strncmp(a.head, "HTTP/1.1 ", 9), 0);
	UNTIL(client_at_end(&c));
	/* One answer, and no reset that could have eaten it. */
	assert_int_equal(c.in.len, a.size);
	assert_int_equal(c.err, 0);
	assert_int_equal(n_served, 0);
	client_close(&c);
}

static void
test_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < NELEM(refusals); i++)
		check_refusal(&refusals[i]);
}

/* Rows of the table that need bytes a string literal cannot have. */
static void
test_refused_nul_and_sizes(void **state)
{
	static char large[MAX_HEADER * 2 + 64];
	static const char nul[] = "GET /tasks/\0x HTTP/1.1\r\n" HOST "\r\n";
	static char zeros[100000 + 64];
	struct client c;
	struct answer a;
	int n;

	(void)state;
	client_open(&c, api_port);
	client_send(&c, nul, sizeof(nul) - 1);
	get_answer(&c, &a, true);
	assert_problem(&a, 400);
	client_close(&c);

	n = snprintf(large, sizeof(large), "GET /");
	memset(large + n, 'a', MAX_HEADER);
	strcpy(large + n + MAX_HEADER, " HTTP/1.1\r\n" HOST "\r\n");
	ask(api_port, large, &a, true);
	assert_problem(&a, 400);
	n = snprintf(large, sizeof(large), "GET / HTTP/1.1\r\n" HOST "X: ");
	memset(large + n, 'a', MAX_HEADER);
	strcpy(large + n + MAX_HEADER, "\r\n\r\n");
	ask(api_port, large, &a, true);
	assert_problem(&a, 400);

	/* A chunk size of 100 kB of zeros. */
	client_open(&c, api_port);
	client_says(&c, CHUNKED);
	memset(zeros, '0', 100000);
	strcpy(zeros + 100000, "5\r\nhello\r\n0\r\n\r\n");
	client_says(&c, zeros);
	get_answer(&c, &a, true);
	assert_problem(&a, 411);
	client_close(&c);
	assert_int_equal(n_served, 0);
}

static const struct accepted {
	const char *request;
	const char *body;
} accepted[] = {
	{ "GET /tasks/7 HTTP/1.1\r\n" HOST "\r\n", "show:7" },
	{ "GET /tasks/7 HTTP/1.0\r\n\r\n", "show:7" },
	/* bare line feeds, folded lines, a NUL that cuts a value */
	{ "GET /tasks/7 HTTP/1.1\nHost: x\n\n", "show:7" },
	{ "GET /tasks/7 HTTP/1.1\r\n" HOST "X: a\r\n b\r\n\r\n", "show:7" },
	{ "GET /tasks/7?x=1&y HTTP/1.1\r\n" HOST "\r\n", "show:7" },
	{ "GET /tasks/7 HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "show:7" },
	/* segments are split first and decoded once */
	{ "GET /tasks/%2e%2e%2fx HTTP/1.1\r\n" HOST "\r\n", "show:../x" },
	{ "GET /tasks/%2541 HTTP/1.1\r\n" HOST "\r\n", "show:%41" },
	{ "GET /%74asks/a+b HTTP/1.1\r\n" HOST "\r\n", "show:a+b" },
	{ "GET /tasks/me HTTP/1.1\r\n" HOST "\r\n", "me:" },
	{ "DELETE /tasks/me HTTP/1.1\r\n" HOST "\r\n", "delete:me" },
	{ POST_ECHO "Content-Length: 2\r\n\r\nhi", "hi" },
	{ POST_ECHO "Content-Length: 0\r\n\r\n", "" },
	{ POST_ECHO "\r\n", "" },
	{ "GET /tasks/7 HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi",
	    "show:7" },
	{ POST_ECHO "Expect: 100-continue\r\nContent-Length: 2\r\n\r\nhi",
	    "hi" },
	{ "GET /query?a=1+2%26&b HTTP/1.1\r\n" HOST "\r\n",
	    "a=1 2& many=0 unknown=(none) peer=127.0.0.1" },
	{ "GET /query?%61=&&x%20y=1&a=2 HTTP/1.1\r\n" HOST "\r\n",
	    "a= many=1 unknown=x y peer=127.0.0.1" },
	{ "GET /query?b=a?a=1 HTTP/1.1\r\n" HOST "\r\n",
	    "a=(none) many=0 unknown=(none) peer=127.0.0.1" },
};

static void
test_accepted(void **state)
{
	struct answer a;

	(void)state;
	for (size_t i = 0; i < NELEM(accepted); i++) {
		ask(api_port, accepted[i].request, &a, true);
		if (a.status != 200)
			fail_msg("%d for %s", a.status, accepted[i].request);
		assert_int_equal(a.body_len, strlen(accepted[i].body));
		assert_memory_equal(a.body, accepted[i].body, a.body_len);
		assert_header(&a, "Cache-Control", "no-store");
	}
	assert_int_equal(n_served, NELEM(accepted));
}

static void
test_many_headers(void **state)
{
	static char text[MAX_HEADER];
	struct answer a;
	size_t n;

	(void)state;
	n = (size_t)snprintf(
	    text, sizeof(text), "GET /tasks/7 HTTP/1.1\r\n" HOST);
	for (int i = 0; i < 500; i++)
		n +=
		    (size_t)snprintf(text + n, sizeof(text) - n, "x%d:\r\n", i);
	snprintf(text + n, sizeof(text) - n, "\r\n");
	ask(api_port, text, &a, true);
	assert_int_equal(a.status, 200);
}

static void
test_expect_continue(void **state)
{
	struct client c;
	struct answer a;

	(void)state;
	client_open(&c, api_port);
	client_says(&c,
	    POST_ECHO "Expect: 100-continue\r\n"
		      "Content-Length: 2\r\n\r\n");
	get_answer(&c, &a, true);
	assert_int_equal(a.status, 100);
	client_says(&c, "hi");
	next_answer(&c, &a);
	assert_int_equal(a.status, 200);
	assert_memory_equal(a.body, "hi", 2);
	/* Chunked, allowed to go on, and too long after all. */
	client_says(&c,
	    POST_ECHO "Expect: 100-continue\r\n"
		      "Transfer-Encoding: chunked\r\n\r\n");
	next_answer(&c, &a);
	assert_int_equal(a.status, 100);
	client_says(&c, "fffff\r\n");
	next_answer(&c, &a);
	assert_problem(&a, 413);
	client_close(&c);
}

/* A client that sends all before it reads must see the 413, not a reset. */
static void
test_large_body(void **state)
{
	static char body[1 << 20];
	struct client c;
	struct answer a;

	(void)state;
	client_open(&c, api_port);
	client_says(&c, POST_ECHO "Content-Length: 1048576\r\n\r\n");
	assert_true(client_send(&c, body, sizeof(body)));
	get_answer(&c, &a, true);
	assert_problem(&a, 413);
	UNTIL(client_at_end(&c));
	assert_int_equal(c.err, 0);
	client_close(&c);
	/* The same for what the guard refuses. */
	client_open(&c, api_port);
	client_says(&c, POST_ECHO "Transfer-Encoding: xchunked\r\n\r\n");
	assert_true(client_send(&c, body, sizeof(body)));
	get_answer(&c, &a, true);
	assert_problem(&a, 411);
	UNTIL(client_at_end(&c));
	assert_int_equal(c.err, 0);
	client_close(&c);
	/* The largest that is allowed. */
	client_open(&c, api_port);
	client_says(&c, POST_ECHO "Content-Length: 65536\r\n\r\n");
	memset(body, 'y', MAX_BODY);
	client_send(&c, body, MAX_BODY);
	get_answer(&c, &a, true);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.body_len, MAX_BODY);
	assert_memory_equal(a.body, body, MAX_BODY);
	client_close(&c);
}

static void
test_head(void **state)
{
	struct client c;
	struct answer a;

	(void)state;
	client_open(&c, api_port);
	client_says(&c,
	    "HEAD /tasks/77 HTTP/1.1\r\n" HOST "\r\n"
	    "HEAD /nowhere HTTP/1.1\r\n" HOST "\r\n"
	    "GET /tasks/8 HTTP/1.1\r\n" HOST "\r\n");
	get_answer(&c, &a, false);
	assert_int_equal(a.status, 200);
	assert_header(&a, "Content-Length", "7");
	assert_header(&a, "Content-Type", "text/plain");
	buf_drain(&c.in, a.size);
	get_answer(&c, &a, false);
	assert_int_equal(a.status, 404);
	assert_header(&a, "Content-Type", "application/problem+json");
	/* Had a body been sent, this would not begin with a status line. */
	next_answer(&c, &a);
	assert_int_equal(a.status, 200);
	assert_memory_equal(a.body, "show:8", 6);
	client_close(&c);
}

/* evhttp reads no body after HEAD, and would take it for a request. */
static void
test_head_with_body(void **state)
{
	struct client c;
	struct answer a;

	(void)state;
	client_open(&c, api_port);
	client_says(&c,
	    "HEAD /tasks/1 HTTP/1.1\r\n" HOST
	    "Content-Length: 46\r\n\r\n" SMUGGLED);
	get_answer(&c, &a, false);
	assert_int_equal(a.status, 400);
	assert_header(&a, "Connection", "close");
	UNTIL(client_at_end(&c));
	assert_int_equal(c.in.len, a.size);
	assert_int_equal(n_served, 0);
	client_close(&c);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_refusals),
		TEST(test_refused_nul_and_sizes),
		TEST(test_accepted),
		TEST(test_many_headers),
		TEST(test_expect_continue),
		TEST(test_large_body),
		TEST(test_head),
		TEST(test_head_with_body),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
