/*
 * A segment: statements of gathered calls, sent together and followed by one
 * Sync, which makes them one transaction. What a statement said before the
 * Sync was answered is not yet true, so answers are kept until then.
 */
#include <arpa/inet.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "pg_private.h"

/* What a SQLSTATE means for the calls of the segment. */
enum refusal {
	REFUSED_DATA, /* some row is bad: find it */
	REFUSED_TRY_AGAIN, /* deadlock, serialization: the same again */
	REFUSED_LOCKED, /* somebody has locked a row for long: whose is it? */
	REFUSED_TIMEOUT, /* ran too long, rolled back */
	REFUSED_UNAVAILABLE, /* the server is in no state to serve */
	REFUSED_BUG /* our statement is wrong */
};

void
segment_init(struct pg_segment *s, enum pg_class class)
{
	memset(s, 0, sizeof(*s));
	s->class = class;
}

bool
segment_empty(const struct pg_segment *s)
{
	return s->ncalls == 0;
}

static struct pg_group *
group_of(struct pg_segment *s, const struct pg_stmt *stmt)
{
	struct pg_group *g;
	int i;

	for (i = 0; stmt->batched && i < s->ngroups; i++)
		if (s->groups[i].stmt == stmt)
			return &s->groups[i];
	if (s->ngroups == SEGMENT_MAX_GROUPS)
		return NULL;
	g = &s->groups[s->ngroups++];
	*g = (struct pg_group){ .stmt = stmt };
	TAILQ_INIT(&g->calls);
	return g;
}

bool
segment_add(struct pg_segment *s, struct pg_call *c)
{
	struct pg_group *g;

	assert(c->col == 0 && c->rows > 0);
	assert(c->stmt->batched || c->rows == 1);
	if (s->alone || (s->ncalls > 0 && c->stmt->alone))
		return false;
	if (s->ncalls > 0 &&
	    (s->rows + c->rows > SEGMENT_MAX_ROWS ||
		s->bytes + c->enc.len > SEGMENT_MAX_BYTES))
		return false;
	g = group_of(s, c->stmt);
	if (g == NULL)
		return false;
	c->state = CALL_SENT;
	s->alone = c->stmt->alone;
	if (s->ncalls == 0 || c->deadline_us < s->deadline_us)
		s->deadline_us = c->deadline_us;
	c->input_first = g->rows;
	TAILQ_INSERT_TAIL(&g->calls, c, link);
	g->rows += c->rows;
	s->rows += c->rows;
	s->bytes += c->enc.len;
	s->ncalls++;
	return true;
}

/* ---- sending ---- */
struct params {
	Oid types[PG_MAX_COLS + 2];
	const char *values[PG_MAX_COLS + 2];
	int lengths[PG_MAX_COLS + 2];
	int formats[PG_MAX_COLS + 2];
	int n;
};

static void
add_param(struct params *p, Oid type, const char *value, int len)
{
	p->types[p->n] = type;
	p->values[p->n] = value;
	p->lengths[p->n] = len;
	p->formats[p->n] = 1;
	p->n++;
}

static int32_t
element_len(const char *e)
{
	uint32_t n;

	memcpy(&n, e, 4);
	return (int32_t)ntohl(n);
}

/* Header of a one-dimensional array (array_recv in PostgreSQL's source). */
static void
array_begin(struct buf *b, enum pg_type t, size_t n)
{
	buf_clear(b);
	buf_add_be32(b, 1);
	buf_add_be32(b, 0);
	buf_add_be32(b, pg_type_oid(t));
	buf_add_be32(b, (uint32_t)n);
	buf_add_be32(b, 1);
}

static void
array_has_null(struct buf *b)
{
	uint32_t yes = htonl(1);

	memcpy(b->data + 4, &yes, 4);
}

struct bounds {
	const char *least, *greatest;
};

static void
widen(struct bounds *b, const char *uuid)
{
	if (b->least == NULL || memcmp(uuid, b->least, 16) < 0)
		b->least = uuid;
	if (b->greatest == NULL || memcmp(uuid, b->greatest, 16) > 0)
		b->greatest = uuid;
}

