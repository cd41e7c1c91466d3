#include "drafts.h"

#include "doc.h"

#define DRAFTS_FIRST 128 /* room at first */
#define OUTER 2 /* brackets around an item, which may be as deep as alone */

static const struct input_member tasks_member = { .name = "tasks",
	.allowed = "an array of 1 to 1000 tasks",
	.required = true,
	.schema = "{\"type\":\"array\",\"minItems\":1,\"maxItems\":1000,"
		  "\"items\":" S_REF("Draft") "}" };
const struct input_table drafts_input = { &tasks_member, 1 };

struct reading {
	struct jsn_r *r;
	const struct draft_base *base;
	struct drafts *to;
	size_t cap; /* of the drafts */
	struct fault *fault; /* of the request */
};

const struct refusal *
refusal_new(struct arena *a, enum err err, const struct fault *fault)
{
	struct refusal *ret = arena_alloc(a, sizeof(*ret));

	ret->err = err;
	ret->fault = *fault;
	return ret;
}

/* What an arena gave stays until it dies, so doubling wastes as much again. */
static struct task_draft *
room_for_one(struct reading *k)
{
	struct drafts *to = k->to;
	struct task_draft *d = to->draft;

	if (to->n < k->cap)
		return &d[to->n];
	k->cap = k->cap == 0 ? DRAFTS_FIRST : k->cap * 2;
	to->draft = arena_alloc(k->base->arena, k->cap * sizeof(*d));
	if (to->n > 0)
		memcpy(to->draft, d, to->n * sizeof(*d));
	return &to->draft[to->n];
}

#define ROOM (INPUT_MEMBERS_MAX + 1)

/* False: it is no JSON. Of too many members all are counted; the last ones
 * share a place. */
static bool
read_members(struct jsn_r *r, struct jsn_member m[ROOM], size_t *n)
{
	struct jsn_member *at;
	struct span name;
	bool more;

	if (!jsn_r_open(r, '{', &more, &name))
		return false;
	for (*n = 0; more; ++*n) {
		at = &m[*n < ROOM ? *n : ROOM - 1];
		at->name = name;
		if (!jsn_r_value(r, &at->value) || !jsn_r_next(r, &more, &name))
			return false;
	}
	return true;
}

static enum err
check_item(struct reading *k, struct span text, const struct jsn_member *m,
    size_t n, struct fault *why)
{
	struct task_draft *d = room_for_one(k);
	enum err err;

	if (n > INPUT_MEMBERS_MAX)
		return fault_set(why, ERR_INVALID, "",
		    "the task has %zu members, but at most %d are allowed", n,
		    INPUT_MEMBERS_MAX);
	err = jsn_check_names(text, m, n, why);
	if (err == OK)
		err = draft_take(m, n, k->base, d, why);
	if (err == OK)
		k->to->n++;
	return err;
}

/* False: it is no JSON. */
static bool
read_item(struct reading *k, struct span body)
{
	struct jsn_member m[ROOM];
	struct jsn_value v;
	struct fault why;
	size_t n;
	enum err err;

	if (jsn_r_type(k->r) == JSN_OBJECT) {
		if (!read_members(k->r, m, &n))
			return false;
		err = check_item(k, body, m, n, &why);
	} else {
		if (!jsn_r_value(k->r, &v))
			return false;
		err = fault_set(&why, ERR_INVALID, "",
		    "the task is %.*s%s; allowed is an object",
		    v.text.len > 60 ? 60 : (int)v.text.len, v.text.p,
		    v.text.len > 60 ? "..." : "");
	}
	k->to->item[k->to->nitems++] =
	    err == OK ? NULL : refusal_new(k->base->arena, err, &why);
	return true;
}

static enum err
read_items(struct reading *k, struct span body)
{
	struct drafts *to = k->to;
	struct span none;
	bool more;

	to->item = arena_alloc(k->base->arena, DRAFTS_MAX * sizeof(*to->item));
	if (!jsn_r_open(k->r, '[', &more, &none))
		return ERR_INVALID;
	while (more) {
		if (to->nitems == DRAFTS_MAX)
			return fault_set(k->fault, ERR_UNPROCESSABLE, "/tasks",
			    "tasks has more than %d elements; allowed is %s",
			    DRAFTS_MAX, tasks_member.allowed);
		if (!read_item(k, body) || !jsn_r_next(k->r, &more, &none))
			return ERR_INVALID;
	}
	return OK;
}

/* The one member that there is. */
static enum err
read_member(struct reading *k, struct span body, struct span name)
{
	const struct jsn_member m = { .name = name };
	struct jsn_value v;
	enum err err;

	if (jsn_find(&m, 1, tasks_member.name) == NULL)
		return input_refuse_unknown(k->fault, name, &tasks_member, 1);
	if (k->to->item != NULL)
		return fault_set(k->fault, ERR_INVALID, "/tasks",
		    "the name \"tasks\" stands in the object twice");
	if (jsn_r_type(k->r) == JSN_ARRAY) {
		err = read_items(k, body);
		if (err != OK || k->to->nitems > 0)
			return err;
		v.text = span_of("[]");
	} else if (!jsn_r_value(k->r, &v)) {
		return ERR_INVALID;
	}
	return input_refuse(k->fault, &tasks_member, &v);
}

enum err
drafts_parse(struct span body, const struct draft_base *base,
    struct drafts *ret, struct fault *fault)
{
	struct reading k = { .base = base, .to = ret, .fault = fault };
	enum err err = input_not_empty(body, fault);
	struct span name;
	bool more;

	*ret = (struct drafts){ .n = 0 };
	if (err != OK)
		return err;
	k.r = jsn_r_new(base->arena, body, OUTER, fault);
	if (!jsn_r_open(k.r, '{', &more, &name))
		return ERR_INVALID;
	while (more) {
		err = read_member(&k, body, name);
		if (err != OK)
			return err;
		if (!jsn_r_next(k.r, &more, &name))
			return ERR_INVALID;
	}
	if (!jsn_r_end(k.r))
		return ERR_INVALID;
	return ret->item != NULL ? OK
				 : input_refuse(fault, &tasks_member, NULL);
}

/* ---- counting alone ---- */

/* False: it is no JSON. */
static bool
count_elements(struct jsn_r *r, size_t *n)
{
	struct jsn_value v;
	struct span none;
	bool more;

	if (!jsn_r_open(r, '[', &more, &none))
		return false;
	for (*n = 0; more; ++*n)
		if (!jsn_r_value(r, &v) || !jsn_r_next(r, &more, &none))
			return false;
	return true;
}

size_t
drafts_count(struct span body, struct arena *a)
{
	struct fault ignored;
	struct jsn_r *r = jsn_r_new(a, body, OUTER, &ignored);
	struct jsn_member m = { .name = { NULL, 0 } };
	size_t n = 0;
	bool more;

	if (jsn_r_open(r, '{', &more, &m.name) && more &&
	    jsn_find(&m, 1, tasks_member.name) != NULL &&
	    jsn_r_type(r) == JSN_ARRAY && count_elements(r, &n) && n > 0 &&
	    n <= DRAFTS_MAX)
		return n;
	return 1;
}
