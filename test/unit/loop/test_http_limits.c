/*
 * Limits of time and number: who is too slow, who is one too many, and what
 * happens without descriptors. All waits are for a condition.
 */
#include <sys/resource.h>

#include "http_fixture.h"

#define HOST "Host: x\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"

#define MAX_CONNECTIONS 4
#define REQUEST_MS 400
#define IDLE_MS 1000

/* ---- slow clients ---- */
static int
set_up_impatient(void **state)
{
	static const struct http_conf conf = {
		.max_body = MAX_BODY,
		.max_header = MAX_HEADER,
		.max_connections = MAX_CONNECTIONS,
		.request_timeout_ms = REQUEST_MS,
		.idle_timeout_ms = IDLE_MS,
	};

	(void)state;
	log_open(LOG_ERROR, LOG_TEXT, "test");
	server_start(&conf);
	return 0;
}

/* Where a request may stop. The last one came with a whole one before it. */
static const char *const beginnings[] = {
	"G",
	"GET /tasks/1 HTTP/1.1\r\n" HOST "X: ",
	"POST /echo HTTP/1.1\r\n" HOST "Content-Length: 60000\r\n\r\n",
	GET("/tasks/1") "GET /tasks/",
};
#define N_SLOW NELEM(beginnings)

static void
begin_all(struct client *c)
{
	for (size_t i = 0; i < N_SLOW; i++) {
		client_open(&c[i], api_port);
		client_says(&c[i], beginnings[i]);
	}
}

static bool
all_at_end(struct client *c)
{
	bool all = true;

	for (size_t i = 0; i < N_SLOW; i++)
		all = client_at_end(&c[i]) && all;
	return all;
}

/* Told why, not before its time, and closed. */
static void
expect_408(struct client *c, int64_t start)
{
	struct answer a;

	assert_true(ms_since(start) >= REQUEST_MS - 20);
	for (size_t i = 0; i < N_SLOW; i++) {
		get_answer(&c[i], &a, true);
		if (i == N_SLOW - 1) {
			assert_int_equal(a.status, 200);
			next_answer(&c[i], &a);
		}
		assert_problem(&a, 408);
		assert_header(&a, "Connection", "close");
		client_close(&c[i]);
	}
	assert_int_equal(n_served, 1);
	UNTIL(conns()->n == 0);
}

/* A byte each 20 ms keeps evhttp's timer from ever firing. */
static void
test_slow_sender(void **state)
{
	int64_t start = clock_mono_us(), next = start;
	struct client c[N_SLOW];

	(void)state;
	begin_all(c);
	while (!all_at_end(c) && ms_since(start) < 10000) {
		loop_turn(the_loop);
		sched_yield();
		if (clock_mono_us() < next)
			continue;
		for (size_t i = 0; i < N_SLOW; i++)
			client_send(&c[i], "a", 1);
		next += 20 * US_PER_MS;
	}
	assert_true(all_at_end(c));
	expect_408(c, start);
}

/* Nothing more comes: that is not idling either. */
static void
test_beginning_and_silence(void **state)
{
	int64_t start = clock_mono_us();
	struct client c[N_SLOW];

	(void)state;
	begin_all(c);
	UNTIL(all_at_end(c));
	expect_408(c, start);
}

/* Each request has the whole time: its clock is not that of the one before. */
static void
test_each_has_its_deadline(void **state)
{
	int64_t start = clock_mono_us();
	struct client c;
	struct answer a;

	(void)state;
	client_open(&c, api_port);
	client_says(&c, GET("/tasks/1"));
	get_answer(&c, &a, true);
	UNTIL(ms_since(start) > REQUEST_MS - 150);
	client_says(&c, "GET /tas");
	UNTIL(ms_since(start) > REQUEST_MS + 50);
	client_says(&c, "ks/2 HTTP/1.1\r\n" HOST "\r\n");
	next_answer(&c, &a);
	assert_int_equal(a.status, 200);
	client_close(&c);
}

/* The deadline is for reading: not for waiting, nor for idling. */
static void
test_slow_flow_and_idling(void **state)
{
	struct client c, silent;
	struct answer a;
	int64_t start;

	(void)state;
	client_open(&c, api_port);
	client_says(&c, GET("/wait"));
	UNTIL(n_waiting == 1);
	start = clock_mono_us();
	UNTIL(ms_since(start) > IDLE_MS + 100);
	release(0);
	get_answer(&c, &a, true);
	assert_int_equal(a.status, 200);
	buf_drain(&c.in, a.size);
	start = clock_mono_us();
	client_open(&silent, api_port);
	UNTIL(ms_since(start) > REQUEST_MS + 100);
	assert_false(client_at_end(&c) || client_at_end(&silent));
	client_says(&c, GET("/tasks/1"));
	get_answer(&c, &a, true);
	assert_int_equal(a.status, 200);
	buf_drain(&c.in, a.size);
	/* Idle for too long: closed, and nothing is said. */
	UNTIL(client_at_end(&silent));
	assert_true(ms_since(start) >= IDLE_MS - 20);
	UNTIL(client_at_end(&c));
	assert_true(ms_since(start) >= REQUEST_MS + IDLE_MS);
	assert_int_equal(c.in.len + silent.in.len, 0);
	client_close(&silent);
	client_close(&c);
}

