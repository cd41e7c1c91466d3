/*
 * A request as its flow sees it. All of it lives in the
 * flow's arena; what stands in evhttp's request (path, headers, body) is
 * borrowed and gone with the answer.
 */
#include <assert.h>
#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <stdio.h>
#include <strings.h>

#include "base/clock.h"
#include "base/log.h"
#include "http_private.h"

static const char *
method_name(enum evhttp_cmd_type method)
{
	switch (method) {
	case EVHTTP_REQ_GET:
		return "GET";
	case EVHTTP_REQ_HEAD:
		return "HEAD";
	case EVHTTP_REQ_POST:
		return "POST";
	case EVHTTP_REQ_PUT:
		return "PUT";
	case EVHTTP_REQ_PATCH:
		return "PATCH";
	case EVHTTP_REQ_DELETE:
		return "DELETE";
	case EVHTTP_REQ_OPTIONS:
		return "OPTIONS";
	default:
		return "-";
	}
}

/* The client's own, if it can stand in a header and in a log. */
static bool
is_request_id(const char *s)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyz"
				   "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t n;

	if (s == NULL)
		return false;
	n = strspn(s, good);
	return n >= 1 && n <= HTTP_ID_MAX && s[n] == '\0';
}

static void
choose_id(struct http_req *req)
{
	const char *given = http_header(req, "X-Request-Id");

	if (is_request_id(given)) {
		memcpy(req->id, given, strlen(given) + 1);
		return;
	}
	id_new_family(&req->made_id);
	id_format(&req->made_id, req->id);
}

void
req_split_target(
    const char *target, struct span *ret_path, struct span *ret_query)
{
	const char *mark = strchr(target, '?');

	*ret_path = span_of(target);
	*ret_query = span_of(NULL);
	if (mark == NULL)
		return;
	ret_path->len = (size_t)(mark - target);
	*ret_query = span_of(mark + 1);
}

static char *
decode(struct arena *a, struct span raw, bool plus_is_space)
{
	char *text = arena_alloc(a, raw.len + 1);

	percent_decode(raw, plus_is_space, text);
	return text;
}

void
req_init(struct http_req *req, struct http *h, struct evhttp_request *ev,
    struct arena *arena, const struct route_match *m)
{
	const char *target = evhttp_request_get_uri(ev);

	req->http = h;
	req->ev = ev;
	req->arena = arena;
	req->method = method_name(evhttp_request_get_command(ev));
	req->is_head = evhttp_request_get_command(ev) == EVHTTP_REQ_HEAD;
	req->closes = h->draining;
	req->started_us = clock_mono_us();
	if (target != NULL)
		req_split_target(target, &req->path, &req->query);
	choose_id(req);
	if (h->trusted != NULL)
		(void)forwarded_find(h->trusted, http_peer(req),
		    evhttp_request_get_input_headers(ev), &req->forwarded);
	answer_init(req);
	h->in_flight++;
	if (m == NULL)
		return;
	req->match = *m;
	for (unsigned i = 0; i < m->nparams; i++)
		req->param[i] = decode(arena, m->param[i].raw, false);
}

/* ---- what was asked ---- */
struct span
http_body(const struct http_req *req)
{
	struct evbuffer *in;

	assert(req->ev != NULL);
	in = evhttp_request_get_input_buffer(req->ev);
	if (evbuffer_get_length(in) == 0)
		return (struct span){ "", 0 };
	return (struct span){ (const char *)evbuffer_pullup(in, -1),
		evbuffer_get_length(in) };
}

const char *
http_param(const struct http_req *req, const char *name)
{
	for (unsigned i = 0; i < req->match.nparams; i++)
		if (span_is(req->match.param[i].name, name))
			return req->param[i];
	assert(!"the route has this parameter");
	return NULL;
}

/* The next name=value of *rest, which moves behind it. False at the end. */
static bool
next_query(struct span *rest, struct span *ret_name, struct span *ret_value)
{
	const char *end, *eq;
	size_t len;

	while (rest->len > 0) {
		end = memchr(rest->p, '&', rest->len);
		len = end == NULL ? rest->len : (size_t)(end - rest->p);
		eq = memchr(rest->p, '=', len);
		*ret_name = (struct span){ rest->p,
			eq == NULL ? len : (size_t)(eq - rest->p) };
		*ret_value = (struct span){ "", 0 };
		if (eq != NULL)
			*ret_value =
			    (struct span){ eq + 1, len - ret_name->len - 1 };
		len += end != NULL;
		rest->p += len;
		rest->len -= len;
		if (ret_name->len > 0 || ret_value->len > 0)
			return true;
	}
	return false;
}

