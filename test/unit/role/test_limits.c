/* The buckets that a process keeps while redis-low is away, and defaults that
 * are read again; on servers that are never there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../../src/role/api/limits.h"
#include "base/clock.h"
#include "base/metric.h"

#define USERS_MAX 10000 /* of which the buckets are kept */

static struct conf conf;
static struct app app;
static struct limits *limits;

static int
set_up(void **state)
{
	static char nowhere[] = "redis://127.0.0.1:1/0", off[] = "off",
		    some[] = "5/h";
	const struct pg_conf pc = { .url = "postgresql://t@127.0.0.1:1/t",
		.connections = 2,
		.timeout_ms = 1000,
		.application_name = "test" };
	char err[256];

	(void)state;
	log_open(LOG_ERROR, LOG_TEXT, "test");
	conf = (struct conf){ .redis_low_url = nowhere,
		.rate_submit = some,
		.rate_read = off,
		.rate_timeout_ms = 1000 };
	app = (struct app){ .conf = &conf, .loop = loop_open() };
	app.threads = thread_pool_open(app.loop, 1, 4);
	app.pg = pg_open(app.loop, app.threads, &pc, err, sizeof(err));
	assert_non_null(app.pg);
	limits = limits_open(&app);
	clock_freeze(US_PER_S, US_PER_S);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	clock_freeze(-1, -1);
	limits_close(limits);
	pg_close(app.pg);
	thread_pool_close(app.threads);
	for (int i = 0; i < 100 && flow_count(app.loop) > 0; i++)
		loop_turn(app.loop);
	loop_close(app.loop);
	return 0;
}

static struct id
user(uint32_t n)
{
	struct id id = { .b = { 1 } };

	memcpy(id.b + 12, &n, sizeof(n));
	return id;
}

static bool
take(uint32_t n, int64_t cost)
{
	struct id id = user(n);
	struct rate rate;
	int64_t used;

	assert_true(limits_of(limits, &id, LIMIT_SUBMIT, &rate));
	return limits_take(limits, &id, LIMIT_SUBMIT, &rate, cost, &used);
}

static void
each_user_has_a_bucket(void **state)
{
	int64_t before = metric_cells[METRIC_RATE_LIMITS + LIMITED_LOCALLY];
	struct id id = user(1);
	struct rate rate;

	(void)state;
	assert_false(limits_of(limits, &id, LIMIT_READ, &rate));
	assert_false(limits_of(NULL, &id, LIMIT_SUBMIT, &rate));
	assert_true(take(1, 4));
	assert_false(take(1, 2));
	assert_true(take(1, 1));
	assert_false(take(1, 1));
	assert_true(take(2, 5));
	clock_freeze(US_PER_S + 720 * US_PER_S, US_PER_S);
	assert_true(take(1, 1));
	assert_false(take(1, 1));
	assert_int_equal(
	    metric_cells[METRIC_RATE_LIMITS + LIMITED_LOCALLY] - before, 7);
}

/* Who was away for longest is forgotten; who is busy is not, however many
 * others come. */
static void
there_are_so_many_and_no_more(void **state)
{
	uint32_t n;

	(void)state;
	assert_true(take(0, 5));
	assert_true(take(1, 5));
	for (n = 2; n < USERS_MAX; n++)
		assert_true(take(n, 5));
	assert_false(take(0, 1)); /* and is the last one used */
	assert_true(take(USERS_MAX, 5)); /* in the place of 1 */
	assert_false(take(0, 1));
	assert_false(take(2, 1));
	assert_true(take(1, 1));
	for (n = 1; n < 3 * USERS_MAX; n++) {
		take(USERS_MAX + n, 1);
		assert_false(take(0, 1));
	}
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(each_user_has_a_bucket),
		TEST(there_are_so_many_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
