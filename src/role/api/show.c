/* GET /tasks/{id}: one task, as it is, or once it is final. */
#include "api.h"
#include "await.h"
#include "charge.h"
#include "render.h"

static void show_end(struct flow *, enum err);

static const struct step show_steps[] = {
	STEP(api_authenticate),
	STEP(api_charge),
	STEP(api_admit),
	STEP(await_find),
	STEP(await_join),
	STEP(await_read),
	STEP(await_look),
	STEP(await_settled),
	STEP_LAST,
};

const struct flow_def show_flow = {
	.name = "show",
	.size = sizeof(struct api_task),
	.steps = show_steps,
	.end = show_end,
};

/* Weak comparison: W/ does not matter. The tags are quoted and ours are
 * hexadecimal, so one that is found with its quotes is one of the list. */
static bool
is_unchanged(const char *if_none_match, const char *etag)
{
	return if_none_match != NULL &&
	    (strcmp(if_none_match, "*") == 0 ||
		strstr(if_none_match, strchr(etag, '"')) != NULL);
}

static void
show_end(struct flow *f, enum err err)
{
	struct api_task *t = (struct api_task *)f;
	struct http_req *req = t->call.http.req;
	char etag[ETAG_SIZE];

	await_end(t);
	if (err != OK) {
		api_refuse(&t->call, err);
		return;
	}
	render_etag(&t->row, etag);
	http_add_header(req, "ETag", etag);
	http_add_header(req, "Cache-Control", "private, no-cache");
	http_add_header(req, "Vary", "Authorization, X-API-Key, Prefer");
	if (is_unchanged(http_header(req, "If-None-Match"), etag)) {
		await_say_waited(t);
		http_reply(req, 304, NULL, span_of(NULL));
	} else
		await_reply(t, 200);
}
