#include "balancer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http.h"

#define BACKENDS_MAX 8
#define PROBE_EVERY_MS 20
#define CHUNK 65536

struct backend {
	int port;
	bool said; /* by the last probe that was different */
	int64_t said_ms; /* when */
	bool ready; /* what counts */
};

struct balancer {
	int fd, port;
	int64_t learns_after_ms;
	pthread_mutex_t lock;
	struct backend backends[BACKENDS_MAX];
	size_t n, next;
	atomic_bool stopping;
	atomic_int alive; /* threads that are to end by themselves */
	pthread_t accepter, prober;
};

struct pair {
	struct balancer *b;
	int client, server;
};

/* ---- who is ready ---- */
static void
learn(struct balancer *b, struct backend *k, bool says)
{
	int64_t now = now_ms();

	pthread_mutex_lock(&b->lock);
	if (says != k->said) {
		k->said = says;
		k->said_ms = now;
	}
	if (now - k->said_ms >= b->learns_after_ms)
		k->ready = k->said;
	pthread_mutex_unlock(&b->lock);
}

static void *
probe(void *arg)
{
	struct balancer *b = arg;
	struct http h;
	size_t i;

	while (!b->stopping) {
		for (i = 0; i < b->n; i++) {
			http_init(&h, b->backends[i].port);
			learn(b, &b->backends[i],
			    http_call(&h, "GET", "/readyz", NULL, NULL) == 200);
			http_fini(&h);
		}
		pause_ms(PROBE_EVERY_MS);
	}
	return NULL;
}

size_t
balancer_ready(struct balancer *b)
{
	size_t i, ready = 0;

	pthread_mutex_lock(&b->lock);
	for (i = 0; i < b->n; i++)
		ready += b->backends[i].ready;
	pthread_mutex_unlock(&b->lock);
	return ready;
}

/* 0: nobody. */
static int
pick(struct balancer *b)
{
	int port = 0;
	size_t i;

	pthread_mutex_lock(&b->lock);
	for (i = 0; i < b->n && port == 0; i++) {
		b->next = (b->next + 1) % b->n;
		if (b->backends[b->next].ready)
			port = b->backends[b->next].port;
	}
	pthread_mutex_unlock(&b->lock);
	return port;
}

/* ---- what passes through ---- */
static int
dial(int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		close(fd);
		return -1;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void
reset(int fd)
{
	struct linger now = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}

/* False: this direction is over. -1 in *ret: by a reset. */
static bool
pass(int from, int to, bool *ret_reset)
{
	char chunk[CHUNK];
	ssize_t n = recv(from, chunk, sizeof(chunk), 0), done = 0, k;

	if (n < 0)
		*ret_reset = true;
	while (n > 0 && done < n) {
		k = send(to, chunk + done, (size_t)(n - done), MSG_NOSIGNAL);
		if (k <= 0)
			return false;
		done += k;
	}
	if (n == 0)
		shutdown(to, SHUT_WR);
	return n > 0;
}

/* Until both have said all; a reset is handed on. */
static void *
carry(void *arg)
{
	struct pair p = *(struct pair *)arg;
	struct pollfd fds[2] = { { .fd = p.client, .events = POLLIN },
		{ .fd = p.server, .events = POLLIN } };
	int ends[2] = { p.client, p.server };
	bool was_reset = false;
	int i;

	free(arg);
	while ((fds[0].fd >= 0 || fds[1].fd >= 0) && !was_reset &&
	    poll(fds, 2, PATIENCE_MS) > 0)
		for (i = 0; i < 2; i++)
			if (fds[i].revents != 0 &&
			    !pass(ends[i], ends[!i], &was_reset))
				fds[i].fd = -1;
	if (was_reset) {
		reset(p.client);
		reset(p.server);
	} else {
		close(p.client);
		close(p.server);
	}
	p.b->alive--;
	return NULL;
}

static void
begin(struct balancer *b, int client)
{
	struct pair *p = malloc(sizeof(*p));
	int port = pick(b), one = 1;
	pthread_t thread;

	*p = (struct pair){ b, client, port == 0 ? -1 : dial(port) };
	if (p->server < 0) {
		free(p);
		reset(client);
		return;
	}
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	b->alive++;
	if (pthread_create(&thread, NULL, carry, p) != 0)
		abort();
	pthread_detach(thread);
}

static void *
accept_all(void *arg)
{
	struct balancer *b = arg;
	struct pollfd p = { .fd = b->fd, .events = POLLIN };
	int client;

	while (!b->stopping) {
		if (poll(&p, 1, PROBE_EVERY_MS) <= 0)
			continue;
		client = accept4(b->fd, NULL, NULL, SOCK_CLOEXEC);
		if (client >= 0)
			begin(b, client);
	}
	return NULL;
}

/* ---- open and close ---- */
struct balancer *
balancer_open(const int *ports, size_t n, int64_t learns_after_ms)
{
	struct balancer *b = calloc(1, sizeof(*b));
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	size_t i;

	assert_true(n <= BACKENDS_MAX);
	pthread_mutex_init(&b->lock, NULL);
	for (i = 0; i < n; i++)
		b->backends[i].port = ports[i];
	b->n = n;
	b->learns_after_ms = learns_after_ms;
	b->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(b->fd, (struct sockaddr *)&sin, len) < 0 ||
	    listen(b->fd, 128) < 0 ||
	    getsockname(b->fd, (struct sockaddr *)&sin, &len) < 0)
		fail_msg("no socket for the balancer");
	b->port = ntohs(sin.sin_port);
	if (pthread_create(&b->accepter, NULL, accept_all, b) != 0 ||
	    pthread_create(&b->prober, NULL, probe, b) != 0)
		abort();
	return b;
}

int
balancer_port(const struct balancer *b)
{
	return b->port;
}

void
balancer_close(struct balancer *b)
{
	b->stopping = true;
	pthread_join(b->accepter, NULL);
	pthread_join(b->prober, NULL);
	UNTIL(b->alive == 0);
	close(b->fd);
	pthread_mutex_destroy(&b->lock);
	free(b);
}
