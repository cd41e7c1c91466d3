/* Rate limits of users: two API processes, and the Redis between them. */
#include <pthread.h>
#include <signal.h>

#include "rate_fixture.h"

#define THREADS 12
#define EACH 5

/* Those whose limits never change: set together, since each change takes two
 * seconds until it is in effect. */
static struct limited {
	const char *name, *submit;
	struct user u;
	int n;
} all[] = {
	{ .name = "exact", .submit = "1/h burst 23" },
	{ .name = "reader", .submit = "1/h burst 2" },
	{ .name = "neighbour", .submit = "1/h burst 3" },
	{ .name = "bulk", .submit = "1/h burst 10" },
	{ .name = "header", .submit = "3/h burst 4" },
	{ .name = "patient", .submit = "1/s burst 1" },
};

static struct user *
limited(const char *name)
{
	struct limited *l, *end = all + NELEM(all);

	for (l = all; l < end && l->n == 0; l++) {
		user_open(&l->u, l->name);
		l->n = limit_set(&l->u, l->submit);
	}
	for (l = all; strcmp(l->name, name) != 0; l++)
		;
	limit_wait(&l->u, l->n);
	redis_int(LOW, "DEL taskflow:rate:%s", l->u.id);
	return &l->u;
}

static void
limited_close(void)
{
	for (size_t i = 0; i < NELEM(all); i++) {
		http_fini(&all[i].u.at[0]);
		http_fini(&all[i].u.at[1]);
	}
}

/* ---- exact ---- */
struct crowd {
	pthread_barrier_t *start;
	struct http h;
	const char *method, *path, *body;
	int passed, limited, other;
};

static void *
rush(void *arg)
{
	struct crowd *c = arg;
	int i, status;

	http_call(&c->h, "GET", "/livez", NULL, NULL); /* connected */
	pthread_barrier_wait(c->start);
	for (i = 0; i < EACH; i++) {
		status =
		    http_call(&c->h, c->method, c->path, JSON_TYPE, c->body);
		c->passed += status == 201 || status == 200;
		c->limited += status == 429;
		c->other += status != 201 && status != 200 && status != 429;
	}
	return NULL;
}

/* All at once, half of them at each process; how many passed. */
static int
rush_all(struct user *u, const char *method, const char *path, const char *body)
{
	struct crowd crowd[THREADS] = { { .passed = 0 } };
	pthread_t thread[THREADS];
	pthread_barrier_t start;
	int i, passed = 0;

	pthread_barrier_init(&start, NULL, THREADS);
	for (i = 0; i < THREADS; i++) {
		crowd[i].start = &start;
		crowd[i].method = method;
		crowd[i].path = path;
		crowd[i].body = body;
		http_init(&crowd[i].h, u->at[i % 2].port);
		crowd[i].h.token = strdup(u->at[0].token);
		assert_int_equal(
		    pthread_create(&thread[i], NULL, rush, &crowd[i]), 0);
	}
	for (i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		passed += crowd[i].passed;
		assert_int_equal(crowd[i].other, 0);
		assert_int_equal(crowd[i].passed + crowd[i].limited, EACH);
		http_fini(&crowd[i].h);
	}
	pthread_barrier_destroy(&start);
	return passed;
}

static void
just_n_of_many_at_once_pass(void **state)
{
	struct user *u = limited("exact");
	int round;

	(void)state;
	for (round = 0; round < 5; round++) {
		redis_int(LOW, "DEL taskflow:rate:%s", u->id);
		assert_int_equal(rush_all(u, "POST", "/tasks", TASK), 23);
		assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
					 "WHERE user_id = '%s'",
				     u->id),
		    23 * (round + 1));
	}
	/* The bucket outlives what is only a cache. */
	assert_true(
	    redis_int(LOW, "PTTL taskflow:rate:%s", u->id) > 3600 * 1000);
	all_ended();
}

static void
reads_are_exact_and_apart_from_submits(void **state)
{
	struct user *u = limited("reader"), *other = limited("neighbour");

	(void)state;
	assert_int_equal(put_limits(&admin, u->id,
			     "{\"submit\":\"1/h burst 2\","
			     "\"read\":\"1/h burst 31\"}"),
	    200);
	UNTIL(has_policy(&u->at[0], "\"read\";q=1;w=3600;taskflow-burst=31") &&
	    has_policy(&u->at[1], "\"read\";q=1;w=3600;taskflow-burst=31"));
	redis_int(LOW, "DEL taskflow:rate:%s", u->id);
	assert_int_equal(rush_all(u, "GET", "/tasks?limit=1", NULL), 31);
	/* The reads are used up, the submits are not. */
	assert_int_equal(post(&u->at[0]), 201);
	header_is(&u->at[0], "RateLimit", "\"submit\";r=1;t=3600");
	assert_int_equal(post(&u->at[1]), 201);
	assert_int_equal(post(&u->at[0]), 429);
	/* Nor are those of somebody else. */
	assert_int_equal(post(&other->at[0]), 201);
	assert_int_equal(
	    http_call(&other->at[1], "GET", "/tasks", NULL, NULL), 200);
	all_ended();
}

