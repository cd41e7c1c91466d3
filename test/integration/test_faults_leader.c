/* Managers that die, and what the API leaves behind when it dies. */
#include <signal.h>

#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

static const char base_conf[] = SHORT_TIMES LEDGER_CONF;

/* ---- who leads ---- */

/* The id of the one that holds the lease; "" for nobody. Heap. */
static char *
holder(void)
{
	return redis_words(HIGH, "GET taskflow:leader");
}

static bool
is_instance(const char *part, const char *id)
{
	struct http h;
	bool same;

	if (!part_runs(part))
		return false;
	http_init(&h, part_port(part));
	same = http_call(&h, "GET", "/status", NULL, NULL) == 200 &&
	    strcmp(str_of(http_json(&h), "instance"), id) == 0;
	http_fini(&h);
	return same;
}

/* Which of the two managers leads? NULL: none. */
static const char *
leader(void)
{
	static const char *const managers[] = { "manager-1", "manager-2" };
	const char *found = NULL;
	char *id = holder();
	size_t i;

	for (i = 0; i < NELEM(managers) && *id != '\0'; i++)
		if (is_instance(managers[i], id))
			found = managers[i];
	free(id);
	return found;
}

static const char *
await_leader(void)
{
	const char *found;

	UNTIL((found = leader()) != NULL);
	return found;
}

static int64_t
term(void)
{
	return sql_int("SELECT term FROM taskflow.leadership");
}

/* ---- leaders ---- */
static void
a_killed_leader_is_replaced(void **state)
{
	const char *old = await_leader(), *id;
	int64_t before = term();
	int i;

	(void)state;
	hold("a", 1);
	id = submit("ledger", "\"a\"", NULL);
	UNTIL(runs_of(id) == 1);
	for (i = 0; i < 20; i++)
		submit("noop", "null", text("\"delay_seconds\":%d", 1 + i % 5));
	/* The worker too: the next leader has to find out. */
	part_kill(old);
	part_kill("worker-1");
	part_start("worker-2");
	UNTIL(leader() != NULL && strcmp(leader(), old) != 0);
	task_wait(id);
	assert_string_equal(task_events(id),
	    "CREATED/0 PICKED_UP/1 RECOVERED/1 PICKED_UP/2 COMPLETED/2");
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE started_at < scheduled_at"),
	    0);
	assert_true(term() > before);
	assert_int_equal(redis_int(HIGH, "GET taskflow:term"), term());
	release("a", 1);
}

/* It believes to lead when it comes back: there is one leader all the same. */
static void
a_leader_that_was_away_steps_down(void **state)
{
	const char *old = await_leader(), *new;
	int64_t before = term();

	(void)state;
	part_signal(old, SIGSTOP);
	new = strcmp(old, "manager-1") == 0 ? "manager-2" : "manager-1";
	UNTIL(term() > before);
	submit("fail", "{\"times\":1}", NULL);
	submit("noop", "null", "\"delay_seconds\":1");
	part_signal(old, SIGCONT);
	UNTIL(part_logged(old, "leads no more"));
	all_ended();
	assert_string_equal(await_leader(), new);
	assert_int_equal(term(), before + 1);
}

/* The lease would last for ten minutes, so only its release lets another one
 * lead within our patience. */
static void
a_leader_that_is_stopped_gives_the_lease_up(void **state)
{
	const char *old, *other;
	int64_t before;

	(void)state;
	stack_conf("leader_ttl = 10min\n" LEDGER_CONF);
	part_stop("manager-1");
	part_stop("manager-2");
	part_start("manager-1");
	part_start("manager-2");
	old = await_leader();
	other = strcmp(old, "manager-1") == 0 ? "manager-2" : "manager-1";
	UNTIL(redis_int(HIGH, "PTTL taskflow:leader") > 300 * 1000);
	before = term();
	submit("noop", "null", "\"delay_seconds\":1");
	part_stop(old);
	UNTIL(leader() != NULL);
	assert_string_equal(leader(), other);
	UNTIL(term() == before + 1);
	all_ended();
}

/* ---- between commit and push ---- */

