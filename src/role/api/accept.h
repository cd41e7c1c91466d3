#ifndef TASKFLOW_ROLE_API_ACCEPT_H
#define TASKFLOW_ROLE_API_ACCEPT_H

/* What it takes to accept a task, one or many: POST /tasks, POST /tasks/batch.
 */
#include "call.h"
#include "task/tasks.h"

/* The request's traceparent, if it may be handed on; else NULL. */
const char *accept_traceparent(const struct api_call *);
/* The i-th of its request (below ID_FAMILY_MAX): its id, and whose it is. A
 * request without a name of its client's is the family of its tasks. */
void accept_draft(const struct api_call *, const char *traceparent, size_t i,
    struct task_draft *);
/* What became of the i-th draft of an insert that succeeded. */
void accept_result(const struct pg_call *insert, size_t i,
    const struct task_draft *, struct task_accepted *ret);
/* Is it PENDING, and due before the scheduler would look again? */
bool accept_is_soon(const struct api_call *, const struct task_accepted *);
/* Then the scheduler is told. Nobody waits for it. */
void accept_tell_scheduler(const struct api_call *);

#endif
