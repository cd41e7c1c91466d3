#ifndef TASKFLOW_LOOP_FLOW_H
#define TASKFLOW_LOOP_FLOW_H

/*
 * Flows: what happens over time, written so that it reads from top to bottom.
 * A flow is a constant table of steps in one file. Four rules are the model:
 *
 * 1. A step runs only if every step above it succeeded. Refusals are errors
 *    too, so a step never begins by checking the last one.
 * 2. A step waits at most once, as its last act, by returning the call it
 *    waits for: `return pg_run(call, f);` is our await.
 * 3. A flow ends exactly once, in its `end` function, the only place that
 *    replies: success, refusal, lost connection, deadline, all arrive there.
 * 4. No call resumes its caller before it has returned: completion is always
 *    a loop turn later.
 *
 * Memory: the flow and everything in its arena die together, after `end`.
 */
#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/mem.h"
#include "loop/loop.h"

struct flow;
struct op;

enum flow_next { FLOW_NEXT, FLOW_WAIT, FLOW_END };
typedef enum flow_next flow_step(struct flow *);

struct step {
	const char *name;
	flow_step  *run;
};
#define STEP(fn)	{ #fn, fn }
#define STEP_LAST	{ NULL, NULL }

struct flow_def {
	const char	  *name;
	size_t		   size;	/* of the struct that begins with struct flow */
	const struct step *steps;
	void		 (*end)(struct flow *, enum err);
};

struct flow {
	const struct flow_def *def;
	struct loop	      *loop;
	const struct step     *step;	/* the next one to run */
	struct op	      *op;	/* what we wait for; NULL while running */
	struct op	      *caller;	/* of flow_call; NULL: nobody */
	enum err	       err;	/* why the flow will end */
	bool		       running;	/* guard against resuming from inside */
	struct arena	       arena;
	struct loop_task       wake;
	struct loop_timer      deadline;
};

/* Zeroed but for its head; nothing runs yet. */
struct flow *flow_new(struct loop *, const struct flow_def *);
/* Run the first step now. The flow may have ended when this returns. */
void flow_go(struct flow *);
/* From now on at most so long; then it ends with ERR_TIMEOUT. 0: no limit. */
void flow_deadline_ms(struct flow *, int64_t ms);
/* End it with err at the next turn, whatever it waits for. Not from its own
 * steps (they return flow_check). */
void flow_abort(struct flow *, enum err);
/* Flows that have not ended, of this loop. */
size_t flow_count(const struct loop *);

/* For steps: OK goes on, anything else ends the flow with it. */
enum flow_next flow_check(struct flow *, enum err) MUST_USE;
/* For steps: the next step is that one, which must stand in the same table. */
enum flow_next flow_goto(struct flow *, flow_step *) MUST_USE;
/* For steps that wait: what runs after it, instead of the next in the table. */
void flow_then(struct flow *, flow_step *);
/* For steps: begin again with the first step and an empty arena, so that a
 * flow that loops for ever does not grow. */
enum flow_next flow_again(struct flow *) MUST_USE;
/* For steps: waits. */
enum flow_next flow_sleep_ms(struct flow *, int64_t ms) MUST_USE;
/* For steps: waits until another flow, made by flow_new and not yet begun, has
 * ended, with its error. If the caller goes first the other is aborted; what
 * they share must outlive both, so it belongs to neither's arena. */
enum flow_next flow_call(struct flow *, struct flow *callee) MUST_USE;
/* For steps: give other flows a turn. */
enum flow_next flow_yield(struct flow *) MUST_USE;

/*
 * op: one thing a flow can wait for. The owner (a store, a timer, a child)
 * embeds it, hands it to flow_wait, and calls op_done exactly once, unless
 * abandon was called before: then nobody waits any more and the owner must
 * clean up by itself. An op may be completed before anybody waits for it; the
 * waiter is then woken a turn later all the same.
 */
struct op {
	struct flow *waiter;
	bool	     done;
	enum err	     err;
	void	   (*abandon)(struct op *);	/* may be NULL */
};

void op_init(struct op *, void (*abandon)(struct op *));
enum flow_next flow_wait(struct flow *, struct op *) MUST_USE;
/* What waits continues with err (OK: its next step) at the next turn. */
void op_done(struct op *, enum err);

/*
 * signal: a level that one flow may wait for and anybody may raise. Raising it
 * while nobody waits is remembered once.
 */
struct flow_signal {
	struct op	  op;
	struct loop_timer timer;
	bool		  raised;
	bool		  waiting;
};
void signal_init(struct flow_signal *, struct loop *);
void signal_fini(struct flow_signal *);
void signal_raise(struct flow_signal *);
/* For steps: waits until raised, and lowers it. ms > 0: at most so long, then
 * goes on just the same. */
enum flow_next signal_wait(struct flow *, struct flow_signal *, int64_t ms)
    MUST_USE;

#endif
