#ifndef TASKFLOW_ROLE_API_DRAFT_H
#define TASKFLOW_ROLE_API_DRAFT_H

/* What a client asks for with POST /tasks, read and checked. Pure. */
#include "base/conf.h"
#include "base/jsn.h"
#include "task/tasks.h"

/* As far ahead as a task may be planned: ten years of 365 days. */
#define DRAFT_MAX_AHEAD_S 315360000LL
#define DRAFT_MAX_ATTEMPTS 100
#define DRAFT_MAX_TIMEOUT_S 86400

/* Fills all of ret but its ids. The payload is borrowed from the body, byte for
 * byte; texts are in the arena. */
enum err draft_parse(struct span body, const struct conf *, int64_t now_us,
    struct arena *, struct task_draft *ret, struct fault *);

/* What a draft is made with, beside what the client says. */
struct draft_base {
	const struct conf *conf;
	int64_t now_us;
	struct arena *arena;
};
/* Its members. */
struct input_table;
extern const struct input_table draft_input;
/* The same from members that were read already. */
enum err draft_take(const struct jsn_member *, size_t n,
    const struct draft_base *, struct task_draft *ret, struct fault *);

/* Is this a traceparent (W3C Trace Context, level 1) that may be handed on? */
bool traceparent_ok(const char *);

#endif
