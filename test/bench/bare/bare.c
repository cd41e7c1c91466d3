/*
 * The floor: what evhttp alone answers to the POST of a task, with 201 and a
 * body of the same size. "bare PORT" listens on 127.0.0.1.
 */
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

static const char answer[] =
    "{\"id\":\"0197c0de-0000-7000-8000-000000000000\",\"status\":\"QUEUED\"}";

static void
serve(struct evhttp_request *req, void *arg)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
	struct evbuffer *body = evhttp_request_get_output_buffer(req);

	(void)arg;
	evhttp_add_header(headers, "Content-Type", "application/json");
	evbuffer_add(body, answer, sizeof(answer) - 1);
	evhttp_send_reply(req, 201, "Created", NULL);
}

int
main(int argc, char **argv)
{
	struct event_base *base = event_base_new();
	struct evhttp *http = base != NULL ? evhttp_new(base) : NULL;

	signal(SIGPIPE, SIG_IGN);
	if (argc != 2 || http == NULL)
		errx(2, "usage: bare PORT");
	if (evhttp_bind_socket(http, "127.0.0.1", (ev_uint16_t)atoi(argv[1])) !=
	    0)
		err(1, "port %s", argv[1]);
	evhttp_set_gencb(http, serve, NULL);
	return event_base_dispatch(base) == 0 ? 0 : 1;
}
