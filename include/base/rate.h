#ifndef TASKFLOW_BASE_RATE_H
#define TASKFLOW_BASE_RATE_H

/*
 * Rate limits: "100/s", "6000/min burst 100", "off". Pure.
 *
 * A bucket holds `burst` and gets `count` back in `per_ms`, evenly. What is
 * used is kept in parts of which per_ms make one, so that each millisecond
 * gives back exactly `count` of them: no division, no rounding, no drift. The
 * limits below keep every number under 2^53, since the script that does the
 * same in Redis (src/task/lua/charge.lua) has nothing but doubles.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATE_MAX	1000000	/* of count, and of burst */

struct rate {
	int64_t count;		/* 0: no limit */
	int64_t per_ms;		/* a second, a minute, an hour or a day */
	int64_t burst;		/* at once, after a pause; count unless told */
};

/* False: why is one line. */
bool rate_parse(const char *, struct rate *ret, const char **ret_why);
#define RATE_TEXT_SIZE	40
void rate_format(const struct rate *, char ret[RATE_TEXT_SIZE]);
/* What is allowed, for messages: "off, or ...". */
extern const char rate_allowed[];

/* ---- a bucket; all zero is a full one ---- */
struct rate_bucket {
	int64_t used;		/* in parts */
	int64_t at_ms;		/* as of then, by any clock that goes on */
	int64_t per_ms;		/* parts of one, when it was written */
};
/* Take so many, if they are there; else nothing is taken. */
bool rate_take(struct rate_bucket *, const struct rate *, int64_t cost,
    int64_t now_ms);
/* How many could be taken now. */
int64_t rate_left(const struct rate *, int64_t used);
/* Until the bucket is full again, and until so many are in it; they must not
 * be more than the burst. Milliseconds, rounded up. */
int64_t rate_full_ms(const struct rate *, int64_t used);
int64_t rate_wait_ms(const struct rate *, int64_t used, int64_t cost);

#endif
