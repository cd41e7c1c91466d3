/* What the operations of /openapi.json share: small parts, schemas, problems,
 * headers and ways to say who asks. */
#include <stdio.h>

#include "doc.h"
#include "draft.h"
#include "openapi_private.h"

/* ---- small parts ---- */
void
oa_str(struct jsn_w *w, const char *name, const char *value)
{
	jsn_w_key(w, name);
	jsn_w_strz(w, value);
}

void
oa_raw(struct jsn_w *w, const char *name, const char *json)
{
	jsn_w_key(w, name);
	jsn_w_raw(w, span_of(json));
}

void
oa_object(struct jsn_w *w, const char *name)
{
	jsn_w_key(w, name);
	jsn_w_open(w, '{');
}

void
oa_ref(struct jsn_w *w, const char *kind, const char *name)
{
	char text[128];

	snprintf(text, sizeof(text), "#/components/%s/%s", kind, name);
	jsn_w_open(w, '{');
	oa_str(w, "$ref", text);
	jsn_w_close(w, '}');
}

/* A schema with a sentence: the sentence goes beside its other members. */
void
oa_schema(struct jsn_w *w, const char *schema, const char *text)
{
	struct span s = span_of(schema);

	if (text == NULL || s.len < 3 || s.p[0] != '{') {
		jsn_w_raw(w, s);
		return;
	}
	jsn_w_open(w, '{');
	oa_str(w, "description", text);
	jsn_w_raw(w, (struct span){ s.p + 1, s.len - 2 });
	jsn_w_close(w, '}');
}

/* Of every answer; and of those to requests that are counted. */
static const struct doc_param shared_headers[] = {
	{ "X-Request-Id", S_STR,
	    "The name of this request in the log, and in the events of the "
	    "tasks that it changed." },
	{ "RateLimit-Policy", S_STR,
	    "The limit that the caller has, if there is one." },
	{ "RateLimit", S_STR, "How much of it is left, and until when." },
};

void
oa_headers(struct jsn_w *w, const struct doc_param *p, bool is_charged)
{
	oa_object(w, "headers");
	for (size_t i = 0; i < NELEM(shared_headers); i++) {
		if (i > 0 && !is_charged)
			break;
		jsn_w_key(w, shared_headers[i].name);
		oa_ref(w, "headers", shared_headers[i].name);
	}
	for (; p != NULL && p->name != NULL; p++) {
		oa_object(w, p->name);
		oa_str(w, "description", p->text);
		oa_raw(w, "schema", p->schema);
		jsn_w_close(w, '}');
	}
	jsn_w_close(w, '}');
}

/* ---- what they share ---- */
static void
write_schema(struct jsn_w *w, const struct doc_schema *s)
{
	const struct doc_member *m;

	oa_object(w, s->name);
	oa_str(w, "type", "object");
	oa_object(w, "properties");
	for (m = s->members; m->name != NULL; m++) {
		jsn_w_key(w, m->name);
		oa_schema(w, m->schema, m->text);
	}
	jsn_w_close(w, '}');
	jsn_w_key(w, "required");
	jsn_w_open(w, '[');
	for (m = s->members; m->name != NULL; m++)
		if (!m->optional)
			jsn_w_strz(w, m->name);
	jsn_w_close(w, ']');
	jsn_w_close(w, '}');
}

void
oa_input(struct jsn_w *w, const struct input_table *t)
{
	jsn_w_open(w, '{');
	oa_str(w, "type", "object");
	oa_raw(w, "additionalProperties", "false");
	oa_object(w, "properties");
	for (size_t i = 0; i < t->n; i++) {
		jsn_w_key(w, t->members[i].name);
		oa_schema(w, t->members[i].schema, t->members[i].allowed);
	}
	jsn_w_close(w, '}');
	jsn_w_key(w, "required");
	jsn_w_open(w, '[');
	for (size_t i = 0; i < t->n; i++)
		if (t->members[i].required)
			jsn_w_strz(w, t->members[i].name);
	jsn_w_close(w, ']');
	jsn_w_close(w, '}');
}

