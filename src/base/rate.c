/* Rate limits: text, and the arithmetic of a bucket. */
#include <ctype.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/rate.h"

const char rate_allowed[] =
    "off, or a number and a unit (s, min, h or d) such as 100/s, and perhaps a "
    "burst such as 6000/min burst 100, both from 1 to 1000000";

static const struct {
	const char *name;
	int64_t ms;
} units[] = { { "s", 1000 }, { "min", 60000 }, { "h", 3600000 },
	{ "d", 86400000 } };

/* ---- text ---- */

/* A number at *p, which moves behind it. */
static bool
take_number(const char **p, int64_t *ret)
{
	int64_t n = 0;
	const char *begin = *p;

	for (; isdigit((unsigned char)**p) && n <= RATE_MAX; ++*p)
		n = n * 10 + (**p - '0');
	*ret = n;
	return *p > begin && n >= 1 && n <= RATE_MAX;
}

static bool
take_unit(const char **p, int64_t *ret)
{
	size_t len = strcspn(*p, " ");

	for (size_t i = 0; i < NELEM(units); i++)
		if (strlen(units[i].name) == len &&
		    memcmp(units[i].name, *p, len) == 0) {
			*ret = units[i].ms;
			*p += len;
			return true;
		}
	return false;
}

bool
rate_parse(const char *p, struct rate *ret, const char **why)
{
	static const char burst[] = " burst ";
	struct rate r;

	if (strcmp(p, "off") == 0 || strcmp(p, "0") == 0) {
		*ret = (struct rate){ .count = 0 };
		return true;
	}
	*why = "its number is not good";
	if (!take_number(&p, &r.count))
		return false;
	*why = "its unit is not known";
	if (*p++ != '/' || !take_unit(&p, &r.per_ms))
		return false;
	r.burst = r.count;
	if (strncmp(p, burst, sizeof(burst) - 1) == 0) {
		p += sizeof(burst) - 1;
		*why = "its burst is not good";
		if (!take_number(&p, &r.burst))
			return false;
	}
	*why = "something follows that is not known";
	if (*p != '\0')
		return false;
	*ret = r;
	return true;
}

void
rate_format(const struct rate *r, char ret[RATE_TEXT_SIZE])
{
	size_t i = 0;
	int n;

	if (r->count == 0) {
		snprintf(ret, RATE_TEXT_SIZE, "off");
		return;
	}
	while (units[i].ms != r->per_ms)
		i++;
	n = snprintf(
	    ret, RATE_TEXT_SIZE, "%lld/%s", (long long)r->count, units[i].name);
	if (r->burst != r->count)
		snprintf(ret + n, RATE_TEXT_SIZE - (size_t)n, " burst %lld",
		    (long long)r->burst);
}

/* ---- the bucket: as charge.lua does it ---- */

/* What is still used now. */
static int64_t
used_now(const struct rate_bucket *b, const struct rate *r, int64_t now_ms)
{
	int64_t used = b->used, passed = now_ms - b->at_ms;

	/* The limit was changed: the same number, in its parts. */
	if (b->per_ms != 0 && b->per_ms != r->per_ms)
		used = (int64_t)((double)used / (double)b->per_ms *
		    (double)r->per_ms);
	if (passed <= 0)
		return used;
	/* Compared first, so that no product overflows. */
	if (passed > used / r->count)
		return 0;
	return used - passed * r->count;
}

bool
rate_take(
    struct rate_bucket *b, const struct rate *r, int64_t cost, int64_t now_ms)
{
	bool passed;

	b->used = used_now(b, r, now_ms);
	b->at_ms = now_ms;
	b->per_ms = r->per_ms;
	passed = cost * r->per_ms <= r->burst * r->per_ms - b->used;
	if (passed)
		b->used += cost * r->per_ms;
	return passed;
}

int64_t
rate_left(const struct rate *r, int64_t used)
{
	int64_t room = r->burst * r->per_ms - used;

	return room > 0 ? room / r->per_ms : 0;
}

int64_t
rate_full_ms(const struct rate *r, int64_t used)
{
	return (used + r->count - 1) / r->count;
}

int64_t
rate_wait_ms(const struct rate *r, int64_t used, int64_t cost)
{
	int64_t over = used + cost * r->per_ms - r->burst * r->per_ms;

	return over > 0 ? (over + r->count - 1) / r->count : 0;
}
