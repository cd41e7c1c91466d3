/*
 * Answers that come piece by piece, for event streams.
 *
 * evhttp hands a request whose client has gone back to us while it closes the
 * connection, and from then on it is ours to free: by ending the reply once
 * more. It queues whatever it is given, and a client that reads nothing is no
 * error to it as long as pieces come: so the writer looks at what is pending.
 */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <stdlib.h>

#include "base/metric.h"
#include "http_private.h"

void
http_stream_begin(struct http_req *req, const char *type,
    void (*gone)(struct http_req *, void *), void *arg)
{
	struct http_stream *s = &req->stream;

	assert(req->ev != NULL && !s->begun && !req->is_head);
	s->begun = true;
	s->gone = gone;
	s->arg = arg;
	/* Without chunks the end of the connection is the end of the answer. */
	if (req->ev->major == 1 && req->ev->minor == 0)
		req->closes = true;
	answer_head(req, type);
	req->http->nstreams++;
	metric_count(METRIC_STREAMS, 1);
	conn_streams(req);
	evhttp_send_reply_start(req->ev, 200, NULL);
}

size_t
http_stream_pending(const struct http_req *req)
{
	struct evhttp_connection *evcon =
	    evhttp_request_get_connection(req->ev);

	assert(req->stream.begun);
	return evcon == NULL ? 0
			     : evbuffer_get_length(bufferevent_get_output(
				   evhttp_connection_get_bufferevent(evcon)));
}

void
http_stream_write(struct http_req *req, struct span piece)
{
	struct evbuffer *b;

	assert(req->stream.begun && req->ev != NULL);
	if (piece.len == 0) /* it would be the end */
		return;
	if ((b = evbuffer_new()) == NULL)
		abort();
	evbuffer_add(b, piece.p, piece.len);
	evhttp_send_reply_chunk(req->ev, b);
	evbuffer_free(b);
}

/* The request is answered, however it was. */
static struct evhttp_request *
take_ev(struct http_req *req)
{
	struct evhttp_request *ev = req->ev;

	assert(req->stream.begun && ev != NULL);
	http_log_access(req, 200);
	req->ev = NULL;
	req->path = req->query = span_of(NULL);
	req->http->in_flight--;
	req->http->nstreams--;
	metric_count(METRIC_STREAMS, -1);
	return ev;
}

void
http_stream_end(struct http_req *req, bool cut)
{
	struct conn *c = req->stream.conn;
	struct evhttp_request *ev;

	if (req->ev == NULL) /* the client has gone before */
		return;
	ev = take_ev(req);
	conn_streams_no_more(c);
	if (cut)
		conn_cut(c);
	evhttp_send_reply_end(ev);
}

void
stream_lost(struct http_req *req)
{
	struct http_stream *s = &req->stream;

	evhttp_send_reply_end(take_ev(req));
	s->gone(req, s->arg);
}

bool
http_is_head(const struct http_req *req)
{
	return req->is_head;
}

bool
http_is_draining(const struct http_req *req)
{
	return req->http->draining;
}

size_t
http_streams(const struct http *h)
{
	return h->nstreams;
}