static int
post_batch(struct http *h, int n)
{
	char body[4096] = "{\"tasks\":[";
	int i;

	for (i = 0; i < n; i++)
		strcat(strcat(body, i > 0 ? "," : ""), TASK);
	strcat(body, "]}");
	return http_call(h, "POST", "/tasks/batch", JSON_TYPE, body);
}

static void
a_batch_costs_what_is_in_it(void **state)
{
	struct user *u = limited("bulk");
	const cJSON *e;

	(void)state;
	assert_int_equal(post_batch(&u->at[0], 6), 201);
	header_is(&u->at[0], "RateLimit", "\"submit\";r=4;t=21600");
	assert_int_equal(post_batch(&u->at[1], 5), 429);
	header_is(&u->at[1], "RateLimit", "\"submit\";r=4;t=21600");
	header_is(&u->at[1], "Retry-After", "3600");
	assert_int_equal(post_batch(&u->at[1], 4), 201);
	assert_int_equal(post_batch(&u->at[0], 1), 429);
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE user_id = '%s'",
			     u->id),
	    10);
	/* More than ever fits: waiting would not help. */
	assert_int_equal(post_batch(&u->at[0], 11), 422);
	e = cJSON_GetArrayItem(
	    cJSON_GetObjectItem(http_json(&u->at[0]), "errors"), 0);
	assert_string_equal(str_of(e, "pointer"), "/tasks");
	/* What is no batch costs one. */
	redis_int(LOW, "DEL taskflow:rate:%s", u->id);
	assert_int_equal(http_call(&u->at[0], "POST", "/tasks/batch", JSON_TYPE,
			     "{\"tasks\":[1,2,"),
	    400);
	header_is(&u->at[0], "RateLimit", "\"submit\";r=9;t=3600");
	all_ended();
}

/* ---- headers ---- */
static void
every_answer_says_what_is_left(void **state)
{
	static const char policy[] = "\"submit\";q=3;w=3600;taskflow-burst=4";
	struct user *u = limited("header"), nobody;

	(void)state;
	user_open(&nobody, "unlimited");
	/* Nobody has a limit unless somebody sets one: no header, no key. */
	assert_int_equal(post(&nobody.at[0]), 201);
	assert_null(http_header(&nobody.at[0], "RateLimit"));
	assert_null(http_header(&nobody.at[0], "RateLimit-Policy"));
	assert_int_equal(
	    redis_int(LOW, "EXISTS taskflow:rate:%s", nobody.id), 0);
	assert_int_equal(post(&u->at[0]), 201);
	header_is(&u->at[0], "RateLimit-Policy", policy);
	header_is(&u->at[0], "RateLimit", "\"submit\";r=3;t=1200");
	/* Charged before it is looked at. */
	assert_int_equal(
	    http_call(&u->at[0], "POST", "/tasks", JSON_TYPE, "{"), 400);
	header_is(&u->at[0], "RateLimit-Policy", policy);
	header_is(&u->at[0], "RateLimit", "\"submit\";r=2;t=2400");
	assert_int_equal(post(&u->at[0]), 201);
	assert_int_equal(post(&u->at[1]), 201);
	assert_int_equal(post(&u->at[1]), 429);
	header_is(&u->at[1], "RateLimit-Policy", policy);
	header_is(&u->at[1], "RateLimit", "\"submit\";r=0;t=4800");
	header_is(&u->at[1], "Retry-After", "1200");
	header_is(&u->at[1], "Content-Type", "application/problem+json");
	assert_string_equal(str_of(http_json(&u->at[1]), "type"),
	    "urn:taskflow:problem:rate-limited");
	/* And of reads that are not found. */
	assert_int_equal(
	    http_call(&u->at[0], "GET", "/tasks/nothing", NULL, NULL), 404);
	assert_non_null(http_header(&u->at[0], "RateLimit"));
	/* Who is nobody is charged nothing. */
	free(u->at[0].token);
	u->at[0].token = strdup("nonsense");
	assert_int_equal(post(&u->at[0]), 401);
	assert_null(http_header(&u->at[0], "RateLimit"));
	user_close(&nobody);
}

static void
what_is_given_back_can_be_used(void **state)
{
	struct user *u = limited("patient");

	(void)state;
	UNTIL(post(&u->at[0]) == 201);
	UNTIL(post(&u->at[1]) == 201);
	UNTIL(post(&u->at[0]) == 201);
	all_ended();
}

