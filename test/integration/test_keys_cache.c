/* A key that was revoked works nowhere from the moment on in which that is
 * answered, whatever a cache or a replica knows of it. Two replicas. */
#include <pthread.h>
#include <stdatomic.h>

#include "access_fixture.h"
#include "support/ledger.h"

static const char *const parts[] = { "api-1", "api-2" };

static char *saved_function;

/* The body of find_keys, in which something else may happen after the rows were
 * read. */
static void
find_keys_then(const char *what)
{
	if (saved_function == NULL)
		saved_function = strdup(sql("SELECT pg_get_functiondef("
					    "'taskflow.find_keys'::regproc)"));
	sql("CREATE OR REPLACE FUNCTION taskflow.find_keys(text[]) RETURNS "
	    "TABLE (ord int8, id uuid, user_id uuid, scopes integer, admin "
	    "boolean, expires_at timestamptz, unnoted boolean) "
	    "LANGUAGE plpgsql AS $$ "
	    "#variable_conflict use_column\n"
	    "BEGIN RETURN QUERY SELECT u.ord, k.id, k.user_id, k.scopes, "
	    "false, k.expires_at, false FROM unnest($1) WITH ORDINALITY AS "
	    "u(hash, ord) JOIN taskflow.api_keys k ON k.hash = decode(u.hash, "
	    "'hex') JOIN taskflow.users o ON o.id = k.user_id WHERE "
	    "k.revoked_at IS NULL AND o.disabled_at IS NULL ORDER BY u.ord; "
	    "%s END $$",
	    what);
}

static void
restore_find_keys(void)
{
	sql("%s", saved_function);
}

/* A request in a thread. */
struct asker {
	pthread_t thread;
	struct http http;
};

static void *
ask(void *arg)
{
	struct asker *a = arg;

	http_call(&a->http, "GET", "/tasks", NULL, NULL);
	return NULL;
}

static void
begin_ask(struct asker *a, const char *part, const char *key)
{
	client_with(&a->http, part, key);
	assert_int_equal(pthread_create(&a->thread, NULL, ask, a), 0);
}

static int
end_ask(struct asker *a)
{
	int status;

	pthread_join(a->thread, NULL);
	status = a->http.status;
	http_fini(&a->http);
	return status;
}

static void
must_be_dead(const struct key *key)
{
	size_t i;

	for (i = 0; i < 2; i++)
		assert_int_equal(
		    status_with(parts[i], key->text, "/tasks"), 401);
}

static int64_t
waiting_for_the_lock(void)
{
	return sql_int("SELECT count(*) FROM pg_locks WHERE locktype = "
		       "'advisory' AND objid = 77 AND NOT granted");
}

/* One replica has read the row, and is kept from going on until another one has
 * revoked the key. What it then knows must not get into the cache. */
static void
what_was_read_before_is_not_kept(void **state)
{
	struct asker reader;
	struct key key;
	int status;

	(void)state;
	make_key(&me, "\"tasks:read\"", "", &key);
	find_keys_then("PERFORM pg_advisory_xact_lock(77);");
	sql("SELECT pg_advisory_lock(77)");
	begin_ask(&reader, "api-2", key.text);
	UNTIL(waiting_for_the_lock() == 1);
	must_call(&me, "DELETE", text("/api-keys/%s", key.id), NULL, 204);
	sql("SELECT pg_advisory_unlock(77)");
	/* It was under way before: either is right. */
	status = end_ask(&reader);
	assert_true(status == 200 || status == 401);
	restore_find_keys();
	must_be_dead(&key);
	all_ended();
}

/* The same with a user who is disabled. */
static void
nor_is_it_when_the_user_is_disabled(void **state)
{
	struct http admin, user;
	struct asker reader;
	struct key key;

	(void)state;
	admin_at(&admin, "api-1");
	client_user(&user, me.port, "mortal");
	make_key(&user, "\"tasks:read\"", "", &key);
	find_keys_then("PERFORM pg_advisory_xact_lock(77);");
	sql("SELECT pg_advisory_lock(77)");
	begin_ask(&reader, "api-2", key.text);
	UNTIL(waiting_for_the_lock() == 1);
	must_call(&admin, "POST",
	    text("/users/%s/disable",
		sql("SELECT id FROM taskflow.users WHERE username = 'mortal'")),
	    NULL, 200);
	sql("SELECT pg_advisory_unlock(77)");
	end_ask(&reader);
	restore_find_keys();
	must_be_dead(&key);
	http_fini(&user);
	http_fini(&admin);
	all_ended();
}

/* ---- under fire ---- */
#define ROUNDS 25

static struct {
	struct key key;
	_Atomic bool revoked; /* it was answered */
	_Atomic bool over;
	_Atomic unsigned good, after;
	_Atomic int wrong;
} fire;

static void *
fire_at(void *arg)
{
	struct http h;
	bool was_revoked;
	int status;

	client_with(&h, arg, fire.key.text);
	while (!fire.over) {
		was_revoked = fire.revoked;
		status = http_call(&h, "GET", "/tasks", NULL, NULL);
		if (status == 200 && was_revoked)
			fire.wrong = status;
		else if (status != 200 && status != 401)
			fire.wrong = status;
		fire.good += status == 200;
		fire.after += status == 401 && was_revoked;
	}
	http_fini(&h);
	return NULL;
}

