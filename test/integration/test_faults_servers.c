/* Servers that lose their data or restart under load. */
#include <pthread.h>
#include <signal.h>

#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

/* ---- Redis loses everything ---- */
static void
flush_both(void)
{
	redis_int(LOW, "FLUSHALL");
	redis_int(HIGH, "FLUSHALL");
}

static void
fill(int running, int backlog, int scheduled)
{
	int i;

	hold("r", 1);
	for (i = 0; i < running; i++)
		submit("ledger", "\"r\"",
		    i % 2 == 0 ? NULL : "\"priority\":\"high\"");
	UNTIL(tasks_with("IN_PROGRESS") == running &&
	    runs_of(ledger_id((size_t)running - 1)) == 1);
	for (i = 0; i < backlog; i++)
		submit("echo", text("%d", i),
		    i % 3 != 0 ? NULL : "\"priority\":\"high\"");
	for (i = 0; i < scheduled; i++)
		submit("noop", "null", text("\"delay_seconds\":%d", 1 + i % 4));
}

static void
flushing_both_redis_servers_loses_nothing(void **state)
{
	(void)state;
	tables_clear();
	fill(4, 300, 20);
	assert_int_equal(tasks_with("QUEUED"), 300);
	flush_both();
	/* The backlog stands in its lists again before anything else ends. */
	UNTIL(redis_int(LOW, "LLEN taskflow:queue:default") >= 200 &&
	    redis_int(HIGH, "LLEN taskflow:queue:default") >= 100);
	/* And what runs in the worker's own. */
	UNTIL(redis_int(LOW, "KEYS taskflow:processing:*") == 1 &&
	    redis_int(HIGH, "KEYS taskflow:processing:*") == 1);
	release("r", 1);
	all_ended();
	assert_int_equal(tasks_with("COMPLETED"), 324);
	/* What ran was not given to anybody else. */
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE attempt <> 1"),
	    0);
	runs_are_apart();
}

/* The worker dies with it: no list says what it had. */
static void
a_worker_that_dies_with_redis_is_found(void **state)
{
	(void)state;
	tables_clear();
	fill(4, 50, 4);
	part_kill("worker-1");
	flush_both();
	part_start("worker-2");
	release("r", 1);
	all_ended();
	assert_int_equal(tasks_with("COMPLETED"), 58);
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE type = 'ledger' AND attempt <> 2"),
	    0);
}

/* Ids in a list that are wrong there do no harm, and do not stay. */
static void
strange_entries_of_a_list_are_dropped(void **state)
{
	const char *done = submit("noop", "null", NULL), *id, *push;
	int i;

	(void)state;
	task_wait(done);
	push = text("RPUSH taskflow:queue:default %s %s "
		    "019283a4-1234-7000-8000-0123456789ab",
	    done, done);
	for (i = 0; i < 3; i++)
		redis_int(LOW, "%s", push);
	id = submit("noop", "null", NULL);
	redis_int(LOW, "RPUSH taskflow:queue:default %s %s", id, id);
	redis_int(HIGH, "RPUSH taskflow:queue:default %s", id);
	all_ended();
	assert_string_equal(
	    task_events(done), "CREATED/0 PICKED_UP/1 COMPLETED/1");
	assert_string_equal(
	    task_events(id), "CREATED/0 PICKED_UP/1 COMPLETED/1");
}

/* ---- restarts under load ---- */
#define SUBMITTERS 3
#define PACE_MS 4

struct load {
	pthread_t thread[SUBMITTERS];
	int port;
	char *token;
	bool stop;
	int64_t unknown; /* no answer, or one that does not say */
};

/* 503 is said before the commit as well as when its outcome is not known. */
static void *
submit_until_stopped(void *arg)
{
	static const char *const bodies[] = {
		"{\"type\":\"echo\",\"payload\":[1,2,3]}",
		"{\"type\":\"echo\",\"payload\":5,\"priority\":\"high\"}",
		"{\"type\":\"fail\",\"payload\":{\"times\":1}}",
		"{\"type\":\"noop\",\"delay_seconds\":0.5}",
	};
	struct load *l = arg;
	char id[ID_SIZE];
	struct http h;
	size_t n = 0;
	int status;

	http_init(&h, l->port);
	h.timeout_ms = 30 * 1000;
	h.token = strdup(l->token);
	while (!__atomic_load_n(&l->stop, __ATOMIC_RELAXED)) {
		status = try_submit(&h, bodies[n++ % NELEM(bodies)], id);
		if (status == 201)
			ledger_accept(id);
		else if (status != HTTP_UNSENT)
			__atomic_add_fetch(&l->unknown, 1, __ATOMIC_RELAXED);
		pause_ms(PACE_MS);
	}
	http_fini(&h);
	return NULL;
}

