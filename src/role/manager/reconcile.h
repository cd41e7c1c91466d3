#ifndef TASKFLOW_ROLE_MANAGER_RECONCILE_H
#define TASKFLOW_ROLE_MANAGER_RECONCILE_H

/* What the parts of the reconciler share: one struct for each Redis server,
 * which outlives the flows that work on it. */
#include "base/idmap.h"
#include "manager.h"

enum pass { PASS_NONE, PASS_WINDOW, PASS_FULL, PASS_REBUILD };

/* Rows of the walk that are handled together. */
struct chunk {
	struct task_ref refs[CHUNK];
	size_t n;
};

struct reconciler {
	struct duty duty; /* first */
	struct manager *manager;
	enum task_priority server;
	struct redis *redis;

	enum pass pass;
	struct id at, upto; /* the walk is between these */
	struct id chunk;    /* where the chunk in hand began */
	bool resume;	    /* a full pass goes on where the last one failed */
	struct id window;   /* up to here everything was looked at */
	bool failed;	    /* the pass could not do all it should */
	uint64_t generation; /* of the connection, at the last full pass */
	int64_t list_cursor; /* where the last chunk stood in its list */
	uint64_t walked, pushed, recovered;
	int64_t window_due_us, full_due_us;
	struct id epoch;

	/* while a pass runs */
	struct chunk *queued;  /* should stand in a list */
	struct chunk *running; /* should have a living worker */
};

/* The three flows that a pass calls; end with OK or with why the pass is not
 * complete. */
struct flow *member_new(struct reconciler *);	/* checks and pushes queued */
struct flow *orphan_new(struct reconciler *);	/* checks running */
struct flow *sweep_new(struct reconciler *);	/* lists of unknown workers */

/* A flow on a reconciler begins with this. */
struct part {
	struct flow flow;
	struct reconciler *r;
};

static inline struct reconciler *
reconciler_of(struct flow *f)
{
	return ((struct part *)f)->r;
}

#endif
