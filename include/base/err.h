#ifndef TASKFLOW_BASE_ERR_H
#define TASKFLOW_BASE_ERR_H

/*
 * What can go wrong in the world. Bugs are not here: they assert.
 * The mapping to HTTP is a table of its own, in loop/problem.c.
 */
#include <stdbool.h>

enum err {
	OK = 0,
	ERR_INVALID,		/* the input breaks a rule; a fault says which */
	ERR_UNPROCESSABLE,	/* well-formed, but a value is not allowed */
	ERR_UNAUTHORIZED,	/* no credentials, or bad ones */
	ERR_FORBIDDEN,		/* known, but may not */
	ERR_NOT_FOUND,
	ERR_METHOD,		/* the path exists, the method does not */
	ERR_CONFLICT,		/* the state of the thing forbids it */
	ERR_KEY_HELD,		/* a live task has this unique_key */
	ERR_KEY_RUNNING,	/* a request with this Idempotency-Key runs */
	ERR_KEY_REUSED,		/* it was that of another request */
	ERR_LENGTH_REQUIRED,	/* a body whose length is not declared */
	ERR_TOO_LARGE,		/* over a limit of size */
	ERR_MEDIA_TYPE,		/* the body is not of a type we read */
	ERR_RATE_LIMITED,	/* too many requests of one caller */
	ERR_OVERLOADED,		/* a queue of ours is full: try again later */
	ERR_UNAVAILABLE,	/* a server we need does not answer */
	ERR_TIMEOUT,		/* a deadline passed; the outcome is unknown */
	ERR_DATA,		/* PostgreSQL refused the data (class 22, 23) */
	ERR_SHUTDOWN,		/* we are going away */
	ERR_NO_MEMORY,
	ERR_INTERNAL,		/* should not happen: look at the log */
	ERR_MAX
};

/* Stable lower-case name, such as "not-found"; static storage. */
const char *err_name(enum err);
/* One sentence for people, without a full stop; static storage. */
const char *err_text(enum err);
/* May the same request succeed later without being changed? */
bool err_is_retryable(enum err);

/* Which part of the input is at fault, and why. Filled by parsers. */
struct fault {
	char pointer[128];	/* JSON Pointer (RFC 6901), "" for the whole */
	char detail[320];	/* what was given, what is allowed */
	char more[128];		/* members of the problem, `"a":1`; or "" */
};

/* Fill a fault (printf style) and return err, for `return fault_set(...)`. */
enum err fault_set(struct fault *, enum err err, const char *pointer,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
