#include <stdio.h>

#include "input.h"

#define SHOWN_MAX 60 /* bytes of a name or a value in a fault */

/* RFC 6901: ~ is ~0 and / is ~1. A name that is long or has escapes is no
 * name of ours, and gets a pointer to the whole. */
static void
point_to(struct span name, char *ret)
{
	size_t i;

	*ret = '\0';
	if (name.len > SHOWN_MAX || memchr(name.p, '\\', name.len) != NULL)
		return;
	*ret++ = '/';
	for (i = 0; i < name.len; i++) {
		if (name.p[i] != '~' && name.p[i] != '/') {
			*ret++ = name.p[i];
			continue;
		}
		*ret++ = '~';
		*ret++ = name.p[i] == '~' ? '0' : '1';
	}
	*ret = '\0';
}

enum err
input_refuse(struct fault *fault, const struct input_member *m,
    const struct jsn_value *given)
{
	char pointer[2 * SHOWN_MAX + 2];
	bool is_long = given != NULL && given->text.len > SHOWN_MAX;

	point_to(span_of(m->name), pointer);
	if (given == NULL)
		return fault_set(fault, ERR_UNPROCESSABLE, pointer,
		    "%s is missing; allowed is %s", m->name, m->allowed);
	if (m->secret)
		return fault_set(fault, ERR_UNPROCESSABLE, pointer,
		    "%s is not as it must be; allowed is %s", m->name,
		    m->allowed);
	return fault_set(fault, ERR_UNPROCESSABLE, pointer,
	    "%s is %.*s%s; allowed is %s", m->name,
	    is_long ? SHOWN_MAX : (int)given->text.len, given->text.p,
	    is_long ? "..." : "", m->allowed);
}

enum err
input_refuse_unknown(struct fault *fault, struct span name,
    const struct input_member *table, size_t n)
{
	char pointer[2 * SHOWN_MAX + 2], known[200];
	size_t i, len = 0;

	for (i = 0; i < n && len < sizeof(known); i++)
		len += (size_t)snprintf(known + len, sizeof(known) - len,
		    "%s%s", i == 0 ? "" : ", ", table[i].name);
	point_to(name, pointer);
	return fault_set(fault, ERR_UNPROCESSABLE, pointer,
	    "\"%.*s\" is unknown; allowed are %s",
	    name.len > SHOWN_MAX ? SHOWN_MAX : (int)name.len, name.p, known);
}

/* Some member is none of the table's: which? */
static enum err
find_unknown(const struct input *in, const struct jsn_member *m, size_t nm)
{
	size_t i, k;

	for (i = 0; i < nm; i++) {
		for (k = 0; k < in->n; k++)
			if (jsn_find(&m[i], 1, in->table[k].name) != NULL)
				break;
		if (k == in->n)
			return input_refuse_unknown(
			    in->fault, m[i].name, in->table, in->n);
	}
	return OK;
}

enum err
input_take(const struct input *in, const struct jsn_member *m, size_t nm)
{
	const struct input_member *t = in->table, *end = t + in->n;
	const struct jsn_value *v;
	size_t found = 0;

	for (; t < end; t++) {
		v = jsn_find(m, nm, t->name);
		found += v != NULL;
		if (v == NULL ? t->required : !t->take(in->to, v, in->arena))
			return input_refuse(in->fault, t, v);
	}
	return found == nm ? OK : find_unknown(in, m, nm);
}

enum err
input_not_empty(struct span body, struct fault *fault)
{
	return body.len > 0
	    ? OK
	    : fault_set(fault, ERR_INVALID, "",
		  "the body is empty, and must be a JSON object");
}

enum err
input_parse(struct span body, const struct input_member *table, size_t n,
    void *to, struct arena *arena, struct fault *fault)
{
	const struct input in = { table, n, to, arena, fault };
	struct jsn_member m[INPUT_MEMBERS_MAX];
	size_t nm = 0;
	enum err err = input_not_empty(body, fault);

	if (err == OK)
		err = jsn_object(body, m, NELEM(m), &nm, fault);
	return err != OK ? err : input_take(&in, m, nm);
}

bool
input_int(const struct jsn_value *v, int64_t min, int64_t max, int64_t *ret)
{
	int64_t n;

	if (!jsn_get_int(v, &n) || n < min || n > max)
		return false;
	*ret = n;
	return true;
}

bool
input_str(const struct jsn_value *v, size_t min, size_t max, struct arena *a,
    const char **ret)
{
	size_t len;
	char *s;

	if (!jsn_get_str(v, a, max, &s, &len) || len < min)
		return false;
	*ret = s;
	return true;
}
