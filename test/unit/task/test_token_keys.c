/*
 * Several keys: each token finds the one that it names, and no other; a public
 * key is never a secret; who is gone from the configuration is gone at once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jwt.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "task/token.h"

#define NOW 1795500000LL
#define EXP (NOW + 3600)
#define OLD "the old secret, of 32 bytes or so"
#define NEW "the new secret, of 32 bytes or so"
#define SIMPLE "the plain secret, of 32 bytes or so"
#define ISS "https://id.example.org"
#define AUD "taskflow"

static struct id user;
static char user_text[ID_TEXT_SIZE];
static char *rsa_private, *rsa_public, *ec_private, *ec_public;
static char *other_rsa_private, *other_ec_private;

static char *
pem_of(EVP_PKEY *key, bool private)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data, *text;
	long len;

	if (private)
		PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	else
		PEM_write_bio_PUBKEY(bio, key);
	len = BIO_get_mem_data(bio, &data);
	text = strndup(data, (size_t)len);
	BIO_free(bio);
	return text;
}

static void
key_pair(EVP_PKEY *key, char **private, char **public)
{
	assert_non_null(key);
	*private = pem_of(key, true);
	if (public != NULL)
		*public = pem_of(key, false);
	EVP_PKEY_free(key);
}

static int
set_up(void **state)
{
	(void)state;
	id_new(&user);
	id_format(&user, user_text);
	key_pair(EVP_RSA_gen(2048), &rsa_private, &rsa_public);
	key_pair(EVP_RSA_gen(2048), &other_rsa_private, NULL);
	key_pair(EVP_EC_gen("P-256"), &ec_private, &ec_public);
	key_pair(EVP_EC_gen("P-256"), &other_ec_private, NULL);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	free(rsa_private);
	free(rsa_public);
	free(ec_private);
	free(ec_public);
	free(other_rsa_private);
	free(other_ec_private);
	return 0;
}

/* ---- keys: jwt_secret, old, new (which signs), rs, es ---- */
static struct conf_jwt_key list[4];
static struct conf conf;

#define TEXT(s) ((char *)(uintptr_t)(s))

static struct token_keys *
open_keys(void)
{
	const struct conf_jwt_key hs = { .alg = TOKEN_HS256,
		.public_key = TEXT(""),
		.issuer = TEXT(""),
		.audience = TEXT(""),
		.user_claim = TEXT("sub") };
	char err[512];

	memset(&conf, 0, sizeof(conf));
	for (int i = 0; i < 4; i++) {
		list[i] = hs;
		list[i].next = i < 3 ? &list[i + 1] : NULL;
	}
	list[0].name = TEXT("old");
	list[0].secret = TEXT(OLD);
	list[1].name = TEXT("new");
	list[1].secret = TEXT(NEW);
	list[1].sign = true;
	for (int i = 2; i < 4; i++) {
		list[i].secret = TEXT("");
		list[i].issuer = TEXT(ISS);
		list[i].audience = TEXT(AUD);
	}
	list[2].name = TEXT("rs");
	list[2].alg = TOKEN_RS256;
	list[2].public_key = rsa_public;
	list[3].name = TEXT("es");
	list[3].alg = TOKEN_ES256;
	list[3].public_key = ec_public;
	list[3].user_claim = TEXT("taskflow_user");
	conf.jwt_secret = TEXT(SIMPLE);
	conf.jwt_keys = list;
	conf.listen = TEXT("127.0.0.1:1");
	conf.admin_listen = conf.tls_cert = conf.tls_key = TEXT("");
	if (!conf_check(&conf, ROLE_API, err, sizeof(err)))
		fail_msg("%s", err);
	return token_keys_open(&conf);
}

struct forged {
	jwt_alg_t alg;
	const char *key;
	const char *kid; /* NULL: none */
	const char *json; /* of the claims; %s is the user; NULL: good ones */
	const char *head; /* more of the head */
};

#define GOOD_HS "{\"sub\":\"%s\",\"exp\":1795503600,\"role\":\"admin\"}"
#define GOOD_RS                                                  \
	"{\"sub\":\"%s\",\"exp\":1795503600,\"iss\":\"" ISS "\"" \
	",\"aud\":\"" AUD "\",\"role\":\"admin\"}"
