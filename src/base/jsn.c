#include <assert.h>

#include "base/jsn_lex.h"

#define NAME_SHOWN 60 /* bytes of a name in a fault */

static bool
scan_open(struct scan *s)
{
	if (s->depth == s->max_depth) {
		fault_set(s->fault, ERR_INVALID, "",
		    "JSON at byte %zu is nested deeper than %u",
		    (size_t)(s->p - s->start), s->max_depth);
		return false;
	}
	s->open[s->depth++] = *s->p++;
	return true;
}

/* Behind an opening bracket: is it closed at once? */
static bool
scan_closed(struct scan *s)
{
	lex_space(s);
	if (lex_peek(s) != (s->open[s->depth - 1] == '{' ? '}' : ']'))
		return false;
	s->p++;
	s->depth--;
	return true;
}

/* Behind an element: *ret_more is whether another one follows, after its comma
 * and, in an object, its name. If none does, the bracket is closed. */
static bool
scan_more(struct scan *s, bool *ret_more, struct span *ret_name)
{
	bool in_object = s->open[s->depth - 1] == '{';

	lex_space(s);
	*ret_more = lex_peek(s) == ',';
	if (*ret_more) {
		s->p++;
		return !in_object || lex_name(s, ret_name);
	}
	if (scan_closed(s))
		return true;
	return lex_refuse(s, in_object ? "a comma or }" : "a comma or ]");
}

/* A value begins here. *ret_more is whether another one, in it, comes next: so
 * it is behind a bracket that is not closed at once. */
static bool
scan_begin(struct scan *s, bool *ret_more)
{
	struct span name;
	int c;

	lex_space(s);
	c = lex_peek(s);
	*ret_more = false;
	if (c != '{' && c != '[')
		return lex_scalar(s);
	if (!scan_open(s))
		return false;
	if (scan_closed(s))
		return true;
	*ret_more = true;
	return c == '[' || lex_name(s, &name);
}

static enum jsn_type
type_of(char c)
{
	switch (c) {
	case '{':
		return JSN_OBJECT;
	case '[':
		return JSN_ARRAY;
	case '"':
		return JSN_STRING;
	case 't':
	case 'f':
		return JSN_BOOL;
	case 'n':
		return JSN_NULL;
	default:
		return JSN_NUMBER;
	}
}

/* One value with all that is in it. */
static bool
scan_value(struct scan *s, struct jsn_value *ret)
{
	unsigned outer = s->depth;
	struct span name;
	bool more;

	lex_space(s);
	ret->text.p = s->p;
	do {
		if (!scan_begin(s, &more))
			return false;
		while (!more && s->depth > outer)
			if (!scan_more(s, &more, &name))
				return false;
	} while (more);
	ret->text.len = (size_t)(s->p - ret->text.p);
	ret->type = type_of(*ret->text.p);
	return true;
}

static bool
scan_end(struct scan *s)
{
	lex_space(s);
	return s->p == s->end || lex_refuse(s, "the end");
}

enum err
jsn_scan(struct span text, struct jsn_value *ret, struct fault *fault)
{
	struct jsn_value value;
	struct scan s;

	lex_init(&s, text, fault);
	if (!scan_value(&s, &value) || !scan_end(&s))
		return ERR_INVALID;
	if (ret != NULL)
		*ret = value;
	return OK;
}

/* ---- the members of an object ---- */

/* RFC 6901: ~ is ~0 and / is ~1. A name that is long or has escapes is not
 * shown; the offset tells where it stands. */
static void
pointer_to(struct span name, char *ret)
{
	char *p = ret;

	*p = '\0';
	if (name.len > NAME_SHOWN || memchr(name.p, '\\', name.len) != NULL)
		return;
	*p++ = '/';
	for (size_t i = 0; i < name.len; i++) {
		*p++ = name.p[i] == '/' ? '~' : name.p[i];
		if (name.p[i] == '~')
			*p++ = '0';
		else if (name.p[i] == '/')
			*p++ = '1';
	}
	*p = '\0';
}

enum err
jsn_check_names(
    struct span text, const struct jsn_member *m, size_t n, struct fault *fault)
{
	const struct jsn_member *twice = jsn_duplicate(m, n);
	char pointer[2 * NAME_SHOWN + 2];
	struct span name;

	if (twice == NULL)
		return OK;
	name = twice->name;
	pointer_to(name, pointer);
	return fault_set(fault, ERR_INVALID, pointer,
	    "the name \"%.*s\" at byte %zu stands in the object twice",
	    (int)(name.len < NAME_SHOWN ? name.len : 0), name.p,
	    (size_t)(name.p - text.p));
}

