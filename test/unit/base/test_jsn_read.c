/* The reader of JSON: it sees what the other functions see, piece by piece. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/jsn.h"

static struct arena arena;
static struct fault fault;

static int
set_up(void **state)
{
	(void)state;
	arena_init(&arena);
	fault = (struct fault){ "", "", "" };
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

/* Writes a text anew by walking through all of it. */
static bool
copy(struct jsn_r *r, struct buf *to)
{
	enum jsn_type type = jsn_r_type(r);
	char bracket = type == JSN_OBJECT ? '{' : '[';
	struct jsn_value v;
	struct span name;
	bool more, ok;

	if (type != JSN_OBJECT && type != JSN_ARRAY) {
		ok = jsn_r_value(r, &v);
		if (ok)
			buf_add(to, v.text.p, v.text.len);
		return ok;
	}
	buf_addc(to, bracket);
	for (ok = jsn_r_open(r, bracket, &more, &name); ok && more;
	     ok = jsn_r_next(r, &more, &name)) {
		if (type == JSN_OBJECT)
			buf_addf(to, "%.*s=", (int)name.len, name.p);
		if (!copy(r, to))
			return false;
		buf_addc(to, ',');
	}
	buf_addc(to, (char)(bracket + 2));
	return ok;
}

static void
all_of_it_is_seen(void **state)
{
	static const char *const texts[][2] = {
		{ " null ", "null" },
		{ "[]", "[]" },
		{ "{ }", "{}" },
		{ "[ 1 , \"a,]\" ]", "[1,\"a,]\",]" },
		{ "{\"a\":{\"b\" :[{},[ ] ] },\"c\":-1e3}",
		    "{a={b=[{},[],],},c=-1e3,}" },
		{ "[[[[true]]],false]", "[[[[true,],],],false,]" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(texts); i++) {
		struct jsn_r *r =
		    jsn_r_new(&arena, span_of(texts[i][0]), 0, &fault);
		struct buf b;

		buf_init(&b, 1000);
		if (!copy(r, &b) || !jsn_r_end(r))
			fail_msg("%s: %s", texts[i][0], fault.detail);
		assert_string_equal(b.data, texts[i][1]);
		buf_fini(&b);
	}
}

static void
what_is_no_json_is_refused(void **state)
{
	static const char *const bad[] = { "", " ", "[", "{", "[1", "[1,",
		"[1,]", "[1 2]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
		"{\"a\":1 \"b\":2}", "{a:1}", "[}", "{]", "[1}", "]", "nul",
		"[]]", "{} 1", "[\"\xff\"]", "[01]" };

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++) {
		/* Without anything behind it, for a sanitizer. */
		size_t len = strlen(bad[i]);
		char *text = malloc(len + (len == 0));
		struct span s = { memcpy(text, bad[i], len), len };
		struct jsn_r *r = jsn_r_new(&arena, s, 0, &fault);
		struct buf b;

		fault.detail[0] = '\0';
		buf_init(&b, 1000);
		if (copy(r, &b) && jsn_r_end(r))
			fail_msg("%s", bad[i]);
		if (strstr(fault.detail, "byte") == NULL)
			fail_msg("%s: %s", bad[i], fault.detail);
		buf_fini(&b);
		free(text);
	}
}

static void
the_bracket_must_be_the_one(void **state)
{
	struct span name;
	bool more;

	(void)state;
	assert_false(jsn_r_open(
	    jsn_r_new(&arena, span_of("[]"), 0, &fault), '{', &more, &name));
	assert_non_null(strstr(fault.detail, "an object"));
	assert_false(jsn_r_open(
	    jsn_r_new(&arena, span_of(" 1"), 0, &fault), '[', &more, &name));
	assert_non_null(strstr(fault.detail, "an array"));
}

static void
what_is_outside_does_not_count_for_the_depth(void **state)
{
	char text[2 * (JSN_MAX_DEPTH + 3)];
	struct jsn_value v;
	unsigned outer, deep;

	(void)state;
	for (outer = 0; outer <= JSN_MAX_OUTER; outer++)
		for (deep = JSN_MAX_DEPTH; deep < JSN_MAX_DEPTH + 4; deep++) {
			memset(text, '[', deep);
			memset(text + deep, ']', deep);
			assert_int_equal(
			    jsn_r_value(jsn_r_new(&arena,
					    (struct span){ text, 2 * deep },
					    outer, &fault),
				&v),
			    deep <= JSN_MAX_DEPTH + outer);
		}
}

static void
names_are_checked_apart(void **state)
{
	struct span text = span_of("{\"a\":1,\"b\":2,\"\\u0061\":3}");
	struct jsn_member m[3];
	struct span name;
	size_t n = 0;
	bool more;
	struct jsn_r *r = jsn_r_new(&arena, text, 0, &fault);

	(void)state;
	assert_true(jsn_r_open(r, '{', &more, &name));
	for (; more; n++) {
		m[n].name = name;
		assert_true(jsn_r_value(r, &m[n].value));
		assert_true(jsn_r_next(r, &more, &name));
	}
	assert_int_equal(n, 3);
	assert_int_equal(jsn_check_names(text, m, 2, &fault), OK);
	assert_int_equal(jsn_check_names(text, m, 3, &fault), ERR_INVALID);
	assert_non_null(strstr(fault.detail, "byte 14"));
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(all_of_it_is_seen),
		TEST(what_is_no_json_is_refused),
		TEST(the_bracket_must_be_the_one),
		TEST(what_is_outside_does_not_count_for_the_depth),
		TEST(names_are_checked_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
