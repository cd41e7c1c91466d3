/* Answers that come piece by piece: their form, and clients that go, that read
 * nothing, that are cut off. */
#include "http_fixture.h"

struct streaming {
	struct http_flow http;
	struct flow_signal again;
	bool gone;
};

static struct streaming *the_stream;
static int n_ended, n_gone;

static enum flow_next
wait_for_piece(struct flow *f)
{
	return signal_wait(f, &((struct streaming *)f)->again, 0);
}

static void
client_gone(struct http_req *req, void *arg)
{
	struct streaming *s = arg;

	assert_ptr_equal(req, s->http.req);
	n_gone++;
	flow_abort(&s->http.flow, ERR_SHUTDOWN);
}

static enum flow_next
begin_stream(struct flow *f)
{
	struct streaming *s = (struct streaming *)f;

	signal_init(&s->again, f->loop);
	the_stream = s;
	http_add_header(s->http.req, "X-Test", "1");
	http_stream_begin(s->http.req, "text/event-stream", client_gone, s);
	return FLOW_NEXT;
}

static void
end_stream(struct flow *f, enum err err)
{
	struct streaming *s = (struct streaming *)f;

	n_ended++;
	signal_fini(&s->again);
	http_stream_end(s->http.req, err == ERR_OVERLOADED);
	the_stream = NULL;
}

static const struct step stream_steps[] = { STEP(begin_stream),
	STEP(wait_for_piece), STEP_LAST };
static const struct flow_def stream_flow = { "stream", sizeof(struct streaming),
	stream_steps, end_stream };
static const struct route stream_routes[] = {
	{ HTTP_GET, "/stream", &stream_flow, 0, NULL },
};

static int stream_port;

static int
set_up_streams(void **state)
{
	char err[256];
	int rc = set_up(state);

	assert_true(http_listen(
	    the_http, "127.0.0.1:0", stream_routes, 1, NULL, err, sizeof(err)));
	stream_port = http_port(the_http);
	n_ended = n_gone = 0;
	return rc;
}

/* Connects, asks, and waits until the stream has begun. */
static void
ask_stream(struct client *c, const char *version)
{
	char request[200];
	int n = snprintf(request, sizeof(request),
	    "GET /stream HTTP/%s\r\nHost: x\r\n\r\n", version);

	client_open(c, stream_port);
	assert_int_equal(send(c->fd, request, (size_t)n, 0), n);
	UNTIL(the_stream != NULL);
	assert_int_equal(http_streams(the_http), 1);
}

/* What has come so far, and whether it was all. */
static void
hear(struct client *c)
{
	char some[65536];
	ssize_t n;

	while ((n = recv(c->fd, some, sizeof(some), 0)) > 0)
		buf_add(&c->in, some, (size_t)n);
	c->eof = n == 0 || (n < 0 && errno == ECONNRESET);
}

static bool
has_come(struct client *c, const char *text)
{
	hear(c);
	return strstr(buf_span(&c->in).p, text) != NULL;
}

static void
say(const char *text)
{
	http_stream_write(the_stream->http.req, span_of(text));
}

static void
finish(void)
{
	signal_raise(&the_stream->again);
	UNTIL(the_stream == NULL);
}

