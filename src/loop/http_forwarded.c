/*
 * Who the client is when proxies stand before us. Each proxy adds the address
 * that it got the request from at the end of X-Forwarded-For; what stands
 * further left is only what somebody wrote. So we go from the right to the
 * left for as long as those we pass are proxies of ours, and what we cannot
 * read ends the way. Pure.
 */
#include <stdio.h>
#include <strings.h>

#include "http_rules.h"

/* More proxies than anybody has; and a header that is long is no reason to
 * work long. */
#define HOPS_MAX 32

struct walk {
	const struct net_list *trusted;
	struct net_addr at; /* the last one that we believe in */
	int hops;
};

static struct span
trim(struct span s)
{
	while (s.len > 0 && (s.p[0] == ' ' || s.p[0] == '\t')) {
		s.p++;
		s.len--;
	}
	while (s.len > 0 && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

static bool
is_port(const char *p, const char *end)
{
	if (p == end || end - p > 5)
		return false;
	for (; p < end; p++)
		if (*p < '0' || *p > '9')
			return false;
	return true;
}

/* Some proxies write the port, too: 1.2.3.4:567, [::1], [::1]:567. */
static bool
parse_hop(struct span s, struct net_addr *ret)
{
	const char *end = s.p + s.len, *mark;

	if (s.len > 0 && s.p[0] == '[') {
		mark = memchr(s.p, ']', s.len);
		if (mark == NULL ||
		    (mark + 1 != end &&
			(mark[1] != ':' || !is_port(mark + 2, end))))
			return false;
		s = (struct span){ s.p + 1, (size_t)(mark - s.p) - 1 };
		return memchr(s.p, ':', s.len) != NULL &&
		    net_addr_parse(s, ret);
	}
	mark = memchr(s.p, ':', s.len);
	if (mark != NULL && memchr(s.p, '.', (size_t)(mark - s.p)) != NULL) {
		if (!is_port(mark + 1, end))
			return false;
		s.len = (size_t)(mark - s.p);
	}
	return net_addr_parse(s, ret);
}

/* False: this is the one, or nobody knows further. */
static bool
walk_value(struct walk *w, const char *value)
{
	struct span rest = span_of(value), hop;
	struct net_addr a;
	const char *comma;

	for (;;) {
		comma = memrchr(rest.p, ',', rest.len);
		hop = rest;
		if (comma != NULL)
			hop = (struct span){ comma + 1,
				rest.len - (size_t)(comma + 1 - rest.p) };
		if (w->hops++ == HOPS_MAX || !parse_hop(trim(hop), &a))
			return false;
		w->at = a;
		if (!net_list_has(w->trusted, &a))
			return false;
		if (comma == NULL)
			return true;
		rest.len = (size_t)(comma - rest.p);
	}
}

static const char *
scheme_of(const struct evkeyvalq *headers)
{
	const struct evkeyval *h;
	const char *said = NULL;

	TAILQ_FOREACH (h, headers, next) {
		if (strcasecmp(h->key, "X-Forwarded-Proto") != 0)
			continue;
		if (said != NULL)
			return NULL;
		said = h->value;
	}
	if (said != NULL && strcasecmp(said, "https") == 0)
		return "https";
	return said != NULL && strcasecmp(said, "http") == 0 ? "http" : NULL;
}

/* False: the peer is not one of ours. */
static bool
trusts_peer(
    const struct net_list *trusted, const char *peer, struct net_addr *ret)
{
	struct span text = { peer, strcspn(peer, "%") }; /* without the zone */

	if (*peer == '\0')
		return trusted->has_unix;
	return net_addr_parse(text, ret) && net_list_has(trusted, ret);
}

bool
forwarded_find(const struct net_list *trusted, const char *peer,
    const struct evkeyvalq *headers, struct forwarded *ret)
{
	struct walk w = { .trusted = trusted };
	static const struct net_addr nobody;
	const struct evkeyval *h;

	ret->client[0] = '\0';
	ret->scheme = NULL;
	if (!trusts_peer(trusted, peer, &w.at))
		return false;
	TAILQ_FOREACH_REVERSE(h, headers, evkeyvalq, next)
	if (strcasecmp(h->key, "X-Forwarded-For") == 0 &&
	    !walk_value(&w, h->value))
		break;
	if (memcmp(&w.at, &nobody, sizeof(nobody)) != 0)
		net_addr_format(&w.at, ret->client);
	ret->scheme = scheme_of(headers);
	return true;
}
