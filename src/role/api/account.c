/*
 * What administrators do to accounts: POST /users/{id}/disable and /enable.
 *
 * A disabled user cannot log in. Keys die at once everywhere, as they do when
 * they are deleted; login tokens die here at once, and elsewhere as soon as the
 * others hear of it (denied.h).
 */
#include "account.h"
#include "api.h"
#include "base/clock.h"
#include "call.h"
#include "charge.h"
#include "denied.h"
#include "drop.h"
#include "task/keys.h"

struct account {
	struct api_call call;
	bool disable;
	struct id id;
	struct pg_call *set;
	struct key_drop drop;
};

static flow_step begin_disable, begin_enable, find_user, set_disabled,
    note_change, drop_keys, await_cache;
static void account_end(struct flow *, enum err);

static const struct step disable_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(begin_disable),
	STEP(find_user),
	STEP(set_disabled),
	STEP(note_change),
	STEP(drop_keys),
	STEP(await_cache),
	STEP_LAST,
};
static const struct step enable_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(begin_enable),
	STEP(find_user),
	STEP(set_disabled),
	STEP(note_change),
	STEP_LAST,
};

const struct flow_def disable_flow = {
	.name = "disable",
	.size = sizeof(struct account),
	.steps = disable_steps,
	.end = account_end,
};
const struct flow_def enable_flow = {
	.name = "enable",
	.size = sizeof(struct account),
	.steps = enable_steps,
	.end = account_end,
};

static enum flow_next
begin_disable(struct flow *f)
{
	((struct account *)f)->disable = true;
	return FLOW_NEXT;
}

static enum flow_next
begin_enable(struct flow *f)
{
	((struct account *)f)->disable = false;
	return FLOW_NEXT;
}

/* There might be nobody left to undo it. */
static enum flow_next
find_user(struct flow *f)
{
	struct account *a = (struct account *)f;
	const char *text = http_param(a->call.http.req, "id");

	if (!id_parse(text, strlen(text), &a->id))
		return flow_check(f, ERR_NOT_FOUND);
	http_note_id(a->call.http.req, "account", &a->id);
	if (a->disable && id_cmp(&a->id, &a->call.caller.user_id) == 0)
		return flow_check(f,
		    fault_set(&a->call.fault, ERR_CONFLICT, "",
			"nobody can disable himself; another administrator "
			"can"));
	return FLOW_NEXT;
}

static enum flow_next
set_disabled(struct flow *f)
{
	struct account *a = (struct account *)f;

	a->set = users_set_disabled(api_app(&a->call)->pg, &a->id, a->disable);
	return pg_run(a->set, f);
}

/* The keys are read by a statement of its own: one that was being made while
 * the user was disabled is seen by it. */
static enum flow_next
note_change(struct flow *f)
{
	struct account *a = (struct account *)f;
	struct app *app = api_app(&a->call);
	struct user_row user;

	if (pg_rows(a->set) == 0)
		return flow_check(f,
		    fault_set(&a->call.fault, ERR_NOT_FOUND, "",
			"there is no such user"));
	users_row(a->set, 0, &user);
	denied_note(api_denied(app),
	    &(struct user_change){ .id = a->id,
		.disabled = user.disabled_us != 0,
		.tokens_after_us = user.tokens_after_us });
	if (!a->disable)
		return FLOW_NEXT;
	a->drop.hashes = keys_of_user(app->pg, &a->id);
	return pg_run(a->drop.hashes, f);
}

static enum flow_next
drop_keys(struct flow *f)
{
	struct account *a = (struct account *)f;

	return drop_ask(&a->call, &a->drop);
}

static enum flow_next
await_cache(struct flow *f)
{
	struct account *a = (struct account *)f;

	return drop_await(&a->call, &a->drop);
}

/* ---- the answer ---- */
void
account_put(struct jsn_w *w, const struct user_row *u)
{
	char id[ID_TEXT_SIZE];

	id_format(&u->id, id);
	jsn_w_key(w, "id");
	jsn_w_strz(w, id);
	jsn_w_key(w, "email");
	jsn_w_str(w, u->email.p, u->email.len);
	jsn_w_key(w, "username");
	if (u->username.p != NULL)
		jsn_w_str(w, u->username.p, u->username.len);
	else
		jsn_w_null(w);
	jsn_w_key(w, "role");
	jsn_w_str(w, u->role.p, u->role.len);
	jsn_w_key(w, "created_at");
	jsn_w_time(w, u->created_us);
	jsn_w_key(w, "disabled_at");
	if (u->disabled_us != 0)
		jsn_w_time(w, u->disabled_us);
	else
		jsn_w_null(w);
}

static void
account_end(struct flow *f, enum err err)
{
	struct account *a = (struct account *)f;
	struct user_row user;
	struct buf body;
	struct jsn_w w;

	if (err != OK) {
		api_refuse(&a->call, err);
		return;
	}
	users_row(a->set, 0, &user);
	api_body_init(&body);
	jsn_w_init(&w, &body);
	jsn_w_open(&w, '{');
	account_put(&w, &user);
	jsn_w_close(&w, '}');
	api_reply(&a->call, 200, &body);
}
