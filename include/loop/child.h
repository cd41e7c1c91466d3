#ifndef TASKFLOW_LOOP_CHILD_H
#define TASKFLOW_LOOP_CHILD_H

/*
 * Child processes: start one in its own process group with limits, feed its
 * standard input, read its output and errors with a cap, stop the whole group,
 * and learn from wait4(2) how it ended. The loop is not blocked, but from the
 * start of a program to its exec: a tenth of a millisecond, unless its file
 * system hangs.
 *
 * A task is over when its leader is: what remains of its group then is killed.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/mem.h"
#include "loop/loop.h"

struct child;

struct child_spec {
	char *const *argv;	/* argv[0] is a path; no shell, no PATH search */
	char *const *envp;	/* the whole environment */
	const char  *directory;	/* NULL: "/" */
	const char  *user;	/* NULL: as we are */
	int64_t	     max_memory; /* RLIMIT_AS, bytes; 0: none */
	int64_t	     max_cpu_s;	/* RLIMIT_CPU: soft limit, hard 5 s above; 0: none */
	size_t	     max_stdin;	/* bytes that may wait to be read; 0: 256 MiB */
	size_t	     max_stdout; /* bytes kept; more is read and dropped */
	size_t	     max_stderr_tail; /* the last bytes are kept */
};

struct child_exit {
	int	 status;	/* exit status, or -1 when a signal ended it */
	int	 signo;		/* 0, or the signal that ended it */
	int64_t	 max_rss_kb;	/* from the fork on, so never below ours */
	int64_t	 cpu_us;	/* user and system */
	bool	 truncated;	/* stdout went over its cap */
	struct span stderr_tail; /* valid until child_free */
};

struct child_events {
	/* Bytes of standard output have come; out grows up to its cap. The
	 * receiver may buf_drain it; it lives until child_free. */
	void (*output)(struct child *, struct buf *out);
	/* Once: the process has ended, and its output was read (at most a short
	 * while after the end: a grandchild may hold the pipe for ever). */
	void (*ended)(struct child *, const struct child_exit *);
};

/* NULL and errno when it could not be started (EINVAL: no such user; looking
 * one up may ask the system's name service). A program that cannot be executed
 * is an end with status 127 and the reason in stderr_tail. The spec is needed
 * only during the call; the events must outlive the child. */
struct child *child_start(struct loop *, const struct child_spec *,
    const struct child_events *, void *arg);
void *child_arg(const struct child *);
pid_t child_pid(const struct child *);
/* Queue bytes for its standard input (copied). A child that closed it just
 * does not get them; one that lets more than max_stdin wait is killed. */
void child_write(struct child *, const void *, size_t len);
/* The same without the copy, and with one write(2) for all that was added in a
 * turn of the loop: the buffer to add to, at once. NULL: it is closed. */
struct buf *child_input(struct child *);
void child_close_stdin(struct child *);
/* To the process group. */
void child_signal(struct child *, int signo);
/* After `ended`, or at any time: then the group is killed with SIGKILL, no
 * event comes any more, and the process is reaped in the background. */
void child_free(struct child *);

/* Reap what was started here and, as PID 1 or subreaper, orphans. Installs the
 * SIGCHLD handler; once per loop, before child_start. */
void child_reaper_start(struct loop *);

#endif
