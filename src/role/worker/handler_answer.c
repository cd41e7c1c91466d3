/*
 * A line that a program of the kind process has written. Pure: what follows
 * from it is decided in handler_process.c.
 *
 *	{"id": ID, "result": JSON}
 *	{"id": ID, "error": TEXT, "retry": BOOL, "retry_after_ms": N}
 *	{"id": ID, "progress": JSON}
 *	{"log": TEXT}
 *
 * Other members are allowed and mean nothing.
 */
#include "base/jsn.h"
#include "handler_private.h"

#define MEMBERS_MAX 32
#define RETRY_AFTER_MAX_MS (30 * 24 * 3600 * 1000.0)

struct members {
	struct jsn_member m[MEMBERS_MAX];
	size_t n;
};

static const char *const names[ANSWER_KINDS] = {
	[ANSWER_RESULT] = "result",
	[ANSWER_ERROR] = "error",
	[ANSWER_PROGRESS] = "progress",
	[ANSWER_LOG] = "log",
};

/* Decoded if it is a string, else JSON as it stands. One with U+0000 stands as
 * it is too: no text can contain that. */
static struct span
text_of(const struct jsn_value *v, struct arena *a)
{
	char *text;
	size_t len;

	if (jsn_get_str(v, a, v->text.len, &text, &len))
		return (struct span){ text, len };
	return v->text;
}

/* NULL if there is none, or more than one. */
static const struct jsn_value *
find_kind(const struct members *o, enum answer_kind *ret)
{
	const struct jsn_value *v, *found = NULL;
	int kind, n = 0;

	for (kind = 0; kind < ANSWER_KINDS; kind++) {
		v = jsn_find(o->m, o->n, names[kind]);
		if (v == NULL)
			continue;
		found = v;
		*ret = (enum answer_kind)kind;
		n++;
	}
	return n == 1 ? found : NULL;
}

static const char *
read_id(const struct members *o, struct answer *ret)
{
	const struct jsn_value *v = jsn_find(o->m, o->n, "id");

	if (v == NULL)
		return "id is missing";
	if (v->type != JSN_STRING ||
	    !id_parse(v->text.p + 1, v->text.len - 2, &ret->id))
		return "id is not the id of a task";
	return NULL;
}

static const char *
read_retry(const struct members *o, struct answer *ret)
{
	const struct jsn_value *retry = jsn_find(o->m, o->n, "retry");
	const struct jsn_value *after = jsn_find(o->m, o->n, "retry_after_ms");
	double ms;

	if (retry != NULL && !jsn_get_bool(retry, &ret->retry))
		return "retry is not true or false";
	if (after == NULL)
		return NULL;
	if (!jsn_get_double(after, &ms) || ms < 0)
		return "retry_after_ms is not a number from 0 on";
	if (ms > RETRY_AFTER_MAX_MS)
		ms = RETRY_AFTER_MAX_MS;
	ret->retry_after_ms = (int64_t)ms;
	return NULL;
}

const char *
answer_parse(struct span line, struct arena *a, struct answer *ret)
{
	const struct jsn_value *v;
	const char *wrong = NULL;
	struct members o;
	struct fault fault;

	if (jsn_object(line, o.m, MEMBERS_MAX, &o.n, &fault) != OK)
		return arena_printf(a, "%s", fault.detail);
	v = find_kind(&o, &ret->kind);
	if (v == NULL)
		return "it does not have just one of result, error, progress "
		       "and log";
	ret->value = v->text;
	ret->retry = true;
	ret->retry_after_ms = -1;
	if (ret->kind != ANSWER_LOG)
		wrong = read_id(&o, ret);
	if (wrong != NULL || ret->kind == ANSWER_RESULT)
		return wrong;
	if (ret->kind != ANSWER_PROGRESS && v->type != JSN_STRING)
		return "its text is not a string";
	ret->value = text_of(v, a);
	return ret->kind == ANSWER_ERROR ? read_retry(&o, ret) : NULL;
}
