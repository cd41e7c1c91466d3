#ifndef TASKFLOW_BASE_METRIC_TABLE_H
#define TASKFLOW_BASE_METRIC_TABLE_H

/*
 * All metrics there are, one row each: a new one is a row here and one line
 * where it happens. The manual taskflow-metrics(7) is written from it.
 *
 * Sets of label values are small enums, so that counting is an addition to an
 * element of an array. Names end in their unit; what ends in _seconds (and
 * _seconds_total) is counted in microseconds.
 */
#include "base/conf.h"
#include "base/err.h"

/* ---- label sets: SET_x is one, N_SET_x the number of its values ---- */
#define METRIC_ROUTES 64	/* of all listeners; the first one: none */
enum metric_status { STATUS_2XX, STATUS_3XX, STATUS_4XX, STATUS_5XX };
/* Those of enum err, then what only HTTP knows. */
enum metric_reason {
	REASON_REQUEST_TIMEOUT = ERR_MAX, REASON_EXPECTATION, REASON_METHOD,
	REASON_VERSION, REASON_MAX
};
enum metric_outcome {
	OUTCOME_COMPLETED, OUTCOME_FAILED, OUTCOME_RETRIED,
	OUTCOME_INTERRUPTED, OUTCOME_RELEASED, OUTCOME_CANCELLED, OUTCOME_OTHER,
	OUTCOME_MAX
};
/* How a program ended. */
enum metric_exit {
	EXIT_OK, EXIT_BAD_DATA, EXIT_STATUS, EXIT_SIGNAL, EXIT_TIMED_OUT,
	EXIT_INTERRUPTED, EXIT_BAD_LINE, EXIT_NOT_STARTED, EXIT_MAX
};
enum metric_recovery { RECOVERY_DEAD, RECOVERY_ORPHAN };
/* Of a request that has a limit: looked at by this process alone, refused since
 * it could not be looked at, over it. */
enum metric_limit { LIMITED_LOCALLY, LIMIT_UNKNOWN, LIMIT_EXCEEDED };
enum metric_hand { HAND_TAKEN, HAND_CLAIMING, HAND_RUNNING, HAND_ENDED };

enum metric_set {
	SET_NONE, SET_ROUTE, SET_STATUS, SET_REASON, SET_PRIORITY, SET_OUTCOME,
	SET_EXIT, SET_RECOVERY, SET_CLASS, SET_SERVER, SET_HAND, SET_VERSION,
	SET_QUEUE, SET_LIMIT, METRIC_SETS
};
enum {
	N_SET_NONE = 1, N_SET_ROUTE = METRIC_ROUTES, N_SET_STATUS = 4,
	N_SET_REASON = REASON_MAX, N_SET_PRIORITY = 2,
	N_SET_OUTCOME = OUTCOME_MAX, N_SET_EXIT = EXIT_MAX, N_SET_RECOVERY = 2,
	N_SET_CLASS = 2, N_SET_SERVER = 2, N_SET_HAND = 4,
	/* Values known at the scrape alone. */
	N_SET_VERSION = 1, N_SET_QUEUE = 1,
	N_SET_LIMIT = 3
};

/*
 * LEVEL: a gauge that is counted up and down. GAUGE: is asked for when it is
 * wanted (metric_collect); so is a TOTAL, which only rises.
 */
#define METRIC_BUCKETS	14	/* and one more, +Inf */
#define METRIC_CELLS_COUNTER	1
#define METRIC_CELLS_LEVEL	1
#define METRIC_CELLS_GAUGE	1
#define METRIC_CELLS_TOTAL	1
#define METRIC_CELLS_HISTOGRAM	(METRIC_BUCKETS + 2)

/* M(ID, name, type, bounds, roles, label set, second one, help) */
#define METRIC_TABLE(M)							\
/* ---- the process ---- */						\
M(BUILD_INFO, "taskflow_build_info", GAUGE, NONE, ALL, VERSION, NONE,	\
    "1; the version is a label")					\
M(DRAINING, "taskflow_draining", GAUGE, NONE, ALL, NONE, NONE,		\
    "1 while the process takes no more work, since it is to end")	\
M(LOOP_TURN, "taskflow_loop_turn_seconds", HISTOGRAM, SHORT, ALL, NONE,	\
    NONE, "how long the flows of one turn of the loop ran")		\
M(LOOP_LAG, "taskflow_loop_lag_seconds", HISTOGRAM, SHORT, ALL, NONE,	\
    NONE, "how late a timer ran that is due twice a second")	\
M(LOOP_LAG_MAX, "taskflow_loop_lag_max_seconds", GAUGE, NONE, ALL, NONE,\
    NONE, "the longest of these since the last scrape")			\
