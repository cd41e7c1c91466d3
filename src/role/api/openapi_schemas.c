/* The shapes of what is answered, for /openapi.json. A test holds them against
 * the answers: a member that is missing here, or there, fails it. */
#include "doc.h"

#define S_STATUS                                                 \
	"{\"type\":\"string\",\"enum\":[\"PENDING\",\"QUEUED\"," \
	"\"IN_PROGRESS\",\"RETRYING\",\"COMPLETED\",\"FAILED\"," \
	"\"CANCELLED\"]}"
#define S_PRIORITY "{\"type\":\"string\",\"enum\":[\"high\",\"low\"]}"
#define S_EVENT                                                   \
	"{\"type\":\"string\",\"enum\":[\"CREATED\",\"QUEUED\","  \
	"\"PICKED_UP\",\"PROGRESS\",\"COMPLETED\",\"FAILED\","    \
	"\"RETRIED\",\"RECOVERED\",\"INTERRUPTED\",\"RELEASED\"," \
	"\"CANCELLED\",\"STALE_RESULT\"]}"
#define LAST                            \
	{                               \
		NULL, NULL, NULL, false \
	}

static const struct doc_member problem[] = {
	{ "type", S_STR,
	    "A URN that names the kind of error and never changes.", false },
	{ "title", S_STR, "The name of the status.", false },
	{ "status", S_INT, NULL, false },
	{ "detail", S_STR, "What is wrong, and what is allowed.", false },
	{ "instance", S_STR, "The path of the request.", true },
	{ "request_id", S_STR, "The name of the request in the log.", true },
	{ "pointer", S_STR, "In a batch: which member (RFC 6901).", true },
	{ "errors", S_ARRAY(S_REF("Fault")), "What is wrong, and where.",
	    true },
	{ "task_id", S_ID, "Of unique-key: who has it.", true },
	{ "task_status", S_STATUS, "Of that task.", true },
	LAST,
};
static const struct doc_member fault[] = {
	{ "pointer", S_STR, "The member of the body (RFC 6901).", false },
	{ "detail", S_STR, NULL, false },
	LAST,
};

#define TASK_HEAD                                                              \
	{ "id", S_ID, NULL, false }, { "type", S_NAME, NULL, false },          \
	    { "queue", S_NAME, NULL, false },                                  \
	    { "priority", S_PRIORITY, NULL, false },                           \
	    { "status", S_STATUS, NULL, false },                               \
	    { "attempt", S_INT, "Of the last claim; rises with each.",         \
		    false },                                                   \
	    { "attempts_used", S_INT, "Those that count.", false },            \
	    { "max_attempts", S_INT, NULL, false },                            \
	    { "timeout_seconds", S_INT_OR_NULL, "null: that of the handler.",  \
		    false },                                                   \
	    { "created_at", S_TIME, NULL, false },                             \
	    { "scheduled_at", S_TIME_OR_NULL, "What was asked for.", false },  \
	    { "due_at", S_TIME_OR_NULL, "While it waits for its time.",        \
		    false },                                                   \
	    { "queued_at", S_TIME_OR_NULL, NULL, false },                      \
	    { "started_at", S_TIME_OR_NULL, NULL, false },                     \
	    { "finished_at", S_TIME_OR_NULL, NULL, false },                    \
	    { "worker", S_ID_OR_NULL, "Who claimed it last.", false },         \
	    { "error", S_STR_OR_NULL, "Why the last attempt failed.", false }, \
	    { "traceparent", S_STR_OR_NULL, NULL, false },                     \
	{                                                                      \
		"unique_key", S_STR, "If it was submitted with one.", true     \
	}

