/* Wrong passwords, counted on redis-low. */
#include <arpa/inet.h>
#include <stdio.h>

#include "sql.h"
#include "task/keys.h"
#include "task/lockout.h"

#define PREFIX "taskflow:lockout:"

static struct redis_script lockout_script = { "lockout", lua_lockout, "" };

void
lockout_peer(const char *peer, char ret[LOCKOUT_PEER_SIZE])
{
	struct in6_addr addr;
	char text[INET6_ADDRSTRLEN];

	if (inet_pton(AF_INET6, peer, &addr) != 1) {
		snprintf(ret, LOCKOUT_PEER_SIZE, "%s", peer);
		return;
	}
	memset(addr.s6_addr + 8, 0, 8);
	inet_ntop(AF_INET6, &addr, text, sizeof(text));
	snprintf(ret, LOCKOUT_PEER_SIZE, "%s/64", text);
}

struct redis_call *
lockout_call(struct redis *r, enum lockout_verb verb, const char *account,
    const char *peer, const struct lockout_limits *limits)
{
	static const char *const verbs[] = { "look", "right", "wrong" };
	char hash[KEY_HASH_SIZE], address[LOCKOUT_PEER_SIZE];
	char key[sizeof(PREFIX) + 16 + KEY_HASH_SIZE];
	struct redis_call *c = redis_call_new(r);

	/* An account may be named by anything: its hash has a bound. */
	key_hash(account, hash);
	lockout_peer(peer, address);
	redis_begin_script(c, &lockout_script, 2, 4);
	snprintf(key, sizeof(key), PREFIX "account:%s", hash);
	redis_arg_str(c, key);
	snprintf(key, sizeof(key), PREFIX "address:%s", address);
	redis_arg_str(c, key);
	redis_arg_str(c, verbs[verb]);
	redis_arg_int(c, limits->account);
	redis_arg_int(c, limits->address);
	redis_arg_int(c, limits->time_ms);
	return c;
}

int64_t
lockout_wait_ms(const struct redis_call *c)
{
	const struct reply *rep = redis_reply(c, 0);

	return rep != NULL && rep->type == REPLY_INT ? rep->integer : 0;
}
