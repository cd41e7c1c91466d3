#include <errno.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"

void
http_init(struct http *h, int port)
{
	memset(h, 0, sizeof(*h));
	h->port = port;
	h->fd = -1;
	h->timeout_ms = PATIENCE_MS;
}

static void
hang_up(struct http *h)
{
	if (h->fd >= 0)
		close(h->fd);
	h->fd = -1;
}

static void
forget(struct http *h)
{
	cJSON_Delete(h->json);
	h->json = NULL;
	h->len = h->body_len = 0;
	h->body = "";
	h->status = 0;
}

void
http_fini(struct http *h)
{
	hang_up(h);
	forget(h);
	free(h->bytes);
	free(h->token);
	h->bytes = h->token = NULL;
}

/* ---- the connection ---- */

/* The server may have closed it while nobody looked. */
static bool
is_open(const struct http *h)
{
	char c;

	return h->fd >= 0 && recv(h->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
	    (errno == EAGAIN || errno == EWOULDBLOCK);
}

static bool
dial(struct http *h)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)h->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int one = 1;

	if (is_open(h))
		return true;
	hang_up(h);
	h->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	setsockopt(h->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(h->fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		hang_up(h);
		return false;
	}
	return true;
}

static bool
send_all(struct http *h, const char *p, size_t len)
{
	ssize_t n;

	for (; len > 0; p += n, len -= (size_t)n) {
		n = send(h->fd, p, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
	}
	return true;
}

/* More bytes; false: the end, or it took too long. */
static bool
receive(struct http *h, int64_t give_up)
{
	struct pollfd p = { .fd = h->fd, .events = POLLIN };
	int64_t left = give_up - now_ms();
	ssize_t n;

	if (h->cap - h->len < 4096) {
		h->cap = h->cap * 2 + 16384;
		h->bytes = realloc(h->bytes, h->cap);
	}
	if (left <= 0 || poll(&p, 1, (int)left) != 1)
		return false;
	n = recv(h->fd, h->bytes + h->len, h->cap - h->len - 1, 0);
	if (n <= 0)
		return false;
	h->len += (size_t)n;
	h->bytes[h->len] = '\0';
	return true;
}

/* ---- the answer ---- */
static const char *
find_header(const struct http *h, const char *name, size_t *ret_len)
{
	const char *line = h->bytes, *end;
	size_t len = strlen(name);

	while (line < h->body && (end = strstr(line, "\r\n")) != NULL) {
		if (strncasecmp(line, name, len) == 0 && line[len] == ':') {
			line += len + 1;
			line += strspn(line, " ");
			*ret_len = (size_t)(end - line);
			return line;
		}
		line = end + 2;
	}
	return NULL;
}

static bool
read_head(struct http *h, int64_t give_up)
{
	char *end;

	while (h->len == 0 || (end = strstr(h->bytes, "\r\n\r\n")) == NULL)
		if (!receive(h, give_up))
			return false;
	h->body = end + 4;
	return sscanf(h->bytes, "HTTP/1.%*d %d", &h->status) == 1;
}

static bool
read_body(struct http *h, int64_t give_up)
{
	size_t at = (size_t)(h->body - h->bytes), want = 0, n;
	const char *length = find_header(h, "Content-Length", &n);

	if (length != NULL)
		want = strtoull(length, NULL, 10);
	else if (h->status != 204 && h->status != 304)
		want = SIZE_MAX; /* to the end of the connection */
	if (h->status == 304)
		want = 0;
	while (h->len - at < want)
		if (!receive(h, give_up))
			break;
	h->body = h->bytes + at;
	h->body_len = h->len - at;
	return want == SIZE_MAX || h->body_len == want;
}

static int
take_answer(struct http *h)
{
	int64_t give_up = now_ms() + h->timeout_ms;
	const char *value;
	size_t n;

	do {
		h->len = 0;
		if (!read_head(h, give_up) || !read_body(h, give_up)) {
			hang_up(h);
			return HTTP_LOST;
		}
	} while (h->status == 100);
	value = find_header(h, "Connection", &n);
	if (value != NULL && strncasecmp(value, "close", 5) == 0)
		hang_up(h);
	return h->status;
}

int
http_call(struct http *h, const char *method, const char *path,
    const char *headers, const char *body)
{
	size_t body_len = body != NULL ? strlen(body) : 0;
	char length[64] = "";
	char *head = NULL;
	bool sent;
	int n;

	forget(h);
	if (!dial(h))
		return HTTP_UNSENT;
	if (body != NULL)
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n",
		    body_len);
	n = asprintf(&head,
	    "%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s%s%s%s\r\n", method, path,
	    h->token != NULL ? "Authorization: Bearer " : "",
	    h->token != NULL ? h->token : "", h->token != NULL ? "\r\n" : "",
	    headers != NULL ? headers : "", length);
	if (n < 0)
		abort();
	sent = send_all(h, head, (size_t)n) &&
	    (body == NULL || send_all(h, body, body_len));
	free(head);
	/* A refusal may have come before all of it was sent. */
	if (!sent && errno != EPIPE && errno != ECONNRESET)
		return HTTP_LOST;
	return take_answer(h);
}

int
http_raw(struct http *h, const char *bytes, size_t len)
{
	forget(h);
	hang_up(h);
	if (!dial(h))
		return HTTP_UNSENT;
	if (!send_all(h, bytes, len))
		return HTTP_LOST;
	return take_answer(h);
}

const char *
http_header(const struct http *h, const char *name)
{
	const char *value;
	size_t n;

	if (h->status == 0)
		return NULL;
	value = find_header(h, name, &n);
	return value == NULL ? NULL : text("%.*s", (int)n, value);
}

const cJSON *
http_json(struct http *h)
{
	if (h->json == NULL && h->body_len > 0)
		h->json = cJSON_ParseWithLength(h->body, h->body_len);
	return h->json;
}
