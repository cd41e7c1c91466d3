/*
 * Any bytes into the scanner. What it accepts must be what it says: spans lie
 * in the text and are values themselves, cJSON agrees, getters do not crash.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cjson/cJSON.h>

#include "base/jsn.h"

#define MEMBERS_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool good)
{
	if (!good)
		abort();
}

/* A value is valid on its own, and its string survives being written. */
static void
check_value(const struct jsn_value *v, struct span whole, struct arena *a)
{
	struct jsn_value again;
	struct fault f;
	struct buf b;
	int64_t n;
	size_t len;
	double d;
	char *s;
	bool t;

	must(v->text.p >= whole.p &&
	    v->text.p + v->text.len <= whole.p + whole.len);
	must(jsn_scan(v->text, &again, &f) == OK);
	must(again.text.len == v->text.len && again.type == v->type);
	(void)jsn_get_int(v, &n);
	(void)jsn_get_double(v, &d);
	(void)jsn_get_bool(v, &t);
	if (!jsn_get_str(v, a, SIZE_MAX, &s, &len))
		return;
	must(strlen(s) == len);
	buf_init(&b, SIZE_MAX);
	jsn_quote(&b, s, len);
	must(jsn_scan(buf_span(&b), &again, &f) == OK);
	must(jsn_get_str(&again, a, len, &s, &len) && strlen(s) == len);
	buf_fini(&b);
}

static void
check_members(struct span text, bool valid, struct arena *a)
{
	struct jsn_member m[MEMBERS_MAX];
	struct fault f;
	size_t n;

	if (jsn_object(text, m, MEMBERS_MAX, &n, &f) != OK)
		return;
	must(valid);
	for (size_t i = 0; i < n; i++)
		check_value(&m[i].value, text, a);
	(void)jsn_find(m, n, "type");
}

static void
check_elements(struct span text, bool valid, struct arena *a)
{
	struct jsn_value *v;
	struct fault f;
	size_t n;

	if (jsn_array(text, a, 1000, &v, &n, &f) != OK)
		return;
	must(valid);
	for (size_t i = 0; i < n; i++)
		check_value(&v[i], text, a);
}

static void
check_quote(struct span text)
{
	struct buf b;

	buf_init(&b, SIZE_MAX);
	jsn_quote(&b, text.p, text.len);
	must(jsn_scan(buf_span(&b), NULL, NULL) == OK);
	buf_fini(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct jsn_value v;
	struct fault f;
	struct arena a;
	cJSON *tree;
	bool valid;

	arena_init(&a);
	valid = jsn_scan(text, &v, &f) == OK;
	if (valid) {
		tree = cJSON_ParseWithLength(v.text.p, v.text.len);
		must(tree != NULL);
		cJSON_Delete(tree);
		check_value(&v, text, &a);
	} else
		must(strlen(f.detail) > 0);
	check_members(text, valid, &a);
	check_elements(text, valid, &a);
	check_quote(text);
	arena_fini(&a);
	return 0;
}

#include "replay.h"