/* Deal the rows of one call out to the column arrays. */
static void
deal(const struct pg_call *c, struct buf *cols, struct bounds *bounds)
{
	const struct pg_stmt *stmt = c->stmt;
	const char *e = c->enc.data;
	const char *end = e + c->enc.len;
	int32_t len;
	int col = 0;

	while (e < end) {
		len = element_len(e);
		if (len < 0)
			array_has_null(&cols[col]);
		else if (col + 1 == stmt->bounds)
			widen(bounds, e + 4);
		len = len < 0 ? 4 : len + 4;
		buf_add(&cols[col], e, (size_t)len);
		e += len;
		if (++col == stmt->ncols)
			col = 0;
	}
}

static void
batched_params(struct pg_group *g, struct buf *cols, struct params *p)
{
	const struct pg_stmt *stmt = g->stmt;
	struct bounds bounds = { NULL, NULL };
	struct pg_call *c;
	int i;

	for (i = 0; i < stmt->ncols; i++)
		array_begin(&cols[i], stmt->cols[i], g->rows);
	TAILQ_FOREACH (c, &g->calls, link)
		deal(c, cols, &bounds);
	for (i = 0; i < stmt->ncols; i++)
		add_param(p, pg_type_array_oid(stmt->cols[i]), cols[i].data,
		    (int)cols[i].len);
	if (stmt->bounds > 0) {
		add_param(p, pg_type_oid(PG_UUID), bounds.least, 16);
		add_param(p, pg_type_oid(PG_UUID), bounds.greatest, 16);
	}
}

static void
plain_params(struct pg_group *g, struct params *p)
{
	const struct pg_call *c = TAILQ_FIRST(&g->calls);
	const char *e = c->enc.data;
	int32_t len;
	int i;

	for (i = 0; i < g->stmt->ncols; i++) {
		len = element_len(e);
		add_param(p, pg_type_oid(g->stmt->cols[i]),
		    len < 0 ? NULL : e + 4, len < 0 ? 0 : len);
		e += len < 0 ? 4 : len + 4;
	}
}

bool
segment_send(struct pg_segment *s, PGconn *pgc, struct buf *cols)
{
	struct pg_group *g;
	struct params p;
	int i;

	for (i = 0; i < s->ngroups; i++) {
		g = &s->groups[i];
		p.n = 0;
		if (g->stmt->batched)
			batched_params(g, cols, &p);
		else
			plain_params(g, &p);
		if (!PQsendQueryParams(pgc, g->stmt->sql, p.n, p.types,
			p.values, p.lengths, p.formats, 1))
			return false;
	}
	s->sent_us = clock_mono_us();
	return PQpipelineSync(pgc) == 1;
}

/* ---- answers ---- */
void
segment_result(struct pg_segment *s, PGresult *r)
{
	struct pg_group *g = &s->groups[s->answered];
	ExecStatusType st = PQresultStatus(r);
	const char *state, *text;

	assert(s->answered < s->ngroups);
	if (st == PGRES_TUPLES_OK || st == PGRES_COMMAND_OK) {
		PQclear(g->res);
		g->res = r;
		return;
	}
	if (st != PGRES_PIPELINE_ABORTED && s->sqlstate[0] == '\0') {
		state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
		text = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
		snprintf(s->sqlstate, sizeof(s->sqlstate), "%s",
		    state != NULL ? state : "08006");
		snprintf(s->message, sizeof(s->message), "%s",
		    text != NULL ? text : PQresultErrorMessage(r));
		g->failed = true;
	}
	PQclear(r);
}

/* Give each call its own rows: they come ordered by the ordinal. */
static void
distribute(struct pg_group *g)
{
	struct pg_result *shared = xcalloc(1, sizeof(*shared));
	struct pg_call *c, *next;
	int row = 0, total = PQntuples(g->res);
	uint64_t ord, last = 0;

	shared->res = g->res;
	shared->refs = 1;
	g->res = NULL;
	TAILQ_FOREACH_SAFE (c, &g->calls, link, next) {
		TAILQ_REMOVE(&g->calls, c, link);
		c->result = shared;
		shared->refs++;
		c->first = row;
		while (row < total && g->stmt->batched) {
			memcpy(&ord, PQgetvalue(shared->res, row, 0), 8);
			ord = be64toh(ord);
			assert(ord >= last);
			last = ord;
			if (ord > c->input_first + c->rows)
				break;
			row++;
		}
		c->nrows = g->stmt->batched ? row - c->first : total;
		pg_finish(c, OK, "", "");
	}
	assert(!g->stmt->batched || row == total);
	if (--shared->refs == 0) {
		PQclear(shared->res);
		free(shared);
	}
}

