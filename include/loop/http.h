#ifndef TASKFLOW_LOOP_HTTP_H
#define TASKFLOW_LOOP_HTTP_H

/*
 * The HTTP server, on evhttp. Each request passes the guard (what evhttp lets
 * through and must not: TE and Content-Length games, bad targets and names),
 * finds its route, and starts that route's flow. Whatever happens is answered
 * exactly once; every error is application/problem+json (RFC 9457).
 *
 * One server may listen on several addresses. While draining, every answer
 * closes its connection.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/id.h"
#include "base/mem.h"
#include "loop/flow.h"

struct http;
struct http_req;

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE };

/* A flow of a route begins with this. */
struct http_flow {
	struct flow	 flow;
	struct http_req *req;
	void		*ctx;	/* as given to http_listen */
};

struct route_doc;

struct route {
	enum http_method	method;
	const char	       *path;	/* "/tasks/{id}/events" */
	const struct flow_def  *flow;
	/* What the server itself does not look at. */
	unsigned		scope;	/* what a caller needs, in the role's numbers */
	const struct route_doc *doc;
};

struct http_conf {
	size_t	max_body, max_header;
	size_t	max_connections;	/* of each listener */
	int64_t	request_timeout_ms;	/* to read a request whole */
	int64_t	idle_timeout_ms;	/* a connection without a request */
	/* Comma lists that outlive the server and were checked; NULL: none. */
	const char *trusted_proxies;	/* as net_list_parse takes it */
	const char *cors_origins;	/* or "*" */
	/* How fast a large answer must be read, beyond request_timeout. 0: what
	 * is usual. */
	int64_t	read_rate;		/* bytes a second */
};

struct http *http_open(struct loop *, const struct http_conf *);
/* "127.0.0.1:8080", "[::1]:8080", ":8080" (all addresses). False: *err is one
 * line. May be called several times, with different routes. The routes must
 * live as long as the server; ctx is handed to their flows. */
bool http_listen(struct http *, const char *addr, const struct route *routes,
    size_t n, void *ctx, char *err, size_t err_size);
/* Listeners that are opened from now on speak TLS, by this certificate (with
 * those that lead to its root) and key, in PEM. Again: another pair, for the
 * connections that come. False: the pair is broken, *err is one line, and
 * nothing has changed. */
bool http_set_tls(struct http *, const char *cert, const char *key, char *err,
    size_t err_size);
/* The same for a socket that listens already and is ours from now on. what: its
 * name, for err. */
bool http_listen_fd(struct http *, int fd, const char *what,
    const struct route *routes, size_t n, void *ctx, char *err,
    size_t err_size);
/* The newest listener is for probes: http_drain leaves it open, and who is
 * connected to it does not make us busy. */
void http_keep_open(struct http *);
/* Is there another kind of listener, and does it still accept? */
bool http_accepts(const struct http *);
/* From now on each answer closes its connection, so that clients come back to
 * somebody else. We still accept. */
void http_drain_soon(struct http *);
/* And from now on we do not, but for probes. */
void http_drain(struct http *);
/* Is a request being read or answered, or has somebody just connected? Probes
 * aside. */
bool http_busy(const struct http *);
size_t http_in_flight(const struct http *);
/* Every flow must have ended. */
void http_close(struct http *);

/* ---- the request; all of it until the answer, and what is decoded or
 * copied (parameters, queries, the request id) as long as the flow ---- */
struct span http_body(const struct http_req *);
/* The route that was found; not for requests that a flow did not get. */
const struct route *http_route(const struct http_req *);
/* The decoded path parameter of that name; the route must have it. */
const char *http_param(const struct http_req *, const char *name);
/* A decoded query parameter (+ is a space), NULL if absent. *ret_many (may be
 * NULL): given more than once. */
const char *http_query(const struct http_req *, const char *name,
    bool *ret_many);
/* The name of the first query parameter that is not in the NULL-terminated
 * list; NULL if all are known. */
const char *http_query_unknown(const struct http_req *, const char *const *known);
/* NULL if absent. */
const char *http_header(const struct http_req *, const char *name);
/* Is the body's media type JSON (or absent)? Else ERR_MEDIA_TYPE. */
enum err http_expect_json(const struct http_req *, struct fault *);
const char *http_request_id(const struct http_req *);
/* The same, if the client gave it; else NULL, and it is a family (base/id.h)
 * of which the request may have the members. */
const char *http_client_id(const struct http_req *);
const struct id *http_made_id(const struct http_req *);
/* The address of the connection; and, until the answer, that of the client,
 * which a trusted proxy may have told. "" for a Unix socket. */
const char *http_peer(const struct http_req *);
const char *http_client(const struct http_req *);
int64_t http_started_us(const struct http_req *);	/* monotonic */
/* What a route wants to see in the access log, such as "user"; copied. */
void http_note_id(struct http_req *, const char *key, const struct id *);
void http_note_int(struct http_req *, const char *key, int64_t);

/* ---- the answer: exactly one of these, from the flow's end ---- */
/* Before the answer; copied. The value must not come unchecked from outside. */
void http_add_header(struct http_req *, const char *name, const char *value);
void http_reply(struct http_req *, int status, const char *content_type,
    struct span body);
void http_reply_json(struct http_req *, int status, const struct buf *);
/* The problem's status, type, title come from err; fault may be NULL.
 * retry_after_s > 0 sends Retry-After; 429 and 503 always have one. */
void http_problem(struct http_req *, enum err, const struct fault *,
    int retry_after_s);

/*
 * ---- a stream: an answer that is written as time goes by (events) ----
 * Begun instead of an answer, chunked (RFC 9112, 7.1; HTTP/1.0 is read to the
 * end of the connection), and the connection ends with it. The flow owns it and
 * ends it, at the latest in its own end; the request is in flight until then.
 *
 * It is over when the client has gone, when we drain, and from birth for HEAD:
 * then nothing more is written, and `wake` (may be NULL, must live as long) has
 * been raised. A client that sends nothing is only found gone by writing: write
 * something every 15 s or so. What is borrowed of the request (headers, body)
 * dies when the stream begins.
 */
struct http_stream;
#define HTTP_STREAM_PENDING_MAX 65536
/* Status 200; http_add_header before it. Lives in the flow's arena. */
struct http_stream *http_stream_begin(struct http_req *,
    const char *content_type, struct flow_signal *wake);
bool http_stream_is_over(const struct http_stream *);
/* A chunk, copied; an empty one is nothing. False, and nothing is written: it is
 * over, or the client does not read and more than HTTP_STREAM_PENDING_MAX bytes
 * wait for it: end it. */
bool http_stream_write(struct http_stream *, struct span) MUST_USE;
/* Bytes that the client has not taken yet; 0 if it is over. */
size_t http_stream_pending(const struct http_stream *);
/* Exactly once. A client that does not read the rest is cut off in time. */
void http_stream_end(struct http_stream *);

/* The HTTP status of an error; for --explain and tests. */
int problem_status(enum err);
/* A problem as an object within an answer that has several. where: to what the
 * fault's pointer is relative; the problem has the whole one. */
struct jsn_w;
void problem_embed(struct jsn_w *, enum err, const struct fault *,
    const char *where);

#endif
