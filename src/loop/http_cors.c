/*
 * Cross-origin requests of browsers (the CORS protocol of the Fetch standard).
 * Off unless origins are named. Credentials, which are cookies, are never
 * allowed: whoever calls sends a token, and a script must have got it.
 */
#include "http_private.h"

#define MAX_AGE "600" /* seconds that a browser may remember a preflight */

/* What clients send and a browser does not let a script send unasked. */
static const char allow_headers[] =
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, "
    "Last-Event-ID, Prefer, traceparent, X-API-Key, X-Request-Id";
/* What we answer and a browser does not show to a script unasked. */
static const char expose_headers[] =
    "Allow, ETag, Link, Location, Preference-Applied, RateLimit, "
    "RateLimit-Policy, Retry-After, WWW-Authenticate, X-Request-Id";

bool
cors_allows(const char *list, const char *origin)
{
	size_t len = strlen(origin), n;

	for (;; list += n + 1) {
		n = strcspn(list, ",");
		if (n == len && n > 0 && memcmp(list, origin, n) == 0)
			return true;
		if (list[n] == '\0')
			return false;
	}
}

/* True: the origin may see the answer. */
static bool
add_origin(struct http_req *req, const char *list)
{
	const char *origin = http_header(req, "Origin");

	if (strcmp(list, "*") == 0) {
		http_add_header(req, "Access-Control-Allow-Origin", "*");
		return true;
	}
	/* Also without one, or a cache would give this answer to a script. */
	http_add_header(req, "Vary", "Origin");
	if (origin == NULL || !cors_allows(list, origin))
		return false;
	http_add_header(req, "Access-Control-Allow-Origin", origin);
	return true;
}

void
cors_answer(struct http_req *req, const char *list)
{
	if (add_origin(req, list))
		http_add_header(
		    req, "Access-Control-Expose-Headers", expose_headers);
}

void
cors_preflight(struct http_req *req, const char *methods)
{
	const char *list = req->http->conf.cors_origins;

	if (list == NULL || *list == '\0' ||
	    http_header(req, "Access-Control-Request-Method") == NULL)
		return;
	http_add_header(req, "Access-Control-Allow-Methods", methods);
	http_add_header(req, "Access-Control-Allow-Headers", allow_headers);
	http_add_header(req, "Access-Control-Max-Age", MAX_AGE);
}
