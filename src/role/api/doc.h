#ifndef TASKFLOW_ROLE_API_DOC_H
#define TASKFLOW_ROLE_API_DOC_H

/*
 * What is said about a route in GET /openapi.json, beside what its line in the
 * table of routes, its steps and its table of input say by themselves.
 *
 * A schema is a text of JSON Schema 2020-12, as OpenAPI 3.1 has it; the macros
 * below are the ones that come again and again.
 */
#include "input.h"
#include "query.h"

#define S_STR "{\"type\":\"string\"}"
#define S_INT "{\"type\":\"integer\",\"minimum\":0}"
#define S_NUM "{\"type\":\"number\",\"minimum\":0}"
#define S_BOOL "{\"type\":\"boolean\"}"
#define S_ANY "true"
#define S_ID "{\"type\":\"string\",\"format\":\"uuid\"}"
#define S_TIME "{\"type\":\"string\",\"format\":\"date-time\"}"
#define S_NAME                                        \
	"{\"type\":\"string\",\"minLength\":1,"       \
	"\"maxLength\":64,\"pattern\":\"^[A-Za-z0-9_.-]+$\"}"
#define S_SCOPE                                              \
	"{\"type\":\"string\",\"enum\":[\"tasks:read\","     \
	"\"tasks:write\",\"keys\",\"admin\"]}"
#define S_REF(name) "{\"$ref\":\"#/components/schemas/" name "\"}"
#define S_ARRAY(item) "{\"type\":\"array\",\"items\":" item "}"
#define S_NULL(type, more) "{\"type\":[\"" type "\",\"null\"]" more "}"
#define S_STR_OR_NULL S_NULL("string", "")
#define S_INT_OR_NULL S_NULL("integer", ",\"minimum\":0")
#define S_ID_OR_NULL S_NULL("string", ",\"format\":\"uuid\"")
#define S_TIME_OR_NULL S_NULL("string", ",\"format\":\"date-time\"")

/* A header of the request or of an answer. The tables of these end with a row
 * without a name. */
struct doc_param {
	const char *name, *schema, *text;
};

/* An answer that is no problem. */
struct doc_answer {
	int status; /* 0: the end of the table */
	const char *text;
	const char *schema; /* of a body of JSON; NULL: there is none */
	const char *media; /* a body that is not JSON: its type */
	const struct doc_param *headers; /* NULL: none of its own */
	const char *also; /* a media type that the header Accept asks for */
};

#define DOC_LAST_PARAM { NULL, NULL, NULL }
#define DOC_LAST_ANSWER { 0, NULL, NULL, NULL, NULL, NULL }

/* Of the routes that can wait for the end of a task. */
#define DOC_PREFER                                                         \
	{                                                                  \
		"Prefer", "{\"type\":\"string\",\"example\":\"wait=10\"}", \
		    "wait=N: the answer comes when the task is final, or " \
		    "after N seconds (RFC 7240)."                          \
	}
#define DOC_PREFER_APPLIED                                                \
	{                                                                 \
		"Preference-Applied", S_STR, "The wait that was granted." \
	}

struct route_doc {
	const char *id; /* operationId: never changes */
	const char *tag;
	const char *summary; /* a line */
	const char *text; /* more, or NULL */
	const struct input_table *body; /* a JSON object of these members */
	bool body_optional;
	const char *example; /* a body that is accepted, or NULL */
	const struct query_table *query; /* NULL: none */
	const struct doc_param *headers; /* of the request; NULL: none */
	const struct doc_answer *answers;
	/* Beside those of its steps and its body; ends with OK. */
	const enum err *errors;
};

/* The parts of what is answered; a table of these ends with one without a
 * name. A member that is not always there is optional. */
struct doc_member {
	const char *name, *schema, *text;
	bool optional;
};
struct doc_schema {
	const char *name;
	const struct doc_member *members; /* of an object */
};
extern const struct doc_schema doc_schemas[];

/* What the routes read. */
extern const struct input_table register_input, login_input, password_input,
    key_input, limits_input, retry_input;
extern const struct query_table list_query, events_query;

/* The document, whole. */
void openapi_write(struct buf *, const struct route *, size_t n);

/* GET /openapi.json */
extern const struct flow_def openapi_flow;

/* The routes, file by file. */
extern const struct route_doc register_doc, login_doc, me_doc, password_doc,
    disable_doc, enable_doc, key_create_doc, key_list_doc, key_revoke_doc,
    limits_get_doc, limits_put_doc;
extern const struct route_doc submit_doc, batch_doc, list_doc, show_doc,
    events_doc, explain_doc;
extern const struct route_doc cancel_doc, retry_doc, retry_many_doc, delete_doc;
extern const struct route_doc autoscaling_doc, livez_doc, readyz_doc,
    status_doc, openapi_doc;

#endif
