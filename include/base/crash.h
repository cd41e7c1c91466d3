#ifndef TASKFLOW_BASE_CRASH_H
#define TASKFLOW_BASE_CRASH_H

/*
 * Crash points, for tests: built with TASKFLOW_CRASH_POINTS the process kills
 * itself where the environment variable CRASH_AT says. Every step of every flow
 * is such a point, so none can be forgotten.
 *
 *	CRASH_AT=submit:announce	before that step
 *	CRASH_AT=submit:insert_task+	while it waits for what it has asked for
 *	CRASH_AT=submit:end		before its end, where it would reply
 */
#ifdef TASKFLOW_CRASH_POINTS
void crash_before(const char *flow, const char *step);
void crash_while(const char *flow, const char *step);
#else
static inline void
crash_before(const char *flow, const char *step)
{
	(void)flow;
	(void)step;
}

static inline void
crash_while(const char *flow, const char *step)
{
	(void)flow;
	(void)step;
}
#endif

#endif
