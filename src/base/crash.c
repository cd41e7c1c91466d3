/* Crash points, for tests alone. */
#include "base/crash.h"

#ifdef TASKFLOW_CRASH_POINTS
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

/* Long enough for a statement to be on its way, too short for its answer to be
 * dealt with, most of the time. */
#define SOON_US 700

static bool
is_here(const char *flow, const char *step, const char *mark)
{
	static const char *at;
	static bool asked;
	char here[160];

	if (!asked)
		at = getenv("CRASH_AT");
	asked = true;
	if (at == NULL)
		return false;
	snprintf(here, sizeof(here), "%s:%s%s", flow, step, mark);
	return strcmp(here, at) == 0;
}

void
crash_before(const char *flow, const char *step)
{
	if (is_here(flow, step, ""))
		kill(getpid(), SIGKILL);
}

void
crash_while(const char *flow, const char *step)
{
	const struct itimerval soon = { .it_value = { 0, SOON_US } };

	/* SIGALRM is not handled: it ends the process wherever it is. */
	if (is_here(flow, step, "+"))
		setitimer(ITIMER_REAL, &soon, NULL);
}
#endif
