/* Who the client is behind proxies, row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../../src/loop/http_rules.h"

#define FOR "X-Forwarded-For"
#define PROTO "X-Forwarded-Proto"
/* Thirty-two of it. */
#define MANY(s) s s s s s s s s s s s s s s s s s s s s s s s s s s s s s s s s

static const struct row {
	const char *trusted, *peer;
	const char *header[8]; /* name, value, name, value */
	const char *client; /* NULL: the peer is not trusted */
	const char *scheme;
} rows[] = {
	/* Nobody is believed but those who are named. */
	{ "10.0.0.0/8", "192.0.2.1", { FOR, "1.1.1.1", PROTO, "https" }, NULL,
	    NULL },
	{ "unix", "10.0.0.1", { FOR, "1.1.1.1" }, NULL, NULL },
	{ "10.0.0.0/8", "", { FOR, "1.1.1.1" }, NULL, NULL },
	/* One proxy, several, and what a client wrote in front. */
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "1.1.1.1" }, "1.1.1.1", NULL },
	{ "10.0.0.0/8", "::ffff:10.0.0.1", { FOR, "1.1.1.1" }, "1.1.1.1",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "8.8.8.8, 1.1.1.1" }, "1.1.1.1",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "1.1.1.1, 10.2.2.2" }, "1.1.1.1",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1",
	    { FOR, "10.9.9.9,8.8.8.8,1.1.1.1,10.2.2.2,10.3.3.3" }, "1.1.1.1",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "10.3.3.3, 10.2.2.2" }, "10.3.3.3",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { NULL }, "10.0.0.1", NULL },
	/* Several lines are one, in their order. */
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "8.8.8.8", FOR, "1.1.1.1" },
	    "1.1.1.1", NULL },
	{ "10.0.0.0/8", "10.0.0.1",
	    { FOR, "1.1.1.1", "x-forwarded-for", "10.2.2.2" }, "1.1.1.1",
	    NULL },
	/* What cannot be read ends the way: the last one known is it. */
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "" }, "10.0.0.1", NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "unknown" }, "10.0.0.1", NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "1.1.1.1,unknown" }, "10.0.0.1",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "1.1.1.1,,10.2.2.2" }, "10.2.2.2",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "1.1.1.1," }, "10.0.0.1", NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "1.1.1.1 2.2.2.2" }, "10.0.0.1",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "1.1.1.1", FOR, "bad" }, "10.0.0.1",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "<script>" }, "10.0.0.1", NULL },
	/* Forms. */
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "\t1.1.1.1:8080 " }, "1.1.1.1",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "1.1.1.1:" }, "10.0.0.1", NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "1.1.1.1:123456" }, "10.0.0.1",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "1.1.1.1:8x" }, "10.0.0.1", NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "2001:DB8::1" }, "2001:db8::1",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "[2001:db8::1]" }, "2001:db8::1",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "[2001:db8::1]:99" }, "2001:db8::1",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "[2001:db8::1]99" }, "10.0.0.1",
	    NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "[2001:db8::1" }, "10.0.0.1", NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "[1.1.1.1]" }, "10.0.0.1", NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "[]" }, "10.0.0.1", NULL },
	{ "10.0.0.0/8", "10.0.0.1", { FOR, "::ffff:1.1.1.1" }, "1.1.1.1",
	    NULL },
	/* Other peers. */
	{ "::1,fe80::/10", "::1", { FOR, "1.1.1.1" }, "1.1.1.1", NULL },
	{ "::1,fe80::/10", "fe80::7%eth0", { FOR, "1.1.1.1" }, "1.1.1.1",
	    NULL },
	{ "unix", "", { FOR, "1.1.1.1" }, "1.1.1.1", NULL },
	{ "unix", "", { NULL }, "", NULL },
	{ "unix", "", { FOR, "bad" }, "", NULL },
	/* An end to it. */
	{ "10.0.0.0/8", "10.0.0.1",
	    { FOR, "1.1.1.1," MANY("10.0.0.9,") "10.0.0.8" }, "10.0.0.9",
	    NULL },
	/* The scheme: said once, and one of two. */
	{ "10.0.0.0/8", "10.0.0.1", { PROTO, "https" }, "10.0.0.1", "https" },
	{ "10.0.0.0/8", "10.0.0.1", { PROTO, "HTTP" }, "10.0.0.1", "http" },
	{ "10.0.0.0/8", "10.0.0.1", { PROTO, "ftp" }, "10.0.0.1", NULL },
	{ "10.0.0.0/8", "10.0.0.1", { PROTO, "https,http" }, "10.0.0.1", NULL },
	{ "10.0.0.0/8", "10.0.0.1", { PROTO, "https", PROTO, "http" },
	    "10.0.0.1", NULL },
};

static void
check(const struct row *r)
{
	struct evkeyval kv[4];
	struct evkeyvalq q;
	struct net_list trusted;
	struct forwarded f;
	const char *why;
	bool known;

	TAILQ_INIT(&q);
	for (size_t i = 0; r->header[2 * i] != NULL; i++) {
		kv[i].key = (char *)(uintptr_t)r->header[2 * i];
		kv[i].value = (char *)(uintptr_t)r->header[2 * i + 1];
		TAILQ_INSERT_TAIL(&q, &kv[i], next);
	}
	assert_true(net_list_parse(r->trusted, &trusted, &why));
	known = forwarded_find(&trusted, r->peer, &q, &f);
	if (known != (r->client != NULL) ||
	    strcmp(f.client, known ? r->client : "") != 0)
		fail_msg("%s, %s %s: %s", r->peer, r->header[0], r->header[1],
		    f.client);
	if (r->scheme == NULL)
		assert_null(f.scheme);
	else
		assert_string_equal(f.scheme, r->scheme);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < NELEM(rows); i++)
		check(&rows[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
