/* The Redis client against real servers: scripts, deadlines, reconnects,
 * messages, errors. */
#include "store_fixture.h"

static int done;
static enum err last_err;

/* ---- a flow that sends one call and shows the answer ---- */
struct ask {
	struct flow flow;
	struct redis_call *call;
	void (*check)(struct redis_call *);
};

static enum flow_next
send_call(struct flow *f)
{
	return redis_run(((struct ask *)f)->call, f);
}

static enum flow_next
check_call(struct flow *f)
{
	struct ask *a = (struct ask *)f;

	if (a->check != NULL)
		a->check(a->call);
	return FLOW_END;
}

static void
end_call(struct flow *f, enum err err)
{
	(void)f;
	last_err = err;
	done++;
}

static const struct step ask_steps[] = { STEP(send_call), STEP(check_call),
	STEP_LAST };
static const struct flow_def ask_flow = { "ask", sizeof(struct ask), ask_steps,
	end_call };

static void
start_call(struct redis_call *c, void (*check)(struct redis_call *))
{
	struct ask *a = (struct ask *)flow_new(fx.loop, &ask_flow);

	a->call = c;
	a->check = check;
	flow_go(&a->flow);
}

static enum err
ask(struct redis_call *c, void (*check)(struct redis_call *))
{
	int before = done;

	start_call(c, check);
	turn_until(&done, before + 1, 30);
	return last_err;
}

static struct redis *
open_redis(int64_t timeout_ms)
{
	struct redis_conf conf = { .url = fx.high_url,
		.name = "test",
		.timeout_ms = timeout_ms,
		.max_pending_bytes = 1024 * 1024 };
	char err[256];
	struct redis *r =
	    redis_open(fx.loop, fx.threads, &conf, err, sizeof(err));

	assert_non_null(r);
	return r;
}

static void
await_up(struct redis *r)
{
	int64_t until = clock_mono_us() + 20 * US_PER_S;

	while (!redis_is_up(r)) {
		assert_true(clock_mono_us() < until);
		loop_turn(fx.loop);
	}
}

static void
close_redis(struct redis *r)
{
	int i;

	redis_close(r);
	for (i = 0; i < 10; i++)
		loop_turn(fx.loop);
}

static struct redis_call *
command(struct redis *r, const char *a, const char *b, const char *c)
{
	struct redis_call *call = redis_call_new(r);

	redis_cmd(call, a, b, c, NULL);
	return call;
}

/* ---- tests ---- */
static void
is_hello(struct redis_call *c)
{
	assert_int_equal(redis_reply(c, 0)->type, REPLY_STR);
	assert_true(span_is(redis_reply(c, 0)->str, "OK"));
	assert_true(span_is(redis_reply(c, 1)->str, "hello"));
	assert_int_equal(redis_reply(c, 2)->type, REPLY_NIL);
	assert_null(redis_reply(c, 3));
}

static void
a_call_may_have_several_commands(void **state)
{
	struct redis *r = open_redis(3000);
	struct redis_call *c;

	(void)state;
	await_up(r);
	c = redis_call_new(r);
	redis_cmd(c, "SET", "a", "hello", NULL);
	redis_cmd(c, "GET", "a", NULL);
	redis_cmd(c, "GET", "nothing", NULL);
	assert_int_equal(ask(c, is_hello), OK);
	close_redis(r);
}

static void
is_seven(struct redis_call *c)
{
	assert_int_equal(redis_reply(c, 0)->type, REPLY_ARRAY);
	assert_int_equal(redis_reply(c, 0)->n, 2);
	assert_int_equal(redis_reply(c, 0)->elem[0].integer, 7);
	assert_true(span_is(redis_reply(c, 0)->elem[1].str, "key\r\nwith"));
}

static void
a_script_survives_a_script_flush(void **state)
{
	static struct redis_script script = { "seven",
		"return {7, KEYS[1] .. ARGV[1]}", "" };
	struct redis *r = open_redis(3000);
	struct redis_call *c;
	int i;

	(void)state;
	await_up(r);
	for (i = 0; i < 4; i++) {
		if (i == 2)
			assert_int_equal(
			    ask(command(r, "SCRIPT", "FLUSH", NULL), NULL), OK);
		c = redis_call_new(r);
		redis_begin_script(c, &script, 1, 1);
		redis_arg_str(c, "key\r\n");
		redis_arg_str(c, "with");
		assert_int_equal(ask(c, is_seven), OK);
	}
	close_redis(r);
}

static void
a_stopped_server_is_unavailable_and_then_works_again(void **state)
{
	struct redis *r = open_redis(500);
	uint64_t generation;
	int i;

	(void)state;
	await_up(r);
	generation = redis_generation(r);
	shell("kill -STOP $(cat %s/run/redis-high.pid)", fx.dir);
	done = 0;
	for (i = 0; i < 10; i++)
		start_call(command(r, "PING", NULL, NULL), NULL);
	turn_until(&done, 10, 30);
	assert_int_equal(last_err, ERR_UNAVAILABLE);
	assert_false(redis_is_up(r));
	/* Down: refused at once, and it says why. */
	assert_int_equal(
	    ask(command(r, "PING", NULL, NULL), NULL), ERR_UNAVAILABLE);
	assert_true(strlen(redis_last_error(r)) > 0);
	shell("kill -CONT $(cat %s/run/redis-high.pid)", fx.dir);
	await_up(r);
	assert_true(redis_generation(r) > generation);
	assert_int_equal(ask(command(r, "PING", NULL, NULL), NULL), OK);
	close_redis(r);
}

