#ifndef TASKFLOW_ROLE_API_ANNOUNCE_H
#define TASKFLOW_ROLE_API_ANNOUNCE_H

/* Telling the workers that tasks are ready, which makes it fast and is no
 * promise: what gets lost on the way the reconciler pushes again. */
#include "task/queue.h"

struct announcer;

/* redis: by priority. */
struct announcer *announcer_open(struct loop *, struct redis *const redis[2]);
/* What still waits is pushed. */
void announcer_close(struct announcer *);
/* To the tail of its queue, at the end of this turn: one command a list takes
 * all that came until then, in the order of their ids, whether they came one by
 * one or in batches. NULL: nobody is told. */
void announce_ready(struct announcer *, enum task_priority, const char *queue,
    const struct id *);

#endif
