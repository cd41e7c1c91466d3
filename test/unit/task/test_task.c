/* What a task is: names, legal moves, backoff. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "task/queue.h"

static void
names_go_both_ways(void **state)
{
	enum task_status s;
	enum task_priority p;

	(void)state;
	for (s = TASK_PENDING; s <= TASK_CANCELLED; s++)
		assert_int_equal(task_status_parse(task_status_name(s)), s);
	assert_int_equal(task_status_parse("pending"), 0);
	assert_int_equal(task_status_parse(""), 0);
	assert_string_equal(task_status_name(99), "?");
	assert_string_equal(
	    task_event_name(EVENT_STALE_RESULT), "STALE_RESULT");
	assert_string_equal(task_event_name(0), "?");
	assert_true(task_priority_parse("high", &p) && p == PRIORITY_HIGH);
	assert_true(task_priority_parse("low", &p) && p == PRIORITY_LOW);
	assert_false(task_priority_parse("HIGH", &p));
}

static void
only_legal_moves(void **state)
{
	static const char *const legal[] = {
		[TASK_PENDING] = "QUEUED CANCELLED",
		[TASK_QUEUED] = "IN_PROGRESS CANCELLED",
		[TASK_IN_PROGRESS] =
		    "QUEUED RETRYING COMPLETED FAILED CANCELLED",
		[TASK_RETRYING] = "QUEUED CANCELLED",
		[TASK_COMPLETED] = "",
		[TASK_FAILED] = "PENDING RETRYING",
		[TASK_CANCELLED] = "PENDING RETRYING",
	};
	enum task_status from, to;

	(void)state;
	for (from = TASK_PENDING; from <= TASK_CANCELLED; from++) {
		for (to = TASK_PENDING; to <= TASK_CANCELLED; to++)
			assert_int_equal(task_may_move(from, to),
			    strstr(legal[from], task_status_name(to)) != NULL);
		/* What waits or runs can be cancelled, what is final cannot. */
		assert_int_equal(task_status_is_final(from),
		    !task_may_move(from, TASK_CANCELLED));
	}
}

static void
names_of_types_and_queues(void **state)
{
	char longest[TASK_NAME_MAX + 2];

	(void)state;
	memset(longest, 'x', sizeof(longest));
	assert_true(task_name_ok("a", 1));
	assert_true(task_name_ok("Mail.send-2_x", 13));
	assert_true(task_name_ok(longest, TASK_NAME_MAX));
	assert_false(task_name_ok(longest, TASK_NAME_MAX + 1));
	assert_false(task_name_ok("", 0));
	assert_false(task_name_ok("a b", 3));
	assert_false(task_name_ok("a\0b", 3));
	assert_false(task_name_ok("a:b", 3));
	assert_false(task_name_ok("\xc3\xa9", 2));
}

static void
backoff_doubles_with_full_jitter(void **state)
{
	int64_t d, most, seen_max, seen_min;
	int attempts, i;

	(void)state;
	for (attempts = 1; attempts <= 70; attempts++) {
		most = attempts <= 10 ? 1000LL << (attempts - 1) : 600000;
		if (most > 600000)
			most = 600000;
		seen_max = -1;
		seen_min = INT64_MAX;
		for (i = 0; i < 400; i++) {
			d = retry_delay_ms(attempts, 1000, 600000);
			assert_in_range(d, 0, most);
			seen_max = d > seen_max ? d : seen_max;
			seen_min = d < seen_min ? d : seen_min;
		}
		/* Spread over the whole range; wrong once in 10^20. */
		assert_true(seen_max > most * 4 / 5);
		assert_true(seen_min < most / 5);
	}
	assert_int_equal(retry_delay_ms(1, 0, 0), 0);
}

static void
keys_are_read_back(void **state)
{
	struct id id;

	(void)state;
	assert_true(
	    worker_of_key(span_of("taskflow:processing:"
				  "01a20c6c-b1d7-74d4-a655-721fbde13e2e"),
		&id));
	assert_false(worker_of_key(span_of("taskflow:processing:nobody"), &id));
}

static void
ids_of_a_reply(void **state)
{
	static const char a[] = "01a20c6c-b1d7-74d4-a655-721fbde13e2e";
	struct reply elems[3] = {
		{ .type = REPLY_STR, .str = { a, 36 } },
		{ .type = REPLY_STR, .str = { "garbage", 7 } },
		{ .type = REPLY_STR, .str = { a, 36 } },
	};
	struct reply list = { .type = REPLY_ARRAY, .n = 3, .elem = elems };
	struct reply nil = { .type = REPLY_NIL };
	struct id ids[3];

	(void)state;
	assert_int_equal(queue_ids(&list, ids, 3), 2);
	assert_int_equal(queue_ids(&list, ids, 1), 1);
	assert_int_equal(queue_ids(&elems[0], ids, 1), 1);
	assert_int_equal(queue_ids(&elems[1], ids, 1), 0);
	assert_int_equal(queue_ids(&nil, ids, 3), 0);
	assert_int_equal(queue_ids(NULL, ids, 3), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_go_both_ways),
		cmocka_unit_test(only_legal_moves),
		cmocka_unit_test(names_of_types_and_queues),
		cmocka_unit_test(backoff_doubles_with_full_jitter),
		cmocka_unit_test(keys_are_read_back),
		cmocka_unit_test(ids_of_a_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
