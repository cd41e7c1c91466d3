/* Wrong passwords lock an account, and an address. Two replicas of the API. */
#include <pthread.h>

#include "access_fixture.h"
#include "support/ledger.h"

#define LOCKS "lockout_failures = 3\nlockout_address_failures = 40\n"

/* ---- locks ---- */
static void
must_be_locked(struct http *h)
{
	const char *after = http_header(h, "Retry-After");

	assert_int_equal(h->status, 429);
	assert_non_null(after);
	assert_in_range(atoi(after), 1, 15 * 60);
	must_say(h, "too many wrong passwords");
}

/* Whoever it is, and whether he is: the answers are the same. */
static void
lock_account(struct http *h, const char *member, const char *name)
{
	int i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(
		    log_in_as(h, member, name, "a wrong one"), 401);
		must_say(h, "there is no such user, or the password is wrong");
	}
	log_in_as(h, member, name, USER_PASSWORD);
	must_be_locked(h);
}

static void
three_failures_lock_an_account(void **state)
{
	struct http user, there;
	char *locks, *lock;

	(void)state;
	redis_int(LOW, "FLUSHALL");
	client_user(&user, me.port, "victim");
	client_with(&there, "api-2", NULL);
	lock_account(&there, "email", "VICTIM@example.org");
	lock_account(&there, "email", "nobody@example.org");
	/* The other name is the same account, the other replica the same
	 * lock; who is somebody else is let in. */
	log_in_as(&user, "username", "victim", USER_PASSWORD);
	must_be_locked(&user);
	assert_int_equal(
	    log_in_as(&user, "username", "me", USER_PASSWORD), 200);
	/* What he has works on; but he cannot be guessed that way either. */
	must_call(&user, "GET", "/tasks", NULL, 200);
	call_json(&user, "POST", "/users/me/password",
	    "{\"old_password\":\"x\",\"new_password\":\"another one\"}");
	must_be_locked(&user);
	/* The time is over; it has an end. */
	locks = redis_words(LOW, "KEYS taskflow:lockout:account:*");
	lock = strtok(locks, " ");
	for (; lock != NULL; lock = strtok(NULL, " ")) {
		assert_in_range(redis_int(LOW, "PTTL %s", lock), 1, 900000);
		redis_int(LOW, "PEXPIRE %s 1", lock);
	}
	free(locks);
	UNTIL(redis_int(LOW, "KEYS taskflow:lockout:account:*") == 0);
	assert_int_equal(
	    log_in_as(&user, "username", "victim", USER_PASSWORD), 200);
	http_fini(&user);
	http_fini(&there);
	all_ended();
}

static void
a_right_password_begins_anew(void **state)
{
	int round, i;

	(void)state;
	redis_int(LOW, "FLUSHALL");
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 2; i++)
			assert_int_equal(
			    log_in_as(&me, "username", "me", "a wrong one"),
			    401);
		assert_int_equal(
		    log_in_as(&me, "username", "me", USER_PASSWORD), 200);
	}
	assert_true(redis_int(LOW, "KEYS taskflow:lockout:account:*") == 0);
	all_ended();
}

/* Of twelve guesses at once three are answered, the others only refused. */
static void
guesses_at_once_are_not_more(void **state)
{
	struct try t[12];
	size_t i, wrong = 0, locked = 0;
	int status;

	(void)state;
	for (i = 0; i < NELEM(t); i++)
		begin_try(
		    &t[i], i % 2 == 0 ? "api-1" : "api-2", "me", "a wrong one");
	for (i = 0; i < NELEM(t); i++) {
		status = end_try(&t[i]);
		wrong += status == 401;
		locked += status == 429;
	}
	assert_int_equal(wrong, 3);
	assert_int_equal(locked, NELEM(t) - 3);
	all_ended();
}

static void
an_address_is_locked_too(void **state)
{
	struct http h;
	int i;

	(void)state;
	redis_int(LOW, "FLUSHALL");
	client_with(&h, "api-1", NULL);
	for (i = 0; i < 40; i++)
		assert_int_equal(log_in_as(&h, "username", text("nobody%d", i),
				     "a wrong one"),
		    401);
	log_in_as(&h, "username", "me", USER_PASSWORD);
	must_be_locked(&h);
	http_fini(&h);
	all_ended();
}

static int
times_logged(const char *part, const char *words)
{
	char *log = read_file(stack_log(part)), *at = log;
	int n = 0;

	for (; (at = strstr(at, words)) != NULL; at++)
		n++;
	free(log);
	return n;
}

static void
without_redis_nobody_is_locked(void **state)
{
	int i;

	(void)state;
	redis_int(LOW, "FLUSHALL");
	part_kill("redis-low");
	for (i = 0; i < 5; i++)
		assert_int_equal(
		    log_in_as(&me, "username", "me", "a wrong one"), 401);
	assert_int_equal(log_in_as(&me, "username", "me", USER_PASSWORD), 200);
	assert_int_equal(times_logged("api-1", "lock nobody"), 1);
	part_start("redis-low");
	UNTIL(log_in_as(&me, "username", "me", USER_PASSWORD) == 200 &&
	    times_logged("api-1", "are counted again") == 1);
	assert_int_equal(times_logged("api-1", "lock nobody"), 1);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(three_failures_lock_an_account),
	cmocka_unit_test(a_right_password_begins_anew),
	cmocka_unit_test(guesses_at_once_are_not_more),
	cmocka_unit_test(an_address_is_locked_too),
	cmocka_unit_test(without_redis_nobody_is_locked),
};

int
main(int argc, char **argv)
{
	struct group g = { "lockout", "api=2", LOCKS, tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
