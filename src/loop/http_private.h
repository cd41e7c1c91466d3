#ifndef TASKFLOW_LOOP_HTTP_PRIVATE_H
#define TASKFLOW_LOOP_HTTP_PRIVATE_H

/*
 * What the files of the HTTP server share: http.c (listeners, dispatch),
 * http_conn.c (connections), http_linger.c, http_req.c (request and answer), http_guard.c,
 * http_route.c, problem.c.
 */
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <sys/queue.h>

#include "loop/http.h"

#define ROUTE_MAX_PARAMS 4
#define HTTP_MAX_NOTES 4
#define HTTP_ID_MAX 64

/* ---- http_guard.c: pure ---- */
struct guard_input {
	enum evhttp_cmd_type method;
	int major, minor;
	const char *target; /* as it came; NULL for none */
	const struct evkeyvalq *headers;
	size_t body_len; /* as evhttp delimited it */
};
/* 0, or the HTTP status to refuse it with; *ret_why is one line. */
int guard_check(const struct guard_input *, const char **ret_why);

/* ---- http_route.c: pure, nothing is allocated ---- */
struct route_match {
	const struct route *route; /* NULL: none for this method */
	unsigned allowed; /* bits of enum http_method: of this path */
	unsigned nparams;
	struct route_param {
		struct span name; /* in the route's path */
		struct span raw; /* in the request's path, not decoded */
	} param[ROUTE_MAX_PARAMS];
};
/* A literal segment beats a parameter, wherever the routes stand. */
void route_find(const struct route *, size_t n, enum http_method,
    struct span path, struct route_match *ret);
#define ROUTE_ALLOW_SIZE 64
/* The value of an Allow header. */
void route_allow(unsigned allowed, char ret[ROUTE_ALLOW_SIZE]);
/* Decodes into ret (at most raw.len bytes and a NUL) and returns the length.
 * The escapes must have passed the guard. */
size_t percent_decode(struct span raw, bool plus_is_space, char *ret);
/* Is raw, decoded, this text? */
bool percent_is(struct span raw, bool plus_is_space, struct span text);

/* ---- problem.c ---- */
/* What an error becomes. Also for what only HTTP knows (408, 417, ...), which
 * has no enum err. */
struct problem {
	int status;
	const char *name; /* the last part of the type URN */
	const char *title; /* also the reason phrase */
	int retry_after_s; /* 0: no such header unless asked for */
};
const struct problem *problem_of_err(enum err);
const struct problem *problem_of_status(int status);
#define PROBLEM_TYPE "application/problem+json"
#define PROBLEM_MAX 16384
/* The JSON. path may be absent; faults: detail is also a member of `errors`. */
void problem_write(struct buf *, const struct problem *, const char *detail,
    struct span path, const char *request_id, const struct fault *faults);
/* A whole answer that closes, for connections without a request. */
void problem_write_raw(struct buf *, const struct problem *, const char *detail,
    const char *request_id);

/* ---- the server ---- */
enum conn_state {
	CONN_NEW, /* accepted, and not a byte yet */
	CONN_IDLE, /* answered, and nothing of a next request yet */
	CONN_READING, /* bytes of a request are here; oldest first */
	CONN_SERVING, /* the request is with its flow, or being answered */
	CONN_STATES
};

struct conn;
struct lingering;
TAILQ_HEAD(conn_list, conn);
TAILQ_HEAD(linger_list, lingering);

/* Of one listener: what floods one of them leaves room on the others, so that
 * probes are still answered. */
struct conns {
	struct conn_list in[CONN_STATES];
	struct conn_list chores; /* fresh ones, and those with error pages */
	struct event *chores_ev;
	struct conn **by_fd;
	size_t by_fd_size;
	size_t n; /* all of them */
	size_t n_in[CONN_STATES];
	struct loop_timer deadline; /* of the oldest that is being read */
	struct linger_list lingers;
	size_t nlingers;
};

TAILQ_HEAD(listener_list, http_listener);
struct http_listener {
	TAILQ_ENTRY(http_listener) link; /* of this server */
	TAILQ_ENTRY(http_listener) peer; /* of the process */
	struct http *http;
	struct evhttp *evhttp;
	struct evhttp_bound_socket *bound; /* NULL once drained */
	struct loop_timer pause; /* after a failed accept */
	struct conns conns;
	const struct route *routes;
	size_t nroutes;
	void *ctx;
};

struct http {
	struct loop *loop;
	struct http_conf conf;
	struct listener_list listeners;
	size_t in_flight; /* requests without an answer */
	bool draining;
};

/* The port of the newest listener; for tests, which listen on port 0. */
int http_port(const struct http *);

/* ---- http_conn.c ---- */
void conns_open(struct http_listener *);
void conns_close(struct http_listener *); /* after evhttp_free */
/* Write what is left of answers that the loop had no time to write. */
void conns_flush(struct http_listener *);
/* For evhttp_set_bevcb; arg is the listener. */
struct bufferevent *conn_accept(struct event_base *, void *arg);
/* evhttp has handed this request out. */
void conn_serving(struct http_listener *, struct evhttp_request *);
/* When it closes, let the client read our answer first. */
void conn_linger(struct http_listener *, struct evhttp_request *);

/* ---- http_linger.c ---- */
/* fd is about to be closed by its owner. */
void linger_start(struct http_listener *, int fd);
void lingers_close(struct http_listener *);

/* ---- http_req.c ---- */
struct http_note {
	const char *key;
	struct id id;
};

struct http_req {
	struct http *http;
	struct evhttp_request *ev; /* NULL once answered */
	struct arena *arena; /* the flow's, or one of a refusal */
	const char *method;
	struct span path; /* raw, in ev; absent if there is none */
	struct span query; /* raw, in ev */
	struct route_match match;
	const char *param[ROUTE_MAX_PARAMS]; /* decoded */
	int64_t started_us;
	bool is_head;
	bool closes;
	unsigned nnotes;
	struct http_note note[HTTP_MAX_NOTES];
	char id[HTTP_ID_MAX + 1];
};

/* Zeroed before. match may be NULL. */
void req_init(struct http_req *, struct http *, struct evhttp_request *,
    struct arena *, const struct route_match *);
void req_split_target(
    const char *target, struct span *ret_path, struct span *ret_query);
void req_refuse(struct http_req *, const struct problem *, const char *detail,
    const struct fault *, int retry_after_s);
/* The one line of a request; path absent: one that evhttp refused. */
void http_log_access(const struct http_req *, int status);

#endif
