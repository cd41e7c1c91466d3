/*
 * Child processes, from fork to the last byte they wrote.
 *
 * A task is over when its leader is. When we see the leader's exit we kill what
 * is left of its group before we reap it: until then its process id, which is
 * the group's, cannot be anybody else's. After that we signal nobody. What left
 * the group (setsid) lives on; it may hold the pipes, so these are read until
 * their end, but no longer than DRAIN_MS.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child_exec.h"
#include "loop/child.h"

#define DRAIN_MS 200
#define CHUNK (32 * 1024)
#define CHUNKS_PER_TURN 4 /* then others have a turn */
/* The largest pipe an ordinary user can make: what was in it when the process
 * ended is read whole, at once. */
#define CHUNKS_AT_END (1024 * 1024 / CHUNK)
/* A bug above us, not input: payloads are bounded long before. */
#define STDIN_MAX (256 * 1024 * 1024)
/* So much memory is kept for the next input when all of one was sent. */
#define STDIN_KEPT (1024 * 1024)

struct child {
	const struct child_events *events;
	void *arg;
	pid_t pid; /* of the group too */
	bool exited; /* and reaped: the pid may be anybody's */
	bool in_event; /* the receiver is on the stack above us, */
	bool freed; /* and freed us: the frame below it does the work */
	bool in_closing; /* close standard input when all of it was sent */
	struct loop_watch in_watch; /* its fd is -1 once closed, as below */
	struct loop_watch out_watch;
	struct loop_watch err_watch;
	struct loop_timer drain; /* from the exit to the end */
	struct buf in;
	size_t in_sent; /* so much of in has been written */
	struct loop *loop;
	struct loop_task send; /* what was added to in during this turn */
	struct buf out;
	struct buf err;
	struct child_exit exit;
	TAILQ_ENTRY(child) link;
};

/* Those we have not reaped: they come with child_start, and leave at their exit
 * or when they are freed. Processes belong to a process, not to a loop. */
static TAILQ_HEAD(, child) children = TAILQ_HEAD_INITIALIZER(children);

/* ---- standard input ---- */
static void
close_pipe(struct loop_watch *w)
{
	int fd = w->fd;

	watch_fini(w);
	if (fd >= 0)
		close(fd);
}

static void
close_stdin(struct child *c)
{
	loop_task_cancel(c->loop, &c->send);
	close_pipe(&c->in_watch);
	buf_fini(&c->in);
	c->in_sent = 0;
}

/* Moving the rest to the front costs: only when it is the smaller half. */
static void
stdin_sent(struct child *c, size_t n)
{
	c->in_sent += n;
	if (c->in_sent < c->in.len - c->in_sent)
		return;
	buf_drain(&c->in, c->in_sent);
	c->in_sent = 0;
	if (c->in.len == 0 && c->in.cap > STDIN_KEPT && !c->in.overflow)
		buf_fini(&c->in);
}

/* One write a turn, even for a child that reads as fast as we write. */
static void
feed(struct child *c)
{
	size_t left = c->in.len - c->in_sent;
	int fd = c->in_watch.fd;
	ssize_t n = 0;

	if (left > 0)
		n = write(fd, c->in.data + c->in_sent, left);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		n = 0;
	if (n < 0) { /* EPIPE: it does not want any more */
		close_stdin(c);
		return;
	}
	left -= (size_t)n;
	stdin_sent(c, (size_t)n);
	if (left == 0 && c->in_closing)
		close_stdin(c);
	else
		watch_set(&c->in_watch, fd, left > 0 ? WATCH_WRITE : 0);
}

/* Half an input could be taken for a whole one. */
static void
refuse_input(struct child *c)
{
	child_signal(c, SIGKILL);
	close_stdin(c);
}

static void
send_soon(struct loop_task *t)
{
	struct child *c = container_of(t, struct child, send);

	if (c->in.overflow)
		refuse_input(c);
	else if (c->in_watch.what == 0)
		feed(c);
}

static void
stdin_writable(struct loop_watch *w, int what)
{
	(void)what;
	feed(container_of(w, struct child, in_watch));
}

/* ---- output and end ---- */
static void
destroy(struct child *c)
{
	close_stdin(c);
	close_pipe(&c->out_watch);
	close_pipe(&c->err_watch);
	timer_fini(&c->drain);
	buf_fini(&c->out);
	buf_fini(&c->err);
	free(c);
}

/* The two events. False: the receiver has freed the child. */
static bool
tell_output(struct child *c)
{
	c->in_event = true;
	c->events->output(c, &c->out);
	c->in_event = false;
	if (!c->freed)
		return true;
	destroy(c);
	return false;
}

