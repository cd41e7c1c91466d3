#ifndef TASKFLOW_BASE_LOG_H
#define TASKFLOW_BASE_LOG_H

/*
 * One line an event, on standard error: text on a terminal, JSON otherwise.
 *
 *	log_warn("pg", "lost", KV_STR("err", msg), KV_INT("conn", 2));
 *	2026-01-02T03:04:05.678901Z warn  api pg: lost err="..." conn=2
 *
 * The event is a fixed phrase; what varies goes into keys. Lower floors do not
 * log above debug; the module that owns a connection logs its life. A line is
 * at most 4 KiB, a value at most 1 KiB; "cut" says that keys are missing.
 */
#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_AUTO, LOG_TEXT, LOG_JSON };

enum kv_type { KV_T_NONE, KV_T_STR, KV_T_INT, KV_T_ID };
struct kv {
	const char   *key;
	enum kv_type  type;
	union {
		const char	*s;	/* NULL prints as "-" */
		int64_t		 i;
		const struct id *id;
	} u;
};
#define KV_STR(k, v)	{ .key = (k), .type = KV_T_STR, .u = { .s = (v) } }
#define KV_INT(k, v)	{ .key = (k), .type = KV_T_INT, .u = { .i = (v) } }
#define KV_ID(k, v)	{ .key = (k), .type = KV_T_ID, .u = { .id = (v) } }

/* role: what stands in each line, such as "api"; copied. */
void log_open(enum log_level, enum log_format, const char *role);
/* From now on: for a reload. */
void log_set_level(enum log_level);
bool log_enabled(enum log_level);
/* kvs: the first one is a dummy, the last one has no key. */
void log_emit(enum log_level, const char *sub, const char *event,
    const struct kv *kvs);

/*
 * From now on lines below LOG_WARN wait for log_flush, so that one write
 * serves many; wanted(arg) is called when the first one does. A warning or an
 * error is written at once, with what was before it. NULL: nothing waits.
 * All of this on one thread only.
 */
void log_gather(void (*wanted)(void *), void *arg);
void log_flush(void);

#define log_at(level, sub, event, ...) do {				\
	if (log_enabled(level))						\
		log_emit(level, sub, event,				\
		    (const struct kv[]){ { .key = "" }, ##__VA_ARGS__,	\
		    { .key = NULL } });					\
} while (0)
#define log_error(sub, event, ...) log_at(LOG_ERROR, sub, event, ##__VA_ARGS__)
#define log_warn(sub, event, ...)  log_at(LOG_WARN, sub, event, ##__VA_ARGS__)
#define log_info(sub, event, ...)  log_at(LOG_INFO, sub, event, ##__VA_ARGS__)
#define log_debug(sub, event, ...) log_at(LOG_DEBUG, sub, event, ##__VA_ARGS__)

#endif
