/* Rate limits of users, in Redis and in PostgreSQL. */
#include <stdio.h>

#include "sql.h"
#include "task/limit.h"

#define RATE_PREFIX "taskflow:rate:"
#define RATE_KEY_SIZE (sizeof(RATE_PREFIX) + ID_TEXT_LEN)

static struct redis_script charge_script = { "charge", lua_charge, "" };

static const struct pg_stmt get_stmt = {
	.name = "limits_get",
	.sql = sql_query_limits_get,
	.class = PG_READ,
	.ncols = 1,
	.cols = { PG_UUID },
};
static const struct pg_stmt set_stmt = {
	.name = "limits_set",
	.sql = sql_query_limits_set,
	.class = PG_WRITE,
	.ncols = 3,
	.cols = { PG_UUID, PG_TEXT, PG_TEXT },
};
static const struct pg_stmt changed_stmt = {
	.name = "limits_changed",
	.sql = sql_query_limits_changed,
	.class = PG_READ,
	.ncols = 3,
	.cols = { PG_UUID, PG_INT8, PG_INT8 },
};

const char *
limit_name(enum limit_kind kind)
{
	return kind == LIMIT_SUBMIT ? "submit" : "read";
}

struct redis_call *
limit_charge(struct redis *r, const struct id *user, enum limit_kind kind,
    const struct rate *rate, int64_t cost)
{
	struct redis_call *c = redis_call_new(r);
	char key[RATE_KEY_SIZE], text[ID_TEXT_SIZE];

	id_format(user, text);
	snprintf(key, sizeof(key), "%s%s", RATE_PREFIX, text);
	redis_begin_script(c, &charge_script, 1, 5);
	redis_arg_str(c, key);
	redis_arg_str(c, limit_name(kind));
	redis_arg_int(c, cost);
	redis_arg_int(c, rate->count);
	redis_arg_int(c, rate->per_ms);
	redis_arg_int(c, rate->burst);
	return c;
}

bool
limit_charged(const struct redis_call *c, int64_t *ret_used)
{
	const struct reply *rep = redis_reply(c, 0);

	*ret_used = rep->elem[1].integer;
	return rep->elem[0].integer == 1;
}

struct pg_call *
limits_get(struct pg *pg, const struct id *user)
{
	struct pg_call *c = pg_call_new(pg, &get_stmt);

	pg_put_uuid(c, user);
	return c;
}

struct pg_call *
limits_set(
    struct pg *pg, const struct id *user, const char *const rate[LIMIT_KINDS])
{
	struct pg_call *c = pg_call_new(pg, &set_stmt);

	pg_put_uuid(c, user);
	pg_put_str(c, rate[LIMIT_SUBMIT]);
	pg_put_str(c, rate[LIMIT_READ]);
	return c;
}

struct pg_call *
limits_changed(struct pg *pg, const struct id *after, int64_t within_ms)
{
	struct pg_call *c = pg_call_new(pg, &changed_stmt);

	pg_put_uuid(c, after);
	pg_put_int(c, within_ms);
	pg_put_int(c, LIMITS_PAGE);
	return c;
}

void
limits_row(const struct pg_call *c, int row, struct user_limits *ret)
{
	pg_uuid(c, row, 0, &ret->user);
	ret->rate[LIMIT_SUBMIT] = pg_span(c, row, 1);
	ret->rate[LIMIT_READ] = pg_span(c, row, 2);
}
