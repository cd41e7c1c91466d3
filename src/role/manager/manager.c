/*
 * The manager: one leader and any number of standbys. The leader schedules what
 * is due, recovers what dead workers had, reconciles the lists with the tables,
 * and makes partitions.
 */
#include <stdlib.h>

#include "manager.h"

static void
on_due(void *arg, struct span message)
{
	struct manager *m = arg;

	(void)message;
	signal_raise(&m->schedule.wake);
}

static void
put_leader(struct metric_out *out, void *arg)
{
	metric_put(out, leads(arg), NULL, NULL);
}

static void
put_term(struct metric_out *out, void *arg)
{
	metric_put(out, ((const struct manager *)arg)->term, NULL, NULL);
}

static size_t
manager_running(const void *state)
{
	const struct manager *m = state;

	return (size_t)(m->schedule.flow != NULL) + (m->scan.flow != NULL) +
	    (m->upkeep.flow != NULL) +
	    reconcile_runs(m->reconciler[PRIORITY_LOW]) +
	    reconcile_runs(m->reconciler[PRIORITY_HIGH]);
}

static void *
manager_start(struct app *app, char *err, size_t size)
{
	struct manager *m = xcalloc(1, sizeof(*m));

	(void)err;
	(void)size;
	m->app = app;
	m->id = app->instance;
	metric_collect(ROW_LEADER, put_leader, m);
	metric_collect(ROW_TERM, put_term, m);
	signal_init(&m->elect_wake, app->loop);
	duty_init(&m->schedule, m);
	duty_init(&m->scan, m);
	duty_init(&m->upkeep, m);
	duty_init(&m->depth, m);
	duty_init(&m->forget, m);
	duty_init(&m->inflight, m);
	m->due_listener =
	    redis_listen(app->redis[PRIORITY_HIGH], SIGNAL_DUE, on_due, m);
	elect_start(m);
	schedule_start(m);
	scan_start(m);
	m->reconciler[PRIORITY_LOW] = reconcile_start(m, PRIORITY_LOW);
	m->reconciler[PRIORITY_HIGH] = reconcile_start(m, PRIORITY_HIGH);
	upkeep_start(m);
	depth_start(m);
	forget_start(m);
	inflight_start(m);
	return m;
}

/* A batch that was begun is finished: what is promoted or recovered is pushed.
 * Then the lead is given up (elect.c). */
static void
manager_drain(void *state)
{
	struct manager *m = state;

	m->draining = true;
	signal_raise(&m->schedule.wake);
	signal_raise(&m->scan.wake);
	signal_raise(&m->upkeep.wake);
	reconcile_wake(m->reconciler[PRIORITY_LOW]);
	reconcile_wake(m->reconciler[PRIORITY_HIGH]);
	signal_raise(&m->elect_wake);
}

static void
manager_hurry(void *state)
{
	struct manager *m = state;

	m->hurried = true;
	signal_raise(&m->elect_wake);
}

bool
duties_are_done(const struct manager *m)
{
	return manager_running(m) == 0;
}

static bool
manager_idle(const void *state)
{
	return ((const struct manager *)state)->resigned;
}

static void
stop_flow(struct flow *f)
{
	if (f != NULL)
		flow_abort(f, ERR_SHUTDOWN);
}

static void
manager_stop(void *state)
{
	struct manager *m = state;
	struct duty *duties[] = { &m->schedule, &m->scan, &m->upkeep, &m->depth,
		&m->forget, &m->inflight };
	size_t i;

	metric_forget(m);
	redis_unlisten(m->due_listener);
	stop_flow(m->elect);
	for (i = 0; i < NELEM(duties); i++)
		stop_flow(duties[i]->flow);
	reconcile_stop(m->reconciler[PRIORITY_LOW]);
	reconcile_stop(m->reconciler[PRIORITY_HIGH]);
	for (i = 0; i < 3; i++)
		loop_turn(m->app->loop);
	for (i = 0; i < NELEM(duties); i++)
		signal_fini(&duties[i]->wake);
	signal_fini(&m->elect_wake);
	reconcile_free(m->reconciler[PRIORITY_LOW]);
	reconcile_free(m->reconciler[PRIORITY_HIGH]);
	depth_free(m);
	free(m);
}

const struct role role_manager = {
	.name = "manager",
	.bit = ROLE_MANAGER,
	.start = manager_start,
	.drain = manager_drain,
	.idle = manager_idle,
	.running = manager_running,
	.hurry = manager_hurry,
	.stop = manager_stop,
};
