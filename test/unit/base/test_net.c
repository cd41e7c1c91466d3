/* Addresses and networks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/net.h"

static const char *const addresses[][2] = { { "1.2.3.4", "1.2.3.4" },
	{ "::1", "::1" }, { "::ffff:1.2.3.4", "1.2.3.4" },
	{ "FE80::0:1", "fe80::1" }, { "0.0.0.0", "0.0.0.0" },
	{ "2001:db8:1:2:3:4:5:6", "2001:db8:1:2:3:4:5:6" } };
static const char *const no_addresses[] = { "", " ", "1.2.3", "1.2.3.4.5",
	"1.2.3.256", "01.2.3.4 ", " 1.2.3.4", "1.2.3.4:5", "[::1]", "::1%lo",
	":::", "1::2::3", "localhost", "1.2.3.4/8",
	"12345::", "2001:db8:1:2:3:4:5:6:7",
	"0000:0000:0000:0000:0000:ffff:255.255.255.2555" };

static void
one_address(void **state)
{
	char text[NET_TEXT_SIZE];
	struct net_addr a;

	(void)state;
	for (size_t i = 0; i < NELEM(addresses); i++) {
		assert_true(net_addr_parse(span_of(addresses[i][0]), &a));
		net_addr_format(&a, text);
		assert_string_equal(text, addresses[i][1]);
	}
	for (size_t i = 0; i < NELEM(no_addresses); i++)
		if (net_addr_parse(span_of(no_addresses[i]), &a))
			fail_msg("%s is taken", no_addresses[i]);
	assert_false(net_addr_parse((struct span){ "::1\0", 4 }, &a));
}

static const struct {
	const char *list, *address;
	bool in;
} rows[] = {
	{ "10.0.0.0/8", "10.255.0.1", true },
	{ "10.0.0.0/8", "11.0.0.0", false },
	{ "10.0.0.0/8", "::ffff:10.1.1.1", true },
	{ "10.0.0.0/8", "a00::", false },
	{ "10.1.2.3", "10.1.2.3", true },
	{ "10.1.2.3", "10.1.2.2", false },
	{ "10.1.2.4/31", "10.1.2.5", true },
	{ "10.1.2.4/31", "10.1.2.6", false },
	{ "0.0.0.0/0", "200.1.1.1", true },
	{ "0.0.0.0/0", "::1", false },
	{ "::/0", "1.2.3.4", true },
	{ "::/0", "fe80::1", true },
	{ "fd00::/9", "fd7f::1", true },
	{ "fd00::/9", "fd80::1", false },
	{ "::1", "::1", true },
	{ "::1", "::2", false },
	{ "unix", "::1", false },
	{ "unix,1.1.1.1,::5", "::5", true },
	{ "::ffff:10.0.0.0/104", "10.9.9.9", true },
};
static const char *const no_lists[] = { "", ",", "1.2.3.4,", "1.2.3.4/",
	"1.2.3.4/33", "1.2.3.4/+1", "1.2.3.4/0032", "1.2.3.4/8", "::1/129",
	"::1/64", "1.2.3.4 ", "unix2", "Unix", "*", "10.0.0.0/8/8" };

static void
lists(void **state)
{
	char many[NET_LIST_MAX * 8 + 16] = "";
	struct net_list l;
	struct net_addr a;
	const char *why;

	(void)state;
	for (size_t i = 0; i < NELEM(rows); i++) {
		if (!net_list_parse(rows[i].list, &l, &why))
			fail_msg("%s: %s", rows[i].list, why);
		assert_true(net_addr_parse(span_of(rows[i].address), &a));
		if (net_list_has(&l, &a) != rows[i].in)
			fail_msg("%s %s", rows[i].list, rows[i].address);
		assert_int_equal(l.has_unix, rows[i].list[0] == 'u');
	}
	for (size_t i = 0; i < NELEM(no_lists); i++) {
		why = NULL;
		if (net_list_parse(no_lists[i], &l, &why))
			fail_msg("%s is taken", no_lists[i]);
		assert_non_null(why);
	}
	for (int i = 0; i < NET_LIST_MAX; i++)
		sprintf(many + strlen(many), "%s::%x", i > 0 ? "," : "", i);
	assert_true(net_list_parse(many, &l, &why));
	strcat(many, ",::1");
	assert_false(net_list_parse(many, &l, &why));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_address),
		cmocka_unit_test(lists),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
