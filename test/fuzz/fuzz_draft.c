/* Bodies of POST /tasks and of POST /tasks/batch, and the headers and tokens
 * beside them: whatever comes, either drafts within their bounds or a fault
 * that says something. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "role/api/drafts.h"

#define NOW_US 1700000000000000

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth)
{
	if (!truth)
		abort();
}

static const struct conf conf = { .default_max_attempts = 3,
	.default_timeout_ms = 1000 };

static void
check_fault(enum err err, const struct fault *f)
{
	must(err == ERR_INVALID || err == ERR_UNPROCESSABLE ||
	    err == ERR_TOO_LARGE);
	must(f->detail[0] != '\0');
}

static void
check_good(struct span body, const struct task_draft *d)
{
	must(task_name_ok(d->type, strlen(d->type)));
	must(task_name_ok(d->queue, strlen(d->queue)));
	must(d->max_attempts >= 1 && d->max_attempts <= DRAFT_MAX_ATTEMPTS);
	must(d->scheduled_us == 0 || d->delay_ms == 0);
	must(d->delay_ms >= 0 && d->delay_ms <= DRAFT_MAX_AHEAD_S * 1000);
	/* The payload is a piece of the body, or the default. */
	must(d->payload.len > 0);
	must((d->payload.p >= body.p &&
		 d->payload.p + d->payload.len <= body.p + body.len) ||
	    span_is(d->payload, "null"));
}

static enum err
check_draft(struct span body, struct arena *a, struct fault *f)
{
	struct task_draft d;
	enum err err = draft_parse(body, &conf, NOW_US, a, &d, f);

	if (err != OK)
		check_fault(err, f);
	else
		check_good(body, &d);
	return err;
}

/* Each item is a draft or a refusal, and no item is lost. */
static void
check_drafts(struct span body, struct arena *a)
{
	const struct draft_base base = { &conf, NOW_US, a };
	struct fault f = { "", "", "" };
	struct drafts d;
	size_t i, good = 0;
	enum err err = drafts_parse(body, &base, &d, &f);

	if (err != OK) {
		check_fault(err, &f);
		return;
	}
	must(d.nitems > 0 && d.nitems <= DRAFTS_MAX);
	for (i = 0; i < d.nitems; i++)
		if (d.item[i] != NULL)
			check_fault(d.item[i]->err, &d.item[i]->fault);
		else
			check_good(body, &d.draft[good++]);
	must(good == d.n);
}

/* What is a good task alone is one in a batch, and what is refused alone is
 * refused there, for the same reason if it is JSON at all. */
static void
check_same(struct span item, struct arena *a)
{
	const struct draft_base base = { &conf, NOW_US, a };
	char *text =
	    arena_printf(a, "{\"tasks\":[%.*s]}", (int)item.len, item.p);
	struct fault alone = { "", "", "" }, f = { "", "", "" };
	struct drafts d;
	enum err err = check_draft(item, a, &alone);

	if (memchr(item.p, '\0', item.len) != NULL)
		return;
	if (drafts_parse(span_of(text), &base, &d, &f) != OK) {
		must(err != OK);
		return;
	}
	if (d.nitems != 1)
		return;
	must((err == OK) == (d.n == 1));
	if (err == ERR_UNPROCESSABLE)
		must(strcmp(d.item[0]->fault.pointer, alone.pointer) == 0 &&
		    strcmp(d.item[0]->fault.detail, alone.detail) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span body = { (const char *)data, len };
	struct arena a;
	char *text;

	arena_init(&a);
	if (len > 0)
		check_same(body, &a);
	check_drafts(body, &a);
	text = arena_dup(&a, body.p, len);
	traceparent_ok(text);
	arena_fini(&a);
	return 0;
}

#include "replay.h"
