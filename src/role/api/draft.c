#include <math.h>

#include "base/clock.h"
#include "doc.h"
#include "draft.h"
#include "task/keyed.h"

#define A_NAME "a string of 1 to 64 of A-Z a-z 0-9 _ . -"

struct draft {
	struct task_draft *task;
	int64_t now_us;
	bool has_time, has_delay;
};

static bool
take_name(const struct jsn_value *v, struct arena *a, const char **ret)
{
	return input_str(v, 1, TASK_NAME_MAX, a, ret) &&
	    task_name_ok(*ret, strlen(*ret));
}

static bool
take_type(void *to, const struct jsn_value *v, struct arena *a)
{
	struct draft *d = to;

	return take_name(v, a, &d->task->type);
}

static bool
take_queue(void *to, const struct jsn_value *v, struct arena *a)
{
	struct draft *d = to;

	return take_name(v, a, &d->task->queue);
}

static bool
take_payload(void *to, const struct jsn_value *v, struct arena *a)
{
	struct draft *d = to;

	(void)a;
	d->task->payload = v->text;
	return true;
}

static bool
take_priority(void *to, const struct jsn_value *v, struct arena *a)
{
	struct draft *d = to;
	const char *name;

	return input_str(v, 1, 8, a, &name) &&
	    task_priority_parse(name, &d->task->priority);
}

/* A time that is over is as good as now: the database says what is due. */
static bool
take_scheduled_at(void *to, const struct jsn_value *v, struct arena *a)
{
	struct draft *d = to;
	int64_t latest = d->now_us + DRAFT_MAX_AHEAD_S * US_PER_S;
	const char *text;

	d->has_time = true;
	return input_str(v, 1, 64, a, &text) &&
	    time_parse(text, strlen(text), &d->task->scheduled_us) &&
	    d->task->scheduled_us <= latest;
}

static bool
take_delay(void *to, const struct jsn_value *v, struct arena *a)
{
	struct draft *d = to;
	double s;

	(void)a;
	d->has_delay = true;
	if (!jsn_get_double(v, &s) || s < 0 || s > DRAFT_MAX_AHEAD_S)
		return false;
	d->task->delay_ms = llround(s * 1000);
	return true;
}

static bool
take_max_attempts(void *to, const struct jsn_value *v, struct arena *a)
{
	struct draft *d = to;

	(void)a;
	return input_int(v, 1, DRAFT_MAX_ATTEMPTS, &d->task->max_attempts);
}

static bool
take_timeout(void *to, const struct jsn_value *v, struct arena *a)
{
	struct draft *d = to;
	int64_t s;

	(void)a;
	if (!input_int(v, 1, DRAFT_MAX_TIMEOUT_S, &s))
		return false;
	d->task->timeout_ms = s * 1000;
	return true;
}

static bool
take_unique_key(void *to, const struct jsn_value *v, struct arena *a)
{
	struct draft *d = to;
	const char **key = &d->task->unique_key;

	return input_str(v, 1, UNIQUE_KEY_SIZE - 1, a, key) &&
	    unique_key_ok(*key);
}

static const struct input_member members[] = {
	{ .name = "type",
	    .allowed = A_NAME,
	    .schema = S_NAME,
	    .take = take_type,
	    .required = true },
	{ .name = "payload",
	    .allowed = "any JSON",
	    .schema = S_ANY,
	    .take = take_payload },
	{ .name = "priority",
	    .allowed = "\"high\" or \"low\"",
	    .schema = "{\"type\":\"string\",\"enum\":[\"high\",\"low\"]}",
	    .take = take_priority },
	{ .name = "queue",
	    .allowed = A_NAME,
	    .schema = S_NAME,
	    .take = take_queue },
	{ .name = "scheduled_at",
	    .allowed = "a time as RFC 3339 has it, such as "
		       "\"2026-01-02T03:04:05Z\", up to ten years ahead",
	    .schema = S_TIME,
	    .take = take_scheduled_at },
	{ .name = "delay_seconds",
	    .allowed = "a number from 0 to 315360000",
	    .schema = "{\"type\":\"number\",\"minimum\":0,"
		      "\"maximum\":315360000}",
	    .take = take_delay },
	{ .name = "max_attempts",
	    .allowed = "an integer from 1 to 100",
	    .schema = "{\"type\":\"integer\",\"minimum\":1,\"maximum\":100}",
	    .take = take_max_attempts },
	{ .name = "timeout_seconds",
	    .allowed = "an integer from 1 to 86400",
	    .schema = "{\"type\":\"integer\",\"minimum\":1,"
		      "\"maximum\":86400}",
	    .take = take_timeout },
	{ .name = "unique_key",
	    .allowed = "a string of 1 to 200 characters",
	    .schema = "{\"type\":\"string\",\"minLength\":1,\"maxLength\":200}",
	    .take = take_unique_key },
};

const struct input_table draft_input = { members, NELEM(members) };

enum err
draft_take(const struct jsn_member *m, size_t n, const struct draft_base *base,
    struct task_draft *ret, struct fault *fault)
{
	struct draft d = { .task = ret, .now_us = base->now_us };
	const struct input in = { members, NELEM(members), &d, base->arena,
		fault };
	enum err err;

	*ret = (struct task_draft){ .queue = "default",
		.priority = PRIORITY_LOW,
		.max_attempts = base->conf->default_max_attempts,
		.payload = span_of("null") };
	err = input_take(&in, m, n);
	if (err == OK && d.has_time && d.has_delay)
		err = fault_set(fault, ERR_UNPROCESSABLE, "/delay_seconds",
		    "delay_seconds is given, and so is scheduled_at; allowed "
		    "is one of them");
	return err;
}

enum err
draft_parse(struct span body, const struct conf *conf, int64_t now_us,
    struct arena *arena, struct task_draft *ret, struct fault *fault)
{
	const struct draft_base base = { conf, now_us, arena };
	struct jsn_member m[INPUT_MEMBERS_MAX];
	size_t n = 0;
	enum err err = input_not_empty(body, fault);

	if (err == OK)
		err = jsn_object(body, m, NELEM(m), &n, fault);
	return err != OK ? err : draft_take(m, n, &base, ret, fault);
}

/* ---- traceparent ---- */

/* So many lower-case hexadecimal digits? *ret_zero: all of them are 0. */
static bool
is_hex(const char *s, size_t n, bool *ret_zero)
{
	*ret_zero = strspn(s, "0") >= n;
	return strspn(s, "0123456789abcdef") >= n;
}

/* 00-<32 digits>-<16 digits>-<2 digits>; ids are not zero, and ff is no
 * version. A later version may go on after it, and what it adds is not known
 * to be worth its keep. */
bool
traceparent_ok(const char *s)
{
	bool no_trace, no_parent, any;

	return strlen(s) == 55 && s[2] == '-' && s[35] == '-' && s[52] == '-' &&
	    is_hex(s, 2, &any) && strncmp(s, "ff", 2) != 0 &&
	    is_hex(s + 3, 32, &no_trace) && !no_trace &&
	    is_hex(s + 36, 16, &no_parent) && !no_parent &&
	    is_hex(s + 53, 2, &any);
}
