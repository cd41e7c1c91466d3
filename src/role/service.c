/*
 * The service manager, if there is one: it hears when we are ready, what we do,
 * and that we live; and it may have opened our sockets, which then outlive us.
 *
 * The sign of life comes from a timer of the loop and from nowhere else, and
 * only while the loops of the roles turn, too: it is what /livez says.
 */
#include <stdio.h>
#include <stdlib.h>

#include "app_private.h"
#include "base/clock.h"
#include "base/notify.h"

/* While draining we ask for so much more time, again and again. */
#define EXTEND_US (30 * US_PER_S)

struct service {
	struct app *app;
	struct notify notify;
	struct given given;
	struct loop_timer watchdog;
};

static void
feed_watchdog(struct loop_timer *t)
{
	struct service *s = container_of(t, struct service, watchdog);
	const char *role;

	if (app_is_alive(s->app, &role))
		notify_send(&s->notify, "WATCHDOG=1");
	else
		log_error("app", "no sign of life for the watchdog",
		    KV_STR("role", role));
	timer_arm_us(t, s->notify.watchdog_us / 2);
}

bool
service_open(struct app *app, char *err, size_t err_size)
{
	struct service *s = xcalloc(1, sizeof(*s));

	s->app = app;
	app->service = s;
	timer_init(&s->watchdog, app->loop, feed_watchdog);
	if (!notify_open(&s->notify, err, err_size) ||
	    !given_open(&s->given, err, err_size))
		return false;
	if (s->notify.watchdog_us > 0)
		timer_arm_us(&s->watchdog, 0);
	notify_send(&s->notify, "STATUS=looking at the servers");
	return true;
}

void
service_close(struct app *app)
{
	struct service *s = app->service;

	if (s == NULL)
		return;
	timer_fini(&s->watchdog);
	notify_close(&s->notify);
	given_close(&s->given);
	free(s);
	app->service = NULL;
}

bool
app_listen(struct app *app, const char *name, const char *addr,
    const struct route *routes, size_t n, char *err, size_t err_size)
{
	int fd = given_take(&app->service->given, name);

	if (fd >= 0) {
		log_info("app", "serves a socket that was given",
		    KV_STR("name", name));
		return http_listen_fd(
		    app->http, fd, name, routes, n, app, err, err_size);
	}
	return addr[0] == '\0' ||
	    http_listen(app->http, addr, routes, n, app, err, err_size);
}

void
service_waits(struct app *app, const char *what, const char *why)
{
	notify_send(
	    &app->service->notify, "STATUS=waiting for %s: %.300s", what, why);
}

/* Clients would connect to it and never be answered. */
static void
refuse_left_sockets(struct service *s)
{
	const char *name = given_left(&s->given);

	if (name == NULL)
		return;
	log_warn("app",
	    "a socket was given that no role serves: it is called neither "
	    "api nor admin, or the role api is not played",
	    KV_STR("name", name));
	given_close(&s->given);
}

void
service_is_ready(struct app *app)
{
	struct service *s = app->service;

	if (app->state != APP_READY)
		return;
	refuse_left_sockets(s);
	notify_send(&s->notify, "READY=1\nSTATUS=ready");
}

void
service_reloads(struct app *app)
{
	if (app->state == APP_READY)
		notify_send(&app->service->notify,
		    "RELOADING=1\nMONOTONIC_USEC=%lld\n"
		    "STATUS=reading the configuration again",
		    (long long)clock_mono_us());
}

void
service_drains(struct app *app, size_t running)
{
	log_info("app", "draining", KV_INT("running", (int64_t)running));
	notify_send(&app->service->notify,
	    "STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld\n"
	    "STATUS=draining: %zu running",
	    (long long)EXTEND_US, running);
}
