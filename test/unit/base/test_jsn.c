#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/jsn.h"

/* A copy without anything behind it, so that a sanitizer sees what reads on. */
static struct span
exact(const char *p, size_t len)
{
	char *copy = malloc(len == 0 ? 1 : len);

	assert_non_null(copy);
	memcpy(copy, p, len);
	return (struct span){ copy, len };
}

static enum err
scan_bytes(const char *p, size_t len, struct fault *f)
{
	struct span text = exact(p, len);
	enum err err = jsn_scan(text, NULL, f);

	free((char *)(uintptr_t)text.p);
	return err;
}

static void
scan_accepts(void **state)
{
	static const char *const good[] = { "null", "true", "false", "0", "-0",
		"1", "-1", "10", "1.5", "0.0", "-0.5e-7", "1E+2", "1e400",
		"9007199254740993", "12345678901234567890", "\"\"", "\"a\"",
		"[]", "[ ]", "{}", "{ }", "[1,2]", "[[],{},[[]]]",
		" \t\r\n{\"a\" : 1 , \"b\":[ ] } \n", "{\"a\":1,\"a\":2}",
		"{\"\":0}", "\"\\u0000\"", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
		"\"\\uABcd\"", "\"\\ud83d\\ude00\"", "\"\\uD7FF\\uE000\"",
		"\"\x7f\"", "\"\xc3\xa9\xe6\xbc\xa2\xf0\x9f\x98\x80\"",
		"\"\xe2\x80\xa8\"", "[\"a\",null,true,{\"x\":[1e1]}]" };
	struct fault f;

	(void)state;
	for (size_t i = 0; i < NELEM(good); i++)
		if (scan_bytes(good[i], strlen(good[i]), &f) != OK)
			fail_msg("%s: %s", good[i], f.detail);
}

struct bad {
	const char *text;
	size_t offset;
};

static const struct bad bad_texts[] = { { "", 0 }, { "  ", 2 }, { "nul", 0 },
	{ "nulL", 0 }, { "True", 0 }, { "truefalse", 4 }, { "NaN", 0 },
	{ "Infinity", 0 }, { "-", 1 }, { "+1", 0 }, { ".5", 0 }, { "01", 1 },
	{ "-01", 2 }, { "1.", 2 }, { "1.e1", 2 }, { "1e", 2 }, { "1e+", 3 },
	{ "0x1", 1 }, { "1 2", 2 }, { "\"", 1 }, { "\"a", 2 }, { "'a'", 0 },
	{ "\"\\", 2 }, { "\"\\x\"", 2 }, { "\"\\u", 3 }, { "\"\\u12\"", 3 },
	{ "\"\\u12g4\"", 3 }, { "\"a\nb\"", 2 }, { "\"\x01\"", 1 },
	{ "\"\x1f\"", 1 }, { "[", 1 }, { "[1", 2 }, { "[1,", 3 }, { "[1,]", 3 },
	{ "[,1]", 1 }, { "[1 2]", 3 }, { "[1}", 2 }, { "]", 0 }, { "{", 1 },
	{ "{]", 1 }, { "{1:2}", 1 }, { "{a:1}", 1 }, { "{\"a\"", 4 },
	{ "{\"a\"}", 4 }, { "{\"a\":", 5 }, { "{\"a\":}", 5 },
	{ "{\"a\":1,}", 7 }, { "{\"a\":1 \"b\"}", 7 }, { "{\"a\":1]", 6 },
	{ "{,}", 1 }, { "[]]", 2 }, { "{}x", 2 }, { "[1] // c", 4 },
	{ "/* c */ 1", 0 }, { "\v1", 0 }, { "1\v", 1 }, { "\xef\xbb\xbf{}", 0 },
	/* half surrogate pairs: where the escape begins */
	{ "\"\\udc00\\udc00\"", 1 }, { "\"\\ud800\"", 1 }, { "\"\\udc00\"", 1 },
	{ "\"a\\ud800x\"", 2 }, { "\"\\ud800\\n\"", 1 },
	{ "\"\\ud800\\ud800\"", 1 }, { "\"\\ude00\\ud83d\"", 1 },
	{ "\"\\ud83d\\u0041\"", 1 }, { "\"\\ud83d\\ude0", 1 },
	/* not UTF-8: continuation, overlong, surrogate, too large, cut */
	{ "\"\x80\"", 1 }, { "\"\xc0\x80\"", 1 }, { "\"\xc1\xbf\"", 1 },
	{ "\"\xe0\x80\x80\"", 1 }, { "\"\xed\xa0\x80\"", 1 },
	{ "\"\xf0\x80\x80\x80\"", 1 }, { "\"\xf4\x90\x80\x80\"", 1 },
	{ "\"\xf5\x80\x80\x80\"", 1 }, { "\"a\xc3\"", 2 }, { "\"\xff\"", 1 },
	{ "\"\xe2\x82", 1 }, { "{\"\xff\":1}", 2 } };

