#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/jsn.h"

static struct jsn_value
value(const char *text)
{
	struct jsn_value v;

	assert_int_equal(jsn_scan(span_of(text), &v, NULL), OK);
	return v;
}

static void
strings_are_decoded(void **state)
{
	static const char *const pairs[][2] = { { "\"\"", "" },
		{ "\"plain\"", "plain" }, { "\"\\\"\\\\\\/\"", "\"\\/" },
		{ "\"\\b\\f\\n\\r\\t\"", "\b\f\n\r\t" },
		{ "\"\\u00e9\"", "\xc3\xa9" },
		{ "\"\\ud83d\\ude00!\"", "\xf0\x9f\x98\x80!" },
		{ "\"\xe6\xbc\xa2\\n\"", "\xe6\xbc\xa2\n" },
		{ "\"\\\\u0000\"", "\\u0000" } };
	struct arena a;
	size_t len;
	char *s;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < NELEM(pairs); i++) {
		struct jsn_value v = value(pairs[i][0]);

		assert_true(jsn_get_str(&v, &a, 10, &s, &len));
		assert_string_equal(s, pairs[i][1]);
		assert_int_equal(len, strlen(pairs[i][1]));
	}
	arena_fini(&a);
}

static void
strings_refused(void **state)
{
	static const char *const bad[] = { "\"a\\u0000b\"", "\"\\u0000\"",
		"\"\\\\\\u0000\"", "12", "null", "[\"a\"]", "\"12345678901\"",
		"\"1234567890\\n\"", "\"\\u00411234567890\"" };
	struct arena a;
	size_t len = 42;
	char *s = NULL;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < NELEM(bad); i++) {
		struct jsn_value v = value(bad[i]);

		if (jsn_get_str(&v, &a, 10, &s, &len))
			fail_msg("%s is accepted", bad[i]);
	}
	assert_null(s);
	assert_int_equal(len, 42);
	arena_fini(&a);
}

static void
integers_are_exact(void **state)
{
	static const char *const bad[] = { "9223372036854775808",
		"-9223372036854775809", "12345678901234567890123", "1.0", "1e2",
		"1E0", "\"1\"", "true", "null", "-0.0" };
	struct jsn_value v;
	int64_t n;

	(void)state;
	v = value("9223372036854775807");
	assert_true(jsn_get_int(&v, &n) && n == INT64_MAX);
	v = value("-9223372036854775808");
	assert_true(jsn_get_int(&v, &n) && n == INT64_MIN);
	v = value("9007199254740993"); /* beyond what a double holds */
	assert_true(jsn_get_int(&v, &n) && n == 9007199254740993);
	v = value("-0");
	assert_true(jsn_get_int(&v, &n) && n == 0);
	n = 42;
	for (size_t i = 0; i < NELEM(bad); i++) {
		v = value(bad[i]);
		if (jsn_get_int(&v, &n))
			fail_msg("%s is accepted", bad[i]);
	}
	assert_int_equal(n, 42);
}

static void
doubles_and_bools(void **state)
{
	struct jsn_value v = value("-1.25e2");
	bool b = false;
	double d;

	(void)state;
	assert_true(jsn_get_double(&v, &d) && d == -125.0);
	v = value("3");
	assert_true(jsn_get_double(&v, &d) && d == 3.0);
	v = value("1e-400");
	assert_true(jsn_get_double(&v, &d) && d == 0.0);
	v = value("1e400");
	assert_false(jsn_get_double(&v, &d));
	v = value("\"3\"");
	assert_false(jsn_get_double(&v, &d));
	v = value("true");
	assert_true(jsn_get_bool(&v, &b) && b);
	v = value("false");
	assert_true(jsn_get_bool(&v, &b) && !b);
	v = value("0");
	assert_false(jsn_get_bool(&v, &b));
}

