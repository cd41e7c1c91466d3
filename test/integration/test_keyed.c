/* Submits with keys, by way of two API processes: a unique_key has one live
 * task at most, and an Idempotency-Key makes a request that is sent again do
 * nothing new. */
#include <libpq-fe.h>
#include <pthread.h>

#include "batch_fixture.h"

static struct http other_api; /* the same user at the other process */

static void
begin(void)
{
	tables_clear();
	sql("TRUNCATE taskflow.task_unique, taskflow.idempotency_keys");
	http_fini(&other_api);
	http_init(&other_api, part_port("api-2"));
	other_api.token = strdup(me.token);
}

static const char *
with_key(const char *key)
{
	return text(JSON_TYPE "Idempotency-Key: %s\r\n", key);
}

static int
post(struct http *h, const char *headers, const char *body)
{
	return http_call(h, "POST", "/tasks", headers, body);
}

/* Of the last answer, a 201. */
static const char *
id_in(struct http *h)
{
	const cJSON *id = cJSON_GetObjectItem(http_json(h), "id");

	if (id == NULL)
		fail_msg("no id: %d %.300s", h->status, h->body);
	return text("%s", id->valuestring);
}

static void
must(struct http *h, int status, const char *type)
{
	const cJSON *got;

	if (h->status != status)
		fail_msg("%d, not %d: %.400s", h->status, status, h->body);
	if (type == NULL)
		return;
	got = cJSON_GetObjectItem(http_json(h), "type");
	assert_non_null(got);
	assert_string_equal(
	    got->valuestring, text("urn:taskflow:problem:%s", type));
}

/* It was refused for its unique_key, by this task in this state. */
static void
held_by(struct http *h, const char *id, const char *status)
{
	must(h, 409, "unique-key");
	assert_string_equal(
	    cJSON_GetObjectItem(http_json(h), "task_id")->valuestring, id);
	assert_string_equal(
	    cJSON_GetObjectItem(http_json(h), "task_status")->valuestring,
	    status);
}

static void
make_due(const char *id)
{
	sql("UPDATE taskflow.tasks SET due_at = now() WHERE id = '%s'", id);
	redis_int(HIGH, "PUBLISH taskflow:signal:due x");
}

#define UNIQUE(key) \
	"{\"type\":\"ledger\",\"payload\":\"a\",\"unique_key\":\"" key "\"}"

/* ---- unique_key ---- */
static void
a_key_has_one_live_task(void **state)
{
	const char *first, *second;
	struct http stranger;

	(void)state;
	begin();
	hold("a", 1);
	post(&me, JSON_TYPE, UNIQUE("k\\u00e9"));
	must(&me, 201, NULL);
	first = ledger_accept(id_in(&me));
	assert_string_equal(str_of(http_json(&me), "unique_key"), "k\303\251");
	UNTIL(task_is(first, "IN_PROGRESS"));
	post(&other_api, JSON_TYPE, UNIQUE("k\303\251"));
	held_by(&other_api, first, "IN_PROGRESS");
	/* Another key, and the same one of another user, are free. */
	post(&me, JSON_TYPE, "{\"type\":\"noop\",\"unique_key\":\"k\"}");
	must(&me, 201, NULL);
	ledger_accept(id_in(&me));
	client_user(&stranger, me.port, "stranger");
	post(&stranger, JSON_TYPE,
	    "{\"type\":\"noop\",\"unique_key\":\"k\303\251\"}");
	must(&stranger, 201, NULL);
	ledger_accept(id_in(&stranger));
	http_fini(&stranger);
	assert_string_equal(str_of(task_get(first), "unique_key"), "k\303\251");
	release("a", 1);
	task_wait(first);
	post(&other_api, JSON_TYPE, UNIQUE("k\303\251"));
	must(&other_api, 201, NULL);
	second = ledger_accept(id_in(&other_api));
	assert_string_not_equal(first, second);
	all_ended();
	/* What is gone holds nothing. */
	sql("TRUNCATE taskflow.tasks, taskflow.task_events");
	post(&me, JSON_TYPE, UNIQUE("k\303\251"));
	must(&me, 201, NULL);
	task_wait(id_in(&me));
}

