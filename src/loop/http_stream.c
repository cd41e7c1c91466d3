/*
 * Streams: answers that are written as time goes by. evhttp keeps what a client
 * does not read without any bound, and forgets to free a request whose client
 * has gone: so what waits is counted here, and the request is ours until it is
 * ended, whatever became of the connection.
 */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <stdlib.h>

#include "base/metric.h"
#include "http_private.h"

struct http_stream {
	LIST_ENTRY(http_stream) link; /* of the server */
	struct http_req *req;
	struct evhttp_request *ev; /* NULL: HEAD, which has no body */
	struct flow_signal *wake;
	struct evbuffer *chunk;
	bool gone; /* the client, or it was never to hear of it */
};

struct http_stream *
http_stream_begin(
    struct http_req *req, const char *content_type, struct flow_signal *wake)
{
	struct http_stream *s = arena_zalloc(req->arena, sizeof(*s));

	s->req = req;
	s->wake = wake;
	s->chunk = evbuffer_new();
	if (s->chunk == NULL)
		abort();
	/* For a proxy in front that would gather the chunks. */
	http_add_header(req, "X-Accel-Buffering", "no");
	s->ev = answer_begin(req, content_type);
	s->gone = s->ev == NULL || !conn_set_stream(s->ev, s);
	req->stream = s;
	LIST_INSERT_HEAD(&req->http->streams, s, link);
	metric_count(METRIC_STREAMS, 1);
	if (http_stream_is_over(s) && wake != NULL)
		signal_raise(wake);
	return s;
}

bool
http_stream_is_over(const struct http_stream *s)
{
	return s->gone || s->req->http->draining;
}

static struct evbuffer *
output_of(const struct http_stream *s)
{
	return bufferevent_get_output(evhttp_connection_get_bufferevent(
	    evhttp_request_get_connection(s->ev)));
}

size_t
http_stream_pending(const struct http_stream *s)
{
	return http_stream_is_over(s) ? 0 : evbuffer_get_length(output_of(s));
}

bool
http_stream_write(struct http_stream *s, struct span text)
{
	if (http_stream_is_over(s) ||
	    http_stream_pending(s) > HTTP_STREAM_PENDING_MAX)
		return false;
	if (text.len == 0)
		return true; /* an empty chunk would be the last one */
	evbuffer_add(s->chunk, text.p, text.len);
	evhttp_send_reply_chunk(s->ev, s->chunk);
	return true;
}

/* From within evhttp: nothing of it is touched before a turn has passed. */
void
stream_gone(struct http_stream *s)
{
	s->gone = true;
	if (s->wake != NULL)
		signal_raise(s->wake);
}

void
streams_drain(struct http *h)
{
	struct http_stream *s;

	LIST_FOREACH (s, &h->streams, link)
		if (s->wake != NULL)
			signal_raise(s->wake);
}

/* Without a connection evhttp frees the request, and does not otherwise. */
void
http_stream_end(struct http_stream *s)
{
	struct http_req *req = s->req;

	assert(req->stream == s);
	LIST_REMOVE(s, link);
	metric_count(METRIC_STREAMS, -1);
	req->stream = NULL;
	evbuffer_free(s->chunk);
	answer_end(req, 200);
	if (s->ev == NULL)
		return;
	if (conn_set_stream(s->ev, NULL))
		conn_watch(s->ev);
	evhttp_send_reply_end(s->ev);
}
