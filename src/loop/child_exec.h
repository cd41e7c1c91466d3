#ifndef TASKFLOW_LOOP_CHILD_EXEC_H
#define TASKFLOW_LOOP_CHILD_EXEC_H

/*
 * What happens between fork and exec. We may have helper threads, and one of
 * them may hold any lock of libc at the fork; and the new process may share our
 * memory. So it makes nothing but system calls, and all it needs is in this
 * plan before.
 */
#include <sys/resource.h>

#include "loop/child.h"

#define CHILD_LIMITS 4

struct child_limit {
	const char *name;
	int resource;
	struct rlimit value;
};

struct child_plan {
	const struct child_spec *spec;
	int fd[3]; /* become 0, 1 and 2 */
	pid_t parent; /* who must be alive */
	bool switch_user;
	uid_t uid;
	gid_t gid;
	gid_t *groups;
	int ngroups;
	struct child_limit limits[CHILD_LIMITS]; /* in the order of setting */
	int nlimits;
};

/* False and errno: no such user, or no memory. May ask the name service. */
bool child_plan_init(struct child_plan *, const struct child_spec *);
void child_plan_fini(struct child_plan *);
/* A new process that becomes the program, in a group of its own; or -1. */
pid_t child_plan_start(struct child_plan *);

#endif
