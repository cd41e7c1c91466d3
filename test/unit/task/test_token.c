/* Tokens: what we make is taken, and nothing else is. The library would take
 * most of what is refused here. */
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

#define SECRET "0123456789abcdef0123456789abcdef"
#define NOW 1795500000LL
#define TTL 3600
#define SKEW 60

static struct id user;

static int
make_user(void **state)
{
	(void)state;
	id_new(&user);
	return 0;
}

/* ---- keys ---- */

/* Of jwt_secret alone. */
static struct token_keys *
simple(const char *secret)
{
	struct conf conf = { .jwt_secret = (char *)(uintptr_t)secret };

	return token_keys_open(&conf);
}

static enum err
take(const char *secret, const char *token, int64_t now, struct caller *ret,
    struct fault *fault)
{
	struct token_keys *keys = simple(secret);
	enum err err = token_verify(keys, token, now, ret, fault);

	token_keys_close(keys);
	return err;
}

static char *
make(const char *secret, const struct id *who, const char *role, int64_t ttl)
{
	struct token_keys *keys = simple(secret);
	char *token = token_make(keys, who, role, NOW, ttl);

	token_keys_close(keys);
	assert_non_null(token);
	return token;
}

/* ---- tokens of others ---- */
struct claims {
	const char *sub, *role; /* NULL: none */
	long exp, nbf; /* 0: none */
	const char *json; /* more of them */
};

static char *
forge(jwt_alg_t alg, const char *key, const struct claims *c)
{
	char *text;
	jwt_t *jwt;

	assert_int_equal(jwt_new(&jwt), 0);
	if (c->json != NULL)
		assert_int_equal(jwt_add_grants_json(jwt, c->json), 0);
	if (c->sub != NULL)
		assert_int_equal(jwt_add_grant(jwt, "sub", c->sub), 0);
	if (c->role != NULL)
		assert_int_equal(jwt_add_grant(jwt, "role", c->role), 0);
	if (c->exp != 0)
		assert_int_equal(jwt_add_grant_int(jwt, "exp", c->exp), 0);
	if (c->nbf != 0)
		assert_int_equal(jwt_add_grant_int(jwt, "nbf", c->nbf), 0);
	assert_int_equal(jwt_set_alg(jwt, alg, (const unsigned char *)key,
			     key == NULL ? 0 : (int)strlen(key)),
	    0);
	text = jwt_encode_str(jwt);
	assert_non_null(text);
	jwt_free(jwt);
	return text;
}

static enum err
verify(const char *secret, const char *token, int64_t now)
{
	struct fault fault = { "", "", "" };
	struct caller caller;
	enum err err = take(secret, token, now, &caller, &fault);

	if (err != OK)
		assert_string_not_equal(fault.detail, "");
	return err;
}

/* Takes the token. */
static void
assert_refused(char *token)
{
	assert_int_equal(verify(SECRET, token, NOW), ERR_UNAUTHORIZED);
	free(token);
}

static const char *
user_text(void)
{
	static char text[ID_TEXT_SIZE];

	id_format(&user, text);
	return text;
}

/* ---- ours ---- */
static void
ours_is_taken(void **state)
{
	struct caller caller;
	struct fault fault;
	char *token;

	(void)state;
	token = make(SECRET, &user, "user", TTL);
	assert_true(strlen(token) < 512);
	assert_int_equal(take(SECRET, token, NOW, &caller, &fault), OK);
	assert_int_equal(id_cmp(&caller.user_id, &user), 0);
	assert_false(caller.admin);
	free(token);
	token = make(SECRET, &user, "admin", TTL);
	assert_int_equal(take(SECRET, token, NOW, &caller, &fault), OK);
	assert_true(caller.admin);
	free(token);
}

static void
it_expires(void **state)
{
	char *token = make(SECRET, &user, "user", TTL);

	(void)state;
	assert_int_equal(verify(SECRET, token, NOW + TTL), OK);
	assert_int_equal(verify(SECRET, token, NOW + TTL + SKEW), OK);
	assert_int_equal(
	    verify(SECRET, token, NOW + TTL + SKEW + 1), ERR_UNAUTHORIZED);
	free(token);
}

static void
of_another_secret(void **state)
{
	char *token = make(SECRET, &user, "user", TTL);

	(void)state;
	assert_int_equal(verify(SECRET "x", token, NOW), ERR_UNAUTHORIZED);
	free(token);
}

/* Each byte of it matters. The last letters of a part of base64 may have bits
 * that mean nothing, so another letter is taken only from far away. */
