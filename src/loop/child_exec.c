/*
 * From fork to exec: the plan, made by the parent, and its execution in the new
 * process, which may only make calls that are safe in a signal handler.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child_exec.h"

#define CPU_GRACE_S 5 /* from SIGXCPU to SIGKILL */
/* What programs expect, whatever we raised ours to: select(2) ends there, and
 * some close every descriptor up to the limit when they start. */
#define CHILD_NOFILE 1024
#define STACK_SIZE (64 * 1024)

/* Two-byte ids are the default of these calls on old 32-bit machines. */
#ifdef SYS_setresuid32
#define CALL_SETGROUPS SYS_setgroups32
#define CALL_SETRESGID SYS_setresgid32
#define CALL_SETRESUID SYS_setresuid32
#else
#define CALL_SETGROUPS SYS_setgroups
#define CALL_SETRESGID SYS_setresgid
#define CALL_SETRESUID SYS_setresuid
#endif

/* ---- the plan ---- */

/* Never above the hard limit we have ourselves: raising it would be refused. */
static void
plan_limit(struct child_plan *p, const char *name, int resource, rlim_t soft,
    rlim_t hard)
{
	struct child_limit *l = &p->limits[p->nlimits++];
	struct rlimit now;

	if (getrlimit(resource, &now) != 0)
		now.rlim_max = RLIM_INFINITY;
	l->name = name;
	l->resource = resource;
	l->value.rlim_max = hard < now.rlim_max ? hard : now.rlim_max;
	l->value.rlim_cur = soft < l->value.rlim_max ? soft : l->value.rlim_max;
}

static void
plan_limits(struct child_plan *p)
{
	const struct child_spec *s = p->spec;

	plan_limit(p, "core", RLIMIT_CORE, 0, 0);
	plan_limit(p, "files", RLIMIT_NOFILE, CHILD_NOFILE, RLIM_INFINITY);
	if (s->max_cpu_s > 0)
		plan_limit(p, "cpu", RLIMIT_CPU, (rlim_t)s->max_cpu_s,
		    (rlim_t)s->max_cpu_s + CPU_GRACE_S);
	/* Last: from here on even our own stack may not grow. */
	if (s->max_memory > 0)
		plan_limit(p, "memory", RLIMIT_AS, (rlim_t)s->max_memory,
		    (rlim_t)s->max_memory);
}

static void
plan_groups(struct child_plan *p, const struct passwd *pw)
{
	p->ngroups = 32;
	do {
		p->groups =
		    xrealloc(p->groups, (size_t)p->ngroups * sizeof(gid_t));
	} while (
	    getgrouplist(pw->pw_name, pw->pw_gid, p->groups, &p->ngroups) < 0);
}

static bool
plan_user(struct child_plan *p)
{
	const struct passwd *pw;

	if (p->spec->user == NULL)
		return true;
	errno = 0;
	pw = getpwnam(p->spec->user);
	if (pw == NULL) {
		if (errno != ENOMEM && errno != EMFILE && errno != ENFILE)
			errno = EINVAL;
		return false;
	}
	/* Who is that user already cannot set groups, and need not. */
	if (geteuid() != 0 && geteuid() == pw->pw_uid)
		return true;
	p->switch_user = true;
	p->uid = pw->pw_uid;
	p->gid = pw->pw_gid;
	plan_groups(p, pw);
	return true;
}

bool
child_plan_init(struct child_plan *p, const struct child_spec *spec)
{
	*p = (struct child_plan){ .spec = spec, .fd = { -1, -1, -1 } };
	p->parent = getpid();
	plan_limits(p);
	return plan_user(p);
}

void
child_plan_fini(struct child_plan *p)
{
	free(p->groups);
}

/* ---- in the new process: system calls only ---- */
static void
say(const char *s)
{
	/* The parent keeps the pipe empty enough; if not, there is nobody to
	 * tell. */
	if (write(STDERR_FILENO, s, strlen(s)) < 0)
		return;
}

/* One line for the tail of the errors, and the status that shells use. */
static _Noreturn void
fail(const char *what, const char *object)
{
	const char *reason = strerrordesc_np(errno);

	say("taskflowd: cannot ");
	say(what);
	say(" ");
	say(object);
	say(": ");
	say(reason == NULL ? "unknown error" : reason);
	say("\n");
	_exit(127);
}

/* Handlers would run the parent's code, and what is ignored (SIGPIPE) stays so
 * over exec. The last two steps must be in this order. */
