/* Rate limits: their text, and a bucket against plain fractions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rate.h"

static const struct row {
	const char
	    *text; /* as it is given, and as it is shown if that differs */
	const char *shown;
	struct rate want;
} good[] = {
	{ "off", NULL, { 0, 0, 0 } },
	{ "0", "off", { 0, 0, 0 } },
	{ "1/s", NULL, { 1, 1000, 1 } },
	{ "6000/min", NULL, { 6000, 60000, 6000 } },
	{ "007/h", "7/h", { 7, 3600000, 7 } },
	{ "1000000/d", NULL, { 1000000, 86400000, 1000000 } },
	{ "100/s burst 5", NULL, { 100, 1000, 5 } },
	{ "1/d burst 1000000", NULL, { 1, 86400000, 1000000 } },
	{ "5/s burst 5", "5/s", { 5, 1000, 5 } },
};

static const char *const bad[] = { "", "on", "Off", "off ", "0/s", "-1/s", "1",
	"1/", "/s", "1/sec", "1/S", "1 /s", "1/ s", " 1/s", "1/s ", "1000001/s",
	"99999999999999999999/s", "1/s burst", "1/s burst ", "1/s burst 0",
	"1/s burst -1", "1/s burst 1000001", "1/s  burst 1", "1/s burst 1 ",
	"1/s burst 1x", "1/s burst 5 burst 6", "1/s,burst 5", "0x1/s", "1e3/s",
	"1/w" };

static void
texts(void **state)
{
	char shown[RATE_TEXT_SIZE];
	const char *why = NULL;
	struct rate r;

	(void)state;
	for (size_t i = 0; i < NELEM(good); i++) {
		const struct row *g = &good[i];

		if (!rate_parse(g->text, &r, &why))
			fail_msg("%s: %s", g->text, why);
		assert_memory_equal(&r, &g->want, sizeof(r));
		rate_format(&r, shown);
		assert_string_equal(
		    shown, g->shown != NULL ? g->shown : g->text);
	}
	for (size_t i = 0; i < NELEM(bad); i++) {
		why = NULL;
		if (rate_parse(bad[i], &r, &why))
			fail_msg("\"%s\" is taken", bad[i]);
		assert_non_null(why);
	}
}

static struct rate
rate_of(const char *text)
{
	struct rate r;
	const char *why;

	assert_true(rate_parse(text, &r, &why));
	return r;
}

/* Whoever takes one as soon as there is one gets, after any time, just what
 * was given back: 7 a minute divide no millisecond evenly. */
static void
nothing_is_lost_over_the_years(void **state)
{
	struct rate r = rate_of("7/min burst 1");
	struct rate_bucket b = { 0 };
	int64_t now = 1000, end = now + 60000 * 60 * 24, n = 0;

	(void)state;
	while (now <= end) {
		assert_true(rate_take(&b, &r, 1, now));
		n++;
		assert_false(rate_take(&b, &r, 1, now));
		now += rate_wait_ms(&r, b.used, 1);
		/* not a millisecond earlier */
		struct rate_bucket early = b;
		assert_false(rate_take(&early, &r, 1, now - 1));
	}
	/* At most 1 ms late each time, and never early. */
	assert_in_range(n, 7 * 60 * 24 - 4, 7 * 60 * 24 + 1);
	/* A bucket that takes what there is, however often it is asked, does
	 * not drift at all. */
	memset(&b, 0, sizeof(b));
	r = rate_of("7/min burst 100");
	for (n = 0, now = 1000; now <= 1000 + 60000 * 60 * 24; now += 37)
		n += rate_take(&b, &r, 1, now);
	assert_int_equal(n, (100 * 60000 + 7 * (now - 37 - 1000)) / 60000);
}

/* A second book, in whole parts, that never forgets: takes are refused if and
 * only if they do not fit. */
static void
behaves_like_a_long_memory(void **state)
{
	static const char *const rates[] = { "3/s burst 10", "100/s", "1/h",
		"999983/d burst 77", "1000000/s burst 1000000" };
	unsigned seed = 7;

	(void)state;
	for (size_t k = 0; k < NELEM(rates); k++) {
		struct rate r = rate_of(rates[k]);
		struct rate_bucket b = { 0 };
		int64_t now = 5, used = 0, cap = r.burst * r.per_ms;

		for (int i = 0; i < 20000; i++) {
			int64_t step = rand_r(&seed) % (r.per_ms / r.count + 3);
			int64_t cost = 1 + rand_r(&seed) % r.burst;
			bool fits;

			now += step;
			used =
			    used > step * r.count ? used - step * r.count : 0;
			fits = used + cost * r.per_ms <= cap;
			assert_int_equal(rate_take(&b, &r, cost, now), fits);
			used += fits ? cost * r.per_ms : 0;
			assert_int_equal(b.used, used);
			assert_int_equal(
			    rate_left(&r, b.used), (cap - used) / r.per_ms);
			assert_true(rate_full_ms(&r, used) * r.count >= used);
		}
	}
}

static void
odd_clocks_and_changed_limits(void **state)
{
	struct rate fast = rate_of("10/s"), slow = rate_of("1/h burst 10");
	struct rate_bucket b = { 0 };

	(void)state;
	assert_true(rate_take(&b, &fast, 10, 1000000));
	/* The clock is set back: nothing is given, nothing is stuck. */
	assert_false(rate_take(&b, &fast, 1, 500));
	assert_true(rate_take(&b, &fast, 1, 600));
	/* Ten are used, by whatever unit. */
	assert_false(rate_take(&b, &slow, 1, 600));
	assert_int_equal(rate_left(&slow, b.used), 0);
	assert_int_equal(rate_wait_ms(&slow, b.used, 1), 3600000);
	/* Less than what is used: nothing is left, and it is not negative. */
	slow = rate_of("1/h");
	assert_false(rate_take(&b, &slow, 1, 600));
	assert_int_equal(rate_left(&slow, b.used), 0);
	/* After a very long time. */
	assert_true(rate_take(&b, &slow, 1, INT64_MAX / 2));
	b = (struct rate_bucket){ 0 };
	slow = rate_of("1000000/d");
	assert_true(rate_take(&b, &slow, RATE_MAX, 1));
	assert_true(b.used < 1LL << 53);
	assert_true(rate_take(&b, &slow, RATE_MAX, INT64_MAX));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(texts),
		cmocka_unit_test(nothing_is_lost_over_the_years),
		cmocka_unit_test(behaves_like_a_long_memory),
		cmocka_unit_test(odd_clocks_and_changed_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
