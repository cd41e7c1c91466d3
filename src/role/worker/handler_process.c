/*
 * process: programs that stay and are given one task after the other, each a
 * line of JSON on their standard input, and answer with lines of JSON (see
 * handler_proc.c). Here is the pool: who gets a task, who is started, who is
 * told to leave.
 *
 * Tasks go to as few programs as there must be: first to one that has tasks and
 * may have more, then to an idle one, then to a new one.
 */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "handler_proc.h"

/* So many programs in a row that end before they have ever answered make us
 * pause before the next start, each further one twice as long. */
#define BAD_STARTS 3
#define PAUSE_FIRST_MS 100
#define PAUSE_MAX_MS 5000

/* ---- one program ---- */
static void
proc_move(struct proc *p, enum proc_state to)
{
	struct pool *pool = pool_of(p);

	TAILQ_REMOVE(&pool->procs[p->state], p, link);
	/* Who has just worked is the next to work: others are left asleep. */
	TAILQ_INSERT_HEAD(&pool->procs[to], p, link);
	p->state = to;
}

void
proc_sort(struct proc *p)
{
	enum proc_state to = PROC_BUSY;

	if (p->state == PROC_LEAVING)
		return;
	if (p->nruns == 0)
		to = PROC_IDLE;
	else if (p->nruns >= (size_t)p->handler->conf->in_flight)
		to = PROC_FULL;
	if (to != p->state)
		proc_move(p, to);
}

void
proc_free(struct proc *p)
{
	struct pool *pool = pool_of(p);

	assert(p->nruns == 0);
	TAILQ_REMOVE(&pool->procs[p->state], p, link);
	timer_fini(&p->grace);
	program_free(p->handler, p->child);
	free(p);
}

static void
grace_is_over(struct loop_timer *t)
{
	child_signal(container_of(t, struct proc, grace)->child, SIGKILL);
}

static void
proc_leave(struct proc *p)
{
	if (p->state == PROC_LEAVING)
		return;
	proc_move(p, PROC_LEAVING);
	child_close_stdin(p->child);
	child_signal(p->child, SIGTERM);
	timer_arm_ms(&p->grace, p->handler->conf->grace_ms);
}

/* It ended, or had to be ended, unasked. Programs that were started together
 * fail together: that is one failure. */
void
proc_judge(const struct proc *p)
{
	struct pool *pool = pool_of(p);
	int64_t ms = PAUSE_FIRST_MS;
	int n;

	if (p->has_answered || p->state == PROC_LEAVING ||
	    p->started_us < pool->judged_us)
		return;
	n = ++pool->bad_starts;
	if (n < BAD_STARTS)
		return;
	while (n-- > BAD_STARTS && ms < PAUSE_MAX_MS)
		ms *= 2;
	timer_arm_ms(&pool->pause, ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS);
	pool->judged_us = clock_mono_us();
}

void
proc_praise(struct proc *p)
{
	struct pool *pool = pool_of(p);

	p->has_answered = true;
	pool->bad_starts = 0;
	if (pool->pause.armed)
		timer_arm_ms(&pool->pause, 0);
}

/* ---- the kind ---- */
static struct proc *
start_program(struct pool *pool, struct run *run)
{
	struct proc *p = proc_new(run);

	if (p == NULL)
		return NULL;
	timer_init(&p->grace, pool->handler->all->loop, grace_is_over);
	p->state = PROC_IDLE;
	TAILQ_INSERT_HEAD(&pool->procs[PROC_IDLE], p, link);
	return p;
}

static void
process_start(struct run *run)
{
	struct pool *pool = run->handler->priv;
	struct proc *p = TAILQ_FIRST(&pool->procs[PROC_BUSY]);

	if (p == NULL)
		p = TAILQ_FIRST(&pool->procs[PROC_IDLE]);
	if (p == NULL && pool->pause.armed)
		return; /* pause_is_over comes back to it */
	if (p == NULL)
		p = start_program(pool, run);
	if (p != NULL)
		proc_give(p, run);
}

static void
pause_is_over(struct loop_timer *t)
{
	struct pool *pool = container_of(t, struct pool, pause);
	struct run *run, *next;

	TAILQ_FOREACH_SAFE (run, &pool->handler->active, handler_link, next)
		if (run->priv == NULL)
			process_start(run);
}

static void
process_stop(struct run *run, int signo)
{
	struct proc *p = run->priv;

	if (p == NULL)
		run_fail(run, VERDICT_FAILED,
		    "no program was running: it keeps ending at its start",
		    span_of(NULL));
	else if (signo == SIGTERM)
		proc_leave(p);
	else
		child_signal(p->child, signo);
}

static void
process_abandon(struct run *run)
{
	struct proc *p = run->priv;

	if (p == NULL)
		return;
	proc_drop(p, run);
	if (p->nruns == 0)
		proc_free(p);
}

static void
process_open(struct handler *h)
{
	static const char name[] = "TASKFLOW_TYPE=";
	struct pool *pool = xcalloc(1, sizeof(*pool));
	size_t size = sizeof(name) + strlen(h->type);
	int i;

	pool->handler = h;
	for (i = 0; i < PROC_STATES; i++)
		TAILQ_INIT(&pool->procs[i]);
	idmap_init(&pool->runs);
	timer_init(&pool->pause, h->all->loop, pause_is_over);
	pool->type_env = xmalloc(size);
	snprintf(pool->type_env, size, "%s%s", name, h->type);
	h->priv = pool;
}

static void
process_dismiss(struct handler *h)
{
	struct pool *pool = h->priv;
	struct proc *p;

	assert(TAILQ_EMPTY(&pool->procs[PROC_BUSY]));
	assert(TAILQ_EMPTY(&pool->procs[PROC_FULL]));
	while ((p = TAILQ_FIRST(&pool->procs[PROC_IDLE])) != NULL)
		proc_leave(p);
}

/* Looked at without reaping it, which is the loop's. */
static bool
process_is_alive(const struct handler *h)
{
	const struct pool *pool = h->priv;
	const struct proc *p;
	siginfo_t si;

	TAILQ_FOREACH (p, &pool->procs[PROC_LEAVING], link) {
		si.si_pid = 0;
		if (waitid(P_PID, (id_t)child_pid(p->child), &si,
			WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    si.si_pid == 0)
			return true;
	}
	return false;
}

static void
process_close(struct handler *h)
{
	struct pool *pool = h->priv;
	struct proc *p;

	while ((p = TAILQ_FIRST(&pool->procs[PROC_LEAVING])) != NULL)
		proc_free(p);
	idmap_fini(&pool->runs);
	timer_fini(&pool->pause);
	free(pool->type_env);
	free(pool);
}

const struct handler_ops handler_process = {
	.start = process_start,
	.stop = process_stop,
	.abandon = process_abandon,
	.open = process_open,
	.dismiss = process_dismiss,
	.is_alive = process_is_alive,
	.close = process_close,
};
