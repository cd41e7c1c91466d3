/*
 * The PostgreSQL client against a real PostgreSQL behind a real PgBouncer with
 * a pool of two: gathering, isolation of bad data, lost connections, and above
 * all that every statement gets its own answer.
 */
#include "store_fixture.h"

#include "base/crypt.h"

#define BIG 60000

/* ---- one statement that returns what it was given ---- */
static const struct pg_stmt echo_write = {
	.name = "echo_write",
	.sql = "SELECT ord, token, pad FROM unnest($1::int8[], $2::text[]) "
	       "WITH ORDINALITY AS u(token, pad, ord) ORDER BY ord",
	.class = PG_WRITE,
	.batched = true,
	.ncols = 2,
	.cols = { PG_INT8, PG_TEXT },
};
static const struct pg_stmt echo_read = {
	.name = "echo_read",
	.sql = "SELECT $1, $2",
	.class = PG_READ,
	.ncols = 2,
	.cols = { PG_INT8, PG_TEXT },
};

struct echo {
	struct flow flow;
	struct pg *pg;
	const struct pg_stmt *stmt;
	int64_t token;
	size_t len;
	struct pg_call *call;
};

static int done, failed, mismatched;
static char pad[BIG];

static enum flow_next
send_echo(struct flow *f)
{
	struct echo *e = (struct echo *)f;

	e->call = pg_call_new(e->pg, e->stmt);
	pg_put_int(e->call, e->token);
	pg_put_span(e->call, (struct span){ pad + e->token % 7, e->len });
	return pg_run(e->call, f);
}

static enum flow_next
check_echo(struct flow *f)
{
	struct echo *e = (struct echo *)f;
	struct span s;

	if (pg_rows(e->call) != 1 || pg_int(e->call, 0, 0) != e->token) {
		mismatched++;
		return FLOW_END;
	}
	s = pg_span(e->call, 0, 1);
	if (s.len != e->len || memcmp(s.p, pad + e->token % 7, s.len) != 0)
		mismatched++;
	return FLOW_END;
}

static void
end_echo(struct flow *f, enum err err)
{
	(void)f;
	done++;
	if (err != OK)
		failed++;
}

static const struct step echo_steps[] = { STEP(send_echo), STEP(check_echo),
	STEP_LAST };
static const struct flow_def echo_flow = { "echo", sizeof(struct echo),
	echo_steps, end_echo };

static void
start_echo(struct pg *pg, const struct pg_stmt *stmt, int64_t token, size_t len)
{
	struct echo *e = (struct echo *)flow_new(fx.loop, &echo_flow);

	e->pg = pg;
	e->stmt = stmt;
	e->token = token;
	e->len = len;
	flow_go(&e->flow);
}

static void
reset(void)
{
	size_t i;

	done = failed = mismatched = 0;
	for (i = 0; i < sizeof(pad); i++)
		pad[i] = (char)('a' + i * 7 % 26);
}

/* PgBouncer 1.18 mixes up the answers of different clients when more than one
 * Sync is outstanding; eight connections, a pool of two, large parameters. */
static void
every_statement_gets_its_own_answer(void **state)
{
	struct pg *pg = open_pg(8, 60000);
	int started = 0, waves;

	(void)state;
	reset();
	for (waves = 0; waves < 40; waves++) {
		while (started < (waves + 1) * 100) {
			start_echo(pg, started % 3 ? &echo_read : &echo_write,
			    started, crypt_random_u64() % (BIG - 10));
			started++;
		}
		turn_until(&done, started - 50, 60);
	}
	turn_until(&done, started, 60);
	assert_int_equal(failed, 0);
	assert_int_equal(mismatched, 0);
	close_pg(pg);
}

