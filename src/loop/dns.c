/*
 * Name lookup without blocking the loop: libpq and hiredis would both call
 * getaddrinfo(3) in their "asynchronous" connect.
 */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "loop/thread.h"

/* An address and the name of an interface: fe80::1%eth0 */
#define ADDRESS_SIZE 80

/*
 * Heap, not arena: the helper may still write into it when the flow has gone.
 * Else the arena's disposer frees it, so that the address lives with the flow.
 */
struct lookup {
	struct thread_job job;
	char *host;
	char address[ADDRESS_SIZE];
};

static void
lookup_free(struct thread_job *job)
{
	struct lookup *lk = container_of(job, struct lookup, job);

	free(lk->host);
	free(lk);
}

static void
arena_gone(void *arg)
{
	struct lookup *lk = arg;

	if (lk->job.priv == NULL)
		lookup_free(&lk->job);
}

/* IPv4 first: a name with both is often a host that listens on one. */
static const struct addrinfo *
best_of(const struct addrinfo *list)
{
	const struct addrinfo *ai;

	for (ai = list; ai != NULL; ai = ai->ai_next)
		if (ai->ai_family == AF_INET)
			return ai;
	return list;
}

/* On a helper thread. */
static void
look_up(struct thread_job *job)
{
	struct lookup *lk = container_of(job, struct lookup, job);
	struct addrinfo *list = NULL;
	const struct addrinfo *ai;
	const struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
	};

	job->err = ERR_UNAVAILABLE;
	if (getaddrinfo(lk->host, NULL, &hints, &list) != 0)
		return;
	ai = best_of(list);
	if (ai != NULL &&
	    getnameinfo(ai->ai_addr, ai->ai_addrlen, lk->address,
		sizeof(lk->address), NULL, 0, NI_NUMERICHOST) == 0)
		job->err = OK;
	freeaddrinfo(list);
}

static bool
is_numeric(const char *host)
{
	struct in6_addr a;

	return inet_pton(AF_INET, host, &a) == 1 ||
	    inet_pton(AF_INET6, host, &a) == 1;
}

enum flow_next
dns_lookup(
    struct thread_pool *p, const char *host, const char **ret, struct flow *f)
{
	struct lookup *lk;

	if (is_numeric(host)) {
		*ret = arena_dup(&f->arena, host, strlen(host));
		return FLOW_NEXT;
	}
	lk = xcalloc(1, sizeof(*lk));
	lk->job.run = look_up;
	lk->job.free = lookup_free;
	lk->host = xstrdup(host);
	arena_defer(&f->arena, arena_gone, lk);
	*ret = lk->address; /* filled when the next step runs */
	return thread_run(p, &lk->job, f);
}
