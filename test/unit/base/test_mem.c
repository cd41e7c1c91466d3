#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"

static char trace[8];

static void
note(void *arg)
{
	strncat(trace, arg, sizeof(trace) - strlen(trace) - 1);
}

static void
arena_pieces_are_aligned_and_apart(void **state)
{
	struct arena a;
	unsigned char *p[500];

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < NELEM(p); i++) {
		p[i] = arena_alloc(&a, i * 7);
		assert_int_equal((uintptr_t)p[i] % 16, 0);
		memset(p[i], (int)i & 0xff, i * 7);
	}
	for (size_t i = 0; i < NELEM(p); i++)
		for (size_t k = 0; k < i * 7; k++)
			assert_int_equal(p[i][k], i & 0xff);
	arena_fini(&a);
}

static void
arena_disposers_run_last_first_before_the_memory_goes(void **state)
{
	struct arena a;

	(void)state;
	trace[0] = '\0';
	arena_init(&a);
	arena_defer(&a, note, arena_dup(&a, "a", 1));
	arena_defer(&a, note, arena_dup(&a, "b", 1));
	arena_defer(&a, note, arena_printf(&a, "%c%s", 'c', "d"));
	arena_fini(&a);
	assert_string_equal(trace, "cdba");
	arena_fini(&a); /* what is empty may end again */
	assert_string_equal(trace, "cdba");
}

static void
arena_texts(void **state)
{
	struct arena a;
	char *s;

	(void)state;
	arena_init(&a);
	s = arena_dup(&a, "a\0b", 3);
	assert_memory_equal(s, "a\0b", 4);
	assert_string_equal(arena_dup(&a, NULL, 0), "");
	s = arena_printf(&a, "%5000d", 7);
	assert_int_equal(strlen(s), 5000);
	s = arena_zalloc(&a, 9999);
	for (size_t i = 0; i < 9999; i++)
		assert_int_equal(s[i], 0);
	arena_fini(&a);
}

static void
buf_grows_to_its_maximum(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 1000);
	assert_int_equal(buf_span(&b).len, 0);
	assert_string_equal(buf_span(&b).p, "");
	for (int i = 0; i < 1000; i++) {
		buf_addc(&b, 'x');
		assert_int_equal(b.data[b.len], '\0');
	}
	assert_false(b.overflow);
	assert_int_equal(b.len, 1000);
	buf_addc(&b, 'x');
	assert_true(b.overflow);
	assert_int_equal(b.len, 1000);
	buf_fini(&b);
}

static void
buf_drops_a_piece_whole_and_all_after_it(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 8);
	buf_adds(&b, "12345");
	buf_adds(&b, "6789");
	assert_string_equal(b.data, "12345");
	buf_adds(&b, "6");
	buf_addf(&b, "%d", 6);
	assert_string_equal(b.data, "12345");
	buf_drain(&b, 5);
	assert_true(b.overflow);
	buf_clear(&b);
	assert_false(b.overflow);
	buf_addf(&b, "%08d", 42);
	assert_string_equal(b.data, "00000042");
	assert_false(b.overflow);
	buf_fini(&b);
}

static void
buf_without_room(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 0);
	buf_add(&b, "", 0);
	assert_false(b.overflow);
	buf_addc(&b, 'x');
	assert_true(b.overflow);
	buf_fini(&b);
	buf_init(&b, SIZE_MAX);
	buf_add(&b, "a", SIZE_MAX); /* must not wrap */
	assert_true(b.overflow);
	buf_fini(&b);
}

static void
buf_drains_from_the_front(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_drain(&b, 0);
	buf_adds(&b, "abcdef");
	buf_drain(&b, 2);
	assert_string_equal(b.data, "cdef");
	buf_drain(&b, 4);
	assert_int_equal(b.len, 0);
	assert_string_equal(b.data, "");
	buf_fini(&b);
}

static void
buf_big_endian(void **state)
{
	static const char want[] =
	    "\x01\x02\x03\x04\xff\xfe\xfd\xfc\xfb\xfa\xf9"
	    "\xf8";
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_add_be32(&b, 0x01020304);
	buf_add_be64(&b, 0xfffefdfcfbfaf9f8);
	assert_int_equal(b.len, 12);
	assert_memory_equal(b.data, want, 12);
	buf_fini(&b);
}

static void
buf_decimal(void **state)
{
	static const int64_t n[] = { 0, 7, -1, 10, 1234567890, INT64_MAX,
		INT64_MIN };
	char text[32];
	struct buf b;
	size_t i;

	(void)state;
	buf_init(&b, 100);
	for (i = 0; i < NELEM(n); i++) {
		buf_clear(&b);
		buf_add_int(&b, n[i]);
		snprintf(text, sizeof(text), "%lld", (long long)n[i]);
		assert_string_equal(b.data, text);
	}
	buf_fini(&b);
}

static void
buf_reserves_within_its_maximum(void **state)
{
	struct buf b;

	(void)state;
	buf_init(&b, 100);
	buf_reserve(&b, 1000);
	assert_string_equal(buf_span(&b).p, "");
	for (int i = 0; i < 100; i++)
		buf_addc(&b, 'x');
	assert_false(b.overflow);
	buf_addc(&b, 'x');
	assert_true(b.overflow);
	assert_int_equal(b.len, 100);
	buf_clear(&b);
	buf_adds(&b, "abc");
	buf_reserve(&b, 2); /* never less */
	assert_string_equal(b.data, "abc");
	buf_fini(&b);
}

static void
span_compares_whole(void **state)
{
	(void)state;
	assert_true(span_is(span_of("abc"), "abc"));
	assert_false(span_is(span_of("abc"), "ab"));
	assert_false(span_is(span_of("ab"), "abc"));
	assert_false(span_is((struct span){ "a\0b", 3 }, "a"));
	assert_false(span_is(span_of(NULL), ""));
	assert_true(span_is(span_of(""), ""));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(arena_pieces_are_aligned_and_apart),
		cmocka_unit_test(
		    arena_disposers_run_last_first_before_the_memory_goes),
		cmocka_unit_test(arena_texts),
		cmocka_unit_test(buf_grows_to_its_maximum),
		cmocka_unit_test(buf_drops_a_piece_whole_and_all_after_it),
		cmocka_unit_test(buf_without_room),
		cmocka_unit_test(buf_drains_from_the_front),
		cmocka_unit_test(buf_big_endian),
		cmocka_unit_test(buf_decimal),
		cmocka_unit_test(buf_reserves_within_its_maximum),
		cmocka_unit_test(span_compares_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