static void
tampered(void **state)
{
	char *token = make(SECRET, &user, "user", TTL);
	size_t i, n = strlen(token);
	char c;

	(void)state;
	for (i = 0; i < n; i++) {
		c = token[i];
		token[i] = c == '.' ? 'A' : c >= 'a' ? '0' : 'z';
		assert_int_equal(verify(SECRET, token, NOW), ERR_UNAUTHORIZED);
		token[i] = c;
	}
	for (i = 0; i < n; i++) {
		c = token[i];
		token[i] = '\0';
		assert_int_equal(verify(SECRET, token, NOW), ERR_UNAUTHORIZED);
		token[i] = c;
	}
	assert_int_equal(verify(SECRET, token, NOW), OK);
	free(token);
}

static void
no_token_at_all(void **state)
{
	static const char *const bad[] = { "", ".", "..", "...", "a.b.c",
		"\xff\xff", "{}", "e30.e30.", "e30.e30.e30", "bnVsbA.bnVsbA.",
		"eyJhbGciOiJIUzI1NiJ9..", "eyJhbGciOm51bGx9.e30.AAAA" };
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(bad); i++)
		assert_int_equal(verify(SECRET, bad[i], NOW), ERR_UNAUTHORIZED);
}

/* ---- algorithms ---- */
static void
without_signature(void **state)
{
	struct claims c = { .sub = user_text(), .exp = NOW + TTL };
	char *token = forge(JWT_ALG_NONE, NULL, &c);
	char *ours = make(SECRET, &user, "admin", TTL);

	(void)state;
	assert_refused(token);
	/* The signature of ours cut off, its dot left standing. */
	strrchr(ours, '.')[1] = '\0';
	assert_refused(ours);
}

static void
other_hmac(void **state)
{
	struct claims c = { .sub = user_text(), .exp = NOW + TTL };

	(void)state;
	assert_refused(forge(JWT_ALG_HS384, SECRET, &c));
	assert_refused(forge(JWT_ALG_HS512, SECRET, &c));
}

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

/* Even if the secret were a public key, and the signature were good. */
static void
rsa(void **state)
{
	struct claims c = { .sub = user_text(), .exp = NOW + TTL };
	EVP_PKEY *key = EVP_RSA_gen(2048);
	char *private = pem_of(key, true), *public = pem_of(key, false);
	char *token = forge(JWT_ALG_RS256, private, &c);

	(void)state;
	assert_int_equal(verify(public, token, NOW), ERR_UNAUTHORIZED);
	assert_int_equal(verify(SECRET, token, NOW), ERR_UNAUTHORIZED);
	free(token);
	free(private);
	free(public);
	EVP_PKEY_free(key);
}

/* ---- claims ---- */
static void
claims_that_are_missing_or_wrong(void **state)
{
	const char *sub = user_text();
	const struct claims bad[] = {
		{ .sub = sub }, /* no exp */
		{ .sub = sub, .exp = -1 },
		{ .sub = sub, .exp = 1000 },
		{ .sub = sub, .exp = NOW - SKEW - 1 },
		{ .sub = sub, .json = "{\"exp\":\"soon\"}" },
		{ .sub = sub, .json = "{\"exp\":1795503600.5}" },
		{ .sub = sub, .json = "{\"exp\":true}" },
		{ .sub = sub, .json = "{\"exp\":0}" },
		{ .sub = sub, .exp = NOW + TTL, .nbf = NOW + SKEW + 1 },
		{ .exp = NOW + TTL }, /* no sub */
		{ .sub = "", .exp = NOW + TTL },
		{ .sub = "root", .exp = NOW + TTL },
		{ .exp = NOW + TTL, .json = "{\"sub\":17}" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(bad); i++)
		assert_refused(forge(JWT_ALG_HS256, SECRET, &bad[i]));
}

static void
claims_that_are_good(void **state)
{
	const char *sub = user_text();
	const struct claims good[] = {
		{ .sub = sub, .exp = NOW + TTL }, /* no role: a user */
		{ .sub = sub, .exp = NOW - SKEW },
		{ .sub = sub, .exp = INT64_MAX },
		{ .sub = sub, .exp = NOW + TTL, .nbf = NOW + SKEW },
		{ .sub = sub, .exp = NOW + TTL, .json = "{\"role\":1}" },
		{ .sub = sub, .exp = NOW + TTL, .role = "administrator" },
	};
	struct caller caller;
	struct fault fault;
	char *token;
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(good); i++) {
		token = forge(JWT_ALG_HS256, SECRET, &good[i]);
		assert_int_equal(take(SECRET, token, NOW, &caller, &fault), OK);
		assert_false(caller.admin);
		free(token);
	}
}

