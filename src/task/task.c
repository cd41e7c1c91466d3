/* What a task is. The only place that knows the names and the legal moves. */
#include "base/crypt.h"
#include "task/task.h"

static const char *const status_names[] = {
	[TASK_PENDING] = "PENDING",
	[TASK_QUEUED] = "QUEUED",
	[TASK_IN_PROGRESS] = "IN_PROGRESS",
	[TASK_RETRYING] = "RETRYING",
	[TASK_COMPLETED] = "COMPLETED",
	[TASK_FAILED] = "FAILED",
	[TASK_CANCELLED] = "CANCELLED",
};

static const char *const event_names[] = {
	[EVENT_CREATED] = "CREATED",
	[EVENT_QUEUED] = "QUEUED",
	[EVENT_PICKED_UP] = "PICKED_UP",
	[EVENT_PROGRESS] = "PROGRESS",
	[EVENT_COMPLETED] = "COMPLETED",
	[EVENT_FAILED] = "FAILED",
	[EVENT_RETRIED] = "RETRIED",
	[EVENT_RECOVERED] = "RECOVERED",
	[EVENT_INTERRUPTED] = "INTERRUPTED",
	[EVENT_RELEASED] = "RELEASED",
	[EVENT_CANCELLED] = "CANCELLED",
	[EVENT_STALE_RESULT] = "STALE_RESULT",
	[EVENT_CANCEL_REQUESTED] = "CANCEL_REQUESTED",
};

#define TO(status) (1u << (status))
/* From each status to which others. Out of the final ones there is a way only
 * if their owner asks for it: a retry. */
static const unsigned moves[] = {
	[TASK_PENDING] = TO(TASK_QUEUED) | TO(TASK_CANCELLED),
	[TASK_QUEUED] = TO(TASK_IN_PROGRESS) | TO(TASK_CANCELLED),
	[TASK_IN_PROGRESS] = TO(TASK_COMPLETED) | TO(TASK_FAILED) |
	    TO(TASK_RETRYING) | TO(TASK_QUEUED) | TO(TASK_CANCELLED),
	[TASK_RETRYING] = TO(TASK_QUEUED) | TO(TASK_CANCELLED),
	[TASK_COMPLETED] = 0,
	[TASK_FAILED] = TO(TASK_PENDING) | TO(TASK_RETRYING),
	[TASK_CANCELLED] = TO(TASK_PENDING) | TO(TASK_RETRYING),
};

const char *
task_status_name(enum task_status s)
{
	return s >= TASK_PENDING && s <= TASK_CANCELLED ? status_names[s] : "?";
}

enum task_status
task_status_parse(const char *name)
{
	size_t i;

	for (i = TASK_PENDING; i < NELEM(status_names); i++)
		if (strcmp(status_names[i], name) == 0)
			return (enum task_status)i;
	return 0;
}

bool
task_status_is_final(enum task_status s)
{
	return s >= TASK_COMPLETED;
}

bool
task_may_move(enum task_status from, enum task_status to)
{
	return from < NELEM(moves) && (moves[from] & TO(to)) != 0;
}

const char *
task_event_name(enum task_event e)
{
	return e >= EVENT_CREATED && e < NELEM(event_names) ? event_names[e]
							    : "?";
}

const char *
task_priority_name(enum task_priority p)
{
	return p == PRIORITY_HIGH ? "high" : "low";
}

bool
task_priority_parse(const char *name, enum task_priority *ret)
{
	if (strcmp(name, "high") == 0)
		*ret = PRIORITY_HIGH;
	else if (strcmp(name, "low") == 0)
		*ret = PRIORITY_LOW;
	else
		return false;
	return true;
}

bool
task_name_ok(const char *s, size_t len)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
				      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_.-";
	size_t i;

	for (i = 0; i < len; i++)
		if (s[i] == '\0' || strchr(allowed, s[i]) == NULL)
			return false;
	return len > 0 && len <= TASK_NAME_MAX;
}

int64_t
retry_delay_ms(int attempts, int64_t base_ms, int64_t max_ms)
{
	int64_t most = base_ms;
	int i;

	for (i = 1; i < attempts && most < max_ms; i++)
		most *= 2;
	if (most > max_ms)
		most = max_ms;
	return (int64_t)(crypt_random_u64() % (uint64_t)(most + 1));
}
