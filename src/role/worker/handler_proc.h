#ifndef TASKFLOW_ROLE_WORKER_HANDLER_PROC_H
#define TASKFLOW_ROLE_WORKER_HANDLER_PROC_H

/*
 * Between the two halves of the kind process: handler_process.c has the pool of
 * programs of a type and chooses who gets a task; handler_proc.c speaks with
 * one of them.
 */
#include "base/idmap.h"
#include "handler_private.h"

enum proc_state {
	PROC_IDLE, /* has no task */
	PROC_BUSY, /* has some, and may have more */
	PROC_FULL, /* has as many as it may have at once */
	PROC_LEAVING, /* was told to end; it may still have tasks */
	PROC_STATES
};

struct proc {
	TAILQ_ENTRY(proc) link; /* in the pool's list of its state */
	enum proc_state state;
	struct handler *handler;
	struct child *child;
	struct run_list runs; /* not answered, by kind_link; the oldest first */
	size_t nruns;
	struct loop_timer grace; /* from leaving to SIGKILL */
	size_t seen; /* so much of its output has no line break */
	int64_t started_us;
	bool has_answered;
};
TAILQ_HEAD(proc_list, proc);

/* Runs that wait for the end of a pause are active but have no proc. */
struct pool {
	struct handler *handler;
	struct proc_list procs[PROC_STATES];
	struct idmap runs; /* of all its programs */
	struct loop_timer pause;
	int bad_starts;
	int64_t judged_us; /* what started before does not count again */
	char *type_env;
};

static inline struct pool *
pool_of(const struct proc *p)
{
	return p->handler->priv;
}

/* ---- handler_process.c ---- */
/* After it has got a task or lost one: into the list where it belongs. */
void proc_sort(struct proc *);
/* It ended, or had to be ended, unasked. */
void proc_judge(const struct proc *);
/* It has answered: the programs of this type do work. */
void proc_praise(struct proc *);
/* Its runs must have been taken from it. */
void proc_free(struct proc *);

/* ---- handler_proc.c ---- */
/* NULL: it could not be started, and the run has failed. Not in a list yet. */
struct proc *proc_new(struct run *);
void proc_give(struct proc *, struct run *);
/* The run is not its any more. */
void proc_drop(struct proc *, struct run *);

#endif
