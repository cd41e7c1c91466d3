/*
 * Who is asking, and may they? The first step of every endpoint that is not for
 * everybody. A token is checked here and now. For a key, the step is run again
 * after each wait, for what comes next: first the cache is asked, and then, if
 * it does not know, or is away, the database. See task/keys.h.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "api.h"
#include "base/clock.h"
#include "call.h"
#include "credential.h"
#include "denied.h"
#include "task/token.h"
#include "task/keys.h"

#define LOGIN_SCOPES (SCOPE_TASKS_READ | SCOPE_TASKS_WRITE | SCOPE_KEYS)

struct auth {
	flow_step *next; /* when the step is run again */
	struct redis_call *cached;
	struct pg_call *row;
	char hash[KEY_HASH_SIZE];
	char promise[KEY_PROMISE_SIZE];
};

static flow_step read_cached, read_row;

/* ---- may they? ---- */
static enum err
refuse_scope(struct api_call *c, unsigned needed)
{
	char has[SCOPES_TEXT_SIZE], needs[SCOPES_TEXT_SIZE], text[200];
	const char *one = scope_name((enum scope)needed);

	scopes_format(c->caller.scopes, has);
	scopes_format(needed, needs);
	/* RFC 6750, 3.1 */
	snprintf(text, sizeof(text),
	    "Bearer realm=\"taskflow\", error=\"insufficient_scope\"%s%s%s",
	    one != NULL ? ", scope=\"" : "", one != NULL ? one : "",
	    one != NULL ? "\"" : "");
	if (c->shown == NULL)
		http_add_header(c->http.req, "WWW-Authenticate", text);
	return fault_set(&c->fault, ERR_FORBIDDEN, "",
	    "this needs the scope %s; the credentials have %s", needs,
	    has[0] == '\0' ? "none" : has);
}

static enum flow_next
admit(struct flow *f)
{
	struct api_call *c = (struct api_call *)f;
	unsigned needed = http_route(c->http.req)->scope;

	http_note_id(c->http.req, "user", &c->caller.user_id);
	if (needed != SCOPE_NONE && (c->caller.scopes & needed) == 0)
		return flow_check(f, refuse_scope(c, needed));
	return FLOW_NEXT;
}

/* ---- by token ---- */
static enum flow_next
check_token(struct flow *f, const char *token)
{
	struct api_call *c = (struct api_call *)f;
	struct app *app = api_app(c);
	enum err err;

	err = token_verify(api_tokens(app), token, clock_wall_us() / US_PER_S,
	    &c->caller, &c->fault);
	if (err == OK && denied_has(api_denied(app), &c->caller))
		err = fault_set(&c->fault, ERR_UNAUTHORIZED, "",
		    "the token was taken back: its user was disabled, or has "
		    "changed the password since");
	if (err != OK)
		return flow_check(f, err);
	c->caller.scopes =
	    LOGIN_SCOPES | (c->caller.admin ? (unsigned)SCOPE_ADMIN : 0);
	return admit(f);
}

/* ---- by key ---- */
static enum flow_next
admit_key(struct flow *f, const struct key_info *key)
{
	struct api_call *c = (struct api_call *)f;

	if (key == NULL ||
	    (key->expires_us != 0 && key->expires_us <= clock_wall_us()))
		return flow_check(f,
		    fault_set(&c->fault, ERR_UNAUTHORIZED, "",
			"the API key does not work: it is unknown, revoked or "
			"expired, or its user is disabled"));
	c->caller = (struct caller){ .user_id = key->user_id,
		.admin = key->admin,
		.scopes = key->scopes };
	http_note_id(c->http.req, "api_key", &key->id);
	if (!key->admin)
		c->caller.scopes &= ~(unsigned)SCOPE_ADMIN;
	return admit(f);
}

static enum flow_next
ask_database(struct flow *f)
{
	struct api_call *c = (struct api_call *)f;

	c->auth->next = read_row;
	c->auth->row = keys_find(api_app(c)->pg, c->auth->hash);
	flow_then(f, api_authenticate);
	return pg_run(c->auth->row, f);
}

