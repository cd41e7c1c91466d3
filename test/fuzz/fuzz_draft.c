/* Bodies of POST /tasks, and the headers and tokens beside them: whatever
 * comes, either a draft within its bounds or a fault that says something. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "role/api/draft.h"
#include "task/users.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth)
{
	if (!truth)
		abort();
}

static void
check_draft(struct span body, struct arena *a)
{
	static const struct conf conf = { .default_max_attempts = 3,
		.default_timeout_ms = 1000 };
	struct fault f = { "", "" };
	struct task_draft d;
	enum err err = draft_parse(body, &conf, 1700000000000000, a, &d, &f);

	if (err != OK) {
		must(err == ERR_INVALID || err == ERR_UNPROCESSABLE ||
		    err == ERR_TOO_LARGE);
		must(f.detail[0] != '\0');
		return;
	}
	must(task_name_ok(d.type, strlen(d.type)));
	must(task_name_ok(d.queue, strlen(d.queue)));
	must(d.max_attempts >= 1 && d.max_attempts <= DRAFT_MAX_ATTEMPTS);
	must(d.scheduled_us == 0 || d.delay_ms == 0);
	must(d.delay_ms >= 0 && d.delay_ms <= DRAFT_MAX_AHEAD_S * 1000);
	/* The payload is a piece of the body, or the default. */
	must(d.payload.len > 0);
	must((d.payload.p >= body.p &&
		 d.payload.p + d.payload.len <= body.p + body.len) ||
	    span_is(d.payload, "null"));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span body = { (const char *)data, len };
	struct caller caller;
	struct fault f;
	struct arena a;
	char *text;

	arena_init(&a);
	check_draft(body, &a);
	text = arena_dup(&a, body.p, len);
	traceparent_ok(text);
	/* Nobody guesses a signature. */
	must(token_verify("0123456789abcdef0123456789abcdef", text, 1700000000,
		 &caller, &f) == ERR_UNAUTHORIZED);
	arena_fini(&a);
	return 0;
}

#include "replay.h"
