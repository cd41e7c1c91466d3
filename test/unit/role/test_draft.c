/* What POST /tasks takes: every member, every bound, and what a refusal says;
 * and the headers traceparent and Prefer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "role/api/await.h"
#include "role/api/draft.h"

#define NOW_US (1795500000 * US_PER_S) /* 2026-11-24T06:00:00Z */
#define NAME_64 \
	"0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789._-_.-"

static const struct conf conf = { .default_max_attempts = 3,
	.default_timeout_ms = 90000 }; /* the worker's affair */
static struct arena arena;
static struct fault fault;
static struct task_draft draft;

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
	fault = (struct fault){ "", "", "" };
	return draft_parse(
	    span_of(body), &conf, NOW_US, &arena, &draft, &fault);
}

/* ---- what is taken ---- */
static void
defaults(void **state)
{
	(void)state;
	assert_int_equal(parse(" {\"type\":\"a\"} "), OK);
	assert_string_equal(draft.type, "a");
	assert_string_equal(draft.queue, "default");
	assert_int_equal(draft.priority, PRIORITY_LOW);
	assert_int_equal(draft.max_attempts, 3);
	assert_int_equal(draft.timeout_ms, 0); /* not said */
	assert_int_equal(draft.scheduled_us, 0);
	assert_int_equal(draft.delay_ms, 0);
	assert_null(draft.traceparent);
	assert_true(span_is(draft.payload, "null"));
}

static void
all_members(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"timeout_seconds\":7,\"max_attempts\":9,"
			       "\"delay_seconds\":1.5,\"queue\":\"q\","
			       "\"priority\":\"high\",\"payload\":{},"
			       "\"t\\u0079pe\":\"\\u0061.b\"}"),
	    OK);
	assert_string_equal(draft.type, "a.b");
	assert_string_equal(draft.queue, "q");
	assert_int_equal(draft.priority, PRIORITY_HIGH);
	assert_int_equal(draft.max_attempts, 9);
	assert_int_equal(draft.timeout_ms, 7000);
	assert_int_equal(draft.delay_ms, 1500);
	assert_true(span_is(draft.payload, "{}"));
}

static const char *
body_with(const char *member)
{
	return arena_printf(&arena, "{\"type\":\"a\",%s}", member);
}

static void
bounds_that_are_allowed(void **state)
{
	static const char *const good[] = {
		"\"queue\":\"" NAME_64 "\"",
		"\"priority\":\"low\"",
		"\"max_attempts\":1",
		"\"max_attempts\":100",
		"\"timeout_seconds\":1",
		"\"timeout_seconds\":86400",
		"\"delay_seconds\":0",
		"\"delay_seconds\":-0.0",
		"\"delay_seconds\":1e-9",
		"\"delay_seconds\":315360000",
		"\"delay_seconds\":3.1536e8",
		/* 3650 days after NOW_US */
		"\"scheduled_at\":\"2036-11-21T06:00:00Z\"",
		"\"scheduled_at\":\"2036-11-21T08:00:00+02:00\"",
		"\"scheduled_at\":\"0001-01-01T00:00:00Z\"",
	};
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(good); i++)
		if (parse(body_with(good[i])) != OK)
			fail_msg("%s: %s", good[i], fault.detail);
	assert_int_equal(parse("{\"type\":\"" NAME_64 "\"}"), OK);
}

static void
times(void **state)
{
	(void)state;
	assert_int_equal(
	    parse(
		body_with("\"scheduled_at\":\"2026-11-24T07:00:01.25+01:00\"")),
	    OK);
	assert_int_equal(draft.scheduled_us, NOW_US + 1250000);
	assert_int_equal(
	    parse(body_with("\"scheduled_at\":\"2001-01-01T00:00:00Z\"")), OK);
	assert_int_equal(draft.scheduled_us, 978307200 * US_PER_S);
	assert_int_equal(parse(body_with("\"delay_seconds\":0.0014")), OK);
	assert_int_equal(draft.delay_ms, 1);
	assert_int_equal(parse(body_with("\"delay_seconds\":0.29")), OK);
	assert_int_equal(draft.delay_ms, 290);
}

