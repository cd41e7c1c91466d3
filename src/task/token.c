/*
 * Who is asking: JSON Web Tokens (RFC 7519, RFC 8725), by libjwt. The library
 * verifies a signature and nothing else: without a key it accepts anything, it
 * takes the algorithm from the token, it ignores exp, and a token of megabytes
 * overruns its stack. So all of that is checked here.
 */
#include <assert.h>
#include <errno.h>
#include <jwt.h>
#include <stdlib.h>

#include "base/crypt.h"
#include "base/jsn.h"
#include "task/token.h"

#define SKEW_S 60
#define SECRET_MIN 32
/* Tokens that are remembered, and the longest of them. */
#define CACHE_SLOTS 2048
#define CACHE_TOKEN_MAX 2048
#define AUDIENCES_MAX 64

struct token_key {
	char *kid; /* NULL: of tokens without one */
	jwt_alg_t alg; /* and no other */
	char *key; /* the secret, or PEM */
	char *issuer, *audience; /* "": not looked at */
	char *user_claim;
	bool ours; /* its tokens may make an administrator */
};

/* What a token with a good signature says. */
struct claims {
	struct caller caller;
	int64_t exp, nbf;
};

struct token_keys {
	struct token_key *keys;
	size_t n;
	const struct token_key *signs;
	struct slot {
		char *token; /* NULL: free */
		size_t len;
		struct claims claims;
	} slots[CACHE_SLOTS];
};

/* ---- keys ---- */
static const jwt_alg_t alg_of[] = {
	[TOKEN_HS256] = JWT_ALG_HS256,
	[TOKEN_RS256] = JWT_ALG_RS256,
	[TOKEN_ES256] = JWT_ALG_ES256,
};

static struct token_key
simple_key(const char *secret)
{
	return (struct token_key){ .alg = JWT_ALG_HS256,
		.key = xstrdup(secret),
		.issuer = xstrdup(""),
		.audience = xstrdup(""),
		.user_claim = xstrdup("sub"),
		.ours = true };
}

static struct token_key
key_of(const struct conf_jwt_key *k)
{
	bool ours = k->alg == TOKEN_HS256;

	return (struct token_key){ .kid = xstrdup(k->name),
		.alg = alg_of[k->alg],
		.key = xstrdup(ours ? k->secret : k->public_key),
		.issuer = xstrdup(k->issuer),
		.audience = xstrdup(k->audience),
		.user_claim = xstrdup(k->user_claim),
		.ours = ours };
}

struct token_keys *
token_keys_open(const struct conf *conf)
{
	struct token_keys *keys = xcalloc(1, sizeof(*keys));
	const struct conf_jwt_key *k;
	size_t n = 1;

	for (k = conf->jwt_keys; k != NULL; k = k->next)
		n++;
	keys->keys = xcalloc(n, sizeof(*keys->keys));
	if (conf->jwt_secret[0] != '\0') {
		keys->keys[keys->n++] = simple_key(conf->jwt_secret);
		keys->signs = &keys->keys[0];
	}
	for (k = conf->jwt_keys; k != NULL; k = k->next) {
		if (k->sign)
			keys->signs = &keys->keys[keys->n];
		keys->keys[keys->n++] = key_of(k);
	}
	/* The library takes anything for good if there is no key. */
	for (n = 0; n < keys->n; n++)
		assert(strlen(keys->keys[n].key) >= SECRET_MIN);
	assert(keys->signs != NULL && keys->signs->ours);
	return keys;
}

void
token_keys_close(struct token_keys *keys)
{
	size_t i;

	if (keys == NULL)
		return;
	for (i = 0; i < CACHE_SLOTS; i++)
		free(keys->slots[i].token);
	for (i = 0; i < keys->n; i++) {
		free(keys->keys[i].kid);
		free(keys->keys[i].key);
		free(keys->keys[i].issuer);
		free(keys->keys[i].audience);
		free(keys->keys[i].user_claim);
	}
	free(keys->keys);
	free(keys);
}

/* By HMAC, of which nobody finds the key or the other ones that it makes. */
void
token_derive(const struct token_keys *keys, const char *what, uint8_t ret[32])
{
	const char *key = keys->signs->key;

	crypt_hmac_sha256(key, strlen(key), what, strlen(what), ret);
}

