#ifndef TASKFLOW_ROLE_API_DRAFTS_H
#define TASKFLOW_ROLE_API_DRAFTS_H

/* What a client asks for with POST /tasks/batch, read and checked, in one pass
 * over the body. Pure. */
#include "draft.h"

#define DRAFTS_MAX 1000

/* Why one item is not accepted; the fault's pointer is relative to the item. */
struct refusal {
	enum err err;
	struct fault fault;
};

struct drafts {
	struct task_draft *draft; /* the good ones, in order */
	size_t n;
	/* Of each item: NULL for a good one, which is the next draft. */
	const struct refusal **item;
	size_t nitems;
};

/* An error: the whole request is refused. Good and bad items are no errors.
 * Fills all of the drafts but their ids; what they point to is in the body and
 * the arena. */
enum err drafts_parse(struct span body, const struct draft_base *,
    struct drafts *ret, struct fault *);

extern const struct input_table drafts_input;

/* How many items there are, without a look into them; 1 if the body will be
 * refused for what it is. */
size_t drafts_count(struct span body, struct arena *);

/* In the arena. */
const struct refusal *refusal_new(
    struct arena *, enum err, const struct fault *);

#endif
