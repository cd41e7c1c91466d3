/* What is said about the routes of API keys and of limits. */
#include "doc.h"

static const enum err unavailable[] = { ERR_UNAVAILABLE, OK };

/* ---- API keys ---- */
static const enum err create_errors[] = { ERR_CONFLICT, ERR_UNAVAILABLE, OK };
static const struct doc_answer create_answers[] = {
	{ 201, "The key. It is shown this once.", S_REF("NewKey"), NULL, NULL,
	    NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc key_create_doc = {
	.id = "createKey",
	.tag = "access",
	.summary = "A new API key",
	.text = "It is sent as X-API-Key, or as a bearer token. 403 for a "
		"scope that the caller has not; 409 if there are 100 keys.",
	.body = &key_input,
	.example = "{\"name\":\"reports\",\"scopes\":[\"tasks:read\"],"
		   "\"expires_in_days\":90}",
	.answers = create_answers,
	.errors = create_errors,
};

static const struct doc_answer list_answers[] = {
	{ 200, "The keys, newest first.", S_REF("Keys"), NULL, NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc key_list_doc = {
	.id = "listKeys",
	.tag = "access",
	.summary = "Your API keys, without the keys themselves",
	.answers = list_answers,
	.errors = unavailable,
};

static const struct doc_answer revoke_answers[] = {
	{ 204, "It does not work any more, anywhere.", NULL, NULL, NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc key_revoke_doc = {
	.id = "revokeKey",
	.tag = "access",
	.summary = "Delete an API key",
	.answers = revoke_answers,
	.errors = unavailable,
};

/* ---- limits ---- */
static const struct doc_answer limits_answers[] = {
	{ 200, "The limits. null: that of the configuration.",
	    S_REF("UserLimits"), NULL, NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc limits_get_doc = {
	.id = "getLimits",
	.tag = "access",
	.summary = "The rate limits of a user",
	.answers = limits_answers,
	.errors = unavailable,
};

const struct route_doc limits_put_doc = {
	.id = "putLimits",
	.tag = "access",
	.summary = "Set the rate limits of a user",
	.text = "All of them: one that is missing is null. They are in effect "
		"on every process within seconds.",
	.body = &limits_input,
	.example = "{\"submit\":\"6000/min burst 100\",\"read\":null}",
	.answers = limits_answers,
	.errors = unavailable,
};
