/* Who is asking, by the headers; and what API keys look like. The corpus of the
 * fuzz target is replayed here. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../fuzz/fuzz_credential.c"
#include "task/lockout.h"

#define CORPUS "test/fuzz/corpus/fuzz_credential"
#define SOME_ENTRY                              \
	"019283a4-1234-7000-8000-0123456789ab " \
	"019283a4-1234-7000-8000-0123456789ac"

#define KEY "tf_abcdefghijklmnopqrstuvwxyzABCDEFGHIJ0123456"

static void
each_kind_is_told(void **state)
{
	static const struct {
		const char *authorization, *api_key;
		enum err err;
		enum credential_kind kind;
		const char *text;
	} cases[] = {
		{ "Bearer a.b.c", NULL, OK, CREDENTIAL_TOKEN, "a.b.c" },
		{ "bEARER   a.b.c", NULL, OK, CREDENTIAL_TOKEN, "a.b.c" },
		{ "Bearer " KEY, NULL, OK, CREDENTIAL_KEY, KEY },
		{ NULL, KEY, OK, CREDENTIAL_KEY, KEY },
		{ NULL, NULL, ERR_UNAUTHORIZED, 0, NULL },
		{ "Bearer " KEY, KEY, ERR_INVALID, 0, NULL },
		{ "Basic YTpi", KEY, ERR_INVALID, 0, NULL },
		{ "Basic YTpi", NULL, ERR_UNAUTHORIZED, 0, NULL },
		{ "Bearer", NULL, ERR_UNAUTHORIZED, 0, NULL },
		{ "Bearera.b.c", NULL, ERR_UNAUTHORIZED, 0, NULL },
		{ KEY, NULL, ERR_UNAUTHORIZED, 0, NULL },
		{ "Bearer " KEY "x", NULL, ERR_UNAUTHORIZED, 0, NULL },
		{ NULL, "", ERR_UNAUTHORIZED, 0, NULL },
		{ NULL, "a.b.c", ERR_UNAUTHORIZED, 0, NULL },
		{ NULL, "Bearer " KEY, ERR_UNAUTHORIZED, 0, NULL },
	};
	struct credential c;
	struct fault f;

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++) {
		assert_int_equal(credential_read(cases[i].authorization,
				     cases[i].api_key, &c, &f),
		    cases[i].err);
		if (cases[i].err != OK) {
			/* A secret must not get into an answer or a log. */
			assert_null(strstr(f.detail, "abcdef"));
			continue;
		}
		assert_int_equal(c.kind, cases[i].kind);
		assert_string_equal(c.text, cases[i].text);
	}
}

static void
new_keys_are_keys_and_differ(void **state)
{
	char a[KEY_TEXT_SIZE], b[KEY_TEXT_SIZE], prefix[KEY_PREFIX_SIZE];
	bool seen[256] = { false };
	int i, k, n = 0;

	(void)state;
	key_new(a);
	for (i = 0; i < 500; i++) {
		key_new(b);
		assert_true(key_ok(b));
		assert_string_not_equal(a, b);
		for (k = 3; k < KEY_TEXT_LEN - 1; k++)
			seen[(unsigned char)b[k]] = true;
		/* The last letter has four bits of the 256. */
		assert_non_null(
		    strchr("AEIMQUYcgkosw048", b[KEY_TEXT_LEN - 1]));
	}
	for (i = 0; i < 256; i++)
		n += seen[i];
	assert_int_equal(n, 64);
	key_prefix(a, prefix);
	assert_memory_equal(a, prefix, 11);
	assert_int_equal(strlen(prefix), 11);
}

static void
a_key_is_kept_as_its_sha256(void **state)
{
	char hash[KEY_HASH_SIZE];

	(void)state;
	key_hash("abc", hash); /* FIPS 180-2, B.1 */
	assert_string_equal(hash,
	    "ba7816bf8f01cfea414140de5dae2223"
	    "b00361a396177a9cb410ff61f20015ad");
}

static void
entries_are_read_as_they_were_written(void **state)
{
	static const char *const bad[] = { "", "key1 ", "key2 " SOME_ENTRY,
		"key1 " SOME_ENTRY, "key1 " SOME_ENTRY " 3",
		"key1 " SOME_ENTRY " 3 0", "key1 " SOME_ENTRY " 3 0 5x",
		"key1 " SOME_ENTRY " 3 0 5 6", "?0123456789abcdef" };
	struct reply rep = { .type = REPLY_STR,
		.str = span_of("key1 " SOME_ENTRY " 11 1 1795500000000000") };
	struct key_info key;
	char id[ID_TEXT_SIZE];

	(void)state;
	assert_true(key_cache_read(&rep, &key));
	id_format(&key.user_id, id);
	assert_string_equal(id, "019283a4-1234-7000-8000-0123456789ac");
	assert_int_equal(key.scopes, 11);
	assert_true(key.admin);
	assert_int_equal(key.expires_us, 1795500000000000);
	for (size_t i = 0; i < NELEM(bad); i++) {
		rep.str = span_of(bad[i]);
		assert_false(key_cache_read(&rep, &key));
	}
	rep = (struct reply){ .type = REPLY_NIL };
	assert_false(key_cache_read(&rep, &key));
	assert_false(key_cache_read(NULL, &key));
}

static void
scopes_have_names(void **state)
{
	char text[SCOPES_TEXT_SIZE];
	unsigned one;

	(void)state;
	for (one = 1; one <= SCOPE_ADMIN; one <<= 1)
		assert_int_equal(scope_parse(scope_name((enum scope)one)), one);
	assert_int_equal(scope_parse("tasks"), SCOPE_NONE);
	assert_int_equal(scope_parse("Admin"), SCOPE_NONE);
	assert_null(scope_name(SCOPE_NONE));
	scopes_format(SCOPE_ANY, text);
	assert_string_equal(text, "tasks:read, tasks:write, keys, admin");
	scopes_format(SCOPE_NONE, text);
	assert_string_equal(text, "");
}

static void
addresses_of_ipv6_count_by_64_bits(void **state)
{
	char a[LOCKOUT_PEER_SIZE], b[LOCKOUT_PEER_SIZE];

	(void)state;
	lockout_peer("192.0.2.7", a);
	assert_string_equal(a, "192.0.2.7");
	lockout_peer("2001:db8:1:2:3:4:5:6", a);
	lockout_peer("2001:db8:1:2:ffff::1", b);
	assert_string_equal(a, b);
	assert_string_equal(a, "2001:db8:1:2::/64");
	lockout_peer("2001:db8:1:3::1", b);
	assert_string_not_equal(a, b);
}

static void
replay(const char *path)
{
	static uint8_t data[65536];
	FILE *f = fopen(path, "rb");

	assert_non_null(f);
	LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof(data), f));
	fclose(f);
}

static void
the_corpus_holds(void **state)
{
	DIR *d = opendir(CORPUS);
	char path[512];
	struct dirent *e;
	int n = 0;

	(void)state;
	if (d == NULL)
		skip(); /* not run in the checkout */
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", e->d_name);
		replay(path);
		n++;
	}
	closedir(d);
	assert_true(n >= 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_kind_is_told),
		cmocka_unit_test(new_keys_are_keys_and_differ),
		cmocka_unit_test(a_key_is_kept_as_its_sha256),
		cmocka_unit_test(entries_are_read_as_they_were_written),
		cmocka_unit_test(scopes_have_names),
		cmocka_unit_test(addresses_of_ipv6_count_by_64_bits),
		cmocka_unit_test(the_corpus_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
