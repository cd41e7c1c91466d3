#ifndef TASKFLOW_ROLE_API_INPUT_H
#define TASKFLOW_ROLE_API_INPUT_H

/*
 * What a client may send: a table of the members of a JSON object. Whatever is
 * not in the table, or not as it says, is refused with a pointer to it, what
 * was given, and what is allowed. Pure.
 */
#include "base/jsn.h"

struct input_member {
	const char *name;
	const char *allowed; /* goes on after "allowed is" */
	const char *schema; /* the same for programs: JSON Schema */
	/* Is the value allowed? Then it is put into *to. */
	bool (*take)(void *to, const struct jsn_value *, struct arena *);
	bool required;
	bool secret; /* a fault does not show it */
};

/* A table of them, for who only reads it. */
struct input_table {
	const struct input_member *members;
	size_t n;
};

/* The body is such an object: ERR_INVALID if it is not JSON or no object,
 * ERR_UNPROCESSABLE if its members are wrong. */
enum err input_parse(struct span body, const struct input_member *, size_t n,
    void *to, struct arena *, struct fault *);

/* More members than any table has, so that unknown ones are named. */
#define INPUT_MEMBERS_MAX 32
struct input {
	const struct input_member *table;
	size_t n;
	void *to;
	struct arena *arena;
	struct fault *fault;
};
/* The same for members that were read already, whose names differ. */
enum err input_take(
    const struct input *, const struct jsn_member *, size_t nmembers);

/* ---- refusals for who reads by himself ---- */
/* ERR_INVALID if there is nothing at all. */
enum err input_not_empty(struct span body, struct fault *);
/* given NULL: it is missing. */
enum err input_refuse(struct fault *, const struct input_member *,
    const struct jsn_value *given);
enum err input_refuse_unknown(struct fault *, struct span name,
    const struct input_member *table, size_t n);

/* An integer in these bounds? */
bool input_int(
    const struct jsn_value *, int64_t min, int64_t max, int64_t *ret);
/* A string of so many bytes, without U+0000? ret is in the arena. */
bool input_str(const struct jsn_value *, size_t min, size_t max, struct arena *,
    const char **ret);

#endif
