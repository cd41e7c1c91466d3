#ifndef TASKFLOW_ROLE_API_CHARGE_H
#define TASKFLOW_ROLE_API_CHARGE_H

/*
 * Charging a request to its caller. A table has, right behind
 * api_authenticate and before anything is read of the request,
 *
 *	STEP(api_charge), STEP(api_admit),
 *
 * What writes tasks (scope tasks:write) is charged as submit, the rest as read.
 */
#include "call.h"

struct charge;

/* Waits for Redis, if the caller has a limit. Charges call->cost, or 1. */
flow_step api_charge;
/* ERR_RATE_LIMITED, or goes on; with the headers RateLimit-Policy and
 * RateLimit (draft-ietf-httpapi-ratelimit-headers-11) in any case. */
flow_step api_admit;
/* Has the caller a limit for this? If not, no cost need be found out. */
bool api_is_limited(const struct api_call *);

#endif
