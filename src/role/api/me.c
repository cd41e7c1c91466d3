/* GET /users/me: who the credentials stand for, and what they may do. */
#include "account.h"
#include "api.h"
#include "call.h"
#include "charge.h"

struct me {
	struct api_call call;
	struct pg_call *get;
};

static flow_step read_me, check_me;
static void me_end(struct flow *, enum err);

static const struct step me_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(read_me),
	STEP(check_me),
	STEP_LAST,
};

const struct flow_def me_flow = {
	.name = "me",
	.size = sizeof(struct me),
	.steps = me_steps,
	.end = me_end,
};

static enum flow_next
read_me(struct flow *f)
{
	struct me *m = (struct me *)f;

	m->get = users_get(api_app(&m->call)->pg, &m->call.caller.user_id);
	return pg_run(m->get, f);
}

/* A token whose user is not of this database: it was made for another. */
static enum flow_next
check_me(struct flow *f)
{
	struct me *m = (struct me *)f;

	if (pg_rows(m->get) > 0)
		return FLOW_NEXT;
	return flow_check(f,
	    fault_set(&m->call.fault, ERR_NOT_FOUND, "",
		"the user of these credentials is not here"));
}

static void
me_end(struct flow *f, enum err err)
{
	struct me *m = (struct me *)f;
	struct user_row user;
	struct buf body;
	struct jsn_w w;

	if (err != OK) {
		api_refuse(&m->call, err);
		return;
	}
	users_row(m->get, 0, &user);
	api_body_init(&body);
	jsn_w_init(&w, &body);
	jsn_w_open(&w, '{');
	account_put(&w, &user);
	jsn_w_key(&w, "scopes");
	api_put_scopes(&w, m->call.caller.scopes);
	jsn_w_close(&w, '}');
	api_reply(&m->call, 200, &body);
}