M(THREAD_JOBS, "taskflow_thread_jobs", GAUGE, NONE, ALL, NONE, NONE,\
    "jobs of helper threads (passwords, host names), waiting or running")	\
M(PROCESS_CPU, "process_cpu_seconds_total", TOTAL, NONE, ALL, NONE, NONE,\
    "CPU time of the process, user and system")				\
M(PROCESS_RSS, "process_resident_memory_bytes", GAUGE, NONE, ALL, NONE,	\
    NONE, "memory of the process")					\
M(PROCESS_FDS, "process_open_fds", GAUGE, NONE, ALL, NONE, NONE,	\
    "open file descriptors")						\
M(PROCESS_MAX_FDS, "process_max_fds", GAUGE, NONE, ALL, NONE, NONE,	\
    "how many descriptors there may be")				\
M(PROCESS_START, "process_start_time_seconds", GAUGE, NONE, ALL, NONE,	\
    NONE, "when the process began, since 1970")				\
/* ---- HTTP ---- */							\
M(HTTP_REQUESTS, "taskflow_http_requests_total", COUNTER, NONE, ALL,	\
    ROUTE, STATUS, "requests that were answered")			\
M(HTTP_SECONDS, "taskflow_http_request_seconds", HISTOGRAM, SHORT, ALL,	\
    ROUTE, NONE, "from a request (read whole) to its answer")		\
M(HTTP_REFUSED, "taskflow_http_refusals_total", COUNTER, NONE, ALL,	\
    REASON, NONE, "problems that were answered, by their type")		\
M(HTTP_IN_FLIGHT, "taskflow_http_requests_in_flight", GAUGE, NONE, ALL,	\
    NONE, NONE, "requests without an answer yet")			\
M(HTTP_CONNECTIONS, "taskflow_http_connections", GAUGE, NONE, ALL, NONE,\
    NONE, "open connections of clients")				\
M(RATE_LIMITS, "taskflow_rate_limits_total", COUNTER, NONE, API, LIMIT,	\
    NONE, "requests with a limit, that were not just within it")	\
M(STREAMS, "taskflow_http_streams", LEVEL, NONE, API, NONE, NONE,	\
    "open streams of events")						\
/* ---- the servers ---- */						\
M(PG_SEGMENTS, "taskflow_pg_segments_total", COUNTER, NONE, ALL, CLASS,	\
    NONE, "segments (transactions) sent to PostgreSQL")			\
M(PG_SEGMENT_ROWS, "taskflow_pg_segment_rows", HISTOGRAM, SIZES, ALL,	\
    CLASS, NONE, "rows of calls that a segment carried")		\
M(PG_SEGMENT_SECONDS, "taskflow_pg_segment_seconds", HISTOGRAM, SHORT,	\
    ALL, CLASS, NONE, "from sending a segment to its answer")		\
M(PG_FAILED, "taskflow_pg_calls_failed_total", COUNTER, NONE, ALL,	\
    REASON, NONE, "calls to PostgreSQL that ended with an error")	\
M(PG_WAITING, "taskflow_pg_calls_waiting", GAUGE, NONE, ALL, CLASS, NONE,\
    "calls that wait for a segment")					\
M(PG_CONNECTIONS, "taskflow_pg_connections", GAUGE, NONE, ALL, NONE,	\
    NONE, "connections to PgBouncer or PostgreSQL that are logged in")	\
M(PG_CONNECTS, "taskflow_pg_connects_total", COUNTER, NONE, ALL, NONE,	\
    NONE, "logins that succeeded: above the connections, reconnects")	\
M(PG_LOST, "taskflow_pg_connections_lost_total", COUNTER, NONE, ALL,	\
    NONE, NONE, "connections that were lost, or could not be made")	\
M(REDIS_CALLS, "taskflow_redis_calls_total", COUNTER, NONE, ALL, SERVER,\
    NONE, "calls to Redis that were answered")				\
M(REDIS_FAILED, "taskflow_redis_calls_failed_total", COUNTER, NONE, ALL,\
    SERVER, NONE, "calls to Redis that ended with an error")		\
M(REDIS_SECONDS, "taskflow_redis_call_seconds", HISTOGRAM, SHORT, ALL,	\
    SERVER, NONE, "from a call to its answer")				\
M(REDIS_UP, "taskflow_redis_up", GAUGE, NONE, ALL, SERVER, NONE,	\
    "1 while connected")						\
M(REDIS_CONNECTS, "taskflow_redis_connects_total", COUNTER, NONE, ALL,	\
    SERVER, NONE, "logins that succeeded: above 1, reconnects")		\
