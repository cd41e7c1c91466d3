/* How many workers a load wants, and what a heartbeat counts for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "task/load.h"

#define NELEM_OF(a) (sizeof(a) / sizeof((a)[0]))

static void
the_formula_at_its_edges(void **state)
{
	static const struct load_scale usual = { 10, 16, 1, 20 };
	static const struct {
		struct load load;
		int64_t wanted;
	} rows[] = {
		{ { 0, 0, 0 }, 1 },
		{ { 1, 0, 0 }, 1 },
		{ { 10, 0, 0 }, 1 },
		{ { 11, 0, 0 }, 2 },
		{ { 0, 11, 0 }, 2 },
		{ { 5, 5, 0 }, 1 },
		{ { 5, 6, 0 }, 2 }, /* the sum, not the larger one */
		{ { 95, 95, 0 }, 19 },
		{ { 100, 101, 0 }, 20 },
		{ { 1000, 0, 0 }, 20 },
		{ { 0, 0, 16 }, 1 },
		{ { 0, 0, 17 }, 2 }, /* busy ones are not taken away */
		{ { 0, 0, 320 }, 20 },
		{ { 30, 0, 17 }, 3 },
		{ { 10, 0, 60 }, 4 }, /* the larger of both, not the sum */
		{ { INT64_MAX / 4, INT64_MAX / 4, 0 }, 20 },
	};
	static const struct load_scale other = { 3, 1, 0, 5 };
	struct load l = { 0, 0, 0 };
	size_t i;

	(void)state;
	for (i = 0; i < NELEM_OF(rows); i++)
		assert_int_equal(
		    load_wanted(&rows[i].load, &usual), rows[i].wanted);
	assert_int_equal(load_wanted(&l, &other), 0);
	l.low = 4;
	assert_int_equal(load_wanted(&l, &other), 2);
	l.in_flight = 3;
	assert_int_equal(load_wanted(&l, &other), 3);
	l.in_flight = 99;
	assert_int_equal(load_wanted(&l, &other), 5);
}

static void
add(struct inflight *in, const char *beat, int64_t taken)
{
	inflight_add(in, span_of(beat), taken);
}

static void
heartbeats_count_for_the_queues_they_name(void **state)
{
	struct inflight *in = calloc(1, sizeof(*in));

	(void)state;
	add(in, "{\"concurrency\":4,\"queues\":[\"default\"]}", 3);
	add(in, "{\"queues\":[\"default\",\"video\"],\"concurrency\":2}", 9);
	add(in, "{\"concurrency\":4,\"queues\":[\"video\"]}", 0);
	assert_int_equal(in->n, 2);
	assert_string_equal(in->of[0].queue, "default");
	assert_int_equal(in->of[0].tasks, 5); /* of nine, two run */
	assert_string_equal(in->of[1].queue, "video");
	assert_int_equal(in->of[1].tasks, 2);
	/* One that is a prefix of another is another one. */
	add(in, "{\"concurrency\":4,\"queues\":[\"def\"]}", 1);
	assert_int_equal(in->n, 3);
	free(in);
}

static void
what_is_no_heartbeat_counts_for_nothing(void **state)
{
	static const char *const bad[] = { "", "null", "{", "[]", "{}",
		"{\"concurrency\":4}", "{\"queues\":[\"default\"]}",
		"{\"concurrency\":\"4\",\"queues\":[\"default\"]}",
		"{\"concurrency\":4,\"queues\":\"default\"}",
		"{\"concurrency\":4,\"queues\":[\"\"]}",
		"{\"concurrency\":4,\"queues\":[1,null]}",
		"{\"concurrency\":4,\"queues\":[\"a\"]} x",
		"{\"concurrency\":4,\"queues\":[\"b$c\",\"d/e\"]}" };
	struct inflight *in = calloc(1, sizeof(*in));
	size_t i;

	(void)state;
	for (i = 0; i < NELEM_OF(bad); i++)
		add(in, bad[i], 4);
	assert_int_equal(in->n, 0);
	free(in);
}

static void
the_count_is_bounded(void **state)
{
	struct inflight *in = calloc(1, sizeof(*in));
	char beat[128];
	int i;

	(void)state;
	for (i = 0; i < INFLIGHT_QUEUES + 10; i++) {
		snprintf(beat, sizeof(beat),
		    "{\"concurrency\":1,\"queues\":[\"q%d\"]}", i);
		add(in, beat, 1);
	}
	assert_int_equal(in->n, INFLIGHT_QUEUES);
	for (i = 0; i < 3; i++)
		add(in, "{\"concurrency\":99999,\"queues\":[\"q0\"]}", 99999);
	assert_int_equal(in->of[0].tasks, INFLIGHT_MAX);
	free(in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_formula_at_its_edges),
		cmocka_unit_test(heartbeats_count_for_the_queues_they_name),
		cmocka_unit_test(what_is_no_heartbeat_counts_for_nothing),
		cmocka_unit_test(the_count_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
