#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jsn.h"
#include "base/log.h"
#include "base/mem.h"

static FILE *sink;
static int real_stderr;
static char got[70000];

static int
redirect(void **state)
{
	(void)state;
	sink = tmpfile();
	real_stderr = dup(STDERR_FILENO);
	clock_freeze(-1, 1767323045678901);
	return sink == NULL || dup2(fileno(sink), STDERR_FILENO) < 0;
}

static int
give_back(void **state)
{
	(void)state;
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	fclose(sink);
	clock_freeze(-1, -1);
	return 0;
}

/* What was written since the last call. */
static const char *
taken(void)
{
	ssize_t n = pread(fileno(sink), got, sizeof(got) - 1, 0);

	got[n < 0 ? 0 : n] = '\0';
	assert_int_equal(ftruncate(fileno(sink), 0), 0);
	lseek(fileno(sink), 0, SEEK_SET);
	return got;
}

static void
a_line_of_text(void **state)
{
	static const struct id id = { { 0x01, 0x23 } };

	(void)state;
	log_open(LOG_INFO, LOG_TEXT, "api");
	log_warn("pg", "connection lost", KV_STR("err", "no route"),
	    KV_INT("conn", -2), KV_ID("task", &id), KV_STR("who", NULL),
	    KV_STR("at", "10.0.0.1:5432"), KV_STR("none", ""),
	    KV_ID("id", NULL));
	assert_string_equal(taken(),
	    "2026-01-02T03:04:05.678901Z warn  api pg: connection lost "
	    "err=\"no route\" conn=-2 "
	    "task=01230000-0000-0000-0000-000000000000 who=- "
	    "at=10.0.0.1:5432 none=\"\" id=-\n");
	log_open(LOG_INFO, LOG_TEXT, "");
	log_error("main", "bad");
	assert_string_equal(
	    taken(), "2026-01-02T03:04:05.678901Z error main: bad\n");
}

static void
a_line_of_json(void **state)
{
	(void)state;
	log_open(LOG_INFO, LOG_JSON, "api,worker");
	log_info("pg", "connected", KV_STR("host", "a \"b\"\n\xff"),
	    KV_INT("n", INT64_MIN), KV_STR("who", NULL));
	assert_string_equal(taken(),
	    "{\"time\":\"2026-01-02T03:04:05.678901Z\",\"level\":\"info\","
	    "\"role\":\"api,worker\",\"sub\":\"pg\",\"event\":\"connected\","
	    "\"host\":\"a \\\"b\\\"\\n\xef\xbf\xbd\","
	    "\"n\":-9223372036854775808,\"who\":\"-\"}\n");
}

static void
auto_is_json_off_a_terminal(void **state)
{
	(void)state;
	log_open(LOG_INFO, LOG_AUTO, "api");
	log_info("a", "b");
	assert_int_equal(taken()[0], '{');
}

static void
levels_are_kept(void **state)
{
	(void)state;
	log_open(LOG_WARN, LOG_TEXT, "api");
	log_info("a", "b");
	log_debug("a", "b");
	assert_string_equal(taken(), "");
	assert_false(log_enabled(LOG_INFO));
	assert_true(log_enabled(LOG_ERROR));
	log_open(LOG_DEBUG, LOG_TEXT, "api");
	log_debug("a", "b");
	assert_string_not_equal(taken(), "");
}

/* What a value has in it must not look like another line, key or level. */
static void
a_value_forges_nothing(void **state)
{
	(void)state;
	log_open(LOG_INFO, LOG_TEXT, "");
	log_info("a", "b", KV_STR("v", "x\n2026 error y: z\r\"\\ k=1\x1b[0m\t"),
	    KV_STR("u", "\xc3\xa9 \xc2\x85 \xe2\x80\xa8 \xe2\x80\xae \xff"),
	    KV_STR("eq", "a=b"));
	assert_string_equal(strstr(taken(), "a: b") + 4,
	    " v=\"x\\n2026 error y: z\\x0d\\\"\\\\ k=1\\x1b[0m\\x09\" "
	    "u=\"\xc3\xa9 \\xc2\\x85 \\xe2\\x80\\xa8 \\xe2\\x80\\xae \\xff\" "
	    "eq=\"a=b\"\n");
}

/* Any byte, in both forms: one line break, at the end, and JSON is JSON. */
static void
every_byte_stays_in_its_line(void **state)
{
	char all[256];
	struct span text;

	(void)state;
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	for (int format = LOG_TEXT; format <= LOG_JSON; format++) {
		log_open(LOG_INFO, format, "r");
		log_info("a", "b", KV_STR("v", all));
		text = span_of(taken());
		assert_ptr_equal(strchr(text.p, '\n'), text.p + text.len - 1);
		text.len--;
		if (format == LOG_JSON)
			assert_int_equal(jsn_scan(text, NULL, NULL), OK);
		for (size_t i = 0; i < text.len; i++)
			assert_true((unsigned char)text.p[i] >= 0x20);
	}
}