/* Spaces, big numbers, doubled names, escapes: nothing is printed anew. */
static void
payloads_stay_as_they_are(void **state)
{
	static const char *const payloads[] = {
		"null",
		"true",
		"0",
		"-0",
		"\"\"",
		"[]",
		"{ }",
		"{ \"b\" : 1.10 ,\n\t\"a\":[ 1,2 ] }",
		"12345678901234567890123456789012345678901234567890",
		"9007199254740993",
		"1e400",
		"1.0",
		"1E+2",
		"{\"a\":1,\"a\":2}",
		"\"\\u0000\\n\\/\\ud83d\\ude00\"",
		"\"\xc3\xa9\xf0\x9f\x98\x80\"",
		"\"{\\\"type\\\":1}\"",
	};
	const char *body;
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(payloads); i++) {
		body = arena_printf(&arena,
		    "{\"payload\" :  %s  ,\"type\":\"a\"}", payloads[i]);
		assert_int_equal(parse(body), OK);
		assert_true(span_is(draft.payload, payloads[i]));
		/* borrowed, not copied */
		assert_ptr_equal(draft.payload.p, body + 14);
	}
}

/* ---- what is refused ---- */
struct refusal {
	const char *body;
	const char *pointer, *detail;
};

#define A_NAME "a string of 1 to 64 of A-Z a-z 0-9 _ . -"
#define A_TIME                                                                \
	"a time as RFC 3339 has it, such as \"2026-01-02T03:04:05Z\", up to " \
	"ten years ahead"
#define A_DELAY "a number from 0 to 315360000"
#define KNOWN                                                           \
	"type, payload, priority, queue, scheduled_at, delay_seconds, " \
	"max_attempts, timeout_seconds, unique_key"