static void
a_key_is_held_until_the_end(void **state)
{
	const char *failing, *later;

	(void)state;
	begin();
	post(&me, JSON_TYPE,
	    "{\"type\":\"noop\",\"delay_seconds\":1000,\"unique_key\":\"k\"}");
	must(&me, 201, NULL);
	later = ledger_accept(id_in(&me));
	post(&me, JSON_TYPE, UNIQUE("k"));
	held_by(&me, later, "PENDING");
	make_due(later);
	task_wait(later);
	/* Failed, but tried again. */
	post(&me, JSON_TYPE,
	    "{\"type\":\"fail\",\"max_attempts\":2,\"unique_key\":\"k\"}");
	must(&me, 201, NULL);
	failing = ledger_accept(id_in(&me));
	do {
		post(&other_api, JSON_TYPE, UNIQUE("k"));
		if (other_api.status == 409)
			assert_non_null(strstr(other_api.body, failing));
	} while (other_api.status == 409);
	must(&other_api, 201, NULL);
	ledger_accept(id_in(&other_api));
	assert_true(task_is(failing, "FAILED"));
	all_ended();
}

struct racer {
	pthread_t thread;
	struct http h;
	const char *body, *headers;
	int status;
	char id[ID_SIZE], holder[ID_SIZE];
	bool replayed;
};

static void
copy_member(struct http *h, const char *name, char ret[ID_SIZE])
{
	const cJSON *v = cJSON_GetObjectItem(http_json(h), name);

	snprintf(ret, ID_SIZE, "%s", cJSON_IsString(v) ? v->valuestring : "");
}

static void *
race(void *arg)
{
	struct racer *r = arg;

	r->status = http_call(&r->h, "POST", "/tasks", r->headers, r->body);
	copy_member(&r->h, "id", r->id);
	copy_member(&r->h, "task_id", r->holder);
	r->replayed = r->h.len > 0 &&
	    strstr(r->h.bytes, "Idempotent-Replayed: true") != NULL;
	return NULL;
}

#define RACERS 8
static struct racer racers[RACERS];

static void
racers_begin(void)
{
	for (int i = 0; i < RACERS; i++) {
		http_init(&racers[i].h, i % 2 ? me.port : other_api.port);
		racers[i].h.token = strdup(me.token);
		racers[i].h.timeout_ms = 30 * 1000;
		http_call(&racers[i].h, "GET", "/livez", NULL, NULL);
	}
}

/* All at once. How many were accepted; the first of them. */
static int
run_race(const char *headers, const char *body, const struct racer **ret)
{
	int i, accepted = 0;

	for (i = 0; i < RACERS; i++) {
		racers[i].body = body;
		racers[i].headers = headers;
		assert_int_equal(
		    pthread_create(&racers[i].thread, NULL, race, &racers[i]),
		    0);
	}
	for (i = 0; i < RACERS; i++)
		pthread_join(racers[i].thread, NULL);
	for (i = RACERS - 1; i >= 0; i--)
		if (racers[i].status == 201) {
			*ret = &racers[i];
			accepted++;
		}
	return accepted;
}

static void
racers_end(void)
{
	for (int i = 0; i < RACERS; i++)
		http_fini(&racers[i].h);
}

/* Half of the rounds find a key whose last task is final, the others a new one.
 * Whoever loses is told who has won. */
static void
of_many_at_once_one_wins(void **state)
{
	const struct racer *won = NULL;
	char body[128];
	int round, i;

	(void)state;
	begin();
	racers_begin();
	for (round = 0; round < 60; round++) {
		snprintf(body, sizeof(body),
		    "{\"type\":\"noop\",\"queue\":\"unserved\",\"unique_key\":"
		    "\"r%d\"}",
		    round / 2);
		assert_int_equal(run_race(JSON_TYPE, body, &won), 1);
		for (i = 0; i < RACERS; i++)
			if (&racers[i] != won) {
				assert_int_equal(racers[i].status, 409);
				assert_string_equal(racers[i].holder, won->id);
			}
		assert_int_equal(
		    sql_int("SELECT count(*) FROM taskflow.tasks WHERE "
			    "status < 5"),
		    1);
		sql("UPDATE taskflow.tasks SET status = 7");
	}
	racers_end();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 60);
	tables_clear();
	redis_int(LOW, "FLUSHALL");
	all_ended();
}