/* The number ends where its span does, not where the digits do. */
static void
numbers_end_with_their_span(void **state)
{
	struct jsn_value v = { { "123456", 3 }, JSN_NUMBER };
	int64_t n;
	double d;

	(void)state;
	assert_true(jsn_get_int(&v, &n) && n == 123);
	assert_true(jsn_get_double(&v, &d) && d == 123.0);
}

static void
write_all(struct jsn_w *w)
{
	jsn_w_open(w, '{');
	jsn_w_key(w, "ab");
	jsn_w_open(w, '[');
	jsn_w_close(w, ']');
	jsn_w_key(w, "n");
	jsn_w_open(w, '[');
	jsn_w_int(w, INT64_MIN);
	jsn_w_bool(w, true);
	jsn_w_bool(w, false);
	jsn_w_null(w);
	jsn_w_strz(w, NULL);
	jsn_w_strz(w, "x");
	jsn_w_open(w, '{');
	jsn_w_close(w, '}');
	jsn_w_raw(w, span_of("{\"r\": 1.10}"));
	jsn_w_close(w, ']');
	jsn_w_key(w, "t");
	jsn_w_time(w, 0);
	jsn_w_close(w, '}');
}

static void
writer_sets_the_commas(void **state)
{
	struct jsn_w w;
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	jsn_w_init(&w, &b);
	write_all(&w);
	assert_string_equal(b.data,
	    "{\"ab\":[],\"n\":[-9223372036854775808,true,false,null,null,"
	    "\"x\",{},{\"r\": 1.10}],\"t\":\"1970-01-01T00:00:00.000000Z\"}");
	assert_int_equal(jsn_scan(buf_span(&b), NULL, NULL), OK);
	buf_fini(&b);
}

static void
quote_escapes(void **state)
{
	static const char in[] = "a\"\\\b\f\n\r\t\x01\x1f\x7f/\0z\xc3\xa9";
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	jsn_quote(&b, in, sizeof(in) - 1);
	assert_string_equal(b.data,
	    "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f/\\u0000z\xc3\xa9\"");
	buf_clear(&b);
	jsn_quote(&b,
	    "\xff"
	    "a\xc3(\xed\xa0\x80\xe6\xbc",
	    9);
	assert_string_equal(b.data,
	    "\"\xef\xbf\xbd"
	    "a\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
	    "\xef\xbf\xbd\xef\xbf\xbd\"");
	buf_clear(&b);
	jsn_quote(&b, NULL, 0);
	assert_string_equal(b.data, "\"\"");
	buf_fini(&b);
}

/* Every string comes back as it was. */
static void
quote_and_get_agree(void **state)
{
	struct jsn_value v;
	struct arena a;
	char one[4];
	struct buf b;
	size_t len;
	char *s;

	(void)state;
	arena_init(&a);
	buf_init(&b, 1000);
	for (int c = 1; c < 0x80; c++) {
		snprintf(one, sizeof(one), "<%c>", c);
		buf_clear(&b);
		jsn_quote(&b, one, 3);
		assert_int_equal(jsn_scan(buf_span(&b), &v, NULL), OK);
		assert_true(jsn_get_str(&v, &a, 3, &s, &len));
		assert_string_equal(s, one);
	}
	buf_fini(&b);
	arena_fini(&a);
}

/* What did not fit leaves the flag, and never half an escape. */
static void
writer_stops_at_the_maximum(void **state)
{
	struct jsn_w w;
	struct buf b;

	(void)state;
	for (size_t max = 0; max < 100; max++) {
		buf_init(&b, max);
		jsn_w_init(&w, &b);
		write_all(&w);
		assert_true(b.overflow && b.len <= max);
		buf_fini(&b);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_are_decoded),
		cmocka_unit_test(strings_refused),
		cmocka_unit_test(integers_are_exact),
		cmocka_unit_test(doubles_and_bools),
		cmocka_unit_test(numbers_end_with_their_span),
		cmocka_unit_test(writer_sets_the_commas),
		cmocka_unit_test(quote_escapes),
		cmocka_unit_test(quote_and_get_agree),
		cmocka_unit_test(writer_stops_at_the_maximum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
