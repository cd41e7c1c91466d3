#ifndef TASKFLOW_ROLE_API_PASSWORD_H
#define TASKFLOW_ROLE_API_PASSWORD_H

/* Hashing and checking of passwords, on a helper thread. */
#include "base/crypt.h"
#include "loop/thread.h"

struct password_job {
	struct thread_job job;
	bool matches; /* after password_check */
	bool has_hash;
	char password[PASSWORD_MAX + 1];
	char hash[PASSWORD_HASH_SIZE];
};

/* Of a password of at most PASSWORD_MAX bytes. It goes with the flow, and what
 * it knows is wiped out. */
struct password_job *password_job_new(struct flow *, const char *password);
/* Waits. Then there is a hash. ERR_OVERLOADED when too many wait. */
enum flow_next password_make(
    struct thread_pool *, struct password_job *, struct flow *) MUST_USE;
/* Waits. Is it that one? hash.p NULL: there is none, which takes as long. */
enum flow_next password_check(struct thread_pool *, struct password_job *,
    struct span hash, struct flow *) MUST_USE;

#endif
