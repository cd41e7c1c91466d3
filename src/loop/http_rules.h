#ifndef TASKFLOW_LOOP_HTTP_RULES_H
#define TASKFLOW_LOOP_HTTP_RULES_H

/*
 * The pure parts of the HTTP server, which know no loop and no connection:
 * http_guard.c (what is refused), http_route.c (which route), problem.c (what
 * an error looks like).
 */
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <sys/queue.h>

#include "base/net.h"
#include "loop/http.h"

#define ROUTE_MAX_PARAMS 4

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

/* ---- http_forwarded.c: pure ---- */
struct forwarded {
	char client[NET_TEXT_SIZE]; /* "": a Unix socket, and no more is known */
	const char *scheme; /* "http", "https"; NULL: nobody has said it */
};
/* peer: an address, "" for a Unix socket. False: it is none of ours, and what
 * it sends is not believed. */
bool forwarded_find(const struct net_list *trusted, const char *peer,
    const struct evkeyvalq *headers, struct forwarded *ret);

/* ---- http_cors.c ---- */
/* Does the origin stand in the comma list? Pure. */
bool cors_allows(const char *list, const char *origin);

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
/* enum metric_reason */
struct problem;
unsigned problem_reason(const struct problem *);
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
/* What is particular to one answer. */
struct problem_case {
	const char *detail;
	const char *request_id;
	struct span path; /* absent: not known */
	const struct fault *fault; /* NULL, or the one member of `errors` */
	const char *more; /* NULL, or further members */
};
void problem_write(
    struct buf *, const struct problem *, const struct problem_case *);
/* A whole answer that closes, for connections without a request. */
void problem_write_raw(struct buf *, const struct problem *, const char *detail,
    const char *request_id);

#endif
