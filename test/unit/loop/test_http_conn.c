/*
 * The life of connections: who waits, who vanishes, who is too slow, who is
 * one too many, and how it all ends.
 */
#include <event2/bufferevent.h>
#include <sys/stat.h>

#include "http_fixture.h"

#define HOST "Host: x\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

/* ---- keep-alive and pipelines ---- */
static void
test_keep_alive(void **state)
{
	struct client c;
	struct answer a;

	(void)state;
	client_open(&c, api_port);
	for (int i = 0; i < 3; i++) {
		client_says(&c, GET("/tasks/1"));
		get_answer(&c, &a, true);
		assert_int_equal(a.status, 200);
		assert_header(&a, "Connection", NULL);
		buf_drain(&c.in, a.size);
	}
	assert_int_equal(conns()->n, 1);
	assert_int_equal(count(CONN_IDLE), 1);
	client_says(&c, "GET /nowhere HTTP/1.1\r\n" HOST "\r\n");
	get_answer(&c, &a, true);
	assert_problem(&a, 404); /* no reason to close */
	buf_drain(&c.in, a.size);
	client_says(
	    &c, "GET /tasks/1 HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
	get_answer(&c, &a, true);
	assert_header(&a, "Connection", "close");
	UNTIL(client_at_end(&c) && conns()->n == 0);
	client_close(&c);
}

static void
test_http_1_0(void **state)
{
	struct client c;
	struct answer a;

	(void)state;
	client_open(&c, api_port);
	client_says(&c,
	    "GET /tasks/1 HTTP/1.0\r\n"
	    "Connection: keep-alive\r\n\r\n");
	get_answer(&c, &a, true);
	assert_header(&a, "Connection", "keep-alive");
	buf_drain(&c.in, a.size);
	client_says(&c, "GET /tasks/1 HTTP/1.0\r\n\r\n");
	get_answer(&c, &a, true);
	assert_int_equal(a.status, 200);
	assert_header(&a, "Content-Length", "6");
	UNTIL(client_at_end(&c));
	client_close(&c);
}

static void
test_pipeline(void **state)
{
	struct client c;
	struct answer a;

	(void)state;
	client_open(&c, api_port);
	client_says(
	    &c, GET("/wait/1") GET("/tasks/2") GET("/wait/3") GET("/tasks/4"));
	UNTIL(n_waiting == 1);
	/* The second must not overtake it. */
	for (int i = 0; i < 50; i++)
		loop_turn(the_loop);
	assert_int_equal(n_served, 1);
	assert_int_equal(http_in_flight(the_http), 1);
	release(0);
	get_answer(&c, &a, true);
	assert_memory_equal(a.body, "wait:1", 6);
	next_answer(&c, &a);
	assert_memory_equal(a.body, "show:2", 6);
	UNTIL(n_waiting == 2);
	release(1);
	next_answer(&c, &a);
	assert_memory_equal(a.body, "wait:3", 6);
	next_answer(&c, &a);
	assert_memory_equal(a.body, "show:4", 6);
	UNTIL(count(CONN_IDLE) == 1);
	client_close(&c);
}

/* Answers of several connections in another order than they asked. */
static void
test_many_waiting(void **state)
{
	struct client c[8];
	struct answer a;

	(void)state;
	for (int i = 0; i < 8; i++) {
		client_open(&c[i], api_port);
		client_says(&c[i], GET("/wait"));
		UNTIL(n_waiting == i + 1);
	}
	assert_int_equal(http_in_flight(the_http), 8);
	for (int i = 7; i >= 0; i--) {
		release(i);
		get_answer(&c[i], &a, true);
		assert_int_equal(a.status, 200);
		assert_int_equal(http_in_flight(the_http), i);
		client_close(&c[i]);
	}
}

/* One byte at a time. */
static void
test_bytewise(void **state)
{
	static const char text[] =
	    "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 2\r\n\r\nhi";
	struct client c;
	struct answer a;

	(void)state;
	client_open(&c, api_port);
	for (size_t i = 0; i < sizeof(text) - 1; i++)
		client_send(&c, text + i, 1);
	get_answer(&c, &a, true);
	assert_int_equal(a.status, 200);
	assert_memory_equal(a.body, "hi", 2);
	client_close(&c);
}

/* ---- clients that vanish ---- */
static void
vanish(struct client *c, bool reset)
{
	struct linger hard = { .l_onoff = 1 };

	if (reset)
		setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	client_close(c);
}

static void
test_vanish_while_waiting(void **state)
{
	struct client c;

	(void)state;
	for (int i = 0; i < 2; i++) {
		client_open(&c, api_port);
		client_says(&c, GET("/wait"));
		UNTIL(n_waiting == i + 1);
		vanish(&c, i == 1);
		for (int turn = 0; turn < 50; turn++)
			loop_turn(the_loop);
		assert_int_equal(http_in_flight(the_http), 1);
		release(i);
		UNTIL(http_in_flight(the_http) == 0);
		UNTIL(conns()->n == 0);
	}
}

/* evhttp itself gives the connection up under a request that waits, and leaves
 * the request to us. */
static void
test_connection_lost_while_waiting(void **state)
{
	struct evhttp_connection *evcon;
	struct client c;

	(void)state;
	client_open(&c, api_port);
	client_says(&c, GET("/wait"));
	UNTIL(n_waiting == 1);
	evcon = evhttp_request_get_connection(waiting[0]->http.req->ev);
	bufferevent_trigger_event(evhttp_connection_get_bufferevent(evcon),
	    BEV_EVENT_EOF | BEV_EVENT_WRITING, 0);
	assert_int_equal(conns()->n, 0);
	assert_null(evhttp_request_get_connection(waiting[0]->http.req->ev));
	assert_string_equal(http_peer(waiting[0]->http.req), "127.0.0.1");
	release(0);
	UNTIL(http_in_flight(the_http) == 0);
	UNTIL(client_at_end(&c));
	assert_int_equal(c.in.len, 0);
	client_close(&c);
}

static void
test_vanish_while_sending_and_reading(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, api_port);
	client_says(&c,
	    "POST /echo HTTP/1.1\r\n" HOST "Content-Length: 100\r\n\r\nabc");
	UNTIL(count(CONN_READING) == 1);
	vanish(&c, false);
	UNTIL(conns()->n == 0);
	client_open(&c, api_port);
	client_says(&c, GET("/large"));
	UNTIL(n_served == 1);
	vanish(&c, true);
	UNTIL(conns()->n == 0);
	client_open(&c, api_port);
	vanish(&c, true);
	for (int i = 0; i < 50; i++)
		loop_turn(the_loop);
	UNTIL(conns()->n == 0);
}

