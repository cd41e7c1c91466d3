#ifndef TASKFLOW_ROLE_WORKER_HANDLER_PRIVATE_H
#define TASKFLOW_ROLE_WORKER_HANDLER_PRIVATE_H

/*
 * Between handlers.c and the kinds of handlers. handlers.c decides when a run
 * begins and when it has to stop. A kind makes it happen, and says once how it
 * came out: by run_done or run_fail, at any time, also from inside start and
 * stop; from then on the run is not the kind's any more.
 */
#include "handlers.h"
#include "loop/child.h"

#define TEXT_MAX 4096 /* of an error or a progress message */

struct handler_ops {
	void (*start)(struct run *);
	/* SIGTERM: it shall end soon; SIGKILL: now. */
	void (*stop)(struct run *, int signo);
	/* We go away: free what belongs to the run, without a verdict. */
	void (*abandon)(struct run *);
	/* These may be NULL. dismiss: no run is left, ask the processes to end;
	 * is_alive: has one of them not ended yet? */
	void (*open)(struct handler *);
	void (*dismiss)(struct handler *);
	bool (*is_alive)(const struct handler *);
	void (*close)(struct handler *);
};

struct handler {
	struct handlers *all;
	const char *type;
	const struct handler_ops *kind;
	const struct conf_handler *conf; /* all zero for a built-in */
	size_t nactive;
	struct run_list waiting; /* came when nactive was at its limit */
	struct run_list active; /* RUN_RUNNING and RUN_STOPPING */
	void *priv; /* of the kind */
};

struct handlers {
	struct loop *loop;
	const struct handler_events *events;
	void *arg;
	int64_t default_timeout_ms;
	struct handler *list; /* the last one stands for unknown types */
	size_t n;
	size_t processes;
	struct run_list ended; /* wait for being told */
	struct loop_task tell;
};

/* ---- handlers.c ---- */

/* json must live until `ended`: a constant, the payload, or in run->text. */
void run_done(struct run *, struct span json);
/* The error is what and detail, joined by ": "; any bytes, either may be empty.
 * A run that was stopped has that as its verdict instead, and as the beginning
 * of its error. */
void run_fail(struct run *, enum verdict, const char *what, struct span detail);
/* Add bytes that may be anything as UTF-8 without NUL, as far as they fit. */
void text_add(struct buf *, struct span);

/* ---- the kinds ---- */
struct handler_builtin {
	const char *type; /* NULL ends the table */
	struct handler_ops kind;
};
extern const struct handler_builtin handler_builtins[];
extern const struct handler_ops handler_exec, handler_process;

/* ---- handler_exec.c: what all programs have in common ---- */
#define PROGRAM_PATH \
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define PROGRAM_LANG "LANG=C.UTF-8"
#define PROGRAM_HOME "HOME=/"
#define EXIT_TEXT_SIZE 128

/* NULL: it could not be started, and the run has failed with the reason. */
struct child *program_start(struct run *, char *const *envp, size_t max_stdout,
    const struct child_events *, void *arg);
void program_free(struct handler *, struct child *);
/* How it ended, in a few words. */
void program_count_exit(
    const struct child_exit *, bool timed_out, bool interrupted);
void program_exit_text(const struct child_exit *, char ret[EXIT_TEXT_SIZE]);
/* The last of its errors: whole characters, no blanks around them. */
struct span program_complaint(const struct child_exit *);
/* Its result is more than it may be: another attempt would not help. */
void program_fail_of_size(struct run *);

/* ---- handler_answer.c: what programs of the kind process say ---- */
enum answer_kind {
	ANSWER_RESULT,
	ANSWER_ERROR,
	ANSWER_PROGRESS,
	ANSWER_LOG,
	ANSWER_KINDS
};

struct answer {
	enum answer_kind kind;
	struct id id; /* not of ANSWER_LOG */
	struct span value; /* JSON of a result; text of the others */
	bool retry; /* of an error, as the next one */
	int64_t retry_after_ms; /* -1: no wish */
};

/* NULL, or what is wrong with the line. Both may be in the line or arena. */
const char *answer_parse(struct span line, struct arena *, struct answer *ret);

#endif