/* A row as the API inserts it, made some time ago. */
static const char *
insert_row(const char *age, int priority)
{
	const char *id = ledger_accept(
	    sql("SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp() - "
		"'%s'::interval) * 1000)::bigint), 12, '0') || '7' || "
		"substr(md5(random()::text), 1, 3) || '8' || "
		"substr(md5(random()::text), 1, 15))::uuid",
		age));

	sql("WITH t AS (INSERT INTO taskflow.tasks (id, user_id, created_at, "
	    "queued_at, timeout_ms, max_attempts, status, priority, queue, "
	    "type, payload) SELECT '%s', id, now(), now(), 60000, 3, 2, %d, "
	    "'default', 'echo', '7' FROM taskflow.users WHERE username = 'me' "
	    "RETURNING id) INSERT INTO taskflow.task_events (task_id, attempt, "
	    "kind, status) SELECT id, 0, 1, 2 FROM t",
	    id, priority);
	return id;
}

static void
was_run_once(const char *id)
{
	task_wait(id);
	assert_string_equal(
	    task_events(id), "CREATED/0 PICKED_UP/1 COMPLETED/1");
}

static void
a_row_that_was_never_pushed_is_found(void **state)
{
	const char *low, *high;

	(void)state;
	await_leader();
	low = insert_row("0 s", LOW);
	high = insert_row("0 s", HIGH);
	was_run_once(low);
	was_run_once(high);
	all_ended();
}

/* The window has passed it (its commit took long): each new leader looks at
 * everything. */
static void
an_old_row_is_found_by_the_next_leader(void **state)
{
	const char *old = await_leader(), *id;

	(void)state;
	id = insert_row("20 min", LOW);
	part_kill(old);
	was_run_once(id);
	all_ended();
}

/* Two ways to make the push impossible; each leaves the API with a commit. */
static void
killed_after_commit(bool with_kill)
{
	const char *low, *high;

	await_leader();
	if (with_kill)
		part_kill("redis-low");
	else
		part_signal("redis-low", SIGSTOP);
	/* 201 comes all the same: the commit is what it stands for. */
	low = submit("noop", "null", NULL);
	assert_string_equal(str_of(http_json(&me), "status"), "QUEUED");
	high = submit("noop", "null", "\"priority\":\"high\"");
	part_kill("api-1");
	if (with_kill)
		part_start("redis-low");
	else
		part_signal("redis-low", SIGCONT);
	part_start("api-1");
	was_run_once(low);
	was_run_once(high);
	all_ended();
}

static void
an_api_killed_before_the_push_loses_nothing(void **state)
{
	(void)state;
	killed_after_commit(true);
}

static void
an_api_killed_during_the_push_loses_nothing(void **state)
{
	(void)state;
	killed_after_commit(false);
}

/* The whole of redis-high is away: no election, no heartbeat, no urgent queue.
 * Everything goes on when it is back, and nobody was declared dead. */
static void
an_outage_of_redis_high_is_survived(void **state)
{
	const char *running, *id;
	int64_t since;

	(void)state;
	await_leader();
	hold("h", 1);
	running = submit("ledger", "\"h\"", "\"priority\":\"high\"");
	UNTIL(runs_of(running) == 1);
	part_kill("redis-high");
	since = now_ms();
	id = submit("noop", "null", "\"priority\":\"high\"");
	/* Longer than a heartbeat lives. */
	UNTIL(now_ms() - since > 5000);
	part_start("redis-high");
	was_run_once(id);
	release("h", 1);
	was_run_once(running);
	all_ended();
	assert_int_equal(runs_of(running), 1);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_killed_leader_is_replaced),
	cmocka_unit_test(a_leader_that_was_away_steps_down),
	cmocka_unit_test(a_leader_that_is_stopped_gives_the_lease_up),
	cmocka_unit_test(a_row_that_was_never_pushed_is_found),
	cmocka_unit_test(an_old_row_is_found_by_the_next_leader),
	cmocka_unit_test(an_api_killed_before_the_push_loses_nothing),
	cmocka_unit_test(an_api_killed_during_the_push_loses_nothing),
	cmocka_unit_test(an_outage_of_redis_high_is_survived),
};

int
main(int argc, char **argv)
{
	struct group g = { "faults_leader", "api=1 manager=2 worker=1",
		base_conf, tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