/* ---- what is remembered ---- */
static void
a_token_is_remembered_and_its_times_are_not(void **state)
{
	struct claims c = { .sub = user_text(),
		.exp = NOW + TTL,
		.nbf = NOW,
		.role = "admin" };
	char *token = forge(JWT_ALG_HS256, SECRET, &c);
	struct token_keys *keys = simple(SECRET);
	struct caller caller;
	struct fault fault;
	char *end = token + strlen(token) - 1, last = *end;
	int64_t late = NOW + TTL + SKEW + 1;

	(void)state;
	for (int i = 0; i < 3; i++) {
		memset(&caller, 0, sizeof(caller));
		assert_int_equal(
		    token_verify(keys, token, NOW, &caller, &fault), OK);
		assert_int_equal(id_cmp(&caller.user_id, &user), 0);
		assert_true(caller.admin);
		/* One that is all but the same. */
		*end = last == 'A' ? 'E' : 'A';
		assert_int_equal(
		    token_verify(keys, token, NOW, &caller, &fault),
		    ERR_UNAUTHORIZED);
		*end = last;
	}
	assert_int_equal(
	    token_verify(keys, token, late, &caller, &fault), ERR_UNAUTHORIZED);
	assert_non_null(strstr(fault.detail, "expired"));
	assert_int_equal(
	    token_verify(keys, token, NOW - SKEW - 1, &caller, &fault),
	    ERR_UNAUTHORIZED);
	assert_non_null(strstr(fault.detail, "not valid yet"));
	token_keys_close(keys);
	free(token);
}

/* More than there are places: each is still told from the others. */
static void
many_tokens_share_the_cache(void **state)
{
	struct token_keys *keys = simple(SECRET);
	struct id ids[5000];
	struct caller caller;
	struct fault fault;
	char *tokens[5000];
	size_t i, round;

	(void)state;
	for (i = 0; i < NELEM(ids); i++) {
		id_new(&ids[i]);
		tokens[i] = token_make(keys, &ids[i], "user", NOW, TTL);
		assert_non_null(tokens[i]);
	}
	for (round = 0; round < 2; round++)
		for (i = 0; i < NELEM(ids); i++) {
			assert_int_equal(
			    token_verify(keys, tokens[i], NOW, &caller, &fault),
			    OK);
			assert_int_equal(id_cmp(&caller.user_id, &ids[i]), 0);
		}
	for (i = 0; i < NELEM(ids); i++)
		free(tokens[i]);
	token_keys_close(keys);
}

/* ---- size ---- */
static void
too_long(void **state)
{
	char *pad = malloc(TOKEN_MAX + 1), *json = malloc(TOKEN_MAX + 64);
	struct claims c = {
		.sub = user_text(), .exp = NOW + TTL, .json = json
	};

	(void)state;
	memset(pad, 'x', TOKEN_MAX);
	pad[TOKEN_MAX] = '\0';
	sprintf(json, "{\"pad\":\"%.2000s\"}", pad);
	free(pad);
	pad = forge(JWT_ALG_HS256, SECRET, &c);
	assert_true(strlen(pad) < TOKEN_MAX);
	assert_int_equal(verify(SECRET, pad, NOW), OK);
	free(pad);
	memset(json + 8, 'x', 4000);
	strcpy(json + 4008, "\"}");
	assert_refused(forge(JWT_ALG_HS256, SECRET, &c));
	free(json);
	/* The library would put it on its stack. */
	pad = malloc(9000001);
	memset(pad, 'a', 9000000);
	pad[100] = pad[200] = '.';
	pad[9000000] = '\0';
	assert_refused(pad);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ours_is_taken),
		cmocka_unit_test(it_expires),
		cmocka_unit_test(of_another_secret),
		cmocka_unit_test(tampered),
		cmocka_unit_test(no_token_at_all),
		cmocka_unit_test(without_signature),
		cmocka_unit_test(other_hmac),
		cmocka_unit_test(rsa),
		cmocka_unit_test(claims_that_are_missing_or_wrong),
		cmocka_unit_test(claims_that_are_good),
		cmocka_unit_test(a_token_is_remembered_and_its_times_are_not),
		cmocka_unit_test(many_tokens_share_the_cache),
		cmocka_unit_test(too_long),
	};

	return cmocka_run_group_tests(tests, make_user, NULL);
}
