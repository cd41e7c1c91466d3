#ifndef TEST_STORE_FIXTURE_H
#define TEST_STORE_FIXTURE_H

/*
 * For the tests of the store: servers of their own (no roles), and a loop in
 * this process that drives the client. PgBouncer's pool is small on purpose.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/flow.h"
#include "loop/thread.h"
#include "store/pg.h"
#include "store/redis.h"

static struct {
	char dir[64];
	struct loop *loop;
	struct thread_pool *threads;
	char pg_url[256], high_url[256], low_url[256];
} fx;

static inline void
shell(const char *fmt, ...)
{
	char cmd[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(cmd, sizeof(cmd), fmt, ap);
	va_end(ap);
	if (system(cmd) != 0)
		fail_msg("failed: %s", cmd);
}

/* A variable that the stack prints. */
static inline void
stack_variable(const char *name, char *ret, size_t size)
{
	char cmd[256];
	FILE *p;

	snprintf(cmd, sizeof(cmd),
	    "eval \"$(deploy/local/stack env --dir %s)\" && printf %%s \"$%s\"",
	    fx.dir, name);
	p = popen(cmd, "r");
	assert_non_null(p);
	assert_non_null(fgets(ret, (int)size, p));
	assert_int_equal(pclose(p), 0);
}

static inline void
stack_kill(void)
{
	char cmd[256];

	snprintf(cmd, sizeof(cmd),
	    "deploy/local/stack down --dir %s >/dev/null 2>&1; rm -rf %s",
	    fx.dir, fx.dir);
	if (system(cmd) != 0)
		fprintf(stderr, "cannot stop the servers in %s\n", fx.dir);
}

static inline int
servers_up(void **state)
{
	(void)state;
	snprintf(fx.dir, sizeof(fx.dir), "/tmp/taskflow-store-XXXXXX");
	assert_non_null(mkdtemp(fx.dir));
	chmod(fx.dir, 0755);
	atexit(stack_kill);
	shell("deploy/local/stack up --no-roles --dir %s >/dev/null", fx.dir);
	shell("sed -i 's/^default_pool_size.*/default_pool_size = 2/;"
	      "s/^min_pool_size.*/min_pool_size = 0/;"
	      "s/^reserve_pool_size.*/reserve_pool_size = 0/' "
	      "%s/etc/pgbouncer.ini",
	    fx.dir);
	shell("deploy/local/stack stop --dir %s pgbouncer 2>/dev/null", fx.dir);
	shell("deploy/local/stack start --dir %s pgbouncer 2>/dev/null", fx.dir);
	stack_variable("TASKFLOW_PG_URL", fx.pg_url, sizeof(fx.pg_url));
	stack_variable(
	    "TASKFLOW_REDIS_HIGH_URL", fx.high_url, sizeof(fx.high_url));
	stack_variable(
	    "TASKFLOW_REDIS_LOW_URL", fx.low_url, sizeof(fx.low_url));
	fx.loop = loop_open();
	fx.threads = thread_pool_open(fx.loop, 1, 16);
	return 0;
}

static inline int
servers_down(void **state)
{
	(void)state;
	thread_pool_close(fx.threads);
	loop_turn(fx.loop);
	loop_close(fx.loop);
	return 0;
}

/* Turn the loop until *n reaches goal. */
static inline void
turn_until(const int *n, int goal, int seconds)
{
	int64_t until = clock_mono_us() + seconds * US_PER_S;

	while (*n < goal) {
		if (clock_mono_us() > until)
			fail_msg("%d of %d after %d s", *n, goal, seconds);
		loop_turn(fx.loop);
	}
}

static inline struct pg *
open_pg(int connections, int64_t timeout_ms)
{
	struct pg_conf conf = { .url = fx.pg_url,
		.connections = connections,
		.timeout_ms = timeout_ms,
		.application_name = "test" };
	char err[256];
	struct pg *pg = pg_open(fx.loop, fx.threads, &conf, err, sizeof(err));

	assert_non_null(pg);
	return pg;
}

static inline void
close_pg(struct pg *pg)
{
	int i;

	pg_close(pg);
	for (i = 0; i < 10; i++)
		loop_turn(fx.loop);
}

#endif
