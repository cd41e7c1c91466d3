/* What is said about the routes of tasks. */
#include "doc.h"
#include "draft.h"
#include "drafts.h"

#define LOCATION                                           \
	{                                                  \
		"Location", S_STR, "The path of the task." \
	}

#define REPLAYED                                                             \
	{                                                                    \
		"Idempotent-Replayed", S_STR,                                \
		    "true: the answer of an earlier request with this key, " \
		    "and nothing new was done."                              \
	}
#define IDEMPOTENCY_KEY                                                       \
	{                                                                     \
		"Idempotency-Key",                                            \
		    "{\"type\":\"string\",\"minLength\":1,"                   \
		    "\"maxLength\":402}",                                     \
		    "1 to 200 visible characters, in double quotes or "       \
		    "without any. A request that is sent again with it does " \
		    "nothing new."                                            \
	}

static const enum err needs_servers[] = { ERR_UNAVAILABLE, OK };
static const enum err submit_errors[] = { ERR_KEY_HELD, ERR_KEY_RUNNING,
	ERR_KEY_REUSED, ERR_DATA, ERR_UNAVAILABLE, OK };
/* Of a whole batch; a unique_key is the affair of one item. */
static const enum err batch_errors[] = { ERR_KEY_RUNNING, ERR_KEY_REUSED,
	ERR_DATA, ERR_UNAVAILABLE, OK };

/* ---- POST /tasks ---- */
static const struct doc_param submit_headers[] = {
	DOC_PREFER,
	IDEMPOTENCY_KEY,
	{ "traceparent", S_STR,
	    "W3C Trace Context: stored, and given to the handler." },
	DOC_LAST_PARAM,
};
static const struct doc_param submitted_headers[] = {
	LOCATION,
	DOC_PREFER_APPLIED,
	REPLAYED,
	DOC_LAST_PARAM,
};
static const struct doc_answer submit_answers[] = {
	{ 201, "The task is committed.", S_REF("Task"), NULL, submitted_headers,
	    NULL },
	{ 202, "It is committed, and was not final when the wait was over.",
	    S_REF("Task"), NULL, submitted_headers, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc submit_doc = {
	.id = "submitTask",
	.tag = "tasks",
	.summary = "Submit a task",
	.text = "The answer comes after the commit: what was accepted is not "
		"lost.",
	.body = &draft_input,
	.example = "{\"type\":\"echo\",\"payload\":{\"n\":1}}",
	.headers = submit_headers,
	.answers = submit_answers,
	.errors = submit_errors,
};

/* ---- POST /tasks/batch ---- */
static const struct doc_param batch_headers[] = {
	IDEMPOTENCY_KEY,
	{ "traceparent", S_STR, "For all of them." },
	DOC_LAST_PARAM,
};
static const struct doc_param batch_answered[] = {
	REPLAYED,
	DOC_LAST_PARAM,
};
static const struct doc_answer batch_answers[] = {
	{ 200, "Some are accepted, some are refused.", S_REF("Batch"), NULL,
	    batch_answered, NULL },
	{ 201, "All are accepted.", S_REF("Batch"), NULL, batch_answered,
	    NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc batch_doc = {
	.id = "submitTasks",
	.tag = "tasks",
	.summary = "Submit up to 1000 tasks",
	.text = "Each is accepted or refused for itself. 422 with the same "
		"body if all are refused.",
	.body = &drafts_input,
	.example = "{\"tasks\":[{\"type\":\"echo\",\"payload\":1}]}",
	.headers = batch_headers,
	.answers = batch_answers,
	.errors = batch_errors,
};

/* ---- GET /tasks ---- */
/* A cursor that is none. */
static const enum err list_errors[] = { ERR_INVALID, ERR_UNAVAILABLE, OK };
static const struct doc_param page_headers[] = {
	{ "Link", S_STR,
	    "rel=\"next\" and rel=\"prev\": the pages beside it (RFC 8288)." },
	DOC_LAST_PARAM,
};
static const struct doc_answer list_answers[] = {
	{ 200, "A page, newest first.", S_REF("TaskPage"), NULL, page_headers,
	    NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc list_doc = {
	.id = "listTasks",
	.tag = "tasks",
	.summary = "Your tasks, newest first",
	.text = "The pages are stable: what comes in meanwhile is above all of "
		"them.",
	.query = &list_query,
	.answers = list_answers,
	.errors = list_errors,
};

/* ---- GET /tasks/{id} ---- */
static const struct doc_param show_headers[] = {
	DOC_PREFER,
	{ "If-None-Match", S_STR, "The ETag of an earlier answer." },
	DOC_LAST_PARAM,
};
static const struct doc_param shown_headers[] = {
	{ "ETag", S_STR, "Changes with the task." },
	DOC_PREFER_APPLIED,
	DOC_LAST_PARAM,
};
static const struct doc_param unchanged_headers[] = {
	{ "ETag", S_STR, "The same as before." },
	DOC_LAST_PARAM,
};
static const struct doc_answer show_answers[] = {
	{ 200, "The task as it is.", S_REF("Task"), NULL, shown_headers, NULL },
	{ 304, "It is as it was.", NULL, NULL, unchanged_headers, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc show_doc = {
	.id = "getTask",
	.tag = "tasks",
	.summary = "One task, with payload and result",
	.headers = show_headers,
	.answers = show_answers,
	.errors = needs_servers,
};

/* ---- GET /tasks/{id}/events ---- */
static const struct doc_param events_asked[] = {
	{ "Accept", S_STR,
	    "text/event-stream: events as they happen, until the task is "
	    "final." },
	{ "Last-Event-ID", S_STR, "Of a stream: after this one." },
	DOC_LAST_PARAM,
};
static const struct doc_param events_headers[] = {
	{ "X-Accel-Buffering", S_STR, "Of a stream: no." },
	DOC_LAST_PARAM,
};
static const struct doc_answer events_answers[] = {
	{ 200, "The events.", S_REF("Events"), NULL, events_headers,
	    "text/event-stream" },
	{ 204, "A stream that resumes, and nothing will come.", NULL, NULL,
	    events_headers, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc events_doc = {
	.id = "listEvents",
	.tag = "tasks",
	.summary = "What happened to a task",
	.text = "With after, only what came after that event. Each event has "
		"a seq above that of the one before it.",
	.query = &events_query,
	.headers = events_asked,
	.answers = events_answers,
	.errors = needs_servers,
};

/* ---- GET /tasks/{id}/explain ---- */
static const struct doc_answer explain_answers[] = {
	{ 200, "A reason for programs, and a text for people.",
	    S_REF("Explanation"), NULL, NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc explain_doc = {
	.id = "explainTask",
	.tag = "tasks",
	.summary = "Why a task does not run, or what it does",
	.answers = explain_answers,
	.errors = needs_servers,
};
