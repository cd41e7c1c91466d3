#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

/* A number added without a row would crash the first time it is logged. */
static void
every_error_has_a_row(void **state)
{
	(void)state;
	for (int e = OK; e < ERR_MAX; e++) {
		const char *name = err_name(e), *text = err_text(e);

		assert_true(strlen(name) > 0 && strlen(text) > 0);
		assert_int_equal(
		    strspn(name, "abcdefghijklmnopqrstuvwxyz-"), strlen(name));
		assert_int_not_equal(text[strlen(text) - 1], '.');
		for (int k = OK; k < e; k++)
			assert_string_not_equal(name, err_name(k));
	}
	assert_string_equal(err_name(ERR_NOT_FOUND), "not-found");
}

static void
only_passing_trouble_is_retryable(void **state)
{
	(void)state;
	assert_true(err_is_retryable(ERR_UNAVAILABLE));
	assert_true(err_is_retryable(ERR_TIMEOUT));
	assert_true(err_is_retryable(ERR_OVERLOADED));
	assert_true(err_is_retryable(ERR_RATE_LIMITED));
	assert_false(err_is_retryable(OK));
	assert_false(err_is_retryable(ERR_INVALID));
	assert_false(err_is_retryable(ERR_CONFLICT));
	assert_false(err_is_retryable(ERR_DATA));
}

static void
fault_is_filled_and_cut(void **state)
{
	char longer[1000];
	struct fault f;

	(void)state;
	assert_int_equal(
	    fault_set(&f, ERR_INVALID, "/type", "%d of %s", 3, "them"),
	    ERR_INVALID);
	assert_string_equal(f.pointer, "/type");
	assert_string_equal(f.detail, "3 of them");
	memset(longer, 'x', sizeof(longer));
	longer[sizeof(longer) - 1] = '\0';
	fault_set(&f, ERR_DATA, longer, "%s", longer);
	assert_int_equal(strlen(f.pointer), sizeof(f.pointer) - 1);
	assert_int_equal(strlen(f.detail), sizeof(f.detail) - 1);
	assert_int_equal(fault_set(NULL, ERR_DATA, "", "x"), ERR_DATA);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_has_a_row),
		cmocka_unit_test(only_passing_trouble_is_retryable),
		cmocka_unit_test(fault_is_filled_and_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
