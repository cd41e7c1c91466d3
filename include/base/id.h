#ifndef TASKFLOW_BASE_ID_H
#define TASKFLOW_BASE_ID_H

/*
 * UUID version 7 (RFC 9562): 48 bits of milliseconds, 12 bits of fraction of
 * the millisecond (so that ids of one process sort in the order of their
 * making; a counter takes over within one tick), 62 random bits.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ID_TEXT_LEN	36
#define ID_TEXT_SIZE	(ID_TEXT_LEN + 1)

struct id {
	uint8_t b[16];
};

/* Never returns the same id twice, never a smaller one than before. One thread
 * only. */
void id_new(struct id *ret);
/*
 * A family: 4096 ids that differ in their last 12 bits alone, so that each
 * tells which family it is of. The id of the family is its member 0, and as new
 * and as random (50 bits) as other ids.
 */
#define ID_FAMILY_MAX	4096
void id_new_family(struct id *ret);
void id_member(const struct id *family, unsigned i, struct id *ret);
void id_family(const struct id *member, struct id *ret);
void id_format(const struct id *, char ret[ID_TEXT_SIZE]);
/* 8-4-4-4-12 hexadecimal digits of either case, any version. */
bool id_parse(const char *, size_t len, struct id *ret);
/* When it was made: milliseconds since 1970, UTC. */
int64_t id_time_ms(const struct id *);
/* The smallest id of that millisecond; for ranges. */
void id_floor(int64_t wall_ms, struct id *ret);

static inline int
id_cmp(const struct id *a, const struct id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

static inline bool
id_is_zero(const struct id *a)
{
	static const struct id zero;

	return id_cmp(a, &zero) == 0;
}

#endif