static void
concurrent_calls_travel_together(void **state)
{
	struct pg *pg = open_pg(4, 10000);
	uint64_t segments, calls;
	int i;

	(void)state;
	reset();
	for (i = 0; i < 1000; i++)
		start_echo(pg, &echo_write, i, 100);
	turn_until(&done, 1000, 30);
	assert_int_equal(failed + mismatched, 0);
	pg_counts(pg, &segments, &calls);
	assert_int_equal(calls, 1000);
	/* One alone at most while the first was on its way. */
	assert_true(segments < 20);
	close_pg(pg);
}

/* Each of a crowd makes its next call when it has the answer to the last. */
struct caller {
	struct flow flow;
	struct pg *pg;
	struct pg_call *call;
	int left;
};

static flow_step call_once;

static enum flow_next
call_once(struct flow *f)
{
	struct caller *c = (struct caller *)f;

	if (c->left-- == 0)
		return FLOW_END;
	c->call = pg_call_new(c->pg, &echo_write);
	pg_put_int(c->call, c->left);
	pg_put_str(c->call, "x");
	flow_then(f, call_once);
	return pg_run(c->call, f);
}

static const struct step caller_steps[] = { STEP(call_once), STEP_LAST };
static const struct flow_def caller_flow = { "caller", sizeof(struct caller),
	caller_steps, end_echo };

static void
a_crowd_travels_in_halves(void **state)
{
	struct pg *pg = open_pg(4, 10000);
	uint64_t segments, calls;
	int i;

	(void)state;
	reset();
	for (i = 0; i < 64; i++) {
		struct caller *c =
		    (struct caller *)flow_new(fx.loop, &caller_flow);

		c->pg = pg;
		c->left = 50;
		flow_go(&c->flow);
	}
	turn_until(&done, 64, 60);
	assert_int_equal(failed, 0);
	pg_counts(pg, &segments, &calls);
	assert_int_equal(calls, 64 * 50);
	/* 32 in each would be 100. */
	assert_true(segments < 200);
	close_pg(pg);
}

/* ---- bad data among good ---- */
static const struct pg_stmt put_json = {
	.name = "put_json",
	.sql = "WITH u AS (SELECT * FROM unnest($1::int8[], $2::json[]) "
	       "WITH ORDINALITY AS u(n, doc, ord)), i AS (INSERT INTO put "
	       "(n, doc) SELECT n, doc FROM u ON CONFLICT (n) DO NOTHING) "
	       "SELECT ord FROM u ORDER BY ord",
	.class = PG_WRITE,
	.batched = true,
	.ncols = 2,
	.cols = { PG_INT8, PG_JSON },
};

struct put {
	struct flow flow;
	struct pg *pg;
	int64_t n;
	const char *doc;
	enum err *ret;
};

static enum flow_next
send_put(struct flow *f)
{
	struct put *p = (struct put *)f;
	struct pg_call *c = pg_call_new(p->pg, &put_json);

	pg_put_int(c, p->n);
	pg_put_str(c, p->doc);
	return pg_run(c, f);
}

static void
end_put(struct flow *f, enum err err)
{
	*((struct put *)f)->ret = err;
	done++;
}

static const struct step put_steps[] = { STEP(send_put), STEP_LAST };
static const struct flow_def put_flow = { "put", sizeof(struct put), put_steps,
	end_put };

static void
sql(const char *text)
{
	char url[256];

	stack_variable("TASKFLOW_PG_DIRECT_URL", url, sizeof(url));
	shell("psql -qAt '%s' -c \"%s\" >/dev/null", url, text);
}

