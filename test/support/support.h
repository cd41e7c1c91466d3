#ifndef TASKFLOW_TEST_SUPPORT_H
#define TASKFLOW_TEST_SUPPORT_H

/*
 * What every integration test needs: cmocka, the clock, waiting for a condition
 * and the group of tests with its stack. A test never sleeps to be in step with
 * the daemon; it waits until something holds, with a deadline that only a defect
 * can miss.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NELEM(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
/* Two noisy cores, sanitizers, other tests beside us. */
#define PATIENCE_MS (90 * 1000)
#define POLL_MS 15

#define UNTIL(condition)                                                 \
	do {                                                             \
		int64_t give_up_ = now_ms() + PATIENCE_MS;               \
		while (!(condition)) {                                   \
			if (now_ms() > give_up_)                         \
				fail_msg("not in time: %s", #condition); \
			pause_ms(POLL_MS);                               \
		}                                                        \
	} while (0)

/* Of the monotonic clock. */
int64_t now_ms(void);
/* To poll, and to pace a load; never to be in step with something. */
void pause_ms(int64_t ms);
/* printf into memory that is used again after some dozen calls: not for what is
 * kept over an UNTIL, and not for threads. */
const char *text(const char *fmt, ...) PRINTF(1, 2);
/* The whole file; heap, or NULL. */
char *read_file(const char *path);

/* A group of tests on a stack of its own (stack.h). Each test begins with all
 * parts of `roles` running on empty tables and lists. */
struct group {
	const char *name;
	const char *roles; /* for stack up; NULL: the servers alone */
	const char *conf; /* more settings for taskflowd */
	const struct CMUnitTest *tests;
	size_t ntests;
};
/* For main(): how many failed. An argument is a pattern of names of tests. */
int group_run(const struct group *, int argc, char **argv);

#endif