/* If the cache is down, its answer would only be waited for. */
static enum flow_next
ask_cache(struct flow *f, const char *key)
{
	struct api_call *c = (struct api_call *)f;
	struct redis *redis = api_app(c)->redis[PRIORITY_LOW];

	c->auth = arena_zalloc(&f->arena, sizeof(*c->auth));
	key_hash(key, c->auth->hash);
	if (!redis_is_up(redis))
		return ask_database(f);
	key_promise_new(c->auth->promise);
	c->auth->next = read_cached;
	c->auth->cached = key_cache_ask(redis, c->auth->hash, c->auth->promise);
	flow_then(f, api_authenticate);
	return redis_try(c->auth->cached, f);
}

static enum flow_next
read_cached(struct flow *f)
{
	struct auth *a = ((struct api_call *)f)->auth;
	const struct reply *rep = redis_reply(a->cached, 0);
	struct key_info key;

	if (redis_call_err(a->cached) == OK && key_cache_read(rep, &key))
		return admit_key(f, &key);
	/* Only who has left a promise may fill the entry. */
	if (redis_call_err(a->cached) != OK || rep == NULL ||
	    rep->type != REPLY_NIL)
		a->promise[0] = '\0';
	return ask_database(f);
}

/* ---- when it was used last: nobody waits for that ---- */
struct touch {
	struct flow flow;
	struct pg *pg;
	struct id key;
};

static flow_step write_use;
static void touch_end(struct flow *, enum err);

static const struct step touch_steps[] = {
	STEP(write_use),
	STEP_LAST,
};

static const struct flow_def touch_flow = {
	.name = "touch",
	.size = sizeof(struct touch),
	.steps = touch_steps,
	.end = touch_end,
};

static enum flow_next
write_use(struct flow *f)
{
	struct touch *t = (struct touch *)f;

	return pg_run(keys_touch(t->pg, &t->key), f);
}

/* If it failed, the next use is soon enough. */
static void
touch_end(struct flow *f, enum err err)
{
	(void)f;
	(void)err;
}

static void
start_touch(struct app *app, const struct id *key)
{
	struct flow *f = flow_new(app->loop, &touch_flow);

	((struct touch *)f)->pg = app->pg;
	((struct touch *)f)->key = *key;
	flow_go(f);
}

static enum flow_next
read_row(struct flow *f)
{
	struct api_call *c = (struct api_call *)f;
	struct auth *a = c->auth;
	struct app *app = api_app(c);
	bool found = pg_rows(a->row) > 0;
	struct key_info key;

	if (found)
		keys_found(a->row, &key);
	if (a->promise[0] != '\0')
		redis_send(key_cache_fill(app->redis[PRIORITY_LOW], a->hash,
		    a->promise, found ? &key : NULL));
	if (found && key.unnoted)
		start_touch(app, &key.id);
	return admit_key(f, found ? &key : NULL);
}

/* ---- the step ---- */
static enum err
read_credential(struct api_call *c, struct credential *ret)
{
	return credential_read(http_header(c->http.req, "Authorization"),
	    http_header(c->http.req, "X-API-Key"), ret, &c->fault);
}

const struct credential *
api_shown(struct api_call *c)
{
	struct arena *a = &c->http.flow.arena;
	struct credential *shown = arena_alloc(a, sizeof(*shown));

	if (read_credential(c, shown) != OK)
		abort();
	shown->text = arena_dup(a, shown->text, strlen(shown->text));
	return shown;
}

enum flow_next
api_authenticate(struct flow *f)
{
	struct api_call *c = (struct api_call *)f;
	struct credential cred;
	enum err err = OK;

	if (c->auth != NULL)
		return c->auth->next(f);
	if (c->shown != NULL)
		cred = *c->shown;
	else
		err = read_credential(c, &cred);
	if (err != OK)
		return flow_check(f, err);
	return cred.kind == CREDENTIAL_TOKEN ? check_token(f, cred.text)
					     : ask_cache(f, cred.text);
}

void
api_check_route(const struct route *r)
{
	const struct step *s = r->flow->steps;

	while (s->run != NULL && s->run != api_authenticate)
		s++;
	assert(r->scope == SCOPE_NONE || s->run == api_authenticate);
	(void)s;
}
