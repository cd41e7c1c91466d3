/* What POST /tasks/batch takes: which request is refused whole, which item
 * alone, and what a refusal says. The members of an item are test_draft.c's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "role/api/drafts.h"

#define NOW_US (1795500000 * US_PER_S) /* 2026-11-24T06:00:00Z */
#define A_NAME "a string of 1 to 64 of A-Z a-z 0-9 _ . -"
#define ALLOWED "allowed is an array of 1 to 1000 tasks"

static const struct conf conf = { .default_max_attempts = 3 };
static struct arena arena;
static struct fault fault;
static struct drafts drafts;

static int
set_up(void **state)
{
	(void)state;
	arena_init(&arena);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	arena_fini(&arena);
	return 0;
}

static enum err
parse(const char *body)
{
	const struct draft_base base = { &conf, NOW_US, &arena };

	fault = (struct fault){ "", "", "" };
	return drafts_parse(span_of(body), &base, &drafts, &fault);
}

/* n items of that text, with commas between. */
static const char *
body_of(const char *item, size_t n)
{
	struct buf b;
	char *body;

	buf_init(&b, 1 << 24);
	buf_adds(&b, "{\"tasks\":[");
	for (size_t i = 0; i < n; i++)
		buf_addf(&b, "%s%s", i > 0 ? "," : "", item);
	buf_adds(&b, "]}");
	body = arena_dup(&arena, b.data, b.len);
	buf_fini(&b);
	return body;
}

static void
good_items(void **state)
{
	static const char body[] =
	    " { \"t\\u0061sks\" : [ { \"type\" : \"a\", \"payload\" : [ 1 ] } ,"
	    "\n{\"queue\":\"q\",\"type\":\"b\"},{\"type\":\"c\"}]}\r\n";

	(void)state;
	assert_int_equal(parse(body), OK);
	assert_int_equal(drafts.n, 3);
	assert_int_equal(drafts.nitems, 3);
	for (size_t i = 0; i < 3; i++)
		assert_null(drafts.item[i]);
	assert_string_equal(drafts.draft[0].type, "a");
	assert_true(span_is(drafts.draft[0].payload, "[ 1 ]"));
	/* borrowed, not copied */
	assert_ptr_equal(drafts.draft[0].payload.p, strstr(body, "[ 1 ]"));
	assert_string_equal(drafts.draft[1].queue, "q");
	assert_string_equal(drafts.draft[2].queue, "default");
	assert_int_equal(drafts.draft[2].max_attempts, 3);
}

static void
as_many_as_are_allowed(void **state)
{
	static const size_t numbers[] = { 1, 127, 128, 129, 256, 257, 999,
		1000 };
	const char *item = "{\"type\":\"a\",\"payload\":7}";

	(void)state;
	for (size_t i = 0; i < NELEM(numbers); i++) {
		assert_int_equal(parse(body_of(item, numbers[i])), OK);
		assert_int_equal(drafts.n, numbers[i]);
		assert_int_equal(drafts.nitems, numbers[i]);
		for (size_t k = 0; k < numbers[i]; k++)
			assert_string_equal(drafts.draft[k].type, "a");
	}
	assert_int_equal(parse(body_of(item, 1001)), ERR_UNPROCESSABLE);
	assert_string_equal(fault.pointer, "/tasks");
	assert_string_equal(
	    fault.detail, "tasks has more than 1000 elements; " ALLOWED);
	/* Bad ones count, too. */
	assert_int_equal(parse(body_of("{}", 1000)), OK);
	assert_int_equal(drafts.n, 0);
	assert_int_equal(parse(body_of("{}", 1001)), ERR_UNPROCESSABLE);
}

struct refused {
	const char *text;
	enum err err;
	const char *pointer, *detail; /* detail: a part of it */
};

static void
items_that_are_refused(void **state)
{
	static const struct refused bad[] = {
		{ "{}", ERR_UNPROCESSABLE, "/type",
		    "type is missing; allowed is " A_NAME },
		{ "{\"type\":\"a b\"}", ERR_UNPROCESSABLE, "/type",
		    "type is \"a b\"; allowed is " A_NAME },
		{ "{\"type\":\"a\",\"x\":1}", ERR_UNPROCESSABLE, "/x",
		    "\"x\" is unknown" },
		{ "{\"type\":\"a\",\"type\":\"b\"}", ERR_INVALID, "/type",
		    "the name \"type\" at byte 36 stands in the object twice" },
		{ "null", ERR_INVALID, "", "the task is null; allowed is" },
		{ "\"a\"", ERR_INVALID, "", "the task is \"a\"; allowed is" },
		{ "[{\"type\":\"a\"}]", ERR_INVALID, "",
		    "the task is [{\"type\":\"a\"}]; allowed is an object" },
		{ "\"0123456789012345678901234567890123456789012345678901234"
		  "567890\"",
		    ERR_INVALID, "", "012345678...; allowed" },
		{ "{\"a\":1,\"b\":1,\"c\":1,\"d\":1,\"e\":1,\"f\":1,\"g\":1,"
		  "\"h\":1,\"i\":1,\"j\":1,\"k\":1,\"l\":1,\"m\":1,\"n\":1,"
		  "\"o\":1,\"p\":1,\"q\":1,\"r\":1,\"s\":1,\"t\":1,\"u\":1,"
		  "\"v\":1,\"w\":1,\"x\":1,\"y\":1,\"z\":1,\"A\":1,\"B\":1,"
		  "\"C\":1,\"D\":1,\"E\":1,\"F\":1,\"G\":1,\"H\":1}",
		    ERR_INVALID, "",
		    "the task has 34 members, but at most 32" },
	};
	const struct refused *r;
	const struct refusal *why;

	(void)state;
	for (r = bad; r < bad + NELEM(bad); r++) {
		assert_int_equal(
		    parse(arena_printf(&arena,
			"{\"tasks\":[{\"type\":\"x\"},%s,{\"type\":\"y\"}]}",
			r->text)),
		    OK);
		assert_int_equal(drafts.n, 2);
		assert_int_equal(drafts.nitems, 3);
		assert_string_equal(drafts.draft[1].type, "y");
		assert_null(drafts.item[0]);
		assert_null(drafts.item[2]);
		why = drafts.item[1];
		assert_non_null(why);
		if (why->err != r->err ||
		    strcmp(why->fault.pointer, r->pointer) != 0 ||
		    strstr(why->fault.detail, r->detail) == NULL)
			fail_msg("%s: %s %s", r->text, why->fault.pointer,
			    why->fault.detail);
	}
}

