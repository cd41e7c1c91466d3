#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/id.h"
#include "base/mem.h"

#define MANY 100000

static int
resume(void **state)
{
	(void)state;
	clock_freeze(-1, -1);
	return 0;
}

static void
assert_is_v7(const struct id *id)
{
	assert_int_equal(id->b[6] >> 4, 7);
	assert_int_equal(id->b[8] >> 6, 2);
}

static void
ids_only_grow(void **state)
{
	struct id a, b;

	(void)state;
	id_new(&a);
	for (int i = 0; i < MANY; i++) {
		id_new(&b);
		assert_is_v7(&b);
		assert_true(id_cmp(&a, &b) < 0);
		a = b;
	}
}

/* The clock may stand still for more ids than a millisecond has ticks, and may
 * be set back. */
static void
ids_grow_without_a_clock(void **state)
{
	int64_t now = clock_wall_us();
	struct id a, b;

	(void)state;
	clock_freeze(-1, now);
	id_new(&a);
	for (int i = 0; i < 10000; i++) {
		id_new(&b);
		assert_true(id_cmp(&a, &b) < 0);
		a = b;
	}
	clock_freeze(-1, now - 3600 * US_PER_S);
	id_new(&b);
	assert_true(id_cmp(&a, &b) < 0);
	assert_true(id_time_ms(&b) >= now / US_PER_MS);
}

static void
an_id_says_when(void **state)
{
	int64_t us = clock_wall_us() + 3600 * US_PER_S;
	struct id id, half;

	(void)state;
	us -= us % US_PER_MS;
	clock_freeze(-1, us);
	id_new(&id);
	assert_int_equal(id_time_ms(&id), us / US_PER_MS);
	assert_int_equal((id.b[6] & 15) << 8 | id.b[7], 0);
	clock_freeze(-1, us + 500);
	id_new(&half);
	assert_int_equal((half.b[6] & 15) << 8 | half.b[7], 2048);
	assert_int_equal(id_time_ms(&half), us / US_PER_MS);
}

static void
the_random_part_differs(void **state)
{
	struct id a, b;

	(void)state;
	id_new(&a);
	for (int i = 0; i < 1000; i++) {
		id_new(&b);
		assert_memory_not_equal(a.b + 8, b.b + 8, 8);
		a = b;
	}
}

static void
text_and_back(void **state)
{
	static const char text[] = "017f22e2-79b0-7cc3-98c4-dc0c0c07398f";
	char again[ID_TEXT_SIZE];
	struct id a, b;

	(void)state;
	assert_true(id_parse(text, ID_TEXT_LEN, &a)); /* RFC 9562, A.6 */
	assert_int_equal(id_time_ms(&a), 1645557742000);
	id_format(&a, again);
	assert_string_equal(again, text);
	assert_true(id_parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F", 36, &b));
	assert_int_equal(id_cmp(&a, &b), 0);
	assert_true(id_parse("00000000-0000-0000-0000-000000000000", 36, &b));
	assert_true(id_is_zero(&b));
	assert_false(id_is_zero(&a));
}

static void
text_refused(void **state)
{
	static const char *const bad[] = { "",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398f0",
		"017f22e279b07cc398c4dc0c0c07398f",
		"{17f22e2-79b0-7cc3-98c4-dc0c0c07398}",
		"017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
		"017f22e2-79b0-7cc3-98c4_dc0c0c07398f",
		"017f22e279b0--7cc3-98c4-dc0c0c07398f",
		"017f22e2-79b0-7cc3-98c4- c0c0c07398f",
		"017f22e2-79b0-7cc3-98c4-\xc3\xa9.c0c07398f" };
	struct id id = { { 1 } };

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++)
		if (id_parse(bad[i], strlen(bad[i]), &id))
			fail_msg("%s is accepted", bad[i]);
	assert_int_equal(id.b[0], 1);
}

static void
floor_is_the_smallest(void **state)
{
	int64_t us = clock_wall_us() + 7200 * US_PER_S;
	struct id low, next, id;

	(void)state;
	us -= us % US_PER_MS;
	id_floor(us / US_PER_MS, &low);
	id_floor(us / US_PER_MS + 1, &next);
	assert_is_v7(&low);
	assert_int_equal(id_time_ms(&low), us / US_PER_MS);
	clock_freeze(-1, us);
	id_new(&id);
	assert_true(id_cmp(&low, &id) < 0);
	clock_freeze(-1, us + 999);
	id_new(&id);
	assert_true(id_cmp(&id, &next) < 0);
	id_floor(-1, &low);
	assert_int_equal(id_time_ms(&low), 0);
	id_floor(INT64_MAX, &low);
	assert_int_equal(id_time_ms(&low), (1LL << 48) - 1);
}

static void
a_member_tells_its_family(void **state)
{
	struct id family, other, member, before, back;

	(void)state;
	id_new_family(&family);
	id_new_family(&other);
	assert_true(id_cmp(&family, &other) < 0);
	id_member(&family, 0, &member);
	assert_int_equal(id_cmp(&member, &family), 0);
	for (unsigned i = 1; i < ID_FAMILY_MAX; i++) {
		before = member;
		id_member(&family, i, &member);
		assert_true(id_cmp(&before, &member) < 0);
		id_family(&member, &back);
		assert_int_equal(id_cmp(&back, &family), 0);
		assert_int_equal(id_time_ms(&member), id_time_ms(&family));
	}
	/* Version and variant are still those of a UUIDv7. */
	assert_int_equal(member.b[6] >> 4, 7);
	assert_int_equal(member.b[8] >> 6, 2);
	assert_int_equal(member.b[15], 0xff);
	assert_int_equal(member.b[14] & 15, 15);
	id_family(&other, &back);
	assert_int_equal(id_cmp(&back, &other), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(ids_only_grow, resume),
		cmocka_unit_test_teardown(ids_grow_without_a_clock, resume),
		cmocka_unit_test_teardown(an_id_says_when, resume),
		cmocka_unit_test_teardown(the_random_part_differs, resume),
		cmocka_unit_test(text_and_back),
		cmocka_unit_test(text_refused),
		cmocka_unit_test_teardown(floor_is_the_smallest, resume),
		cmocka_unit_test(a_member_tells_its_family),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
