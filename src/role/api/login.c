/*
 * POST /login: a token for a password.
 *
 * Whoever tries may not learn who is a user here: an unknown one is refused
 * with the same words, and after the same work, as a wrong password.
 */
#include <ctype.h>
#include <stdlib.h>

#include "api.h"
#include "base/clock.h"
#include "call.h"
#include "doc.h"
#include "lockout.h"
#include "password.h"
#include "task/token.h"

#define LOGIN_MAX 254

struct login {
	struct api_call call;
	const char *email, *username, *password;
	struct pg_call *find;
	struct password_job *job;
	struct user_row user;
	struct lockout_try tries;
	char *token;
	int64_t expires_s;
};

static flow_step parse_login, find_user, look_locked, check_password,
    count_outcome, make_token;
static void login_end(struct flow *, enum err);

static const struct step login_steps[] = {
	STEP(parse_login),
	STEP(find_user),
	STEP(look_locked),
	STEP(check_password),
	STEP(count_outcome),
	STEP(make_token),
	STEP_LAST,
};

const struct flow_def login_flow = {
	.name = "login",
	.size = sizeof(struct login),
	.steps = login_steps,
	.end = login_end,
};

/* ---- what is sent ---- */
static bool
take_email(void *to, const struct jsn_value *v, struct arena *a)
{
	struct login *l = to;

	return input_str(v, 1, LOGIN_MAX, a, &l->email);
}

static bool
take_username(void *to, const struct jsn_value *v, struct arena *a)
{
	struct login *l = to;

	return input_str(v, 1, LOGIN_MAX, a, &l->username);
}

static bool
take_password(void *to, const struct jsn_value *v, struct arena *a)
{
	struct login *l = to;

	return input_str(v, 1, PASSWORD_MAX, a, &l->password);
}

#define A_LOGIN "a string of 1 to 254 bytes without U+0000"
#define S_LOGIN "{\"type\":\"string\",\"minLength\":1,\"maxLength\":254}"
static const struct input_member members[] = {
	{ .name = "email",
	    .allowed = A_LOGIN,
	    .schema = S_LOGIN,
	    .take = take_email },
	{ .name = "username",
	    .allowed = A_LOGIN,
	    .schema = S_LOGIN,
	    .take = take_username },
	{ .name = "password",
	    .allowed = "a string of 1 to 511 bytes without U+0000",
	    .schema = "{\"type\":\"string\",\"minLength\":1,"
		      "\"maxLength\":511}",
	    .take = take_password,
	    .required = true,
	    .secret = true },
};

const struct input_table login_input = { members, NELEM(members) };

/* ---- steps ---- */
static enum flow_next
parse_login(struct flow *f)
{
	struct login *l = (struct login *)f;
	struct http_req *req = l->call.http.req;
	struct fault *fault = &l->call.fault;
	enum err err = http_expect_json(req, fault);

	if (err == OK)
		err = input_parse(http_body(req), members, NELEM(members), l,
		    &f->arena, fault);
	if (err == OK && (l->email == NULL) == (l->username == NULL))
		err = fault_set(fault, ERR_UNPROCESSABLE, "",
		    "%s given; allowed is one of email and username",
		    l->email == NULL ? "neither email nor username is"
				     : "both email and username are");
	return flow_check(f, err);
}

static enum flow_next
find_user(struct flow *f)
{
	struct login *l = (struct login *)f;

	l->find = users_find(
	    api_app(&l->call)->pg, l->email != NULL ? l->email : l->username);
	return pg_run(l->find, f);
}

/* Both names of a user are one account; who is none has the name he gave. */
static const char *
account_of(struct login *l, struct arena *a)
{
	char id[ID_TEXT_SIZE];
	char *name, *p;

	if (l->user.password_hash.p != NULL) {
		id_format(&l->user.id, id);
		return arena_dup(a, id, ID_TEXT_LEN);
	}
	name =
	    arena_printf(a, "?%s", l->email != NULL ? l->email : l->username);
	for (p = name; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
	return name;
}

static enum flow_next
look_locked(struct flow *f)
{
	struct login *l = (struct login *)f;

	if (pg_rows(l->find) > 0)
		users_row(l->find, 0, &l->user);
	l->tries.account = account_of(l, &f->arena);
	return lockout_ask(&l->call, &l->tries, LOCKOUT_LOOK);
}

static enum flow_next
check_password(struct flow *f)
{
	struct login *l = (struct login *)f;
	enum err err = lockout_read(&l->call, &l->tries);

	if (err != OK)
		return flow_check(f, err);
	l->job = password_job_new(f, l->password);
	return password_check(
	    api_app(&l->call)->threads, l->job, l->user.password_hash, f);
}

/* Who is disabled is told nothing but that the password is wrong. */
static enum flow_next
count_outcome(struct flow *f)
{
	struct login *l = (struct login *)f;

	l->job->matches = l->job->matches && l->user.disabled_us == 0;
	return lockout_ask(&l->call, &l->tries,
	    l->job->matches ? LOCKOUT_RIGHT : LOCKOUT_WRONG);
}

/* Tokens of the second in which the password was changed are refused, so the
 * first one after it is of the next. */
static int64_t
issue_time_s(const struct login *l)
{
	int64_t now_s = clock_wall_us() / US_PER_S;
	int64_t after_s = l->user.tokens_after_us / US_PER_S;

	return l->user.tokens_after_us != 0 && now_s <= after_s ? after_s + 1
								: now_s;
}

static enum flow_next
make_token(struct flow *f)
{
	struct login *l = (struct login *)f;
	const struct conf *conf = api_app(&l->call)->conf;
	int64_t now_s = issue_time_s(l);
	int64_t ttl_s = conf->jwt_ttl_ms / 1000;
	enum err err = lockout_read(&l->call, &l->tries);

	if (err == OK && !l->job->matches)
		err = fault_set(&l->call.fault, ERR_UNAUTHORIZED, "",
		    "there is no such user, or the password is wrong");
	if (err != OK)
		return flow_check(f, err);
	http_note_id(l->call.http.req, "user", &l->user.id);
	l->expires_s = now_s + ttl_s;
	l->token = token_make(api_tokens(api_app(&l->call)), &l->user.id,
	    span_is(l->user.role, "admin") ? "admin" : "user", now_s, ttl_s);
	if (l->token == NULL)
		return flow_check(f, ERR_NO_MEMORY);
	arena_defer(&f->arena, free, l->token);
	return FLOW_NEXT;
}

static void
login_end(struct flow *f, enum err err)
{
	struct login *l = (struct login *)f;
	char id[ID_TEXT_SIZE];
	struct buf body;
	struct jsn_w w;

	if (err != OK) {
		api_refuse(&l->call, err);
		return;
	}
	id_format(&l->user.id, id);
	api_body_init(&body);
	jsn_w_init(&w, &body);
	jsn_w_open(&w, '{');
	jsn_w_key(&w, "token");
	jsn_w_strz(&w, l->token);
	jsn_w_key(&w, "token_type");
	jsn_w_strz(&w, "Bearer");
	jsn_w_key(&w, "expires_in");
	jsn_w_int(&w, l->expires_s - clock_wall_us() / US_PER_S);
	jsn_w_key(&w, "user_id");
	jsn_w_strz(&w, id);
	jsn_w_close(&w, '}');
	api_reply(&l->call, 200, &body);
}
