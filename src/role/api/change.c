/*
 * POST /users/me/password: a new password for the old one. Login tokens of
 * before are refused from now on; API keys stay. Who has a token and guesses
 * the password is locked out just as at the login.
 */
#include "api.h"
#include "call.h"
#include "charge.h"
#include "denied.h"
#include "doc.h"
#include "lockout.h"
#include "password.h"

struct change {
	struct api_call call;
	const char *old, *new;
	struct pg_call *get, *set;
	struct user_row user;
	struct lockout_try tries;
	struct password_job *check, *make;
};

static flow_step parse_change, read_user, look_locked, check_old, count_outcome,
    make_new, write_new, note_new;
static void change_end(struct flow *, enum err);

static const struct step change_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(parse_change),
	STEP(read_user),
	STEP(look_locked),
	STEP(check_old),
	STEP(count_outcome),
	STEP(make_new),
	STEP(write_new),
	STEP(note_new),
	STEP_LAST,
};

const struct flow_def password_flow = {
	.name = "password",
	.size = sizeof(struct change),
	.steps = change_steps,
	.end = change_end,
};

/* ---- what is sent ---- */
static bool
take_old(void *to, const struct jsn_value *v, struct arena *a)
{
	struct change *c = to;

	return input_str(v, 1, PASSWORD_MAX, a, &c->old);
}

static bool
take_new(void *to, const struct jsn_value *v, struct arena *a)
{
	struct change *c = to;

	return input_str(v, PASSWORD_MIN, PASSWORD_MAX, a, &c->new);
}

static const struct input_member members[] = {
	{ .name = "old_password",
	    .allowed = "a string of 1 to 511 bytes without U+0000",
	    .schema = "{\"type\":\"string\",\"minLength\":1,\"maxLength\":511}",
	    .take = take_old,
	    .required = true,
	    .secret = true },
	{ .name = "new_password",
	    .allowed = "a string of 8 to 511 bytes without U+0000",
	    .schema = "{\"type\":\"string\",\"minLength\":8,\"maxLength\":511}",
	    .take = take_new,
	    .required = true,
	    .secret = true },
};

const struct input_table password_input = { members, NELEM(members) };

/* ---- steps ---- */
static enum flow_next
parse_change(struct flow *f)
{
	struct change *c = (struct change *)f;
	struct http_req *req = c->call.http.req;
	enum err err = http_expect_json(req, &c->call.fault);

	if (err == OK)
		err = input_parse(http_body(req), members, NELEM(members), c,
		    &f->arena, &c->call.fault);
	return flow_check(f, err);
}

static enum flow_next
read_user(struct flow *f)
{
	struct change *c = (struct change *)f;

	c->get = users_get(api_app(&c->call)->pg, &c->call.caller.user_id);
	return pg_run(c->get, f);
}

static enum flow_next
look_locked(struct flow *f)
{
	struct change *c = (struct change *)f;
	char id[ID_TEXT_SIZE];

	if (pg_rows(c->get) > 0)
		users_row(c->get, 0, &c->user);
	id_format(&c->call.caller.user_id, id);
	c->tries.account = arena_dup(&f->arena, id, ID_TEXT_LEN);
	return lockout_ask(&c->call, &c->tries, LOCKOUT_LOOK);
}

static enum flow_next
check_old(struct flow *f)
{
	struct change *c = (struct change *)f;
	enum err err = lockout_read(&c->call, &c->tries);

	if (err != OK)
		return flow_check(f, err);
	c->check = password_job_new(f, c->old);
	return password_check(
	    api_app(&c->call)->threads, c->check, c->user.password_hash, f);
}

static enum flow_next
count_outcome(struct flow *f)
{
	struct change *c = (struct change *)f;

	c->check->matches = c->check->matches && c->user.disabled_us == 0;
	return lockout_ask(&c->call, &c->tries,
	    c->check->matches ? LOCKOUT_RIGHT : LOCKOUT_WRONG);
}

static enum flow_next
make_new(struct flow *f)
{
	struct change *c = (struct change *)f;
	enum err err = lockout_read(&c->call, &c->tries);

	if (err == OK && !c->check->matches)
		err = fault_set(&c->call.fault, ERR_FORBIDDEN, "",
		    "the old password is wrong");
	if (err != OK)
		return flow_check(f, err);
	c->make = password_job_new(f, c->new);
	return password_make(api_app(&c->call)->threads, c->make, f);
}

static enum flow_next
write_new(struct flow *f)
{
	struct change *c = (struct change *)f;
	struct span old = c->user.password_hash;

	c->set =
	    users_set_password(api_app(&c->call)->pg, &c->call.caller.user_id,
		c->make->hash, arena_dup(&f->arena, old.p, old.len));
	return pg_run(c->set, f);
}

static enum flow_next
note_new(struct flow *f)
{
	struct change *c = (struct change *)f;

	if (pg_rows(c->set) == 0)
		return flow_check(f,
		    fault_set(&c->call.fault, ERR_CONFLICT, "",
			"the password was changed by somebody else just now"));
	denied_note(api_denied(api_app(&c->call)),
	    &(struct user_change){ .id = c->call.caller.user_id,
		.tokens_after_us = pg_time(c->set, 0, 0) });
	return FLOW_NEXT;
}

static void
change_end(struct flow *f, enum err err)
{
	struct change *c = (struct change *)f;

	if (err != OK)
		api_refuse(&c->call, err);
	else
		http_reply(c->call.http.req, 204, NULL, span_of(NULL));
}
