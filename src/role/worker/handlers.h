#ifndef TASKFLOW_ROLE_WORKER_HANDLERS_H
#define TASKFLOW_ROLE_WORKER_HANDLERS_H

/*
 * Handlers: where a claimed task is run. The worker hands a run over and gets
 * it back exactly once, with a verdict. Nothing here knows of PostgreSQL or
 * Redis; nothing a handler does can block or crash the worker's loop (all but
 * the built-ins are other processes).
 */
#include "base/conf.h"
#include "loop/loop.h"
#include "task/tasks.h"

struct handlers;
struct handler;

enum run_state {
	RUN_NEW,
	RUN_WAITING,	/* its handler runs as many as it may */
	RUN_RUNNING,
	RUN_STOPPING,	/* was told to end: SIGTERM, later SIGKILL */
	RUN_ENDED
};

enum verdict {
	VERDICT_DONE,		/* result holds JSON */
	VERDICT_FAILED,		/* error says why; tried again if attempts are left */
	VERDICT_FAILED_FOR_GOOD,/* bad data, or nobody can run this type */
	VERDICT_INTERRUPTED,	/* we stopped it, or its program ended with other
				 * tasks; not its fault */
	VERDICT_CANCELLED	/* its owner had it stopped */
};

struct run_result {
	enum verdict verdict;
	struct span  result;	/* valid JSON for the database; DONE only */
	struct span  error;	/* valid UTF-8 without NUL, at most 4 KiB;
				 * p NULL: none */
	int64_t	     retry_after_ms; /* the handler's wish; -1: none */
};

/* One claimed task on its way through a handler. The worker fills the first
 * part; strings and payload are the worker's and live until `ended`. */
struct run {
	struct id	   id, worker;
	int64_t		   attempt, used, max_attempts, timeout_ms;
	enum task_priority priority;
	const char	  *queue, *type, *traceparent;	/* traceparent may be NULL */
	struct span	   payload;
	TAILQ_ENTRY(run)   link;	/* the worker's list of its runs */

	/* of handlers.c and its kinds */
	TAILQ_ENTRY(run)   handler_link; /* in the list of its state */
	enum run_state	   state;
	struct handler	  *handler;
	TAILQ_ENTRY(run)   kind_link;	/* its kind's */
	void		  *priv;
	struct loop_timer  timer;	/* time-out, then grace */
	int64_t		   started_us;	/* monotonic; 0: not yet */
	bool		   timed_out, interrupted, cancelled;
	struct run_result  result;	/* from its end until `ended` */
	struct buf	   text;	/* what result points to, if it is made */
};
TAILQ_HEAD(run_list, run);

struct handler_events {
	/* Once for each run, never from inside handlers_start/stop: it may be
	 * freed here. */
	void (*ended)(void *arg, struct run *, const struct run_result *);
	/* Something to tell about a running task; valid UTF-8, at most 4 KiB. */
	void (*progress)(void *arg, struct run *, struct span message);
};

struct handlers *handlers_open(struct loop *, const struct conf *,
    const struct handler_events *, void *arg);
/* Ends idle handler processes (SIGTERM, then SIGKILL: so it blocks for as long
 * as the grace at most) and frees. Runs that are left are given up: their
 * processes are killed, no `ended` comes. Never from inside an event. */
void handlers_close(struct handlers *);
/* Take a run. An unknown type ends with VERDICT_FAILED_FOR_GOOD. */
void handlers_start(struct handlers *, struct run *);
/* A run that is still RUN_WAITING: take it back; no `ended` comes. */
void handlers_withdraw(struct handlers *, struct run *);
/* Stop a run: SIGTERM to its group, SIGKILL after the grace; it ends with
 * VERDICT_INTERRUPTED, or DONE if it finished all the same. One that waits ends
 * unstarted, one that has ended or is being stopped already is left alone.
 * Others in the same program may end within the grace, else they are
 * interrupted too. */
void handlers_interrupt(struct handlers *, struct run *);
/* The same, but it ends with VERDICT_CANCELLED (or DONE), also if it was being
 * stopped already. */
void handlers_cancel(struct handlers *, struct run *);
/* The types that have a handler, by number from 0; NULL after the last one. */
const char *handlers_type(const struct handlers *, int);
/* Processes that belong to handlers, for tests and /status. */
size_t handlers_processes(const struct handlers *);

#endif
