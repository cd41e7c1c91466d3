/*
 * The composition root: opens what a process needs in one order and closes it
 * in the other, and leads it through its three states: STARTING (waits for the
 * servers and looks whether they are fit), READY, DRAINING.
 */
#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "app_private.h"
#include "base/clock.h"
#include "base/crypt.h"
#include "base/metric.h"
#include "loop/child.h"

#define REDIS_MAX_PENDING (64 * 1024 * 1024)
#define THREADS 2
#define THREAD_QUEUE 64
#define DRAIN_STEP_MS 20
#define TELL_EVERY_US (5 * US_PER_S)
/* After the time to finish is over, handlers get their own grace on top. */
#define HURRY_MS 15000

static void on_signal(void *arg, int signo);
static void on_drain_timer(struct loop_timer *);

static const struct role *const all_roles[] = { &role_api, &role_manager,
	&role_worker };

/* ---- opening ---- */
static bool
open_stores(struct app *app, char *err, size_t size)
{
	const struct conf *conf = app->conf;
	struct pg_conf pc = { .url = conf->pg_url,
		.connections = (int)conf->pg_connections,
		.timeout_ms = conf->pg_timeout_ms,
		.application_name = "taskflowd" };
	struct redis_conf rc = { .timeout_ms = conf->redis_timeout_ms,
		.max_pending_bytes = REDIS_MAX_PENDING };
	char why[400];

	app->pg = pg_open(app->loop, app->threads, &pc, why, sizeof(why));
	if (app->pg == NULL) {
		snprintf(err, size, "pg_url: %s", why);
		return false;
	}
	rc.url = conf->redis_high_url;
	rc.name = "high";
	app->redis[PRIORITY_HIGH] =
	    redis_open(app->loop, app->threads, &rc, why, sizeof(why));
	if (app->redis[PRIORITY_HIGH] == NULL) {
		snprintf(err, size, "redis_high_url: %s", why);
		return false;
	}
	rc.url = conf->redis_low_url;
	rc.name = "low";
	app->redis[PRIORITY_LOW] =
	    redis_open(app->loop, app->threads, &rc, why, sizeof(why));
	if (app->redis[PRIORITY_LOW] == NULL) {
		snprintf(err, size, "redis_low_url: %s", why);
		return false;
	}
	return true;
}

static bool
open_http(struct app *app, char *err, size_t size)
{
	const struct conf *conf = app->conf;
	struct http_conf hc = { .max_body = (size_t)conf->max_body,
		.max_header = (size_t)conf->max_header,
		.max_connections = (size_t)conf->max_connections,
		.request_timeout_ms = conf->request_timeout_ms,
		.idle_timeout_ms = conf->idle_timeout_ms,
		.trusted_proxies = conf->trusted_proxies,
		.cors_origins = conf->cors_origins };

	app->http = http_open(app->loop, &hc);
	if (!app_listen(app, "admin", conf->admin_listen, ops_routes,
		ops_nroutes, err, size))
		return false;
	/* Probes must see that we live for as long as we do. */
	if (http_accepts(app->http))
		http_keep_open(app->http);
	return true;
}

struct app *
app_open(struct conf *conf, bool (*read_again)(struct conf *, char *, size_t),
    char *err, size_t size)
{
	struct app *app = xcalloc(1, sizeof(*app));
	size_t i;

	app->conf = conf;
	app->read_again = read_again;
	app->loop = loop_open();
	id_new(&app->instance);
	child_reaper_start(app->loop);
	timer_init(&app->drain_timer, app->loop, on_drain_timer);
	loop_on_signal(app->loop, SIGTERM, on_signal, app);
	loop_on_signal(app->loop, SIGINT, on_signal, app);
	loop_on_signal(app->loop, SIGHUP, on_signal, app);
	for (i = 0; i < NELEM(all_roles); i++)
		if (conf->roles & all_roles[i]->bit)
			app->roles[app->nroles++] = all_roles[i];
	app->threads = thread_pool_open(app->loop, THREADS, THREAD_QUEUE);
	if (service_open(app, err, size) && open_stores(app, err, size) &&
	    open_http(app, err, size)) {
		app_metrics_start(app);
		app_check_start(app);
		return app;
	}
	app_close(app);
	return NULL;
}

void
app_close(struct app *app)
{
	int i;

	metric_forget(app);
	for (i = app->nroles - 1; i >= 0; i--)
		if (app->states[i] != NULL) {
			app->roles[i]->stop(app->states[i]);
			app->states[i] = NULL;
		}
	if (app->check != NULL)
		flow_abort(app->check, ERR_SHUTDOWN);
	redis_close(app->redis[PRIORITY_LOW]);
	redis_close(app->redis[PRIORITY_HIGH]);
	pg_close(app->pg);
	thread_pool_close(app->threads);
	/* What waited for the servers ends now, at most a few turns later. */
	for (i = 0; i < 100 && flow_count(app->loop) > 0; i++)
		loop_turn(app->loop);
	http_close(app->http);
	timer_fini(&app->drain_timer);
	service_close(app);
	loop_turn(app->loop);
	loop_close(app->loop);
	free(app);
}

/* ---- states ---- */
void
app_fail(struct app *app, const char *why)
{
	log_error("app", "cannot run", KV_STR("err", why));
	snprintf(app->fatal, sizeof(app->fatal), "%s", why);
	app->exit_code = EXIT_FAILURE;
	loop_stop(app->loop);
}

