/* Paths to routes, percent decoding, and the table of problems; pure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../../src/loop/http_rules.h"

static const struct route routes[] = {
	{ HTTP_GET, "/", NULL, 0, NULL },
	{ HTTP_GET, "/tasks/{id}", NULL, 0, NULL },
	{ HTTP_DELETE, "/tasks/{id}", NULL, 0, NULL },
	{ HTTP_GET, "/tasks/{id}/events", NULL, 0, NULL },
	{ HTTP_POST, "/tasks/{id}/{verb}", NULL, 0, NULL },
	{ HTTP_POST, "/tasks/{id}/cancel", NULL, 0, NULL },
	{ HTTP_POST, "/tasks", NULL, 0, NULL },
	{ HTTP_GET, "/tasks", NULL, 0, NULL },
	{ HTTP_POST, "/tasks/batch", NULL, 0, NULL },
	{ HTTP_GET, "/users/me", NULL, 0, NULL },
};

static const struct lookup {
	enum http_method method;
	const char *path;
	const char *route; /* NULL: none */
	const char *params;
	const char *allow;
} lookups[] = {
	{ HTTP_GET, "/", "/", "", "GET, HEAD, OPTIONS" },
	{ HTTP_POST, "/", NULL, "", "GET, HEAD, OPTIONS" },
	{ HTTP_GET, "/tasks", "/tasks", "", "GET, HEAD, POST, OPTIONS" },
	{ HTTP_GET, "/tasks/1", "/tasks/{id}", "id=1",
	    "GET, HEAD, DELETE, OPTIONS" },
	{ HTTP_POST, "/tasks/batch", "/tasks/batch", "",
	    "GET, HEAD, POST, DELETE, OPTIONS" },
	{ HTTP_GET, "/tasks/batch", "/tasks/{id}", "id=batch",
	    "GET, HEAD, POST, DELETE, OPTIONS" },
	{ HTTP_GET, "/tasks/batch2", "/tasks/{id}", "id=batch2",
	    "GET, HEAD, DELETE, OPTIONS" },
	{ HTTP_GET, "/tasks/a/events", "/tasks/{id}/events", "id=a",
	    "GET, HEAD, POST, OPTIONS" },
	{ HTTP_POST, "/tasks/a/cancel", "/tasks/{id}/cancel", "id=a",
	    "POST, OPTIONS" },
	{ HTTP_POST, "/tasks/a/b", "/tasks/{id}/{verb}", "id=a verb=b",
	    "POST, OPTIONS" },
	{ HTTP_GET, "/tasks/a/b", NULL, "", "POST, OPTIONS" },
	{ HTTP_GET, "/tasks/%62atch", "/tasks/{id}", "id=%62atch",
	    "GET, HEAD, POST, DELETE, OPTIONS" },
	{ HTTP_GET, "/%74asks", "/tasks", "", "GET, HEAD, POST, OPTIONS" },
	{ HTTP_GET, "/tasks/", NULL, "", "OPTIONS" },
	{ HTTP_GET, "/task", NULL, "", "OPTIONS" },
	{ HTTP_GET, "/taskss", NULL, "", "OPTIONS" },
	{ HTTP_GET, "/tasks/a/", NULL, "", "OPTIONS" },
	{ HTTP_GET, "/tasks/a/events/b", NULL, "", "OPTIONS" },
	{ HTTP_GET, "/tasks//events", NULL, "", "OPTIONS" },
	{ HTTP_GET, "/users", NULL, "", "OPTIONS" },
	{ HTTP_GET, "/users/Me", NULL, "", "OPTIONS" },
	{ HTTP_GET, "/users%2fme", NULL, "", "OPTIONS" },
};

static void
print_params(const struct route_match *m, char *text, size_t size)
{
	size_t n = 0;

	text[0] = '\0';
	for (unsigned i = 0; i < m->nparams; i++)
		n += (size_t)snprintf(text + n, size - n, "%s%.*s=%.*s",
		    i > 0 ? " " : "", (int)m->param[i].name.len,
		    m->param[i].name.p, (int)m->param[i].raw.len,
		    m->param[i].raw.p);
}

static void
test_lookups(void **state)
{
	char allow[ROUTE_ALLOW_SIZE], params[256];
	struct route_match m;

	(void)state;
	for (size_t i = 0; i < NELEM(lookups); i++) {
		const struct lookup *l = &lookups[i];

		route_find(
		    routes, NELEM(routes), l->method, span_of(l->path), &m);
		route_allow(m.allowed, allow);
		print_params(&m, params, sizeof(params));
		assert_string_equal(allow, l->allow);
		if ((m.route == NULL) != (l->route == NULL))
			fail_msg("%s", l->path);
		if (l->route == NULL)
			continue;
		assert_string_equal(m.route->path, l->route);
		assert_int_equal(m.route->method, l->method);
		assert_string_equal(params, l->params);
	}
}

static void
test_all_methods_fit(void **state)
{
	char allow[ROUTE_ALLOW_SIZE];

	(void)state;
	route_allow(~0U, allow);
	assert_string_equal(
	    allow, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
}

static void
test_decode(void **state)
{
	static const struct {
		const char *raw;
		bool plus;
		const char *text;
	} rows[] = {
		{ "", false, "" },
		{ "abc", false, "abc" },
		{ "a%20b", false, "a b" },
		{ "a+b", false, "a+b" },
		{ "a+b%2B", true, "a b+" },
		{ "%2541", false, "%41" },
		{ "%e6%BC%a2", false, "\xe6\xbc\xa2" },
	};
	char text[64];

	(void)state;
	for (size_t i = 0; i < NELEM(rows); i++) {
		struct span raw = span_of(rows[i].raw);

		assert_int_equal(percent_decode(raw, rows[i].plus, text),
		    strlen(rows[i].text));
		assert_string_equal(text, rows[i].text);
		assert_true(
		    percent_is(raw, rows[i].plus, span_of(rows[i].text)));
		assert_false(percent_is(raw, rows[i].plus, span_of("abd")));
		assert_false(percent_is(raw, rows[i].plus, span_of("abcd")));
	}
	assert_false(percent_is(span_of("ab"), false, span_of("abc")));
	assert_false(percent_is(span_of("abc"), false, span_of("ab")));
}

/* Every error has a row of its own, and says what base says. */
static void
test_problems(void **state)
{
	(void)state;
	for (enum err e = OK + 1; e < ERR_MAX; e++) {
		const struct problem *p = problem_of_err(e);

		assert_non_null(p->name);
		assert_string_equal(p->name, err_name(e));
		assert_int_equal(p->status, problem_status(e));
		assert_true(p->status >= 400);
		if (p->status == 429 || p->status == 503 ||
		    e == ERR_KEY_RUNNING)
			assert_true(p->retry_after_s > 0);
		else
			assert_int_equal(p->retry_after_s, 0);
		assert_int_equal(
		    problem_of_status(p->status)->status, p->status);
	}
	assert_int_equal(problem_of_status(417)->status, 417);
	assert_int_equal(problem_of_status(999)->status, 500);
	assert_int_equal(problem_of_err(ERR_MAX)->status, 500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lookups),
		cmocka_unit_test(test_all_methods_fit),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
