#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/err.h"

struct err_row {
	const char *name, *text;
	bool retryable;
};

static const struct err_row rows[ERR_MAX] = {
	[OK] = { "ok", "It went well", false },
	[ERR_INVALID] = { "invalid", "The request breaks a rule", false },
	[ERR_UNPROCESSABLE] = { "unprocessable",
	    "The request is well-formed, but a value in it is not allowed",
	    false },
	[ERR_UNAUTHORIZED] = { "unauthorized",
	    "Valid credentials are needed and were not given", false },
	[ERR_FORBIDDEN] = { "forbidden", "These credentials do not allow this",
	    false },
	[ERR_NOT_FOUND] = { "not-found", "There is nothing here", false },
	[ERR_METHOD] = { "method-not-allowed",
	    "This path does not know this method", false },
	[ERR_CONFLICT] = { "conflict", "The state of the resource forbids this",
	    false },
	[ERR_KEY_HELD] = { "unique-key",
	    "Another task that is not final has this unique_key", false },
	[ERR_KEY_RUNNING] = { "idempotency-running",
	    "A request with this Idempotency-Key is just being worked on",
	    true },
	[ERR_KEY_REUSED] = { "idempotency-reuse",
	    "This Idempotency-Key was used for another request", false },
	[ERR_LENGTH_REQUIRED] = { "length-required",
	    "The length of the body must be declared", false },
	[ERR_TOO_LARGE] = { "too-large", "This is over a limit of size",
	    false },
	[ERR_MEDIA_TYPE] = { "media-type",
	    "The body is not of a type that is understood here", false },
	[ERR_RATE_LIMITED] = { "rate-limited",
	    "Too many requests: wait before the next one", true },
	[ERR_OVERLOADED] = { "overloaded",
	    "The service is too busy: try again later", true },
	[ERR_UNAVAILABLE] = { "unavailable",
	    "A server that is needed does not answer", true },
	[ERR_TIMEOUT] = { "timeout",
	    "It took too long, and the outcome is not known", true },
	[ERR_DATA] = { "data", "The database refused the data", false },
	[ERR_SHUTDOWN] = { "shutdown", "The service is going away", true },
	[ERR_NO_MEMORY] = { "no-memory", "There is not enough memory", true },
	[ERR_INTERNAL] = { "internal",
	    "Something went wrong inside the service", false },
};

static const struct err_row *
row_of(enum err err)
{
	assert((unsigned)err < ERR_MAX && rows[err].name != NULL);
	return &rows[err];
}

const char *
err_name(enum err err)
{
	return row_of(err)->name;
}

const char *
err_text(enum err err)
{
	return row_of(err)->text;
}

bool
err_is_retryable(enum err err)
{
	return row_of(err)->retryable;
}

/* What does not fit is cut: a fault is for people to read. */
enum err
fault_set(
    struct fault *f, enum err err, const char *pointer, const char *fmt, ...)
{
	va_list ap;

	if (f == NULL)
		return err;
	snprintf(f->pointer, sizeof(f->pointer), "%s", pointer);
	f->more[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(f->detail, sizeof(f->detail), fmt, ap);
	va_end(ap);
	return err;
}
