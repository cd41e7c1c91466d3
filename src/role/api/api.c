/* The API role: which path is served by which flow. */
#include <assert.h>
#include <stdlib.h>

#include "announce.h"
#include "api.h"
#include "doc.h"
#include "call.h"
#include "denied.h"
#include "lockout.h"
#include "limits.h"
#include "base/log.h"
#include "task/queue.h"
#include "task/token.h"
#include "task/users.h"
#include "waiters.h"

/* A constant, since requests may still come in while the role is closed. */
const struct route api_routes[] = {
	{ HTTP_POST, "/users", &register_flow, SCOPE_NONE, &register_doc },
	{ HTTP_POST, "/login", &login_flow, SCOPE_NONE, &login_doc },
	{ HTTP_GET, "/users/{id}/limits", &limits_get_flow, SCOPE_ADMIN,
	    &limits_get_doc },
	{ HTTP_PUT, "/users/{id}/limits", &limits_put_flow, SCOPE_ADMIN,
	    &limits_put_doc },
	{ HTTP_POST, "/tasks", &submit_flow, SCOPE_TASKS_WRITE, &submit_doc },
	{ HTTP_POST, "/tasks/batch", &batch_flow, SCOPE_TASKS_WRITE,
	    &batch_doc },
	{ HTTP_GET, "/tasks", &list_flow, SCOPE_TASKS_READ, &list_doc },
	{ HTTP_GET, "/tasks/{id}", &show_flow, SCOPE_TASKS_READ, &show_doc },
	{ HTTP_GET, "/tasks/{id}/events", &events_flow, SCOPE_TASKS_READ,
	    &events_doc },
	{ HTTP_POST, "/tasks/retry", &retry_many_flow, SCOPE_TASKS_WRITE,
	    &retry_many_doc },
	{ HTTP_POST, "/tasks/{id}/cancel", &cancel_flow, SCOPE_TASKS_WRITE,
	    &cancel_doc },
	{ HTTP_POST, "/tasks/{id}/retry", &retry_flow, SCOPE_TASKS_WRITE,
	    &retry_doc },
	{ HTTP_DELETE, "/tasks/{id}", &delete_flow, SCOPE_TASKS_WRITE,
	    &delete_doc },
	{ HTTP_GET, "/tasks/{id}/explain", &explain_flow, SCOPE_TASKS_READ,
	    &explain_doc },
	{ HTTP_GET, "/users/me", &me_flow, SCOPE_ANY, &me_doc },
	{ HTTP_POST, "/users/me/password", &password_flow, SCOPE_KEYS,
	    &password_doc },
	{ HTTP_POST, "/users/{id}/disable", &disable_flow, SCOPE_ADMIN,
	    &disable_doc },
	{ HTTP_POST, "/users/{id}/enable", &enable_flow, SCOPE_ADMIN,
	    &enable_doc },
	{ HTTP_POST, "/api-keys", &key_create_flow, SCOPE_KEYS,
	    &key_create_doc },
	{ HTTP_GET, "/api-keys", &key_list_flow, SCOPE_KEYS, &key_list_doc },
	{ HTTP_DELETE, "/api-keys/{id}", &key_revoke_flow, SCOPE_KEYS,
	    &key_revoke_doc },
	{ HTTP_GET, "/autoscaling/{queue}", &autoscaling_flow, SCOPE_TASKS_READ,
	    &autoscaling_doc },
	/* What every role serves. */
	{ HTTP_GET, "/livez", &livez_flow, SCOPE_NONE, &livez_doc },
	{ HTTP_GET, "/readyz", &readyz_flow, SCOPE_NONE, &readyz_doc },
	{ HTTP_GET, "/status", &status_flow, SCOPE_NONE, &status_doc },
	{ HTTP_GET, "/openapi.json", &openapi_flow, SCOPE_NONE, &openapi_doc },
};
const size_t api_nroutes = NELEM(api_routes);

struct api {
	struct app *app;
	struct waiters *waiters;
	struct token_keys *tokens;
	struct announcer *announcer;
	struct denied *denied;
	struct lockout *lockout;
	struct limits *limits;
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

struct denied *
api_denied(const struct app *app)
{
	return api_of(app)->denied;
}

struct lockout *
api_lockout(const struct app *app)
{
	return api_of(app)->lockout;
}

struct limits *
api_limits(const struct app *app)
{
	return api_of(app)->limits;
}

static void *
start(struct app *app, char *err, size_t err_size)
{
	const struct conf *conf = app->conf;
	struct api *api;
	size_t i;

	if (conf->tls_cert[0] != '\0' &&
	    !http_set_tls(
		app->http, conf->tls_cert, conf->tls_key, err, err_size))
		return NULL;
	for (i = 0; i < api_nroutes; i++) {
		api_check_route(&api_routes[i]);
		assert(api_routes[i].doc != NULL);
	}
	if (!app_listen(app, "api", app->conf->listen, api_routes, api_nroutes,
		err, err_size))
		return NULL;
	api = xcalloc(1, sizeof(*api));
	api->app = app;
	api->limits = limits_open(app);
	api->waiters =
	    waiters_open(app->loop, app->pg, app->redis[PRIORITY_HIGH]);
	api->tokens = token_keys_open(app->conf);
	api->announcer = announcer_open(app->loop, app->redis);
	api->denied = denied_open(app->loop, app->pg, app->redis[PRIORITY_HIGH],
	    app->conf->jwt_ttl_ms);
	api->lockout = lockout_open();
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
	lockout_close(api->lockout);
	denied_close(api->denied);
	limits_close(api->limits);
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
