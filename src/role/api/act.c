#include "act.h"

const struct task_actor *
act_actor(struct api_call *c)
{
	struct task_actor *by = arena_alloc(&c->http.flow.arena, sizeof(*by));
	char text[ID_TEXT_SIZE];
	struct id id;

	id_new(&id);
	id_format(&id, text);
	by->request_id = http_request_id(c->http.req);
	by->who =
	    arena_printf(&c->http.flow.arena, "by its owner, action %s", text);
	return by;
}

enum flow_next
act_refuse(struct api_call *c, enum task_status status, const char *allowed)
{
	return flow_check(&c->http.flow,
	    fault_set(&c->fault, ERR_CONFLICT, "", "the task is %s; only %s",
		task_status_name(status), allowed));
}
