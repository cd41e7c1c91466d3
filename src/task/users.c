/* Users in PostgreSQL. */
#include "sql.h"
#include "task/users.h"

static const struct pg_stmt insert_stmt = {
	.name = "user_insert",
	.sql = sql_query_user_insert,
	.class = PG_WRITE,
	.ncols = 5,
	.cols = { PG_UUID, PG_TEXT, PG_TEXT, PG_TEXT, PG_TEXT },
};
static const struct pg_stmt find_stmt = {
	.name = "user_find",
	.sql = sql_query_user_find,
	.class = PG_READ,
	.ncols = 1,
	.cols = { PG_TEXT },
};

struct pg_call *
users_insert(struct pg *pg, const struct id *id, const char *email,
    const char *username, const char *password_hash, const char *role)
{
	struct pg_call *c = pg_call_new(pg, &insert_stmt);

	pg_put_uuid(c, id);
	pg_put_str(c, email);
	pg_put_str(c, username);
	pg_put_str(c, password_hash);
	pg_put_str(c, role);
	return c;
}

bool
users_inserted(const struct pg_call *c, int64_t *ret_created_us)
{
	if (pg_rows(c) == 0)
		return false;
	*ret_created_us = pg_time(c, 0, 1);
	return true;
}

struct pg_call *
users_find(struct pg *pg, const char *login)
{
	struct pg_call *c = pg_call_new(pg, &find_stmt);

	pg_put_str(c, login);
	return c;
}

void
users_row(const struct pg_call *c, int row, struct user_row *ret)
{
	pg_uuid(c, row, 0, &ret->id);
	ret->email = pg_span(c, row, 1);
	ret->username = pg_span(c, row, 2);
	ret->password_hash = pg_span(c, row, 3);
	ret->role = pg_span(c, row, 4);
}
