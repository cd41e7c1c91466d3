#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/utf8.h"

/* The definition as a second opinion: decode, and look at the result. */
static size_t
slow_len(const unsigned char *p, size_t left)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] < 0x80      ? 1
	    : (p[0] & 0xe0) == 0xc0 ? 2
	    : (p[0] & 0xf0) == 0xe0 ? 3
	    : (p[0] & 0xf8) == 0xf0 ? 4
				    : 0;
	uint32_t c;

	if (n <= 1)
		return n;
	if (n > left)
		return 0;
	c = p[0] & (0x7f >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	return n;
}

static void
agrees_with_the_definition(void **state)
{
	static const unsigned char tails[] = { 0x00, 0x41, 0x7f, 0x80, 0x8f,
		0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xff };
	unsigned char p[4];

	(void)state;
	for (unsigned two = 0; two < 0x10000; two++)
		for (size_t i = 0; i < NELEM(tails) * NELEM(tails); i++) {
			p[0] = (unsigned char)(two >> 8);
			p[1] = (unsigned char)two;
			p[2] = tails[i / NELEM(tails)];
			p[3] = tails[i % NELEM(tails)];
			for (size_t left = 1; left <= 4; left++)
				if (utf8_len((char *)p, left) !=
				    slow_len(p, left))
					fail_msg("%02x %02x %02x %02x, %zu",
					    p[0], p[1], p[2], p[3], left);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_definition),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
