#include "hist.h"

static unsigned
bucket_of(uint64_t v)
{
	unsigned power;

	if (v < 64)
		return (unsigned)v;
	power = 63 - (unsigned)__builtin_clzll(v);
	return (power - 5) * 64 + (unsigned)(v >> (power - 6) & 63);
}

static uint64_t
middle_of(unsigned bucket)
{
	unsigned shift;

	if (bucket < 128)
		return bucket;
	shift = bucket / 64 - 1;
	return ((uint64_t)(64 + bucket % 64) << shift) +
	    ((uint64_t)1 << shift) / 2;
}

void
hist_add(struct hist *h, uint64_t value)
{
	h->n++;
	if (value > h->max)
		h->max = value;
	h->bucket[bucket_of(value)]++;
}

uint64_t
hist_percentile(const struct hist *h, double percent)
{
	double want = (double)h->n * percent / 100;
	uint64_t seen = 0, value;
	unsigned i;

	for (i = 0; i < sizeof(h->bucket) / sizeof(h->bucket[0]); i++) {
		seen += h->bucket[i];
		if (seen != 0 && (double)seen >= want) {
			value = middle_of(i);
			return value < h->max ? value : h->max;
		}
	}
	return 0;
}
