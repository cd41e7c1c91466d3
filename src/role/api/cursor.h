#ifndef TASKFLOW_ROLE_API_CURSOR_H
#define TASKFLOW_ROLE_API_CURSOR_H

/*
 * Where a page of a list begins, as text for clients: it means nothing to them,
 * and is of use for the list that it was made for alone. What was changed, or
 * belongs to another list (another user, other filters), is refused. Pure.
 */
#include "base/id.h"
#include "base/mem.h"

#define CURSOR_SIZE 37

struct cursor {
	bool up; /* to the newer ones, not the older ones */
	struct id id; /* beyond this one */
};

/* secret: what only we know. list: whatever tells this list from others. */
void cursor_format(const struct cursor *, struct span secret, struct span list,
    char ret[CURSOR_SIZE]);
bool cursor_parse(
    const char *, struct span secret, struct span list, struct cursor *ret);

#endif
