/* What is said about the routes that do something to tasks. */
#include "doc.h"

static const enum err unavailable[] = { ERR_UNAVAILABLE, OK };
static const enum err act_errors[] = { ERR_CONFLICT, ERR_UNAVAILABLE, OK };

static const struct doc_param prefer[] = {
	DOC_PREFER,
	DOC_LAST_PARAM,
};
static const struct doc_param preferred[] = {
	DOC_PREFER_APPLIED,
	DOC_LAST_PARAM,
};

/* ---- POST /tasks/{id}/cancel ---- */
static const struct doc_answer cancel_answers[] = {
	{ 200, "It is CANCELLED.", S_REF("Task"), NULL, preferred, NULL },
	{ 202, "It runs, and is being stopped.", S_REF("Task"), NULL, preferred,
	    NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc cancel_doc = {
	.id = "cancelTask",
	.tag = "tasks",
	.summary = "Cancel a task",
	.text = "One that waits is CANCELLED at once; one that runs is "
		"stopped. 409 if it has come to another end.",
	.headers = prefer,
	.answers = cancel_answers,
	.errors = act_errors,
};

/* ---- POST /tasks/{id}/retry ---- */
static const enum err retry_errors[] = { ERR_CONFLICT, ERR_KEY_HELD,
	ERR_UNAVAILABLE, OK };
static const struct doc_answer retry_answers[] = {
	{ 200, "It waits again, or is final again.", S_REF("Task"), NULL,
	    preferred, NULL },
	{ 202, "It was not final when the wait was over.", S_REF("Task"), NULL,
	    preferred, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc retry_doc = {
	.id = "retryTask",
	.tag = "tasks",
	.summary = "Try a FAILED or CANCELLED task again",
	.text = "409 if it is neither, or if another task that is not final "
		"has its unique_key.",
	.headers = prefer,
	.answers = retry_answers,
	.errors = retry_errors,
};

/* ---- POST /tasks/retry ---- */
static const struct doc_answer retry_many_answers[] = {
	{ 200, "Which are retried; of a dry run, which would be.",
	    S_REF("Retried"), NULL, NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc retry_many_doc = {
	.id = "retryTasks",
	.tag = "tasks",
	.summary = "Try all FAILED or CANCELLED tasks again that match",
	.text = "Newest first, so many in one transaction. Go on with "
		"next_cursor while has_more is true.",
	.body = &retry_input,
	.example = "{\"status\":\"FAILED\",\"type\":\"echo\",\"dry_run\":true}",
	.answers = retry_many_answers,
	.errors = unavailable,
};

/* ---- DELETE /tasks/{id} ---- */
static const struct doc_answer delete_answers[] = {
	{ 204, "It is gone, with its events.", NULL, NULL, NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc delete_doc = {
	.id = "deleteTask",
	.tag = "tasks",
	.summary = "Delete a final task",
	.text = "409 if it is not final: cancel it first.",
	.answers = delete_answers,
	.errors = act_errors,
};
