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
#include "task/users.h"

#define SKEW_S 60
#define SECRET_MIN 32
/* Tokens that are remembered, and the longest of them. */
#define CACHE_SLOTS 2048
#define CACHE_TOKEN_MAX 1024

/* What a token with a good signature says. */
struct claims {
	struct caller caller;
	int64_t exp, nbf;
};

struct token_cache {
	struct slot {
		char *token; /* NULL: free */
		size_t len;
		struct claims claims;
	} slots[CACHE_SLOTS];
};

char *
token_make(const char *secret, const struct id *user, const char *role,
    int64_t now_s, int64_t ttl_s)
{
	char sub[ID_TEXT_SIZE];
	char *text = NULL;
	jwt_t *jwt = NULL;

	assert(strlen(secret) >= SECRET_MIN);
	id_format(user, sub);
	if (jwt_new(&jwt) == 0 && jwt_add_grant(jwt, "sub", sub) == 0 &&
	    jwt_add_grant(jwt, "role", role) == 0 &&
	    jwt_add_grant_int(jwt, "iat", now_s) == 0 &&
	    jwt_add_grant_int(jwt, "exp", now_s + ttl_s) == 0 &&
	    jwt_set_alg(jwt, JWT_ALG_HS256, (const unsigned char *)secret,
		(int)strlen(secret)) == 0)
		text = jwt_encode_str(jwt);
	jwt_free(jwt);
	return text;
}

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

static enum err
read_claims(jwt_t *jwt, struct claims *ret, struct fault *fault)
{
	const char *sub = jwt_get_grant(jwt, "sub");
	const char *role = jwt_get_grant(jwt, "role");

	ret->exp = time_claim(jwt, "exp");
	ret->nbf = time_claim(jwt, "nbf");
	if (ret->exp == 0)
		return refuse(fault, "the token has no expiry time (exp)");
	if (sub == NULL || !id_parse(sub, strlen(sub), &ret->caller.user_id))
		return refuse(fault, "the token names no user (sub)");
	ret->caller.admin = role != NULL && strcmp(role, "admin") == 0;
	ret->caller.issued_s = time_claim(jwt, "iat");
	return OK;
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

static enum err
read_token(const char *secret, const char *token, struct claims *ret,
    struct fault *fault)
{
	jwt_t *jwt = NULL;
	enum err err;

	assert(strlen(secret) >= SECRET_MIN);
	if (strlen(token) > TOKEN_MAX)
		return refuse(fault, "the token is longer than 4096 bytes");
	if (!is_compact(token))
		return refuse(fault, "the token is not a JSON Web Token");
	if (jwt_decode(&jwt, token, (const unsigned char *)secret,
		(int)strlen(secret)) != 0)
		return refuse(fault, "the token is not valid");
	if (jwt_get_alg(jwt) == JWT_ALG_HS256)
		err = read_claims(jwt, ret, fault);
	else
		err = refuse(fault, "the token's algorithm is not HS256");
	jwt_free(jwt);
	return err;
}

/* ---- the cache ---- */
struct token_cache *
token_cache_open(void)
{
	return xcalloc(1, sizeof(struct token_cache));
}

void
token_cache_close(struct token_cache *cache)
{
	size_t i;

	for (i = 0; cache != NULL && i < CACHE_SLOTS; i++)
		free(cache->slots[i].token);
	free(cache);
}

/* A token ends with its signature, which is as good as random. */
static struct slot *
slot_of(struct token_cache *cache, const char *token, size_t len)
{
	uint32_t end;

	memcpy(&end, token + len - 8, sizeof(end));
	return &cache->slots[end * 2654435761U >> 21]; /* 11 bits */
}

_Static_assert(CACHE_SLOTS == 1 << (32 - 21), "what slot_of gives");

enum err
token_verify(struct token_cache *cache, const char *secret, const char *token,
    int64_t now_s, struct caller *ret, struct fault *fault)
{
	size_t len = strlen(token);
	struct slot *slot = NULL;
	struct claims claims;
	enum err err = OK;

	if (cache != NULL && len >= 8 && len <= CACHE_TOKEN_MAX)
		slot = slot_of(cache, token, len);
	if (slot != NULL && slot->token != NULL && slot->len == len &&
	    crypt_equal(slot->token, token, len)) {
		claims = slot->claims;
	} else {
		err = read_token(secret, token, &claims, fault);
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