static void
long_values_and_lines_are_cut(void **state)
{
	char big[5000];
	struct span text;

	(void)state;
	memset(big, 'x', sizeof(big));
	big[sizeof(big) - 1] = '\0';
	memcpy(big + 1023, "\xc3\xa9", 2); /* across the limit of a value */
	log_open(LOG_INFO, LOG_JSON, "r");
	log_info("a", "b", KV_STR("k1", big), KV_STR("k2", big),
	    KV_STR("k3", big), KV_STR("k4", big), KV_INT("k5", 1));
	text = span_of(taken());
	assert_true(text.len <= 4096 && text.len > 3000);
	assert_int_equal(text.p[text.len - 1], '\n');
	text.len--;
	assert_int_equal(jsn_scan(text, NULL, NULL), OK);
	assert_non_null(strstr(text.p, "\"k3\""));
	assert_null(strstr(text.p, "\"k4\""));
	assert_null(strstr(text.p, "\xef\xbf\xbd"));
	assert_non_null(strstr(text.p, ",\"cut\":true}"));
}

static void
errno_survives(void **state)
{
	(void)state;
	log_open(LOG_INFO, LOG_TEXT, "r");
	close(STDERR_FILENO); /* a log that cannot be written is no failure */
	errno = ENOENT;
	log_info("a", "b", KV_STR("k", "v"));
	assert_int_equal(errno, ENOENT);
	dup2(fileno(sink), STDERR_FILENO);
}

/* ---- lines that wait ---- */
static int wanted;

static void
want(void *arg)
{
	assert_ptr_equal(arg, &wanted);
	wanted++;
}

static void
lines_wait_for_the_flush(void **state)
{
	(void)state;
	log_open(LOG_INFO, LOG_TEXT, "r");
	wanted = 0;
	log_gather(want, &wanted);
	log_info("a", "one");
	log_info("a", "two");
	assert_int_equal(wanted, 1);
	assert_string_equal(taken(), "");
	log_flush();
	assert_string_equal(taken(),
	    "2026-01-02T03:04:05.678901Z info  r a: one\n"
	    "2026-01-02T03:04:05.678901Z info  r a: two\n");
	log_flush();
	assert_string_equal(taken(), "");
	log_info("a", "three");
	assert_int_equal(wanted, 2);
	log_gather(NULL, NULL); /* nothing is left behind */
	assert_non_null(strstr(taken(), "a: three\n"));
	log_info("a", "four");
	assert_non_null(strstr(taken(), "a: four\n"));
}

static void
a_warning_waits_for_nothing(void **state)
{
	const char *text;

	(void)state;
	log_open(LOG_INFO, LOG_TEXT, "r");
	log_gather(want, &wanted);
	log_info("a", "before");
	log_warn("a", "now");
	text = taken();
	assert_non_null(strstr(text, "a: before\n"));
	assert_true(strstr(text, "a: before") < strstr(text, "a: now\n"));
	log_gather(NULL, NULL);
}

/* One write is never more than a pipe takes in one piece. */
static void
many_lines_go_in_pieces(void **state)
{
	char value[1001];
	int ends[2], i;
	ssize_t n;

	(void)state;
	memset(value, 'x', sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	assert_int_equal(pipe2(ends, O_DIRECT | O_NONBLOCK), 0);
	dup2(ends[1], STDERR_FILENO);
	log_open(LOG_INFO, LOG_TEXT, "r");
	log_gather(want, &wanted);
	for (i = 0; i < 10; i++)
		log_info("a", "b", KV_STR("k", value), KV_INT("i", i));
	log_gather(NULL, NULL);
	dup2(fileno(sink), STDERR_FILENO);
	/* With O_DIRECT each read gives one write. */
	for (i = 0; i < 10;) {
		n = read(ends[0], got, sizeof(got) - 1);
		assert_in_range(n, 1, 4096);
		assert_int_equal(got[n - 1], '\n');
		while (n-- > 0)
			i += got[n] == '\n';
	}
	assert_int_equal(i, 10);
	close(ends[0]);
	close(ends[1]);
}

#define LOG_TEST(fn) cmocka_unit_test_setup_teardown(fn, redirect, give_back)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		LOG_TEST(a_line_of_text),
		LOG_TEST(a_line_of_json),
		LOG_TEST(auto_is_json_off_a_terminal),
		LOG_TEST(levels_are_kept),
		LOG_TEST(a_value_forges_nothing),
		LOG_TEST(every_byte_stays_in_its_line),
		LOG_TEST(long_values_and_lines_are_cut),
		LOG_TEST(errno_survives),
		LOG_TEST(lines_wait_for_the_flush),
		LOG_TEST(a_warning_waits_for_nothing),
		LOG_TEST(many_lines_go_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
