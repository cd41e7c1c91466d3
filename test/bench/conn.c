/* A connection: one request at a time, and as much of HTTP/1.1 as its answer
 * needs. What breaks is opened again after a moment. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

#define AGAIN_MS 50
#define TIMEOUT_NS (15 * SECOND_NS)

static void conn_readable(evutil_socket_t, short, void *);
static void conn_writable(evutil_socket_t, short, void *);
static void conn_again(evutil_socket_t, short, void *);

void
conn_init(struct conn *c, struct stream *s, const struct target *target)
{
	c->stream = s;
	c->target = target;
	c->fd = -1;
	event_assign(&c->again, s->base, -1, 0, conn_again, c);
}

void
conn_open(struct conn *c)
{
	struct event_base *base = c->stream->base;
	const struct sockaddr *addr = (const struct sockaddr *)&c->target->addr;
	int on = 1;

	c->state = CONN_OPENING;
	c->fd = socket(
	    addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	event_assign(
	    &c->readable, base, c->fd, EV_READ | EV_PERSIST, conn_readable, c);
	event_assign(&c->writable, base, c->fd, EV_WRITE, conn_writable, c);
	if (c->fd == -1) {
		conn_lost(c);
		return;
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(c->fd, addr, c->target->len) == -1 &&
	    errno != EINPROGRESS) {
		conn_lost(c);
		return;
	}
	event_add(&c->writable, NULL);
}

static void
conn_again(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	conn_open(arg);
}

/* It is closed, and tried again a little later: not all of them at once. */
static void
conn_reopen(struct conn *c)
{
	struct timeval tv = { .tv_usec =
				  (AGAIN_MS + rand() % AGAIN_MS) * 1000 };

	if (c->fd != -1) {
		event_del(&c->readable);
		event_del(&c->writable);
		close(c->fd);
	}
	c->fd = -1;
	c->state = CONN_CLOSED;
	event_add(&c->again, &tv);
}

static void
conn_tried(struct conn *c)
{
	if (!c->tried)
		stream_opened(c->stream);
	c->tried = true;
}

void
conn_lost(struct conn *c)
{
	struct stream *s = c->stream;
	bool opening = c->state == CONN_OPENING;

	if (opening)
		s->refused++;
	else
		s->reconnects++;
	if (c->state == CONN_IDLE)
		TAILQ_REMOVE(&s->idle, c, link);
	if (c->state == CONN_BUSY) {
		s->busy--;
		s->errors++;
	}
	conn_reopen(c);
	if (opening)
		conn_tried(c);
}

static void
conn_write(struct conn *c)
{
	const struct text *t = c->text;
	ssize_t n;

	n = write(c->fd, t->at + c->written, t->len - c->written);
	if (n == -1 && errno != EAGAIN) {
		conn_lost(c);
		return;
	}
	if (n > 0)
		c->written += (size_t)n;
	if (c->written < t->len)
		event_add(&c->writable, NULL);
}

void
conn_send(struct conn *c, uint64_t due)
{
	struct stream *s = c->stream;

	c->state = CONN_BUSY;
	c->due = due;
	c->deadline = now_ns() + TIMEOUT_NS;
	c->text = &s->texts[s->begun % s->ntexts];
	c->written = c->have = 0;
	c->status = 0;
	s->busy++;
	s->begun++;
	conn_write(c);
}

static void
conn_writable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	int error = 0;
	socklen_t len = sizeof(error);

	(void)what;
	if (c->state == CONN_BUSY) {
		conn_write(c);
		return;
	}
	getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	if (error != 0) {
		conn_lost(c);
		return;
	}
	event_add(&c->readable, NULL);
	stream_idle(c->stream, c);
	conn_tried(c);
}

/* ---- answers ---- */

static const char *
value_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	if (strncasecmp(line, name, len) != 0)
		return NULL;
	line += len;
	return line + strspn(line, " \t");
}

static void
head_line(struct conn *c, const char *line)
{
	const char *value;

	switch (*line | 0x20) {
	case 'c':
		if ((value = value_of(line, "Content-Length:")) != NULL)
			c->body_left = strtoull(value, NULL, 10);
		else if ((value = value_of(line, "Connection:")) != NULL)
			c->last = strncasecmp(value, "close", 5) == 0;
		break;
	case 'r':
		if (value_of(line, "Retry-After:") != NULL)
			c->retry_after = true;
		break;
	case 't':
		if (value_of(line, "Transfer-Encoding:") != NULL)
			c->status = -1; /* we read no chunks */
		break;
	}
}

/* The head ends at end, with its last line's CR LF; false: not HTTP. */
static bool
head_parse(struct conn *c, char *end)
{
	char *line;

	*end = '\0';
	if (c->have < 12 || memcmp(c->head, "HTTP/1.", 7) != 0)
		return false;
	c->status = atoi(c->head + 9);
	c->last = c->head[7] == '0';
	c->retry_after = false;
	c->body_left = 0;
	for (line = strchr(c->head, '\n'); line != NULL;
	     line = strchr(line + 1, '\n'))
		head_line(c, line + 1);
	return c->status >= 100 && c->status < STATUSES;
}

/* false: the answer is of no use and the connection neither. */
static bool
head_take(struct conn *c, size_t n)
{
	char *end;
	size_t body;

	c->have += n;
	end = memmem(c->head, c->have, "\r\n\r\n", 4);
	if (end == NULL)
		return c->have < sizeof(c->head);
	if (!head_parse(c, end))
		return false;
	body = (size_t)(c->head + c->have - (end + 4));
	if (body > c->body_left)
		return false;
	c->body_left -= body;
	return true;
}

static bool
answer_read(struct conn *c)
{
	static char junk[65536];
	ssize_t n;

	if (c->status != 0)
		n = read(c->fd, junk, sizeof(junk));
	else
		n = read(c->fd, c->head + c->have, sizeof(c->head) - c->have);
	if (n == -1)
		return errno == EAGAIN;
	if (n == 0)
		return false;
	if (c->status == 0)
		return head_take(c, (size_t)n);
	if ((uint64_t)n > c->body_left)
		return false;
	c->body_left -= (uint64_t)n;
	return true;
}

static void
conn_readable(evutil_socket_t fd, short what, void *arg)
{
	struct conn *c = arg;
	struct stream *s = c->stream;

	(void)fd;
	(void)what;
	/* What comes without a question is the end of the connection. */
	if (c->state != CONN_BUSY || !answer_read(c)) {
		conn_lost(c);
		return;
	}
	if (c->status == 0 || c->body_left > 0)
		return;
	s->busy--;
	c->state = CONN_CLOSED;
	stream_answered(s, c);
	if (!c->last && c->written == c->text->len) {
		stream_idle(s, c);
		return;
	}
	s->reconnects++;
	conn_reopen(c);
}
