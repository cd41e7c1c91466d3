/*
 * Streams: what is written arrives while more is to come, and whatever becomes
 * of the client, the flow hears of it and ends it once.
 */
#include <sys/resource.h>
#include <sys/wait.h>

#include "http_fixture.h"

#define HOST "Host: x\r\n"
#define TYPE "text/event-stream"

struct test_stream {
	struct http_flow http;
	struct http_stream *stream;
	struct flow_signal wake;
};

static struct test_stream *current; /* of the newest stream; NULL: ended */
static int n_begun, n_ended, n_woken;

static enum flow_next
step_open(struct flow *f)
{
	struct test_stream *t = (struct test_stream *)f;

	signal_init(&t->wake, f->loop);
	http_add_header(t->http.req, "X-Kind", "stream");
	t->stream = http_stream_begin(t->http.req, TYPE, &t->wake);
	assert_int_equal(http_in_flight(the_http), n_begun - n_ended + 1);
	current = t;
	n_begun++;
	return FLOW_NEXT;
}

static enum flow_next
step_until_over(struct flow *f)
{
	struct test_stream *t = (struct test_stream *)f;

	return signal_wait(f, &t->wake, 0);
}

static enum flow_next
step_woken(struct flow *f)
{
	(void)f;
	n_woken++;
	return FLOW_END;
}

static void
end_stream(struct flow *f, enum err err)
{
	struct test_stream *t = (struct test_stream *)f;

	(void)err;
	http_stream_end(t->stream);
	signal_fini(&t->wake);
	n_ended++;
	current = NULL;
}

/* A bug: nobody ends it. */
static void
end_never(struct flow *f, enum err err)
{
	signal_fini(&((struct test_stream *)f)->wake);
	(void)err;
}

static const struct step stream_steps[] = {
	STEP(step_open),
	STEP(step_until_over),
	STEP(step_woken),
	STEP_LAST,
};
static const struct flow_def stream_def = {
	.name = "stream",
	.size = sizeof(struct test_stream),
	.steps = stream_steps,
	.end = end_stream,
};
static const struct flow_def leak_def = {
	.name = "leak",
	.size = sizeof(struct test_stream),
	.steps = stream_steps,
	.end = end_never,
};
static const struct route stream_routes[] = {
	{ HTTP_GET, "/events", &stream_def, 0, NULL },
	{ HTTP_GET, "/leak", &leak_def, 0, NULL },
};

static int stream_port;

static int
start(void **state)
{
	char err[256];

	set_up(state);
	n_begun = n_ended = n_woken = 0;
	current = NULL;
	assert_true(http_listen(the_http, "127.0.0.1:0", stream_routes,
	    NELEM(stream_routes), NULL, err, sizeof(err)));
	stream_port = http_port(the_http);
	return 0;
}

static const struct conns *
stream_conns(void)
{
	return &TAILQ_LAST(&the_http->listeners, listener_list)->conns;
}

static bool
say(const char *text)
{
	return http_stream_write(current->stream, span_of(text));
}

static void
finish(void)
{
	signal_raise(&current->wake);
	UNTIL(current == NULL);
}

static bool
has_come(struct client *c, const char *text)
{
	client_pump(c);
	return c->in.len > 0 && strstr(c->in.data, text) != NULL;
}

static void
open_stream(struct client *c, const char *request)
{
	int before = n_begun;

	client_open(c, stream_port);
	client_says(c, request);
	UNTIL(n_begun == before + 1);
}

#define GET_EVENTS "GET /events HTTP/1.1\r\n" HOST "\r\n"