void
app_start_roles(struct app *app)
{
	char err[400];
	int i;

	for (i = 0; i < app->nroles; i++) {
		app->states[i] = app->roles[i]->start(app, err, sizeof(err));
		if (app->states[i] == NULL) {
			app_fail(app, err);
			return;
		}
	}
	app->state = APP_READY;
	log_info("app", "ready", KV_ID("instance", &app->instance));
	service_is_ready(app);
}

static bool
all_idle(const struct app *app)
{
	int i;

	for (i = 0; i < app->nroles; i++)
		if (app->states[i] != NULL &&
		    !app->roles[i]->idle(app->states[i]))
			return false;
	return !http_busy(app->http);
}

bool
app_is_alive(const struct app *app, const char **ret_role)
{
	int i;

	for (i = 0; i < app->nroles; i++)
		if (app->states[i] != NULL && app->roles[i]->alive != NULL &&
		    !app->roles[i]->alive(app->states[i])) {
			*ret_role = app->roles[i]->name;
			return false;
		}
	return true;
}

static size_t
running(const struct app *app)
{
	size_t n = http_in_flight(app->http);
	int i;

	for (i = 0; i < app->nroles; i++)
		if (app->states[i] != NULL && app->roles[i]->running != NULL)
			n += app->roles[i]->running(app->states[i]);
	return n;
}

static void
hurry(struct app *app)
{
	int i;

	for (i = 0; i < app->nroles; i++)
		if (app->states[i] != NULL && app->roles[i]->hurry != NULL)
			app->roles[i]->hurry(app->states[i]);
}

static void
drain(struct app *app, const char *why)
{
	int64_t now = clock_mono_us();
	int i;

	log_info("app", "draining", KV_STR("signal", why));
	app->state = APP_DRAINING;
	app->drain_until_us = now + app->conf->shutdown_timeout_ms * US_PER_MS;
	/* Only who is sent requests has to wait for the word to spread. */
	app->accept_until_us = now;
	if (http_accepts(app->http))
		app->accept_until_us +=
		    app->conf->shutdown_delay_ms * US_PER_MS;
	http_drain_soon(app->http);
	for (i = 0; i < app->nroles; i++)
		if (app->states[i] != NULL)
			app->roles[i]->drain(app->states[i]);
	timer_arm_ms(&app->drain_timer, 0);
}

static void
tell_how_it_goes(struct app *app, int64_t now)
{
	if (app->told_us != 0 && now - app->told_us < TELL_EVERY_US)
		return;
	app->told_us = now;
	service_drains(app, running(app));
}

static void
on_drain_timer(struct loop_timer *t)
{
	struct app *app = container_of(t, struct app, drain_timer);
	int64_t now = clock_mono_us(), over = now - app->drain_until_us;

	tell_how_it_goes(app, now);
	if (now >= app->accept_until_us)
		http_drain(app->http); /* again is nothing */
	if (now >= app->accept_until_us && all_idle(app)) {
		loop_stop(app->loop);
		return;
	}
	if (over > HURRY_MS * US_PER_MS) {
		log_warn("app", "giving up on what still runs");
		loop_stop(app->loop);
		return;
	}
	if (over >= 0)
		hurry(app);
	timer_arm_ms(&app->drain_timer, DRAIN_STEP_MS);
}

static void
reload(struct app *app)
{
	char stuck[256] = "", err[512];
	struct conf fresh;

	service_reloads(app);
	if (!app->read_again(&fresh, err, sizeof(err))) {
		log_error("app", "not reloaded", KV_STR("err", err));
		service_is_ready(app);
		return;
	}
	if (!conf_check(&fresh, (unsigned)app->conf->roles, err, sizeof(err))) {
		log_error("app", "not reloaded", KV_STR("err", err));
		conf_free(&fresh);
		return;
	}
	conf_reload(app->conf, &fresh, stuck, sizeof(stuck));
	conf_free(&fresh);
	log_set_level((enum log_level)app->conf->log_level);
	for (int i = 0; i < app->nroles; i++)
		if (app->states[i] != NULL && app->roles[i]->reload != NULL)
			app->roles[i]->reload(app->states[i]);
	if (stuck[0] == '\0')
		log_info("app", "reloaded");
	else
		log_warn("app", "reloaded; a restart is needed for the rest",
		    KV_STR("options", stuck));
	service_is_ready(app);
}

static void
on_signal(void *arg, int signo)
{
	struct app *app = arg;
	const char *name = signo == SIGTERM ? "TERM"
	    : signo == SIGINT               ? "INT"
					    : "HUP";

	if (signo == SIGHUP) {
		reload(app);
	} else if (app->state == APP_STARTING) {
		loop_stop(app->loop);
	} else if (app->state == APP_READY) {
		drain(app, name);
	} else {
		/* Asked twice: give the rest back now. */
		log_info("app", "draining faster", KV_STR("signal", name));
		app->drain_until_us = app->accept_until_us = clock_mono_us();
		hurry(app);
	}
}

int
app_run(struct app *app)
{
	loop_run(app->loop);
	log_info("app", "stopped", KV_INT("exit", app->exit_code));
	return app->exit_code;
}
