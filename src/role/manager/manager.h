#ifndef TASKFLOW_ROLE_MANAGER_MANAGER_H
#define TASKFLOW_ROLE_MANAGER_MANAGER_H

/*
 * What the parts of the manager share. Each part is a loop of its own that
 * sleeps while another process leads; whatever it writes is a compare-and-set,
 * so that a leader who does not know yet that he is deposed does no harm.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/metric.h"
#include "role/app.h"
#include "task/queue.h"
#include "task/tasks.h"

/* Refs handled together. */
#define CHUNK 1000

struct manager;
struct reconciler;

/* One loop of the leader. */
struct duty {
	struct manager *manager;
	struct flow *flow;
	struct flow_signal wake;
};

struct manager {
	struct app *app;
	struct id id;
	bool leading;
	bool draining, resigned;
	bool hurried; /* asked twice: what is in hand is left to the next */
	int64_t term;
	int64_t lease_until_us; /* by our own clock */
	int64_t hold_until_us;	/* no verdicts on workers before that */
	struct redis_listener *due_listener;
	struct flow *elect;
	struct flow_signal elect_wake;
	struct duty schedule, scan, upkeep, depth, forget, inflight;
	struct depth *depths; /* depth.c */
	struct reconciler *reconciler[2]; /* by server */
};

/* Do we lead, as far as our own clock can tell? */
static inline bool
leads(const struct manager *m)
{
	return m->leading && !m->draining &&
	    clock_mono_us() < m->lease_until_us;
}

/* Have all duties come to the end of what they had in hand? While draining
 * they end instead of sleeping. */
bool duties_are_done(const struct manager *);
void elect_start(struct manager *);
void schedule_start(struct manager *);
void scan_start(struct manager *);
/* May workers be declared dead? Not soon after redis-high came up or lost its
 * data: heartbeats that expired meanwhile prove nothing. */
bool may_judge(const struct manager *);
struct reconciler *reconcile_start(struct manager *, enum task_priority server);
void reconcile_wake(struct reconciler *);
bool reconcile_runs(const struct reconciler *);
void reconcile_stop(struct reconciler *);
void reconcile_free(struct reconciler *);
/* Something could not be pushed, or may be lost: look at everything, at the
 * latest in so many milliseconds. */
void want_full_pass(struct manager *, enum task_priority server, int64_t in_ms);
void upkeep_start(struct manager *);
void depth_start(struct manager *);
void depth_free(struct manager *);
void forget_start(struct manager *);
void inflight_start(struct manager *);

/* For the first step of a duty: sleep until woken, at most so long; while
 * draining this is the end of it. */
enum flow_next duty_sleep(struct flow *, struct duty *, int64_t ms) MUST_USE;
/* Begin a duty's flow, whose struct begins with struct duty_flow. */
struct duty_flow {
	struct flow flow;
	struct duty *duty;
};
void duty_init(struct duty *, struct manager *);
void duty_start(struct duty *, const struct flow_def *);
void duty_end(struct flow *, enum err);	/* the flows' end */

/* Take those of the first ref's queue out of refs (at most CHUNK) and
 * make the push for them; *n shrinks to the rest. ids are in the arena. */
struct redis_call *push_group(struct manager *, enum task_priority server,
    struct arena *, struct task_ref *refs, size_t *n, bool at_head);

#endif
