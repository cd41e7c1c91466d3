#ifndef TASKFLOW_ROLE_API_ACT_H
#define TASKFLOW_ROLE_API_ACT_H

/* What the endpoints share that do something to a task. */
#include "call.h"
#include "task/actions.h"

/* For the event: who did it. No two are alike, also if a client gives
 * its requests the same id; in the flow's arena. */
const struct task_actor *act_actor(struct api_call *);
/* A step's end: ERR_CONFLICT, since the task has this status. allowed goes on
 * after "only". */
enum flow_next act_refuse(struct api_call *, enum task_status,
    const char *allowed) MUST_USE;

#endif
