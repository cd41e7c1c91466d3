#ifndef TEST_BENCH_HIST_H
#define TEST_BENCH_HIST_H

#include <stdint.h>

/* Counts of values in buckets, 64 to each power of two: a percentile is off
 * by less than 1 %. */
struct hist {
	uint64_t n;
	uint64_t max;
	uint64_t bucket[60 * 64];
};

void hist_add(struct hist *, uint64_t value);
uint64_t hist_percentile(const struct hist *, double percent);

#endif