static void
keys_in_a_batch_are_each_for_itself(void **state)
{
	const char *first, *holder;
	const cJSON *items, *error;

	(void)state;
	begin();
	hold("a", 1);
	post(&me, JSON_TYPE, UNIQUE("x"));
	first = ledger_accept(id_in(&me));
	UNTIL(task_is(first, "IN_PROGRESS"));
	batch("{\"tasks\":["
	      "{\"type\":\"noop\"},{\"type\":\"noop\",\"unique_key\":\"x\"},"
	      "{\"type\":\"noop\",\"unique_key\":\"y\",\"delay_seconds\":0.5},"
	      "{\"type\":\"noop\",\"unique_key\":\"y\"},{\"type\":\"a b\"},"
	      "{\"type\":\"noop\",\"unique_key\":\"z\"}]}",
	    200);
	items = cJSON_GetObjectItem(http_json(&me), "tasks");
	assert_int_equal(int_of(http_json(&me), "accepted"), 3);
	error = cJSON_GetObjectItem(cJSON_GetArrayItem(items, 1), "error");
	assert_string_equal(str_of(error, "task_id"), first);
	assert_string_equal(str_of(error, "task_status"), "IN_PROGRESS");
	assert_string_equal(str_of(error, "pointer"), "/tasks/1/unique_key");
	assert_string_equal(
	    str_of(error, "type"), "urn:taskflow:problem:unique-key");
	/* The one before it in the same batch. */
	holder = str_of(cJSON_GetArrayItem(items, 2), "id");
	error = cJSON_GetObjectItem(cJSON_GetArrayItem(items, 3), "error");
	assert_string_equal(str_of(error, "task_id"), holder);
	assert_string_equal(str_of(error, "task_status"), "PENDING");
	release("a", 1);
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 4);
}

/* ---- Idempotency-Key ---- */
#define PLAIN "{\"type\":\"noop\",\"payload\":[1.50, \"\\u00e9\"]}"

static void
the_same_request_gets_the_same_answer(void **state)
{
	char *body, *location;
	const char *id;

	(void)state;
	begin();
	post(&me,
	    with_key("\"order 17\"\r\ntraceparent: 00-0af7651916cd43dd8448eb2"
		     "11c80319c-b7ad6b7169203331-01"),
	    PLAIN);
	must(&me, 201, NULL);
	assert_null(http_header(&me, "Idempotent-Replayed"));
	id = ledger_accept(id_in(&me));
	body = strdup(me.body);
	location = strdup(http_header(&me, "Location"));
	task_wait(id);
	/* At another process, although the Redis know nothing any more. */
	redis_int(LOW, "FLUSHALL");
	post(&other_api, with_key("\"order 17\""), PLAIN);
	must(&other_api, 201, NULL);
	assert_string_equal(other_api.body, body);
	assert_string_equal(http_header(&other_api, "Location"), location);
	assert_string_equal(
	    http_header(&other_api, "Idempotent-Replayed"), "true");
	/* Who waits sees how the task of then has ended. */
	post(&other_api,
	    text("%sPrefer: wait=20\r\n", with_key("\"order 17\"")), PLAIN);
	must(&other_api, 201, NULL);
	assert_string_equal(id_in(&other_api), id);
	assert_non_null(strstr(other_api.body, "\"COMPLETED\""));
	/* Without the quotes it is the same key; of somebody else it is not. */
	post(&me, with_key("\"x-1\""), PLAIN);
	ledger_accept(id_in(&me));
	post(&other_api, with_key("x-1"), PLAIN);
	assert_string_equal(id_in(&other_api), id_in(&me));
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 2);
	free(body);
	free(location);
}

static void
another_request_with_the_key_is_refused(void **state)
{
	(void)state;
	begin();
	post(&me, with_key("k"), PLAIN);
	must(&me, 201, NULL);
	ledger_accept(id_in(&me));
	post(&other_api, with_key("k"), PLAIN " ");
	must(&other_api, 422, "idempotency-reuse");
	assert_int_equal(http_call(&other_api, "POST", "/tasks/batch",
			     with_key("k"), "{\"tasks\":[" PLAIN "]}"),
	    422);
	must(&other_api, 422, "idempotency-reuse");
	/* Its time is over. */
	sql("UPDATE taskflow.idempotency_keys SET expires_at = now()");
	post(&other_api, with_key("k"), PLAIN " ");
	must(&other_api, 201, NULL);
	assert_null(http_header(&other_api, "Idempotent-Replayed"));
	ledger_accept(id_in(&other_api));
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 2);
}