/* ---- the API ---- */							\
M(SUBMITTED, "taskflow_tasks_submitted_total", COUNTER, NONE, API,	\
    PRIORITY, NONE, "tasks that were accepted")				\
M(ITEMS_REFUSED, "taskflow_batch_items_refused_total", COUNTER, NONE,	\
    API, REASON, NONE, "tasks of a batch that were not")		\
/* ---- the worker ---- */						\
M(CLAIMED, "taskflow_tasks_claimed_total", COUNTER, NONE, WORKER,	\
    PRIORITY, NONE, "attempts that this worker got")			\
M(STARTED, "taskflow_tasks_started_total", COUNTER, NONE, WORKER,	\
    PRIORITY, NONE, "attempts that a handler began")			\
M(FINISHED, "taskflow_tasks_finished_total", COUNTER, NONE, WORKER,	\
    OUTCOME, NONE, "attempts whose end is written")			\
M(STALE, "taskflow_stale_results_total", COUNTER, NONE, WORKER, NONE,	\
    NONE, "results that came too late: the task was given to another")	\
M(IN_HAND, "taskflow_worker_tasks", GAUGE, NONE, WORKER, HAND, NONE,	\
    "tasks in the hands of this worker")				\
M(PROGRAMS, "taskflow_handler_processes", GAUGE, NONE, WORKER, NONE,	\
    NONE, "processes of handlers")					\
M(EXITS, "taskflow_handler_exits_total", COUNTER, NONE, WORKER, EXIT,	\
    NONE, "programs of handlers that ended, and how")			\
M(QUEUE_WAIT, "taskflow_queue_wait_seconds", HISTOGRAM, LONG, WORKER,	\
    PRIORITY, NONE, "from ready to claimed")				\
M(CLAIM_SECONDS, "taskflow_claim_seconds", HISTOGRAM, SHORT, WORKER,	\
    NONE, NONE, "how long a claim (of several tasks) took")		\
M(RUN_SECONDS, "taskflow_run_seconds", HISTOGRAM, LONG, WORKER, NONE,	\
    NONE, "how long a handler ran")					\
M(SETTLE_SECONDS, "taskflow_settle_seconds", HISTOGRAM, SHORT, WORKER,	\
    NONE, NONE, "how long a settlement (of several tasks) took")	\
/* ---- the manager ---- */						\
M(LEADER, "taskflow_leader", GAUGE, NONE, MANAGER, NONE, NONE,		\
    "1 in the process that leads")					\
M(TERM, "taskflow_leader_term", GAUGE, NONE, MANAGER, NONE, NONE,	\
    "the last term in which it led; 0: it never did")			\
M(ELECTIONS, "taskflow_elections_total", COUNTER, NONE, MANAGER, NONE,	\
    NONE, "elections that this process won")				\
M(DEAD_WORKERS, "taskflow_dead_workers_total", COUNTER, NONE, MANAGER,	\
    NONE, NONE, "workers that were declared dead")			\
M(RECOVERED, "taskflow_recovered_tasks_total", COUNTER, NONE, MANAGER,	\
    RECOVERY, NONE, "tasks that were taken from dead workers")		\
M(REPUSHED, "taskflow_repushed_tasks_total", COUNTER, NONE, MANAGER,	\
    PRIORITY, NONE, "ready tasks that were in no list, and are again")	\
M(DUE_LATE, "taskflow_schedule_lateness_seconds", HISTOGRAM, SHORT,	\
    MANAGER, NONE, NONE, "from a task's time to when it was made ready")\
M(QUEUE_TASKS, "taskflow_queue_tasks", GAUGE, NONE, MANAGER, QUEUE,	\
    PRIORITY, "ready tasks in a list; the leader looks every 5 s")	\
M(QUEUE_OLDEST, "taskflow_queue_oldest_seconds", GAUGE, NONE, MANAGER,	\
    QUEUE, PRIORITY, "how long the first one of them has been ready")

/* METRIC_x is the first cell of a row, ROW_x its number. */
enum metric_cell {
#define M(id, name, type, bounds, roles, set, set2, help)		\
	METRIC_##id, METRIC_LAST_##id = METRIC_##id - 1 +		\
	    METRIC_CELLS_##type * N_SET_##set * N_SET_##set2,
	METRIC_TABLE(M)
#undef M
	METRIC_CELLS
};
enum metric_row_id {
#define M(id, name, type, bounds, roles, set, set2, help)	ROW_##id,
	METRIC_TABLE(M)
#undef M
	METRIC_ROWS
};

#endif
