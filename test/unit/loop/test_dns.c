/*
 * Name lookup, on the real loop and with the machine's own resolver.
 */
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/thread.h"

#define UNTIL(condition)                                                 \
	do {                                                             \
		int64_t give_up = clock_mono_us() + 10 * US_PER_S;       \
		while (!(condition)) {                                   \
			loop_turn(the_loop);                             \
			sched_yield();                                   \
			if (clock_mono_us() > give_up)                   \
				fail_msg("not in time: %s", #condition); \
		}                                                        \
	} while (0)

static struct loop *the_loop;
static struct thread_pool *pool;
static int n_ended;

static int
set_up(void **state)
{
	(void)state;
	the_loop = loop_open();
	n_ended = 0;
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	thread_pool_close(pool);
	pool = NULL;
	assert_int_equal(flow_count(the_loop), 0);
	loop_close(the_loop);
	return 0;
}

/* ---- a flow that looks up one name ---- */
struct looker {
	struct flow flow;
	const char *host;
	const char *address;
	char *ret; /* 80 bytes */
	enum err *ret_err;
};

static enum flow_next
look_up(struct flow *f)
{
	struct looker *k = (struct looker *)f;

	return dns_lookup(pool, k->host, &k->address, f);
}

static enum flow_next
use_address(struct flow *f)
{
	struct looker *k = (struct looker *)f;

	snprintf(k->ret, 80, "%s", k->address);
	return FLOW_NEXT;
}

static void
looker_end(struct flow *f, enum err err)
{
	*((struct looker *)f)->ret_err = err;
	n_ended++;
}

static const struct step looker_steps[] = { STEP(look_up), STEP(use_address),
	STEP_LAST };
static const struct flow_def looker_def = {
	.name = "looker",
	.size = sizeof(struct looker),
	.steps = looker_steps,
	.end = looker_end,
};

static struct flow *
look(const char *host, enum err *ret_err, char ret[80])
{
	struct looker *k = (struct looker *)flow_new(the_loop, &looker_def);

	k->host = host;
	k->ret = ret;
	k->ret_err = ret_err;
	ret[0] = '\0';
	*ret_err = ERR_MAX;
	flow_go(&k->flow);
	return &k->flow;
}

static void
copies_numeric_host(void **state)
{
	static const char *const hosts[] = { "192.0.2.7", "::1",
		"2001:db8::5" };
	char address[80];
	enum err err;
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(hosts); i++) {
		look(hosts[i], &err, address); /* without a pool */
		assert_int_equal(err, OK);
		assert_string_equal(address, hosts[i]);
	}
}

static void
finds_localhost(void **state)
{
	char address[80];
	enum err err;

	(void)state;
	pool = thread_pool_open(the_loop, 1, 4);
	look("localhost", &err, address);
	assert_int_equal(n_ended, 0);
	UNTIL(n_ended == 1);
	assert_int_equal(err, OK);
	if (strcmp(address, "::1") != 0)
		assert_string_equal(address, "127.0.0.1");
}

static void
misses_unknown_name(void **state)
{
	char address[80];
	enum err err;

	(void)state;
	pool = thread_pool_open(the_loop, 1, 4);
	look("no-such-host.invalid.", &err, address);
	UNTIL(n_ended == 1);
	assert_int_equal(err, ERR_UNAVAILABLE);
	assert_string_equal(address, "");
	look("", &err, address);
	UNTIL(n_ended == 2);
	assert_int_equal(err, ERR_UNAVAILABLE);
}

/* In every state of the lookup; the sanitizers look for its memory. */
static void
lookup_may_be_abandoned(void **state)
{
	char address[80];
	struct flow *f;
	enum err err;
	int i;

	(void)state;
	pool = thread_pool_open(the_loop, 1, 100);
	for (i = 0; i < 40; i++) {
		f = look("localhost", &err, address);
		if (i % 2 == 0)
			usleep(50 * (useconds_t)i);
		flow_abort(f, ERR_TIMEOUT);
		UNTIL(n_ended == i + 1);
		assert_int_equal(err, ERR_TIMEOUT);
	}
	look("localhost", &err, address);
	UNTIL(n_ended == 41);
	assert_int_equal(err, OK);
}

/* The helper is held by a lookup's neighbour. */
struct holder {
	struct flow flow;
	struct thread_job job;
	sem_t gate;
};

static void
hold(struct thread_job *job)
{
	while (sem_wait(&container_of(job, struct holder, job)->gate) != 0)
		;
}

static enum flow_next
run_hold(struct flow *f)
{
	return thread_run(pool, &((struct holder *)f)->job, f);
}

static void
holder_end(struct flow *f, enum err err)
{
	assert_int_equal(err, OK);
	sem_destroy(&((struct holder *)f)->gate);
	n_ended++;
}

static const struct step holder_steps[] = { STEP(run_hold), STEP_LAST };
static const struct flow_def holder_def = {
	.name = "holder",
	.size = sizeof(struct holder),
	.steps = holder_steps,
	.end = holder_end,
};

static void
lookup_is_refused_when_full(void **state)
{
	struct holder *h;
	char address[80];
	enum err err;

	(void)state;
	pool = thread_pool_open(the_loop, 1, 0);
	h = (struct holder *)flow_new(the_loop, &holder_def);
	h->job.run = hold;
	sem_init(&h->gate, 0, 0);
	flow_go(&h->flow);
	look("localhost", &err, address);
	assert_int_equal(err, ERR_OVERLOADED);
	sem_post(&h->gate);
	UNTIL(n_ended == 2);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(copies_numeric_host),
		TEST(finds_localhost),
		TEST(misses_unknown_name),
		TEST(lookup_may_be_abandoned),
		TEST(lookup_is_refused_when_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