static void
reset_signals(void)
{
	struct sigaction dfl = { .sa_handler = SIG_DFL };
	sigset_t none;
	int signo;

	for (signo = 1; signo < NSIG; signo++)
		sigaction(signo, &dfl, NULL); /* SIGKILL refuses: fine */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Any of ours may itself be 0, 1 or 2: first out of the way, then in place. */
static void
place_descriptors(const int from[3])
{
	int high[3], i;

	for (i = 0; i < 3; i++) {
		high[i] = fcntl(from[i], F_DUPFD, 3);
		if (high[i] < 0)
			_exit(127);
	}
	for (i = 0; i < 3; i++)
		if (dup2(high[i], i) < 0)
			_exit(127);
	/* A kernel without the call, or a filter that forbids it: ours are all
	 * close-on-exec, only what somebody left to us would get through. */
	if (close_range(3, UINT_MAX, 0) != 0)
		for (i = 3; i < CHILD_NOFILE; i++)
			close(i);
}

/* Not the functions of libc: they would make every thread do it, and wait for
 * threads that only the parent has. */
static void
become_user(const struct child_plan *p)
{
	if (!p->switch_user)
		return;
	if (syscall(CALL_SETGROUPS, p->ngroups, p->groups) != 0 ||
	    syscall(CALL_SETRESGID, p->gid, p->gid, p->gid) != 0 ||
	    syscall(CALL_SETRESUID, p->uid, p->uid, p->uid) != 0)
		fail("become user", p->spec->user);
}

/* When memory runs out the kernel shall take the task, and not the worker with
 * all its other tasks; among tasks the largest (proc(5), oom_score_adj). Where
 * it is forbidden things stay as they are. */
static void
offer_to_the_oom_killer(void)
{
	static const char most[] = "1000";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, most, sizeof(most) - 1) < 0)
		errno = 0;
	close(fd);
}

/* After the change of user, which clears the death signal. The parent may have
 * died before it was set. */
static void
tie_to_parent(const struct child_plan *p)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		fail("set", "the parent death signal");
	if (getppid() != p->parent)
		_exit(127);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		fail("set", "no_new_privs");
}

static void
set_limits(const struct child_plan *p)
{
	const struct child_limit *l;

	for (l = p->limits; l < p->limits + p->nlimits; l++)
		if (setrlimit(l->resource, &l->value) != 0)
			fail("limit", l->name);
}

static _Noreturn void
become_program(const struct child_plan *p)
{
	const struct child_spec *s = p->spec;
	const char *dir = s->directory == NULL ? "/" : s->directory;

	setpgid(0, 0); /* the parent does it too: who comes first */
	reset_signals();
	place_descriptors(p->fd);
	offer_to_the_oom_killer(); /* before: another user may not */
	become_user(p);
	tie_to_parent(p);
	if (chdir(dir) != 0)
		fail("enter", dir);
	set_limits(p);
	execve(s->argv[0], s->argv, s->envp);
	fail("execute", s->argv[0]);
}

/* ---- the fork ---- */

/* A copy of our tables of pages, which the new process throws away at once,
 * costs more than all the rest. So it shares our memory, on a stack of its own,
 * and we wait until it has executed the program, as vfork(2) does.
 *
 * Not who becomes another user: while it shares our memory that user could
 * stop it, and us with it. Nor under sanitizers, which keep books in memory. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MAY_SHARE false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define MAY_SHARE false
#endif
#endif
#ifndef MAY_SHARE
#define MAY_SHARE true
#endif

static int
run_plan(void *plan)
{
	become_program(plan);
}

static pid_t
start_sharing(struct child_plan *plan)
{
	/* One for all: until it is free again we wait. */
	static _Alignas(64) char stack[STACK_SIZE];

	return clone(run_plan, stack + sizeof(stack),
	    CLONE_VM | CLONE_VFORK | SIGCHLD, plan);
}

static pid_t
start_copy(struct child_plan *plan)
{
	pid_t pid = fork();

	if (pid == 0)
		become_program(plan);
	return pid;
}

/* No signal may be handled by the new process before it has reset them: it
 * shares the parent's signal pipe. */
pid_t
child_plan_start(struct child_plan *plan)
{
	sigset_t all, old;
	int saved;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	if (MAY_SHARE && !plan->switch_user)
		pid = start_sharing(plan);
	else
		pid = start_copy(plan);
	saved = errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (pid > 0)
		setpgid(pid, pid); /* refused once it has exec'd: fine */
	errno = saved;
	return pid;
}
