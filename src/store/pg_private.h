#ifndef TASKFLOW_STORE_PG_PRIVATE_H
#define TASKFLOW_STORE_PG_PRIVATE_H

/*
 * What the parts of the PostgreSQL client share: the pool (pg.c), what goes
 * when (pg_dispatch.c), a connection
 * (pg_conn.c), a segment (pg_segment.c), a call and its rows (pg_call.c).
 */
#include <libpq-fe.h>
#include <sys/queue.h>

#include "base/metric.h"
#include "store/pg.h"

/* Bounds of one segment: larger ones gain nothing and delay their callers. */
#define SEGMENT_MAX_ROWS 1000
#define SEGMENT_MAX_BYTES (4 * 1024 * 1024)
#define SEGMENT_MAX_GROUPS 8
/* Calls that may wait for a segment before new ones are refused. */
#define PG_MAX_WAITING 20000
/* Of the parameters of all calls without an answer. */
#define PG_MAX_BYTES (128 * 1024 * 1024)
/* How often those that wait are asked whether their time is over. */
#define EXPIRY_MS 100

/* A result that several calls share. */
struct pg_result {
	PGresult *res;
	unsigned refs;
};

enum call_state { CALL_NEW, CALL_QUEUED, CALL_SENT, CALL_DONE };

struct pg_call {
	struct op op;
	TAILQ_ENTRY(pg_call) link;
	struct pg *pg;
	const struct pg_stmt *stmt;
	enum call_state state;
	bool abandoned; /* nobody wants the answer: free it when it comes */
	bool tolerant;	/* errors do not end the flow */
	int64_t timeout_ms;
	int64_t deadline_us;

	/* the rows, one after the other: int32 length (-1 null) and bytes for
	 * each column, in network order: what the wire wants, too */
	struct buf enc;
	int col; /* the next column to put */
	size_t rows;

	/* the answer */
	enum err err;
	size_t counted;	    /* of our parameters, in pg->bytes */
	char sqlstate[6];
	char message[256];
	struct pg_result *result;
	int first, nrows;   /* our rows in it */
	size_t input_first; /* ordinal of our first input row, from 0 */
};
TAILQ_HEAD(call_list, pg_call);

/* One statement of a segment with the calls that share it. */
struct pg_group {
	const struct pg_stmt *stmt;
	struct call_list calls;
	size_t rows;
	PGresult *res;
	bool failed;
};

struct pg_segment {
	enum pg_class class;
	struct pg_group groups[SEGMENT_MAX_GROUPS];
	int ngroups;
	int answered;  /* groups whose results are complete */
	size_t rows, bytes;
	size_t ncalls;
	bool alone;	     /* takes no further call */
	int64_t deadline_us; /* the first one of its calls */
	int64_t sent_us;
	char sqlstate[6];    /* of the first error */
	char message[256];
};

/* Calls that must be tried together, apart from others: the half of a segment
 * that contained bad data. */
struct pg_part {
	TAILQ_ENTRY(pg_part) link;
	enum pg_class class;
	struct call_list calls;
};
TAILQ_HEAD(part_list, pg_part);

enum conn_state { CONN_DOWN, CONN_CONNECTING, CONN_IDLE, CONN_BUSY };

struct pg_conn {
	struct pg *pg;
	int number;
	enum conn_state state;
	PGconn *pgc;
	struct loop_watch watch;
	struct loop_timer timer; /* connect backoff, or the segment's deadline */
	unsigned failures;	 /* in a row; sets the backoff */
	struct flow *connecting; /* the flow that connects; NULL else */
	struct pg_segment segment;
	struct buf cols[PG_MAX_COLS]; /* reused from segment to segment */
};

struct pg {
	struct loop *loop;
	struct thread_pool *threads;
	PQconninfoOption *options;
	char *application_name;
	const char *host; /* in options; "" or a path: no lookup */
	int64_t timeout_ms;
	struct pg_conn *conns;
	int nconns;
	int up;	      /* connections that are logged in */
	bool told_up; /* what the log last said */
	bool closing;
	struct call_list waiting[2]; /* by class */
	struct part_list parts[2];
	size_t nwaiting[2]; /* calls, by class */
	size_t nsent[2];    /* calls in flight, by class */
	size_t crowd[2];    /* calls at once, lately: see is_worth_it */
	int active[2];	    /* segments in flight, by class */
	int limit[2];
	struct loop_task dispatch, dispatch_all;
	struct loop_timer expiry, patience;
	char last_error[256];
	int64_t last_segment_us;
	uint64_t nsegments, ncalls;
	size_t bytes;	    /* see PG_MAX_BYTES */
};

/* pg_dispatch.c */
void pg_dispatch_init(struct pg *);
void pg_dispatch_fini(struct pg *);
void pg_dispatch_soon(struct pg *);
/* It was answered, or its connection is lost. */
void pg_segment_ended(struct pg *, const struct pg_segment *);

/* pg.c */
void pg_note_error(struct pg *, const char *text);
void pg_conn_changed(struct pg *);
/* Back to the head of their queue, or an answer when their time is over. */
void pg_requeue(struct pg *, struct call_list *);
void pg_push_part(struct pg *, enum pg_class, struct call_list *);
/* The answer of one call; it is unlinked already. */
void pg_finish(struct pg_call *, enum err, const char *sqlstate,
    const char *message);

/* pg_conn.c */
void conn_init(struct pg_conn *, struct pg *, int number);
void conn_start(struct pg_conn *);
void conn_fini(struct pg_conn *);
void conn_send(struct pg_conn *);	/* its segment; state IDLE -> BUSY */

/* pg_segment.c */
void segment_init(struct pg_segment *, enum pg_class);
bool segment_empty(const struct pg_segment *);
/* False: it does not fit any more. */
bool segment_add(struct pg_segment *, struct pg_call *);
/* Hand the statements to libpq; false: the connection is unusable. */
bool segment_send(struct pg_segment *, PGconn *, struct buf *cols);
/* Keep a result of the statement that is being answered (takes it). */
void segment_result(struct pg_segment *, PGresult *);
/* The Sync was answered: success or a refusal, known now. False: the server is
 * in no state to serve, and the connection should go. */
bool segment_done(struct pg_segment *, struct pg *);
/* The connection died before: outcome unknown. */
void segment_lost(struct pg_segment *, struct pg *);

/* pg_call.c */
void call_free(struct pg_call *);
void call_drop_params(struct pg_call *);
Oid pg_type_oid(enum pg_type);
Oid pg_type_array_oid(enum pg_type);

#endif
