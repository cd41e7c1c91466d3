/* What a scaler is told: the lists that KEDA measures, and GET /autoscaling. */
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

#define INFLIGHT "taskflow:inflight:default"

/* The status; the body is in the JSON of `me`. */
static int
ask(const char *queue)
{
	return http_call(
	    &me, "GET", text("/autoscaling/%s", queue), NULL, NULL);
}

static bool
says(int64_t high, int64_t low, int64_t in_flight, int64_t wanted)
{
	const cJSON *j;

	if (ask("default") != 200)
		return false;
	j = http_json(&me);
	return int_of(j, "high") == high && int_of(j, "low") == low &&
	    int_of(j, "queued") == high + low &&
	    int_of(j, "in_flight") == in_flight &&
	    int_of(j, "wanted") == wanted &&
	    strcmp(str_of(j, "queue"), "default") == 0;
}

static void
submit_many(int n, const char *priority)
{
	int i;

	for (i = 0; i < n; i++)
		submit(
		    "ledger", "\"a\"", text("\"priority\":\"%s\"", priority));
}

/* Two workers of four: 8 run, the rest waits. */
static void
it_says_what_waits_and_what_runs(void **state)
{
	(void)state;
	hold("a", 1);
	UNTIL(says(0, 0, 0, 1));
	submit_many(8, "high");
	UNTIL(says(0, 0, 8, 2));
	submit_many(11, "high");
	submit_many(15, "low");
	UNTIL(says(11, 15, 8, 3));
	/* What KEDA measures is the same. */
	assert_int_equal(redis_int(HIGH, "LLEN " INFLIGHT), 8);
	assert_int_equal(redis_int(HIGH, "LLEN taskflow:queue:default"), 11);
	assert_int_equal(redis_int(LOW, "LLEN taskflow:queue:default"), 15);
	/* A queue that nobody has ever used. */
	assert_int_equal(ask("never"), 200);
	assert_int_equal(int_of(http_json(&me), "queued"), 0);
	assert_int_equal(int_of(http_json(&me), "in_flight"), 0);
	assert_int_equal(int_of(http_json(&me), "wanted"), 1);
	release("a", 1);
	UNTIL(says(0, 0, 0, 1));
	all_ended();
}

static void
the_count_comes_back_after_redis_lost_it(void **state)
{
	(void)state;
	hold("a", 1);
	submit_many(5, "low");
	UNTIL(says(0, 0, 5, 2));
	redis_int(HIGH, "FLUSHALL");
	UNTIL(says(0, 0, 5, 2));
	/* A number that somebody else wrote there does not stay. */
	redis_int(HIGH, "RPUSH " INFLIGHT " x x x x x x x");
	UNTIL(redis_int(HIGH, "LLEN " INFLIGHT) == 5);
	assert_true(redis_int(HIGH, "PTTL " INFLIGHT) > 0);
	release("a", 1);
	all_ended();
}

/* Dead workers hold nobody: what they had is counted where it goes. */
static void
a_dead_workers_tasks_are_not_counted_twice(void **state)
{
	(void)state;
	hold("a", 1);
	hold("a", 2);
	submit_many(8, "low");
	UNTIL(says(0, 0, 8, 2));
	part_kill("worker-2");
	UNTIL(says(0, 4, 4, 1));
	release("a", 1);
	release("a", 2);
	all_ended();
}

static void
no_number_while_a_redis_is_away(void **state)
{
	static const char *const servers[] = { "redis-low", "redis-high" };
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(servers); i++) {
		UNTIL(says(0, 0, 0, 1));
		part_kill(servers[i]);
		UNTIL(ask("default") == 503);
		assert_non_null(http_header(&me, "Retry-After"));
		part_start(servers[i]);
		UNTIL(says(0, 0, 0, 1));
	}
	all_ended();
}

static void
no_number_while_nobody_counts(void **state)
{
	(void)state;
	UNTIL(says(0, 0, 0, 1));
	part_stop("manager-1");
	/* What a minute without a leader does. */
	redis_int(HIGH, "DEL taskflow:inflight-counted");
	assert_int_equal(ask("default"), 503);
	assert_non_null(strstr(me.body, "no manager leads"));
	part_start("manager-1");
	UNTIL(says(0, 0, 0, 1));
	part_stop("manager-1");
	redis_int(LOW, "FLUSHALL");
	assert_int_equal(ask("default"), 503);
	assert_non_null(strstr(me.body, "redis-low"));
	part_start("manager-1");
	UNTIL(says(0, 0, 0, 1));
	all_ended();
}

static void
who_asks_must_be_somebody_and_name_a_queue(void **state)
{
	struct http h;

	(void)state;
	http_init(&h, me.port);
	assert_int_equal(
	    http_call(&h, "GET", "/autoscaling/default", NULL, NULL), 401);
	http_fini(&h);
	assert_int_equal(ask("a%20b"), 400);
	assert_non_null(strstr(me.body, "1 to 64"));
	assert_int_equal(
	    http_call(&me, "POST", "/autoscaling/default", JSON_TYPE, "{}"),
	    405);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(it_says_what_waits_and_what_runs),
	cmocka_unit_test(the_count_comes_back_after_redis_lost_it),
	cmocka_unit_test(a_dead_workers_tasks_are_not_counted_twice),
	cmocka_unit_test(no_number_while_a_redis_is_away),
	cmocka_unit_test(no_number_while_nobody_counts),
	cmocka_unit_test(who_asks_must_be_somebody_and_name_a_queue),
};

int
main(int argc, char **argv)
{
	struct group g = { "autoscaling", "api=1 manager=1 worker=2",
		"concurrency = 4\n"
		"heartbeat_ttl = 3s\n"
		"heartbeat_interval = 1s\n"
		"leader_ttl = 3s\n"
		"leader_renew = 1s\n"
		"reconcile_interval = 2s\n" LEDGER_CONF,
		tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
