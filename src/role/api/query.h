#ifndef TASKFLOW_ROLE_API_QUERY_H
#define TASKFLOW_ROLE_API_QUERY_H

/* The parameters of a query, as a table: it is read by it, and /openapi.json
 * says what it says. What is not in the table is refused. */
#include "loop/http.h"

struct query_param {
	const char *name;
	const char *allowed; /* goes on after "allowed is" */
	const char *schema; /* the same for programs: JSON Schema */
	/* Is the value allowed? Then it is put into *to. NULL: the route reads
	 * it by itself. */
	bool (*take)(void *to, const char *text);
};

#define QUERY_PARAMS_MAX 16
struct query_table {
	const struct query_param *params;
	size_t n; /* <= QUERY_PARAMS_MAX */
};

/* ERR_UNPROCESSABLE if there is a parameter that the table does not have. */
enum err query_known(
    const struct http_req *, const struct query_table *, struct fault *);
/* One of them, if it is given: once, and as it must be; or ERR_UNPROCESSABLE.
 * *ret (may be NULL): what was given, or NULL; as long as the flow. */
enum err query_take(const struct http_req *, const struct query_param *,
    void *to, const char **ret, struct fault *);

#endif