static void
a_restart_is_survived(void **state)
{
	struct redis *r = open_redis(3000);

	(void)state;
	await_up(r);
	shell(
	    "deploy/local/stack kill --dir %s redis-high 2>/dev/null", fx.dir);
	done = 0;
	start_call(command(r, "PING", NULL, NULL), NULL);
	turn_until(&done, 1, 30);
	assert_int_equal(last_err, ERR_UNAVAILABLE);
	shell(
	    "deploy/local/stack start --dir %s redis-high 2>/dev/null", fx.dir);
	await_up(r);
	assert_int_equal(ask(command(r, "PING", NULL, NULL), NULL), OK);
	close_redis(r);
}

static void
too_much_pending_is_refused(void **state)
{
	struct redis *r = open_redis(3000);
	struct redis_call *c;
	char *big = calloc(1, 600 * 1024);
	int i, refused = 0;

	(void)state;
	await_up(r);
	memset(big, 'x', 600 * 1024 - 1);
	done = 0;
	for (i = 0; i < 3; i++) {
		c = redis_call_new(r);
		redis_cmd(c, "SET", "big", big, NULL);
		start_call(c, NULL);
	}
	while (done < 3) {
		int before = done;

		turn_until(&done, before + 1, 30);
		refused += last_err == ERR_OVERLOADED;
	}
	assert_true(refused >= 1);
	free(big);
	close_redis(r);
}

static void
errors_are_told_apart(void **state)
{
	struct redis *r = open_redis(3000);
	struct redis_call *c;

	(void)state;
	await_up(r);
	assert_int_equal(
	    ask(command(r, "NONSENSE", NULL, NULL), NULL), ERR_INTERNAL);
	c = redis_call_new(r);
	redis_cmd(c, "CONFIG", "SET", "maxmemory", "1", NULL);
	assert_int_equal(ask(c, NULL), OK);
	assert_int_equal(
	    ask(command(r, "SET", "a", "b"), NULL), ERR_OVERLOADED);
	c = redis_call_new(r);
	redis_cmd(c, "CONFIG", "SET", "maxmemory", "0", NULL);
	assert_int_equal(ask(c, NULL), OK);
	close_redis(r);
}

static int heard;

static void
hear(void *arg, struct span message)
{
	assert_ptr_equal(arg, &heard);
	if (span_is(message, "news"))
		heard++;
}

static void
messages_arrive_also_after_a_restart(void **state)
{
	struct redis *r = open_redis(1000);
	struct redis_listener *l = redis_listen(r, "channel", hear, &heard);
	int64_t until;
	int round;

	(void)state;
	for (round = 0; round < 2; round++) {
		await_up(r);
		heard = 0;
		until = clock_mono_us() + 20 * US_PER_S;
		while (heard == 0) {
			assert_true(clock_mono_us() < until);
			ask(command(r, "PUBLISH", "channel", "news"), NULL);
		}
		if (round == 1)
			break;
		shell("deploy/local/stack kill --dir %s redis-high 2>/dev/null",
		    fx.dir);
		shell("deploy/local/stack start --dir %s redis-high "
		      "2>/dev/null",
		    fx.dir);
		while (redis_is_up(r))
			loop_turn(fx.loop);
	}
	redis_unlisten(l);
	close_redis(r);
}

static void
a_bad_address_is_refused(void **state)
{
	static const char *const bad[] = { "http://127.0.0.1:1",
		"redis://127.0.0.1:99999", "redis://", "redis://h:1/x",
		"rediss://127.0.0.1:1", "unix://relative",
		"redis://u:%zz@h:1" };
	struct redis_conf conf = {
		.name = "bad", .timeout_ms = 1000, .max_pending_bytes = 1024
	};
	char err[256];
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(bad); i++) {
		conf.url = bad[i];
		err[0] = '\0';
		assert_null(
		    redis_open(fx.loop, fx.threads, &conf, err, sizeof(err)));
		assert_true(strlen(err) > 10);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_call_may_have_several_commands),
		cmocka_unit_test(a_script_survives_a_script_flush),
		cmocka_unit_test(
		    a_stopped_server_is_unavailable_and_then_works_again),
		cmocka_unit_test(a_restart_is_survived),
		cmocka_unit_test(too_much_pending_is_refused),
		cmocka_unit_test(errors_are_told_apart),
		cmocka_unit_test(messages_arrive_also_after_a_restart),
		cmocka_unit_test(a_bad_address_is_refused),
	};

	return cmocka_run_group_tests(tests, servers_up, servers_down);
}