static void
only_the_culprit_fails(void **state)
{
	struct pg *pg = open_pg(2, 20000);
	enum err errs[200];
	struct put *p;
	int i, bad = 0;

	(void)state;
	reset();
	sql("CREATE TABLE put (n int8 PRIMARY KEY, doc json)");
	for (i = 0; i < 200; i++) {
		p = (struct put *)flow_new(fx.loop, &put_flow);
		p->pg = pg;
		p->n = i;
		p->doc = i == 17 || i == 163 ? "{\"a\":" : "{\"a\": 1}";
		p->ret = &errs[i];
		flow_go(&p->flow);
	}
	turn_until(&done, 200, 60);
	for (i = 0; i < 200; i++) {
		bad += errs[i] != OK;
		assert_int_equal(errs[i], i == 17 || i == 163 ? ERR_DATA : OK);
	}
	assert_int_equal(bad, 2);
	sql("SELECT 1 / (count(*) = 198)::int FROM put");
	close_pg(pg);
}

/* ---- lost connections ---- */
static void
a_lost_connection_is_tried_again(void **state)
{
	struct pg *pg = open_pg(4, 30000);
	int i;

	(void)state;
	reset();
	for (i = 0; i < 300; i++) {
		start_echo(pg, i % 2 ? &echo_read : &echo_write, i, 2000);
		if (i % 100 == 50)
			sql("SELECT pg_terminate_backend(pid) FROM "
			    "pg_stat_activity WHERE datname = 'taskflow' AND "
			    "pid <> pg_backend_pid()");
		loop_turn(fx.loop);
	}
	turn_until(&done, 300, 60);
	assert_int_equal(failed, 0);
	assert_int_equal(mismatched, 0);
	close_pg(pg);
}

static void
no_server_is_unavailable_and_then_works_again(void **state)
{
	struct pg *pg = open_pg(2, 1500);
	int i;

	(void)state;
	reset();
	start_echo(pg, &echo_read, 1, 10);
	turn_until(&done, 1, 30);
	shell("deploy/local/stack kill --dir %s postgres 2>/dev/null", fx.dir);
	for (i = 0; i < 20; i++)
		start_echo(pg, i % 2 ? &echo_read : &echo_write, i, 10);
	turn_until(&done, 21, 30);
	assert_int_equal(failed, 20);
	shell("deploy/local/stack start --dir %s postgres 2>/dev/null", fx.dir);
	reset();
	/* PgBouncer refuses logins for a moment: try until one goes through. */
	for (i = 0; i < 20 && (done == 0 || failed == done); i++) {
		start_echo(pg, &echo_read, 2, 10);
		turn_until(&done, i + 1, 30);
	}
	assert_int_equal(done - failed, 1);
	close_pg(pg);
}

static void
an_abandoned_call_hurts_nobody(void **state)
{
	struct pg *pg = open_pg(2, 20000);
	static const struct pg_stmt slow = {
		.name = "slow",
		.sql = "SELECT $1, $2 FROM pg_sleep(0.3)",
		.class = PG_READ,
		.ncols = 2,
		.cols = { PG_INT8, PG_TEXT },
	};
	struct echo *e;
	int i;

	(void)state;
	reset();
	for (i = 0; i < 4; i++) {
		e = (struct echo *)flow_new(fx.loop, &echo_flow);
		e->pg = pg;
		e->stmt = &slow;
		e->token = i;
		e->len = 10;
		if (i % 2 == 0)
			flow_deadline_ms(&e->flow, 100);
		flow_go(&e->flow);
	}
	turn_until(&done, 4, 30);
	assert_int_equal(failed, 2);
	assert_int_equal(mismatched, 0);
	start_echo(pg, &echo_read, 9, 10);
	turn_until(&done, 5, 30);
	assert_int_equal(failed, 2);
	close_pg(pg);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_statement_gets_its_own_answer),
		cmocka_unit_test(concurrent_calls_travel_together),
		cmocka_unit_test(a_crowd_travels_in_halves),
		cmocka_unit_test(only_the_culprit_fails),
		cmocka_unit_test(a_lost_connection_is_tried_again),
		cmocka_unit_test(an_abandoned_call_hurts_nobody),
		cmocka_unit_test(no_server_is_unavailable_and_then_works_again),
	};

	return cmocka_run_group_tests(tests, servers_up, servers_down);
}
