/*
 * GET /openapi.json: the API as programs read it, OpenAPI 3.1.
 *
 * It is made from the tables that serve: methods, paths and scopes from the
 * routes, errors from the steps of their flows, bodies from the tables that
 * check them. What those cannot say stands beside each route (doc.h).
 */
#include <stdio.h>

#include "api.h"
#include "call.h"
#include "charge.h"
#include "doc.h"
#include "openapi_private.h"

#define DOCUMENT_MAX (512 * 1024)

/* ---- what steps add to the flow that has them ---- */
static const struct {
	flow_step *step;
	enum err err[4]; /* ends with OK */
} step_errors[] = {
	/* Two credentials at once are ERR_INVALID. */
	{ api_authenticate, { ERR_INVALID, ERR_UNAUTHORIZED, ERR_FORBIDDEN } },
	{ api_charge, { ERR_RATE_LIMITED, ERR_UNAVAILABLE } },
};

static bool
has_step(const struct flow_def *flow, flow_step *run)
{
	for (const struct step *s = flow->steps; s->name != NULL; s++)
		if (s->run == run)
			return true;
	return false;
}

/* The errors of a route, as a set of bits. Every request may meet a guard, a
 * queue that is full and an end of the process. */
static unsigned
errors_of(const struct route *r)
{
	const struct route_doc *d = r->doc;
	unsigned set = 1U << ERR_OVERLOADED;

	for (size_t i = 0; i < NELEM(step_errors); i++)
		if (has_step(r->flow, step_errors[i].step))
			for (const enum err *e = step_errors[i].err; *e != OK;
			     e++)
				set |= 1U << *e;
	if (d->body != NULL)
		set |= 1U << ERR_INVALID | 1U << ERR_UNPROCESSABLE |
		    1U << ERR_MEDIA_TYPE | 1U << ERR_TOO_LARGE |
		    1U << ERR_LENGTH_REQUIRED;
	if (d->query != NULL)
		set |= 1U << ERR_UNPROCESSABLE;
	if (strstr(r->path, "{id}") != NULL)
		set |= 1U << ERR_NOT_FOUND;
	for (const enum err *e = d->errors; e != NULL && *e != OK; e++)
		set |= 1U << *e;
	/* Who does not answer may do so in the middle of it. */
	if (set & 1U << ERR_UNAVAILABLE)
		set |= 1U << ERR_TIMEOUT;
	return set;
}

/* ---- one operation ---- */
static const struct {
	const char *name, *schema, *text;
} path_params[] = {
	{ "id", S_ID, "Which one." },
	{ "queue", S_NAME, "The name of a queue." },
};

static void
write_path_params(struct jsn_w *w, const char *path)
{
	char braced[32];

	for (size_t i = 0; i < NELEM(path_params); i++) {
		snprintf(braced, sizeof(braced), "{%s}", path_params[i].name);
		if (strstr(path, braced) == NULL)
			continue;
		jsn_w_open(w, '{');
		oa_str(w, "name", path_params[i].name);
		oa_str(w, "in", "path");
		oa_raw(w, "required", "true");
		oa_str(w, "description", path_params[i].text);
		oa_raw(w, "schema", path_params[i].schema);
		jsn_w_close(w, '}');
	}
}

static void
write_query(struct jsn_w *w, const struct query_table *t)
{
	for (size_t i = 0; t != NULL && i < t->n; i++) {
		jsn_w_open(w, '{');
		oa_str(w, "name", t->params[i].name);
		oa_str(w, "in", "query");
		oa_str(w, "description", t->params[i].allowed);
		oa_raw(w, "schema", t->params[i].schema);
		jsn_w_close(w, '}');
	}
}

static void
write_headers(struct jsn_w *w, const struct doc_param *p)
{
	for (; p != NULL && p->name != NULL; p++) {
		jsn_w_open(w, '{');
		oa_str(w, "name", p->name);
		oa_str(w, "in", "header");
		oa_str(w, "description", p->text);
		oa_raw(w, "schema", p->schema);
		jsn_w_close(w, '}');
	}
}

/* A set of them: any of these will do, which the format cannot say; then the
 * first is named. */
static void
write_scope(struct jsn_w *w, unsigned scopes)
{
	if (scopes != SCOPE_ANY)
		jsn_w_strz(w, scope_name((enum scope)(scopes & -scopes)));
}

/* {}: they may be missing. Who looks at them all the same is POST /users. */
static void
write_security(struct jsn_w *w, const struct route *r)
{
	static const char *const schemes[] = { "bearer", "apiKey" };
	bool are_read = has_step(r->flow, api_authenticate);

	jsn_w_key(w, "security");
	jsn_w_open(w, '[');
	if (are_read && r->scope == SCOPE_NONE) {
		jsn_w_open(w, '{');
		jsn_w_close(w, '}');
	}
	for (size_t i = 0; i < NELEM(schemes) && are_read; i++) {
		jsn_w_open(w, '{');
		jsn_w_key(w, schemes[i]);
		jsn_w_open(w, '[');
		if (r->scope != SCOPE_NONE)
			write_scope(w, r->scope);
		jsn_w_close(w, ']');
		jsn_w_close(w, '}');
	}
	jsn_w_close(w, ']');
}

static void
write_body(struct jsn_w *w, const struct route_doc *d)
{
	oa_object(w, "requestBody");
	oa_raw(w, "required", d->body_optional ? "false" : "true");
	oa_object(w, "content");
	oa_object(w, "application/json");
	jsn_w_key(w, "schema");
	oa_input(w, d->body);
	if (d->example != NULL)
		oa_raw(w, "example", d->example);
	jsn_w_close(w, '}');
	jsn_w_close(w, '}');
	jsn_w_close(w, '}');
}

