#ifndef TASKFLOW_TASK_TASKS_PRIVATE_H
#define TASKFLOW_TASK_TASKS_PRIVATE_H

/* What tasks.c and tasks_keyed.c share. */
#include "task/tasks.h"

/* The columns of a draft, which both kinds of inserts begin with. */
#define DRAFT_COLS 11
#define DRAFT_TYPES                                                    \
	PG_UUID, PG_UUID, PG_TEXT, PG_TEXT, PG_INT2, PG_INT4, PG_INT8, \
	    PG_TIME, PG_INT8, PG_TEXT, PG_JSON
void tasks_put_draft(struct pg_call *, const struct task_draft *);

#endif
