/* GET and PUT /users/{id}/limits: what an administrator lets a user do. */
#include "api.h"
#include "charge.h"
#include "doc.h"
#include "task/limit.h"

struct limits_call {
	struct api_call call;
	struct id user;
	const char *rate[LIMIT_KINDS]; /* NULL: the default's */
	struct pg_call *row;
};

static flow_step find_user, parse_limits, read_limits, write_limits,
    check_found;
static void limits_end(struct flow *, enum err);

static const struct step get_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(find_user),
	STEP(read_limits),
	STEP(check_found),
	STEP_LAST,
};

const struct flow_def limits_get_flow = {
	.name = "limits_get",
	.size = sizeof(struct limits_call),
	.steps = get_steps,
	.end = limits_end,
};

static const struct step put_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(find_user),
	STEP(parse_limits),
	STEP(write_limits),
	STEP(check_found),
	STEP_LAST,
};

const struct flow_def limits_put_flow = {
	.name = "limits_put",
	.size = sizeof(struct limits_call),
	.steps = put_steps,
	.end = limits_end,
};

/* ---- what is sent ---- */
static bool
take_rate(const struct jsn_value *v, struct arena *a, const char **ret)
{
	const char *text, *why;
	struct rate rate;
	char *to;

	*ret = NULL;
	if (v->type == JSN_NULL)
		return true;
	if (!input_str(v, 1, 64, a, &text) || !rate_parse(text, &rate, &why))
		return false;
	to = arena_alloc(a, RATE_TEXT_SIZE);
	rate_format(&rate, to);
	*ret = to;
	return true;
}

static bool
take_submit(void *to, const struct jsn_value *v, struct arena *a)
{
	return take_rate(v, a, &((struct limits_call *)to)->rate[LIMIT_SUBMIT]);
}

static bool
take_read(void *to, const struct jsn_value *v, struct arena *a)
{
	return take_rate(v, a, &((struct limits_call *)to)->rate[LIMIT_READ]);
}

#define A_RATE                                                   \
	"null for the default, \"off\", or a number and a unit " \
	"(s, min, h, d) such as \"100/s\" or \"6000/min burst 100\""
#define S_RATE                                                      \
	"{\"type\":[\"string\",\"null\"],\"minLength\":1,"          \
	"\"maxLength\":64,\"pattern\":\"^(off|0|[0-9]+/(s|min|h|d)" \
	"( burst [0-9]+)?)$\",\"example\":\"6000/min burst 100\"}"
static const struct input_member members[] = {
	{ .name = "submit",
	    .allowed = A_RATE,
	    .schema = S_RATE,
	    .take = take_submit },
	{ .name = "read",
	    .allowed = A_RATE,
	    .schema = S_RATE,
	    .take = take_read },
};

const struct input_table limits_input = { members, NELEM(members) };

/* ---- steps ---- */
static enum flow_next
find_user(struct flow *f)
{
	struct limits_call *k = (struct limits_call *)f;
	const char *text = http_param(k->call.http.req, "id");

	if (!id_parse(text, strlen(text), &k->user))
		return flow_check(f, ERR_NOT_FOUND);
	http_note_id(k->call.http.req, "of_user", &k->user);
	return FLOW_NEXT;
}

/* The whole: what is absent is null. */
static enum flow_next
parse_limits(struct flow *f)
{
	struct limits_call *k = (struct limits_call *)f;
	struct api_call *c = &k->call;
	enum err err = http_expect_json(c->http.req, &c->fault);

	if (err == OK)
		err = input_parse(http_body(c->http.req), members,
		    NELEM(members), k, &f->arena, &c->fault);
	return flow_check(f, err);
}

static enum flow_next
read_limits(struct flow *f)
{
	struct limits_call *k = (struct limits_call *)f;

	k->row = limits_get(api_app(&k->call)->pg, &k->user);
	return pg_run(k->row, f);
}

static enum flow_next
write_limits(struct flow *f)
{
	struct limits_call *k = (struct limits_call *)f;

	k->row = limits_set(api_app(&k->call)->pg, &k->user, k->rate);
	return pg_run(k->row, f);
}

static enum flow_next
check_found(struct flow *f)
{
	struct limits_call *k = (struct limits_call *)f;

	return flow_check(f, pg_rows(k->row) > 0 ? OK : ERR_NOT_FOUND);
}

static void
limits_end(struct flow *f, enum err err)
{
	struct limits_call *k = (struct limits_call *)f;
	struct user_limits row;
	char id[ID_TEXT_SIZE];
	struct buf body;
	struct jsn_w w;

	if (err != OK) {
		api_refuse(&k->call, err);
		return;
	}
	limits_row(k->row, 0, &row);
	id_format(&row.user, id);
	api_body_init(&body);
	jsn_w_init(&w, &body);
	jsn_w_open(&w, '{');
	jsn_w_key(&w, "user_id");
	jsn_w_strz(&w, id);
	for (int i = 0; i < LIMIT_KINDS; i++) {
		jsn_w_key(&w, limit_name((enum limit_kind)i));
		if (row.rate[i].p == NULL)
			jsn_w_null(&w);
		else
			jsn_w_str(&w, row.rate[i].p, row.rate[i].len);
	}
	jsn_w_close(&w, '}');
	api_reply(&k->call, 200, &body);
}