static void
write_media(struct jsn_w *w, const char *media, const char *schema)
{
	if (media == NULL)
		return;
	oa_object(w, media);
	oa_raw(w, "schema", schema != NULL ? schema : S_STR);
	jsn_w_close(w, '}');
}

static void
write_answer(struct jsn_w *w, const struct doc_answer *a, bool is_charged)
{
	const char *media = a->media;
	char status[8];

	if (media == NULL && a->schema != NULL)
		media = "application/json";
	snprintf(status, sizeof(status), "%d", a->status);
	oa_object(w, status);
	oa_str(w, "description", a->text);
	oa_headers(w, a->headers, is_charged);
	if (media != NULL) {
		oa_object(w, "content");
		write_media(w, media, a->schema);
		write_media(w, a->also, NULL);
		jsn_w_close(w, '}');
	}
	jsn_w_close(w, '}');
}

static void
write_responses(struct jsn_w *w, const struct route *r)
{
	unsigned set = errors_of(r);
	char status[8];
	int last = 0;

	oa_object(w, "responses");
	for (const struct doc_answer *a = r->doc->answers; a->status != 0; a++)
		write_answer(w, a, has_step(r->flow, api_charge));
	/* By number; several errors may share a status. */
	for (int want = 400; want < 600; want++)
		for (int e = OK + 1; e < ERR_MAX; e++) {
			if (!(set & 1U << e) || want == last ||
			    problem_status((enum err)e) != want)
				continue;
			snprintf(status, sizeof(status), "%d", last = want);
			jsn_w_key(w, status);
			oa_ref(w, "responses", status);
		}
	jsn_w_key(w, "default");
	oa_ref(w, "responses", "default");
	jsn_w_close(w, '}');
}

/* Which ones they are: a status may stand for several. */
static void
write_problems(struct jsn_w *w, const struct route *r)
{
	unsigned set = errors_of(r);

	jsn_w_key(w, "x-problems");
	jsn_w_open(w, '[');
	for (int e = OK + 1; e < ERR_MAX; e++)
		if (set & 1U << e)
			jsn_w_strz(w, err_name((enum err)e));
	jsn_w_close(w, ']');
}

static void
write_operation(struct jsn_w *w, const struct route *r)
{
	static const char *const methods[] = { [HTTP_GET] = "get",
		[HTTP_POST] = "post",
		[HTTP_PUT] = "put",
		[HTTP_PATCH] = "patch",
		[HTTP_DELETE] = "delete" };
	const struct route_doc *d = r->doc;

	oa_object(w, methods[r->method]);
	oa_str(w, "operationId", d->id);
	oa_str(w, "summary", d->summary);
	if (d->text != NULL)
		oa_str(w, "description", d->text);
	jsn_w_key(w, "tags");
	jsn_w_open(w, '[');
	jsn_w_strz(w, d->tag);
	jsn_w_close(w, ']');
	write_security(w, r);
	jsn_w_key(w, "parameters");
	jsn_w_open(w, '[');
	write_path_params(w, r->path);
	write_query(w, d->query);
	write_headers(w, d->headers);
	jsn_w_close(w, ']');
	if (d->body != NULL)
		write_body(w, d);
	write_responses(w, r);
	write_problems(w, r);
	jsn_w_close(w, '}');
}

/* Each path once, with all of its methods. */
static void
write_paths(struct jsn_w *w, const struct route *routes, size_t n)
{
	bool seen;

	oa_object(w, "paths");
	for (size_t i = 0; i < n; i++) {
		seen = false;
		for (size_t k = 0; k < i; k++)
			seen |= strcmp(routes[k].path, routes[i].path) == 0;
		if (seen)
			continue;
		oa_object(w, routes[i].path);
		for (size_t k = i; k < n; k++)
			if (strcmp(routes[k].path, routes[i].path) == 0)
				write_operation(w, &routes[k]);
		jsn_w_close(w, '}');
	}
	jsn_w_close(w, '}');
}

void
openapi_write(struct buf *b, const struct route *routes, size_t n)
{
	struct jsn_w w;

	jsn_w_init(&w, b);
	jsn_w_open(&w, '{');
	oa_str(&w, "openapi", "3.1.0");
	oa_object(&w, "info");
	oa_str(&w, "title", "TaskFlow");
	oa_str(&w, "version", TASKFLOW_VERSION);
	oa_str(&w, "summary", "A task queue: what was accepted is done.");
	oa_raw(&w, "license", "{\"name\":\"MIT\",\"identifier\":\"MIT\"}");
	jsn_w_close(&w, '}');
	oa_raw(&w, "servers", "[{\"url\":\"/\"}]");
	write_paths(&w, routes, n);
	oa_components(&w);
	jsn_w_close(&w, '}');
}

/* ---- the endpoint ---- */
struct openapi {
	struct api_call call;
	struct buf document;
};

static flow_step write_document;
static void openapi_end(struct flow *, enum err);

static const struct step openapi_steps[] = {
	STEP(write_document),
	STEP_LAST,
};

const struct flow_def openapi_flow = {
	.name = "openapi",
	.size = sizeof(struct openapi),
	.steps = openapi_steps,
	.end = openapi_end,
};

/* Made anew each time: people and generators ask for it, and not often. */
static enum flow_next
write_document(struct flow *f)
{
	struct openapi *o = (struct openapi *)f;

	buf_init(&o->document, DOCUMENT_MAX);
	openapi_write(&o->document, api_routes, api_nroutes);
	return FLOW_END;
}

static void
openapi_end(struct flow *f, enum err err)
{
	struct openapi *o = (struct openapi *)f;

	if (err == OK)
		api_reply(&o->call, 200, &o->document);
	else
		api_refuse(&o->call, err);
}