static const struct doc_member task[] = {
	TASK_HEAD,
	{ "payload", S_ANY, "Byte for byte as it was sent.", false },
	{ "result", S_ANY, "Byte for byte as the handler gave it.", false },
	LAST,
};
static const struct doc_member task_head[] = { TASK_HEAD, LAST };
static const struct doc_member task_page[] = {
	{ "items", S_ARRAY(S_REF("TaskHead")), NULL, false },
	{ "next_cursor", S_STR_OR_NULL, "null: this is the last page.", false },
	{ "prev_cursor", S_STR_OR_NULL, "null: this is the first page.",
	    false },
	LAST,
};
static const struct doc_member accepted[] = {
	{ "id", S_ID, NULL, true },
	{ "status", S_STATUS, NULL, true },
	{ "priority", S_PRIORITY, NULL, true },
	{ "queue", S_NAME, NULL, true },
	{ "scheduled_at", S_TIME, "Of one that waits for its time.", true },
	{ "error", S_REF("Problem"),
	    "This one is refused; the other members are missing then.", true },
	LAST,
};
static const struct doc_member batch[] = {
	{ "tasks", S_ARRAY(S_REF("Accepted")), "In the order of the request.",
	    false },
	{ "accepted", S_INT, NULL, false },
	{ "refused", S_INT, NULL, false },
	LAST,
};
static const struct doc_member event[] = {
	{ "seq", S_INT, "Rises within a task.", false },
	{ "at", S_TIME, NULL, false },
	{ "event", S_EVENT, NULL, false },
	{ "status", S_STATUS, "After it.", false },
	{ "attempt", S_INT, NULL, false },
	{ "worker", S_ID_OR_NULL, NULL, false },
	{ "message", S_STR_OR_NULL, NULL, false },
	{ "request_id", S_STR_OR_NULL, "Of the request that caused it.",
	    false },
	LAST,
};
static const struct doc_member events[] = {
	{ "items", S_ARRAY(S_REF("Event")), "Oldest first.", false },
	{ "has_more", S_BOOL, "Ask again, after the last seq.", false },
	LAST,
};
static const struct doc_member user[] = {
	{ "id", S_ID, NULL, false },
	{ "email", S_STR, NULL, false },
	{ "username", S_STR_OR_NULL, NULL, false },
	{ "created_at", S_TIME, NULL, false },
	LAST,
};
#define ACCOUNT                                                              \
	{ "id", S_ID, NULL, false }, { "email", S_STR, NULL, false },        \
	    { "username", S_STR_OR_NULL, NULL, false },                      \
	    { "role", "{\"type\":\"string\",\"enum\":[\"user\",\"admin\"]}", \
		    NULL, false },                                           \
	    { "created_at", S_TIME, NULL, false },                           \
	{                                                                    \
		"disabled_at", S_TIME_OR_NULL, "null: it is not.", false     \
	}
static const struct doc_member account[] = { ACCOUNT, LAST };
static const struct doc_member me[] = {
	ACCOUNT,
	{ "scopes", S_ARRAY(S_SCOPE), "Of these credentials.", false },
	LAST,
};

#define KEY                                                          \
	{ "id", S_ID, NULL, false },                                 \
	    { "prefix", S_STR, "How the key begins.", false },       \
	    { "name", S_STR, NULL, false },                          \
	    { "scopes", S_ARRAY(S_SCOPE), NULL, false },             \
	    { "created_at", S_TIME, NULL, false },                   \
	    { "expires_at", S_TIME_OR_NULL, "null: never.", false }, \
	{                                                            \
		"last_used_at", S_TIME_OR_NULL,                      \
		    "To the minute. null: not yet.", false           \
	}
static const struct doc_member key[] = { KEY, LAST };
static const struct doc_member new_key[] = {
	KEY,
	{ "key", S_STR, "Keep it: nobody can tell it again.", false },
	LAST,
};
static const struct doc_member keys[] = {
	{ "items", S_ARRAY(S_REF("Key")), NULL, false },
	LAST,
};
static const struct doc_member user_limits[] = {
	{ "user_id", S_ID, NULL, false },
	{ "submit", S_STR_OR_NULL, "Of what writes tasks.", false },
	{ "read", S_STR_OR_NULL, "Of the rest.", false },
	LAST,
};
static const struct doc_member retried[] = {
	{ "dry_run", S_BOOL, NULL, false },
	{ "matched", S_INT, "Of a dry run.", true },
	{ "retried", S_INT, "If it was none.", true },
	{ "ids", S_ARRAY(S_ID), "Of a dry run, the first 20.", false },
	{ "has_more", S_BOOL, "Ask again, with next_cursor.", false },
	{ "next_cursor", S_ID_OR_NULL, NULL, false },
	LAST,
};
#define S_REASON                                                           \
	"{\"type\":\"string\",\"enum\":[\"not_due\",\"retrying\","         \
	"\"no_worker\",\"no_worker_for_queue\",\"no_handler\",\"queued\"," \
	"\"waiting\",\"between\",\"cancelling\",\"running\",\"final\"]}"