static void
pieces_are_chunks(void **state)
{
	struct client c;

	(void)state;
	ask_stream(&c, "1.1");
	UNTIL(has_come(&c, "\r\n\r\n"));
	assert_non_null(strstr(c.in.data, "HTTP/1.1 200 OK\r\n"));
	assert_non_null(strstr(c.in.data, "Transfer-Encoding: chunked\r\n"));
	assert_non_null(strstr(c.in.data, "X-Request-Id: "));
	assert_non_null(strstr(c.in.data, "X-Test: 1\r\n"));
	assert_non_null(
	    strstr(c.in.data, "Content-Type: text/event-stream\r\n"));
	assert_null(strstr(c.in.data, "Content-Length"));
	say("one");
	UNTIL(has_come(&c, "3\r\none\r\n"));
	say("");
	say("three");
	UNTIL(has_come(&c, "5\r\nthree\r\n"));
	UNTIL(http_stream_pending(the_stream->http.req) == 0);
	finish();
	UNTIL(has_come(&c, "\r\n0\r\n\r\n"));
	/* The connection is good for another request. */
	assert_int_equal(
	    send(c.fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n", 33, 0), 33);
	UNTIL(the_stream != NULL);
	finish();
	client_close(&c);
	assert_int_equal(n_gone, 0);
	assert_int_equal(http_streams(the_http), 0);
}

static void
http_1_0_ends_with_the_connection(void **state)
{
	struct client c;

	(void)state;
	ask_stream(&c, "1.0");
	say("one");
	say("two");
	finish();
	UNTIL((hear(&c), c.eof));
	assert_non_null(strstr(c.in.data, "\r\n\r\nonetwo"));
	assert_null(strstr(c.in.data, "chunked"));
	client_close(&c);
}

static void
a_client_that_goes_is_noticed(void **state)
{
	struct client c;

	(void)state;
	ask_stream(&c, "1.1");
	say("one");
	UNTIL(has_come(&c, "one"));
	client_close(&c);
	UNTIL(n_gone == 1);
	UNTIL(n_ended == 1);
	assert_int_equal(http_in_flight(the_http), 0);
	assert_int_equal(http_streams(the_http), 0);
}

static void
a_client_that_resets_is_noticed(void **state)
{
	const struct linger now = { 1, 0 };
	struct client c;

	(void)state;
	ask_stream(&c, "1.1");
	say("one");
	setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	client_close(&c);
	UNTIL(n_ended == 1);
	assert_int_equal(n_gone, 1);
}

/* What it does not read is seen, and it can be cut off. */
static void
a_client_that_reads_nothing_is_cut(void **state)
{
	static char piece[65536];
	struct client c;
	int64_t more = 16 << 20;

	(void)state;
	memset(piece, 'x', sizeof(piece));
	ask_stream(&c, "1.1");
	while (http_stream_pending(the_stream->http.req) < 2 * sizeof(piece) &&
	    more > 0) {
		http_stream_write(the_stream->http.req,
		    (struct span){ piece, sizeof(piece) });
		more -= (int64_t)sizeof(piece);
		loop_turn(the_loop);
	}
	assert_true(more > 0);
	flow_abort(&the_stream->http.flow, ERR_OVERLOADED);
	UNTIL(n_ended == 1);
	assert_int_equal(n_gone, 0);
	UNTIL((hear(&c), c.eof));
	assert_null(strstr(buf_span(&c.in).p, "\r\n0\r\n\r\n"));
	client_close(&c);
	UNTIL(conns()->n == 0);
}

/* The request that follows is not lost, and not read too early. */
static void
the_next_request_waits(void **state)
{
	struct client c;

	(void)state;
	ask_stream(&c, "1.1");
	assert_int_equal(
	    send(c.fd, "GET /stream HTTP/1.1\r\nHost: x\r\n\r\n", 33, 0), 33);
	say("one");
	UNTIL(has_come(&c, "one"));
	finish();
	UNTIL(the_stream != NULL);
	say("two");
	UNTIL(has_come(&c, "two"));
	finish();
	client_close(&c);
	assert_int_equal(n_ended, 2);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    pieces_are_chunks, set_up_streams, tear_down),
		cmocka_unit_test_setup_teardown(
		    http_1_0_ends_with_the_connection, set_up_streams,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    a_client_that_goes_is_noticed, set_up_streams, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_client_that_resets_is_noticed, set_up_streams, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_client_that_reads_nothing_is_cut, set_up_streams,
		    tear_down),
		cmocka_unit_test_setup_teardown(
		    the_next_request_waits, set_up_streams, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