static void
scan_refuses_and_says_where(void **state)
{
	struct fault f;
	size_t offset;

	(void)state;
	for (size_t i = 0; i < NELEM(bad_texts); i++) {
		const struct bad *b = &bad_texts[i];

		if (scan_bytes(b->text, strlen(b->text), &f) != ERR_INVALID)
			fail_msg("%s is accepted", b->text);
		if (sscanf(f.detail, "JSON %*[a-z] at byte %zu", &offset) !=
			1 &&
		    sscanf(f.detail, "JSON at byte %zu", &offset) != 1)
			fail_msg("%s: %s", b->text, f.detail);
		if (offset != b->offset)
			fail_msg(
			    "%s: at %zu: %s", b->text, b->offset, f.detail);
		assert_string_equal(f.pointer, "");
	}
}

static void
nul_bytes_are_refused_anywhere(void **state)
{
	static const char text[] = "{\"a\" : [1, \"b\"]}";
	char copy[sizeof(text) + 1];
	struct fault f;

	(void)state;
	for (size_t i = 0; i < sizeof(text); i++) {
		memcpy(copy, text, i);
		copy[i] = '\0';
		memcpy(copy + i + 1, text + i, sizeof(text) - 1 - i);
		assert_int_equal(
		    scan_bytes(copy, sizeof(text), &f), ERR_INVALID);
	}
	/* What cJSON takes for the end of a string. */
	assert_int_equal(scan_bytes("\"a\0b\"", 5, &f), ERR_INVALID);
	assert_string_equal(f.detail,
	    "JSON at byte 2 has the byte 0x00, where an escape such as \\n for "
	    "a control character in a string is expected");
	assert_int_equal(
	    jsn_scan((struct span){ NULL, 0 }, NULL, &f), ERR_INVALID);
	assert_int_equal(jsn_scan(span_of("x"), NULL, NULL), ERR_INVALID);
}

/* A text that is cut anywhere is bad, and nothing behind it is read. */
static void
every_beginning_is_bad(void **state)
{
	static const char text[] =
	    "{\"a\":[1.5e+3,\"\\u00e9\\ud83d\\ude00\xf0\x9f\x98\x80\",true,"
	    "false,null,{}]}";
	struct fault f;

	(void)state;
	for (size_t n = 0; n < strlen(text); n++)
		assert_int_equal(scan_bytes(text, n, &f), ERR_INVALID);
	assert_int_equal(scan_bytes(text, strlen(text), &f), OK);
}

static void
depth_is_bounded(void **state)
{
	struct fault f;
	struct buf b;

	(void)state;
	for (int deep = JSN_MAX_DEPTH; deep <= JSN_MAX_DEPTH + 1; deep++) {
		buf_init(&b, 4096);
		for (int i = 0; i < deep; i++)
			buf_adds(&b, i % 2 ? "{\"a\":" : "[");
		buf_adds(&b, "1");
		for (int i = deep - 1; i >= 0; i--)
			buf_adds(&b, i % 2 ? "}" : "]");
		assert_int_equal(scan_bytes(b.data, b.len, &f),
		    deep > JSN_MAX_DEPTH ? ERR_INVALID : OK);
		buf_fini(&b);
	}
	assert_non_null(strstr(f.detail, "deeper than 128"));
	buf_init(&b, 1 << 22);
	for (int i = 0; i < 1 << 22; i++)
		buf_addc(&b, '[');
	assert_int_equal(scan_bytes(b.data, b.len, &f), ERR_INVALID);
	buf_fini(&b);
	/* Width is not depth. */
	buf_init(&b, 1 << 20);
	buf_addc(&b, '[');
	for (int i = 0; i < 10000; i++)
		buf_adds(&b, "[[]],");
	buf_adds(&b, "{}]");
	assert_int_equal(scan_bytes(b.data, b.len, &f), OK);
	buf_fini(&b);
}

