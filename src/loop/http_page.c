/* The pages of evhttp, which it sends without asking us, become problems. */
#include <event2/buffer.h>
#include <event2/bufferevent.h>

#include "base/id.h"
#include "base/log.h"
#include "http_private.h"

/* The status of the page at the front of out; 0: there is none. */
static int
page_status(struct evbuffer *out)
{
	size_t len = evbuffer_get_length(out);
	const char *text = (const char *)evbuffer_pullup(out, -1);
	const char *digits;

	if (text == NULL || len < 24 || memcmp(text, "HTTP/", 5) != 0)
		return 0;
	/* The version may be one that evhttp misread. */
	digits = memchr(text, ' ', 20);
	if (digits == NULL)
		return 0;
	return (digits[1] - '0') * 100 + (digits[2] - '0') * 10 + digits[3] -
	    '0';
}

static const char *
page_detail(int status)
{
	switch (status) {
	case 400:
		return "The request is malformed, or its head is too large";
	case 413:
		return "The body is too large";
	case 417:
		return "Only 100-continue can be expected";
	default:
		return "The request was refused";
	}
}

/*
 * evhttp answers what it cannot parse by itself, in HTML, and has no hook for
 * it in 2.1. The page stands in the output buffer and no byte of it has been
 * written yet: put our own in its place. evhttp closes when all is written.
 */
bool
page_replace(struct bufferevent *bev, bool tls, int64_t since_us)
{
	struct evbuffer *out = bufferevent_get_output(bev);
	struct http_req none = { .started_us = since_us };
	const struct problem *p;
	struct buf text;
	struct id id;
	int status = page_status(out);

	/* "100 Continue" is no page. */
	if (status < 400)
		return false;
	p = problem_of_status(status);
	http_count_refusal(p);
	id_new(&id);
	id_format(&id, none.id);
	buf_init(&text, PROBLEM_MAX);
	problem_write_raw(&text, p, page_detail(status), none.id);
	/* A bufferevent freezes its output, so that nobody else takes bytes. */
	if (!tls)
		evbuffer_unfreeze(out, 1);
	evbuffer_drain(out, evbuffer_get_length(out));
	if (!tls)
		evbuffer_freeze(out, 1);
	evbuffer_add(out, text.data, text.len);
	buf_fini(&text);
	http_log_access(&none, p->status);
	return true;
}
