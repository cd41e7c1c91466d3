#include <stdlib.h>

#include "base/crypt.h"
#include "cursor.h"

/* A byte for the direction, the id, and the first bytes of an HMAC of them and
 * the list; in base64url (RFC 4648, section 5), which comes out even. */
#define SEAL_LEN 10
#define PLAIN_LEN (1 + sizeof(struct id))
#define RAW_LEN (PLAIN_LEN + SEAL_LEN)

_Static_assert(RAW_LEN % 3 == 0, "no padding");
_Static_assert(RAW_LEN / 3 * 4 + 1 == CURSOR_SIZE, "the text of a cursor");

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void
make_plain(const struct cursor *c, uint8_t ret[PLAIN_LEN])
{
	ret[0] = c->up;
	memcpy(ret + 1, c->id.b, sizeof(c->id.b));
}

static void
make_seal(const uint8_t plain[PLAIN_LEN], struct span secret, struct span list,
    uint8_t ret[SEAL_LEN])
{
	uint8_t *text = xmalloc(PLAIN_LEN + list.len), sum[32];

	memcpy(text, plain, PLAIN_LEN);
	if (list.len > 0)
		memcpy(text + PLAIN_LEN, list.p, list.len);
	crypt_hmac_sha256(
	    secret.p, secret.len, text, PLAIN_LEN + list.len, sum);
	memcpy(ret, sum, SEAL_LEN);
	free(text);
}

void
cursor_format(const struct cursor *c, struct span secret, struct span list,
    char ret[CURSOR_SIZE])
{
	uint8_t raw[RAW_LEN];
	uint32_t three;
	size_t i;

	make_plain(c, raw);
	make_seal(raw, secret, list, raw + PLAIN_LEN);
	for (i = 0; i < RAW_LEN; i += 3) {
		three = (uint32_t)raw[i] << 16 | (uint32_t)raw[i + 1] << 8 |
		    raw[i + 2];
		*ret++ = digits[three >> 18];
		*ret++ = digits[three >> 12 & 63];
		*ret++ = digits[three >> 6 & 63];
		*ret++ = digits[three & 63];
	}
	*ret = '\0';
}

static bool
decode(const char *text, uint8_t ret[RAW_LEN])
{
	const char *digit;
	uint32_t three = 0;
	size_t i;

	if (strlen(text) != CURSOR_SIZE - 1)
		return false;
	for (i = 0; text[i] != '\0'; i++) {
		digit = strchr(digits, text[i]);
		if (digit == NULL)
			return false;
		three = three << 6 | (uint32_t)(digit - digits);
		if (i % 4 != 3)
			continue;
		*ret++ = (uint8_t)(three >> 16);
		*ret++ = (uint8_t)(three >> 8);
		*ret++ = (uint8_t)three;
		three = 0;
	}
	return true;
}

bool
cursor_parse(
    const char *text, struct span secret, struct span list, struct cursor *ret)
{
	uint8_t raw[RAW_LEN], seal[SEAL_LEN];

	if (!decode(text, raw))
		return false;
	make_seal(raw, secret, list, seal);
	if (!crypt_equal(seal, raw + PLAIN_LEN, SEAL_LEN) || raw[0] > 1)
		return false;
	ret->up = raw[0] != 0;
	memcpy(ret->id.b, raw + 1, sizeof(ret->id.b));
	return true;
}
