#ifndef TASKFLOW_TEST_BALANCER_H
#define TASKFLOW_TEST_BALANCER_H

/*
 * A small balancer of connections, in threads of its own, that behaves like a
 * Service of Kubernetes: it asks each backend for /readyz again and again, and
 * sends new connections, in turn, to those that are ready as far as it knows;
 * which is always a while ago. It does not look into what passes through, does
 * not try again, and lets connections that are there live on. A backend that
 * refuses is a client that is reset.
 */
#include <stddef.h>
#include <stdint.h>

struct balancer;

/* What a probe said counts learns_after_ms later. The backends are ports of
 * the loopback, at most 8. */
struct balancer *balancer_open(
    const int *ports, size_t n, int64_t learns_after_ms);
int balancer_port(const struct balancer *);
/* How many backends get connections now. */
size_t balancer_ready(struct balancer *);
/* When all clients have hung up. */
void balancer_close(struct balancer *);

#endif
