#ifndef TASKFLOW_BASE_NOTIFY_H
#define TASKFLOW_BASE_NOTIFY_H

/*
 * What a service manager and we say to each other, by the protocols of
 * sd_notify(3) and sd_listen_fds(3). Both are a few variables of the
 * environment and one datagram; there is no library in it. The variables are
 * taken out of the environment, so that no handler believes they are its own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/mem.h"

struct notify {
	int		   fd;	/* -1: nobody wants to know */
	struct sockaddr_un to;
	socklen_t	   to_len;
	int64_t		   watchdog_us;	/* a sign of life is due in each; 0: none */
};

/* From NOTIFY_SOCKET (a path, or @ and an abstract name), WATCHDOG_USEC and
 * WATCHDOG_PID. False and one line in err if one of them is no such thing; then
 * nobody is notified. */
bool notify_open(struct notify *, char *err, size_t err_size);
/* Lines of NAME=value, without a line break at the end. Never blocks; a message
 * that cannot be sent is lost, since the manager has other ways to see us. */
void notify_send(const struct notify *, const char *fmt, ...) PRINTF(2, 3);
void notify_close(struct notify *);

/* Listening sockets that we were started with (LISTEN_FDS, LISTEN_PID,
 * LISTEN_FDNAMES). */
#define GIVEN_MAX	8
#define GIVEN_NAME_SIZE	64

struct given {
	size_t n;
	struct {
		int  fd;	/* -1: taken */
		char name[GIVEN_NAME_SIZE];
	} v[GIVEN_MAX];
};

/* Nothing is given if they are another process's. Each is closed on exec. False
 * and one line in err: a bad number, or more than GIVEN_MAX. */
bool given_open(struct given *, char *err, size_t err_size);
/* The descriptor of that name, which is the caller's from now on; -1: none. */
int given_take(struct given *, const char *name);
/* The name of one that nobody took; NULL: all were. */
const char *given_left(const struct given *);
/* Closes those. */
void given_close(struct given *);

#endif
