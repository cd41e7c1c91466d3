#include <stdlib.h>

#include "api.h"
#include "base/log.h"
#include "lockout.h"

struct lockout {
	bool is_blind; /* redis-low did not answer last time */
};

struct lockout *
lockout_open(void)
{
	return xcalloc(1, sizeof(struct lockout));
}

void
lockout_close(struct lockout *lo)
{
	free(lo);
}

enum flow_next
lockout_ask(struct api_call *c, struct lockout_try *t, enum lockout_verb verb)
{
	const struct app *app = api_app(c);
	const struct lockout_limits limits = {
		.account = app->conf->lockout_failures,
		.address = app->conf->lockout_address_failures,
		.time_ms = app->conf->lockout_time_ms,
	};

	t->call = NULL;
	if (limits.account == 0 && limits.address == 0)
		return FLOW_NEXT;
	t->call = lockout_call(app->redis[PRIORITY_LOW], verb, t->account,
	    http_client(c->http.req), &limits);
	return redis_try(t->call, &c->http.flow);
}

static void
note_sight(struct lockout *lo, enum err err)
{
	if (lo == NULL || lo->is_blind == (err != OK))
		return;
	lo->is_blind = err != OK;
	if (lo->is_blind)
		log_warn("api",
		    "wrong passwords lock nobody: redis-low does "
		    "not answer",
		    KV_STR("err", err_name(err)));
	else
		log_info("api", "wrong passwords are counted again");
}

enum err
lockout_read(struct api_call *c, const struct lockout_try *t)
{
	enum err err;
	int64_t ms;

	if (t->call == NULL)
		return OK;
	err = redis_call_err(t->call);
	note_sight(api_lockout(api_app(c)), err);
	ms = err == OK ? lockout_wait_ms(t->call) : 0;
	return ms == 0 ? OK : api_limit(c, ms, "too many wrong passwords");
}
