#ifndef TASKFLOW_TASK_USERS_H
#define TASKFLOW_TASK_USERS_H

/* Users in PostgreSQL. What says who is asking: task/token.h. */
#include "store/pg.h"

struct user_row {
	struct id   id;
	struct span email, username, password_hash, role; /* borrowed */
	int64_t	    created_us;
	int64_t	    disabled_us;	/* 0: may log in */
	int64_t	    tokens_after_us;	/* tokens of before are refused; 0: none */
};

/* No row after it: the address or the name belongs to somebody else. */
struct pg_call *users_insert(struct pg *, const struct id *, const char *email,
    const char *username, const char *password_hash, const char *role);
/* False: taken. */
bool users_inserted(const struct pg_call *, int64_t *ret_created_us);
/* By email or user name; no row: nobody. */
struct pg_call *users_find(struct pg *, const char *login);
struct pg_call *users_get(struct pg *, const struct id *);
/* After it: a row, as of users_get; none: no such user. */
struct pg_call *users_set_disabled(struct pg *, const struct id *, bool);
void users_row(const struct pg_call *, int row, struct user_row *ret);

/* No row after it: the old hash is not the user's any more. Else column 0 is
 * what tokens_after_us is now. */
struct pg_call *users_set_password(struct pg *, const struct id *,
    const char *new_hash, const char *old_hash);
/* Whose tokens are not all good, as far as that changed within the last so many
 * ms, and who is disabled since before that if `all`. Newest change first. */
struct pg_call *users_changed(struct pg *, int64_t within_ms, bool all,
    int64_t limit);
struct user_change {
	struct id id;
	bool	  disabled;
	int64_t	  tokens_after_us;
};
void users_change(const struct pg_call *, int row, struct user_change *ret);

/* An address: 3 to 254 bytes, one @, no blanks. */
#define EMAIL_MIN	3
#define EMAIL_MAX	254
bool user_email_ok(const char *);
#define PASSWORD_MIN	8	/* and at most PASSWORD_MAX bytes (base/crypt.h) */

/* What a caller may do; a route needs one of them (struct route). A token of a
 * login has all but SCOPE_ADMIN, which only administrators have. */
enum scope {
	SCOPE_NONE = 0,		/* anybody */
	SCOPE_TASKS_READ = 1,	/* "tasks:read" */
	SCOPE_TASKS_WRITE = 2,	/* "tasks:write" */
	SCOPE_KEYS = 4,		/* "keys": API keys and the own account */
	SCOPE_ADMIN = 8		/* "admin" */
};

#define SCOPE_ANY	15	/* of a route: whichever it is */
/* "tasks:read" ...; 0: there is no such scope. */
enum scope scope_parse(const char *);
const char *scope_name(enum scope);
/* "tasks:read, keys", in the order of their numbers. */
#define SCOPES_TEXT_SIZE 64
void scopes_format(unsigned scopes, char ret[SCOPES_TEXT_SIZE]);

/* Who asks. */
struct caller {
	struct id user_id;
	bool	  admin;
	unsigned  scopes;	/* of enum scope; set by who knows the credentials */
	int64_t	  issued_s;	/* when the token was made, wall; 0: unknown */
};

#endif