#define GOOD_ES                                                  \
	"{\"sub\":\"auth0|7\",\"taskflow_user\":\"%s\",\"exp\":" \
	"1795503600,\"iss\":\"" ISS "\",\"aud\":[\"a\",\"" AUD "\"]}"

static char *
forge(const struct forged *f)
{
	char claims[1024], *text;
	jwt_t *jwt;

	snprintf(claims, sizeof(claims), f->json, user_text);
	assert_int_equal(jwt_new(&jwt), 0);
	assert_int_equal(jwt_add_grants_json(jwt, claims), 0);
	if (f->kid != NULL)
		assert_int_equal(jwt_add_header(jwt, "kid", f->kid), 0);
	if (f->head != NULL)
		assert_int_equal(jwt_add_headers_json(jwt, f->head), 0);
	assert_int_equal(jwt_set_alg(jwt, f->alg, (const unsigned char *)f->key,
			     f->key == NULL ? 0 : (int)strlen(f->key)),
	    0);
	text = jwt_encode_str(jwt);
	assert_non_null(text);
	jwt_free(jwt);
	return text;
}

static enum err
verify(struct token_keys *keys, const char *token, struct caller *ret)
{
	struct fault fault = { "", "", "" };
	enum err err = token_verify(keys, token, NOW, ret, &fault);

	assert_true(err == OK || err == ERR_UNAUTHORIZED);
	assert_true((err == OK) == (fault.detail[0] == '\0'));
	return err;
}

/* ---- what is taken ---- */
static void
each_key_takes_its_own(void **state)
{
	const struct {
		struct forged f;
		bool admin;
	} good[] = {
		{ { JWT_ALG_HS256, SIMPLE, NULL, GOOD_HS, NULL }, true },
		{ { JWT_ALG_HS256, OLD, "old", GOOD_HS, NULL }, true },
		{ { JWT_ALG_HS256, NEW, "new", GOOD_HS, NULL }, true },
		/* Whatever somebody else says, it makes no administrator. */
		{ { JWT_ALG_RS256, rsa_private, "rs", GOOD_RS, NULL }, false },
		{ { JWT_ALG_ES256, ec_private, "es", GOOD_ES, NULL }, false },
	};
	struct token_keys *keys = open_keys();
	struct caller caller;
	char *token;

	(void)state;
	for (size_t i = 0; i < NELEM(good); i++) {
		token = forge(&good[i].f);
		for (int again = 0; again < 2; again++) {
			memset(&caller, 0, sizeof(caller));
			if (verify(keys, token, &caller) != OK)
				fail_msg("token %zu is refused", i);
			assert_int_equal(id_cmp(&caller.user_id, &user), 0);
			assert_int_equal(caller.admin, good[i].admin);
		}
		free(token);
	}
	token_keys_close(keys);
}

static void
the_key_that_signs_is_named(void **state)
{
	struct token_keys *keys = open_keys();
	struct caller caller;
	char *token = token_make(keys, &user, "user", NOW, 3600);
	jwt_t *jwt;

	(void)state;
	assert_int_equal(verify(keys, token, &caller), OK);
	assert_int_equal(jwt_decode(&jwt, token, (const unsigned char *)NEW,
			     (int)strlen(NEW)),
	    0);
	assert_string_equal(jwt_get_header(jwt, "kid"), "new");
	jwt_free(jwt);
	free(token);
	/* One with parties of its own puts them in, and looks for them. */
	token_keys_close(keys);
	list[1].issuer = TEXT(ISS);
	list[1].audience = TEXT(AUD);
	keys = token_keys_open(&conf);
	token = token_make(keys, &user, "user", NOW, 3600);
	assert_int_equal(verify(keys, token, &caller), OK);
	free(token);
	token =
	    forge(&(struct forged){ JWT_ALG_HS256, NEW, "new", GOOD_HS, NULL });
	assert_int_equal(verify(keys, token, &caller), ERR_UNAUTHORIZED);
	free(token);
	token_keys_close(keys);
}

