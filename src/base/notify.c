/* The other end of sd_notify(3) and sd_listen_fds(3). */
#include "base/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX 1024
#define FIRST_GIVEN 3 /* SD_LISTEN_FDS_START */

/* The whole of text as a number of at most max; -1: it is none. */
static int64_t
number_of(const char *text, int64_t max)
{
	int64_t n = 0;

	if (text == NULL || *text == '\0')
		return -1;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9' || n > (max - 9) / 10)
			return -1;
		n = n * 10 + (*text - '0');
	}
	return n;
}

/* Not there counts as ours. */
static bool
is_ours(const char *pid)
{
	return pid == NULL || number_of(pid, INT32_MAX) == getpid();
}

/* ---- telling ---- */

static bool
set_address(struct notify *n, const char *path)
{
	size_t len = strlen(path);

	if ((path[0] != '/' && path[0] != '@') || len < 2 ||
	    len >= sizeof(n->to.sun_path))
		return false;
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, path, len);
	/* An abstract name has no zero at its end, a path may do without. */
	if (path[0] == '@')
		n->to.sun_path[0] = '\0';
	n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

static bool
open_socket(struct notify *n, const char *path, char *err, size_t size)
{
	if (!set_address(n, path)) {
		snprintf(err, size,
		    "bad value of NOTIFY_SOCKET: \"%.100s\"; allowed is an "
		    "absolute path, or @ and a name, of less than %zu bytes",
		    path, sizeof(n->to.sun_path));
		return false;
	}
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		snprintf(err, size, "no socket for NOTIFY_SOCKET: %s",
		    strerror(errno));
	return n->fd >= 0;
}

static bool
read_watchdog(struct notify *n, char *err, size_t size)
{
	const char *text = getenv("WATCHDOG_USEC");
	int64_t us;

	if (text == NULL || !is_ours(getenv("WATCHDOG_PID")))
		return true;
	us = number_of(text, INT64_MAX / 2);
	if (us <= 0) {
		snprintf(err, size,
		    "bad value of WATCHDOG_USEC: \"%.100s\"; allowed is a "
		    "number of microseconds above 0",
		    text);
		return false;
	}
	n->watchdog_us = us;
	return true;
}

bool
notify_open(struct notify *n, char *err, size_t err_size)
{
	const char *path = getenv("NOTIFY_SOCKET");
	bool good;

	*n = (struct notify){ .fd = -1 };
	good = read_watchdog(n, err, err_size) &&
	    (path == NULL || *path == '\0' ||
		open_socket(n, path, err, err_size));
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	if (n->fd < 0)
		n->watchdog_us = 0;
	return good;
}

void
notify_send(const struct notify *n, const char *fmt, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;
	int len;

	if (n->fd < 0)
		return;
	va_start(ap, fmt);
	len = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (len >= (int)sizeof(text))
		len = sizeof(text) - 1;
	if (len > 0)
		sendto(n->fd, text, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT,
		    (const struct sockaddr *)&n->to, n->to_len);
}

void
notify_close(struct notify *n)
{
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
	n->watchdog_us = 0;
}

/* ---- being given ---- */

/* Names are separated by colons; without any it is "unknown", as systemd has
 * it. */
static void
take_name(struct given *g, const char **names)
{
	size_t len = *names == NULL ? 0 : strcspn(*names, ":");

	if (len == 0 || len >= GIVEN_NAME_SIZE)
		snprintf(g->v[g->n].name, GIVEN_NAME_SIZE, "unknown");
	else
		snprintf(
		    g->v[g->n].name, GIVEN_NAME_SIZE, "%.*s", (int)len, *names);
	if (*names != NULL)
		*names += len + ((*names)[len] == ':');
}

static bool
take_all(struct given *g, const char *count, const char *names, char *err,
    size_t size)
{
	int64_t n = number_of(count, INT32_MAX);

	if (n < 0 || n > GIVEN_MAX) {
		snprintf(err, size,
		    "bad value of LISTEN_FDS: \"%.100s\"; allowed is a number "
		    "from 0 to %d",
		    count, GIVEN_MAX);
		return false;
	}
	for (; g->n < (size_t)n; g->n++) {
		g->v[g->n].fd = FIRST_GIVEN + (int)g->n;
		if (fcntl(g->v[g->n].fd, F_SETFD, FD_CLOEXEC) != 0) {
			snprintf(err, size,
			    "bad value of LISTEN_FDS: \"%s\", but descriptor "
			    "%d is not open",
			    count, g->v[g->n].fd);
			return false;
		}
		take_name(g, &names);
	}
	return true;
}

bool
given_open(struct given *g, char *err, size_t err_size)
{
	const char *count = getenv("LISTEN_FDS");
	const char *pid = getenv("LISTEN_PID");
	bool good = true;

	*g = (struct given){ 0 };
	if (count != NULL && pid != NULL && is_ours(pid))
		good =
		    take_all(g, count, getenv("LISTEN_FDNAMES"), err, err_size);
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	return good;
}

int
given_take(struct given *g, const char *name)
{
	size_t i;
	int fd;

	for (i = 0; i < g->n; i++) {
		if (g->v[i].fd < 0 || strcmp(g->v[i].name, name) != 0)
			continue;
		fd = g->v[i].fd;
		g->v[i].fd = -1;
		return fd;
	}
	return -1;
}

const char *
given_left(const struct given *g)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (g->v[i].fd >= 0)
			return g->v[i].name;
	return NULL;
}

void
given_close(struct given *g)
{
	size_t i;

	for (i = 0; i < g->n; i++)
		if (g->v[i].fd >= 0)
			close(g->v[i].fd);
	g->n = 0;
}