static void
load_start(struct load *l)
{
	int i;

	memset(l, 0, sizeof(*l));
	l->port = me.port;
	l->token = me.token;
	for (i = 0; i < SUBMITTERS; i++)
		assert_int_equal(pthread_create(&l->thread[i], NULL,
				     submit_until_stopped, l),
		    0);
}

static void
load_stop(struct load *l)
{
	int i;

	__atomic_store_n(&l->stop, true, __ATOMIC_RELAXED);
	for (i = 0; i < SUBMITTERS; i++)
		pthread_join(l->thread[i], NULL);
}

/* It is accepted, and it is done. */
static void
flows(void)
{
	size_t more = ledger_accepted() + 100;
	int64_t done;

	UNTIL(ledger_accepted() >= more);
	done = tasks_with("COMPLETED");
	UNTIL(tasks_with("COMPLETED") >= done + 50);
}

static void
check_load(const struct load *l)
{
	int64_t rows, known = (int64_t)ledger_accepted();

	all_ended();
	rows = sql_int("SELECT count(*) FROM taskflow.tasks");
	print_message("%lld accepted, %lld unknown, %lld rows\n",
	    (long long)known, (long long)l->unknown, (long long)rows);
	assert_true(rows >= known && rows <= known + l->unknown);
	assert_int_equal(tasks_with("COMPLETED"), rows);
}

static void
restart(const char *part)
{
	part_stop(part);
	part_start(part);
}

static void
crash(const char *part)
{
	part_kill(part);
	part_start(part);
}

static void
under_load(void (*fault)(const char *), const char *part)
{
	struct load l;
	int round;

	tables_clear();
	load_start(&l);
	flows();
	for (round = 0; round < 2; round++) {
		fault(part);
		flows();
	}
	load_stop(&l);
	check_load(&l);
}

static void
postgres_is_restarted_under_load(void **state)
{
	(void)state;
	under_load(restart, "postgres");
}

static void
postgres_crashes_under_load(void **state)
{
	(void)state;
	under_load(crash, "postgres");
}

static void
pgbouncer_is_restarted_under_load(void **state)
{
	(void)state;
	under_load(restart, "pgbouncer");
}

static void
pgbouncer_crashes_under_load(void **state)
{
	(void)state;
	under_load(crash, "pgbouncer");
}

static void
redis_crashes_under_load(void **state)
{
	(void)state;
	under_load(crash, "redis-low");
	under_load(crash, "redis-high");
}

static void
flush(const char *server)
{
	redis_int(strcmp(server, "high") == 0 ? HIGH : LOW, "FLUSHALL");
}

static void
redis_is_flushed_under_load(void **state)
{
	(void)state;
	under_load(flush, "low");
	under_load(flush, "high");
}

/* ---- PostgreSQL is away while tasks run ---- */
static void
results_are_kept_while_postgres_is_away(void **state)
{
	const char *id;
	struct http h;

	(void)state;
	hold("k", 1);
	id = submit("ledger", "\"k\"", NULL);
	UNTIL(runs_of(id) == 1);
	part_stop("postgres");
	release("k", 1);
	/* Nothing can be promised now, and that is said. */
	http_init(&h, me.port);
	h.token = strdup(me.token);
	assert_int_equal(
	    http_call(&h, "POST", "/tasks", JSON_TYPE, "{\"type\":\"noop\"}"),
	    503);
	assert_non_null(http_header(&h, "Retry-After"));
	assert_string_equal(
	    http_header(&h, "Content-Type"), "application/problem+json");
	http_fini(&h);
	part_start("postgres");
	task_wait(id);
	assert_string_equal(
	    raw_of("result"), "{\"name\":\"k\",\"attempt\":1}\n");
	assert_string_equal(
	    task_events(id), "CREATED/0 PICKED_UP/1 COMPLETED/1");
	assert_int_equal(runs_of(id), 1);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(flushing_both_redis_servers_loses_nothing),
	cmocka_unit_test(a_worker_that_dies_with_redis_is_found),
	cmocka_unit_test(strange_entries_of_a_list_are_dropped),
	cmocka_unit_test(postgres_is_restarted_under_load),
	cmocka_unit_test(postgres_crashes_under_load),
	cmocka_unit_test(pgbouncer_is_restarted_under_load),
	cmocka_unit_test(pgbouncer_crashes_under_load),
	cmocka_unit_test(redis_crashes_under_load),
	cmocka_unit_test(redis_is_flushed_under_load),
	cmocka_unit_test(results_are_kept_while_postgres_is_away),
};

int
main(int argc, char **argv)
{
	struct group g = { "faults_servers", "api=1 manager=1 worker=1",
		SHORT_TIMES "concurrency = 4\n" LEDGER_CONF, tests,
		NELEM(tests) };

	return group_run(&g, argc, argv);
}
