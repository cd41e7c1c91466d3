/*
 * DELETE /api-keys/{id}: a key that never works again, on any replica, once it
 * is answered. The row goes last: whoever asks again after a failure in between
 * still finds what to drop from the cache.
 */
#include "api.h"
#include "call.h"
#include "charge.h"
#include "drop.h"
#include "task/keys.h"

struct key_revoke {
	struct api_call call;
	struct id id;
	struct key_drop drop;
};

static flow_step find_key, revoke_key, drop_key, await_cache, forget_key;
static void revoke_end(struct flow *, enum err);

static const struct step revoke_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(find_key),
	STEP(revoke_key),
	STEP(drop_key),
	STEP(await_cache),
	STEP(forget_key),
	STEP_LAST,
};

const struct flow_def key_revoke_flow = {
	.name = "key_revoke",
	.size = sizeof(struct key_revoke),
	.steps = revoke_steps,
	.end = revoke_end,
};

static enum flow_next
find_key(struct flow *f)
{
	struct key_revoke *k = (struct key_revoke *)f;
	const char *text = http_param(k->call.http.req, "id");

	if (!id_parse(text, strlen(text), &k->id))
		return flow_check(f, ERR_NOT_FOUND);
	http_note_id(k->call.http.req, "key", &k->id);
	return FLOW_NEXT;
}

static enum flow_next
revoke_key(struct flow *f)
{
	struct key_revoke *k = (struct key_revoke *)f;

	k->drop.hashes =
	    keys_revoke(api_app(&k->call)->pg, &k->id, &k->call.caller.user_id);
	return pg_run(k->drop.hashes, f);
}

static enum flow_next
drop_key(struct flow *f)
{
	struct key_revoke *k = (struct key_revoke *)f;

	if (pg_rows(k->drop.hashes) == 0)
		return flow_check(f,
		    fault_set(&k->call.fault, ERR_NOT_FOUND, "",
			"there is no such API key of yours"));
	return drop_ask(&k->call, &k->drop);
}

static enum flow_next
await_cache(struct flow *f)
{
	struct key_revoke *k = (struct key_revoke *)f;

	return drop_await(&k->call, &k->drop);
}

static enum flow_next
forget_key(struct flow *f)
{
	struct key_revoke *k = (struct key_revoke *)f;

	return pg_run(keys_forget(api_app(&k->call)->pg, &k->id), f);
}

static void
revoke_end(struct flow *f, enum err err)
{
	struct key_revoke *k = (struct key_revoke *)f;

	if (err != OK)
		api_refuse(&k->call, err);
	else
		http_reply(k->call.http.req, 204, NULL, span_of(NULL));
}
