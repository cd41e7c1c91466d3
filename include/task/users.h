#ifndef TASKFLOW_TASK_USERS_H
#define TASKFLOW_TASK_USERS_H

/* Users in PostgreSQL. What says who is asking: task/token.h. */
#include "store/pg.h"

struct user_row {
	struct id   id;
	struct span email, username, password_hash, role; /* borrowed */
};

/* No row after it: the address or the name belongs to somebody else. */
struct pg_call *users_insert(struct pg *, const struct id *, const char *email,
    const char *username, const char *password_hash, const char *role);
/* False: taken. */
bool users_inserted(const struct pg_call *, int64_t *ret_created_us);
/* By email or user name; no row: nobody. */
struct pg_call *users_find(struct pg *, const char *login);
void users_row(const struct pg_call *, int row, struct user_row *ret);

/* What a caller may do; a route needs one of them (struct route). A token of a
 * login has all but SCOPE_ADMIN, which only administrators have. */
enum scope {
	SCOPE_NONE = 0,		/* anybody */
	SCOPE_TASKS_READ = 1,	/* "tasks:read" */
	SCOPE_TASKS_WRITE = 2,	/* "tasks:write" */
	SCOPE_KEYS = 4,		/* "keys": API keys and the own account */
	SCOPE_ADMIN = 8		/* "admin" */
};

/* Who asks. */
struct caller {
	struct id user_id;
	bool	  admin;
};

#endif
