#include "drop.h"
#include "base/log.h"
#include "task/keys.h"

enum flow_next
drop_ask(struct api_call *c, struct key_drop *d)
{
	d->call = NULL;
	if (pg_rows(d->hashes) == 0)
		return FLOW_NEXT;
	d->call = key_cache_drop(api_app(c)->redis[PRIORITY_LOW], d->hashes);
	return redis_try(d->call, &c->http.flow);
}

/* A promise of before the revocation can be kept as long as it lives, and what
 * it has put there lives as long as an entry. Another millisecond for what the
 * two clocks cut off. */
enum flow_next
drop_await(struct api_call *c, const struct key_drop *d)
{
	if (d->call == NULL || redis_call_err(d->call) == OK)
		return FLOW_NEXT;
	log_warn("api", "redis-low cannot be told of a revocation: waiting",
	    KV_INT("ms", KEY_PROMISE_MS + KEY_ENTRY_MS));
	return flow_sleep_ms(&c->http.flow, KEY_PROMISE_MS + KEY_ENTRY_MS + 1);
}
