#ifndef TASKFLOW_TASK_LIMIT_H
#define TASKFLOW_TASK_LIMIT_H

/*
 * Rate limits of users: the buckets in redis-low, and what users have of their
 * own in PostgreSQL.
 */
#include "base/rate.h"
#include "store/pg.h"
#include "store/redis.h"

/* What is limited for itself. */
enum limit_kind { LIMIT_SUBMIT, LIMIT_READ, LIMIT_KINDS };
const char *limit_name(enum limit_kind);	/* "submit", "read" */

/* One call of a script, by the clock of Redis: exact, however many ask. cost is
 * at most the burst. */
struct redis_call *limit_charge(struct redis *, const struct id *user,
    enum limit_kind, const struct rate *, int64_t cost);
/* Did it pass? *ret_used: as in struct rate_bucket. */
bool limit_charged(const struct redis_call *, int64_t *ret_used);

/* ---- of users; a text as rate_parse takes it, p NULL: the default's ---- */
struct user_limits {
	struct id   user;
	struct span rate[LIMIT_KINDS];	/* borrowed from the call */
};
/* Each answers with a row, if there is such a user. */
struct pg_call *limits_get(struct pg *, const struct id *user);
struct pg_call *limits_set(struct pg *, const struct id *user,
    const char *const rate[LIMIT_KINDS]);	/* NULL: the default's */
/* The users above `after` whose limits were set within that time, by id. */
#define LIMITS_PAGE	1000
struct pg_call *limits_changed(struct pg *, const struct id *after,
    int64_t within_ms);
void limits_row(const struct pg_call *, int row, struct user_limits *ret);

#endif