/* ---- what arrives ---- */
static void
chunks_arrive_one_by_one(void **state)
{
	struct client c;
	struct answer a;

	(void)state;
	open_stream(&c, GET_EVENTS);
	get_answer(&c, &a, false);
	assert_int_equal(a.status, 200);
	assert_header(&a, "Content-Type", TYPE);
	assert_header(&a, "Cache-Control", "no-store");
	assert_header(&a, "Transfer-Encoding", "chunked");
	assert_header(&a, "Content-Length", NULL);
	assert_header(&a, "X-Kind", "stream");
	assert_header(&a, "Connection", "close");
	assert_true(say("data: 1\n\n"));
	UNTIL(has_come(&c, "9\r\ndata: 1\n\n\r\n"));
	/* Nothing is no chunk: that would end it for the client. */
	assert_true(say(""));
	assert_true(say("data: two\n\n"));
	UNTIL(has_come(&c, "b\r\ndata: two\n\n\r\n"));
	assert_null(strstr(c.in.data, "\r\n0\r\n"));
	assert_false(c.eof);
	assert_int_equal(http_in_flight(the_http), 1);
	finish();
	assert_int_equal(http_in_flight(the_http), 0);
	UNTIL(client_at_end(&c));
	assert_int_equal(c.err, 0);
	assert_string_equal(c.in.data + c.in.len - 7, "\r\n0\r\n\r\n");
	UNTIL(stream_conns()->n == 0);
	client_close(&c);
}

/* It knows no chunks, and reads to the end; a wish to stay is not granted. */
static void
http_1_0_reads_to_the_end(void **state)
{
	struct client c;
	struct answer a;

	(void)state;
	open_stream(
	    &c, "GET /events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	get_answer(&c, &a, false);
	assert_header(&a, "Transfer-Encoding", NULL);
	assert_header(&a, "Content-Length", NULL);
	assert_header(&a, "Connection", "close");
	buf_drain(&c.in, a.size);
	assert_true(say("one"));
	UNTIL(has_come(&c, "one"));
	assert_true(say("two"));
	finish();
	UNTIL(client_at_end(&c));
	assert_string_equal(c.in.data, "onetwo");
	client_close(&c);
}

static void
head_is_over_from_birth(void **state)
{
	struct client c;
	struct answer a;

	(void)state;
	open_stream(&c, "HEAD /events HTTP/1.1\r\n" HOST "\r\n");
	UNTIL(n_ended == 1);
	assert_int_equal(n_woken, 1);
	get_answer(&c, &a, false);
	assert_int_equal(a.status, 200);
	assert_header(&a, "Content-Type", TYPE);
	assert_header(&a, "Content-Length", NULL);
	UNTIL(client_at_end(&c));
	assert_int_equal(c.in.len, a.size);
	client_close(&c);
}

/* What follows on the connection is never served, and does no harm. */
static void
a_pipeline_ends_with_it(void **state)
{
	struct client c;

	(void)state;
	open_stream(&c, GET_EVENTS GET_EVENTS);
	assert_true(say("one"));
	UNTIL(has_come(&c, "one"));
	finish();
	UNTIL(client_at_end(&c));
	assert_int_equal(n_begun, 1);
	client_close(&c);
}

/* ---- how it ends ---- */
static void
vanish(bool reset)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };
	struct client c;

	open_stream(&c, GET_EVENTS);
	assert_true(say("one"));
	UNTIL(has_come(&c, "one"));
	assert_false(http_stream_is_over(current->stream));
	if (reset)
		setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	client_close(&c);
	UNTIL(current == NULL);
	assert_int_equal(http_in_flight(the_http), 0);
	assert_int_equal(stream_conns()->n, 0);
}

static void
the_client_vanishes(void **state)
{
	(void)state;
	vanish(false);
	vanish(true);
	assert_int_equal(n_woken, 2);
	assert_int_equal(n_ended, 2);
}

/* The flow has not yet looked: writing is refused, and touches nothing. */
static void
writing_to_nobody(void **state)
{
	struct client c;

	(void)state;
	open_stream(&c, GET_EVENTS);
	client_close(&c);
	while (current != NULL) {
		if (http_stream_is_over(current->stream)) {
			assert_false(say("more"));
			assert_int_equal(
			    http_stream_pending(current->stream), 0);
		}
		loop_turn(the_loop);
	}
	assert_int_equal(n_ended, 1);
}

