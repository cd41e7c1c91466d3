#ifndef TASKFLOW_LOOP_LOOP_H
#define TASKFLOW_LOOP_LOOP_H

/*
 * The event loop: timers, file descriptors, signals, and work for a little
 * later. Only src/loop sees libevent. Everything here runs on one thread.
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#ifndef TAILQ_FOREACH_SAFE	/* glibc's sys/queue.h has none */
#define TAILQ_FOREACH_SAFE(var, head, field, next)			\
	for ((var) = TAILQ_FIRST(head);					\
	    (var) != NULL && ((next) = TAILQ_NEXT(var, field), 1);	\
	    (var) = (next))
#endif

struct loop;
struct event;
struct event_base;

struct loop *loop_open(void);
/* All timers, watches and flows must be gone. */
void loop_close(struct loop *);
void loop_run(struct loop *);		/* until loop_stop */
void loop_stop(struct loop *);
/* One turn without waiting; for tests and for closing down. */
void loop_turn(struct loop *);
/* For src/loop alone. */
struct event_base *loop_base(struct loop *);

/* Turns of the loop so far, and the worst lateness of a 500 ms tick since the
 * last call, in microseconds. */
uint64_t loop_turns(const struct loop *);
int64_t loop_take_lag_us(struct loop *);

/* ---- soon: fn(task) runs after the current callback has returned ---- */
struct loop_task {
	void (*fn)(struct loop_task *);
	TAILQ_ENTRY(loop_task) link;
	struct task_list *list;	/* in which it waits; NULL: in none */
};
TAILQ_HEAD(task_list, loop_task);
/* Asking twice before it ran is asking once. */
void loop_soon(struct loop *, struct loop_task *);
/* In the same turn, after all that is to run soon by now: for what sends off
 * together what came together. */
void loop_late(struct loop *, struct loop_task *);
/* When nothing else is to be done: no socket is readable, no timer is due, no
 * task is queued. loop_soon for the same task makes it soon. */
void loop_idle(struct loop *, struct loop_task *);
void loop_task_cancel(struct loop *, struct loop_task *);

/* ---- timers: embedded, one shot ---- */
struct loop_timer {
	void	    (*fn)(struct loop_timer *);
	struct loop  *loop;
	struct event *ev;		/* NULL until first armed */
	bool	      armed;
};
void timer_init(struct loop_timer *, struct loop *,
    void (*fn)(struct loop_timer *));
void timer_arm_ms(struct loop_timer *, int64_t ms);	/* again: moves it */
void timer_arm_us(struct loop_timer *, int64_t us);
void timer_disarm(struct loop_timer *);
void timer_fini(struct loop_timer *);

/* ---- descriptors ---- */
#define WATCH_READ	1
#define WATCH_WRITE	2
struct loop_watch {
	void	    (*fn)(struct loop_watch *, int what);
	struct loop  *loop;
	struct event *ev;
	int	      fd;
	int	      what;		/* what it is armed for; 0: nothing */
};
void watch_init(struct loop_watch *, struct loop *,
    void (*fn)(struct loop_watch *, int what));
/* Persistent until changed; what = 0 stops. The event is made anew whenever fd
 * or what changes, since libevent goes deaf on a reused fd number. Before
 * closing fd: watch_fini or watch_set with 0. */
void watch_set(struct loop_watch *, int fd, int what);
/* Force a new event for the same fd number (a library may have replaced the
 * socket behind it). */
void watch_renew(struct loop_watch *, int fd, int what);
void watch_fini(struct loop_watch *);

/* ---- signals ---- */
void loop_on_signal(struct loop *, int signo, void (*fn)(void *, int signo),
    void *arg);

#endif