/* ---- every confusion ---- */
static void
keys_and_algorithms_do_not_mix(void **state)
{
	static const char *const kids[] = { NULL, "old", "new", "rs", "es",
		"other", "" };
	const struct {
		jwt_alg_t alg;
		const char *key;
		const char *of; /* the kid with which it would be good */
	} ways[] = {
		{ JWT_ALG_HS256, SIMPLE, NULL },
		{ JWT_ALG_HS256, OLD, "old" },
		{ JWT_ALG_HS256, NEW, "new" },
		{ JWT_ALG_RS256, rsa_private, "rs" },
		{ JWT_ALG_ES256, ec_private, "es" },
		/* never good */
		{ JWT_ALG_HS256, rsa_public, "-" },
		{ JWT_ALG_HS256, ec_public, "-" },
		{ JWT_ALG_HS384, OLD, "-" },
		{ JWT_ALG_HS512, OLD, "-" },
		{ JWT_ALG_HS512, rsa_public, "-" },
		{ JWT_ALG_RS384, rsa_private, "-" },
		{ JWT_ALG_RS512, rsa_private, "-" },
		{ JWT_ALG_RS256, other_rsa_private, "-" },
		{ JWT_ALG_ES256, other_ec_private, "-" },
		{ JWT_ALG_NONE, NULL, "-" },
	};
	struct token_keys *keys = open_keys();
	size_t tried = 0, taken = 0;
	struct caller caller;
	bool should, did;
	char *token;

	(void)state;
	for (size_t i = 0; i < NELEM(ways); i++)
		for (size_t k = 0; k < NELEM(kids); k++) {
			token = forge(
			    &(struct forged){ ways[i].alg, ways[i].key, kids[k],
				/* Good for whatever key it may be. */
				"{\"sub\":\"%1$s\",\"taskflow_user\":\"%1$s\","
				"\"exp\":1795503600,\"iss\":\"" ISS
				"\",\"aud\":\"" AUD "\"}",
				NULL });
			should = ways[i].of == NULL ? kids[k] == NULL
						    : kids[k] != NULL &&
				strcmp(kids[k], ways[i].of) == 0;
			did = verify(keys, token, &caller) == OK;
			if (did != should)
				fail_msg("way %zu, kid %s: %d", i,
				    kids[k] ? kids[k] : "(none)", did);
			free(token);
			taken += did;
			tried++;
		}
	assert_int_equal(tried, 105);
	assert_int_equal(taken, 5);
	token_keys_close(keys);
}

static void
heads_that_are_refused(void **state)
{
	static const char *const heads[] = {
		"{\"kid\":7}",
		"{\"kid\":null}",
		"{\"kid\":[\"old\"]}",
		"{\"kid\":{\"old\":1}}",
		"{\"crit\":[\"exp\"]}",
		"{\"crit\":\"\"}",
	};
	struct token_keys *keys = open_keys();
	struct caller caller;
	char *token;

	(void)state;
	for (size_t i = 0; i < NELEM(heads); i++) {
		token = forge(&(struct forged){
		    JWT_ALG_HS256, SIMPLE, NULL, GOOD_HS, heads[i] });
		if (verify(keys, token, &caller) == OK)
			fail_msg("taken: %s", heads[i]);
		free(token);
	}
	token_keys_close(keys);
}

/* ---- claims of others ---- */
#define CLAIMS(rest) "{\"sub\":\"%s\"," rest "}"
#define ISS_IS(v) "\"iss\":" v ","
#define AUD_IS(v) "\"aud\":" v ","
#define LATER "\"exp\":1795503600"

