#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/crypt.h"
#include "base/mem.h"

static void
hex(const uint8_t *p, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++)
		sprintf(ret + 2 * i, "%02x", p[i]);
}

static void
digests_of_the_standards(void **state)
{
	uint8_t sum[32];
	char text[65];

	(void)state;
	crypt_sha256("abc", 3, sum);
	hex(sum, sizeof(sum), text);
	assert_string_equal(text,
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
	crypt_sha256("", 0, sum);
	hex(sum, sizeof(sum), text);
	assert_string_equal(text,
	    "e3b0c44298fc1c149afbf4c8996fb924"
	    "27ae41e4649b934ca495991b7852b855");
	/* RFC 4231, test case 2 */
	crypt_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, sum);
	hex(sum, sizeof(sum), text);
	assert_string_equal(text,
	    "5bdcc146bf60754e6a042426089575c7"
	    "5a003f089d2739839dec58b964ec3843");
	crypt_sha1_hex("abc", 3, text);
	assert_string_equal(text, "a9993e364706816aba3e25717850c26c9cd0d89d");
	crypt_sha1_hex("a\0c", 3, text);
	assert_string_equal(text, "18a68aca12cdd2045a1a4d9a13893577e8bbbc96");
}

static void
random_fills_it_all(void **state)
{
	uint8_t seen[1000] = { 0 }, p[1000];
	int zeros = 0;

	(void)state;
	for (int i = 0; i < 8; i++) {
		crypt_random(p, sizeof(p));
		for (size_t k = 0; k < sizeof(p); k++)
			seen[k] |= p[k];
	}
	for (size_t k = 0; k < sizeof(seen); k++)
		zeros += seen[k] == 0;
	assert_int_equal(zeros, 0); /* by chance: one in 2^54 */
	assert_true(crypt_random_u64() != crypt_random_u64());
	p[0] = 1;
	crypt_random(p, 0);
	assert_int_equal(p[0], 1);
}

static void
equal_is_equal(void **state)
{
	(void)state;
	assert_true(crypt_equal("abc", "abc", 3));
	assert_false(crypt_equal("abc", "abd", 3));
	assert_true(crypt_equal("abc", "abd", 2));
	assert_true(crypt_equal("a", "b", 0));
}

static void
a_password_is_verified(void **state)
{
	char a[PASSWORD_HASH_SIZE], b[PASSWORD_HASH_SIZE];

	(void)state;
	assert_true(password_hash("correct horse", a));
	assert_true(password_hash("correct horse", b));
	assert_string_not_equal(a, b); /* salted */
	assert_int_equal(strncmp(a, "$y$j9T$", 7), 0);
	assert_true(password_verify("correct horse", a));
	assert_true(password_verify("correct horse", b));
	assert_false(password_verify("correct horsf", a));
	assert_false(password_verify("", a));
	a[strlen(a) - 1] ^= 1;
	assert_false(password_verify("correct horse", a));
	a[strlen(a) - 1] = '\0';
	assert_false(password_verify("correct horse", a));
}

/* libxcrypt makes a DES hash of what it does not know as a setting. */
static void
only_our_kind_of_hash(void **state)
{
	static const char *const bad[] = { NULL, "", "*0", "*1", "garbage", "x",
		"$y$", "$y$j9T$abc", "$y$j9T$", "$y$$", "$1$abc$xyz",
		"$6$saltsalt$x", "ab01FAX.bQRSU",
		"$y$j9T$k2XAnEHBqQ1Ct2aMXFKNa/" };

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++)
		if (password_verify("x", bad[i]))
			fail_msg("%s is accepted", bad[i]);
	/* The very DES hash of "x" with the salt "ga". */
	assert_false(password_verify("x", "ga3B1/aPyo5qQ"));
}

static void
passwords_have_a_limit(void **state)
{
	char password[PASSWORD_MAX + 2], hash[PASSWORD_HASH_SIZE];

	(void)state;
	memset(password, 'a', sizeof(password));
	password[PASSWORD_MAX] = '\0';
	assert_true(password_hash(password, hash));
	assert_true(password_verify(password, hash));
	password[PASSWORD_MAX - 1] = 'b'; /* all of it counts */
	assert_false(password_verify(password, hash));
	password[PASSWORD_MAX] = 'a';
	password[PASSWORD_MAX + 1] = '\0';
	assert_false(password_hash(password, hash));
	assert_false(password_verify(password, hash));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_of_the_standards),
		cmocka_unit_test(random_fills_it_all),
		cmocka_unit_test(equal_is_equal),
		cmocka_unit_test(a_password_is_verified),
		cmocka_unit_test(only_our_kind_of_hash),
		cmocka_unit_test(passwords_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