static void
scan_gives_the_value_without_its_space(void **state)
{
	struct jsn_value v;
	struct fault f;

	(void)state;
	assert_int_equal(jsn_scan(span_of(" \n[1, 2 ]\t"), &v, &f), OK);
	assert_true(span_is(v.text, "[1, 2 ]"));
	assert_int_equal(v.type, JSN_ARRAY);
	assert_int_equal(jsn_scan(span_of(" \"a\" "), &v, &f), OK);
	assert_true(span_is(v.text, "\"a\""));
	assert_int_equal(v.type, JSN_STRING);
}

/* Numbers and spacing that any reprinting would change. */
static void
object_gives_spans_byte_for_byte(void **state)
{
	static const char text[] =
	    " { \"type\" :\"a\\u0062\",\"payload\": {\"n\":9007199254740993,"
	    "\"x\" : 1.10, \"n\":1e400,\"s\":\"\\u0000\\/\"} ,\n\"z\":[ 1,2 ]"
	    ",\"t\":true,\"e\":\"\",\"\":null } ";
	struct jsn_member m[6];
	struct fault f;
	size_t n = 99;

	(void)state;
	assert_int_equal(jsn_object(span_of(text), m, 6, &n, &f), OK);
	assert_int_equal(n, 6);
	assert_true(span_is(m[0].name, "type"));
	assert_true(span_is(m[0].value.text, "\"a\\u0062\""));
	assert_true(span_is(m[1].value.text,
	    "{\"n\":9007199254740993,\"x\" : 1.10, \"n\":1e400,"
	    "\"s\":\"\\u0000\\/\"}"));
	assert_int_equal(m[1].value.type, JSN_OBJECT);
	assert_true(span_is(m[2].value.text, "[ 1,2 ]"));
	assert_int_equal(m[3].value.type, JSN_BOOL);
	assert_true(span_is(m[4].value.text, "\"\""));
	assert_true(span_is(m[5].name, ""));
	assert_int_equal(m[5].value.type, JSN_NULL);
	assert_ptr_equal(jsn_find(m, n, "z"), &m[2].value);
	assert_ptr_equal(jsn_find(m, n, ""), &m[5].value);
	assert_null(jsn_find(m, n, "Type")); /* cJSON would find it */
	assert_null(jsn_find(m, n, "typ"));
}

static void
object_refuses(void **state)
{
	struct jsn_member m[3];
	struct fault f;
	size_t n = 99;

	(void)state;
	assert_int_equal(jsn_object(span_of("{ }"), m, 0, &n, &f), OK);
	assert_int_equal(n, 0);
	n = 99;
	assert_int_equal(jsn_object(span_of("[]"), m, 3, &n, &f), ERR_INVALID);
	assert_string_equal(
	    f.detail, "JSON at byte 0 has '[', where an object is expected");
	assert_int_equal(jsn_object(span_of("{\"a\":{\"b\":[}}"), m, 3, &n, &f),
	    ERR_INVALID);
	assert_non_null(strstr(f.detail, "byte 11"));
	assert_int_equal(
	    jsn_object(span_of("{} {}"), m, 3, &n, &f), ERR_INVALID);
	assert_int_equal(
	    jsn_object(
		span_of("{\"a\":1,\"b\":2,\"c\":3,\"d\":4}"), m, 3, &n, &f),
	    ERR_INVALID);
	assert_non_null(strstr(f.detail, "at most 3 members"));
	assert_int_equal(n, 99);
}

#define LONG "0123456789012345678901234567890123456789012345678901234567890"

