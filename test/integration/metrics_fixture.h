#ifndef TASKFLOW_TEST_METRICS_FIXTURE_H
#define TASKFLOW_TEST_METRICS_FIXTURE_H

/* Reading /metrics of a part, and waiting for what must be counted. */
#include "support/exposition.h"
#include "support/http.h"
#include "support/stack.h"

static int api_port; /* of its admin_listen */

static int
port_of(const char *part)
{
	return strcmp(part, "api-1") == 0 ? api_port : part_port(part);
}

/* ---- reading ---- */
/* Heap. Each scrape must keep the rules of the format. */
static char *
scrape(const char *part)
{
	const char *wrong;
	struct http h;
	char *s;

	http_init(&h, port_of(part));
	UNTIL(http_call(&h, "GET", "/metrics", NULL, NULL) == 200);
	s = strdup(h.body);
	wrong = exposition_wrong(s);
	if (wrong != NULL)
		fail_msg("%s: %s", part, wrong);
	assert_string_equal(http_header(&h, "Content-Type"),
	    "text/plain; version=0.0.4; charset=utf-8");
	http_fini(&h);
	return s;
}

/* -1: there is no such line. */
static double
value_in(const char *s, const char *series)
{
	size_t n = strlen(series);

	for (; s != NULL && *s != '\0'; s = strchr(s, '\n') + 1)
		if (strncmp(s, series, n) == 0 && s[n] == ' ')
			return strtod(s + n, NULL);
	return -1;
}

static double
value(const char *part, const char *series)
{
	char *s = scrape(part);
	double v = value_in(s, series);

	free(s);
	return v;
}

struct expected {
	const char *part, *series;
	int more;
	double before;
};

static void
note_before(struct expected *e, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		e[i].before = value(e[i].part, e[i].series);
		if (e[i].before < 0)
			fail_msg("%s: no %s", e[i].part, e[i].series);
	}
}

/* What is committed is counted a moment later; more than that is wrong at any
 * time. */
static bool
all_as_expected(const struct expected *e, size_t n)
{
	bool all = true;
	double now;

	for (size_t i = 0; i < n; i++) {
		now = value(e[i].part, e[i].series) - e[i].before;
		if (now > e[i].more)
			fail_msg("%s: %s rose by %g, not by %d", e[i].part,
			    e[i].series, now, e[i].more);
		all = all && now == e[i].more;
	}
	return all;
}

#endif
