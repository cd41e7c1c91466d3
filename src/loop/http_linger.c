/*
 * Closing so that the client can read our last answer. If a socket is closed
 * while the client still sends, the reset takes the answer with it: so the
 * sending side is shut, and what comes is read and forgotten for a moment.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_private.h"

#define LINGER_MS 1000
#define LINGER_MAX 64

struct lingering {
	TAILQ_ENTRY(lingering) link;
	struct conns *conns;
	struct loop_watch watch;
	struct loop_timer timer;
};

static void
linger_free(struct lingering *l)
{
	int fd = l->watch.fd;

	TAILQ_REMOVE(&l->conns->lingers, l, link);
	l->conns->nlingers--;
	watch_fini(&l->watch);
	timer_fini(&l->timer);
	close(fd);
	free(l);
}

static void
linger_readable(struct loop_watch *w, int what)
{
	char junk[16384];

	(void)what;
	if (recv(w->fd, junk, sizeof(junk), MSG_DONTWAIT) <= 0)
		linger_free(container_of(w, struct lingering, watch));
}

static void
linger_over(struct loop_timer *t)
{
	linger_free(container_of(t, struct lingering, timer));
}

/* evhttp is about to close fd and to shut its sending side: ours is a second
 * descriptor of the same socket, which only reads and forgets. */
void
linger_start(struct http_listener *from, int fd)
{
	struct loop *loop = from->http->loop;
	struct conns *cs = &from->conns;
	struct lingering *l;

	if (cs->nlingers == LINGER_MAX)
		return;
	fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (fd == -1)
		return;
	l = xcalloc(1, sizeof(*l));
	l->conns = cs;
	watch_init(&l->watch, loop, linger_readable);
	timer_init(&l->timer, loop, linger_over);
	watch_set(&l->watch, fd, WATCH_READ);
	timer_arm_ms(&l->timer, LINGER_MS);
	TAILQ_INSERT_TAIL(&cs->lingers, l, link);
	cs->nlingers++;
}

void
lingers_close(struct http_listener *from)
{
	struct lingering *l;

	while ((l = TAILQ_FIRST(&from->conns.lingers)) != NULL)
		linger_free(l);
}
