/* Addresses and networks. */
#include <arpa/inet.h>
#include <ctype.h>

#include "base/net.h"

#define V4_BITS 96 /* in front of an IPv4 address */

static const uint8_t v4_prefix[12] = { [10] = 0xff, [11] = 0xff };

static bool
is_v4(const struct net_addr *a)
{
	return memcmp(a->b, v4_prefix, sizeof(v4_prefix)) == 0;
}

bool
net_addr_parse(struct span s, struct net_addr *ret)
{
	char text[NET_TEXT_SIZE];
	struct net_addr a;

	if (s.len >= sizeof(text) || memchr(s.p, '\0', s.len) != NULL)
		return false;
	memcpy(text, s.p, s.len);
	text[s.len] = '\0';
	memcpy(a.b, v4_prefix, sizeof(v4_prefix));
	if (inet_pton(AF_INET, text, a.b + sizeof(v4_prefix)) != 1 &&
	    inet_pton(AF_INET6, text, a.b) != 1)
		return false;
	*ret = a;
	return true;
}

void
net_addr_format(const struct net_addr *a, char ret[NET_TEXT_SIZE])
{
	if (is_v4(a))
		inet_ntop(
		    AF_INET, a->b + sizeof(v4_prefix), ret, NET_TEXT_SIZE);
	else
		inet_ntop(AF_INET6, a->b, ret, NET_TEXT_SIZE);
}

static bool
bit_of(const struct net_addr *a, unsigned i)
{
	return (a->b[i / 8] >> (7 - i % 8) & 1) != 0;
}

/* The digits behind the slash. */
static bool
parse_bits(struct span s, unsigned max, unsigned *ret)
{
	unsigned n = 0;

	if (s.len == 0 || s.len > 3)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (!isdigit((unsigned char)s.p[i]))
			return false;
		n = n * 10 + (unsigned)(s.p[i] - '0');
	}
	*ret = n;
	return n <= max;
}

static bool
parse_net(struct span s, struct net *ret, const char **why)
{
	const char *slash = memchr(s.p, '/', s.len);
	struct span addr = s, bits;
	unsigned skip;

	*why = "an address in it is not good";
	if (slash != NULL)
		addr.len = (size_t)(slash - s.p);
	if (!net_addr_parse(addr, &ret->first))
		return false;
	skip = memchr(addr.p, ':', addr.len) == NULL ? V4_BITS : 0;
	ret->bits = 128;
	if (slash != NULL) {
		*why = "the length of a network in it is not good";
		bits = (struct span){ slash + 1, s.len - addr.len - 1 };
		if (!parse_bits(bits, 128 - skip, &ret->bits))
			return false;
		ret->bits += skip;
	}
	*why = "a network in it has bits behind its length";
	for (unsigned i = ret->bits; i < 128; i++)
		if (bit_of(&ret->first, i))
			return false;
	return true;
}

bool
net_list_parse(const char *text, struct net_list *ret, const char **why)
{
	size_t len;

	ret->n = 0;
	ret->has_unix = false;
	for (;; text += len + 1) {
		len = strcspn(text, ",");
		if (len == 4 && memcmp(text, "unix", 4) == 0) {
			ret->has_unix = true;
		} else {
			*why = "it has too many networks";
			if (ret->n == NET_LIST_MAX ||
			    !parse_net((struct span){ text, len },
				&ret->net[ret->n++], why))
				return false;
		}
		if (text[len] == '\0')
			return true;
	}
}

static bool
is_in(const struct net *n, const struct net_addr *a)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (memcmp(n->first.b, a->b, whole) != 0)
		return false;
	return rest == 0 ||
	    (n->first.b[whole] ^ a->b[whole]) >> (8 - rest) == 0;
}

bool
net_list_has(const struct net_list *l, const struct net_addr *a)
{
	for (size_t i = 0; i < l->n; i++)
		if (is_in(&l->net[i], a))
			return true;
	return false;
}
