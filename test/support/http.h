#ifndef TASKFLOW_TEST_HTTP_H
#define TASKFLOW_TEST_HTTP_H

/*
 * A small HTTP/1.1 client that blocks: one connection, kept from request to
 * request. It asserts nothing, so that threads can use it, each with its own.
 */
#include <cjson/cJSON.h>

#include "support.h"

#define HTTP_UNSENT (-1) /* no connection: the request did not leave */
#define HTTP_LOST (-2) /* it left, and no whole answer came: who knows? */

struct http {
	int port;
	int fd; /* -1: none */
	int64_t timeout_ms;
	char *token; /* sent as Bearer, if there is one */
	/* of the last answer */
	int status;
	char *bytes; /* head and body */
	size_t len, cap;
	const char *body; /* terminated */
	size_t body_len;
	cJSON *json;
};

void http_init(struct http *, int port);
void http_fini(struct http *);
/* The status, or one of the above. headers: whole lines ("A: b\r\n"), or NULL;
 * body: NULL for none. */
int http_call(struct http *, const char *method, const char *path,
    const char *headers, const char *body);
/* Bytes as they are, on a connection of their own that the server may close. */
int http_raw(struct http *, const char *bytes, size_t len);
/* A header of the answer; NULL: none. Not for threads. */
const char *http_header(const struct http *, const char *name);
/* The body of the last answer; NULL if it is not JSON. It dies with the next
 * request. */
const cJSON *http_json(struct http *);

#endif
