#ifndef TASKFLOW_ROLE_API_LOCKOUT_H
#define TASKFLOW_ROLE_API_LOCKOUT_H

/*
 * The lock of whoever has given too many wrong passwords (task/lockout.h), as
 * steps of a flow. It is looked at twice: before the hashing, which is worth
 * not doing, and with its outcome. So of many passwords that are tried at once
 * no more are told right from wrong than one after the other.
 *
 * When redis-low does not answer nobody is locked, and the log says so once.
 */
#include "call.h"
#include "task/lockout.h"

struct lockout;
struct lockout *lockout_open(void);
void lockout_close(struct lockout *);

struct lockout_try {
	const char *account; /* set by the flow */
	struct redis_call *call; /* NULL: locks are off */
};

/* What a step returns: waits. */
enum flow_next lockout_ask(struct api_call *, struct lockout_try *,
    enum lockout_verb) MUST_USE;
/* In the next step: OK, or the flow has to end with 429, whose fault is set. */
enum err lockout_read(struct api_call *, const struct lockout_try *);

#endif
