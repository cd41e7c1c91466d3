#ifndef TASKFLOW_ROLE_API_RENDER_H
#define TASKFLOW_ROLE_API_RENDER_H

/* Rows as the JSON that clients see. Pure. */
#include "base/jsn.h"
#include "task/tasks.h"

/* Bodies: payload and result, byte for byte. */
void render_task(struct jsn_w *, const struct task_row *, bool with_bodies);
/* What there is to say of it at once. */
void render_accepted(
    struct jsn_w *, const struct task_draft *, const struct task_accepted *);
void render_event(struct jsn_w *, const struct task_event_row *);

#define ETAG_SIZE 24
/* Weak: changes whenever the task does. */
void render_etag(const struct task_row *, char ret[ETAG_SIZE]);

#endif