static void
object_refuses_a_name_twice(void **state)
{
	static const char *const twice[] = { "{\"a\":1,\"b\":2,\"a\":3}",
		"{\"a\":1,\"\\u0061\":2}", "{\"\\u0061\":1,\"a\":2}",
		"{\"\\u00e9\":1,\"\xc3\xa9\":2}", "{\"\":1,\"\":2}",
		"{\"\\/\":1,\"/\":2}", "{\"a\\u0000\":1,\"a\\u0000\":2}" };
	static const char *const fine[] = { "{\"a\":1,\"A\":2}",
		"{\"a\":1,\"a\\u0000b\":2}", "{\"a\":{\"b\":1,\"b\":2}}",
		"{\"\\\\u0061\":1,\"a\":2}" };
	struct jsn_member m[4];
	struct fault f;
	size_t n;

	(void)state;
	for (size_t i = 0; i < NELEM(twice); i++)
		if (jsn_object(span_of(twice[i]), m, 4, &n, &f) != ERR_INVALID)
			fail_msg("%s is accepted", twice[i]);
	for (size_t i = 0; i < NELEM(fine); i++)
		if (jsn_object(span_of(fine[i]), m, 4, &n, &f) != OK)
			fail_msg("%s: %s", fine[i], f.detail);
	jsn_object(span_of("{\"x/~\":1,\"x/~\":2}"), m, 4, &n, &f);
	assert_string_equal(f.pointer, "/x~1~0");
	assert_non_null(strstr(f.detail, "byte 10"));
	/* A long name is not shown, and neither is one with escapes. */
	jsn_object(span_of("{\"" LONG "\":1,\"" LONG "\":2}"), m, 4, &n, &f);
	assert_string_equal(f.pointer, "");
	assert_null(strstr(f.detail, "0123"));
	jsn_object(span_of("{\"a\":1,\"\\u0061\":2}"), m, 4, &n, &f);
	assert_string_equal(f.pointer, "");
}

static void
many_names_are_compared(void **state)
{
	struct jsn_member *m = calloc(500, sizeof(*m));
	struct fault f;
	struct buf b;
	size_t n;

	(void)state;
	buf_init(&b, 1 << 16);
	buf_addc(&b, '{');
	for (int i = 0; i < 499; i++)
		buf_addf(&b, "\"n\\u00%02x%d\":%d,", 0x41 + i % 26, i, i);
	buf_adds(&b, "\"nC210\":0}"); /* the one with i = 210 */
	assert_int_equal(210 % 26, 2);
	assert_int_equal(jsn_object(buf_span(&b), m, 500, &n, &f), ERR_INVALID);
	assert_string_equal(f.pointer, "/nC210");
	b.data[b.len - 5] = 'x';
	assert_int_equal(jsn_object(buf_span(&b), m, 500, &n, &f), OK);
	assert_int_equal(n, 500);
	assert_ptr_equal(jsn_find(m, n, "nC210"), &m[210].value);
	buf_fini(&b);
	free(m);
}

static void
array_gives_its_elements(void **state)
{
	struct jsn_value *v = NULL;
	struct fault f;
	struct arena a;
	struct buf b;
	size_t n;

	(void)state;
	arena_init(&a);
	buf_init(&b, 1 << 16);
	assert_int_equal(jsn_array(span_of(" [ ] "), &a, 0, &v, &n, &f), OK);
	assert_int_equal(n, 0);
	buf_addc(&b, '[');
	for (int i = 0; i < 1000; i++)
		buf_addf(&b, "%s[%d, \"x\"]", i ? " ," : "", i);
	buf_addc(&b, ']');
	assert_int_equal(jsn_array(buf_span(&b), &a, 1000, &v, &n, &f), OK);
	assert_int_equal(n, 1000);
	assert_true(span_is(v[0].text, "[0, \"x\"]"));
	assert_true(span_is(v[999].text, "[999, \"x\"]"));
	assert_int_equal(v[17].type, JSN_ARRAY);
	assert_int_equal(
	    jsn_array(buf_span(&b), &a, 999, &v, &n, &f), ERR_INVALID);
	assert_non_null(strstr(f.detail, "at most 999 elements"));
	assert_int_equal(
	    jsn_array(span_of("{}"), &a, 9, &v, &n, &f), ERR_INVALID);
	assert_int_equal(
	    jsn_array(span_of("[1,]"), &a, 9, &v, &n, &f), ERR_INVALID);
	buf_fini(&b);
	arena_fini(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scan_accepts),
		cmocka_unit_test(scan_refuses_and_says_where),
		cmocka_unit_test(nul_bytes_are_refused_anywhere),
		cmocka_unit_test(every_beginning_is_bad),
		cmocka_unit_test(depth_is_bounded),
		cmocka_unit_test(scan_gives_the_value_without_its_space),
		cmocka_unit_test(object_gives_spans_byte_for_byte),
		cmocka_unit_test(object_refuses),
		cmocka_unit_test(object_refuses_a_name_twice),
		cmocka_unit_test(many_names_are_compared),
		cmocka_unit_test(array_gives_its_elements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
