#include <assert.h>

#include "base/mem.h"
#include "query.h"

#define NAMES_MAX 256

/* "a, b and c" */
static void
list_names(const struct query_table *t, struct buf *to)
{
	for (size_t i = 0; i < t->n; i++) {
		if (i > 0)
			buf_adds(to, i == t->n - 1 ? " and " : ", ");
		buf_adds(to, t->params[i].name);
	}
}

enum err
query_known(const struct http_req *req, const struct query_table *t,
    struct fault *fault)
{
	const char *known[QUERY_PARAMS_MAX + 1] = { NULL }, *unknown;
	struct buf names;

	assert(t->n <= QUERY_PARAMS_MAX);
	for (size_t i = 0; i < t->n; i++)
		known[i] = t->params[i].name;
	unknown = http_query_unknown(req, known);
	if (unknown == NULL)
		return OK;
	buf_init(&names, NAMES_MAX);
	list_names(t, &names);
	fault_set(fault, ERR_UNPROCESSABLE, "",
	    "the parameter \"%.60s\" is unknown; allowed %s %s", unknown,
	    t->n == 1 ? "is" : "are", names.data);
	buf_fini(&names);
	return ERR_UNPROCESSABLE;
}

enum err
query_take(const struct http_req *req, const struct query_param *p, void *to,
    const char **ret, struct fault *fault)
{
	bool many = false;
	const char *text = http_query(req, p->name, &many);

	if (ret != NULL)
		*ret = text;
	if (text == NULL || (!many && p->take(to, text)))
		return OK;
	return fault_set(fault, ERR_UNPROCESSABLE, "",
	    "%s is \"%.60s\"%s; allowed is %s, once", p->name, text,
	    many ? " and more" : "", p->allowed);
}
