/*
 * Crowds, and who takes what we say too slowly: others are still answered.
 */
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "http_fixture.h"

#define HOST "Host: x\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

static const struct http_conf usual = {
	.max_body = MAX_BODY,
	.max_header = MAX_HEADER,
	.max_connections = 100000,
	.request_timeout_ms = 10000,
	.idle_timeout_ms = 60000,
};

static void
start(const struct http_conf *conf)
{
	log_open(LOG_ERROR, LOG_TEXT, "test");
	server_start(conf);
	http_keep_open(the_http); /* the admin port */
}

/* ---- a few at a time ---- */
static void
a_crowd_is_let_in_bit_by_bit(void **state)
{
	struct client c[50];
	size_t before, most = 0;
	int turns = 0;

	(void)state;
	start(&usual);
	for (size_t i = 0; i < NELEM(c); i++)
		client_open(&c[i], api_port);
	while (conns()->n < NELEM(c)) {
		before = conns()->n;
		loop_turn(the_loop);
		if (conns()->n - before > most)
			most = conns()->n - before;
		assert_true(turns++ < 100000);
	}
	assert_in_range(most, 1, 16);
	for (size_t i = 0; i < NELEM(c); i++)
		client_close(&c[i]);
	UNTIL(conns()->n == 0);
}

/* ---- descriptors ---- */

/* Another process, so that its descriptors are not ours. It says when all its
 * connections stand, and holds them until we close its input. */
static pid_t
crowd(int n, int *ret_said, int *ret_hold)
{
	struct client c;
	int said[2], hold[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(said) | pipe(hold), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(hold[1]);
		for (int i = 0; i < n; i++)
			client_open(&c, api_port);
		if (write(said[1], "x", 1) == 1)
			(void)!read(hold[0], &byte, 1);
		_exit(0);
	}
	close(said[1]);
	close(hold[0]);
	fcntl(said[0], F_SETFL, O_NONBLOCK);
	*ret_said = said[0];
	*ret_hold = hold[1];
	return pid;
}

static void
probes_are_answered_in_a_flood(void **state)
{
	struct rlimit before, few;
	struct answer a;
	int said, hold, status;
	size_t most = 0;
	char byte;
	pid_t pid;

	(void)state;
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	few.rlim_cur = 400;
	setrlimit(RLIMIT_NOFILE, &few);
	start(&usual);
	setrlimit(RLIMIT_NOFILE, &before);
	pid = crowd(600, &said, &hold);
	setrlimit(RLIMIT_NOFILE, &few);
	UNTIL(({
		most = conns()->n > most ? conns()->n : most;
		read(said, &byte, 1) == 1;
	}));
	UNTIL(conns()->n == 240);
	for (int i = 0; i < 20; i++) {
		ask(admin_port, GET("/metrics"), &a, true);
		assert_int_equal(a.status, 200);
		most = conns()->n > most ? conns()->n : most;
	}
	assert_in_range(most, 1, 240 + 16);
	close(hold);
	close(said);
	UNTIL(conns()->n == 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	setrlimit(RLIMIT_NOFILE, &before);
}

/* ---- the end ---- */
static void
the_port_that_stays_open(void **state)
{
	struct client waits;
	struct answer a;

	(void)state;
	start(&usual);
	client_open(&waits, api_port);
	client_says(&waits, GET("/wait"));
	UNTIL(n_waiting == 1);
	for (int i = 0; i < 3; i++) {
		http_drain(the_http);
		ask(admin_port, GET("/metrics"), &a, true);
		assert_int_equal(a.status, 200);
		assert_header(&a, "Connection", "close");
	}
	assert_null(TAILQ_FIRST(&the_http->listeners)->bound);
	release(0);
	get_answer(&waits, &a, true);
	assert_int_equal(a.status, 200);
	UNTIL(client_at_end(&waits) && http_in_flight(the_http) == 0);
	ask(admin_port, GET("/metrics"), &a, true);
	assert_int_equal(a.status, 200);
	client_close(&waits);
}

/* ---- slow readers ---- */

/* It takes some now and then, so that evhttp's own time-out never fires; and
 * one that reads well is not hurt. */
static void
large_answers_must_be_read_in_time(void **state)
{
	struct http_conf hasty = usual;
	int small = 4096;
	struct client slow, good;
	struct answer a;
	int64_t next;
	char bytes[2000];

	(void)state;
	hasty.request_timeout_ms = 500;
	hasty.read_rate = 1 << 30;
	start(&hasty);
	client_open(&slow, api_port);
	setsockopt(slow.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	client_says(&slow, GET("/large"));
	UNTIL(n_served == 1);
	client_open(&good, api_port);
	client_says(&good, GET("/large") GET("/tasks/1"));
	get_answer(&good, &a, true);
	assert_int_equal(a.body_len, 4 << 20);
	next_answer(&good, &a);
	assert_int_equal(a.status, 200);
	next = clock_mono_us();
	UNTIL(({
		if (clock_mono_us() > next) {
			(void)!recv(slow.fd, bytes, sizeof(bytes), 0);
			next += 20 * US_PER_MS;
		}
		conns()->n == 1;
	}));
	assert_true(TAILQ_EMPTY(&conns()->watched));
	client_close(&slow);
	/* The other one is as it was. */
	buf_drain(&good.in, a.size);
	client_says(&good, GET("/tasks/2"));
	get_answer(&good, &a, true);
	assert_int_equal(a.status, 200);
	client_close(&good);
	UNTIL(conns()->n == 0);
}

#define TEST(fn) cmocka_unit_test_teardown(fn, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_crowd_is_let_in_bit_by_bit),
		TEST(probes_are_answered_in_a_flood),
		TEST(the_port_that_stays_open),
		TEST(large_answers_must_be_read_in_time),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
