#include "act.h"

const char *
act_who(struct api_call *c)
{
	char text[ID_TEXT_SIZE];
	struct id id;

	id_new(&id);
	id_format(&id, text);
	return arena_printf(&c->http.flow.arena, "request %s, action %s",
	    http_request_id(c->http.req), text);
}

enum flow_next
act_refuse(struct api_call *c, enum task_status status, const char *allowed)
{
	return flow_check(&c->http.flow,
	    fault_set(&c->fault, ERR_CONFLICT, "", "the task is %s; only %s",
		task_status_name(status), allowed));
}
