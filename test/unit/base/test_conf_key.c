/* Sections [jwt_key NAME]: what they hold, and what does not go together. */
#include "conf_help.h"

#define HS "secret = 0123456789abcdef0123456789abcdef\n"
#define RSA_PEM                                                              \
	"-----BEGIN PUBLIC KEY-----\n"                                       \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAqSHUz+EMLZKprEg/oHwT\n" \
	"pSkzew1PA6+2/ZeBhLbIwP7cpXLpSnnsindERfLQNET9HFuDSehHywabOZjs2rYe\n" \
	"W9DeZSEMT+uwFBRJW+LhORPZYu0i1wXD8JH1n9MZeAUA/ZhjpGvGsywDsmP72iXq\n" \
	"vOnEeJ6/EAXGDJHTCAPBqrFGBfkssyL4+Yhk6z7XUvr5UWg9MhQQGwt3d4QaCYwK\n" \
	"XawlqP0O2POWuGs2AoM6vIIheKZQnrcPKqVc0odyMGrvB20vtNRYQSJuMzER7Isn\n" \
	"OWYxMnsr4CSRJmDq2fEb7uf+GRi17px4J9TtN1r8sXZIzcT/b6pPOLU+aAf1YGpa\n" \
	"JwIDAQAB\n"                                                         \
	"-----END PUBLIC KEY-----\n"
#define EC_PEM                                                               \
	"-----BEGIN PUBLIC KEY-----\n"                                       \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEkf5lwGnvYrP1wsYBFllFGI+4NgiW\n" \
	"rUbfJgmyeSafn4S+FzUkY098S3eTcwXrpoRpc0zmtq7NnDMNnpSDjPMiRA==\n"     \
	"-----END PUBLIC KEY-----\n"
#define SMALL_PEM                                                            \
	"-----BEGIN PUBLIC KEY-----\n"                                       \
	"MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQClpE94FKe5lBMbJnMp4mlhxdKr\n" \
	"Zxgj3iLJ4r5FYKbiJ4kwNfVBBCiFJIsYTULR2mLPZoaLvh5IsQJCrpnsVk4Bg0UI\n" \
	"C83hvXP+O5RJlthqBkbPHKxuox3P5SAw/96RwJrwXKdpsZbzt9addWblYmPZRV3w\n" \
	"lS3YaIhqG4mNImgM3wIDAQAB\n"                                         \
	"-----END PUBLIC KEY-----\n"
#define P384_PEM                                                             \
	"-----BEGIN PUBLIC KEY-----\n"                                       \
	"MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE7CejVd8EZwhJjUpLZEAo+GfPvdO/xTh6\n" \
	"Z7VWe9+aFbwZ0GoNTRo4JUBVZ6cto14JLrPymeDyV2qBbqGZ2u2/6U3SJoW/Tujs\n" \
	"1Ps6/31mCFkHC+TtXy787Twq5RO6xWlx\n"                                 \
	"-----END PUBLIC KEY-----\n"
#define PARTIES "issuer = https://i\naudience = a\n"

static bool
check(void)
{
	err[0] = '\0';
	return conf_check(&conf, ROLE_API, err, sizeof(err));
}

static void
sections_are_keys(void **state)
{
	const struct conf_jwt_key *k;

	(void)state;
	file("rsa.pem", RSA_PEM);
	assert_true(load_text(
	    "[jwt_key a]\nsign = yes\n" HS "[handler h]\ncommand = /a\n"
	    "[jwt_key idp.2027]\nalg = RS256\n"
	    "public_key_file = rsa.pem\n" PARTIES
	    "user_claim = uid\n[taskflowd]\n"
	    "jwt_ttl = 2h\n"));
	k = conf.jwt_keys;
	assert_string_equal(k->name, "a");
	assert_int_equal(k->alg, TOKEN_HS256);
	assert_true(k->sign);
	assert_string_equal(k->user_claim, "sub");
	assert_string_equal(k->issuer, "");
	k = k->next;
	assert_string_equal(k->name, "idp.2027");
	assert_int_equal(k->alg, TOKEN_RS256);
	assert_int_equal(strncmp(k->public_key, RSA_PEM, 100), 0);
	assert_string_equal(k->audience, "a");
	assert_string_equal(k->user_claim, "uid");
	assert_false(k->sign);
	assert_null(k->next);
	/* No jwt_secret is needed: one signs. */
	assert_true(check());
	conf_free(&conf);
}

static void
sections_that_are_refused(void **state)
{
	(void)state;
	REFUSED(load_text("[jwt_key]\n" HS), "[jwt_key", "[jwt_key NAME]");
	REFUSED(load_text("[jwt_key a b]\n" HS), "\"a b\"", "letters");
	REFUSED(load_text("[jwt_key a]\n" HS "[jwt_key a]\n" HS), "[jwt_key a]",
	    "already");
	REFUSED(load_text("[jwt_key a]\nsecrt = x\n"), "\"secrt\"",
	    "[jwt_key a]", "nearest is secret");
	REFUSED(load_text("[jwt_key a]\nalg = none\n"), "alg", "\"none\"",
	    "HS256, RS256 or ES256");
	REFUSED(load_text("[jwt_key a]\nalg = HS512\n"), "\"HS512\"");
	REFUSED(load_text("[jwt_key a]\njwt_ttl = 1h\n"), "jwt_ttl", "jwt_key",
	    "[taskflowd]");
	REFUSED(load_text("[jwt_key a]\ninclude = x\n"), "include", "jwt_key");
	REFUSED(load_text("[jwt_key a]\n" HS HS), "secret", "already");
	REFUSED(load_text("[jwt_key a]\npublic_key_file = nowhere\n"),
	    "nowhere", "No such file");
}

