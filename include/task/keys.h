#ifndef TASKFLOW_TASK_KEYS_H
#define TASKFLOW_TASK_KEYS_H

/*
 * API keys: what they look like, who has them (PostgreSQL), and the cache of
 * who that is (redis-low).
 *
 * A key is revoked in the database first and then dropped from the cache; only
 * after both the revocation is confirmed. So that no replica that has read the
 * row before puts it into the cache after that, whoever begins to look leaves a
 * promise (a random word) in the entry's place, and fills the entry only while
 * that promise still stands there. Dropping the entry breaks it, and so does
 * the loss of the whole server. If the cache cannot be told, it is waited for
 * until the longest life of a promise and of an entry are over.
 */
#include "store/pg.h"
#include "store/redis.h"

#define KEY_MARK	"tf_"
#define KEY_TEXT_LEN	46	/* the mark and 256 bits in base64url */
#define KEY_TEXT_SIZE	(KEY_TEXT_LEN + 1)
#define KEY_PREFIX_SIZE	12	/* what may be shown of it, and the NUL */
#define KEY_HASH_SIZE	65	/* SHA-256 in hexadecimal */
#define KEY_NAME_MAX	100	/* bytes */
#define KEY_DAYS_MAX	3650
#define KEYS_MAX	100	/* of one user */

/* A new one. */
void key_new(char ret[KEY_TEXT_SIZE]);
/* Does it look like one? */
bool key_ok(const char *text);
void key_hash(const char *text, char ret[KEY_HASH_SIZE]);
void key_prefix(const char *text, char ret[KEY_PREFIX_SIZE]);

/* ---- the rows ---- */
struct key_draft {
	struct id   id, user_id;
	const char *name, *prefix, *hash;
	unsigned    scopes;
	int64_t	    days;	/* 0: for ever */
};
struct key_row {
	struct id   id;
	unsigned    scopes;
	int64_t	    created_us, expires_us, last_used_us;	/* 0: never */
	struct span prefix, name;	/* borrowed from the call */
};
struct pg_call *keys_insert(struct pg *, const struct key_draft *);
/* ERR_CONFLICT: the user has KEYS_MAX already; ERR_UNAUTHORIZED: there is no
 * such user any more, or a disabled one. */
enum err keys_inserted(const struct pg_call *, int64_t *ret_created_us,
    int64_t *ret_expires_us);
/* Newest first; at most KEYS_MAX. */
struct pg_call *keys_list(struct pg *, const struct id *user);
void keys_row(const struct pg_call *, int row, struct key_row *ret);
/* Rows: the hash for key_cache_drop; none: the user has no such key. */
struct pg_call *keys_revoke(struct pg *, const struct id *, const struct id *user);
struct pg_call *keys_forget(struct pg *, const struct id *);
/* Rows: the hashes of all keys of a user. */
struct pg_call *keys_of_user(struct pg *, const struct id *user);
/* The key was used now; kept at most once a minute. */
struct pg_call *keys_touch(struct pg *, const struct id *);

/* Whose key is it? */
struct key_info {
	struct id id, user_id;
	unsigned  scopes;
	bool	  admin;	/* the user is one */
	int64_t	  expires_us;	/* wall; 0: never */
	bool	  unnoted;	/* its last use is older than a minute */
};
/* No row: no such key, or it works no more. */
struct pg_call *keys_find(struct pg *, const char *hash);
void keys_found(const struct pg_call *, struct key_info *ret);

/* ---- the cache; on redis-low ---- */
#define KEY_ENTRY_MS	5000
#define KEY_PROMISE_MS	3000
#define KEY_PROMISE_SIZE 36
void key_promise_new(char ret[KEY_PROMISE_SIZE]);
/* Answer: the entry; or nil: our promise stands there now. */
struct redis_call *key_cache_ask(struct redis *, const char *hash,
    const char *promise);
/* False: somebody's promise, or none of our making. */
bool key_cache_read(const struct reply *, struct key_info *ret);
/* NULL: there is no such key. */
struct redis_call *key_cache_fill(struct redis *, const char *hash,
    const char *promise, const struct key_info *);
/* Rows of hashes, at least one. */
struct redis_call *key_cache_drop(struct redis *, const struct pg_call *hashes);

#endif