static const struct token_key *
find_key(const struct token_keys *keys, const char *kid)
{
	const struct token_key *k;

	for (k = keys->keys; k < keys->keys + keys->n; k++)
		if (kid == NULL ? k->kid == NULL
				: k->kid != NULL && strcmp(k->kid, kid) == 0)
			return k;
	return NULL;
}

/* ---- making one ---- */
static bool
add_claims(
    jwt_t *jwt, const struct token_key *k, const char *sub, const char *role)
{
	if (k->kid != NULL && jwt_add_header(jwt, "kid", k->kid) != 0)
		return false;
	if (k->issuer[0] != '\0' && jwt_add_grant(jwt, "iss", k->issuer) != 0)
		return false;
	if (k->audience[0] != '\0' &&
	    jwt_add_grant(jwt, "aud", k->audience) != 0)
		return false;
	return jwt_add_grant(jwt, k->user_claim, sub) == 0 &&
	    jwt_add_grant(jwt, "role", role) == 0;
}

char *
token_make(const struct token_keys *keys, const struct id *user,
    const char *role, int64_t now_s, int64_t ttl_s)
{
	const struct token_key *k = keys->signs;
	char sub[ID_TEXT_SIZE];
	char *text = NULL;
	jwt_t *jwt = NULL;

	id_format(user, sub);
	if (jwt_new(&jwt) == 0 && add_claims(jwt, k, sub, role) &&
	    jwt_add_grant_int(jwt, "iat", now_s) == 0 &&
	    jwt_add_grant_int(jwt, "exp", now_s + ttl_s) == 0 &&
	    jwt_set_alg(jwt, k->alg, (const unsigned char *)k->key,
		(int)strlen(k->key)) == 0)
		text = jwt_encode_str(jwt);
	jwt_free(jwt);
	return text;
}

/* ---- reading one ---- */
static enum err
refuse(struct fault *fault, const char *why)
{
	return fault_set(fault, ERR_UNAUTHORIZED, "", "%s", why);
}

/* 0 is no time: the library says 0 for a member of another type. */
static int64_t
time_claim(jwt_t *jwt, const char *name)
{
	long v;

	errno = 0;
	v = jwt_get_grant_int(jwt, name);
	return errno != 0 || v < 0 ? 0 : v;
}

static enum err
check_times(const struct claims *c, int64_t now_s, struct fault *fault)
{
	if (c->exp < now_s - SKEW_S)
		return refuse(fault, "the token has expired: log in again");
	if (c->nbf > now_s + SKEW_S)
		return refuse(fault, "the token is not valid yet");
	return OK;
}

/* RFC 7519, 4.1.3: one text, or an array of them. */
static bool
is_for(jwt_t *jwt, const char *audience)
{
	const char *one = jwt_get_grant(jwt, "aud");
	char *all = one == NULL ? jwt_get_grants_json(jwt, "aud") : NULL, *text;
	struct jsn_value *v;
	struct fault fault;
	struct arena arena;
	size_t n = 0, len;
	bool found = one != NULL && strcmp(one, audience) == 0;

	if (all == NULL)
		return found;
	arena_init(&arena);
	if (jsn_array(span_of(all), &arena, AUDIENCES_MAX, &v, &n, &fault) !=
	    OK)
		n = 0;
	for (size_t i = 0; i < n && !found; i++)
		found = jsn_get_str(&v[i], &arena, TOKEN_MAX, &text, &len) &&
		    strcmp(text, audience) == 0;
	arena_fini(&arena);
	free(all);
	return found;
}

static enum err
check_parties(jwt_t *jwt, const struct token_key *k, struct fault *fault)
{
	const char *issuer = jwt_get_grant(jwt, "iss");

	if (k->issuer[0] != '\0' &&
	    (issuer == NULL || strcmp(issuer, k->issuer) != 0))
		return refuse(fault, "the token is not of our issuer (iss)");
	if (k->audience[0] != '\0' && !is_for(jwt, k->audience))
		return refuse(fault, "the token is not for us (aud)");
	return OK;
}

static enum err
read_claims(jwt_t *jwt, const struct token_key *k, struct claims *ret,
    struct fault *fault)
{
	const char *sub = jwt_get_grant(jwt, k->user_claim);
	const char *role = k->ours ? jwt_get_grant(jwt, "role") : NULL;