static void
bad_keys_are_refused(void **state)
{
	static const char *const bad[] = { "\"\"", "\"", "a b", "\"a\"b",
		"\"a\\b\"", "a\"b", "\"a\\\"", "\"\303\251\"", "a\\b", "\303" };
	char *longer = malloc(202);

	(void)state;
	begin();
	for (size_t i = 0; i < NELEM(bad); i++) {
		post(&me, with_key(bad[i]), PLAIN);
		must(&me, 400, "invalid");
		assert_non_null(strstr(me.body, "Idempotency-Key"));
	}
	memset(longer, 'x', 201);
	longer[201] = '\0';
	post(&me, with_key(longer), PLAIN);
	must(&me, 400, "invalid");
	longer[200] = '\0';
	post(&me, with_key(longer), PLAIN);
	must(&me, 201, NULL);
	ledger_accept(id_in(&me));
	/* What is refused before it begins leaves the key free. */
	post(&me, with_key("k"), "{\"type\":\"a b\"}");
	must(&me, 422, "unprocessable");
	post(&me, with_key("k"), PLAIN);
	must(&me, 201, NULL);
	ledger_accept(id_in(&me));
	free(longer);
	all_ended();
}

static void
of_many_at_once_one_runs(void **state)
{
	const struct racer *first = NULL;
	char headers[128];
	int round, i, fresh;

	(void)state;
	begin();
	racers_begin();
	for (round = 0; round < 30; round++) {
		snprintf(headers, sizeof(headers),
		    JSON_TYPE "Idempotency-Key: r%d\r\n", round);
		assert_int_equal(
		    run_race(headers, "{\"type\":\"noop\"}", &first), RACERS);
		for (i = fresh = 0; i < RACERS; i++) {
			fresh += !racers[i].replayed;
			assert_string_equal(racers[i].id, first->id);
		}
		assert_int_equal(fresh, 1);
		ledger_accept(first->id);
	}
	racers_end();
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 30);
}

static int
post_batch(struct http *h, const char *key, const char *body)
{
	return http_call(h, "POST", "/tasks/batch", with_key(key), body);
}

static void
a_batch_is_repeated_whole(void **state)
{
	static const char body[] =
	    "{\"tasks\":[{\"type\":\"noop\",\"delay_seconds\":0.4},"
	    "{\"type\":\"a b\"},{\"type\":\"noop\",\"unique_key\":\"u\"},"
	    "{\"type\":\"ledger\",\"payload\":\"a\",\"unique_key\":\"v\"},"
	    "{\"type\":\"noop\",\"priority\":\"high\"}]}";
	const char *holder;
	char *answer;

	(void)state;
	begin();
	hold("a", 1);
	post(&me, JSON_TYPE, UNIQUE("v"));
	holder = ledger_accept(id_in(&me));
	UNTIL(task_is(holder, "IN_PROGRESS"));
	assert_int_equal(post_batch(&me, "b", body), 200);
	accept_items(&me);
	answer = strdup(me.body);
	assert_non_null(strstr(answer, holder));
	release("a", 1);
	task_wait(holder);
	assert_int_equal(post_batch(&other_api, "b", body), 200);
	assert_string_equal(other_api.body, answer);
	assert_string_equal(
	    http_header(&other_api, "Idempotent-Replayed"), "true");
	free(answer);
	/* Of this one nothing is accepted, so nothing is kept. */
	hold("a", 1);
	post(&me, JSON_TYPE, UNIQUE("v"));
	holder = ledger_accept(id_in(&me));
	assert_int_equal(
	    post_batch(&me, "c", "{\"tasks\":[" UNIQUE("v") "]}"), 422);
	post(&me, with_key("d"), UNIQUE("v"));
	must(&me, 409, "unique-key");
	release("a", 1);
	task_wait(holder);
	assert_int_equal(
	    post_batch(&me, "c", "{\"tasks\":[" UNIQUE("v") "]}"), 201);
	accept_items(&me);
	all_ended();
	assert_int_equal(
	    sql_int("SELECT count(*) FROM taskflow.idempotency_keys"), 2);
}

/* ---- what dies, and what stands in the way ---- */

/* A client that does not wait for the answer, or whose process dies, asks the
 * other one with the same key: whatever it was, there is one task. */
