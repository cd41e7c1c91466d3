/*
 * Helper threads on the real loop. Nothing sleeps but the jobs that play work.
 */
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
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
static pthread_t loop_thread;
static sem_t started, gate; /* for jobs that wait in the middle */
static int n_run, n_freed, n_ended, n_ended_at_free;

/* ---- a job that squares a number, and the flow that waits for it ---- */
struct square {
	struct thread_job job;
	int n, result;
	enum { PLAIN, GATED, SLOW, FAILING } how;
	bool on_loop_thread, signals_open;
};

struct asker {
	struct flow flow;
	struct square *square;
	enum err *ret_err;
	int *ret;
};

static void
square_free(struct thread_job *job)
{
	n_freed++;
	n_ended_at_free = n_ended;
	free(container_of(job, struct square, job));
}

static void
square_run(struct thread_job *job)
{
	struct square *s = container_of(job, struct square, job);
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	s->signals_open =
	    sigismember(&set, SIGTERM) != 1 || sigismember(&set, SIGCHLD) != 1;
	s->on_loop_thread = pthread_equal(pthread_self(), loop_thread);
	__atomic_add_fetch(&n_run, 1, __ATOMIC_SEQ_CST);
	if (s->how == GATED) {
		sem_post(&started);
		while (sem_wait(&gate) != 0)
			;
	} else if (s->how == SLOW) {
		sem_post(&started);
		usleep(30000);
	} else if (s->how == FAILING) {
		job->err = ERR_INTERNAL;
	}
	s->result = s->n * s->n;
}

static enum flow_next
ask(struct flow *f)
{
	return thread_run(pool, &((struct asker *)f)->square->job, f);
}

static enum flow_next
take(struct flow *f)
{
	struct asker *a = (struct asker *)f;

	assert_false(a->square->on_loop_thread);
	assert_false(a->square->signals_open);
	*a->ret = a->square->result;
	return FLOW_NEXT;
}

static void
asker_end(struct flow *f, enum err err)
{
	struct asker *a = (struct asker *)f;

	n_ended++;
	*a->ret_err = err;
	if (a->square->job.priv == NULL)
		free(a->square);
}

static const struct step asker_steps[] = { STEP(ask), STEP(take), STEP_LAST };
static const struct flow_def asker_def = {
	.name = "asker",
	.size = sizeof(struct asker),
	.steps = asker_steps,
	.end = asker_end,
};

static struct flow *
ask_square(int n, int how, enum err *ret_err, int *ret)
{
	struct asker *a = (struct asker *)flow_new(the_loop, &asker_def);

	a->square = xcalloc(1, sizeof(*a->square));
	a->square->job.run = square_run;
	a->square->job.free = square_free;
	a->square->n = n;
	a->square->how = how;
	a->ret_err = ret_err;
	a->ret = ret;
	*ret_err = ERR_MAX;
	flow_go(&a->flow);
	return &a->flow;
}

/* ---- fixture ---- */
static int
set_up(void **state)
{
	(void)state;
	loop_thread = pthread_self();
	the_loop = loop_open();
	sem_init(&started, 0, 0);
	sem_init(&gate, 0, 0);
	n_run = n_freed = n_ended = n_ended_at_free = 0;
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
	sem_destroy(&started);
	sem_destroy(&gate);
	return 0;
}

/* ---- jobs ---- */
static void
gives_result(void **state)
{
	enum err err;
	int r = 0;

	(void)state;
	pool = thread_pool_open(the_loop, 2, 4);
	assert_non_null(pool);
	ask_square(7, PLAIN, &err, &r);
	assert_int_equal(n_ended, 0);
	UNTIL(n_ended == 1);
	assert_int_equal(err, OK);
	assert_int_equal(r, 49);
	assert_int_equal(n_freed, 0);
}

static void
gives_many_results(void **state)
{
	enum { N = 500 };
	static enum err err[N];
	static int r[N];
	int i;

	(void)state;
	pool = thread_pool_open(the_loop, 4, N);
	for (i = 0; i < N; i++)
		ask_square(i, PLAIN, &err[i], &r[i]);
	UNTIL(n_ended == N);
	for (i = 0; i < N; i++) {
		assert_int_equal(err[i], OK);
		assert_int_equal(r[i], i * i);
	}
}

static void
passes_error_of_job(void **state)
{
	enum err err;
	int r = -1;

	(void)state;
	pool = thread_pool_open(the_loop, 1, 1);
	ask_square(3, FAILING, &err, &r);
	UNTIL(n_ended == 1);
	assert_int_equal(err, ERR_INTERNAL);
	assert_int_equal(r, -1);
}

