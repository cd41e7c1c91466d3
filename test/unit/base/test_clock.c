#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "base/clock.h"
#include "base/mem.h"

static void
clocks_stop_and_run(void **state)
{
	int64_t a, b;

	(void)state;
	clock_freeze(7, 8);
	assert_int_equal(clock_mono_us(), 7);
	assert_int_equal(clock_wall_us(), 8);
	clock_freeze(-1, 8);
	a = clock_mono_us();
	while ((b = clock_mono_us()) == a)
		;
	assert_true(b > a);
	clock_freeze(-1, -1);
	a = clock_wall_us() / US_PER_S - time(NULL);
	assert_true(a >= -1 && a <= 1);
}

struct pair {
	const char *text;
	int64_t us;
};

static void
format_and_parse_agree(void **state)
{
	static const struct pair pairs[] = {
		{ "1970-01-01T00:00:00.000000Z", 0 },
		{ "1969-12-31T23:59:59.999999Z", -1 },
		{ "2000-02-29T12:34:56.000001Z", 951827696000001 },
		{ "2024-02-29T00:00:00.000000Z", 1709164800000000 },
		{ "1900-03-01T00:00:00.000000Z", -2203891200000000 },
		{ "2100-03-01T00:00:00.000000Z", 4107542400000000 },
		{ "2026-01-02T03:04:05.678901Z", 1767323045678901 },
		{ "0000-01-01T00:00:00.000000Z", -62167219200000000 },
		{ "9999-12-31T23:59:59.999999Z", 253402300799999999 },
	};
	char text[TIME_TEXT_SIZE];
	int64_t us;

	(void)state;
	for (size_t i = 0; i < NELEM(pairs); i++) {
		time_format(pairs[i].us, text);
		assert_string_equal(text, pairs[i].text);
		assert_true(time_parse(text, strlen(text), &us));
		assert_int_equal(us, pairs[i].us);
	}
}

/* The C library as a second opinion, over all months of 800 years. */
static void
format_agrees_with_the_library(void **state)
{
	char want[TIME_TEXT_SIZE], got[TIME_TEXT_SIZE];
	int64_t step = 86400LL * 13 + 3601;
	struct tm tm;
	time_t t;

	(void)state;
	for (t = -12219292800; t < 13000000000; t += step) {
		gmtime_r(&t, &tm);
		strftime(want, sizeof(want), "%Y-%m-%dT%H:%M:%S.000000Z", &tm);
		time_format(t * US_PER_S, got);
		assert_string_equal(got, want);
	}
}

static void
format_stays_within_four_digits(void **state)
{
	char text[TIME_TEXT_SIZE];

	(void)state;
	time_format(INT64_MAX, text);
	assert_string_equal(text, "9999-12-31T23:59:59.999999Z");
	time_format(INT64_MIN, text);
	assert_string_equal(text, "0000-01-01T00:00:00.000000Z");
}

static void
parse_accepts(void **state)
{
	static const struct pair good[] = {
		{ "2026-01-02T03:04:05Z", 1767323045000000 },
		{ "2026-01-02t03:04:05z", 1767323045000000 },
		{ "2026-01-02T03:04:05.5Z", 1767323045500000 },
		{ "2026-01-02T03:04:05.1234567890123Z", 1767323045123456 },
		{ "2026-01-02T05:04:05+02:00", 1767323045000000 },
		{ "2026-01-01T21:34:05-05:30", 1767323045000000 },
		{ "2026-01-02T03:04:05-00:00", 1767323045000000 },
		{ "1970-01-01T23:59:00+23:59", 0 },
		/* leap seconds: the second after it */
		{ "1990-12-31T23:59:60Z", 662688000000000 },
		{ "1990-12-31T15:59:60-08:00", 662688000000000 },
		{ "2015-06-30T23:59:60.5Z", 1435708800500000 },
	};
	int64_t us;

	(void)state;
	for (size_t i = 0; i < NELEM(good); i++) {
		us = -1;
		if (!time_parse(good[i].text, strlen(good[i].text), &us))
			fail_msg("%s is refused", good[i].text);
		assert_int_equal(us, good[i].us);
	}
}

static void
parse_refuses(void **state)
{
	static const char *const bad[] = { "", "2026", "2026-01-02",
		"2026-01-02T03:04:05", "2026-01-02 03:04:05Z",
		"2026-01-02T03:04Z", "2026-1-2T03:04:05Z",
		"2026-01-02T03:04:05ZZ", "2026-01-02T03:04:05Z ",
		" 2026-01-02T03:04:05Z", "2026-00-02T03:04:05Z",
		"2026-13-02T03:04:05Z", "2026-01-00T03:04:05Z",
		"2026-01-32T03:04:05Z", "2026-04-31T03:04:05Z",
		"2025-02-29T03:04:05Z", "1900-02-29T00:00:00Z",
		"2100-02-29T00:00:00Z", "2026-01-02T24:00:00Z",
		"2026-01-02T03:60:05Z", "2026-01-02T03:04:61Z",
		"2026-01-02T03:04:60Z", "2026-03-31T23:59:60Z",
		"1990-12-31T23:59:60-08:00", "2026-01-02T03:04:05.Z",
		"2026-01-02T03:04:05,5Z", "2026-01-02T03:04:05+24:00",
		"2026-01-02T03:04:05+02:60", "2026-01-02T03:04:05+0200",
		"2026-01-02T03:04:05+02", "2026-01-02T03:04:05*02:00",
		"0000-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
		"12026-01-02T03:04:05Z", "-026-01-02T03:04:05Z" };
	int64_t us = 42;

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++)
		if (time_parse(bad[i], strlen(bad[i]), &us))
			fail_msg("%s is accepted", bad[i]);
	assert_false(time_parse("2026-01-02T03:04:05\0Z", 21, &us));
	assert_false(time_parse(NULL, 0, &us));
	assert_int_equal(us, 42);
}

/* Every shorter beginning of a good time is bad and is not read beyond. */
static void
parse_stops_at_the_end(void **state)
{
	static const char text[] = "2026-01-02T03:04:05.123+01:00";
	int64_t us;

	(void)state;
	for (size_t n = 0; n < strlen(text); n++) {
		char *copy = malloc(n + 1);

		memcpy(copy, text, n);
		assert_false(time_parse(copy, n, &us));
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(clocks_stop_and_run),
		cmocka_unit_test(format_and_parse_agree),
		cmocka_unit_test(format_agrees_with_the_library),
		cmocka_unit_test(format_stays_within_four_digits),
		cmocka_unit_test(parse_accepts),
		cmocka_unit_test(parse_refuses),
		cmocka_unit_test(parse_stops_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