static const struct refusal refusals[] = {
	{ "{}", "/type", "type is missing; allowed is " A_NAME },
	{ "{\"type\":\"\"}", "/type", "type is \"\"; allowed is " A_NAME },
	{ "{\"type\":null}", "/type", "type is null; allowed is " A_NAME },
	{ "{\"type\":[1, 2]}", "/type", "type is [1, 2]; allowed is " A_NAME },
	{ "{\"type\":\"a b\"}", "/type",
	    "type is \"a b\"; allowed is " A_NAME },
	{ "{\"type\":\"a\\u0000\"}", "/type",
	    "type is \"a\\u0000\"; allowed is " A_NAME },
	{ "{\"type\":\"\xc3\xa9\"}", "/type",
	    "type is \"\xc3\xa9\"; allowed is " A_NAME },
	{ "{\"type\":\"" NAME_64 "x\"}", "/type",
	    "type is \"0123456789abcdef0123456789ABCDEF0123456789abcdef"
	    "0123456789....; allowed is " A_NAME },
	{ "{\"type\":\"a\",\"queue\":\"\"}", "/queue",
	    "queue is \"\"; allowed is " A_NAME },
	{ "{\"type\":\"a\",\"queue\":\"../x\"}", "/queue",
	    "queue is \"../x\"; allowed is " A_NAME },
	{ "{\"type\":\"a\",\"priority\":\"High\"}", "/priority",
	    "priority is \"High\"; allowed is \"high\" or \"low\"" },
	{ "{\"type\":\"a\",\"priority\":1}", "/priority",
	    "priority is 1; allowed is \"high\" or \"low\"" },
	{ "{\"type\":\"a\",\"max_attempts\":0}", "/max_attempts",
	    "max_attempts is 0; allowed is an integer from 1 to 100" },
	{ "{\"type\":\"a\",\"max_attempts\":101}", "/max_attempts",
	    "max_attempts is 101; allowed is an integer from 1 to 100" },
	{ "{\"type\":\"a\",\"max_attempts\":1.0}", "/max_attempts",
	    "max_attempts is 1.0; allowed is an integer from 1 to 100" },
	{ "{\"type\":\"a\",\"max_attempts\":\"3\"}", "/max_attempts",
	    "max_attempts is \"3\"; allowed is an integer from 1 to 100" },
	{ "{\"type\":\"a\",\"timeout_seconds\":0}", "/timeout_seconds",
	    "timeout_seconds is 0; allowed is an integer from 1 to 86400" },
	{ "{\"type\":\"a\",\"timeout_seconds\":86401}", "/timeout_seconds",
	    "timeout_seconds is 86401; allowed is an integer from 1 to "
	    "86400" },
	{ "{\"type\":\"a\",\"timeout_seconds\":9223372036854775808}",
	    "/timeout_seconds",
	    "timeout_seconds is 9223372036854775808; allowed is an integer "
	    "from 1 to 86400" },
	{ "{\"type\":\"a\",\"delay_seconds\":-0.001}", "/delay_seconds",
	    "delay_seconds is -0.001; allowed is " A_DELAY },
	{ "{\"type\":\"a\",\"delay_seconds\":315360000.001}", "/delay_seconds",
	    "delay_seconds is 315360000.001; allowed is " A_DELAY },
	{ "{\"type\":\"a\",\"delay_seconds\":1e400}", "/delay_seconds",
	    "delay_seconds is 1e400; allowed is " A_DELAY },
	{ "{\"type\":\"a\",\"delay_seconds\":\"1\"}", "/delay_seconds",
	    "delay_seconds is \"1\"; allowed is " A_DELAY },
	{ "{\"type\":\"a\",\"scheduled_at\":1795500000}", "/scheduled_at",
	    "scheduled_at is 1795500000; allowed is " A_TIME },
	{ "{\"type\":\"a\",\"scheduled_at\":\"2026-11-31T00:00:00Z\"}",
	    "/scheduled_at",
	    "scheduled_at is \"2026-11-31T00:00:00Z\"; allowed is " A_TIME },
	{ "{\"type\":\"a\",\"scheduled_at\":\"2026-11-24T07:00:00\"}",
	    "/scheduled_at",
	    "scheduled_at is \"2026-11-24T07:00:00\"; allowed is " A_TIME },
	{ "{\"type\":\"a\",\"scheduled_at\":\"2036-11-21T06:00:01Z\"}",
	    "/scheduled_at",
	    "scheduled_at is \"2036-11-21T06:00:01Z\"; allowed is " A_TIME },
	{ "{\"type\":\"a\",\"delay_seconds\":0,"
	  "\"scheduled_at\":\"2026-11-24T07:00:00Z\"}",
	    "/delay_seconds",
	    "delay_seconds is given, and so is scheduled_at; allowed is one "
	    "of them" },
	{ "{\"type\":\"a\",\"Payload\":1}", "/Payload",
	    "\"Payload\" is unknown; allowed are " KNOWN },
	{ "{\"type\":\"a\",\"a/b~c\":1}", "/a~1b~0c",
	    "\"a/b~c\" is unknown; allowed are " KNOWN },
	{ "{\"type\":\"a\",\"\":1}", "/",
	    "\"\" is unknown; allowed are " KNOWN },
	{ "{\"type\":\"a\",\"\\n\":1}", "",
	    "\"\\n\" is unknown; allowed are " KNOWN },
};

static void
members_that_are_refused(void **state)
{
	const struct refusal *r;

	(void)state;
	for (r = refusals; r < refusals + NELEM(refusals); r++) {
		if (parse(r->body) != ERR_UNPROCESSABLE)
			fail_msg("%s", r->body);
		assert_string_equal(fault.pointer, r->pointer);
		assert_string_equal(fault.detail, r->detail);
	}
}

/* The longest name, all of it to be escaped, fits into the pointer; a longer
 * one has none. */
static void
names_that_are_long(void **state)
{
	char name[62], pointer[122] = "/", *p = pointer + 1;
	int i;

	(void)state;
	memset(name, '~', 61);
	name[61] = '\0';
	for (i = 0; i < 60; i++, p += 2)
		memcpy(p, "~0", 2);
	*p = '\0';
	assert_int_equal(
	    parse(arena_printf(&arena, "{\"type\":\"a\",\"%.60s\":1}", name)),
	    ERR_UNPROCESSABLE);
	assert_string_equal(fault.pointer, pointer);
	assert_int_equal(
	    parse(arena_printf(&arena, "{\"type\":\"a\",\"%s\":1}", name)),
	    ERR_UNPROCESSABLE);
	assert_string_equal(fault.pointer, "");
}