static void
test_large_answer(void **state)
{
	struct client c;
	struct answer a;

	(void)state;
	client_open(&c, api_port);
	client_says(&c, GET("/large") GET("/tasks/1"));
	get_answer(&c, &a, true);
	assert_int_equal(a.body_len, 4 << 20);
	assert_true(a.body[0] == 'x' && a.body[(4 << 20) - 1] == 'x');
	next_answer(&c, &a);
	assert_memory_equal(a.body, "show:1", 6);
	client_close(&c);
}

/* Who asks without end and never reads what we say fills our buffer up to its
 * limit, and then the kernel's. */
static void
test_read_ahead_is_bounded(void **state)
{
	static char junk[65536];
	int64_t last = clock_mono_us();
	struct client c;
	size_t sent = 0;
	ssize_t n;

	(void)state;
	client_open(&c, api_port);
	client_says(&c, GET("/large"));
	UNTIL(n_served == 1);
	memset(junk, 'x', sizeof(junk));
	while (sent < 64 << 20 && clock_mono_us() - last < 500 * US_PER_MS) {
		n = send(c.fd, junk, sizeof(junk), MSG_NOSIGNAL);
		loop_turn(the_loop);
		if (n <= 0)
			continue;
		sent += (size_t)n;
		last = clock_mono_us();
	}
	assert_true(sent < 32 << 20);
	vanish(&c, true);
	UNTIL(conns()->n == 0);
}

