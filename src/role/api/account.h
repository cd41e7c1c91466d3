#ifndef TASKFLOW_ROLE_API_ACCOUNT_H
#define TASKFLOW_ROLE_API_ACCOUNT_H

#include "base/jsn.h"
#include "task/users.h"

/* The members of a user, as he and administrators see them: id, email,
 * username, role, created_at, disabled_at. */
void account_put(struct jsn_w *, const struct user_row *);

#endif
