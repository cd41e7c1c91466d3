/* /openapi.json: that it is JSON, and that nothing is left unsaid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "role/api/api.h"
#include "role/api/doc.h"
#include "task/users.h"

static void
is_json(const char *where, const char *text)
{
	struct jsn_value v;
	struct fault fault;

	if (text == NULL)
		fail_msg("%s has no schema", where);
	if (jsn_scan(span_of(text), &v, &fault) != OK)
		fail_msg("%s: %s: %s", where, text, fault.detail);
}

static void
is_said(const char *id, const char *what, const char *text)
{
	if (text == NULL || *text == '\0')
		fail_msg("%s of %s is not said", what, id);
}

static void
headers_are_said(const char *id, const struct doc_param *p)
{
	for (; p != NULL && p->name != NULL; p++) {
		is_json(id, p->schema);
		is_said(id, p->name, p->text);
	}
}

/* ---- the routes ---- */
static void
each_route_is_said(void **state)
{
	const struct doc_answer *a;
	const struct route_doc *d;

	(void)state;
	for (size_t i = 0; i < api_nroutes; i++) {
		d = api_routes[i].doc;
		if (d == NULL)
			fail_msg("%s has no doc", api_routes[i].path);
		is_said(api_routes[i].path, "the id", d->id);
		is_said(d->id, "the tag", d->tag);
		is_said(d->id, "the summary", d->summary);
		headers_are_said(d->id, d->headers);
		assert_true(d->answers->status != 0);
		for (a = d->answers; a->status != 0; a++) {
			assert_in_range(a->status, 200, 399);
			is_said(d->id, "an answer", a->text);
			headers_are_said(d->id, a->headers);
			if (a->schema != NULL)
				is_json(d->id, a->schema);
		}
	}
}

static void
names_are_unique(void **state)
{
	(void)state;
	for (size_t i = 0; i < api_nroutes; i++)
		for (size_t k = 0; k < i; k++)
			if (strcmp(api_routes[i].doc->id,
				api_routes[k].doc->id) == 0)
				fail_msg("%s and %s are both %s",
				    api_routes[i].path, api_routes[k].path,
				    api_routes[i].doc->id);
}

/* What may be sent is said for people and for programs. */
static void
each_input_has_a_schema(void **state)
{
	const struct input_member *m;
	const struct query_param *p;
	const struct route_doc *d;

	(void)state;
	for (size_t i = 0; i < api_nroutes; i++) {
		d = api_routes[i].doc;
		for (size_t k = 0; d->body != NULL && k < d->body->n; k++) {
			m = &d->body->members[k];
			is_said(d->id, m->name, m->allowed);
			is_json(m->name, m->schema);
		}
		assert_true(
		    d->query == NULL || d->query->n <= QUERY_PARAMS_MAX);
		for (size_t k = 0; d->query != NULL && k < d->query->n; k++) {
			p = &d->query->params[k];
			is_said(d->id, p->name, p->allowed);
			is_json(p->name, p->schema);
		}
		/* Without one the bodies of examples could not be tried. */
		assert_int_equal(d->body != NULL, d->example != NULL);
		if (d->example != NULL)
			is_json(d->id, d->example);
	}
	for (const struct doc_schema *s = doc_schemas; s->name != NULL; s++)
		for (const struct doc_member *n = s->members; n->name != NULL;
		     n++)
			is_json(n->name, n->schema);
}

/* ---- the document ---- */
static void
the_document_is_json(void **state)
{
	char path[80];
	struct buf b;

	(void)state;
	buf_init(&b, 1024 * 1024);
	openapi_write(&b, api_routes, api_nroutes);
	assert_false(b.overflow);
	is_json("the document", b.data);
	for (size_t i = 0; i < api_nroutes; i++) {
		snprintf(path, sizeof(path), "\"%s\":{", api_routes[i].path);
		if (strstr(b.data, path) == NULL)
			fail_msg("%s is not in it", api_routes[i].path);
		snprintf(path, sizeof(path), "\"operationId\":\"%s\"",
		    api_routes[i].doc->id);
		if (strstr(b.data, path) == NULL)
			fail_msg("%s is not in it", path);
	}
	buf_fini(&b);
}

/* One that is not in a table of routes yet, and must be right when it is. */
static void
a_document_of_one_route(void **state)
{
	const struct route one[] = {
		{ HTTP_GET, "/autoscaling/{queue}", &show_flow,
		    SCOPE_TASKS_READ, &autoscaling_doc },
	};
	struct buf b;

	(void)state;
	buf_init(&b, 1024 * 1024);
	openapi_write(&b, one, NELEM(one));
	is_json("the document", b.data);
	assert_non_null(strstr(b.data, "\"name\":\"queue\",\"in\":\"path\""));
	assert_non_null(strstr(b.data, "{\"bearer\":[\"tasks:read\"]}"));
	buf_fini(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_route_is_said),
		cmocka_unit_test(names_are_unique),
		cmocka_unit_test(each_input_has_a_schema),
		cmocka_unit_test(the_document_is_json),
		cmocka_unit_test(a_document_of_one_route),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
