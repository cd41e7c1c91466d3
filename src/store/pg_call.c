/*
 * A call and its rows. Parameters are encoded at once in the form the wire
 * wants (binary), so that gathering many calls into arrays is copying bytes.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <endian.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pg_private.h"

/* PostgreSQL counts time from 2000-01-01. */
#define PG_EPOCH_US (946684800LL * US_PER_S)
/* Of the rows of one call, together. */
#define CALL_MAX_BYTES (256 * 1024 * 1024)
#define CALL_FIRST_BYTES 500

static const struct {
	Oid oid, array;
} type_oids[] = {
	[PG_BOOL] = { 16, 1000 },
	[PG_INT2] = { 21, 1005 },
	[PG_INT4] = { 23, 1007 },
	[PG_INT8] = { 20, 1016 },
	[PG_TEXT] = { 25, 1009 },
	[PG_JSON] = { 114, 199 },
	[PG_TIME] = { 1184, 1185 },
	[PG_UUID] = { 2950, 2951 },
};

Oid
pg_type_oid(enum pg_type t)
{
	return type_oids[t].oid;
}

Oid
pg_type_array_oid(enum pg_type t)
{
	return type_oids[t].array;
}

struct pg_call *
pg_call_new(struct pg *pg, const struct pg_stmt *stmt)
{
	struct pg_call *c = xcalloc(1, sizeof(*c));

	c->pg = pg;
	c->stmt = stmt;
	c->timeout_ms = pg->timeout_ms;
	buf_init(&c->enc, CALL_MAX_BYTES);
	buf_reserve(&c->enc, CALL_FIRST_BYTES);
	return c;
}

static void
result_unref(struct pg_result *r)
{
	if (r == NULL || --r->refs > 0)
		return;
	PQclear(r->res);
	free(r);
}

void
call_drop_params(struct pg_call *c)
{
	if (c->counted > 0)
		c->pg->bytes -= c->counted;
	c->counted = 0;
	buf_fini(&c->enc);
}

void
call_free(struct pg_call *c)
{
	call_drop_params(c);
	result_unref(c->result);
	free(c);
}

void
pg_call_timeout_ms(struct pg_call *c, int64_t ms)
{
	c->timeout_ms = ms;
}

size_t
pg_call_rows(const struct pg_call *c)
{
	return c->rows;
}

/* ---- putting ---- */
static enum pg_type
next_column(struct pg_call *c)
{
	enum pg_type t = c->stmt->cols[c->col];

	assert(c->state == CALL_NEW);
	if (++c->col == c->stmt->ncols) {
		c->col = 0;
		c->rows++;
	}
	return t;
}

void
pg_put_null(struct pg_call *c)
{
	next_column(c);
	buf_add_be32(&c->enc, (uint32_t)-1);
}

void
pg_put_int(struct pg_call *c, int64_t v)
{
	uint16_t v16;

	switch (next_column(c)) {
	case PG_BOOL:
		buf_add_be32(&c->enc, 1);
		buf_addc(&c->enc, v != 0);
		break;
	case PG_INT2:
		assert(v >= INT16_MIN && v <= INT16_MAX);
		v16 = htons((uint16_t)v);
		buf_add_be32(&c->enc, 2);
		buf_add(&c->enc, &v16, 2);
		break;
	case PG_INT4:
		assert(v >= INT32_MIN && v <= INT32_MAX);
		buf_add_be32(&c->enc, 4);
		buf_add_be32(&c->enc, (uint32_t)v);
		break;
	case PG_INT8:
		buf_add_be32(&c->enc, 8);
		buf_add_be64(&c->enc, (uint64_t)v);
		break;
	default:
		assert(!"column is not an integer");
	}
}

void
pg_put_uuid(struct pg_call *c, const struct id *id)
{
	enum pg_type t = next_column(c);

	assert(t == PG_UUID);
	(void)t;
	buf_add_be32(&c->enc, sizeof(id->b));
	buf_add(&c->enc, id->b, sizeof(id->b));
}

void
pg_put_time(struct pg_call *c, int64_t wall_us)
{
	enum pg_type t = next_column(c);

	assert(t == PG_TIME);
	(void)t;
	buf_add_be32(&c->enc, 8);
	buf_add_be64(&c->enc, (uint64_t)(wall_us - PG_EPOCH_US));
}

void
pg_put_span(struct pg_call *c, struct span s)
{
	enum pg_type t;

	if (s.p == NULL) {
		pg_put_null(c);
		return;
	}
	t = next_column(c);
	assert(t == PG_TEXT || t == PG_JSON);
	(void)t;
	buf_add_be32(&c->enc, (uint32_t)s.len);
	buf_add(&c->enc, s.p, s.len);
}

void
pg_put_str(struct pg_call *c, const char *s)
{
	pg_put_span(c, span_of(s));
}

/* ---- the answer ---- */
enum err
pg_call_err(const struct pg_call *c)
{
	return c->err;
}

const char *
pg_call_sqlstate(const struct pg_call *c)
{
	return c->sqlstate;
}

const char *
pg_call_message(const struct pg_call *c)
{
	return c->message;
}

int
pg_rows(const struct pg_call *c)
{
	return c->nrows;
}

static const char *
cell(const struct pg_call *c, int row, int col, int *ret_len)
{
	const PGresult *r = c->result->res;

	assert(row >= 0 && row < c->nrows);
	row += c->first;
	if (c->stmt->batched)
		col++;
	assert(col < PQnfields(r));
	*ret_len = PQgetlength(r, row, col);
	return PQgetisnull(r, row, col) ? NULL : PQgetvalue(r, row, col);
}

static int64_t
number(const char *p, int len)
{
	uint16_t v16;
	uint32_t v32;
	uint64_t v64;

	switch (len) {
	case 1:
		return *p;
	case 2:
		memcpy(&v16, p, 2);
		return (int16_t)ntohs(v16);
	case 4:
		memcpy(&v32, p, 4);
		return (int32_t)ntohl(v32);
	case 8:
		memcpy(&v64, p, 8);
		return (int64_t)be64toh(v64);
	default:
		assert(!"not an integer");
		return 0;
	}
}

int
pg_row_input(const struct pg_call *c, int row)
{
	const char *p;
	int len;

	assert(c->stmt->batched);
	p = cell(c, row, -1, &len);
	return (int)(number(p, len) - 1 - (int64_t)c->input_first);
}

bool
pg_is_null(const struct pg_call *c, int row, int col)
{
	int len;

	return cell(c, row, col, &len) == NULL;
}

int64_t
pg_int(const struct pg_call *c, int row, int col)
{
	int len;
	const char *p = cell(c, row, col, &len);

	return p == NULL ? 0 : number(p, len);
}

int64_t
pg_time(const struct pg_call *c, int row, int col)
{
	int len;
	const char *p = cell(c, row, col, &len);

	return p == NULL ? 0 : number(p, len) + PG_EPOCH_US;
}

struct span
pg_span(const struct pg_call *c, int row, int col)
{
	int len;
	const char *p = cell(c, row, col, &len);

	return (struct span){ p, p == NULL ? 0 : (size_t)len };
}

void
pg_uuid(const struct pg_call *c, int row, int col, struct id *ret)
{
	int len;
	const char *p = cell(c, row, col, &len);

	if (p == NULL) {
		memset(ret, 0, sizeof(*ret));
		return;
	}
	assert(len == (int)sizeof(ret->b));
	memcpy(ret->b, p, sizeof(ret->b));
}