/* ---- too many ---- */
static void
test_one_too_many(void **state)
{
	struct client c[MAX_CONNECTIONS], d;
	struct answer a;
	int64_t start;

	(void)state;
	for (int i = 0; i < MAX_CONNECTIONS; i++) {
		client_open(&c[i], api_port);
		client_says(&c[i], GET("/wait"));
		UNTIL(n_waiting == i + 1);
	}
	/* All are busy. */
	client_open(&d, api_port);
	get_answer(&d, &a, true);
	assert_problem(&a, 503);
	assert_header(&a, "Retry-After", "1");
	UNTIL(client_at_end(&d));
	assert_int_equal(conns()->n, MAX_CONNECTIONS);
	client_close(&d);
	/* Another listener has room of its own. */
	ask(admin_port, GET("/metrics"), &a, true);
	assert_int_equal(a.status, 200);
	/* One has just been answered: its next request may be on its way. */
	release(1);
	get_answer(&c[1], &a, true);
	assert_int_equal(a.status, 200);
	buf_drain(&c[1].in, a.size);
	UNTIL(count(CONN_IDLE) == 1);
	start = clock_mono_us();
	client_open(&d, api_port);
	get_answer(&d, &a, true);
	assert_problem(&a, 503);
	UNTIL(client_at_end(&d));
	client_close(&d);
	/* It idles: it has to go. */
	UNTIL(ms_since(start) > IDLE_MS / 2);
	client_open(&d, api_port);
	client_says(&d, GET("/tasks/1"));
	get_answer(&d, &a, true);
	assert_int_equal(a.status, 200);
	UNTIL(client_at_end(&c[1]));
	assert_int_equal(c[1].in.len, 0);
	assert_int_equal(conns()->n, MAX_CONNECTIONS);
	client_close(&d);
	for (int i = 0; i < MAX_CONNECTIONS; i++)
		if (i != 1)
			release(i);
	UNTIL(http_in_flight(the_http) == 0);
	for (int i = 0; i < MAX_CONNECTIONS; i++)
		client_close(&c[i]);
	UNTIL(conns()->n == 0);
}

static int
lines_of(int fd)
{
	char text[65536];
	ssize_t n = pread(fd, text, sizeof(text), 0);
	int lines = 0;

	for (ssize_t i = 0; i < n; i++)
		lines += text[i] == '\n';
	return lines;
}

/* Without descriptors accept fails at once: not more than ten times a
 * second. */
static void
test_no_descriptors(void **state)
{
	char name[] = "/tmp/test_http_XXXXXX";
	int fd = mkstemp(name), saved = dup(STDERR_FILENO), lines;
	struct rlimit before, none;
	struct client c;
	struct answer a;
	int64_t start;

	(void)state;
	unlink(name);
	client_open(&c, api_port);
	getrlimit(RLIMIT_NOFILE, &before);
	none = before;
	none.rlim_cur = (rlim_t)dup(fd);
	close((int)none.rlim_cur);
	setrlimit(RLIMIT_NOFILE, &none);
	dup2(fd, STDERR_FILENO);
	log_open(LOG_WARN, LOG_TEXT, "test");
	start = clock_mono_us();
	UNTIL(ms_since(start) > 350);
	dup2(saved, STDERR_FILENO);
	log_open(LOG_ERROR, LOG_TEXT, "test");
	setrlimit(RLIMIT_NOFILE, &before);
	lines = lines_of(fd);
	close(fd);
	close(saved);
	assert_in_range(lines, 1, 5);
	assert_int_equal(conns()->n, 0);
	client_says(&c, GET("/tasks/1"));
	get_answer(&c, &a, true);
	assert_int_equal(a.status, 200);
	client_close(&c);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
#define IMPATIENT(fn) \
	cmocka_unit_test_setup_teardown(fn, set_up_impatient, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		IMPATIENT(test_slow_sender),
		IMPATIENT(test_beginning_and_silence),
		IMPATIENT(test_each_has_its_deadline),
		IMPATIENT(test_slow_flow_and_idling),
		IMPATIENT(test_one_too_many),
		TEST(test_no_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