#define GOOD "{\"type\":\"a\"}"

static void
requests_that_are_refused(void **state)
{
	static const struct refused bad[] = {
		{ "", ERR_INVALID, "", "the body is empty" },
		{ "  ", ERR_INVALID, "", "byte 2" },
		{ "[" GOOD "]", ERR_INVALID, "", "byte 0" },
		{ "{}", ERR_UNPROCESSABLE, "/tasks",
		    "tasks is missing; " ALLOWED },
		{ "{\"tasks\":[ ]}", ERR_UNPROCESSABLE, "/tasks",
		    "tasks is []; " ALLOWED },
		{ "{\"tasks\":null}", ERR_UNPROCESSABLE, "/tasks",
		    "tasks is null; " ALLOWED },
		{ "{\"tasks\":" GOOD "}", ERR_UNPROCESSABLE, "/tasks",
		    "tasks is " GOOD "; " ALLOWED },
		{ "{\"tasks\":[" GOOD "],\"x/y\":1}", ERR_UNPROCESSABLE,
		    "/x~1y", "\"x/y\" is unknown; allowed are tasks" },
		{ "{\"x\":[],\"tasks\":[" GOOD "]}", ERR_UNPROCESSABLE, "/x",
		    "\"x\" is unknown; allowed are tasks" },
		{ "{\"tasks\":[" GOOD "],\"tasks\":[]}", ERR_INVALID, "/tasks",
		    "the name \"tasks\" stands in the object twice" },
		{ "{\"tasks\":[" GOOD "],\"tasks\":1}", ERR_INVALID, "/tasks",
		    "the name \"tasks\" stands in the object twice" },
		{ "{\"tasks\":[" GOOD, ERR_INVALID, "", "byte 22" },
		{ "{\"tasks\":[" GOOD "}", ERR_INVALID, "", "byte 22" },
		{ "{\"tasks\":[" GOOD ",]}", ERR_INVALID, "", "byte 23" },
		{ "{\"tasks\":[" GOOD GOOD "]}", ERR_INVALID, "", "byte 22" },
		{ "{\"tasks\":[" GOOD "]", ERR_INVALID, "", "byte 23" },
		{ "{\"tasks\":[" GOOD "],}", ERR_INVALID, "", "byte 24" },
		{ "{\"tasks\":[" GOOD "]} {}", ERR_INVALID, "", "byte 25" },
		{ "{\"tasks\":[{\"type\":}]}", ERR_INVALID, "", "byte 18" },
		{ "{\"tasks\":[{\"type\":\"\xff\"}]}", ERR_INVALID, "",
		    "byte 19" },
		{ "{\"tasks\":[01]}", ERR_INVALID, "", "byte 11" },
		{ "{\"tasks\":x}", ERR_INVALID, "", "byte 9" },
		{ "{\"tasks\"", ERR_INVALID, "", "byte 8" },
		{ "{\"tasks\":", ERR_INVALID, "", "byte 9" },
	};
	const struct refused *r;

	(void)state;
	for (r = bad; r < bad + NELEM(bad); r++)
		if (parse(r->text) != r->err ||
		    strcmp(fault.pointer, r->pointer) != 0 ||
		    strstr(fault.detail, r->detail) == NULL)
			fail_msg(
			    "%s: %s %s", r->text, fault.pointer, fault.detail);
}

/* An item may be as deep as it may be alone. */
static void
depth_has_its_limit(void **state)
{
	char open[JSN_MAX_DEPTH + 1], close[JSN_MAX_DEPTH + 1];
	int room = JSN_MAX_DEPTH - 1; /* {"payload": */

	(void)state;
	memset(open, '[', sizeof(open));
	memset(close, ']', sizeof(close));
	assert_int_equal(
	    parse(arena_printf(&arena,
		"{\"tasks\":[{\"type\":\"a\",\"payload\":%.*s%.*s}]}", room,
		open, room, close)),
	    OK);
	assert_int_equal(drafts.n, 1);
	assert_int_equal(
	    parse(arena_printf(&arena,
		"{\"tasks\":[{\"type\":\"a\",\"payload\":%.*s%.*s}]}", room + 1,
		open, room + 1, close)),
	    ERR_INVALID);
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(good_items),
		TEST(as_many_as_are_allowed),
		TEST(items_that_are_refused),
		TEST(requests_that_are_refused),
		TEST(depth_has_its_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
