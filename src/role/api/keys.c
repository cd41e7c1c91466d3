/* POST /api-keys: a new key, shown this once; GET /api-keys: what there are. */
#include "api.h"
#include "call.h"
#include "charge.h"
#include "doc.h"
#include "task/keys.h"

#define SCOPES_MAX 16

struct key_create {
	struct api_call call;
	struct key_draft draft;
	char text[KEY_TEXT_SIZE], prefix[KEY_PREFIX_SIZE], hash[KEY_HASH_SIZE];
	struct pg_call *insert;
	int64_t created_us, expires_us;
};

static flow_step parse_key, check_grant, insert_key, check_inserted;
static void create_end(struct flow *, enum err);

static const struct step create_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(parse_key),
	STEP(check_grant),
	STEP(insert_key),
	STEP(check_inserted),
	STEP_LAST,
};

const struct flow_def key_create_flow = {
	.name = "key_create",
	.size = sizeof(struct key_create),
	.steps = create_steps,
	.end = create_end,
};

/* ---- what is sent ---- */
static bool
take_name(void *to, const struct jsn_value *v, struct arena *a)
{
	struct key_create *k = to;

	return input_str(v, 1, KEY_NAME_MAX, a, &k->draft.name);
}

static bool
take_scopes(void *to, const struct jsn_value *v, struct arena *a)
{
	struct key_create *k = to;
	struct jsn_value *item;
	struct fault unused;
	const char *name;
	enum scope one;
	size_t i, n;

	if (v->type != JSN_ARRAY ||
	    jsn_array(v->text, a, SCOPES_MAX, &item, &n, &unused) != OK)
		return false;
	for (i = 0; i < n; i++) {
		if (!input_str(&item[i], 1, SCOPES_TEXT_SIZE, a, &name))
			return false;
		one = scope_parse(name);
		if (one == SCOPE_NONE)
			return false;
		k->draft.scopes |= one;
	}
	return n > 0;
}

static bool
take_days(void *to, const struct jsn_value *v, struct arena *a)
{
	struct key_create *k = to;

	(void)a;
	return v->type == JSN_NULL ||
	    input_int(v, 1, KEY_DAYS_MAX, &k->draft.days);
}

static const struct input_member members[] = {
	{ .name = "name",
	    .allowed = "a string of 1 to 100 bytes without U+0000",
	    .schema = "{\"type\":\"string\",\"minLength\":1,\"maxLength\":100}",
	    .take = take_name,
	    .required = true },
	{ .name = "scopes",
	    .allowed = "an array of one or more of \"tasks:read\", "
		       "\"tasks:write\", \"keys\", \"admin\"",
	    .schema = "{\"type\":\"array\",\"minItems\":1,\"maxItems\":16,"
		      "\"items\":" S_SCOPE "}",
	    .take = take_scopes,
	    .required = true },
	{ .name = "expires_in_days",
	    .allowed = "an integer from 1 to 3650, or null for never",
	    .schema = "{\"type\":[\"integer\",\"null\"],\"minimum\":1,"
		      "\"maximum\":3650}",
	    .take = take_days },
};

const struct input_table key_input = { members, NELEM(members) };

/* ---- steps ---- */
static enum flow_next
parse_key(struct flow *f)
{
	struct key_create *k = (struct key_create *)f;
	struct http_req *req = k->call.http.req;
	enum err err = http_expect_json(req, &k->call.fault);

	if (err == OK)
		err = input_parse(http_body(req), members, NELEM(members), k,
		    &f->arena, &k->call.fault);
	return flow_check(f, err);
}

/* Nobody grants what he does not have: else a key that may make keys might do
 * everything. */
static enum flow_next
check_grant(struct flow *f)
{
	struct key_create *k = (struct key_create *)f;
	unsigned excess = k->draft.scopes & ~k->call.caller.scopes;
	char text[SCOPES_TEXT_SIZE];

	if (excess == 0)
		return FLOW_NEXT;
	scopes_format(excess, text);
	return flow_check(f,
	    fault_set(&k->call.fault, ERR_FORBIDDEN, "",
		"a key cannot have a scope that its maker has not: %s", text));
}

