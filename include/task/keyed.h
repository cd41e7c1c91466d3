#ifndef TASKFLOW_TASK_KEYED_H
#define TASKFLOW_TASK_KEYED_H

/*
 * Tasks whose submit has a key (sql/schema/0004_keyed.sql): a unique_key, of
 * which a user has at most one task that is not final, and an Idempotency-Key,
 * by which a request that is sent again is known and does nothing new. Both are
 * kept in the transaction of the insert.
 */
#include "task/tasks.h"

#define IDEMPOTENCY_KEY_MAX	200	/* bytes, visible ASCII */
#define FINGERPRINT_SIZE	65	/* SHA-256 in hexadecimal */
#define UNIQUE_KEY_MAX		200	/* characters */
#define UNIQUE_KEY_SIZE		(4 * UNIQUE_KEY_MAX + 1)
/* UTF-8, and not too long or empty? */
bool unique_key_ok(const char *);

/* What is known of a request that has an Idempotency-Key. */
struct task_request {
	const char *key;	/* NULL: it has none */
	char	    fingerprint[FINGERPRINT_SIZE];
	int64_t	    ttl_ms;
};

enum keyed_verdict {
	KEYED_ACCEPTED = 1,
	KEYED_HELD,	/* another task has the unique_key: id, accepted.status */
	KEYED_REUSED,	/* the key is that of a request with another body */
	KEYED_RUNNING	/* one with this key is just being refused */
};

struct task_keyed {
	enum keyed_verdict   verdict;
	bool		     replayed;	/* decided by an earlier request */
	struct id	     id;	/* of the task, or of the holder */
	struct task_accepted accepted;
	/* as then; borrowed from the call; p NULL: none */
	int64_t		     max_attempts;
	struct span	     traceparent;
};

/* The drafts of one request, in order; there is a row for each of them. If the
 * request has an Idempotency-Key they must be all of its drafts. Ends with
 * ERR_TIMEOUT and keyed_is_blocked if another transaction that uses one of the
 * keys takes too long. */
struct pg_call *tasks_insert_keyed(struct pg *, const struct task_draft *,
    size_t n, const struct task_request *);
void tasks_keyed(const struct pg_call *, size_t i, struct task_keyed *ret);
bool keyed_is_blocked(const struct pg_call *);

/* ---- for the leader ---- */
/* Delete at most so many Idempotency-Keys whose time is over. */
struct pg_call *keys_sweep_idempotency(struct pg *, int64_t limit);
int64_t keys_swept_idempotency(const struct pg_call *);
/* Of the next unique keys after this one, delete those whose task is final or
 * gone. A row with the last one that was looked at and how many went; no row:
 * there are no more. */
struct pg_call *keys_sweep_unique(struct pg *, const struct id *user,
    struct span key, int64_t limit);
bool keys_swept_unique(const struct pg_call *, struct id *ret_user,
    struct span *ret_key, int64_t *ret_gone);

#endif
