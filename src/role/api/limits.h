#ifndef TASKFLOW_ROLE_API_LIMITS_H
#define TASKFLOW_ROLE_API_LIMITS_H

/*
 * Which limit holds for whom, and the buckets of this process for when
 * redis-low does not answer.
 *
 * The users who have limits of their own are few and all in memory: they are
 * read at the start, and what was changed every two seconds, so a request
 * asks nobody, and who has no limit costs nothing.
 */
#include "role/app.h"
#include "task/limit.h"

struct limits;

struct limits *limits_open(const struct app *);
void limits_close(struct limits *);

/* False: there is no limit. limits may be NULL: the role has stopped. */
bool limits_of(const struct limits *, const struct id *user, enum limit_kind,
    struct rate *ret);
/* The connection to charge on: one of its own, with a short deadline, so that
 * a slow answer costs no queue its connection; made when there is a limit. */
struct redis *limits_redis(const struct limits *);
/* How the last charge on it went; the log has a line when that changes. */
void limits_note(struct limits *, enum err);
/* Take from the bucket that this process keeps; also counted. */
bool limits_take(struct limits *, const struct id *user, enum limit_kind,
    const struct rate *, int64_t cost, int64_t *ret_used);

#endif
