#ifndef TASKFLOW_ROLE_API_DENIED_H
#define TASKFLOW_ROLE_API_DENIED_H

/*
 * Whose login tokens are good no more, though their signature and their times
 * are: of users who were disabled, or have changed the password. The database
 * knows; this is what this process has read of it: all when it starts, and what
 * is new after each signal on redis-high, and by the clock, every few seconds,
 * since a signal may be lost. Until it has read for the first time, a moment
 * after the start, nobody is denied.
 */
#include "loop/flow.h"
#include "store/pg.h"
#include "store/redis.h"
#include "task/users.h"

struct denied;
struct denied *denied_open(struct loop *, struct pg *, struct redis *high,
    int64_t token_ttl_ms);
void denied_close(struct denied *);
/* NULL denies nobody. */
bool denied_has(const struct denied *, const struct caller *);
/* This process has just written it: known here at once, and the others are told
 * to look. */
void denied_note(struct denied *, const struct user_change *);

#endif
