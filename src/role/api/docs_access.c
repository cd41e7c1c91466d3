/* What is said about the routes of accounts. */
#include "doc.h"

static const enum err register_errors[] = { ERR_FORBIDDEN, ERR_CONFLICT,
	ERR_UNAVAILABLE, OK };
static const struct doc_answer register_answers[] = {
	{ 201, "The user is registered.", S_REF("User"), NULL, NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc register_doc = {
	.id = "register",
	.tag = "access",
	.summary = "Register",
	.body = &register_input,
	.example = "{\"email\":\"ann@example.org\",\"username\":\"ann\","
		   "\"password\":\"correct horse\"}",
	.answers = register_answers,
	.errors = register_errors,
};

static const enum err login_errors[] = { ERR_UNAUTHORIZED, ERR_UNAVAILABLE,
	OK };
static const struct doc_answer login_answers[] = {
	{ 200, "A token.", S_REF("Token"), NULL, NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc login_doc = {
	.id = "login",
	.tag = "access",
	.summary = "A token for a password",
	.text = "One of email and username says who it is.",
	.body = &login_input,
	.example = "{\"username\":\"ann\",\"password\":\"correct horse\"}",
	.answers = login_answers,
	.errors = login_errors,
};
