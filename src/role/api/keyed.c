#include <stdio.h>

#include "base/crypt.h"
#include "keyed.h"

#define ALLOWED                                                         \
	"allowed is a string of 1 to 200 visible ASCII characters, in " \
	"double quotes or without any"

/* ---- Idempotency-Key ---- */
static bool
is_visible(char c)
{
	return c > ' ' && c <= '~';
}

/* The inside of a quoted string (RFC 8941, 3.3.3), which may have blanks; there
 * must be nothing behind it. NULL: it is none. */
static char *
read_quoted(const char *p, struct arena *a)
{
	char *key = arena_alloc(a, strlen(p) + 1), *to = key;

	for (p++; *p != '"'; p++) {
		if (*p == '\\' && *++p != '"' && *p != '\\')
			return NULL;
		if (*p != ' ' && !is_visible(*p))
			return NULL;
		*to++ = *p;
	}
	*to = '\0';
	return p[1] == '\0' ? key : NULL;
}

static char *
read_bare(const char *p, struct arena *a)
{
	size_t n = 0;

	while (is_visible(p[n]) && p[n] != '"' && p[n] != '\\')
		n++;
	return p[n] == '\0' ? arena_dup(a, p, n) : NULL;
}

enum err
keyed_parse(
    const char *header, struct arena *a, const char **ret, struct fault *fault)
{
	size_t n;

	*ret = *header == '"' ? read_quoted(header, a) : read_bare(header, a);
	if (*ret == NULL)
		return fault_set(fault, ERR_INVALID, "",
		    "the header Idempotency-Key is no such string; " ALLOWED);
	n = strlen(*ret);
	if (n < 1 || n > IDEMPOTENCY_KEY_MAX)
		return fault_set(fault, ERR_INVALID, "",
		    "the header Idempotency-Key has %zu characters; " ALLOWED,
		    n);
	return OK;
}

/* SHA-256 of what is asked for and of the digest of the body. */
static void
take_fingerprint(const char *what, struct span body, char ret[FINGERPRINT_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t text[64 + 32], sum[32];
	size_t n = strlen(what);

	memcpy(text, what, n);
	crypt_sha256(body.p, body.len, text + n);
	crypt_sha256(text, n + 32, sum);
	for (size_t i = 0; i < sizeof(sum); i++) {
		*ret++ = hex[sum[i] >> 4];
		*ret++ = hex[sum[i] & 15];
	}
	*ret = '\0';
}

enum err
keyed_request(struct api_call *c, const char *what, struct task_request *ret)
{
	const char *header = http_header(c->http.req, "Idempotency-Key");
	enum err err;

	if (header == NULL)
		return OK;
	err = keyed_parse(header, &c->http.flow.arena, &ret->key, &c->fault);
	if (err != OK)
		return err;
	take_fingerprint(what, http_body(c->http.req), ret->fingerprint);
	ret->ttl_ms = api_app(c)->conf->idempotency_ttl_ms;
	return OK;
}

bool
keyed_any(const struct task_request *r, const struct task_draft *d, size_t n)
{
	if (r->key != NULL)
		return true;
	for (size_t i = 0; i < n; i++)
		if (d[i].unique_key != NULL)
			return true;
	return false;
}

/* ---- what became of it ---- */
static enum err
refuse_held(const struct task_keyed *k, struct fault *fault)
{
	const char *status = task_status_name(k->accepted.status);
	char id[ID_TEXT_SIZE];

	id_format(&k->id, id);
	fault_set(fault, ERR_KEY_HELD, "/unique_key",
	    "the task %s has this unique_key, and is %s", id, status);
	snprintf(fault->more, sizeof(fault->more),
	    "\"task_id\":\"%s\",\"task_status\":\"%s\"", id, status);
	return ERR_KEY_HELD;
}

enum err
keyed_outcome(const struct task_keyed *k, struct arena *a, struct task_draft *d,
    struct task_accepted *ret, struct fault *fault)
{
	switch (k->verdict) {
	case KEYED_HELD:
		return refuse_held(k, fault);
	case KEYED_REUSED:
		return fault_set(fault, ERR_KEY_REUSED, "",
		    "this Idempotency-Key was used for a request with another "
		    "path or body; a new request needs a new key");
	case KEYED_RUNNING:
		return ERR_KEY_RUNNING;
	case KEYED_ACCEPTED:
		break;
	}
	*ret = k->accepted;
	d->id = k->id;
	d->max_attempts = k->max_attempts;
	d->traceparent = k->traceparent.p == NULL
	    ? NULL
	    : arena_dup(a, k->traceparent.p, k->traceparent.len);
	return OK;
}

enum err
keyed_failed(const struct pg_call *insert, enum err err)
{
	return insert != NULL && keyed_is_blocked(insert) ? ERR_KEY_RUNNING
							  : err;
}

void
keyed_note_replay(struct api_call *c)
{
	http_add_header(c->http.req, "Idempotent-Replayed", "true");
}
