/* What is counted, and the text that says it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/metric.h"
#include "exposition.h"

static char *text;

static const char *
written(unsigned roles)
{
	struct buf b;

	buf_init(&b, 16 * 1024 * 1024);
	metric_write(&b, roles);
	assert_false(b.overflow);
	free(text);
	text = b.data != NULL ? b.data : xstrdup("");
	return text;
}

static void
has(const char *line)
{
	char with_ends[512];

	snprintf(with_ends, sizeof(with_ends), "\n%s\n", line);
	if (strstr(text, with_ends) == NULL)
		fail_msg("no line \"%s\"", line);
}

static int
fresh(void **state)
{
	(void)state;
	metric_reset();
	return 0;
}

static void
the_whole_text_keeps_the_rules_of_the_format(void **state)
{
	const char *wrong;

	(void)state;
	metric_route("GET", "/tasks/{id}");
	metric_observe(HTTP_SECONDS, 1, 123456);
	metric_count(METRIC_SUBMITTED, 3);
	wrong = exposition_wrong(written(ROLE_ALL));
	if (wrong != NULL)
		fail_msg("%s", wrong);
}

static void
counters_are_written_with_their_labels(void **state)
{
	unsigned route = metric_route("GET", "/tasks/{id}");

	(void)state;
	metric_count(METRIC_SUBMITTED + 1, 7);
	metric_count(METRIC_SUBMITTED + 1, 2);
	metric_count(
	    METRIC_HTTP_REQUESTS + route * N_SET_STATUS + STATUS_4XX, 5);
	metric_count(METRIC_HTTP_REFUSED + REASON_VERSION, 1);
	metric_count(METRIC_HTTP_REFUSED + ERR_NOT_FOUND, 6);
	written(ROLE_ALL);
	has("taskflow_tasks_submitted_total{priority=\"high\"} 9");
	has("taskflow_tasks_submitted_total{priority=\"low\"} 0");
	has("taskflow_http_requests_total{method=\"GET\",route=\"/tasks/{id}\","
	    "status=\"4xx\"} 5");
	has("taskflow_http_refusals_total{reason=\"http-version\"} 1");
	has("taskflow_http_refusals_total{reason=\"not-found\"} 6");
	assert_null(strstr(text, "reason=\"ok\""));
}

/* le is "at most", so a value on a bound belongs below it. */
static void
histograms_are_cumulative_and_end_in_inf(void **state)
{
	(void)state;
	metric_observe(CLAIM_SECONDS, 0, 0);
	metric_observe(CLAIM_SECONDS, 0, 100);
	metric_observe(CLAIM_SECONDS, 0, 101);
	metric_observe(CLAIM_SECONDS, 0, 30000000);
	metric_observe(CLAIM_SECONDS, 0, 30000001);
	metric_observe(CLAIM_SECONDS, 0, -5);
	written(ROLE_ALL);
	has("taskflow_claim_seconds_bucket{le=\"0.0001\"} 3");
	has("taskflow_claim_seconds_bucket{le=\"0.00025\"} 4");
	has("taskflow_claim_seconds_bucket{le=\"5\"} 4");
	has("taskflow_claim_seconds_bucket{le=\"30\"} 5");
	has("taskflow_claim_seconds_bucket{le=\"+Inf\"} 6");
	has("taskflow_claim_seconds_sum 60.000202");
	has("taskflow_claim_seconds_count 6");
}

static void
sizes_are_not_seconds(void **state)
{
	(void)state;
	metric_observe(PG_SEGMENT_ROWS, 1, 1000);
	metric_observe(PG_SEGMENT_ROWS, 1, 3);
	written(ROLE_ALL);
	has("taskflow_pg_segment_rows_bucket{class=\"read\",le=\"4\"} 1");
	has("taskflow_pg_segment_rows_bucket{class=\"read\",le=\"1000\"} 2");
	has("taskflow_pg_segment_rows_sum{class=\"read\"} 1003");
	has("taskflow_pg_segment_rows_count{class=\"write\"} 0");
}

static void
put_queues(struct metric_out *out, void *arg)
{
	(void)arg;
	metric_put(out, -1, "a\"b\\c\nd", "low");
	metric_put(out, 1500000, "plain", "high");
}

static void
label_values_are_escaped(void **state)
{
	const char *wrong;

	(void)state;
	metric_collect(ROW_QUEUE_TASKS, put_queues, text);
	metric_collect(ROW_QUEUE_OLDEST, put_queues, text);
	wrong = exposition_wrong(written(ROLE_MANAGER));
	if (wrong != NULL)
		fail_msg("%s", wrong);
	has("taskflow_queue_tasks{queue=\"a\\\"b\\\\c\\nd\",priority=\"low\"} "
	    "-1");
	has("taskflow_queue_oldest_seconds{queue=\"plain\",priority=\"high\"} "
	    "1.500000");
	has("taskflow_queue_oldest_seconds{queue=\"a\\\"b\\\\c\\nd\","
	    "priority=\"low\"} -0.000001");
}

