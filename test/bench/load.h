/*
 * The load generator: streams of requests, each over connections of its own.
 * A stream is closed (a connection asks again once it has its answer) or open
 * (request n is due at n * period, whatever the server does; the latency is
 * counted from that time). Nothing is pipelined.
 */
#ifndef TEST_BENCH_LOAD_H
#define TEST_BENCH_LOAD_H

#include <sys/queue.h>
#include <sys/socket.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hist.h"

#define MAX_TARGETS 64
#define STATUSES 600
#define SECOND_NS 1000000000ULL

struct target {
	struct sockaddr_storage addr;
	socklen_t len;
};

struct opts {
	struct target targets[MAX_TARGETS];
	unsigned ntargets;
	bool get; /* any request without a body, not a submit */
	bool wait;
	bool keys; /* each request has an Idempotency-Key of its own */
	const char *token, *queue, *type, *priority;
	const char *method, *path, *paths, *probe_path;
	unsigned connections, batch, payload_bytes, probe_ms;
	unsigned long count;
	uint64_t begun_ns; /* tells the keys of one run from those of another */
	double seconds, rate;
};

struct text {
	char *at;
	size_t len;
};

enum conn_state { CONN_CLOSED, CONN_OPENING, CONN_IDLE, CONN_BUSY };

struct conn {
	TAILQ_ENTRY(conn) link; /* of those that are idle */
	struct stream *stream;
	const struct target *target;
	struct event readable, writable, again;
	enum conn_state state;
	bool tried; /* opened, or refused, once */
	int fd;
	uint64_t due, deadline; /* of its request */
	const struct text *text;
	size_t written;
	int status; /* of its answer; 0: head not complete */
	bool last; /* answer says Connection: close */
	bool retry_after;
	uint64_t body_left;
	size_t have;
	char head[4096];
};

TAILQ_HEAD(conns, conn);

struct stream {
	struct event_base *base;
	struct text *texts; /* sent in turn */
	unsigned ntexts;
	struct conn *conns;
	unsigned nconns;
	unsigned unopened, opening, opened; /* the first time */
	unsigned busy;
	struct conns idle;
	struct event tick; /* open: when the next one is due */
	bool started, stopped;
	uint64_t period, limit; /* 0: closed; number of requests */
	uint64_t start, end, last;
	uint64_t begun, ok, errors, refused, reconnects, no_retry_after;
	uint64_t status[STATUSES];
	struct hist hist;
};

/* opts.c */
void opts_parse(struct opts *, int argc, char **argv);
unsigned texts_of_requests(struct text **, const struct opts *);
void text_of_probe(struct text *, const struct opts *);

/* conn.c */
void conn_init(struct conn *, struct stream *, const struct target *);
void conn_open(struct conn *);
void conn_send(struct conn *, uint64_t due);
void conn_lost(struct conn *);

/* stream.c */
uint64_t now_ns(void);
void stream_init(
    struct stream *, struct event_base *, const struct opts *, unsigned nconns);
void stream_start(struct stream *);
void stream_opened(struct stream *);
void stream_idle(struct stream *, struct conn *);
void stream_answered(struct stream *, struct conn *);
void stream_time_out(struct stream *);
bool stream_over(const struct stream *);
uint64_t stream_unsent(const struct stream *);

#endif