/* ---- the end ---- */
static void
test_drain(void **state)
{
	struct client idle, busy, late;
	struct answer a;
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)api_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)state;
	client_open(&idle, api_port);
	client_says(&idle, GET("/tasks/1"));
	get_answer(&idle, &a, true);
	buf_drain(&idle.in, a.size);
	client_open(&busy, api_port);
	client_says(&busy,
	    "GET /wait HTTP/1.0\r\n"
	    "Connection: keep-alive\r\n\r\n");
	UNTIL(n_waiting == 1);
	http_drain(the_http);
	late.fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(
	    connect(late.fd, (struct sockaddr *)&sin, sizeof(sin)), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(late.fd);
	assert_int_equal(http_in_flight(the_http), 1);
	release(0);
	get_answer(&busy, &a, true);
	assert_int_equal(a.status, 200);
	assert_header(&a, "Connection", "close");
	assert_null(strstr(a.head, "keep-alive"));
	UNTIL(client_at_end(&busy));
	/* One that was idle may still ask, once. */
	client_says(&idle, GET("/tasks/2"));
	get_answer(&idle, &a, true);
	assert_int_equal(a.status, 200);
	assert_header(&a, "Connection", "close");
	UNTIL(client_at_end(&idle) && conns()->n == 0);
	client_close(&idle);
	client_close(&busy);
}

static void
close_server(struct loop_task *t)
{
	(void)t;
	assert_int_equal(http_in_flight(the_http), 0);
	http_close(the_http);
	the_http = NULL;
}

/* The answer is given and the server closed before the loop could write it: it
 * arrives all the same. */
static void
test_close_writes_what_is_left(void **state)
{
	struct loop_task closer = { .fn = close_server };
	struct client idle, busy, half;
	struct answer a;

	(void)state;
	client_open(&idle, api_port);
	client_open(&half, api_port);
	client_says(&half, "GET /ta");
	client_open(&busy, api_port);
	client_says(&busy, GET("/wait"));
	UNTIL(n_waiting == 1 && conns()->n == 3);
	http_drain(the_http);
	release(0);
	loop_soon(the_loop, &closer);
	UNTIL(the_http == NULL);
	the_http = http_open(the_loop, &(struct http_conf){ 0 });
	get_answer(&busy, &a, true);
	assert_memory_equal(a.body, "wait:", 5);
	UNTIL(client_at_end(&busy) && client_at_end(&idle) &&
	    client_at_end(&half));
	assert_int_equal(idle.in.len + half.in.len, 0);
	client_close(&idle);
	client_close(&busy);
	client_close(&half);
}

/* Nothing is left of a connection: neither record nor descriptor. */
static void
test_no_leak(void **state)
{
	struct client c;
	struct answer a;
	struct stat st;
	int used[2] = { 0, 0 };

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 20; i++) {
			client_open(&c, api_port);
			client_says(
			    &c, i % 2 ? "bad\r\n\r\n" : GET("/tasks/1"));
			get_answer(&c, &a, true);
			client_close(&c);
			UNTIL(conns()->n == 0 && conns()->nlingers == 0);
		}
		for (int i = 0; i < 5; i++)
			loop_turn(the_loop);
		for (int fd = 0; fd < 256; fd++)
			used[round] += fstat(fd, &st) == 0;
	}
	assert_int_equal(used[0], used[1]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_keep_alive),
		TEST(test_http_1_0),
		TEST(test_pipeline),
		TEST(test_many_waiting),
		TEST(test_bytewise),
		TEST(test_vanish_while_waiting),
		TEST(test_connection_lost_while_waiting),
		TEST(test_vanish_while_sending_and_reading),
		TEST(test_large_answer),
		TEST(test_read_ahead_is_bounded),
		TEST(test_drain),
		TEST(test_close_writes_what_is_left),
		TEST(test_no_leak),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
