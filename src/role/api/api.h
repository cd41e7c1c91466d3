#ifndef TASKFLOW_ROLE_API_API_H
#define TASKFLOW_ROLE_API_API_H

/* The endpoints, one a file, and what the role has for all of them. */
#include "role/app.h"

extern const struct flow_def register_flow, login_flow, submit_flow, batch_flow,
    list_flow, show_flow, events_flow, limits_get_flow, limits_put_flow,
    autoscaling_flow;
extern const struct flow_def me_flow, password_flow, disable_flow, enable_flow;
extern const struct flow_def cancel_flow, retry_flow, retry_many_flow,
    delete_flow, explain_flow;
extern const struct flow_def key_create_flow, key_list_flow, key_revoke_flow;

extern const struct route api_routes[];
extern const size_t api_nroutes;

/* What requests share. NULL: the role has stopped. */
struct waiters *api_waiters(const struct app *);
struct token_keys *api_tokens(const struct app *);
struct announcer *api_announcer(const struct app *);
struct denied *api_denied(const struct app *);
struct lockout *api_lockout(const struct app *);
struct limits *api_limits(const struct app *);

#endif
