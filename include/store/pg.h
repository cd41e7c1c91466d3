#ifndef TASKFLOW_STORE_PG_H
#define TASKFLOW_STORE_PG_H

/*
 * PostgreSQL through PgBouncer (transaction pooling), asynchronously.
 *
 * Calls of concurrent flows are gathered into segments: while one is in
 * flight new calls queue up, and the next segment takes them all, one
 * statement over unnest(...) arrays for each kind (self-clocking: one alone
 * goes at once, a thousand go together). A segment is one implicit transaction
 * with exactly ONE Sync, and nothing more is sent on that connection until its
 * answer was read: PgBouncer before 1.21 mixes up answers otherwise. Unnamed
 * statements only.
 *
 * A call succeeds only after the commit is known. A lost connection leaves the
 * outcome unknown: the call is sent again until its deadline, so EVERY
 * statement must be idempotent (client-made ids with ON CONFLICT, or
 * compare-and-set). Data errors (SQLSTATE class 22, 23) of a gathered segment
 * are found by splitting it in halves; only the culprit gets ERR_DATA.
 */
#include "base/id.h"
#include "loop/flow.h"
#include "loop/thread.h"

#define PG_MAX_COLS	20

enum pg_type {			/* wire types; int64 in the API where numeric */
	PG_BOOL, PG_INT2, PG_INT4, PG_INT8, PG_TEXT, PG_JSON, PG_TIME, PG_UUID
};

enum pg_class { PG_READ, PG_WRITE };	/* share a segment with their like only */

/*
 * One statement. Batched ones take one array parameter per column and unnest
 * them WITH ORDINALITY; each result row begins with that ordinal (int8), and
 * rows come ordered by it, so that every call gets its own rows. A batched
 * statement with `bounds` gets two more uuid parameters, the least and the
 * greatest value of that column (1-based), so that the planner can leave out
 * partitions. Statements that are not batched take plain parameters.
 */
struct pg_stmt {
	const char   *name;		/* for logs and metrics */
	const char   *sql;
	enum pg_class class;
	bool	      batched;
	bool	      alone;		/* never in one transaction with others */
	int	      bounds;
	int	      ncols;
	enum pg_type  cols[PG_MAX_COLS];
};

struct pg_conf {
	const char *url;		/* postgresql://user:pw@host:port/db */
	int	    connections;	/* at least 2 */
	int64_t	    timeout_ms;		/* of a call, from pg_run to its answer */
	const char *application_name;
};

struct pg;
struct pg_call;

/* Connects in the background and for ever. NULL: the URL is unusable, one line
 * in err. */
struct pg *pg_open(struct loop *, struct thread_pool *, const struct pg_conf *,
    char *err, size_t err_size);
void pg_close(struct pg *);
/* At least one connection is logged in (which does not mean that PostgreSQL
 * answers: that needs a statement). */
bool pg_is_up(const struct pg *);
/* Why it is not; one line, static or owned by pg. */
const char *pg_last_error(const struct pg *);
/* Microseconds of the last segment from send to commit; 0: none yet. */
int64_t pg_last_segment_us(const struct pg *);
/* Segments and calls since the start; for tests of the gathering. */
void pg_counts(const struct pg *, uint64_t *ret_segments, uint64_t *ret_calls);

/* ---- making a call: put the columns in order, row after row ---- */
struct pg_call *pg_call_new(struct pg *, const struct pg_stmt *);
void pg_put_int(struct pg_call *, int64_t);	/* also for BOOL */
void pg_put_uuid(struct pg_call *, const struct id *);
void pg_put_time(struct pg_call *, int64_t wall_us);
void pg_put_span(struct pg_call *, struct span);	/* TEXT, JSON */
void pg_put_str(struct pg_call *, const char *);	/* NULL: SQL null */
void pg_put_null(struct pg_call *);
size_t pg_call_rows(const struct pg_call *);	/* rows put so far */
/* Longer or shorter than the pool's timeout. */
void pg_call_timeout_ms(struct pg_call *, int64_t ms);

/*
 * Waits. Consumes the call: it lives in the flow's arena from here on, and so
 * do its rows. In the next step the call's results can be read.
 * Ends with: ERR_DATA, ERR_TIMEOUT (a statement ran too long), ERR_UNAVAILABLE
 * (no answer before the deadline; for a write the outcome is unknown),
 * ERR_OVERLOADED (too many calls wait), ERR_INTERNAL (our SQL is wrong).
 */
enum flow_next pg_run(struct pg_call *, struct flow *) MUST_USE;
/* The same, but errors other than OK do not end the flow: the next step runs
 * and looks at pg_call_err. */
enum flow_next pg_try(struct pg_call *, struct flow *) MUST_USE;
enum err pg_call_err(const struct pg_call *);
/* SQLSTATE and message of the refusal, "" if there is none. */
const char *pg_call_sqlstate(const struct pg_call *);
const char *pg_call_message(const struct pg_call *);

/* ---- results: of this call alone. Columns of batched statements count from
 * the first one after the ordinal. ---- */
int pg_rows(const struct pg_call *);
/* Which of the call's input rows (from 0) result row i belongs to. */
int pg_row_input(const struct pg_call *, int row);
bool pg_is_null(const struct pg_call *, int row, int col);
int64_t pg_int(const struct pg_call *, int row, int col);   /* bool, int2..8; null: 0 */
int64_t pg_time(const struct pg_call *, int row, int col);  /* wall us; null: 0 */
struct span pg_span(const struct pg_call *, int row, int col); /* null: p NULL */
void pg_uuid(const struct pg_call *, int row, int col, struct id *ret);

#endif
