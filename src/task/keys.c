/* API keys in PostgreSQL, and what they look like. */
#include "base/crypt.h"
#include "sql.h"
#include "task/keys.h"

#define KEY_BYTES 32
#define MARK_LEN (sizeof(KEY_MARK) - 1)

_Static_assert(KEY_TEXT_LEN == MARK_LEN + (KEY_BYTES * 8 + 5) / 6, "all of it");
_Static_assert(KEYS_MAX <= 1000, "one statement reads them all");

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "abcdefghijklmnopqrstuvwxyz"
			      "0123456789-_";

void
key_new(char ret[KEY_TEXT_SIZE])
{
	uint8_t bytes[KEY_BYTES + 1]; /* one of nothing at the end */
	unsigned bit, two;
	size_t i;

	crypt_random(bytes, KEY_BYTES);
	bytes[KEY_BYTES] = 0;
	memcpy(ret, KEY_MARK, MARK_LEN);
	for (i = 0; i < KEY_TEXT_LEN - MARK_LEN; i++) {
		bit = (unsigned)i * 6;
		two = (unsigned)bytes[bit / 8] << 8 | bytes[bit / 8 + 1];
		ret[MARK_LEN + i] = letters[two >> (10 - bit % 8) & 63];
	}
	ret[KEY_TEXT_LEN] = '\0';
	explicit_bzero(bytes, sizeof(bytes));
}

bool
key_ok(const char *text)
{
	return strncmp(text, KEY_MARK, MARK_LEN) == 0 &&
	    strspn(text + MARK_LEN, letters) == KEY_TEXT_LEN - MARK_LEN &&
	    text[KEY_TEXT_LEN] == '\0';
}

void
key_hash(const char *text, char ret[KEY_HASH_SIZE])
{
	static const char hex[] = "0123456789abcdef";
	uint8_t sum[32];

	crypt_sha256(text, strlen(text), sum);
	for (size_t i = 0; i < sizeof(sum); i++) {
		ret[2 * i] = hex[sum[i] >> 4];
		ret[2 * i + 1] = hex[sum[i] & 15];
	}
	ret[KEY_HASH_SIZE - 1] = '\0';
}

void
key_prefix(const char *text, char ret[KEY_PREFIX_SIZE])
{
	memcpy(ret, text, KEY_PREFIX_SIZE - 1);
	ret[KEY_PREFIX_SIZE - 1] = '\0';
}

/* ---- statements ---- */
static const struct pg_stmt insert_stmt = {
	.name = "key_insert",
	.sql = sql_query_key_insert,
	.class = PG_WRITE,
	.ncols = 8,
	.cols = { PG_UUID, PG_UUID, PG_TEXT, PG_TEXT, PG_TEXT, PG_INT4, PG_INT8,
	    PG_INT8 },
};
static const struct pg_stmt list_stmt = {
	.name = "key_list",
	.sql = sql_query_key_list,
	.class = PG_READ,
	.ncols = 2,
	.cols = { PG_UUID, PG_INT8 },
};
static const struct pg_stmt revoke_stmt = {
	.name = "key_revoke",
	.sql = sql_query_key_revoke,
	.class = PG_WRITE,
	.ncols = 2,
	.cols = { PG_UUID, PG_UUID },
};
static const struct pg_stmt forget_stmt = {
	.name = "key_forget",
	.sql = sql_query_key_forget,
	.class = PG_WRITE,
	.ncols = 1,
	.cols = { PG_UUID },
};
static const struct pg_stmt of_user_stmt = {
	.name = "user_keys",
	.sql = sql_query_user_keys,
	.class = PG_READ,
	.ncols = 1,
	.cols = { PG_UUID },
};
static const struct pg_stmt touch_stmt = {
	.name = "key_touch",
	.sql = sql_query_key_touch,
	.class = PG_WRITE,
	.batched = true,
	.ncols = 1,
	.cols = { PG_UUID },
};
static const struct pg_stmt find_stmt = {
	.name = "key_find",
	.sql = sql_query_key_find,
	.class = PG_READ,
	.batched = true,
	.ncols = 1,
	.cols = { PG_TEXT },
};

struct pg_call *
keys_insert(struct pg *pg, const struct key_draft *d)
{
	struct pg_call *c = pg_call_new(pg, &insert_stmt);

	pg_put_uuid(c, &d->id);
	pg_put_uuid(c, &d->user_id);
	pg_put_str(c, d->name);
	pg_put_str(c, d->prefix);
	pg_put_str(c, d->hash);
	pg_put_int(c, (int64_t)d->scopes);
	if (d->days > 0)
		pg_put_int(c, d->days);
	else
		pg_put_null(c);
	pg_put_int(c, KEYS_MAX);
	return c;
}

enum err
keys_inserted(
    const struct pg_call *c, int64_t *ret_created_us, int64_t *ret_expires_us)
{
	int64_t outcome = pg_rows(c) == 0 ? 1 : pg_int(c, 0, 0);

	if (outcome != 0)
		return outcome == 2 ? ERR_CONFLICT : ERR_UNAUTHORIZED;
	*ret_created_us = pg_time(c, 0, 1);
	*ret_expires_us = pg_time(c, 0, 2);
	return OK;
}

struct pg_call *
keys_list(struct pg *pg, const struct id *user)
{
	struct pg_call *c = pg_call_new(pg, &list_stmt);

	pg_put_uuid(c, user);
	pg_put_int(c, KEYS_MAX);
	return c;
}

void
keys_row(const struct pg_call *c, int row, struct key_row *ret)
{
	pg_uuid(c, row, 0, &ret->id);
	ret->prefix = pg_span(c, row, 1);
	ret->name = pg_span(c, row, 2);
	ret->scopes = (unsigned)pg_int(c, row, 3);
	ret->created_us = pg_time(c, row, 4);
	ret->expires_us = pg_time(c, row, 5);
	ret->last_used_us = pg_time(c, row, 6);
}

static struct pg_call *
call_with_id(struct pg *pg, const struct pg_stmt *stmt, const struct id *id)
{
	struct pg_call *c = pg_call_new(pg, stmt);

	pg_put_uuid(c, id);
	return c;
}

struct pg_call *
keys_revoke(struct pg *pg, const struct id *id, const struct id *user)
{
	struct pg_call *c = call_with_id(pg, &revoke_stmt, id);

	pg_put_uuid(c, user);
	return c;
}

struct pg_call *
keys_forget(struct pg *pg, const struct id *id)
{
	return call_with_id(pg, &forget_stmt, id);
}

struct pg_call *
keys_of_user(struct pg *pg, const struct id *user)
{
	return call_with_id(pg, &of_user_stmt, user);
}

struct pg_call *
keys_touch(struct pg *pg, const struct id *id)
{
	return call_with_id(pg, &touch_stmt, id);
}

struct pg_call *
keys_find(struct pg *pg, const char *hash)
{
	struct pg_call *c = pg_call_new(pg, &find_stmt);

	pg_put_str(c, hash);
	return c;
}

void
keys_found(const struct pg_call *c, struct key_info *ret)
{
	pg_uuid(c, 0, 0, &ret->id);
	pg_uuid(c, 0, 1, &ret->user_id);
	ret->scopes = (unsigned)pg_int(c, 0, 2);
	ret->admin = pg_int(c, 0, 3) != 0;
	ret->expires_us = pg_time(c, 0, 4);
	ret->unnoted = pg_int(c, 0, 5) != 0;
}
