#ifndef TASKFLOW_LOOP_HTTP_PRIVATE_H
#define TASKFLOW_LOOP_HTTP_PRIVATE_H

/*
 * What the files of the HTTP server share: http.c (listeners, and the way of a
 * request), http_conn.c (connections), http_tls.c, http_linger.c (how they close),
 * http_room.c (who begins when), http_req.c and http_answer.c (request and answer)
 * and http_stream.c (answers that go on).
 */
#include <event2/http.h>
#include <sys/queue.h>

#include "http_rules.h"

#define HTTP_MAX_NOTES 5
#define HTTP_ID_MAX 64
#define JSON_TYPE "application/json"

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
LIST_HEAD(stream_list, http_stream);

/* Of one listener: what floods one of them leaves room on the others, so that
 * probes are still answered. */
struct conns {
	struct conn_list in[CONN_STATES];
	struct conn_list watched; /* who has a large answer to read */
	struct loop_timer watch;
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
	bool keeps_open; /* while draining, too */
	struct loop_timer pause; /* after a failed accept */
	bool tls;
	unsigned accepted; /* in this turn */
	size_t max_connections;
	struct conns conns;
	const struct route *routes;
	unsigned *metric; /* of each route, see metric_route */
	size_t nroutes;
	void *ctx;
};

/* ---- http_room.c: large bodies, a few in each turn ---- */
TAILQ_HEAD(room_places, room_place);
struct http_room {
	struct room_places places; /* flows that have not begun, in order */
	struct loop_timer again;
	size_t used; /* bytes that were begun with in this turn */
};
void room_init(struct http_room *, struct loop *);
void room_fini(struct http_room *); /* none is left */
/* flow_go, now or in a later turn. */
void room_go(struct http_room *, struct flow *, size_t body_len);

struct http {
	struct loop *loop;
	struct http_conf conf;
	struct http_room room;
	struct net_list *trusted; /* NULL: no proxy is */
	struct timeval write_timeout; /* no byte was taken for so long */
	struct listener_list listeners;
	size_t in_flight; /* requests without an answer, and streams */
	struct stream_list streams;
	struct ssl_ctx_st *tls; /* of OpenSSL; NULL: plain HTTP */
	bool draining;
};

/* The port of the newest listener; for tests, which listen on port 0. */
int http_port(const struct http *);

/* ---- http_serve.c ---- */
/* For evhttp_set_gencb; arg is the listener. */
void serve_request(struct evhttp_request *, void *arg);

/* ---- http_conn.c ---- */
void conns_open(struct http_listener *);
void conns_close(struct http_listener *); /* after evhttp_free */
bool conns_busy(const struct http_listener *);
/* Write what is left of answers that the loop had no time to write. */
void conns_flush(struct http_listener *);
/* For evhttp_set_bevcb; arg is the listener. */
struct bufferevent *conn_accept(struct event_base *, void *arg);
/* evhttp has handed this request out. */
void conn_serving(struct http_listener *, struct evhttp_request *);
/* When it closes, let the client read our answer first. */
void conn_linger(struct http_listener *, struct evhttp_request *);
/* Its answer is about to be written, and must be read in time. */
void conn_watch(struct evhttp_request *);
/* Whom to tell that the connection of this request has ended; NULL: nobody.
 * False: it has ended already. */
bool conn_set_stream(struct evhttp_request *, struct http_stream *);

/* ---- http_linger.c ---- */
/* fd is about to be closed by its owner. */
void linger_start(struct http_listener *, int fd);
void lingers_close(struct http_listener *);

/* ---- http_page.c ---- */
/* evhttp's page at the front of the output; false: it is none. */
bool page_replace(struct bufferevent *, bool tls, int64_t since_us);

/* ---- http_tls.c ---- */
void tls_close(struct http *);
struct bufferevent *tls_bufferevent(struct http *, struct event_base *);
/* These go past the bufferevent: for last words. As much as the socket takes. */
bool tls_say(struct bufferevent *, const char *text, size_t len);
void tls_flush(struct bufferevent *);
void tls_goodbye(struct bufferevent *);

/* ---- http_req.c ---- */
struct http_note {
	const char *key;
	struct id id;
	int64_t number;
	bool is_number;
};

struct http_req {
	struct http *http;
	struct evhttp_request *ev; /* NULL once answered */
	struct http_stream *stream; /* the answer that goes on, or NULL */
	struct arena *arena; /* the flow's, or one of a refusal */
	const char *method;
	struct span path; /* raw, in ev; absent if there is none */
	struct span query; /* raw, in ev */
	struct route_match match;
	const char *param[ROUTE_MAX_PARAMS]; /* decoded */
	int64_t started_us;
	struct buf head; /* of the answer, see http_add_header */
	unsigned metric; /* of its route */
	const char *more; /* members of a problem; NULL: none */
	bool is_head;
	bool closes;
	unsigned nnotes;
	struct http_note note[HTTP_MAX_NOTES];
	struct id made_id; /* zero: the client gave one */
	char id[HTTP_ID_MAX + 1];
	struct forwarded forwarded; /* if its peer is trusted */
};

/* Zeroed before. match may be NULL. */
void req_init(struct http_req *, struct http *, struct evhttp_request *,
    struct arena *, const struct route_match *);
void req_split_target(
    const char *target, struct span *ret_path, struct span *ret_query);

/* ---- http_stream.c ---- */
/* The connection ends, and evhttp has let go of the request. */
void stream_gone(struct http_stream *);
void streams_drain(struct http *);

/* ---- http_answer.c ---- */
/* The head of a stream is written; the request is the caller's to end. */
struct evhttp_request *answer_begin(struct http_req *, const char *type);
/* After the last byte of it. */
void answer_end(struct http_req *, int status);
void answer_init(struct http_req *);
void req_refuse(struct http_req *, const struct problem *, const char *detail,
    const struct fault *, int retry_after_s);
/* ---- http_cors.c ---- */
void cors_answer(struct http_req *, const char *list);
/* methods: of the path, as in Allow. Nothing if it is no preflight. */
void cors_preflight(struct http_req *, const char *methods);

/* ---- http_answer.c, the log ---- */
/* One more answer that is a problem. */
void http_count_refusal(const struct problem *);
/* The one line of a request, and its metrics; path absent: one that evhttp refused. */
void http_log_access(const struct http_req *, int status);

#endif
