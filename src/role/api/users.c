/* POST /users: register. */
#include "api.h"
#include "base/clock.h"
#include "call.h"
#include "doc.h"
#include "password.h"

struct registration {
	struct api_call call;
	struct id id;
	const char *email, *username, *password;
	struct password_job *job;
	struct pg_call *insert;
	int64_t created_us;
};

static flow_step check_open, check_admin, parse_user, hash_password,
    insert_user, check_taken;
static void register_end(struct flow *, enum err);

static const struct step register_steps[] = {
	STEP(check_open),
	STEP(api_authenticate), /* if it is closed */
	STEP(check_admin),
	STEP(parse_user),
	STEP(hash_password),
	STEP(insert_user),
	STEP(check_taken),
	STEP_LAST,
};

const struct flow_def register_flow = {
	.name = "register",
	.size = sizeof(struct registration),
	.steps = register_steps,
	.end = register_end,
};

/* ---- what is sent ---- */

static bool
take_email(void *to, const struct jsn_value *v, struct arena *a)
{
	struct registration *r = to;

	return input_str(v, EMAIL_MIN, EMAIL_MAX, a, &r->email) &&
	    user_email_ok(r->email);
}

static bool
take_username(void *to, const struct jsn_value *v, struct arena *a)
{
	struct registration *r = to;

	return input_str(v, 1, TASK_NAME_MAX, a, &r->username) &&
	    task_name_ok(r->username, strlen(r->username));
}

static bool
take_password(void *to, const struct jsn_value *v, struct arena *a)
{
	struct registration *r = to;

	return input_str(v, PASSWORD_MIN, PASSWORD_MAX, a, &r->password);
}

static const struct input_member members[] = {
	{ .name = "email",
	    .allowed = "an address of 3 to 254 bytes with one @ and no blanks",
	    .schema = "{\"type\":\"string\",\"minLength\":3,\"maxLength\":254,"
		      "\"format\":\"email\"}",
	    .take = take_email,
	    .required = true },
	{ .name = "password",
	    .allowed = "a string of 8 to 511 bytes without U+0000",
	    .schema = "{\"type\":\"string\",\"minLength\":8,\"maxLength\":511}",
	    .take = take_password,
	    .required = true,
	    .secret = true },
	{ .name = "username",
	    .allowed = "a string of 1 to 64 of A-Z a-z 0-9 _ . -",
	    .schema = S_NAME,
	    .take = take_username },
};

const struct input_table register_input = { members, NELEM(members) };

/* ---- steps ---- */
static enum err
refuse_closed(struct registration *r)
{
	return fault_set(&r->call.fault, ERR_FORBIDDEN, "",
	    "registration is closed here: only an administrator can make "
	    "users");
}

/* Where it is open nobody needs to say who he is. */
static enum flow_next
check_open(struct flow *f)
{
	struct registration *r = (struct registration *)f;
	const struct http_req *req = r->call.http.req;

	if (api_app(&r->call)->conf->registration)
		return flow_goto(f, parse_user);
	if (http_header(req, "Authorization") == NULL &&
	    http_header(req, "X-API-Key") == NULL)
		return flow_check(f, refuse_closed(r));
	return FLOW_NEXT;
}

static enum flow_next
check_admin(struct flow *f)
{
	struct registration *r = (struct registration *)f;

	if ((r->call.caller.scopes & SCOPE_ADMIN) != 0)
		return FLOW_NEXT;
	return flow_check(f, refuse_closed(r));
}

static enum flow_next
parse_user(struct flow *f)
{
	struct registration *r = (struct registration *)f;
	struct http_req *req = r->call.http.req;
	enum err err = http_expect_json(req, &r->call.fault);

	if (err == OK)
		err = input_parse(http_body(req), members, NELEM(members), r,
		    &f->arena, &r->call.fault);
	return flow_check(f, err);
}

static enum flow_next
hash_password(struct flow *f)
{
	struct registration *r = (struct registration *)f;

	r->job = password_job_new(f, r->password);
	return password_make(api_app(&r->call)->threads, r->job, f);
}

static enum flow_next
insert_user(struct flow *f)
{
	struct registration *r = (struct registration *)f;

	id_new(&r->id);
	r->insert = users_insert(api_app(&r->call)->pg, &r->id, r->email,
	    r->username, r->job->hash, "user");
	return pg_run(r->insert, f);
}

static enum flow_next
check_taken(struct flow *f)
{
	struct registration *r = (struct registration *)f;

	if (users_inserted(r->insert, &r->created_us)) {
		http_note_id(r->call.http.req, "made", &r->id);
		return FLOW_NEXT;
	}
	return flow_check(f,
	    fault_set(&r->call.fault, ERR_CONFLICT, "",
		"the email or the username belongs to somebody already"));
}

static void
register_end(struct flow *f, enum err err)
{
	struct registration *r = (struct registration *)f;
	char id[ID_TEXT_SIZE];
	struct buf body;
	struct jsn_w w;

	if (err != OK) {
		api_refuse(&r->call, err);
		return;
	}
	id_format(&r->id, id);
	api_body_init(&body);
	jsn_w_init(&w, &body);
	jsn_w_open(&w, '{');
	jsn_w_key(&w, "id");
	jsn_w_strz(&w, id);
	jsn_w_key(&w, "email");
	jsn_w_strz(&w, r->email);
	jsn_w_key(&w, "username");
	jsn_w_strz(&w, r->username);
	jsn_w_key(&w, "created_at");
	jsn_w_time(&w, r->created_us);
	jsn_w_close(&w, '}');
	api_reply(&r->call, 201, &body);
}
