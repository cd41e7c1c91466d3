/* Rate limits while redis-low forgets, hangs, or is away. */
#include <signal.h>

#include "rate_fixture.h"

static int
count_in_log(const char *part, const char *words)
{
	char *log = read_file(stack_log(part)), *at = log;
	int n = 0;

	for (; (at = strstr(at, words)) != NULL; at++)
		n++;
	free(log);
	return n;
}

/* ---- Redis in trouble ---- */
static void
redis_forgets_everything(void **state)
{
	struct user u;

	(void)state;
	user_open(&u, "forgotten");
	limit(&u, "1/h burst 2");
	assert_int_equal(post(&u.at[0]), 201);
	assert_int_equal(post(&u.at[1]), 201);
	assert_int_equal(post(&u.at[0]), 429);
	redis_int(LOW, "FLUSHALL");
	redis_int(LOW, "SCRIPT FLUSH");
	assert_int_equal(post(&u.at[0]), 201);
	assert_int_equal(post(&u.at[1]), 201);
	assert_int_equal(post(&u.at[0]), 429);
	assert_int_equal(
	    count_in_log("api-1", "redis-low does not answer: limits"), 0);
	user_close(&u);
}

static void
without_redis_each_process_counts(void **state)
{
	struct user u;
	int i, passed = 0;

	(void)state;
	user_open(&u, "alone");
	limit(&u, "1/h burst 7");
	part_kill("redis-low");
	for (i = 0; i < 20; i++)
		passed += post(&u.at[0]) == 201;
	assert_int_equal(passed, 7);
	assert_int_equal(u.at[0].status, 429);
	header_is(&u.at[0], "RateLimit", "\"submit\";r=0;t=25200");
	for (i = 0, passed = 0; i < 20; i++)
		passed += post(&u.at[1]) == 201;
	assert_int_equal(passed, 7);
	assert_int_equal(
	    count_in_log("api-1", "redis-low does not answer: limits"), 1);
	part_start("redis-low");
	UNTIL(post(&u.at[0]) == 201);
	assert_int_equal(
	    count_in_log("api-1", "counted in redis-low again"), 1);
	assert_int_equal(
	    count_in_log("api-1", "redis-low does not answer: limits"), 1);
	user_close(&u);
}

static void
a_redis_that_hangs_holds_nobody_up(void **state)
{
	struct user u;
	int i, passed = 0;

	(void)state;
	user_open(&u, "hanging");
	stack_conf(SHORT_TIMES "rate_timeout = 250ms\n");
	part_stop("api-1");
	part_start("api-1");
	limit(&u, "1/h burst 3");
	part_signal("redis-low", SIGSTOP);
	for (i = 0; i < 5; i++)
		passed += post(&u.at[0]) == 201;
	assert_int_equal(passed, 3);
	assert_int_equal(u.at[0].status, 429);
	part_signal("redis-low", SIGCONT);
	user_close(&u);
}

static void
without_redis_it_can_refuse(void **state)
{
	struct user u, free_user;
	int64_t before;

	(void)state;
	user_open(&u, "strict");
	user_open(&free_user, "unlimited");
	stack_conf(SHORT_TIMES "rate_timeout = 60s\nrate_fallback = refuse\n");
	part_stop("api-1");
	part_start("api-1");
	limit(&u, "1/h burst 50");
	assert_int_equal(post(&u.at[0]), 201);
	before = sql_int("SELECT count(*) FROM taskflow.tasks");
	part_kill("redis-low");
	UNTIL(post(&u.at[0]) == 503);
	assert_int_equal(post(&u.at[0]), 503);
	assert_string_equal(str_of(http_json(&u.at[0]), "type"),
	    "urn:taskflow:problem:unavailable");
	assert_non_null(http_header(&u.at[0], "Retry-After"));
	assert_int_equal(
	    sql_int("SELECT count(*) FROM taskflow.tasks"), before);
	/* Who has no limit does not care. */
	assert_int_equal(post(&free_user.at[0]), 201);
	part_start("redis-low");
	UNTIL(post(&u.at[0]) == 201);
	user_close(&u);
	user_close(&free_user);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(redis_forgets_everything),
	cmocka_unit_test(without_redis_each_process_counts),
	cmocka_unit_test(a_redis_that_hangs_holds_nobody_up),
	cmocka_unit_test(without_redis_it_can_refuse),
};

int
main(int argc, char **argv)
{
	return rate_group_run("rate_away", tests, NELEM(tests), argc, argv);
}
