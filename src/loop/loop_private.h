#ifndef TASKFLOW_LOOP_PRIVATE_H
#define TASKFLOW_LOOP_PRIVATE_H

/* What src/loop shares with itself and nobody else. */
#include "loop/loop.h"

/* Flows that live on this loop: +1 and -1 by flow.c. */
void loop_count_flow(struct loop *, int delta);
size_t loop_flow_count(const struct loop *);

#endif