static void
tell_ended(struct child *c)
{
	timer_disarm(&c->drain);
	c->exit.stderr_tail = buf_span(&c->err);
	c->in_event = true;
	c->events->ended(c, &c->exit);
	c->in_event = false;
	if (c->freed)
		destroy(c);
}

/* 0: nothing there now, or the end was reached and the pipe is closed. */
static size_t
read_pipe(struct loop_watch *w, char *to, size_t len)
{
	ssize_t n;

	if (w->fd < 0)
		return 0;
	n = read(w->fd, to, len);
	if (n > 0)
		return (size_t)n;
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		close_pipe(w);
	return 0;
}

/* Less than was asked for: the pipe is empty, and the loop tells when it is not
 * any more. Of a process that has ended the end itself is to be read. */
static bool
is_more(const struct child *c, size_t n, size_t asked)
{
	return c->exited ? n > 0 : n == asked;
}

/* Never more than fits, so that a receiver that drains each time loses nothing;
 * only who leaves the buffer full has the rest dropped. */
static bool
read_stdout(struct child *c, int chunks)
{
	char chunk[CHUNK];
	size_t room, asked, n;

	do {
		room = c->out.max - c->out.len;
		asked = room > 0 && room < CHUNK ? room : CHUNK;
		n = read_pipe(&c->out_watch, chunk, asked);
		if (n > 0 && room == 0) {
			c->exit.truncated = true;
		} else if (n > 0) {
			buf_add(&c->out, chunk, n);
			if (!tell_output(c))
				return false;
		}
	} while (--chunks > 0 && is_more(c, n, asked));
	return true;
}

static void
read_stderr(struct child *c, int chunks)
{
	char chunk[CHUNK];
	size_t n, keep, over;

	while (
	    chunks-- > 0 && (n = read_pipe(&c->err_watch, chunk, CHUNK)) > 0) {
		keep = n < c->err.max ? n : c->err.max;
		if (c->err.len + keep > c->err.max) {
			over = c->err.len + keep - c->err.max;
			buf_drain(&c->err, over);
		}
		buf_add(&c->err, chunk + n - keep, keep);
	}
}

static void
end_if_all_read(struct child *c)
{
	if (c->exited && c->out_watch.fd < 0 && c->err_watch.fd < 0)
		tell_ended(c);
}

static void
stdout_readable(struct loop_watch *w, int what)
{
	struct child *c = container_of(w, struct child, out_watch);

	(void)what;
	if (read_stdout(c, CHUNKS_PER_TURN))
		end_if_all_read(c);
}

static void
stderr_readable(struct loop_watch *w, int what)
{
	struct child *c = container_of(w, struct child, err_watch);

	(void)what;
	read_stderr(c, CHUNKS_PER_TURN);
	end_if_all_read(c);
}

/* Somebody outside the group holds a pipe; what it writes now is not part of
 * the task. */
static void
drain_over(struct loop_timer *t)
{
	struct child *c = container_of(t, struct child, drain);

	close_pipe(&c->out_watch);
	close_pipe(&c->err_watch);
	end_if_all_read(c);
}

/* ---- reaping ---- */
static void
record_exit(struct child *c, int wstatus, const struct rusage *ru)
{
	bool by_signal = WIFSIGNALED(wstatus);

	c->exited = true;
	c->exit.status = by_signal ? -1 : WEXITSTATUS(wstatus);
	c->exit.signo = by_signal ? WTERMSIG(wstatus) : 0;
	c->exit.max_rss_kb = ru->ru_maxrss;
	c->exit.cpu_us = ru->ru_utime.tv_usec + ru->ru_stime.tv_usec +
	    (ru->ru_utime.tv_sec + ru->ru_stime.tv_sec) * 1000000LL;
}

static void
child_exited(struct child *c, int wstatus, const struct rusage *ru)
{
	TAILQ_REMOVE(&children, c, link);
	record_exit(c, wstatus, ru);
	close_stdin(c);
	timer_arm_ms(&c->drain, DRAIN_MS);
	if (!read_stdout(c, CHUNKS_AT_END))
		return;
	read_stderr(c, CHUNKS_AT_END);
	end_if_all_read(c);
}

static struct child *
find(pid_t pid)
{
	struct child *c;

	TAILQ_FOREACH (c, &children, link)
		if (c->pid == pid)
			return c;
	return NULL;
}

