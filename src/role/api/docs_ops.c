/* What is said about the routes that look at the service. */
#include "doc.h"

#define S_SCALE                                                         \
	"{\"type\":\"object\",\"properties\":{\"queue\":" S_NAME        \
	",\"queued\":" S_INT ",\"high\":" S_INT ",\"low\":" S_INT       \
	",\"in_flight\":" S_INT ",\"wanted\":" S_INT "},\"required\":[" \
	"\"queue\",\"queued\",\"high\",\"low\",\"in_flight\",\"wanted\"]}"

static const enum err unavailable[] = { ERR_UNAVAILABLE, OK };

static const struct doc_answer probe_answers[] = {
	{ 200, "Yes: \"ok\".", NULL, "text/plain", NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc livez_doc = {
	.id = "livez",
	.tag = "service",
	.summary = "Does the process turn?",
	.text = "It looks at no server: an outage must not restart "
		"everything. 200 while it drains, too.",
	.answers = probe_answers,
	.errors = unavailable,
};

const struct route_doc readyz_doc = {
	.id = "readyz",
	.tag = "service",
	.summary = "May requests be sent here?",
	.text = "503 while it starts and while it drains.",
	.answers = probe_answers,
	.errors = unavailable,
};

static const struct doc_answer status_answers[] = {
	{ 200, "How the service and its parts are.", S_REF("Status"), NULL,
	    NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc status_doc = {
	.id = "status",
	.tag = "service",
	.summary = "The service and its parts, for people",
	.text = "Each part is asked, for one second at the most.",
	.answers = status_answers,
};

static const struct doc_answer openapi_answers[] = {
	{ 200, "This document.", "{\"type\":\"object\"}", NULL, NULL, NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc openapi_doc = {
	.id = "openapi",
	.tag = "service",
	.summary = "This document (OpenAPI 3.1)",
	.answers = openapi_answers,
};

/* ---- GET /autoscaling/{queue} ---- */
/* A name that no queue can have; a number that is not known. */
static const enum err autoscaling_errors[] = { ERR_INVALID, ERR_UNAVAILABLE,
	OK };
static const struct doc_answer autoscaling_answers[] = {
	{ 200, "Numbers of now. wanted: of workers.", S_SCALE, NULL, NULL,
	    NULL },
	DOC_LAST_ANSWER,
};

const struct route_doc autoscaling_doc = {
	.id = "autoscaling",
	.tag = "service",
	.summary = "How many workers a queue wants",
	.text = "503 if a number is not known: nobody shall take workers away "
		"for that.",
	.answers = autoscaling_answers,
	.errors = autoscaling_errors,
};
