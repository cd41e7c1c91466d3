/* GET /tasks/{id}/events as server-sent events, over two APIs. */
#include <poll.h>
#include <signal.h>

#include "streams_fixture.h"

#define MANY 20000 /* events: more than the buffers of a socket hold */
#define CROWD 200 /* streams */

/* "CREATED PICKED_UP ": the events that came; *ret_last: the last seq. */
static const char *
kinds_of(const struct stream *s, long *ret_last)
{
	static char kinds[4096];
	const char *p = s->text;
	size_t n = 0;
	long seq, last = 0;

	kinds[0] = '\0';
	while ((p = strstr(p, "id: ")) != NULL) {
		seq = strtol(p + 4, NULL, 10);
		assert_true(seq > last);
		last = seq;
		p = strstr(p, "event: ");
		if (n < sizeof(kinds) - 32)
			n += (size_t)snprintf(kinds + n, 32, "%.*s ",
			    (int)strcspn(p + 7, "\n"), p + 7);
	}
	if (ret_last != NULL)
		*ret_last = last;
	return kinds;
}

static size_t
count_of(const struct stream *s, const char *what)
{
	const char *p = s->text;
	size_t n = 0;

	for (; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

/* ---- what comes, and in which order ---- */
static void
events_come_as_they_happen(void **state)
{
	struct stream s;
	const char *id;

	(void)state;
	hold("a", 1);
	id = submit("ledger", "\"a\"", NULL);
	stream_open(&s, "api-2", id, "", 0);
	UNTIL(stream_has(&s, "event: PICKED_UP"));
	assert_non_null(strstr(s.text, "Content-Type: text/event-stream\r\n"));
	assert_null(strstr(s.text, "event: COMPLETED"));
	release("a", 1);
	UNTIL(stream_is_whole(&s));
	assert_string_equal(kinds_of(&s, NULL), "CREATED PICKED_UP COMPLETED ");
	assert_int_equal(count_of(&s, "event: end\n"), 1);
	stream_close(&s);
	all_ended();
}

/* A failure in between, and another attempt. */
static void
a_retry_is_no_end(void **state)
{
	const char *id = submit("fail", "{\"times\":1}", "\"max_attempts\":2");
	struct stream s;

	(void)state;
	stream_open(&s, "api-1", id, "", 0);
	UNTIL(stream_is_whole(&s));
	assert_int_equal(count_of(&s, "event: PICKED_UP"), 2);
	assert_int_equal(count_of(&s, "event: end\n"), 1);
	stream_close(&s);
}

static void
a_final_task_is_told_at_once(void **state)
{
	const char *id = submit("noop", "1", NULL);
	struct stream s;

	(void)state;
	task_wait(id);
	stream_open(&s, "api-1", id, "", 0);
	UNTIL(stream_is_whole(&s));
	assert_string_equal(kinds_of(&s, NULL), "CREATED PICKED_UP COMPLETED ");
	stream_close(&s);
	all_ended();
}

/* Cut off in the middle, it goes on at the other API, with nothing twice and
 * nothing left out; when all was told, it need not come again. */
static void
a_stream_resumes_where_it_was(void **state)
{
	struct stream s;
	const char *id;
	long last;

	(void)state;
	hold("b", 1);
	id = submit("ledger", "\"b\"", NULL);
	stream_open(&s, "api-1", id, "", 0);
	UNTIL(stream_has(&s, "event: PICKED_UP"));
	kinds_of(&s, &last);
	stream_close(&s);
	release("b", 1);
	stream_open(&s, "api-2", id, text("Last-Event-ID: %ld\r\n", last), 0);
	UNTIL(stream_is_whole(&s));
	assert_string_equal(kinds_of(&s, &last), "COMPLETED ");
	stream_close(&s);
	stream_open(&s, "api-1", id, text("Last-Event-ID: %ld\r\n", last), 0);
	UNTIL(stream_has(&s, "HTTP/1.1 204 "));
	stream_close(&s);
	all_ended();
}

static void
silence_is_broken_by_heartbeats(void **state)
{
	struct stream s;
	const char *id;

	(void)state;
	id = submit("noop", "1", "\"delay_seconds\":3600");
	stream_open(&s, "api-1", id, "", 0);
	UNTIL(stream_has(&s, ": still here\n"));
	UNTIL((stream_read(&s), count_of(&s, ": still here\n") >= 3));
	assert_string_equal(kinds_of(&s, NULL), "CREATED ");
	assert_false(s.over);
	stream_close(&s);
	sql("DELETE FROM taskflow.tasks");
}

/* ---- who may ---- */
static void
others_have_no_stream(void **state)
{
	static const struct {
		const char *more;
		int status;
	} cases[] = { { "", 404 }, { "Last-Event-ID: -1\r\n", 422 },
		{ "Last-Event-ID: 99999999999999999999\r\n", 422 } };
	const char *id = submit("noop", "1", NULL);
	struct http other;
	struct stream s;

	(void)state;
	client_user(&other, part_port("api-2"), "stranger");
	assert_int_equal(http_call(&other, "GET", text("/tasks/%s/events", id),
			     "Accept: text/event-stream\r\n", NULL),
	    404);
	http_fini(&other);
	for (size_t i = 0; i < NELEM(cases); i++) {
		stream_open(&s, "api-1",
		    i == 0 ? "00000000-0000-7000-8000-000000000000" : id,
		    cases[i].more, 0);
		UNTIL(stream_has(&s, text("HTTP/1.1 %d ", cases[i].status)));
		UNTIL(stream_has(&s, "application/problem+json"));
		stream_close(&s);
	}
	all_ended();
}

/* ---- clients that do not read ---- */
static int64_t
rss_kib(const char *part)
{
	FILE *f = fopen(text("/proc/%d/status", (int)part_pid(part)), "r");
	char line[256];
	int64_t kib = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = strtoll(line + 6, NULL, 10);
	fclose(f);
	return kib;
}

/* A task that waits, with this many events of half a kilobyte. */
static const char *
eventful(void)
{
	const char *id = submit("noop", "1", "\"delay_seconds\":3600");

	sql("INSERT INTO taskflow.task_events (task_id, attempt, kind, status,"
	    " message) SELECT '%s', 0, 4, 1, repeat('m', 500)"
	    " FROM generate_series(1, %d)",
	    id, MANY);
	return id;
}

/* The last kilobyte of what came. */
static const char *
end_of(const struct stream *s)
{
	return s->text + (s->len > 1024 ? s->len - 1024 : 0);
}

/* It gets all of it, when it reads at last; in between it costs little. */
static void
a_slow_reader_costs_little(void **state)
{
	const char *id = eventful();
	int64_t before = rss_kib("api-1"), most = 0, until;
	struct stream s[4];
	char last[40];
	size_t i, k;

	(void)state;
	snprintf(last, sizeof(last), "id: %lld\n",
	    (long long)sql_int("SELECT max(seq) FROM taskflow.task_events"));
	for (i = 0; i < NELEM(s); i++)
		stream_open(&s[i], "api-1", id, "", 4096);
	for (until = now_ms() + 1000; now_ms() < until; pause_ms(POLL_MS))
		if (rss_kib("api-1") - before > most)
			most = rss_kib("api-1") - before;
	/* All that is to be sent to them is 50 MB. A sanitizer keeps what was
	 * freed. */
	if (most > 16 * 1024 && strstr(stack_bin(), "address") == NULL)
		fail_msg("%lld KiB for slow readers", (long long)most);
	for (i = 0; i < NELEM(s); i++) {
		for (k = 0; k < 1000; k++) { /* by and by, like a slow one */
			stream_read(&s[i]);
			if (s[i].over || strstr(end_of(&s[i]), last) != NULL)
				break;
			pause_ms(POLL_MS);
		}
		kinds_of(&s[i], NULL); /* in order, and none twice */
		if (!s[i].over)
			assert_int_equal(
			    count_of(&s[i], "event: PROGRESS"), MANY);
		stream_close(&s[i]);
	}
	sql("DELETE FROM taskflow.tasks");
}

static void
who_takes_nothing_is_cut_off(void **state)
{
	const char *id = eventful();
	struct stream s;
	int64_t give_up = now_ms() + PATIENCE_MS;
	int error = 0;

	(void)state;
	stream_open(&s, "api-2", id, "", 4096);
	/* It reads nothing, and looks only whether it is still connected. */
	while (error == 0 && now_ms() < give_up) {
		struct pollfd p = { .fd = s.fd, .events = POLLRDHUP };

		poll(&p, 1, POLL_MS);
		error = p.revents & (POLLRDHUP | POLLHUP | POLLERR);
	}
	assert_int_not_equal(error, 0);
	UNTIL((stream_read(&s), s.over));
	assert_true(count_of(&s, "event: PROGRESS") < MANY);
	assert_false(stream_is_whole(&s));
	stream_close(&s);
	sql("DELETE FROM taskflow.tasks");
}

/* ---- servers that go ---- */
static void
a_shutdown_ends_streams_well(void **state)
{
	struct stream s;
	const char *id;
	long last;

	(void)state;
	hold("c", 1);
	id = submit("ledger", "\"c\"", NULL);
	stream_open(&s, "api-2", id, "", 0);
	UNTIL(stream_has(&s, "event: PICKED_UP"));
	part_stop("api-2");
	UNTIL(stream_is_whole(&s));
	assert_null(strstr(s.text, "event: end"));
	kinds_of(&s, &last);
	stream_close(&s);
	release("c", 1);
	stream_open(&s, "api-1", id, text("Last-Event-ID: %ld\r\n", last), 0);
	UNTIL(stream_is_whole(&s));
	assert_string_equal(kinds_of(&s, NULL), "COMPLETED ");
	stream_close(&s);
	all_ended();
}

static void
a_database_that_comes_back_is_no_end(void **state)
{
	struct stream s;
	const char *id;

	(void)state;
	hold("d", 1);
	id = submit("ledger", "\"d\"", NULL);
	stream_open(&s, "api-1", id, "", 0);
	UNTIL(stream_has(&s, "event: PICKED_UP"));
	part_kill("pgbouncer");
	UNTIL(part_logged("api-1", "unavailable") || stream_has(&s, ": still"));
	part_start("pgbouncer");
	release("d", 1);
	UNTIL(stream_is_whole(&s));
	assert_string_equal(kinds_of(&s, NULL), "CREATED PICKED_UP COMPLETED ");
	stream_close(&s);
	all_ended();
}

/* A client that goes is forgotten, so that the API may end. */
static void
many_streams_at_once(void **state)
{
	static struct stream s[CROWD];
	const char *id;
	size_t i;

	(void)state;
	hold("e", 1);
	id = submit("ledger", "\"e\"", NULL);
	for (i = 0; i < CROWD; i++)
		stream_open(&s[i], i % 2 == 0 ? "api-1" : "api-2", id, "", 0);
	for (i = 0; i < CROWD; i++)
		UNTIL(stream_has(&s[i], "event: PICKED_UP"));
	for (i = 0; i < CROWD; i += 3)
		stream_close(&s[i]);
	release("e", 1);
	for (i = 0; i < CROWD; i++) {
		if (i % 3 == 0)
			continue;
		UNTIL(stream_is_whole(&s[i]));
		assert_string_equal(
		    kinds_of(&s[i], NULL), "CREATED PICKED_UP COMPLETED ");
		stream_close(&s[i]);
	}
	all_ended();
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_come_as_they_happen),
		cmocka_unit_test(a_retry_is_no_end),
		cmocka_unit_test(a_final_task_is_told_at_once),
		cmocka_unit_test(a_stream_resumes_where_it_was),
		cmocka_unit_test(silence_is_broken_by_heartbeats),
		cmocka_unit_test(others_have_no_stream),
		cmocka_unit_test(a_slow_reader_costs_little),
		cmocka_unit_test(who_takes_nothing_is_cut_off),
		cmocka_unit_test(a_shutdown_ends_streams_well),
		cmocka_unit_test(a_database_that_comes_back_is_no_end),
		cmocka_unit_test(many_streams_at_once),
	};
	static const struct group group = {
		.name = "streams",
		.roles = "api=2 manager=1 worker=1",
		.conf = "stream_heartbeat = 200ms\n"
			"stream_patience = 1s\n"
			"request_timeout = 2s\n"
			"retry_base = 50ms\n"
			"retry_max = 100ms\n"
			"concurrency = 8\n" LEDGER_CONF,
		.tests = tests,
		.ntests = NELEM(tests),
	};

	return group_run(&group, argc, argv);
}
