/* Cursors, and Idempotency-Keys as they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "role/api/cursor.h"
#include "role/api/keyed.h"

static const struct span secret = { "0123456789abcdef0123456789abcdef", 32 };
static const struct span list = { "me&status=FAILED", 16 };

static void
a_cursor_comes_back(void **state)
{
	struct cursor c, back;
	char text[CURSOR_SIZE];

	(void)state;
	for (int i = 0; i < 500; i++) {
		id_new(&c.id);
		c.up = i % 2;
		cursor_format(&c, secret, list, text);
		assert_int_equal(strlen(text), 36);
		assert_int_equal(strspn(text,
				     "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
				     "pqrstuvwxyz0123456789-_"),
		    36);
		assert_true(cursor_parse(text, secret, list, &back));
		assert_int_equal(back.up, c.up);
		assert_int_equal(id_cmp(&back.id, &c.id), 0);
	}
}

/* Each bit of it counts, and so does what it was made for. */
static void
what_was_changed_is_none(void **state)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmno"
				     "pqrstuvwxyz0123456789-_";
	struct cursor c = { true, { { 1, 2, 3 } } }, back;
	char text[CURSOR_SIZE], changed[CURSOR_SIZE];

	(void)state;
	cursor_format(&c, secret, list, text);
	for (int i = 0; i < CURSOR_SIZE - 1; i++)
		for (int k = 0; k < 64; k++) {
			memcpy(changed, text, sizeof(text));
			changed[i] = digits[k];
			assert_true(cursor_parse(changed, secret, list,
					&back) == (digits[k] == text[i]));
		}
	assert_false(cursor_parse(text, list, list, &back));
	assert_false(cursor_parse(text, secret, secret, &back));
	assert_false(cursor_parse(
	    text, secret, (struct span){ list.p, list.len - 1 }, &back));
	assert_false(cursor_parse("", secret, list, &back));
	text[35] = '\0';
	assert_false(cursor_parse(text, secret, list, &back));
	/* Bytes of another alphabet of base64, and none. */
	text[34] = '+';
	assert_false(cursor_parse(text, secret, list, &back));
	text[34] = '\xff';
	assert_false(cursor_parse(text, secret, list, &back));
}

static void
keys_are_strings(void **state)
{
	static const struct {
		const char *header, *key; /* NULL: refused */
	} cases[] = {
		{ "\"8e03978e-40d5-43dd-bc93-6894a57f9324\"",
		    "8e03978e-40d5-43dd-bc93-6894a57f9324" },
		{ "8e03978e-40d5-43dd-bc93-6894a57f9324",
		    "8e03978e-40d5-43dd-bc93-6894a57f9324" },
		{ "\"a \\\"b\\\\ c\"", "a \"b\\ c" },
		{ "a,b;c=d", "a,b;c=d" },
		{ "", NULL },
		{ "\"\"", NULL },
		{ "\"a", NULL },
		{ "\"a\\\"", NULL },
		{ "\"a\\", NULL },
		{ "\"a\\n\"", NULL },
		{ "\"a\" ", NULL },
		{ "\"a\";p=1", NULL },
		{ "a b", NULL },
		{ "a\"", NULL },
		{ "a\tb", NULL },
		{ "\"\303\251\"", NULL },
		{ "\177", NULL },
	};
	struct fault fault;
	struct arena a;
	const char *key;

	(void)state;
	arena_init(&a);
	for (size_t i = 0; i < NELEM(cases); i++) {
		enum err err = keyed_parse(cases[i].header, &a, &key, &fault);

		assert_int_equal(err, cases[i].key != NULL ? OK : ERR_INVALID);
		if (err == OK)
			assert_string_equal(key, cases[i].key);
		else
			assert_non_null(strstr(fault.detail, "allowed is"));
	}
	arena_fini(&a);
}

static void
unique_keys_are_counted_in_characters(void **state)
{
	char many[4 * UNIQUE_KEY_MAX + 8] = "";

	(void)state;
	assert_true(unique_key_ok("a"));
	assert_false(unique_key_ok(""));
	assert_false(unique_key_ok("\xff"));
	assert_false(unique_key_ok("a\xc3"));
	for (int i = 0; i < UNIQUE_KEY_MAX; i++)
		strcat(many, "\360\237\230\200");
	assert_true(unique_key_ok(many));
	strcat(many, "x");
	assert_false(unique_key_ok(many));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cursor_comes_back),
		cmocka_unit_test(what_was_changed_is_none),
		cmocka_unit_test(keys_are_strings),
		cmocka_unit_test(unique_keys_are_counted_in_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