	ret->exp = time_claim(jwt, "exp");
	ret->nbf = time_claim(jwt, "nbf");
	if (ret->exp == 0)
		return refuse(fault, "the token has no expiry time (exp)");
	if (sub == NULL || !id_parse(sub, strlen(sub), &ret->caller.user_id))
		return fault_set(fault, ERR_UNAUTHORIZED, "",
		    "the token names no user (%s)", k->user_claim);
	ret->caller.admin = role != NULL && strcmp(role, "admin") == 0;
	ret->caller.issued_s = time_claim(jwt, "iat");
	return check_parties(jwt, k, fault);
}

/* Three parts of base64url (RFC 7515, section 3.1), none empty: the library
 * writes past its buffer for a part that holds nothing. */
static bool
is_compact(const char *token)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "abcdefghijklmnopqrstuvwxyz"
				      "0123456789-_";
	size_t n;
	int part;

	for (part = 0; part < 3; part++) {
		n = strspn(token, letters);
		if (n < 2 || n % 4 == 1)
			return false;
		token += n;
		if (part < 2 && *token++ != '.')
			return false;
	}
	return *token == '\0';
}

/* What the head says, not verified: which key it wants. RFC 7515, 4.1.11: who
 * does not know what is critical must refuse. */
static enum err
choose_key(const struct token_keys *keys, const char *token,
    const struct token_key **ret, struct fault *fault)
{
	enum err err = OK;
	jwt_t *jwt = NULL;
	const char *alg;
	char *kid, *crit;

	if (jwt_decode(&jwt, token, NULL, 0) != 0)
		return refuse(fault, "the token is not valid");
	crit = jwt_get_headers_json(jwt, "crit");
	kid = jwt_get_headers_json(jwt, "kid");
	*ret = find_key(keys, jwt_get_header(jwt, "kid"));
	alg = jwt_get_header(jwt, "alg");
	if (crit != NULL)
		err = refuse(fault, "the token has a header crit");
	else if (*ret == NULL || (kid != NULL && (*ret)->kid == NULL))
		err = refuse(fault, "the token's key (kid) is not known here");
	else if (alg == NULL || strcmp(alg, jwt_alg_str((*ret)->alg)) != 0)
		err = refuse(
		    fault, "the token's algorithm is not the one of its key");
	free(kid);
	free(crit);
	jwt_free(jwt);
	return err;
}

static enum err
read_token(const struct token_keys *keys, const char *token, struct claims *ret,
    struct fault *fault)
{
	const struct token_key *k = NULL;
	jwt_t *jwt = NULL;
	enum err err;

	if (strlen(token) > TOKEN_MAX)
		return refuse(fault, "the token is longer than 4096 bytes");
	if (!is_compact(token))
		return refuse(fault, "the token is not a JSON Web Token");
	err = choose_key(keys, token, &k, fault);
	if (err != OK)
		return err;
	if (jwt_decode(&jwt, token, (const unsigned char *)k->key,
		(int)strlen(k->key)) != 0)
		return refuse(fault, "the token is not valid");
	if (jwt_get_alg(jwt) == k->alg)
		err = read_claims(jwt, k, ret, fault);
	else
		err = refuse(fault, "the token is not valid");
	jwt_free(jwt);
	return err;
}

/* ---- the cache ---- */
/* A token ends with its signature, which is as good as random. */
static struct slot *
slot_of(struct token_keys *keys, const char *token, size_t len)
{
	uint32_t end;

	memcpy(&end, token + len - 8, sizeof(end));
	return &keys->slots[end * 2654435761U >> 21]; /* 11 bits */
}

_Static_assert(CACHE_SLOTS == 1 << (32 - 21), "what slot_of gives");

enum err
token_verify(struct token_keys *keys, const char *token, int64_t now_s,
    struct caller *ret, struct fault *fault)
{
	size_t len = strlen(token);
	struct slot *slot = NULL;
	struct claims claims;
	enum err err = OK;

	if (len >= 8 && len <= CACHE_TOKEN_MAX)
		slot = slot_of(keys, token, len);
	if (slot != NULL && slot->token != NULL && slot->len == len &&
	    crypt_equal(slot->token, token, len)) {
		claims = slot->claims;
	} else {
		err = read_token(keys, token, &claims, fault);
		if (err == OK && slot != NULL) {
			free(slot->token);
			*slot = (struct slot){ xstrdup(token), len, claims };
		}
	}
	if (err == OK)
		err = check_times(&claims, now_s, fault);
	if (err == OK)
		*ret = claims.caller;
	return err;
}
