#ifndef TASKFLOW_ROLE_API_DROP_H
#define TASKFLOW_ROLE_API_DROP_H

/*
 * Keys that work no more, by the database: out of the cache with them. What is
 * answered after it is true on every replica. If the cache cannot be told, this
 * waits until whatever it may have is too old.
 */
#include "call.h"

struct key_drop {
	struct pg_call *hashes; /* rows of them; set by the flow */
	struct redis_call *call; /* NULL: there are none */
};

/* What two steps in a row return: both wait. */
enum flow_next drop_ask(struct api_call *, struct key_drop *) MUST_USE;
enum flow_next drop_await(struct api_call *, const struct key_drop *) MUST_USE;

#endif
