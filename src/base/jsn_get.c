/* What a value means. All of it has passed the scanner, so it is well-formed;
 * cJSON is asked only where a string has escapes. */
#include <math.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "base/jsn.h"

#define FEW 32 /* names that are compared without the heap */

static bool
has_escape(struct span s)
{
	return memchr(s.p, '\\', s.len) != NULL;
}

/* cJSON ends a string at U+0000 without a word. */
static bool
has_nul(struct span s)
{
	size_t i;

	for (i = 0; i + 5 < s.len; i += s.p[i] == '\\' ? 2 : 1)
		if (memcmp(s.p + i, "\\u0000", 6) == 0)
			return true;
	return false;
}

/* ---- names ---- */

struct name {
	struct span text;
	cJSON *owner; /* NULL: the name as it stands */
};

/* With the quotes around it a name is a JSON string. One with U+0000 stays as
 * it is: it equals no name that anybody looks for. */
static struct name
name_decode(struct span raw)
{
	struct name n = { raw, NULL };

	if (!has_escape(raw) || has_nul(raw))
		return n;
	n.owner = cJSON_ParseWithLength(raw.p - 1, raw.len + 2);
	if (n.owner != NULL)
		n.text = span_of(cJSON_GetStringValue(n.owner));
	return n;
}

static bool
stands_before(const struct name *names, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (names[k].text.len == names[i].text.len &&
		    memcmp(names[k].text.p, names[i].text.p,
			names[i].text.len) == 0)
			return true;
	return false;
}

const struct jsn_member *
jsn_duplicate(const struct jsn_member *m, size_t n)
{
	const struct jsn_member *found = NULL;
	struct name few[FEW], *names = few;
	size_t i;

	if (n > FEW)
		names = xcalloc(n, sizeof(*names));
	for (i = 0; i < n && found == NULL; i++) {
		names[i] = name_decode(m[i].name);
		if (stands_before(names, i))
			found = &m[i];
	}
	while (i-- > 0)
		cJSON_Delete(names[i].owner);
	if (names != few)
		free(names);
	return found;
}

static bool
name_is(struct span raw, const char *name)
{
	struct name n;
	bool same;

	if (!has_escape(raw))
		return span_is(raw, name);
	n = name_decode(raw);
	same = span_is(n.text, name);
	cJSON_Delete(n.owner);
	return same;
}

const struct jsn_value *
jsn_find(const struct jsn_member *m, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (name_is(m[i].name, name))
			return &m[i].value;
	return NULL;
}

/* ---- values ---- */

static bool
copy_str(const char *s, size_t len, struct arena *a, size_t max, char **ret,
    size_t *ret_len)
{
	if (len > max)
		return false;
	*ret = arena_dup(a, s, len);
	*ret_len = len;
	return true;
}

bool
jsn_get_str(const struct jsn_value *v, struct arena *a, size_t max, char **ret,
    size_t *ret_len)
{
	const char *s;
	cJSON *item;
	bool fits;

	if (v->type != JSN_STRING)
		return false;
	if (!has_escape(v->text))
		return copy_str(
		    v->text.p + 1, v->text.len - 2, a, max, ret, ret_len);
	/* No escape is longer than six bytes for one. */
	if (has_nul(v->text) || (v->text.len - 2) / 6 > max)
		return false;
	item = cJSON_ParseWithLength(v->text.p, v->text.len);
	s = cJSON_GetStringValue(item);
	fits = s != NULL && copy_str(s, strlen(s), a, max, ret, ret_len);
	cJSON_Delete(item);
	return fits;
}

/* Counts down from zero: the smallest int64 has no positive counterpart. */
bool
jsn_get_int(const struct jsn_value *v, int64_t *ret)
{
	bool negative = v->type == JSN_NUMBER && v->text.p[0] == '-';
	int64_t n = 0;

	if (v->type != JSN_NUMBER)
		return false;
	for (size_t i = negative; i < v->text.len; i++) {
		int digit = v->text.p[i] - '0';

		if (digit < 0 || digit > 9)
			return false;
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_sub_overflow(n, digit, &n))
			return false;
	}
	if (!negative && n == INT64_MIN)
		return false;
	*ret = negative ? n : -n;
	return true;
}

bool
jsn_get_double(const struct jsn_value *v, double *ret)
{
	struct arena a;
	double d;

	if (v->type != JSN_NUMBER)
		return false;
	arena_init(&a);
	d = strtod(arena_dup(&a, v->text.p, v->text.len), NULL);
	arena_fini(&a);
	if (!isfinite(d))
		return false;
	*ret = d;
	return true;
}

bool
jsn_get_bool(const struct jsn_value *v, bool *ret)
{
	if (v->type != JSN_BOOL)
		return false;
	*ret = v->text.p[0] == 't';
	return true;
}