static void
a_gauge_that_nobody_answers_for_is_left_out(void **state)
{
	static int owner;

	(void)state;
	assert_null(strstr(written(ROLE_ALL), "taskflow_queue_tasks"));
	metric_collect(ROW_QUEUE_TASKS, put_queues, &owner);
	assert_non_null(strstr(written(ROLE_ALL), "taskflow_queue_tasks"));
	metric_forget(&owner);
	assert_null(strstr(written(ROLE_ALL), "taskflow_queue_tasks"));
}

static void
a_role_shows_what_is_its_own(void **state)
{
	(void)state;
	written(ROLE_API);
	assert_non_null(strstr(text, "taskflow_tasks_submitted_total"));
	assert_null(strstr(text, "taskflow_tasks_claimed_total"));
	assert_null(strstr(text, "taskflow_elections_total"));
	written(ROLE_WORKER | ROLE_MANAGER);
	assert_null(strstr(text, "taskflow_tasks_submitted_total"));
	assert_non_null(strstr(text, "taskflow_tasks_claimed_total"));
	assert_non_null(strstr(text, "taskflow_elections_total"));
}

/* However many routes there are, the cells do not grow. */
static void
routes_are_bounded(void **state)
{
	static char paths[METRIC_ROUTES + 5][16];
	unsigned i, n;

	(void)state;
	for (i = 0; i < METRIC_ROUTES + 5; i++) {
		snprintf(paths[i], sizeof(paths[i]), "/%u", i);
		n = metric_route("GET", paths[i]);
		assert_int_equal(n, i < METRIC_ROUTES - 1 ? i + 1 : 0);
	}
	assert_int_equal(metric_route("GET", "/0"), 1);
	assert_int_equal(metric_route("POST", "/0"), 0);
	assert_null(exposition_wrong(written(ROLE_ALL)));
}

/* Each row's cells are its own. */
static void
cells_do_not_overlap(void **state)
{
	unsigned at = 0;

	(void)state;
#define M(id, name, type, bounds, roles, set, set2, help)       \
	assert_int_equal(metric_rows[ROW_##id].first, at);      \
	at += METRIC_CELLS_##type * N_SET_##set * N_SET_##set2; \
	assert_int_equal(METRIC_LAST_##id, at - 1);
	METRIC_TABLE(M)
#undef M
	assert_int_equal(at, METRIC_CELLS);
}

/* A parser that finds nothing wrong proves nothing. */
static void
the_parser_finds_what_is_wrong(void **state)
{
	static const char *const bad[] = {
		"a_total 1\n", /* no TYPE */
		"# TYPE a_total counter\na_total 1\n", /* no HELP */
		"# HELP a x\n# TYPE a counter\na 1\n", /* no _total */
		"# HELP a x\n# TYPE a gauge\na 1\na 1\n", /* twice */
		"# HELP a x\n# TYPE a gauge\na one\n",
		"# HELP a x\n# TYPE a gauge\na 1", /* no end of line */
		"# HELP a x\n# TYPE a gauge\na{b=\"c} 1\n",
		"# HELP a x\n# TYPE a gauge\na{b=\"\\q\"} 1\n",
		"# HELP a x\n# TYPE a gauge\nb 1\n",
		"# HELP a x\n# TYPE a gauge\na 1\n# HELP a x\n",
		"# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 1\n"
		"a_sum 1\na_count 1\n", /* no +Inf */
		"# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 2\n"
		"a_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 1\n",
		"# HELP a x\n# TYPE a histogram\na_bucket{le=\"1\"} 1\n"
		"a_bucket{le=\"+Inf\"} 1\na_sum 1\na_count 2\n",
		"# HELP a x\n# TYPE a histogram\na_bucket{le=\"2\"} 1\n"
		"a_bucket{le=\"1\"} 1\na_bucket{le=\"+Inf\"} 1\na_sum 1\n"
		"a_count 1\n",
	};

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++)
		if (exposition_wrong(bad[i]) == NULL)
			fail_msg("found nothing wrong with: %s", bad[i]);
	assert_null(
	    exposition_wrong("# HELP a x\n# TYPE a gauge\na{b=\"\\\"\"} 1\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(
		    the_whole_text_keeps_the_rules_of_the_format, fresh),
		cmocka_unit_test_setup(
		    counters_are_written_with_their_labels, fresh),
		cmocka_unit_test_setup(
		    histograms_are_cumulative_and_end_in_inf, fresh),
		cmocka_unit_test_setup(sizes_are_not_seconds, fresh),
		cmocka_unit_test_setup(label_values_are_escaped, fresh),
		cmocka_unit_test_setup(
		    a_gauge_that_nobody_answers_for_is_left_out, fresh),
		cmocka_unit_test_setup(a_role_shows_what_is_its_own, fresh),
		cmocka_unit_test_setup(routes_are_bounded, fresh),
		cmocka_unit_test_setup(cells_do_not_overlap, fresh),
		cmocka_unit_test(the_parser_finds_what_is_wrong),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(text);
	return failed;
}
