#ifndef TASKFLOW_ROLE_API_LISTING_H
#define TASKFLOW_ROLE_API_LISTING_H

/* What the query of GET /tasks asks for. */
#include "call.h"
#include "cursor.h"
#include "task/tasks.h"

#define LISTING_LIMIT 50
#define LISTING_LIMIT_MAX 500

struct listing {
	struct task_filter filter; /* its user is given */
	int64_t limit;
	bool has_cursor, up;
	struct cursor cursor;
	struct span query; /* the filters again, as a query: "&status=..." */
	struct span list; /* for cursors: user and filters */
};

/* ERR_UNPROCESSABLE for a parameter, ERR_INVALID for a cursor. Texts are in the
 * arena, or as long as the request. */
enum err listing_parse(struct http_req *, struct span secret, struct arena *,
    struct listing *, struct fault *);
/* <...>; rel="..." (RFC 8288). */
void listing_link(
    const struct listing *, const char *cursor, const char *rel, struct buf *);

#endif
