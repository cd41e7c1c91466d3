#ifndef TASKFLOW_ROLE_API_EXPLAIN_H
#define TASKFLOW_ROLE_API_EXPLAIN_H

/* Why a task does not run, from what is known of it. Pure. */
#include "base/jsn.h"
#include "task/tasks.h"

struct situation {
	struct task_row task; /* as tasks_explained fills it, and id */
	const char *queue, *type;
	int64_t wished_us; /* cancel was asked; 0: no */
	/* of one that is QUEUED */
	bool list_known, in_list;
	int64_t length, ahead;
	bool workers_known;
	int64_t alive, serving, able; /* each of them among the ones before */
};

/* Count a worker by what its heartbeat says. */
void explain_beat(struct situation *, struct span json, struct arena *);
/* The answer: an object. */
void explain_write(struct jsn_w *, const struct situation *);

#endif
