#ifndef TASKFLOW_TASK_TASK_H
#define TASKFLOW_TASK_TASK_H

/*
 * What a task is: its states, the moves between them, its events. Pure. The
 * numbers stand in the database and are fixed (sql/schema/0001_core.sql).
 *
 *	            +-> PENDING --+
 *	submit -----+             v      claim              settle
 *	            +----------> QUEUED ------> IN_PROGRESS ------> COMPLETED
 *	                          ^  ^               |    |
 *	                  due     |  +---------------+    +-------> FAILED
 *	             RETRYING ----+   recover, give back  |
 *	                 ^--------------------------------+
 *
 * CANCELLED is where its owner may send it from every state that is not final;
 * from FAILED and CANCELLED a retry takes it to RETRYING, due at once, or to
 * PENDING again.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"
#include "base/mem.h"

enum task_status {
	TASK_PENDING = 1,	/* its time has not come */
	TASK_QUEUED,		/* ready: its id belongs into a list */
	TASK_IN_PROGRESS,	/* a worker has claimed it */
	TASK_RETRYING,		/* failed, waits for its backoff */
	TASK_COMPLETED,
	TASK_FAILED,		/* attempts used up, or failed for good */
	TASK_CANCELLED
};

enum task_event {
	EVENT_CREATED = 1, EVENT_QUEUED, EVENT_PICKED_UP, EVENT_PROGRESS,
	EVENT_COMPLETED, EVENT_FAILED, EVENT_RETRIED, EVENT_RECOVERED,
	EVENT_INTERRUPTED, EVENT_RELEASED, EVENT_CANCELLED, EVENT_STALE_RESULT,
	EVENT_CANCEL_REQUESTED
};

/* Also the index of the Redis server that holds its queue. */
enum task_priority { PRIORITY_LOW, PRIORITY_HIGH };

const char *task_status_name(enum task_status);
/* 0 if there is no such status. */
enum task_status task_status_parse(const char *);
bool task_status_is_final(enum task_status);
/* May a task go from one to the other? */
bool task_may_move(enum task_status from, enum task_status to);
const char *task_event_name(enum task_event);
const char *task_priority_name(enum task_priority);
bool task_priority_parse(const char *, enum task_priority *ret);

#define TASK_NAME_MAX	64
/* 1..64 of [A-Za-z0-9_.-]: task types and queue names. */
bool task_name_ok(const char *, size_t len);

/* Milliseconds until the next attempt after `attempts` that failed: uniform in
 * 0 .. min(max, base * 2^(attempts-1)) ("full jitter"). */
int64_t retry_delay_ms(int attempts, int64_t base_ms, int64_t max_ms);

#endif