/* What it does not read is bounded, and the caller hears of it. */
static void
a_client_that_does_not_read(void **state)
{
	char *chunk = malloc(16384);
	struct client c;
	size_t most = 0, n;
	int i;

	(void)state;
	memset(chunk, 'x', 16384);
	open_stream(&c, GET_EVENTS);
	for (i = 0; i < 100000; i++) {
		if (!http_stream_write(
			current->stream, (struct span){ chunk, 16384 }))
			break;
		n = http_stream_pending(current->stream);
		most = n > most ? n : most;
		loop_turn(the_loop);
	}
	assert_in_range(i, 1, 9999);
	assert_in_range(most, HTTP_STREAM_PENDING_MAX + 1,
	    HTTP_STREAM_PENDING_MAX + 16384 + 32);
	assert_false(http_stream_is_over(current->stream));
	finish();
	client_close(&c);
	UNTIL(stream_conns()->n == 0);
	free(chunk);
}

static void
draining_ends_all(void **state)
{
	struct client c[3];

	(void)state;
	for (int i = 0; i < 3; i++)
		open_stream(&c[i], GET_EVENTS);
	http_drain(the_http);
	UNTIL(n_ended == 3);
	assert_int_equal(n_woken, 3);
	assert_int_equal(http_in_flight(the_http), 0);
	for (int i = 0; i < 3; i++) {
		UNTIL(client_at_end(&c[i]));
		assert_string_equal(
		    c[i].in.data + c[i].in.len - 5, "0\r\n\r\n");
		client_close(&c[i]);
	}
}

/* A connection that was there before can still ask for one. */
static void
begun_while_draining(void **state)
{
	struct client c;

	(void)state;
	client_open(&c, stream_port);
	UNTIL(stream_conns()->n == 1 && stream_conns()->n_in[CONN_NEW] == 1);
	http_drain(the_http);
	client_says(&c, GET_EVENTS);
	UNTIL(n_ended == 1);
	UNTIL(client_at_end(&c));
	assert_string_equal(c.in.data + c.in.len - 5, "0\r\n\r\n");
	client_close(&c);
}

/* The deadline of its flow ends it like anything else. */
static void
aborted(void **state)
{
	struct client c;

	(void)state;
	open_stream(&c, GET_EVENTS);
	flow_abort(&current->http.flow, ERR_TIMEOUT);
	UNTIL(n_ended == 1);
	assert_int_equal(n_woken, 0);
	UNTIL(client_at_end(&c));
	client_close(&c);
}

/* The client asked, and had gone when its flow got to it. */
static void
gone_before_it_began(void **state)
{
	struct linger hard = { .l_onoff = 1, .l_linger = 0 };
	struct client c;
	int before;

	(void)state;
	for (int i = 0; i < 20; i++) {
		before = n_ended;
		client_open(&c, stream_port);
		client_says(&c, GET_EVENTS);
		setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
		client_close(&c);
		UNTIL(stream_conns()->n == 0 && current == NULL);
		assert_in_range(n_ended - before, 0, 1);
	}
}

static void
not_ending_it_aborts(void **state)
{
	static const struct rlimit no_core;
	struct client c;
	int status;
	pid_t pid;

	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(STDERR_FILENO);
		setrlimit(RLIMIT_CORE, &no_core);
		start(state);
		open_stream(&c, "GET /leak HTTP/1.1\r\n" HOST "\r\n");
		signal_raise(&current->wake);
		UNTIL(n_woken == 1);
		for (int i = 0; i < 100; i++)
			loop_turn(the_loop);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, start, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(chunks_arrive_one_by_one),
		TEST(http_1_0_reads_to_the_end),
		TEST(head_is_over_from_birth),
		TEST(a_pipeline_ends_with_it),
		TEST(the_client_vanishes),
		TEST(writing_to_nobody),
		TEST(a_client_that_does_not_read),
		TEST(draining_ends_all),
		TEST(begun_while_draining),
		TEST(aborted),
		TEST(gone_before_it_began),
		cmocka_unit_test(not_ending_it_aborts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