static void
refuses_when_full(void **state)
{
	enum err err[5];
	int r[5], i;

	(void)state;
	pool = thread_pool_open(the_loop, 1, 2);
	for (i = 0; i < 3; i++)
		ask_square(i, GATED, &err[i], &r[i]);
	assert_int_equal(n_ended, 0);
	ask_square(3, PLAIN, &err[3], &r[3]);
	assert_int_equal(n_ended, 1);
	assert_int_equal(err[3], ERR_OVERLOADED);
	sem_post(&gate);
	UNTIL(n_ended == 2);
	assert_int_equal(err[0], OK);
	ask_square(4, PLAIN, &err[4], &r[4]); /* there is room again */
	sem_post(&gate);
	sem_post(&gate);
	UNTIL(n_ended == 5);
	assert_int_equal(err[4], OK);
	assert_int_equal(r[4], 16);
	assert_int_equal(n_run, 4);
}

static void
frees_abandoned_while_running(void **state)
{
	struct flow *f;
	enum err err;
	int r;

	(void)state;
	pool = thread_pool_open(the_loop, 1, 2);
	f = ask_square(1, GATED, &err, &r);
	while (sem_wait(&started) != 0)
		;
	flow_deadline_ms(f, 1);
	UNTIL(n_ended == 1);
	assert_int_equal(err, ERR_TIMEOUT);
	assert_int_equal(n_freed, 0);
	sem_post(&gate);
	UNTIL(n_freed == 1);
	ask_square(5, PLAIN, &err, &r); /* the helper is there for others */
	UNTIL(n_ended == 2);
	assert_int_equal(r, 25);
	assert_int_equal(n_freed, 1);
}

static void
drops_abandoned_in_queue(void **state)
{
	struct flow *f;
	enum err err[2];
	int r[2];

	(void)state;
	pool = thread_pool_open(the_loop, 1, 2);
	ask_square(1, GATED, &err[0], &r[0]);
	while (sem_wait(&started) != 0)
		;
	f = ask_square(2, PLAIN, &err[1], &r[1]);
	flow_abort(f, ERR_FORBIDDEN);
	UNTIL(n_freed == 1);
	assert_int_equal(n_ended_at_free, 1); /* its end still saw the job */
	assert_int_equal(err[1], ERR_FORBIDDEN);
	sem_post(&gate);
	UNTIL(n_ended == 2);
	assert_int_equal(n_run, 1);
}

/* The job is back, but the loop does not know it when the flow is aborted. */
static void
frees_after_end_when_finished_at_once(void **state)
{
	struct flow *f;
	enum err err;
	int r, i;

	(void)state;
	pool = thread_pool_open(the_loop, 1, 2);
	for (i = 1; i <= 50; i++) {
		f = ask_square(1, GATED, &err, &r);
		while (sem_wait(&started) != 0)
			;
		sem_post(&gate);
		if (i % 2 == 0)
			usleep(100); /* either order of the two */
		flow_abort(f, ERR_FORBIDDEN);
		UNTIL(n_freed == i);
		assert_int_equal(n_ended_at_free, i);
		assert_int_equal(err, ERR_FORBIDDEN);
	}
}

static void
close_waits_for_running(void **state)
{
	enum { N = 20 };
	enum err err[N];
	int r[N], i, ran = 0;

	(void)state;
	pool = thread_pool_open(the_loop, 1, N);
	for (i = 0; i < N; i++)
		ask_square(i + 2, SLOW, &err[i], &r[i]);
	while (sem_wait(&started) != 0)
		;
	thread_pool_close(pool);
	pool = NULL;
	assert_int_equal(n_ended, 0); /* not from inside */
	UNTIL(n_ended == N);
	for (i = 0; i < N; i++)
		if (err[i] == OK)
			ran++;
		else
			assert_int_equal(err[i], ERR_SHUTDOWN);
	assert_int_equal(ran, n_run);
	assert_int_equal(err[0], OK);
	assert_int_equal(r[0], 4);
	assert_int_equal(err[N - 1], ERR_SHUTDOWN);
}

static void
close_frees_abandoned(void **state)
{
	struct flow *f[2];
	enum err err[2];
	int r[2], i;

	(void)state;
	pool = thread_pool_open(the_loop, 1, 4);
	for (i = 0; i < 2; i++)
		f[i] = ask_square(i, SLOW, &err[i], &r[i]);
	while (sem_wait(&started) != 0)
		;
	for (i = 0; i < 2; i++)
		flow_abort(f[i], ERR_TIMEOUT);
	thread_pool_close(pool);
	pool = NULL;
	UNTIL(n_freed == 2);
	assert_int_equal(n_ended_at_free, 2);
}

static void
close_takes_null(void **state)
{
	(void)state;
	thread_pool_close(NULL);
	pool = thread_pool_open(the_loop, 3, 0);
	assert_non_null(pool);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gives_result),
		TEST(gives_many_results),
		TEST(passes_error_of_job),
		TEST(refuses_when_full),
		TEST(frees_abandoned_while_running),
		TEST(drops_abandoned_in_queue),
		TEST(frees_after_end_when_finished_at_once),
		TEST(close_waits_for_running),
		TEST(close_frees_abandoned),
		TEST(close_takes_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
