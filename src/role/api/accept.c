#include "accept.h"
#include "base/clock.h"
#include "draft.h"
#include "task/queue.h"

/* The scheduler looks that much ahead of its interval, at the most. */
#define DUE_MARGIN_MS 1000

const char *
accept_traceparent(const struct api_call *c)
{
	const char *trace = http_header(c->http.req, "traceparent");

	return trace != NULL && traceparent_ok(trace) ? trace : NULL;
}

void
accept_draft(const struct api_call *c, const char *traceparent, size_t i,
    struct task_draft *d)
{
	/* An id of ours is in the task's, so that it need not be written. */
	d->request_id = http_client_id(c->http.req);
	if (d->request_id == NULL)
		id_member(http_made_id(c->http.req), (unsigned)i, &d->id);
	else
		id_new(&d->id);
	d->user_id = c->caller.user_id;
	d->traceparent = traceparent;
}

/* An earlier try had inserted it, and its answer was lost: what the database
 * has decided is what anybody would. */
static void
guess(const struct task_draft *d, struct task_accepted *ret)
{
	int64_t now = clock_wall_us(), due = d->scheduled_us;

	ret->created_us = id_time_ms(&d->id) * US_PER_MS;
	if (d->delay_ms != 0)
		due = ret->created_us + d->delay_ms * US_PER_MS;
	ret->scheduled_us = due;
	ret->due_in_ms = (due - now) / US_PER_MS;
	ret->status = due > ret->created_us ? TASK_PENDING : TASK_QUEUED;
}

void
accept_result(const struct pg_call *insert, size_t i,
    const struct task_draft *d, struct task_accepted *ret)
{
	if (!tasks_inserted(insert, i, ret))
		guess(d, ret);
}

bool
accept_is_soon(const struct api_call *c, const struct task_accepted *a)
{
	return a->status == TASK_PENDING &&
	    a->due_in_ms <
	    api_app(c)->conf->schedule_interval_ms + DUE_MARGIN_MS;
}

void
accept_tell_scheduler(const struct api_call *c)
{
	redis_send(signal_due(api_app(c)->redis[PRIORITY_HIGH]));
}