static enum flow_next
insert_key(struct flow *f)
{
	struct key_create *k = (struct key_create *)f;

	id_new(&k->draft.id);
	key_new(k->text);
	key_hash(k->text, k->hash);
	key_prefix(k->text, k->prefix);
	k->draft.user_id = k->call.caller.user_id;
	k->draft.prefix = k->prefix;
	k->draft.hash = k->hash;
	k->insert = keys_insert(api_app(&k->call)->pg, &k->draft);
	return pg_run(k->insert, f);
}

static enum flow_next
check_inserted(struct flow *f)
{
	struct key_create *k = (struct key_create *)f;
	enum err err = keys_inserted(k->insert, &k->created_us, &k->expires_us);

	if (err == ERR_CONFLICT)
		fault_set(&k->call.fault, err, "",
		    "there are %d keys already, which is as many as a user may "
		    "have: delete one",
		    KEYS_MAX);
	if (err == ERR_UNAUTHORIZED)
		fault_set(&k->call.fault, err, "",
		    "the user of these credentials is disabled, or gone");
	if (err == OK)
		http_note_id(k->call.http.req, "key", &k->draft.id);
	return flow_check(f, err);
}

/* ---- the answers ---- */
static void
put_time(struct jsn_w *w, const char *name, int64_t wall_us)
{
	jsn_w_key(w, name);
	if (wall_us == 0)
		jsn_w_null(w);
	else
		jsn_w_time(w, wall_us);
}

/* text: the key itself; NULL: it is not known any more. */
static void
put_key(struct jsn_w *w, const struct key_row *k, const char *text)
{
	char id[ID_TEXT_SIZE];

	id_format(&k->id, id);
	jsn_w_open(w, '{');
	jsn_w_key(w, "id");
	jsn_w_strz(w, id);
	if (text != NULL) {
		jsn_w_key(w, "key");
		jsn_w_strz(w, text);
	}
	jsn_w_key(w, "prefix");
	jsn_w_str(w, k->prefix.p, k->prefix.len);
	jsn_w_key(w, "name");
	jsn_w_str(w, k->name.p, k->name.len);
	jsn_w_key(w, "scopes");
	api_put_scopes(w, k->scopes);
	put_time(w, "created_at", k->created_us);
	put_time(w, "expires_at", k->expires_us);
	put_time(w, "last_used_at", k->last_used_us);
	jsn_w_close(w, '}');
}

static void
create_end(struct flow *f, enum err err)
{
	struct key_create *k = (struct key_create *)f;
	const struct key_row row = { .id = k->draft.id,
		.scopes = k->draft.scopes,
		.created_us = k->created_us,
		.expires_us = k->expires_us,
		.prefix = span_of(k->prefix),
		.name = span_of(k->draft.name) };
	struct buf body;
	struct jsn_w w;

	if (err != OK) {
		api_refuse(&k->call, err);
	} else {
		api_body_init(&body);
		jsn_w_init(&w, &body);
		put_key(&w, &row, k->text);
		api_reply(&k->call, 201, &body);
	}
	explicit_bzero(k->text, sizeof(k->text));
}

/* ---- GET ---- */
struct key_list {
	struct api_call call;
	struct pg_call *rows;
};

static flow_step read_keys;
static void list_end(struct flow *, enum err);

static const struct step list_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(read_keys),
	STEP_LAST,
};

const struct flow_def key_list_flow = {
	.name = "key_list",
	.size = sizeof(struct key_list),
	.steps = list_steps,
	.end = list_end,
};

static enum flow_next
read_keys(struct flow *f)
{
	struct key_list *l = (struct key_list *)f;

	l->rows = keys_list(api_app(&l->call)->pg, &l->call.caller.user_id);
	return pg_run(l->rows, f);
}

static void
list_end(struct flow *f, enum err err)
{
	struct key_list *l = (struct key_list *)f;
	struct key_row row;
	struct buf body;
	struct jsn_w w;
	int i;

	if (err != OK) {
		api_refuse(&l->call, err);
		return;
	}
	api_body_init(&body);
	jsn_w_init(&w, &body);
	jsn_w_open(&w, '{');
	jsn_w_key(&w, "items");
	jsn_w_open(&w, '[');
	for (i = 0; i < pg_rows(l->rows); i++) {
		keys_row(l->rows, i, &row);
		put_key(&w, &row, NULL);
	}
	jsn_w_close(&w, ']');
	jsn_w_close(&w, '}');
	api_reply(&l->call, 200, &body);
}
