/* What is said about the routes of accounts. */
#include "doc.h"

static const enum err unavailable[] = { ERR_UNAVAILABLE, OK };

/* ---- without a token ---- */
static const enum err register_errors[] = { ERR_CONFLICT, ERR_UNAVAILABLE, OK };
static const struct doc_answer register_answers[] = {
	{ 201, "The user is registered.", S_REF("User"), NULL, NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc register_doc = {
	.id = "register",
	.tag = "access",
	.summary = "Register",
	.text = "Where registration is closed, only an administrator can: "
		"others get 401 or 403.",
	.body = &register_input,
	.example = "{\"email\":\"ann@example.org\",\"username\":\"ann\","
		   "\"password\":\"correct horse\"}",
	.answers = register_answers,
	.errors = register_errors,
};

/* 429: too many wrong passwords. */
static const enum err login_errors[] = { ERR_UNAUTHORIZED, ERR_RATE_LIMITED,
	ERR_UNAVAILABLE, OK };
static const struct doc_answer login_answers[] = {
	{ 200, "A token.", S_REF("Token"), NULL, NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc login_doc = {
	.id = "login",
	.tag = "access",
	.summary = "A token for a password",
	.text = "One of email and username says who it is. 429 after too many "
		"wrong passwords.",
	.body = &login_input,
	.example = "{\"username\":\"ann\",\"password\":\"correct horse\"}",
	.answers = login_answers,
	.errors = login_errors,
};

/* ---- the own account ---- */
static const enum err me_errors[] = { ERR_NOT_FOUND, ERR_UNAVAILABLE, OK };
static const struct doc_answer me_answers[] = {
	{ 200, "The account, and what these credentials may do.", S_REF("Me"),
	    NULL, NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc me_doc = {
	.id = "getMe",
	.tag = "access",
	.summary = "Who you are",
	.text = "Any scope will do. 404 if the user of the token is not of "
		"this service.",
	.answers = me_answers,
	.errors = me_errors,
};

static const enum err password_errors[] = { ERR_CONFLICT, ERR_RATE_LIMITED,
	ERR_UNAVAILABLE, OK };
static const struct doc_answer password_answers[] = {
	{ 204, "It is changed; tokens of before do not work any more.", NULL,
	    NULL, NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc password_doc = {
	.id = "changePassword",
	.tag = "access",
	.summary = "A new password",
	.text = "API keys go on working. 403 if the old password is wrong, 409 "
		"if somebody else has just changed it, 429 after too many "
		"wrong ones.",
	.body = &password_input,
	.example = "{\"old_password\":\"correct horse\","
		   "\"new_password\":\"battery staple\"}",
	.answers = password_answers,
	.errors = password_errors,
};

/* ---- for administrators ---- */
static const enum err disable_errors[] = { ERR_CONFLICT, ERR_UNAVAILABLE, OK };
static const struct doc_answer account_answers[] = {
	{ 200, "The account as it is now.", S_REF("Account"), NULL, NULL,
	    NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc disable_doc = {
	.id = "disableUser",
	.tag = "access",
	.summary = "Lock a user out: login, tokens and API keys",
	.text = "409 for oneself.",
	.answers = account_answers,
	.errors = disable_errors,
};

const struct route_doc enable_doc = {
	.id = "enableUser",
	.tag = "access",
	.summary = "Let a user in again",
	.answers = account_answers,
	.errors = unavailable,
};