static enum refusal
classify(const char *state)
{
	if (strncmp(state, "22", 2) == 0 || strncmp(state, "23", 2) == 0)
		return REFUSED_DATA;
	if (strncmp(state, "40", 2) == 0)
		return REFUSED_TRY_AGAIN;
	if (strcmp(state, "55P03") == 0) /* not within lock_timeout */
		return REFUSED_LOCKED;
	if (strcmp(state, "57014") == 0) /* cancelled by its time-out */
		return REFUSED_TIMEOUT;
	if (strncmp(state, "08", 2) == 0 || strncmp(state, "53", 2) == 0 ||
	    strncmp(state, "57P", 3) == 0 || strncmp(state, "58", 2) == 0 ||
	    strcmp(state, "25006") == 0)
		return REFUSED_UNAVAILABLE;
	return REFUSED_BUG;
}

static void
finish_all(struct call_list *l, enum err err, const struct pg_segment *s)
{
	struct pg_call *c;

	while ((c = TAILQ_FIRST(l)) != NULL) {
		TAILQ_REMOVE(l, c, link);
		pg_finish(c, err, s->sqlstate, s->message);
	}
}

/* Every call of the segment, in the order of its statements. */
static void
take_calls(struct pg_segment *s, struct call_list *ret)
{
	int i;

	TAILQ_INIT(ret);
	for (i = 0; i < s->ngroups; i++) {
		PQclear(s->groups[i].res);
		s->groups[i].res = NULL;
		TAILQ_CONCAT(ret, &s->groups[i].calls, link);
	}
}

/* One of several calls holds data that PostgreSQL refuses, or waits for a row:
 * try both halves on their own, until the culprit stands alone. */
static void
split(struct pg_segment *s, struct pg *pg, enum err err)
{
	struct call_list all, half;
	struct pg_call *c;
	size_t i, n = s->ncalls;

	take_calls(s, &all);
	if (n == 1) {
		finish_all(&all, err, s);
		return;
	}
	TAILQ_INIT(&half);
	for (i = 0; i < n / 2; i++) {
		c = TAILQ_FIRST(&all);
		TAILQ_REMOVE(&all, c, link);
		TAILQ_INSERT_TAIL(&half, c, link);
	}
	pg_push_part(pg, s->class, &half);
	pg_push_part(pg, s->class, &all);
}

/* False: the server is in no state to serve, so the connection should go. */
static bool
refused(struct pg_segment *s, struct pg *pg)
{
	enum refusal why = classify(s->sqlstate);
	struct call_list all;
	int i;

	switch (why) {
	case REFUSED_DATA:
		split(s, pg, ERR_DATA);
		return true;
	case REFUSED_LOCKED:
		split(s, pg, ERR_TIMEOUT);
		return true;
	case REFUSED_TIMEOUT:
		take_calls(s, &all);
		finish_all(&all, ERR_TIMEOUT, s);
		return true;
	case REFUSED_BUG:
		for (i = 0; i < s->ngroups; i++)
			if (s->groups[i].failed)
				finish_all(
				    &s->groups[i].calls, ERR_INTERNAL, s);
		break;
	case REFUSED_UNAVAILABLE:
	case REFUSED_TRY_AGAIN:
		break;
	}
	pg_note_error(pg, s->message);
	take_calls(s, &all);
	pg_requeue(pg, &all);
	return why != REFUSED_UNAVAILABLE;
}

bool
segment_done(struct pg_segment *s, struct pg *pg)
{
	int i;

	if (s->sqlstate[0] != '\0')
		return refused(s, pg);
	for (i = 0; i < s->ngroups; i++)
		distribute(&s->groups[i]);
	return true;
}

void
segment_lost(struct pg_segment *s, struct pg *pg)
{
	struct call_list all;

	take_calls(s, &all);
	pg_requeue(pg, &all);
}