static const struct doc_member list[] = {
	{ "queue", S_NAME, NULL, false },
	{ "priority", S_PRIORITY, NULL, false },
	{ "length", S_INT_OR_NULL, "null: Redis does not answer.", false },
	{ "ahead", S_INT_OR_NULL, "null: it is not in the list.", false },
	LAST,
};
static const struct doc_member workers[] = {
	{ "alive", S_INT_OR_NULL, "null: Redis does not answer.", false },
	{ "serve_queue", S_INT_OR_NULL, "Those that serve its queue.", false },
	{ "have_handler", S_INT_OR_NULL, "Of these, those that can run it.",
	    false },
	LAST,
};
static const struct doc_member explanation[] = {
	{ "id", S_ID, NULL, false },
	{ "status", S_STATUS, NULL, false },
	{ "reason", S_REASON, NULL, false },
	{ "text", S_STR, "The same for people.", false },
	{ "attempt", S_INT, NULL, false },
	{ "due_at", S_TIME_OR_NULL, NULL, false },
	{ "queued_at", S_TIME_OR_NULL, NULL, false },
	{ "started_at", S_TIME_OR_NULL, NULL, false },
	{ "finished_at", S_TIME_OR_NULL, NULL, false },
	{ "cancel_requested_at", S_TIME_OR_NULL, NULL, false },
	{ "worker", S_ID_OR_NULL, NULL, false },
	{ "error", S_STR_OR_NULL, NULL, false },
	{ "list", S_REF("List"), "Of one that is QUEUED.", true },
	{ "workers", S_REF("Workers"), "The same.", true },
	LAST,
};
static const struct doc_member token[] = {
	{ "token", S_STR, NULL, false },
	{ "token_type", S_STR, "Bearer", false },
	{ "expires_in", S_INT, "Seconds.", false },
	{ "user_id", S_ID, NULL, false },
	LAST,
};
static const struct doc_member part[] = {
	{ "status", "{\"type\":\"string\",\"enum\":[\"up\",\"down\"]}", NULL,
	    false },
	{ "latency_ms", S_NULL("number", ""), NULL, false },
	{ "error", S_STR_OR_NULL, NULL, false },
	LAST,
};
static const struct doc_member parts[] = {
	{ "postgres", S_REF("Part"), NULL, false },
	{ "redis_high", S_REF("Part"), NULL, false },
	{ "redis_low", S_REF("Part"), NULL, false },
	LAST,
};
static const struct doc_member leader[] = {
	{ "id", S_ID, NULL, false },
	{ "term", S_INT, NULL, false },
	LAST,
};
static const struct doc_member lengths[] = {
	{ "high", S_INT_OR_NULL, NULL, false },
	{ "low", S_INT_OR_NULL, NULL, false },
	LAST,
};
static const struct doc_member status[] = {
	{ "status", "{\"type\":\"string\",\"enum\":[\"ok\",\"degraded\"]}",
	    NULL, false },
	{ "version", S_STR, NULL, false },
	{ "instance", S_ID, "Of this process.", false },
	{ "roles", S_ARRAY(S_STR), NULL, false },
	{ "uptime_seconds", S_INT, NULL, false },
	{ "parts", S_REF("Parts"), NULL, false },
	{ "leader", "{\"oneOf\":[" S_REF("Leader") ",{\"type\":\"null\"}]}",
	    "null: there is none, or nobody knows.", false },
	{ "queues", S_REF("Lengths"), "Of the queue \"default\".", false },
	{ "workers", S_INT_OR_NULL, NULL, false },
	LAST,
};

const struct doc_schema doc_schemas[] = {
	{ "Problem", problem },
	{ "Fault", fault },
	{ "Task", task },
	{ "TaskHead", task_head },
	{ "TaskPage", task_page },
	{ "Accepted", accepted },
	{ "Batch", batch },
	{ "Event", event },
	{ "Events", events },
	{ "User", user },
	{ "Token", token },
	{ "Account", account },
	{ "Me", me },
	{ "Key", key },
	{ "NewKey", new_key },
	{ "Keys", keys },
	{ "UserLimits", user_limits },
	{ "Retried", retried },
	{ "List", list },
	{ "Workers", workers },
	{ "Explanation", explanation },
	{ "Part", part },
	{ "Parts", parts },
	{ "Leader", leader },
	{ "Lengths", lengths },
	{ "Status", status },
	{ NULL, NULL },
};
