/* Addresses: redis://[user:password@]host:port[/db] and
 * unix:///path[?db=N&password=...]. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "redis_private.h"

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* A percent-decoded copy; NULL for a bad escape. */
static char *
decode(const char *p, size_t len)
{
	char *out = xmalloc(len + 1), *o = out;
	const char *end = p + len;

	while (p < end) {
		if (*p != '%') {
			*o++ = *p++;
		} else if (end - p > 2 && hex(p[1]) >= 0 && hex(p[2]) >= 0) {
			*o++ = (char)(hex(p[1]) * 16 + hex(p[2]));
			p += 3;
		} else {
			free(out);
			return NULL;
		}
	}
	*o = '\0';
	return out;
}

static bool
number(const char *s, long max, int *ret)
{
	char *end;
	long v;

	if (!isdigit((unsigned char)*s))
		return false;
	errno = 0;
	v = strtol(s, &end, 10);
	if (errno != 0 || *end != '\0' || v > max)
		return false;
	*ret = (int)v;
	return true;
}

static bool
bad(char *err, size_t size, const char *why)
{
	snprintf(err, size,
	    "%s; expected redis://[user:password@]host:port"
	    "[/db] or unix:///path[?db=N&password=...]",
	    why);
	return false;
}

static bool
parse_unix(struct redis_addr *a, const char *s, char *err, size_t size)
{
	const char *query = strchr(s, '?'), *p, *end;
	size_t n;

	a->path = decode(s, query != NULL ? (size_t)(query - s) : strlen(s));
	if (a->path == NULL || a->path[0] != '/')
		return bad(err, size, "the socket's path must be absolute");
	for (p = query; p != NULL; p = *end == '&' ? end : NULL) {
		p++;
		n = strcspn(p, "&");
		end = p + n;
		if (n > 9 && strncmp(p, "password=", 9) == 0)
			a->password = decode(p + 9, n - 9);
		else if (n <= 3 || strncmp(p, "db=", 3) != 0 ||
		    sscanf(p + 3, "%d", &a->db) != 1)
			return bad(err, size, "unknown parameter");
	}
	return true;
}

static bool
parse_login(struct redis_addr *a, const char *s, const char *at)
{
	const char *colon = memchr(s, ':', (size_t)(at - s));

	if (colon == NULL) {
		a->password = decode(s, (size_t)(at - s));
		return a->password != NULL;
	}
	if (colon > s)
		a->user = decode(s, (size_t)(colon - s));
	a->password = decode(colon + 1, (size_t)(at - colon - 1));
	return a->password != NULL && (colon == s || a->user != NULL);
}

static bool
parse_tcp(struct redis_addr *a, const char *s, char *err, size_t size)
{
	char *rest = xstrdup(s), *at, *slash, *colon, *host = rest;
	bool ok = true;

	at = strrchr(rest, '@');
	if (at != NULL) {
		ok = parse_login(a, rest, at);
		host = at + 1;
	}
	slash = strchr(host, '/');
	if (slash != NULL) {
		*slash = '\0';
		ok = ok &&
		    (slash[1] == '\0' || number(slash + 1, 1000000, &a->db));
	}
	colon = strrchr(host, ':');
	if (colon != NULL && strchr(colon, ']') == NULL) {
		*colon = '\0';
		ok = ok && number(colon + 1, 65535, &a->port);
	}
	if (host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		host++;
	}
	a->host = xstrdup(host);
	ok = ok && a->host[0] != '\0' && a->port > 0;
	free(rest);
	return ok || bad(err, size, "not an address of a Redis server");
}

bool
addr_parse(struct redis_addr *a, const char *url, char *err, size_t size)
{
	bool ok;

	*a = (struct redis_addr){ .port = 6379 };
	if (strncmp(url, "redis://", 8) == 0)
		ok = parse_tcp(a, url + 8, err, size);
	else if (strncmp(url, "unix://", 7) == 0)
		ok = parse_unix(a, url + 7, err, size);
	else if (strncmp(url, "rediss://", 9) == 0)
		ok = bad(err, size, "TLS is not supported by this build");
	else
		ok = bad(err, size, "unknown scheme");
	if (!ok)
		addr_free(a);
	return ok;
}

static char *
copy(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

void
addr_copy(struct redis_addr *to, const struct redis_addr *from)
{
	*to = *from;
	to->host = copy(from->host);
	to->path = copy(from->path);
	to->user = copy(from->user);
	to->password = copy(from->password);
}

void
addr_free(struct redis_addr *a)
{
	free(a->host);
	free(a->path);
	free(a->user);
	free(a->password);
	*a = (struct redis_addr){ .port = 0 };
}
