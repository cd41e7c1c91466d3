#ifndef TASKFLOW_BASE_NET_H
#define TASKFLOW_BASE_NET_H

/*
 * Addresses and networks as text, "10.0.0.0/8,::1,unix". Pure. IPv4 is kept in
 * the clothes of IPv6 (::ffff:1.2.3.4), so the two are compared alike.
 */
#include "base/mem.h"

struct net_addr {
	uint8_t b[16];
};

/* Exactly one address, IPv4 or IPv6, without port, brackets or zone. */
bool net_addr_parse(struct span, struct net_addr *ret);
#define NET_TEXT_SIZE	46
/* IPv4 as such. */
void net_addr_format(const struct net_addr *, char ret[NET_TEXT_SIZE]);

#define NET_LIST_MAX	64
struct net_list {
	size_t n;
	struct net {
		struct net_addr first;
		unsigned	bits;	/* of 128 */
	} net[NET_LIST_MAX];
	bool has_unix;		/* who comes by a Unix socket is in it, too */
};

/* A comma list of addresses, networks and `unix`. False: why is one line. */
bool net_list_parse(const char *, struct net_list *ret, const char **ret_why);
bool net_list_has(const struct net_list *, const struct net_addr *);

#endif
