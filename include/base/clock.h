#ifndef TASKFLOW_BASE_CLOCK_H
#define TASKFLOW_BASE_CLOCK_H

/*
 * Time. Intervals come from the monotonic clock, which counts suspended time
 * too (CLOCK_BOOTTIME), so that a lease is over after a sleep of the machine.
 * Only this file reads a clock, so tests can stop it.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define US_PER_MS	1000LL
#define US_PER_S	1000000LL

int64_t clock_mono_us(void);
int64_t clock_wall_us(void);	/* since 1970-01-01 UTC */

/* Tests only: both clocks return what is set from now on; -1 lets them run. */
void clock_freeze(int64_t mono_us, int64_t wall_us);

#define TIME_TEXT_SIZE	32
/* RFC 3339, UTC, microseconds: 2026-01-02T03:04:05.678901Z. What lies outside
 * of the years 0 to 9999 becomes their first or last microsecond. */
void time_format(int64_t wall_us, char ret[TIME_TEXT_SIZE]);
/* RFC 3339 with any offset; refuses what is not a real time. A leap second
 * (only where there can be one) is the second after it; digits finer than a
 * microsecond are cut off. ret is untouched on failure. */
bool time_parse(const char *, size_t len, int64_t *ret_wall_us);

#endif