static bool
open_top(struct scan *s, char bracket, const char *expected)
{
	lex_space(s);
	if (lex_peek(s) != bracket)
		return lex_refuse(s, expected);
	return scan_open(s);
}

static bool
refuse_many(struct scan *s, const char *what, size_t max)
{
	fault_set(s->fault, ERR_INVALID, "",
	    "JSON at byte %zu goes on, but at most %zu %s are allowed",
	    (size_t)(s->p - s->start), max, what);
	return false;
}

static bool
scan_members(struct scan *s, struct jsn_member *m, size_t max, size_t *n)
{
	struct span name;
	bool more;

	if (!open_top(s, '{', "an object"))
		return false;
	more = !scan_closed(s);
	if (more && !lex_name(s, &name))
		return false;
	for (; more; ++*n) {
		if (*n == max)
			return refuse_many(s, "members", max);
		m[*n].name = name;
		if (!scan_value(s, &m[*n].value) || !scan_more(s, &more, &name))
			return false;
	}
	return scan_end(s);
}

enum err
jsn_object(struct span text, struct jsn_member *ret, size_t max, size_t *ret_n,
    struct fault *fault)
{
	struct scan s;
	size_t n = 0;

	lex_init(&s, text, fault);
	if (!scan_members(&s, ret, max, &n))
		return ERR_INVALID;
	*ret_n = n;
	return jsn_check_names(text, ret, n, fault);
}

/* ---- the elements of an array ---- */

struct list {
	struct jsn_value *v;
	size_t n, cap;
};

/* What an arena gave stays until it dies, so doubling wastes as much again. */
static void
list_grow(struct list *l, struct arena *a, size_t max)
{
	size_t cap = l->cap == 0 ? 16 : l->cap * 2;
	struct jsn_value *v;

	if (cap > max)
		cap = max;
	v = arena_alloc(a, cap * sizeof(*v));
	if (l->n > 0)
		memcpy(v, l->v, l->n * sizeof(*v));
	l->v = v;
	l->cap = cap;
}

static bool
scan_elements(struct scan *s, struct list *l, struct arena *a, size_t max)
{
	struct span name; /* stays unset: elements have none */
	bool more;

	if (!open_top(s, '[', "an array"))
		return false;
	for (more = !scan_closed(s); more; l->n++) {
		if (l->n == max)
			return refuse_many(s, "elements", max);
		if (l->n == l->cap)
			list_grow(l, a, max);
		if (!scan_value(s, &l->v[l->n]) || !scan_more(s, &more, &name))
			return false;
	}
	return scan_end(s);
}

enum err
jsn_array(struct span text, struct arena *a, size_t max, struct jsn_value **ret,
    size_t *ret_n, struct fault *fault)
{
	struct list l = { NULL, 0, 0 };
	struct scan s;

	lex_init(&s, text, fault);
	if (!scan_elements(&s, &l, a, max))
		return ERR_INVALID;
	*ret = l.v;
	*ret_n = l.n;
	return OK;
}

/* ---- the reader ---- */

struct jsn_r {
	struct scan scan;
};

struct jsn_r *
jsn_r_new(
    struct arena *a, struct span text, unsigned outer, struct fault *fault)
{
	struct jsn_r *r = arena_alloc(a, sizeof(*r));

	assert(outer <= JSN_MAX_OUTER);
	lex_init(&r->scan, text, fault);
	r->scan.max_depth += outer;
	return r;
}

enum jsn_type
jsn_r_type(struct jsn_r *r)
{
	lex_space(&r->scan);
	return type_of((char)lex_peek(&r->scan));
}

bool
jsn_r_value(struct jsn_r *r, struct jsn_value *ret)
{
	return scan_value(&r->scan, ret);
}

bool
jsn_r_open(struct jsn_r *r, char bracket, bool *ret_more, struct span *ret_name)
{
	bool is_object = bracket == '{';

	if (!open_top(&r->scan, bracket, is_object ? "an object" : "an array"))
		return false;
	*ret_more = !scan_closed(&r->scan);
	return !*ret_more || !is_object || lex_name(&r->scan, ret_name);
}

bool
jsn_r_next(struct jsn_r *r, bool *ret_more, struct span *ret_name)
{
	return scan_more(&r->scan, ret_more, ret_name);
}

bool
jsn_r_end(struct jsn_r *r)
{
	return scan_end(&r->scan);
}
