/* The API role: which path is served by which flow. */
#include <stdlib.h>

#include "announce.h"
#include "api.h"
#include "base/log.h"
#include "task/queue.h"
#include "task/token.h"
#include "task/users.h"
#include "waiters.h"

/* A constant, since requests may still come in while the role is closed. */
static const struct route routes[] = {
	{ HTTP_POST, "/users", &register_flow, SCOPE_NONE, NULL },
	{ HTTP_POST, "/login", &login_flow, SCOPE_NONE, NULL },
	{ HTTP_POST, "/tasks", &submit_flow, SCOPE_TASKS_WRITE, NULL },
	{ HTTP_POST, "/tasks/batch", &batch_flow, SCOPE_TASKS_WRITE, NULL },
	{ HTTP_GET, "/tasks", &list_flow, SCOPE_TASKS_READ, NULL },
	{ HTTP_GET, "/tasks/{id}", &show_flow, SCOPE_TASKS_READ, NULL },
	{ HTTP_GET, "/tasks/{id}/events", &events_flow, SCOPE_TASKS_READ,
	    NULL },
	/* What every role serves. */
	{ HTTP_GET, "/livez", &livez_flow, SCOPE_NONE, NULL },
	{ HTTP_GET, "/readyz", &readyz_flow, SCOPE_NONE, NULL },
	{ HTTP_GET, "/status", &status_flow, SCOPE_NONE, NULL },
};

struct api {
	struct app *app;
	struct waiters *waiters;
	struct token_keys *tokens;
	struct announcer *announcer;
};

/* Where the app keeps our state. */
static int
index_of(const struct app *app)
{
	int i = 0;

	while (app->roles[i] != &role_api)
		i++;
	return i;
}

static const struct api *
api_of(const struct app *app)
{
	static const struct api stopped;
	const struct api *api = app->states[index_of(app)];

	return api == NULL ? &stopped : api;
}

struct waiters *
api_waiters(const struct app *app)
{
	return api_of(app)->waiters;
}

struct token_keys *
api_tokens(const struct app *app)
{
	return api_of(app)->tokens;
}

struct announcer *
api_announcer(const struct app *app)
{
	return api_of(app)->announcer;
}

static void *
start(struct app *app, char *err, size_t err_size)
{
	const struct conf *conf = app->conf;
	struct api *api;

	if (conf->tls_cert[0] != '\0' &&
	    !http_set_tls(
		app->http, conf->tls_cert, conf->tls_key, err, err_size))
		return NULL;
	if (!http_listen(app->http, app->conf->listen, routes, NELEM(routes),
		app, err, err_size))
		return NULL;
	api = xcalloc(1, sizeof(*api));
	api->app = app;
	api->waiters =
	    waiters_open(app->loop, app->pg, app->redis[PRIORITY_HIGH]);
	api->tokens = token_keys_open(app->conf);
	api->announcer = announcer_open(app->loop, app->redis);
	return api;
}

/* Who waits for the end of a task is told now how far it has come. */
static void
drain(void *state)
{
	struct api *api = state;

	waiters_drain(api->waiters);
}

static bool
idle(const void *state)
{
	(void)state;
	return true; /* the requests in flight are counted by the server */
}

/* SIGHUP, with a configuration that was found good. */
static void
reload(void *state)
{
	struct api *api = state;
	const struct conf *conf = api->app->conf;
	char err[256];

	if (conf->tls_cert[0] != '\0' &&
	    !http_set_tls(api->app->http, conf->tls_cert, conf->tls_key, err,
		sizeof(err)))
		log_error("api", "TLS goes on with the old certificate",
		    KV_STR("err", err));
	token_keys_close(api->tokens);
	api->tokens = token_keys_open(api->app->conf);
}

/* Requests that come after this find no role. */
static void
stop(void *state)
{
	struct api *api = state;

	api->app->states[index_of(api->app)] = NULL;
	announcer_close(api->announcer);
	token_keys_close(api->tokens);
	waiters_close(api->waiters);
	free(api);
}

const struct role role_api = {
	.name = "api",
	.bit = ROLE_API,
	.start = start,
	.drain = drain,
	.reload = reload,
	.idle = idle,
	.stop = stop,
};
