#include <assert.h>

#include "base/id.h"

#include "base/clock.h"
#include "base/crypt.h"
#include "base/mem.h"

#define TICKS_A_MS 4096 /* what 12 bits hold */
#define MS_MAX ((1LL << 48) - 1)

/* Milliseconds and their fraction of the newest id, as one number: the next
 * one is larger, even when the clock stands still or was set back. */
static uint64_t last_tick;

/* A system call for each id would cost more than the id. */
static uint64_t pool[64];
static unsigned pool_left;

static uint64_t
random_u64(void)
{
	if (pool_left == 0) {
		crypt_random(pool, sizeof(pool));
		pool_left = NELEM(pool);
	}
	return pool[--pool_left];
}

static void
put_be(uint8_t *p, int n, uint64_t v)
{
	for (int i = n - 1; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

/* Version 7, variant 10. */
static void
assemble(struct id *ret, uint64_t tick, uint64_t rest)
{
	put_be(ret->b, 6, tick / TICKS_A_MS);
	put_be(ret->b + 6, 2, 0x7000 | tick % TICKS_A_MS);
	put_be(ret->b + 8, 8, rest >> 2 | 1ULL << 63);
}

void
id_new(struct id *ret)
{
	int64_t us = clock_wall_us();
	uint64_t tick;

	tick = (uint64_t)(us / US_PER_MS) * TICKS_A_MS +
	    (uint64_t)(us % US_PER_MS) * TICKS_A_MS / US_PER_MS;
	if (tick <= last_tick)
		tick = last_tick + 1;
	last_tick = tick;
	assemble(ret, tick, random_u64());
}

void
id_member(const struct id *family, unsigned i, struct id *ret)
{
	assert(i < ID_FAMILY_MAX);
	*ret = *family;
	ret->b[14] = (uint8_t)((ret->b[14] & 0xf0) | i >> 8);
	ret->b[15] = (uint8_t)i;
}

void
id_family(const struct id *member, struct id *ret)
{
	id_member(member, 0, ret);
}

void
id_new_family(struct id *ret)
{
	id_new(ret);
	id_family(ret, ret);
}

void
id_format(const struct id *id, char ret[ID_TEXT_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	char *p = ret;

	for (size_t i = 0; i < sizeof(id->b); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = hex[id->b[i] >> 4];
		*p++ = hex[id->b[i] & 15];
	}
	*p = '\0';
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
id_parse(const char *s, size_t len, struct id *ret)
{
	struct id id;
	int high, low;

	if (len != ID_TEXT_LEN)
		return false;
	for (size_t i = 0; i < sizeof(id.b); i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *s++ != '-')
			return false;
		high = hex_value(*s++);
		low = hex_value(*s++);
		if (high < 0 || low < 0)
			return false;
		id.b[i] = (uint8_t)(high << 4 | low);
	}
	*ret = id;
	return true;
}

int64_t
id_time_ms(const struct id *id)
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id->b[i];
	return ms;
}

void
id_floor(int64_t wall_ms, struct id *ret)
{
	if (wall_ms < 0)
		wall_ms = 0;
	if (wall_ms > MS_MAX)
		wall_ms = MS_MAX;
	assemble(ret, (uint64_t)wall_ms * TICKS_A_MS, 0);
}
