#ifndef TASKFLOW_ROLE_API_API_H
#define TASKFLOW_ROLE_API_API_H

/* The endpoints, one a file, and what the role has for all of them. */
#include "role/app.h"

extern const struct flow_def register_flow, login_flow, submit_flow, batch_flow,
    list_flow, show_flow, events_flow;

/* What requests share. NULL: the role has stopped. */
struct waiters *api_waiters(const struct app *);
struct token_keys *api_tokens(const struct app *);
struct announcer *api_announcer(const struct app *);

#endif
