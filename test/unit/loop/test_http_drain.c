/* The end of a server: first its answers close their connections, then it
 * accepts no more, and probes are answered until the last moment. And sockets
 * that somebody else has opened. */
#include "http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

static void
asks_and_is_closed(int port, const char *path)
{
	struct client c;
	struct answer a;
	char text[100];

	client_open(&c, port);
	snprintf(
	    text, sizeof(text), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);
	client_says(&c, text);
	get_answer(&c, &a, true);
	assert_int_equal(a.status, 200);
	assert_header(&a, "Connection", "close");
	UNTIL(client_at_end(&c));
	client_close(&c);
}

static bool
can_connect(int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool can = connect(fd, (struct sockaddr *)&sin, sizeof(sin)) == 0;

	close(fd);
	return can;
}

static void
first_it_closes_then_it_refuses(void **state)
{
	(void)state;
	http_drain_soon(the_http);
	assert_true(http_accepts(the_http));
	asks_and_is_closed(api_port, "/tasks/1");
	asks_and_is_closed(api_port, "/tasks/2");
	http_drain(the_http);
	assert_false(http_accepts(the_http));
	assert_false(can_connect(api_port));
	assert_false(can_connect(admin_port));
}

static void
probes_are_answered_to_the_end(void **state)
{
	struct client probe;

	(void)state;
	http_keep_open(the_http); /* the admin one */
	http_drain(the_http);
	assert_false(http_accepts(the_http));
	assert_false(can_connect(api_port));
	asks_and_is_closed(admin_port, "/metrics");
	/* Who stays connected to it holds nobody up. */
	client_open(&probe, admin_port);
	client_says(&probe, "GET /met");
	UNTIL(TAILQ_LAST(&the_http->listeners, listener_list)
		  ->conns.n_in[CONN_READING] == 1);
	assert_false(http_busy(the_http));
	client_close(&probe);
}

static void
busy_from_the_first_byte_to_the_last(void **state)
{
	struct client c;
	struct answer a;

	(void)state;
	assert_false(http_busy(the_http));
	client_open(&c, api_port);
	UNTIL(conns()->n == 1);
	assert_true(http_busy(the_http)); /* it has just come */
	client_says(&c, "GET /wa");
	UNTIL(conns()->n_in[CONN_READING] == 1);
	assert_true(http_busy(the_http));
	client_says(&c, "it HTTP/1.1\r\nHost: x\r\n\r\n");
	UNTIL(n_waiting == 1);
	assert_true(http_busy(the_http));
	http_drain(the_http);
	assert_true(http_busy(the_http));
	release(0);
	get_answer(&c, &a, true);
	UNTIL(client_at_end(&c));
	UNTIL(!http_busy(the_http));
	client_close(&c);
}

/* A connection that says nothing is waited for a second, not for ever. */
static void
silence_is_not_busy_for_long(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, api_port);
	UNTIL(conns()->n == 1);
	UNTIL(!http_busy(the_http));
	assert_int_equal(conns()->n, 1);
	client_close(&c);
}

/* ---- sockets that are given ---- */
static int
make_socket(bool listens, int *ret_port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	if (listens)
		assert_int_equal(listen(fd, 16), 0);
	getsockname(fd, (struct sockaddr *)&sin, &len);
	*ret_port = ntohs(sin.sin_port);
	return fd;
}

static void
a_socket_outlives_us(void **state)
{
	struct client c;
	struct answer a;
	char err[256];
	struct http_listener *given;
	int port, fd = make_socket(true, &port);

	(void)state;
	assert_true(http_listen_fd(the_http, dup(fd), "api", api_routes,
	    NELEM(api_routes), &n_served, err, sizeof(err)));
	given = TAILQ_LAST(&the_http->listeners, listener_list);
	assert_true(fcntl(evhttp_bound_socket_get_fd(given->bound), F_GETFD) &
	    FD_CLOEXEC);
	client_open(&c, port);
	client_says(&c, GET("/tasks/1"));
	get_answer(&c, &a, true);
	assert_int_equal(a.status, 200);
	client_close(&c);
	http_drain(the_http);
	/* Whoever has the socket next serves those that come now. */
	client_open(&c, port);
	client_says(&c, GET("/tasks/2"));
	http_close(the_http);
	the_http = http_open(the_loop,
	    &(struct http_conf){ .max_body = MAX_BODY,
		.max_header = MAX_HEADER,
		.max_connections = 100,
		.request_timeout_ms = 10000,
		.idle_timeout_ms = 10000 });
	assert_true(http_listen_fd(the_http, fd, "api", api_routes,
	    NELEM(api_routes), &n_served, err, sizeof(err)));
	get_answer(&c, &a, true);
	assert_int_equal(a.status, 200);
	client_close(&c);
}

static void
what_does_not_listen_is_refused(void **state)
{
	char err[256];
	int port, fd;

	(void)state;
	fd = make_socket(false, &port);
	assert_false(http_listen_fd(the_http, fd, "api", api_routes,
	    NELEM(api_routes), &n_served, err, sizeof(err)));
	assert_non_null(strstr(err, "\"api\""));
	assert_int_equal(fcntl(fd, F_GETFD), -1); /* closed */
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_false(http_listen_fd(the_http, fd, "api", api_routes,
	    NELEM(api_routes), &n_served, err, sizeof(err)));
	fd = open("/dev/null", O_RDONLY);
	assert_false(http_listen_fd(the_http, fd, "api", api_routes,
	    NELEM(api_routes), &n_served, err, sizeof(err)));
}

#define HTTP_TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HTTP_TEST(first_it_closes_then_it_refuses),
		HTTP_TEST(probes_are_answered_to_the_end),
		HTTP_TEST(busy_from_the_first_byte_to_the_last),
		HTTP_TEST(silence_is_not_busy_for_long),
		HTTP_TEST(a_socket_outlives_us),
		HTTP_TEST(what_does_not_listen_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
