/*
 * The guard: what evhttp accepts and must not. Two readers of one stream that
 * disagree on where a request ends are a way in (request smuggling), so
 * whatever is not plain is refused and the connection closed.
 *
 * A pure function over what evhttp has parsed; the loop is not involved.
 */
#include <stdint.h>

#include "http_rules.h"

/* What one pass over the headers finds. */
struct seen {
	int hosts;
	int lengths;
	int encodings;
	int expects;
	const char *host;
	const char *length;
	const char *expect;
};

struct verdict {
	int status;
	const char *why;
};
#define PASS ((struct verdict){ 0, NULL })
#define REFUSE(status, why) ((struct verdict){ status, why })

static struct verdict check_method(const struct guard_input *);
static struct verdict check_version(const struct guard_input *);
static struct verdict check_target(const struct guard_input *);
static struct verdict check_headers(const struct guard_input *);

typedef struct verdict guard_step(const struct guard_input *);
static guard_step *const steps[] = {
	check_version,
	check_method,
	check_target,
	check_headers,
};

int
guard_check(const struct guard_input *in, const char **ret_why)
{
	struct verdict v = PASS;

	for (size_t i = 0; v.status == 0 && i < NELEM(steps); i++)
		v = steps[i](in);
	if (v.status != 0)
		*ret_why = v.why;
	return v.status;
}

/* evhttp reads the version with %d, and would answer HTTP/1.-57. */
static struct verdict
check_version(const struct guard_input *in)
{
	if (in->major == 1 && (in->minor == 0 || in->minor == 1))
		return PASS;
	return REFUSE(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
}

static struct verdict
check_method(const struct guard_input *in)
{
	switch (in->method) {
	case EVHTTP_REQ_GET:
	case EVHTTP_REQ_HEAD:
	case EVHTTP_REQ_POST:
	case EVHTTP_REQ_PUT:
	case EVHTTP_REQ_PATCH:
	case EVHTTP_REQ_DELETE:
	case EVHTTP_REQ_OPTIONS:
		return PASS;
	default:
		return REFUSE(501, "no resource here knows this method");
	}
}

static bool
is_hex(char c)
{
	return (c >= '0' && c <= '9') ||
	    ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* %00 would end a string early in whoever compares with strcmp. */
static struct verdict
check_target(const struct guard_input *in)
{
	const char *p = in->target;

	if (p == NULL || *p == '\0')
		return REFUSE(400, "there is no target");
	if (in->method == EVHTTP_REQ_OPTIONS && p[0] == '*' && p[1] == '\0')
		return PASS;
	if (p[0] != '/' || p[1] == '/')
		return REFUSE(400, "the target must begin with one /");
	for (; *p != '\0'; p++) {
		if (*p <= ' ' || *p >= 0x7f || *p == '#')
			return REFUSE(
			    400, "the target has a byte that must be encoded");
		if (*p != '%')
			continue;
		if (!is_hex(p[1]) || !is_hex(p[2]))
			return REFUSE(
			    400, "the target has a bad percent encoding");
		if (p[1] == '0' && p[2] == '0')
			return REFUSE(400, "the target has a NUL byte");
	}
	return PASS;
}

/* RFC 9110, 5.6.2: what a token is made of. */
static const bool token_byte[256] = {
	['0' ... '9'] = true,
	['A' ... 'Z'] = true,
	['a' ... 'z'] = true,
	['!'] = true,
	['#'] = true,
	['$'] = true,
	['%'] = true,
	['&'] = true,
	['\''] = true,
	['*'] = true,
	['+'] = true,
	['-'] = true,
	['.'] = true,
	['^'] = true,
	['_'] = true,
	['`'] = true,
	['|'] = true,
	['~'] = true,
};
/* And a value: no control bytes but the tab. */
static const bool value_byte[256] = {
	['\t'] = true,
	[' ' ... 0x7e] = true,
	[0x80 ... 0xff] = true,
};

/* A name with a space would hide a Content-Length from us and not from others
 * on the way. */
static bool
is_token(const char *s)
{
	if (*s == '\0')
		return false;
	while (token_byte[(unsigned char)*s])
		s++;
	return *s == '\0';
}

static bool
is_field_value(const char *s)
{
	while (value_byte[(unsigned char)*s])
		s++;
	return *s == '\0';
}

static void
note_header(const struct evkeyval *h, struct seen *seen)
{
	switch (strlen(h->key)) {
	case 4:
		if (evutil_ascii_strcasecmp(h->key, "Host") == 0) {
			seen->hosts++;
			seen->host = h->value;
		}
		break;
	case 6:
		if (evutil_ascii_strcasecmp(h->key, "Expect") == 0) {
			seen->expects++;
			seen->expect = h->value;
		}
		break;
	case 14:
		if (evutil_ascii_strcasecmp(h->key, "Content-Length") == 0) {
			seen->lengths++;
			seen->length = h->value;
		}
		break;
	case 17:
		if (evutil_ascii_strcasecmp(h->key, "Transfer-Encoding") == 0)
			seen->encodings++;
		break;
	default:
		break;
	}
}

static struct verdict
check_host(const struct guard_input *in, const struct seen *seen)
{
	if (seen->hosts > 1)
		return REFUSE(400, "Host is given more than once");
	if (seen->hosts == 0 && in->minor == 1)
		return REFUSE(400, "HTTP/1.1 needs a Host");
	if (seen->host != NULL && strpbrk(seen->host, " \t,/?#@\\") != NULL)
		return REFUSE(400, "this Host is not one");
	return PASS;
}

/* How long the body is, said once and in digits, and evhttp read just that.
 * It reads none for HEAD: then those bytes would be the next request. */
static struct verdict
check_length(const struct guard_input *in, const struct seen *seen)
{
	uint64_t n = 0;
	const char *p = seen->length;

	if (seen->encodings > 0)
		return REFUSE(411,
		    "Transfer-Encoding is not read here: send a "
		    "Content-Length");
	if (seen->lengths > 1)
		return REFUSE(400, "Content-Length is given more than once");
	if (p != NULL && *p == '\0')
		return REFUSE(400, "Content-Length is empty");
	for (; p != NULL && *p != '\0'; p++) {
		if (*p < '0' || *p > '9' || n > UINT64_MAX / 10 - 1)
			return REFUSE(400, "Content-Length is not a number");
		n = n * 10 + (uint64_t)(*p - '0');
	}
	if (n != in->body_len)
		return REFUSE(
		    400, "the body is not of the length that was declared");
	return PASS;
}

static struct verdict
check_headers(const struct guard_input *in)
{
	struct seen seen = { 0 };
	const struct evkeyval *h;
	struct verdict v;

	TAILQ_FOREACH (h, in->headers, next) {
		if (!is_token(h->key))
			return REFUSE(400, "a header's name is not a token");
		if (!is_field_value(h->value))
			return REFUSE(
			    400, "a header's value has a control byte");
		note_header(h, &seen);
	}
	v = check_host(in, &seen);
	if (v.status == 0)
		v = check_length(in, &seen);
	if (v.status != 0 || seen.expects == 0)
		return v;
	if (seen.expects > 1 ||
	    evutil_ascii_strcasecmp(seen.expect, "100-continue") != 0)
		return REFUSE(417, "only 100-continue can be expected");
	return PASS;
}