/* ---- administrators ---- */
static const struct {
	const char *body;
	int status;
	const char *words;
} bad_limits[] = {
	{ "{\"submit\":\"fast\"}", 422, "/submit" },
	{ "{\"submit\":5}", 422, "/submit" },
	{ "{\"read\":\"0/s\"}", 422, "/read" },
	{ "{\"read\":\"1/s burst 2000000\"}", 422, "/read" },
	{ "{\"write\":\"1/s\"}", 422, "/write" },
	{ "{\"read\":\"1/s\",\"read\":\"1/s\"}", 400, "twice" },
	{ "[]", 400, "object" },
	{ "", 400, "empty" },
};

static void
limits_are_an_administrators_to_give(void **state)
{
	struct user u;
	size_t i;

	(void)state;
	make_admin();
	user_open(&u, "governed");
	assert_int_equal(put_limits(&u.at[0], u.id, "{}"), 403);
	assert_int_equal(http_call(&u.at[0], "GET",
			     text("/users/%s/limits", u.id), NULL, NULL),
	    403);
	assert_int_equal(put_limits(&admin, "x", "{}"), 404);
	assert_int_equal(
	    put_limits(&admin, "01890000-0000-7000-8000-000000000000", "{}"),
	    404);
	for (i = 0; i < NELEM(bad_limits); i++) {
		if (put_limits(&admin, u.id, bad_limits[i].body) !=
			bad_limits[i].status ||
		    strstr(admin.body, bad_limits[i].words) == NULL)
			fail_msg("%s: %d %s", bad_limits[i].body, admin.status,
			    admin.body);
	}
	assert_int_equal(put_limits(&admin, u.id,
			     "{\"submit\":\"05/s burst 5\",\"read\":null}"),
	    200);
	assert_int_equal(http_call(&admin, "GET",
			     text("/users/%s/limits", u.id), NULL, NULL),
	    200);
	assert_string_equal(str_of(http_json(&admin), "user_id"), u.id);
	assert_string_equal(str_of(http_json(&admin), "submit"), "5/s");
	assert_null(str_of(http_json(&admin), "read"));
	user_close(&u);
}

static void
a_change_is_in_effect_everywhere_soon(void **state)
{
	struct user u;

	(void)state;
	user_open(&u, "changing");
	limit(&u, "1/h burst 1");
	assert_int_equal(post(&u.at[0]), 201);
	assert_int_equal(post(&u.at[1]), 429);
	/* More: what was used stays used. */
	limit(&u, "1/h burst 3");
	assert_int_equal(post(&u.at[0]), 201);
	assert_int_equal(post(&u.at[1]), 201);
	assert_int_equal(post(&u.at[0]), 429);
	limit(&u, "off");
	assert_int_equal(post(&u.at[0]), 201);
	assert_null(http_header(&u.at[0], "RateLimit"));
	/* Nothing of his own any more. */
	assert_int_equal(put_limits(&admin, u.id, "{}"), 200);
	UNTIL(has_policy(&u.at[0], NULL) && has_policy(&u.at[1], NULL));
	user_close(&u);
}

static void
the_configuration_is_read_again(void **state)
{
	struct user u;

	(void)state;
	user_open(&u, "default");
	stack_conf(
	    SHORT_TIMES "rate_timeout = 60s\nrate_read = 1/h burst 1000\n"
			"rate_submit = 1/h burst 2\n");
	part_signal("api-1", SIGHUP);
	part_signal("api-2", SIGHUP);
	UNTIL(has_policy(&u.at[0], "\"read\";q=1;w=3600;taskflow-burst=1000") &&
	    has_policy(&u.at[1], "\"read\";q=1;w=3600;taskflow-burst=1000"));
	assert_int_equal(post(&u.at[0]), 201);
	assert_int_equal(post(&u.at[1]), 201);
	assert_int_equal(post(&u.at[0]), 429);
	/* A limit of one's own wins over it. */
	limit(&u, "off");
	assert_int_equal(post(&u.at[0]), 201);
	user_close(&u);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(just_n_of_many_at_once_pass),
	cmocka_unit_test(reads_are_exact_and_apart_from_submits),
	cmocka_unit_test(a_batch_costs_what_is_in_it),
	cmocka_unit_test(every_answer_says_what_is_left),
	cmocka_unit_test(what_is_given_back_can_be_used),
	cmocka_unit_test(limits_are_an_administrators_to_give),
	cmocka_unit_test(a_change_is_in_effect_everywhere_soon),
	cmocka_unit_test(the_configuration_is_read_again),
};

int
main(int argc, char **argv)
{
	int failed = rate_group_run("rate", tests, NELEM(tests), argc, argv);

	limited_close();
	return failed;
}