/* One signal may stand for many exits. Look before reaping, see above. */
static void
reap(void *arg, int signo)
{
	struct rusage ru;
	struct child *c;
	siginfo_t si;
	int wstatus;

	(void)arg;
	(void)signo;
	for (;;) {
		si.si_pid = 0;
		if (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) != 0 ||
		    si.si_pid == 0)
			return;
		c = find(si.si_pid);
		if (c != NULL)
			kill(-c->pid, SIGKILL);
		if (wait4(si.si_pid, &wstatus, WNOHANG, &ru) != si.si_pid)
			return;
		if (c != NULL)
			child_exited(c, wstatus, &ru);
	}
}

void
child_reaper_start(struct loop *l)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	loop_on_signal(l, SIGCHLD, reap, NULL);
}

/* ---- start ---- */
static void
close_all(int fd[3])
{
	int i, saved = errno;

	for (i = 0; i < 3; i++)
		if (fd[i] >= 0)
			close(fd[i]);
	errno = saved;
}

/* Non-blocking on our side only: the flag belongs to one end of a pipe, and
 * programs do not expect it on theirs. On failure some are open, none is -1
 * that is open. */
static bool
open_pipes(int ours[3], int theirs[3])
{
	int i, p[2];

	for (i = 0; i < 3; i++) {
		if (pipe2(p, O_CLOEXEC) != 0)
			return false;
		ours[i] = p[i == 0 ? 1 : 0];
		theirs[i] = p[i == 0 ? 0 : 1];
		if (fcntl(ours[i], F_SETFL, O_NONBLOCK) != 0)
			return false;
	}
	return true;
}

static struct child *
child_new(
    struct loop *l, const struct child_spec *spec, pid_t pid, const int fd[3])
{
	struct child *c = xcalloc(1, sizeof(*c));

	c->pid = pid;
	c->loop = l;
	c->send.fn = send_soon;
	buf_init(&c->in, spec->max_stdin > 0 ? spec->max_stdin : STDIN_MAX);
	buf_init(&c->out, spec->max_stdout);
	buf_init(&c->err, spec->max_stderr_tail);
	timer_init(&c->drain, l, drain_over);
	watch_init(&c->in_watch, l, stdin_writable);
	watch_init(&c->out_watch, l, stdout_readable);
	watch_init(&c->err_watch, l, stderr_readable);
	watch_set(&c->in_watch, fd[0], 0);
	watch_set(&c->out_watch, fd[1], WATCH_READ);
	watch_set(&c->err_watch, fd[2], WATCH_READ);
	TAILQ_INSERT_TAIL(&children, c, link);
	return c;
}

struct child *
child_start(struct loop *l, const struct child_spec *spec,
    const struct child_events *events, void *arg)
{
	int ours[3] = { -1, -1, -1 };
	struct child_plan plan;
	struct child *c;
	pid_t pid = -1;

	assert(spec->argv[0] != NULL);
	if (child_plan_init(&plan, spec) && open_pipes(ours, plan.fd))
		pid = child_plan_start(&plan);
	close_all(plan.fd);
	child_plan_fini(&plan);
	if (pid < 0) {
		close_all(ours);
		return NULL;
	}
	c = child_new(l, spec, pid, ours);
	c->events = events;
	c->arg = arg;
	return c;
}

/* ---- the rest of the contract ---- */
void *
child_arg(const struct child *c)
{
	return c->arg;
}

pid_t
child_pid(const struct child *c)
{
	return c->pid;
}

void
child_write(struct child *c, const void *p, size_t len)
{
	if (c->in_watch.fd < 0 || c->in_closing)
		return;
	if (len > c->in.max - c->in.len) {
		refuse_input(c);
		return;
	}
	buf_add(&c->in, p, len);
	if (c->in_watch.what == 0)
		feed(c);
}

struct buf *
child_input(struct child *c)
{
	if (c->in_watch.fd < 0 || c->in_closing)
		return NULL;
	loop_late(c->loop, &c->send);
	return &c->in;
}

void
child_close_stdin(struct child *c)
{
	c->in_closing = true;
	if (c->in_watch.fd >= 0 && c->in_watch.what == 0)
		feed(c);
}

void
child_signal(struct child *c, int signo)
{
	if (!c->exited)
		kill(-c->pid, signo);
}

void
child_free(struct child *c)
{
	if (c == NULL)
		return;
	child_signal(c, SIGKILL);
	if (!c->exited)
		TAILQ_REMOVE(&children, c, link);
	c->exited = true; /* for us; whoever reaps it finds nobody here */
	c->freed = true;
	if (!c->in_event)
		destroy(c);
}