static void
an_answer_that_was_lost_is_asked_for_again(void **state)
{
	char key[32], body[80];
	struct http h;
	int i, lost = 0;

	(void)state;
	begin();
	for (i = 0; i < 24; i++) {
		snprintf(key, sizeof(key), "lost-%d", i);
		snprintf(body, sizeof(body),
		    "{\"type\":\"noop\",\"payload\":%d}", i);
		http_init(&h, i % 2 ? other_api.port : me.port);
		h.token = strdup(me.token);
		h.timeout_ms = 1 + i % 5;
		lost += post(&h, with_key(key), body) != 201;
		http_fini(&h);
		if (i == 11)
			part_kill("api-2");
		UNTIL(post(&me, with_key(key), body) == 201);
		ledger_accept(id_in(&me));
		if (i == 11)
			part_start("api-2");
	}
	assert_true(lost > 0);
	part_kill("redis-low");
	assert_int_equal(post(&me, with_key("r"), PLAIN), 201);
	ledger_accept(id_in(&me));
	assert_int_equal(post(&other_api, with_key("r"), PLAIN), 201);
	assert_string_equal(id_in(&other_api), id_in(&me));
	part_start("redis-low");
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 25);
}

static PGconn *
open_transaction(const char *statement)
{
	PGconn *c = PQconnectdb(stack_env("TASKFLOW_PG_DIRECT_URL"));

	PQclear(PQexec(c, "BEGIN"));
	PQclear(PQexec(c, statement));
	if (PQtransactionStatus(c) != PQTRANS_INTRANS)
		fail_msg("%s", PQerrorMessage(c));
	return c;
}

/* Somebody's transaction has the key and does not end. Others are not in its
 * way. */
static void
a_key_that_is_being_worked_on_is_refused(void **state)
{
	PGconn *c;

	(void)state;
	begin();
	post(&me, with_key("k"), PLAIN);
	ledger_accept(id_in(&me));
	c = open_transaction(
	    "INSERT INTO taskflow.idempotency_keys SELECT user_id, request, "
	    "created_at, expires_at, 'busy', fingerprint, traceparent, "
	    "task_ids, statuses, max_attempts, scheduled_at FROM "
	    "taskflow.idempotency_keys");
	for (int i = 0; i < 3; i++) {
		post(&other_api, with_key("busy"), PLAIN);
		must(&other_api, 409, "idempotency-running");
		assert_non_null(http_header(&other_api, "Retry-After"));
	}
	assert_int_equal(
	    post_batch(&me, "busy", "{\"tasks\":[" PLAIN "]}"), 409);
	PQclear(PQexec(c, "ROLLBACK"));
	PQfinish(c);
	post(&other_api, with_key("busy"), PLAIN);
	must(&other_api, 201, NULL);
	ledger_accept(id_in(&other_api));
	all_ended();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks"), 2);
}

#define CROWD 100
static struct racer crowd[CROWD];

/* A hundred requests at once: how many got that status? */
static int
run_crowd(int status)
{
	static char bodies[CROWD][96], headers[CROWD][96];
	int i, n = 0;

	for (i = 0; i < CROWD; i++) {
		http_init(&crowd[i].h, me.port);
		crowd[i].h.token = strdup(me.token);
		crowd[i].h.timeout_ms = 60 * 1000;
		snprintf(bodies[i], sizeof(bodies[i]),
		    "{\"type\":\"noop\",\"payload\":%d}", i);
		snprintf(headers[i], sizeof(headers[i]),
		    JSON_TYPE "Idempotency-Key: crowd-%d\r\n", i);
		crowd[i].body = bodies[i];
		crowd[i].headers =
		    crowd[i].headers == NULL ? JSON_TYPE : headers[i];
		assert_int_equal(
		    pthread_create(&crowd[i].thread, NULL, race, &crowd[i]), 0);
	}
	for (i = 0; i < CROWD; i++) {
		pthread_join(crowd[i].thread, NULL);
		n += crowd[i].status == status;
		if (crowd[i].status == 201)
			ledger_accept(crowd[i].id);
		http_fini(&crowd[i].h);
	}
	return n;
}

/* Without keys, and with them. */
static void
one_that_is_bad_fails_alone(void **state)
{
	int i, keyed;

	(void)state;
	begin();
	sql("ALTER TABLE taskflow.tasks ADD CONSTRAINT no_curse CHECK "
	    "(payload::text <> '63') NOT VALID");
	for (keyed = 0; keyed < 2; keyed++) {
		for (i = 0; i < CROWD; i++)
			crowd[i].headers = keyed ? "" : NULL;
		assert_int_equal(run_crowd(201), CROWD - 1);
		assert_int_equal(crowd[63].status, 422);
	}
	sql("ALTER TABLE taskflow.tasks DROP CONSTRAINT no_curse");
	all_ended();
	assert_int_equal(
	    sql_int("SELECT count(*) FROM taskflow.tasks"), 2 * (CROWD - 1));
}

