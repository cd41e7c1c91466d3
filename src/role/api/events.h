#ifndef TASKFLOW_ROLE_API_EVENTS_H
#define TASKFLOW_ROLE_API_EVENTS_H

/*
 * GET /tasks/{id}/events: as JSON (events.c), or as a stream of server-sent
 * events (events_stream.c), which goes on until the task is final.
 */
#include "call.h"
#include "task/tasks.h"
#include "waiters.h"

struct events {
	struct api_call call;
	struct id id;
	int64_t after; /* seq */
	struct pg_call *events, *task;

	/* ---- of a stream ---- */
	bool streams; /* it was asked for */
	bool resumes; /* Last-Event-ID was given */
	struct http_stream *stream; /* NULL: it has not begun */
	bool final; /* the task, as far as the client was told */
	bool behind; /* there is more than was written */
	bool refused; /* its token or key has ended */
	bool again; /* look again when the look under way is over */
	const struct credential *shown;
	struct waiter waiter; /* raised by the end of the task, and of the client */
	struct peek *peek; /* under way; NULL: none */
	int64_t told_us, taken_us; /* monotonic; said something, was heard */
	int64_t pause_ms; /* until the next look */
};

/* An event with the name of the request that caused it; text: room for one. */
void events_row(const struct pg_call *, int i, const struct id *task,
    char text[ID_TEXT_SIZE], struct task_event_row *ret);

/* Steps: join who waits, and begin to write; look; wait for the next look. */
flow_step stream_join, stream_look, stream_wait;
/* Does the header Accept (may be NULL) want a stream? Pure. */
bool stream_is_wanted(const char *accept);
/* The end of a flow that has begun a stream. */
void stream_end(struct events *, enum err);

#endif
