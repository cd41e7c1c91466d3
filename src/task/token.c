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

#include "task/users.h"

#define SKEW_S 60
#define SECRET_MIN 32

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
check_claims(jwt_t *jwt, int64_t now_s, struct caller *ret, struct fault *fault)
{
	const char *sub = jwt_get_grant(jwt, "sub");
	const char *role = jwt_get_grant(jwt, "role");
	int64_t exp = time_claim(jwt, "exp"), nbf = time_claim(jwt, "nbf");

	if (exp == 0)
		return refuse(fault, "the token has no expiry time (exp)");
	if (exp < now_s - SKEW_S)
		return refuse(fault, "the token has expired: log in again");
	if (nbf > now_s + SKEW_S)
		return refuse(fault, "the token is not valid yet");
	if (sub == NULL || !id_parse(sub, strlen(sub), &ret->user_id))
		return refuse(fault, "the token names no user (sub)");
	ret->admin = role != NULL && strcmp(role, "admin") == 0;
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

enum err
token_verify(const char *secret, const char *token, int64_t now_s,
    struct caller *ret, struct fault *fault)
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
		err = check_claims(jwt, now_s, ret, fault);
	else
		err = refuse(fault, "the token's algorithm is not HS256");
	jwt_free(jwt);
	return err;
}