/* clang-format off */
static const struct {
	const char *text;
	const char *says[3];
} rows[] = {
	{ "[jwt_key a]\n" HS, { "jwt_secret", "sign = yes" } },
	{ "[jwt_key a]\nsign = yes\n", { "[jwt_key a]", "0 bytes" } },
	{ "[jwt_key a]\nsign = yes\nsecret = short\n",
	    { "[jwt_key a]", "\"***\"", "5 bytes" } },
	{ "[jwt_key a]\nsign = yes\n" HS "[jwt_key b]\nsign = yes\n" HS,
	    { "[jwt_key a]", "[jwt_key b]", "one that signs" } },
	{ "[jwt_key a]\n" HS "public_key_file = rsa.pem\n",
	    { "[jwt_key a]", "HS256", "public_key" } },
	{ "[jwt_key a]\nalg = RS256\npublic_key_file = rsa.pem\n" HS
		PARTIES,
	    { "[jwt_key a]", "a secret" } },
	{ "[jwt_key a]\nalg = RS256\npublic_key_file = rsa.pem\n"
	  "sign = yes\n" PARTIES,
	    { "[jwt_key a]", "sign = yes" } },
	{ "[jwt_key a]\nalg = RS256\npublic_key_file = rsa.pem\n"
	  "audience = a\n",
	    { "[jwt_key a]", "no issuer" } },
	{ "[jwt_key a]\nalg = ES256\npublic_key_file = ec.pem\n"
	  "issuer = i\n",
	    { "[jwt_key a]", "no audience" } },
	{ "[jwt_key a]\nalg = RS256\n" PARTIES,
	    { "public_key", "[jwt_key a]", "PEM" } },
	{ "[jwt_key a]\nalg = RS256\npublic_key = x\n" PARTIES,
	    { "public_key", "RSA" } },
	{ "[jwt_key a]\nalg = RS256\npublic_key_file = ec.pem\n"
	  PARTIES,
	    { "public_key", "RSA" } },
	{ "[jwt_key a]\nalg = RS256\npublic_key_file = small.pem\n"
	  PARTIES,
	    { "public_key", "2048" } },
	{ "[jwt_key a]\nalg = ES256\npublic_key_file = rsa.pem\n"
	  PARTIES,
	    { "public_key", "P-256" } },
	{ "[jwt_key a]\nalg = ES256\npublic_key_file = p384.pem\n"
	  PARTIES,
	    { "public_key", "P-256" } },
};
/* clang-format on */

static void
keys_that_do_not_go_together(void **state)
{
	(void)state;
	file("rsa.pem", RSA_PEM);
	file("ec.pem", EC_PEM);
	file("small.pem", SMALL_PEM);
	file("p384.pem", P384_PEM);
	for (size_t i = 0; i < NELEM(rows); i++) {
		if (!load_text(rows[i].text))
			fail_msg("row %zu: %s", i, err);
		if (check())
			fail_msg("row %zu is accepted", i);
		for (int j = 0; j < 3 && rows[i].says[j] != NULL; j++)
			if (strstr(err, rows[i].says[j]) == NULL)
				fail_msg("row %zu: no %s in: %s", i,
				    rows[i].says[j], err);
		conf_free(&conf);
	}
	/* The same with what was missing. */
	assert_true(load_text("jwt_secret = 0123456789abcdef0123456789abcdef\n"
			      "[jwt_key a]\nalg = ES256\n"
			      "public_key_file = ec.pem\n" PARTIES));
	assert_true(check());
	conf_free(&conf);
}

static void
tls_needs_both(void **state)
{
	(void)state;
	file("a.pem", "PEM\nof two lines\n");
	assert_true(
	    load_text("tls_cert_file = a.pem\n[jwt_key a]\nsign = yes\n" HS));
	assert_string_equal(conf.tls_cert, "PEM\nof two lines");
	REFUSED(check(), "tls_key is not set", "tls_cert", "both");
	conf_free(&conf);
	assert_true(
	    load_text("tls_key_file = a.pem\n[jwt_key a]\nsign = yes\n" HS));
	REFUSED(check(), "tls_cert is not set", "both");
	conf_free(&conf);
}

static void
reload_swaps_the_keys(void **state)
{
	struct conf running;
	char stuck[64];

	(void)state;
	assert_true(load_text("[jwt_key a]\n" HS));
	running = conf;
	assert_true(load_text("[jwt_key b]\n" HS "[jwt_key c]\n" HS));
	conf_reload(&running, &conf, stuck, sizeof(stuck));
	assert_string_equal(stuck, "");
	assert_string_equal(running.jwt_keys->name, "b");
	assert_string_equal(conf.jwt_keys->name, "a");
	conf_free(&conf);
	assert_string_equal(running.jwt_keys->next->name, "c");
	conf_free(&running);
}

/* What is printed can be read, and no secret is in it. */
static void
the_dump_masks(void **state)
{
	char text[32768] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	(void)state;
	assert_true(load_text("[jwt_key a]\nsign = yes\n" HS));
	conf_dump(&conf, out);
	fclose(out);
	assert_non_null(
	    strstr(text, "\n[jwt_key a]\nalg = HS256\nsecret = ***\n"));
	assert_non_null(strstr(text, "\nsign = yes\n"));
	assert_null(strstr(text, "0123456789abcdef"));
	conf_free(&conf);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CONF_TEST(sections_are_keys),
		CONF_TEST(sections_that_are_refused),
		CONF_TEST(keys_that_do_not_go_together),
		CONF_TEST(tls_needs_both),
		CONF_TEST(reload_swaps_the_keys),
		CONF_TEST(the_dump_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
