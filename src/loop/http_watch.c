/* Large answers must be read in time, or their connections are cut. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http_conn.h"

#define WATCHED_MIN 65536 /* what is smaller, sockets take at once */
#define WATCH_MS 200

/* evhttp's own time-out begins again with each byte that is taken. */
void
conn_watch(struct evhttp_request *ev)
{
	struct conn *c = ev->on_complete_cb_arg;
	struct conns *cs = &c->from->conns;
	size_t len = evbuffer_get_length(bufferevent_get_output(c->bev)) +
	    evbuffer_get_length(ev->output_buffer);
	const struct http_conf *conf = &c->from->http->conf;

	if (len < WATCHED_MIN || c->give_up_us != 0)
		return;
	c->give_up_us = clock_mono_us() + conf->request_timeout_ms * US_PER_MS +
	    (int64_t)len / conf->read_rate * US_PER_S;
	TAILQ_INSERT_TAIL(&cs->watched, c, watch);
	if (!cs->watch.armed)
		timer_arm_ms(&cs->watch, WATCH_MS);
}

/* With a reset, or the kernel would keep megabytes for a client that never
 * reads them. */
static void
conn_cut(struct conn *c)
{
	const struct linger none = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	conn_drop(c);
}

void
conns_watch(struct loop_timer *t)
{
	struct conns *cs = container_of(t, struct conns, watch);
	int64_t now = clock_mono_us();
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&cs->watched); c != NULL; c = next) {
		next = TAILQ_NEXT(c, watch);
		if (now >= c->give_up_us)
			conn_cut(c);
	}
	if (!TAILQ_EMPTY(&cs->watched))
		timer_arm_ms(t, WATCH_MS);
}
