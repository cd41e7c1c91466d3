/*
 * Method and path to route. Paths are compared segment by segment and decoded
 * while they are compared, so an encoded slash is never a separator and
 * nothing is decoded twice or copied.
 */
#include <stdio.h>

#include "http_rules.h"

static int
hex_value(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* The byte at *p, and *p moved behind it. */
static char
next_byte(const char **p, const char *end, bool plus_is_space)
{
	char c = *(*p)++;

	if (c == '+' && plus_is_space)
		return ' ';
	if (c != '%' || end - *p < 2)
		return c;
	c = (char)(hex_value((*p)[0]) << 4 | hex_value((*p)[1]));
	*p += 2;
	return c;
}

size_t
percent_decode(struct span raw, bool plus_is_space, char *ret)
{
	const char *p = raw.p, *end = raw.p + raw.len;
	size_t n = 0;

	while (p < end)
		ret[n++] = next_byte(&p, end, plus_is_space);
	ret[n] = '\0';
	return n;
}

bool
percent_is(struct span raw, bool plus_is_space, struct span text)
{
	const char *p = raw.p, *end = raw.p + raw.len;
	size_t n = 0;

	if (raw.len == text.len && !plus_is_space &&
	    memcmp(raw.p, text.p, text.len) == 0 &&
	    memchr(raw.p, '%', raw.len) == NULL)
		return true;
	for (; p < end; n++)
		if (n == text.len ||
		    next_byte(&p, end, plus_is_space) != text.p[n])
			return false;
	return n == text.len;
}

/* The segment behind the slash at *p, which moves to the next slash or to the
 * end. */
static struct span
next_segment(const char **p, const char *end)
{
	const char *from = *p + 1;
	const char *slash = memchr(from, '/', (size_t)(end - from));

	*p = slash != NULL ? slash : end;
	return (struct span){ from, (size_t)(*p - from) };
}

static bool
is_param(struct span pattern)
{
	return pattern.len > 2 && pattern.p[0] == '{';
}

/* Fills the parameters of ret, and nothing else. An empty segment is no
 * parameter. */
static bool
path_matches(const char *pattern, struct span path, struct route_match *ret)
{
	const char *pp = pattern, *pend = pattern + strlen(pattern);
	const char *p = path.p, *end = path.p + path.len;
	struct span want, have;

	ret->nparams = 0;
	while (pp < pend && p < end) {
		want = next_segment(&pp, pend);
		have = next_segment(&p, end);
		if (!is_param(want)) {
			if (!percent_is(have, false, want))
				return false;
			continue;
		}
		if (have.len == 0 || ret->nparams == ROUTE_MAX_PARAMS)
			return false;
		ret->param[ret->nparams++] =
		    (struct route_param){ .name = { want.p + 1, want.len - 2 },
			    .raw = have };
	}
	return pp == pend && p == end;
}

/* Most routes are another one's by the first byte of their path. */
static bool
may_match(const char *pattern, struct span path)
{
	return path.len < 2 || pattern[0] == '\0' || path.p[1] == pattern[1] ||
	    path.p[1] == '%' || pattern[1] == '{';
}

void
route_find(const struct route *routes, size_t n, enum http_method method,
    struct span path, struct route_match *ret)
{
	struct route_match m;
	unsigned allowed = 0;

	ret->route = NULL;
	ret->nparams = 0;
	for (size_t i = 0; i < n; i++) {
		if (!may_match(routes[i].path, path) ||
		    !path_matches(routes[i].path, path, &m))
			continue;
		allowed |= 1U << routes[i].method;
		if (routes[i].method != method ||
		    (ret->route != NULL && ret->nparams <= m.nparams))
			continue;
		*ret = m;
		ret->route = &routes[i];
	}
	ret->allowed = allowed;
}

void
route_allow(unsigned allowed, char ret[ROUTE_ALLOW_SIZE])
{
	static const char *const names[] = {
		[HTTP_GET] = "GET, HEAD, ",
		[HTTP_POST] = "POST, ",
		[HTTP_PUT] = "PUT, ",
		[HTTP_PATCH] = "PATCH, ",
		[HTTP_DELETE] = "DELETE, ",
	};
	size_t len = 0;

	for (size_t i = 0; i < NELEM(names); i++)
		if (allowed & 1U << i)
			len += (size_t)snprintf(
			    ret + len, ROUTE_ALLOW_SIZE - len, "%s", names[i]);
	snprintf(ret + len, ROUTE_ALLOW_SIZE - len, "OPTIONS");
}