static void
bodies_that_are_no_object(void **state)
{
	static const struct refusal bad[] = {
		{ "", "", "the body is empty" },
		{ " ", "", "byte 1" },
		{ "[]", "", "byte 0" },
		{ "\"type\"", "", "byte 0" },
		{ "{\"type\":\"a\"", "", "byte 11" },
		{ "{\"type\":\"a\"}x", "", "byte 12" },
		{ "{\"type\":\"a\",}", "", "byte 12" },
		{ "{\"type\":\"a\",\"payload\":01}", "", "byte 23" },
		{ "{\"type\":\"a\",\"payload\":\"\xff\"}", "", "byte 23" },
		{ "{\"type\":\"a\",\"payload\":\"\\ud800\"}", "", "byte 23" },
		{ "{\"type\":\"a\",\"type\":\"b\"}", "/type", "twice" },
		{ "{\"type\":\"a\",\"t\\u0079pe\":\"b\"}", "", "twice" },
	};
	const struct refusal *r;

	(void)state;
	for (r = bad; r < bad + NELEM(bad); r++) {
		if (parse(r->body) != ERR_INVALID)
			fail_msg("%s", r->body);
		assert_string_equal(fault.pointer, r->pointer);
		if (strstr(fault.detail, r->detail) == NULL)
			fail_msg("%s: %s", r->body, fault.detail);
	}
}

/* ---- headers ---- */
static void
traceparents(void **state)
{
	static const char good[] =
	    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
	static const char *const bad[] = { "", "00",
		"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
		"00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
		"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-",
		"00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01" };
	char text[sizeof(good)];
	size_t i;

	(void)state;
	assert_true(traceparent_ok(good));
	for (i = 0; i < NELEM(bad); i++)
		assert_false(traceparent_ok(bad[i]));
	for (i = 0; i + 1 < sizeof(good); i++) {
		memcpy(text, good, sizeof(good));
		text[i] = 'g';
		assert_false(traceparent_ok(text));
	}
}

static void
preferences(void **state)
{
	static const struct {
		const char *header;
		int64_t seconds; /* -1: none */
	} cases[] = {
		{ NULL, -1 },
		{ "", -1 },
		{ "wait", -1 },
		{ "wait=", -1 },
		{ "wait=ten", -1 },
		{ "wait=-1", -1 },
		{ "wait=1.5", -1 },
		{ "wait=1 2", -1 },
		{ "waiting=3", -1 },
		{ "await=3", -1 },
		{ "wait=\"3", -1 },
		{ "wait=x, wait=3", -1 },
		{ "respond-async", -1 },
		{ "x=\", wait=3\"", -1 },
		{ "x=\"\\\", wait=3\"", -1 },
		{ "wait=0", 0 },
		{ "wait=10", 10 },
		{ "Wait = 10", 10 },
		{ "wait=\"10\"", 10 },
		{ "wait=10;x=1", 10 },
		{ "wait=10 , y", 10 },
		{ "respond-async, wait=5", 5 },
		{ ",,wait=5", 5 },
		{ "x=\"a,b\",\twait=5", 5 },
		{ "wait=1, wait=2", 1 },
		{ "wait=99999999999999999999999", 999999999 },
	};
	int64_t s;
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(cases); i++) {
		s = -1;
		assert_int_equal(
		    prefer_wait(cases[i].header, &s), cases[i].seconds >= 0);
		if (cases[i].seconds >= 0)
			assert_int_equal(s, cases[i].seconds);
	}
}

int
main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(defaults),
		TEST(all_members),
		TEST(bounds_that_are_allowed),
		TEST(times),
		TEST(payloads_stay_as_they_are),
		TEST(members_that_are_refused),
		TEST(names_that_are_long),
		TEST(bodies_that_are_no_object),
		TEST(traceparents),
		TEST(preferences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
