#ifndef TASKFLOW_TASK_TOKEN_H
#define TASKFLOW_TASK_TOKEN_H

/*
 * JSON Web Tokens (RFC 7519), which say who is asking; the only user of libjwt.
 *
 * Keys are those of the configuration: jwt_secret, for tokens without a kid,
 * and one for each section [jwt_key NAME], for tokens whose kid is NAME. A key
 * has one algorithm, and a token that names another one is refused unread. Keys
 * of HS256 are ours; of a public one's tokens, which somebody else makes, iss
 * and aud must be right, and nobody is an administrator by one.
 */
#include "base/conf.h"
#include "task/users.h"

#define TOKEN_MAX	4096
struct token_keys;
/* Copies; conf_check has found them good. Tokens whose signature was good are
 * remembered with the keys, and forgotten with them: who changes keys opens new
 * ones, and no token of a key that is gone is taken any more. */
struct token_keys *token_keys_open(const struct conf *);
void token_keys_close(struct token_keys *);	/* NULL is fine */

/* A secret that is not for tokens, of the key that signs and a name of what it
 * is for. It is another one as soon as another key signs. */
void token_derive(const struct token_keys *, const char *what,
    uint8_t ret[32]);

/* A token for a user, by the key that signs; heap, or NULL without memory. */
char *token_make(const struct token_keys *, const struct id *user,
    const char *role, int64_t now_s, int64_t ttl_s);
/* ERR_UNAUTHORIZED with the reason in fault->detail. Requires exp, allows 60 s
 * of clock skew, refuses more than TOKEN_MAX bytes before parsing. */
enum err token_verify(struct token_keys *, const char *token, int64_t now_s,
    struct caller *ret, struct fault *);

#endif