static void
one_round(void)
{
	pthread_t t[4];
	size_t i;

	make_key(&me, "\"tasks:read\"", "", &fire.key);
	fire.revoked = fire.over = false;
	fire.good = fire.after = 0;
	for (i = 0; i < 4; i++)
		assert_int_equal(
		    pthread_create(&t[i], NULL, fire_at, (void *)parts[i % 2]),
		    0);
	UNTIL(fire.good >= 8);
	must_call(&me, "DELETE", text("/api-keys/%s", fire.key.id), NULL, 204);
	fire.revoked = true;
	UNTIL(fire.after >= 16);
	fire.over = true;
	for (i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	if (fire.wrong != 0)
		fail_msg("after the revocation: %d", fire.wrong);
}

static void
revoked_under_fire(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < ROUNDS; i++)
		one_round();
	all_ended();
}

/* ---- expiry ---- */

/* The entry in the cache is made to stay for ever: it says itself until when
 * the key is good. */
static void
an_expired_key_is_dead_in_the_cache_too(void **state)
{
	struct key key;
	char *names;

	(void)state;
	make_key(&me, "\"tasks:read\"", "", &key);
	sql("UPDATE taskflow.api_keys SET expires_at = now() + interval '3 s' "
	    "WHERE id = '%s'",
	    key.id);
	do
		assert_int_equal(status_with("api-1", key.text, "/tasks"), 200);
	while (redis_int(LOW, "KEYS taskflow:cache:key:*") != 1);
	names = redis_words(LOW, "KEYS taskflow:cache:key:*");
	assert_int_equal(redis_int(LOW, "PERSIST %s", names), 1);
	UNTIL(status_with("api-2", key.text, "/tasks") == 401);
	must_be_dead(&key);
	assert_int_equal(redis_int(LOW, "DEL %s", names), 1);
	free(names);
	all_ended();
}

/* ---- without the cache ---- */
static const char *
redis_low_at(const char *part)
{
	struct http h;
	const char *status;

	client_with(&h, part, NULL);
	http_call(&h, "GET", "/status", NULL, NULL);
	status = text("%s",
	    str_of(
		cJSON_GetObjectItem(
		    cJSON_GetObjectItem(http_json(&h), "parts"), "redis_low"),
		"status"));
	http_fini(&h);
	return status;
}

/* It dies with an entry for the key on its disk, and has it again when it comes
 * back. */
static void
revoked_while_the_cache_is_down(void **state)
{
	struct key key, other;
	size_t i;

	(void)state;
	make_key(&me, "\"tasks:read\"", "", &key);
	make_key(&me, "\"tasks:read\"", "", &other);
	assert_int_equal(status_with("api-2", key.text, "/tasks"), 200);
	part_kill("redis-low");
	assert_int_equal(status_with("api-1", other.text, "/tasks"), 200);
	must_call(&me, "DELETE", text("/api-keys/%s", key.id), NULL, 204);
	must_be_dead(&key);
	part_start("redis-low");
	for (i = 0; i < 2; i++)
		UNTIL(strcmp(redis_low_at(parts[i]), "up") == 0);
	must_be_dead(&key);
	assert_int_equal(status_with("api-1", other.text, "/tasks"), 200);
	all_ended();
}

/* ---- many at once ---- */
#define CROWD 24

/* While the first ones are looked up the others gather. */
static void
lookups_go_together(void **state)
{
	struct asker a[CROWD];
	struct key key[CROWD];
	size_t i;

	(void)state;
	for (i = 0; i < CROWD; i++)
		make_key(&me, "\"tasks:read\"", "", &key[i]);
	sql("CREATE TABLE IF NOT EXISTS calls (n integer)");
	find_keys_then("INSERT INTO calls VALUES (array_length($1, 1)); "
		       "PERFORM pg_advisory_xact_lock(77);");
	sql("SELECT pg_advisory_lock(77)");
	UNTIL(redis_int(LOW, "KEYS taskflow:cache:key:*") == 0);
	for (i = 0; i < CROWD; i++)
		begin_ask(&a[i], "api-2", key[i].text);
	/* Each has left its promise, so each is about to ask. */
	UNTIL(redis_int(LOW, "KEYS taskflow:cache:key:*") == CROWD ||
	    waiting_for_the_lock() >= 3);
	sql("SELECT pg_advisory_unlock(77)");
	for (i = 0; i < CROWD; i++)
		assert_int_equal(end_ask(&a[i]), 200);
	restore_find_keys();
	assert_int_equal(sql_int("SELECT sum(n) FROM calls"), CROWD);
	assert_in_range(sql_int("SELECT count(*) FROM calls"), 1, CROWD / 2);
	sql("DROP TABLE calls");
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_was_read_before_is_not_kept),
	cmocka_unit_test(nor_is_it_when_the_user_is_disabled),
	cmocka_unit_test(revoked_under_fire),
	cmocka_unit_test(an_expired_key_is_dead_in_the_cache_too),
	cmocka_unit_test(revoked_while_the_cache_is_down),
	cmocka_unit_test(lookups_go_together),
};

int
main(int argc, char **argv)
{
	/* What a test holds up must not time out. */
	struct group g = { "keys-cache", "api=2", "pg_timeout = 60s\n", tests,
		NELEM(tests) };

	return group_run(&g, argc, argv);
}