const char *
http_query(const struct http_req *req, const char *name, bool *ret_many)
{
	struct span rest = req->query, n, v;
	const char *found = NULL;
	bool many = false;

	while (next_query(&rest, &n, &v)) {
		if (!percent_is(n, true, span_of(name)))
			continue;
		many = found != NULL;
		if (!many)
			found = decode(req->arena, v, true);
		else
			break;
	}
	if (ret_many != NULL)
		*ret_many = many;
	return found;
}

const char *
http_query_unknown(const struct http_req *req, const char *const *known)
{
	struct span rest = req->query, n, v;
	size_t i;

	while (next_query(&rest, &n, &v)) {
		for (i = 0; known[i] != NULL; i++)
			if (percent_is(n, true, span_of(known[i])))
				break;
		if (known[i] == NULL)
			return decode(req->arena, n, true);
	}
	return NULL;
}

const char *
http_header(const struct http_req *req, const char *name)
{
	const struct evkeyval *h;

	assert(req->ev != NULL);
	TAILQ_FOREACH (h, evhttp_request_get_input_headers(req->ev), next)
		if ((h->key[0] | 0x20) == (name[0] | 0x20) &&
		    strcasecmp(h->key, name) == 0)
			return h->value;
	return NULL;
}

enum err
http_expect_json(const struct http_req *req, struct fault *fault)
{
	const char *coding = http_header(req, "Content-Encoding");
	const char *type = http_header(req, "Content-Type");
	size_t len;

	if (coding != NULL && strcasecmp(coding, "identity") != 0)
		return fault_set(fault, ERR_MEDIA_TYPE, "",
		    "Content-Encoding is \"%.100s\", and bodies are read "
		    "as they are",
		    coding);
	if (type == NULL)
		return OK;
	len = strcspn(type, "; \t");
	if (len == sizeof(JSON_TYPE) - 1 &&
	    strncasecmp(type, JSON_TYPE, len) == 0)
		return OK;
	/* application/vnd.anything+json */
	if (len > 17 && strncasecmp(type, "application/", 12) == 0 &&
	    strncasecmp(type + len - 5, "+json", 5) == 0)
		return OK;
	return fault_set(fault, ERR_MEDIA_TYPE, "",
	    "Content-Type is \"%.100s\", and must be " JSON_TYPE, type);
}

const struct route *
http_route(const struct http_req *req)
{
	return req->match.route;
}

const char *
http_request_id(const struct http_req *req)
{
	return req->id;
}

const char *
http_client_id(const struct http_req *req)
{
	return id_is_zero(&req->made_id) ? req->id : NULL;
}

const struct id *
http_made_id(const struct http_req *req)
{
	assert(!id_is_zero(&req->made_id));
	return &req->made_id;
}

/* One socket for both families shows IPv4 peers in the clothes of IPv6. */
const char *
http_peer(const struct http_req *req)
{
	static const char mapped[] = "::ffff:";
	const char *address;

	assert(req->ev != NULL);
	address = req->ev->remote_host;
	if (address == NULL)
		return "";
	if (strncmp(address, mapped, sizeof(mapped) - 1) == 0 &&
	    strchr(address, '.') != NULL)
		address += sizeof(mapped) - 1;
	return address;
}

const char *
http_client(const struct http_req *req)
{
	const char *told = req->forwarded.client;

	return *told != '\0' ? told : http_peer(req);
}

int64_t
http_started_us(const struct http_req *req)
{
	return req->started_us;
}

static struct http_note *
add_note(struct http_req *req, const char *key)
{
	struct http_note *note = req->note;

	while (note < req->note + req->nnotes && strcmp(note->key, key) != 0)
		note++;
	if (note < req->note + req->nnotes) /* said again */
		return note;
	req->nnotes++;
	assert(req->nnotes <= HTTP_MAX_NOTES);
	note->key = arena_dup(req->arena, key, strlen(key));
	return note;
}

void
http_note_id(struct http_req *req, const char *key, const struct id *id)
{
	add_note(req, key)->id = *id;
}

void
http_note_int(struct http_req *req, const char *key, int64_t v)
{
	struct http_note *note = add_note(req, key);

	note->number = v;
	note->is_number = true;
}
