/* Users in PostgreSQL. */
#include <stdio.h>

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

static const struct pg_stmt get_stmt = {
	.name = "user_get",
	.sql = sql_query_user_get,
	.class = PG_READ,
	.ncols = 1,
	.cols = { PG_UUID },
};
static const struct pg_stmt set_disabled_stmt = {
	.name = "user_set_disabled",
	.sql = sql_query_user_set_disabled,
	.class = PG_WRITE,
	.ncols = 2,
	.cols = { PG_UUID, PG_BOOL },
};
static const struct pg_stmt set_password_stmt = {
	.name = "user_set_password",
	.sql = sql_query_user_set_password,
	.class = PG_WRITE,
	.ncols = 3,
	.cols = { PG_UUID, PG_TEXT, PG_TEXT },
};
static const struct pg_stmt changed_stmt = {
	.name = "users_changed",
	.sql = sql_query_users_changed,
	.class = PG_READ,
	.ncols = 3,
	.cols = { PG_INT8, PG_BOOL, PG_INT8 },
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
	ret->created_us = pg_time(c, row, 5);
	ret->disabled_us = pg_time(c, row, 6);
	ret->tokens_after_us = pg_time(c, row, 7);
}

struct pg_call *
users_get(struct pg *pg, const struct id *id)
{
	struct pg_call *c = pg_call_new(pg, &get_stmt);

	pg_put_uuid(c, id);
	return c;
}

struct pg_call *
users_set_disabled(struct pg *pg, const struct id *id, bool disabled)
{
	struct pg_call *c = pg_call_new(pg, &set_disabled_stmt);

	pg_put_uuid(c, id);
	pg_put_int(c, disabled);
	return c;
}

struct pg_call *
users_set_password(struct pg *pg, const struct id *id, const char *new_hash,
    const char *old_hash)
{
	struct pg_call *c = pg_call_new(pg, &set_password_stmt);

	pg_put_uuid(c, id);
	pg_put_str(c, new_hash);
	pg_put_str(c, old_hash);
	return c;
}

struct pg_call *
users_changed(struct pg *pg, int64_t within_ms, bool all, int64_t limit)
{
	struct pg_call *c = pg_call_new(pg, &changed_stmt);

	pg_put_int(c, within_ms);
	pg_put_int(c, all);
	pg_put_int(c, limit);
	return c;
}

void
users_change(const struct pg_call *c, int row, struct user_change *ret)
{
	pg_uuid(c, row, 0, &ret->id);
	ret->disabled = pg_int(c, row, 1) != 0;
	ret->tokens_after_us = pg_time(c, row, 2);
}

/* Whether it is somebody's, only a letter to it would tell. */
bool
user_email_ok(const char *s)
{
	const char *at = strchr(s, '@');
	size_t len = strlen(s);

	if (len < EMAIL_MIN || len > EMAIL_MAX)
		return false;
	if (at == NULL || at == s || at[1] == '\0' ||
	    strchr(at + 1, '@') != NULL)
		return false;
	for (; *s != '\0'; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return true;
}

/* ---- scopes ---- */
static const struct {
	enum scope scope;
	const char *name;
} scopes[] = {
	{ SCOPE_TASKS_READ, "tasks:read" },
	{ SCOPE_TASKS_WRITE, "tasks:write" },
	{ SCOPE_KEYS, "keys" },
	{ SCOPE_ADMIN, "admin" },
};

enum scope
scope_parse(const char *name)
{
	for (size_t i = 0; i < NELEM(scopes); i++)
		if (strcmp(scopes[i].name, name) == 0)
			return scopes[i].scope;
	return SCOPE_NONE;
}

const char *
scope_name(enum scope scope)
{
	for (size_t i = 0; i < NELEM(scopes); i++)
		if (scopes[i].scope == scope)
			return scopes[i].name;
	return NULL;
}

void
scopes_format(unsigned set, char ret[SCOPES_TEXT_SIZE])
{
	size_t n = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < NELEM(scopes); i++)
		if ((set & scopes[i].scope) != 0)
			n += (size_t)snprintf(ret + n, SCOPES_TEXT_SIZE - n,
			    "%s%s", n > 0 ? ", " : "", scopes[i].name);
}
