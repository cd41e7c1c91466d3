#ifndef TASKFLOW_TASK_LOCKOUT_H
#define TASKFLOW_TASK_LOCKOUT_H

/* Wrong passwords, counted by account and by address on redis-low. */
#include "store/redis.h"

struct lockout_limits {
	int64_t account, address;	/* so many lock it; 0: none do */
	int64_t time_ms;
};

enum lockout_verb {
	LOCKOUT_LOOK,	/* before the work */
	LOCKOUT_RIGHT,	/* forgets what the account had */
	LOCKOUT_WRONG	/* counts */
};

/* account: whatever names it; peer: an address. Of an IPv6 address the first 64
 * bits count, since whoever has one has them all. While one of the two is
 * locked nothing counts. */
struct redis_call *lockout_call(struct redis *, enum lockout_verb,
    const char *account, const char *peer, const struct lockout_limits *);
/* Of its answer: for how many ms it is locked; 0: it is not. */
int64_t lockout_wait_ms(const struct redis_call *);

/* What stands for a peer's address: its text, or that of its /64. */
#define LOCKOUT_PEER_SIZE 64
void lockout_peer(const char *peer, char ret[LOCKOUT_PEER_SIZE]);

#endif
