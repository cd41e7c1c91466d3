#ifndef TASKFLOW_LOOP_HTTP_CONN_H
#define TASKFLOW_LOOP_HTTP_CONN_H

/* A connection, for http_conn.c and http_watch.c. */
#include "http_private.h"

struct conn {
	TAILQ_ENTRY(conn) link; /* conns.in[state] */
	TAILQ_ENTRY(conn) chore; /* conns.chores, if has_chore */
	struct http_listener *from;
	struct bufferevent *bev;
	enum conn_state state;
	int fd; /* -1: evhttp is still setting it up */
	int64_t since_us; /* READING: when its first byte came */
	int64_t idle_us; /* NEW, IDLE: since when */
	bool has_chore;
	bool page; /* evhttp is answering without having asked us */
	bool lingers; /* when closed */
	int64_t give_up_us; /* 0, or it is in conns.watched */
	TAILQ_ENTRY(conn) watch;
	struct http_stream *stream; /* SERVING: who is told of the end */
};

/* evhttp closes it, and we hear of it in conn_closed. */
void conn_drop(struct conn *);
/* Of conns.watch: who has not read in time? */
void conns_watch(struct loop_timer *);

#endif
