#include "base/utf8.h"

/* The second byte decides what the first cannot: overlong forms (E0, F0),
 * surrogates (ED) and what lies beyond the last plane (F4). */
static int
second_is_good(unsigned char first, unsigned char second)
{
	unsigned char low = 0x80, high = 0xbf;

	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf4)
		high = 0x8f;
	return second >= low && second <= high;
}

size_t
utf8_len(const char *p, size_t left)
{
	const unsigned char *u = (const unsigned char *)p;
	size_t n, i;

	if (u[0] < 0x80)
		return 1;
	if (u[0] < 0xc2 || u[0] > 0xf4)
		return 0;
	n = u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
	if (left < n || !second_is_good(u[0], u[1]))
		return 0;
	for (i = 2; i < n; i++)
		if ((u[i] & 0xc0) != 0x80)
			return 0;
	return n;
}
