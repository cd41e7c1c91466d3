#ifndef TASKFLOW_TEST_STREAMS_FIXTURE_H
#define TASKFLOW_TEST_STREAMS_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

/* ---- a client that reads a stream ---- */
struct stream {
	int fd;
	bool over; /* the connection has ended */
	char *text; /* all that came, chunks and heads included */
	size_t len, cap;
};

static inline void
stream_open(struct stream *s, const char *api, const char *id, const char *more,
    int receive)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)part_port(api)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const char *request = text("GET /tasks/%s/events HTTP/1.1\r\n"
				   "Host: x\r\nAuthorization: Bearer %s\r\n"
				   "Accept: text/event-stream\r\n%s\r\n",
	    id, me.token, more);

	memset(s, 0, sizeof(*s));
	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (receive > 0)
		setsockopt(
		    s->fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive));
	assert_int_equal(connect(s->fd, (struct sockaddr *)&to, sizeof(to)), 0);
	assert_int_equal(send(s->fd, request, strlen(request), MSG_NOSIGNAL),
	    strlen(request));
	s->cap = 65536;
	s->text = calloc(1, s->cap + 1);
}

static inline void
stream_close(struct stream *s)
{
	close(s->fd);
	free(s->text);
}

/* What is there now. */
static inline void
stream_read(struct stream *s)
{
	ssize_t n;

	for (;;) {
		if (s->cap - s->len < 65536)
			s->text = realloc(s->text, (s->cap *= 2) + 1);
		n = recv(
		    s->fd, s->text + s->len, s->cap - s->len, MSG_DONTWAIT);
		if (n <= 0)
			break;
		s->len += (size_t)n;
	}
	s->text[s->len] = '\0';
	s->over = n == 0 ||
	    (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

static inline bool
stream_has(struct stream *s, const char *what)
{
	stream_read(s);
	return strstr(s->text, what) != NULL;
}

/* Is the body complete, by its last chunk? */
static inline bool
stream_is_whole(struct stream *s)
{
	stream_read(s);
	return s->len >= 5 && strcmp(s->text + s->len - 5, "0\r\n\r\n") == 0;
}

#endif