static void
one_that_is_blocked_is_refused_alone(void **state)
{
	PGconn *c;

	(void)state;
	begin();
	post(&me, with_key("k"), PLAIN);
	ledger_accept(id_in(&me));
	c = open_transaction(
	    "INSERT INTO taskflow.idempotency_keys SELECT user_id, request, "
	    "created_at, expires_at, 'crowd-17', fingerprint, traceparent, "
	    "task_ids, statuses, max_attempts, scheduled_at FROM "
	    "taskflow.idempotency_keys");
	for (int i = 0; i < CROWD; i++)
		crowd[i].headers = "";
	assert_int_equal(run_crowd(201), CROWD - 1);
	assert_int_equal(crowd[17].status, 409);
	PQfinish(c);
	all_ended();
}

/* ---- what is over ---- */
static void
what_is_over_is_swept(void **state)
{
	const char *live;

	(void)state;
	begin();
	post(&me, with_key("k"), UNIQUE("done"));
	ledger_accept(id_in(&me));
	task_wait(id_in(&me));
	hold("a", 1);
	post(&me, with_key("k2"), UNIQUE("live"));
	live = ledger_accept(id_in(&me));
	sql("UPDATE taskflow.idempotency_keys SET expires_at = now() "
	    "WHERE key = 'k'");
	/* It is done after an election, and by the clock. */
	part_stop("manager-1");
	part_start("manager-1");
	UNTIL(sql_int("SELECT count(*) FROM taskflow.task_unique") == 1 &&
	    sql_int("SELECT count(*) FROM taskflow.idempotency_keys") == 1);
	assert_string_equal(
	    sql("SELECT task_id FROM taskflow.task_unique"), live);
	post(&me, JSON_TYPE, UNIQUE("live"));
	must(&me, 409, "unique-key");
	release("a", 1);
	all_ended();
}

/* For what makes a final task live again. */
static void
a_task_that_lives_again_needs_its_key(void **state)
{
	const char *old, *new;

	(void)state;
	begin();
	post(&me, JSON_TYPE, UNIQUE("k"));
	old = ledger_accept(id_in(&me));
	task_wait(old);
	post(&me, JSON_TYPE,
	    "{\"type\":\"noop\",\"delay_seconds\":1000,\"unique_key\":\"k\"}");
	new = ledger_accept(id_in(&me));
#define TAKE                                                 \
	"SELECT holder FROM taskflow.tasks t, LATERAL "      \
	"taskflow.take_unique(ARRAY[t.id], ARRAY[user_id], " \
	"ARRAY[unique_key]) WHERE t.id = '%s'"
	assert_string_equal(sql(TAKE, old), new);
	make_due(new);
	task_wait(new);
	assert_string_equal(sql(TAKE, old), "");
	assert_string_equal(
	    sql("SELECT task_id FROM taskflow.task_unique"), old);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_key_has_one_live_task),
	cmocka_unit_test(a_key_is_held_until_the_end),
	cmocka_unit_test(of_many_at_once_one_wins),
	cmocka_unit_test(keys_in_a_batch_are_each_for_itself),
	cmocka_unit_test(the_same_request_gets_the_same_answer),
	cmocka_unit_test(another_request_with_the_key_is_refused),
	cmocka_unit_test(bad_keys_are_refused),
	cmocka_unit_test(of_many_at_once_one_runs),
	cmocka_unit_test(a_batch_is_repeated_whole),
	cmocka_unit_test(an_answer_that_was_lost_is_asked_for_again),
	cmocka_unit_test(a_key_that_is_being_worked_on_is_refused),
	cmocka_unit_test(one_that_is_bad_fails_alone),
	cmocka_unit_test(one_that_is_blocked_is_refused_alone),
	cmocka_unit_test(what_is_over_is_swept),
	cmocka_unit_test(a_task_that_lives_again_needs_its_key),
};

int
main(int argc, char **argv)
{
	struct group g = { "keyed", "api=2 manager=1 worker=1",
		SHORT_TIMES "concurrency = 8\n" LEDGER_CONF, tests,
		NELEM(tests) };

	return group_run(&g, argc, argv);
}