/* What the errors of a status say, and their names. */
static void
describe_status(struct buf *text, int status)
{
	for (int e = OK + 1; e < ERR_MAX; e++) {
		if (problem_status((enum err)e) != status)
			continue;
		if (text->len > 0)
			buf_adds(text, " ");
		buf_addf(text, "%s (%s).", err_text((enum err)e),
		    err_name((enum err)e));
	}
}

static const struct doc_param retry_after[] = {
	{ "Retry-After", "{\"type\":\"integer\",\"minimum\":1}",
	    "Seconds to wait before the next try." },
	DOC_LAST_PARAM,
};
static const struct doc_param authenticate[] = {
	{ "WWW-Authenticate", S_STR,
	    "How to say who asks, or which scope is missing (RFC 6750)." },
	DOC_LAST_PARAM,
};

static const struct doc_param of_server[] = {
	{ "Allow", S_STR, "Of 405: the methods of this path." },
	{ "Retry-After", "{\"type\":\"integer\",\"minimum\":1}", "Of 503." },
	DOC_LAST_PARAM,
};

static const struct doc_param *
headers_of(int status)
{
	return status == 401 || status == 403                 ? authenticate
	    : status == 429 || status == 503 || status == 409 ? retry_after
	    : status == 0                                     ? of_server
							      : NULL;
}

static void
write_problem(struct jsn_w *w, const char *name, const char *text, int status)
{
	oa_object(w, name);
	oa_str(w, "description", text);
	oa_headers(w, headers_of(status), status != 0 && status != 401);
	oa_object(w, "content");
	oa_object(w, "application/problem+json");
	oa_raw(w, "schema", S_REF("Problem"));
	jsn_w_close(w, '}');
	jsn_w_close(w, '}');
	jsn_w_close(w, '}');
}

static void
write_problems(struct jsn_w *w)
{
	char status[8];
	struct buf text;

	oa_object(w, "responses");
	buf_init(&text, 2048);
	for (int s = 400; s < 600; s++) {
		buf_clear(&text);
		describe_status(&text, s);
		/* No operation of its own accord: see default. */
		if (text.len == 0 || s == problem_status(ERR_METHOD) ||
		    s == problem_status(ERR_INTERNAL))
			continue;
		snprintf(status, sizeof(status), "%d", s);
		write_problem(w, status, text.data, s);
	}
	buf_fini(&text);
	write_problem(w, "default",
	    "What the server says of itself, or of a request that it could "
	    "not read: 400, 405, 408, 411, 413, 414, 417, 431, 500, 501, 503 "
	    "and 505.",
	    0);
	jsn_w_close(w, '}');
}

static void
write_shared_headers(struct jsn_w *w)
{
	oa_object(w, "headers");
	for (size_t i = 0; i < NELEM(shared_headers); i++) {
		oa_object(w, shared_headers[i].name);
		oa_str(w, "description", shared_headers[i].text);
		oa_raw(w, "schema", shared_headers[i].schema);
		jsn_w_close(w, '}');
	}
	jsn_w_close(w, '}');
}

void
oa_components(struct jsn_w *w)
{
	oa_object(w, "components");
	oa_object(w, "schemas");
	for (const struct doc_schema *s = doc_schemas; s->name != NULL; s++)
		write_schema(w, s);
	jsn_w_key(w, "Draft");
	oa_input(w, &draft_input);
	jsn_w_close(w, '}');
	write_problems(w);
	write_shared_headers(w);
	oa_object(w, "securitySchemes");
	oa_raw(w, "bearer",
	    "{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":"
	    "\"The token of POST /login or of an identity provider, or an API "
	    "key.\"}");
	oa_raw(w, "apiKey",
	    "{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-API-Key\","
	    "\"description\":\"A key of POST /api-keys.\"}");
	jsn_w_close(w, '}');
	jsn_w_close(w, '}');
}