static void
parties_must_be_right(void **state)
{
	static const struct {
		const char *json;
		bool good;
	} rows[] = {
		{ CLAIMS(ISS_IS("\"" ISS "\"") AUD_IS("\"" AUD "\"") LATER),
		    true },
		{ CLAIMS(ISS_IS("\"" ISS "\"") AUD_IS("[\"" AUD "\"]") LATER),
		    true },
		{ CLAIMS(ISS_IS("\"" ISS "\"") AUD_IS("[\"x\",7,\"" AUD "\"]")
			  LATER),
		    true },
		{ CLAIMS(AUD_IS("\"" AUD "\"") LATER), false },
		{ CLAIMS(ISS_IS("\"" ISS "\"") LATER), false },
		{ CLAIMS(ISS_IS("\"" ISS "/\"") AUD_IS("\"" AUD "\"") LATER),
		    false },
		{ CLAIMS(ISS_IS("[\"" ISS "\"]") AUD_IS("\"" AUD "\"") LATER),
		    false },
		{ CLAIMS(ISS_IS("null") AUD_IS("\"" AUD "\"") LATER), false },
		{ CLAIMS(ISS_IS("\"" ISS "\"") AUD_IS("\"\"") LATER), false },
		{ CLAIMS(ISS_IS("\"" ISS "\"") AUD_IS("[]") LATER), false },
		{ CLAIMS(ISS_IS("\"" ISS "\"") AUD_IS("[[\"" AUD "\"]]") LATER),
		    false },
		{ CLAIMS(ISS_IS("\"" ISS "\"") AUD_IS("{\"" AUD "\":1}") LATER),
		    false },
		{ CLAIMS(ISS_IS("\"" ISS "\"") AUD_IS("\"" AUD "s\"") LATER),
		    false },
		/* exp is required, and is a time */
		{ CLAIMS(ISS_IS("\"" ISS "\"") AUD_IS("\"" AUD "\"") "\"x\":1"),
		    false },
		{ CLAIMS(ISS_IS("\"" ISS "\"")
			  AUD_IS("\"" AUD "\"") "\"exp\":1795499939"),
		    false },
		{ CLAIMS(ISS_IS("\"" ISS "\"")
			  AUD_IS("\"" AUD "\"") "\"exp\":1795499940"),
		    true },
		{ CLAIMS(ISS_IS("\"" ISS "\"") AUD_IS("\"" AUD "\"") LATER
		      ",\"nbf\":1795500061"),
		    false },
		{ CLAIMS(ISS_IS("\"" ISS "\"") AUD_IS("\"" AUD "\"") LATER
		      ",\"nbf\":1795500060"),
		    true },
	};
	struct token_keys *keys = open_keys();
	struct caller caller;
	char *token;

	(void)state;
	for (size_t i = 0; i < NELEM(rows); i++) {
		token = forge(&(struct forged){
		    JWT_ALG_RS256, rsa_private, "rs", rows[i].json, NULL });
		if ((verify(keys, token, &caller) == OK) != rows[i].good)
			fail_msg("row %zu: %s", i, rows[i].json);
		free(token);
	}
	/* The claim that names the user is the one of the key: not sub. */
	token = forge(
	    &(struct forged){ JWT_ALG_ES256, ec_private, "es", GOOD_RS, NULL });
	assert_int_equal(verify(keys, token, &caller), ERR_UNAUTHORIZED);
	free(token);
	token_keys_close(keys);
}

/* ---- rotation ---- */
static void
nobody_is_logged_out_and_what_is_gone_is_gone(void **state)
{
	struct token_keys *keys = open_keys();
	struct caller caller;
	char *by_new, *by_old, *by_simple;

	(void)state;
	by_new = token_make(keys, &user, "user", NOW, 3600);
	by_old =
	    forge(&(struct forged){ JWT_ALG_HS256, OLD, "old", GOOD_HS, NULL });
	by_simple = forge(
	    &(struct forged){ JWT_ALG_HS256, SIMPLE, NULL, GOOD_HS, NULL });
	for (int i = 0; i < 2; i++) { /* and from the cache */
		assert_int_equal(verify(keys, by_new, &caller), OK);
		assert_int_equal(verify(keys, by_old, &caller), OK);
		assert_int_equal(verify(keys, by_simple, &caller), OK);
	}
	token_keys_close(keys);
	/* Without the old one, and without the simple one. */
	conf.jwt_keys = &list[1];
	conf.jwt_secret = TEXT("");
	keys = token_keys_open(&conf);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(verify(keys, by_new, &caller), OK);
		assert_int_equal(
		    verify(keys, by_old, &caller), ERR_UNAUTHORIZED);
		assert_int_equal(
		    verify(keys, by_simple, &caller), ERR_UNAUTHORIZED);
	}
	token_keys_close(keys);
	/* The same name, another secret. */
	list[1].secret = TEXT(OLD);
	keys = token_keys_open(&conf);
	assert_int_equal(verify(keys, by_new, &caller), ERR_UNAUTHORIZED);
	token_keys_close(keys);
	free(by_new);
	free(by_old);
	free(by_simple);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_takes_its_own),
		cmocka_unit_test(the_key_that_signs_is_named),
		cmocka_unit_test(keys_and_algorithms_do_not_mix),
		cmocka_unit_test(heads_that_are_refused),
		cmocka_unit_test(parties_must_be_right),
		cmocka_unit_test(nobody_is_logged_out_and_what_is_gone_is_gone),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
