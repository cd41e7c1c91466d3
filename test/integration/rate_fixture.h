#ifndef TASKFLOW_TEST_RATE_FIXTURE_H
#define TASKFLOW_TEST_RATE_FIXTURE_H

/*
 * Users with limits, at two API processes. Limits that give back one an hour
 * make every count exact, however slow the machine.
 */
#include "support/client.h"
#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

/* Urgent ones, which are not in the Redis that is stopped. */
#define TASK "{\"type\":\"noop\",\"priority\":\"high\"}"

/* Long enough for the slowest machine; one test has it short. */
static const char base_conf[] = SHORT_TIMES "rate_timeout = 60s\n";

static struct http admin;

/* One user, at both processes. */
struct user {
	struct http at[2];
	char id[ID_SIZE];
};

static inline void
user_open(struct user *u, const char *name)
{
	client_user(&u->at[0], part_port("api-1"), name);
	snprintf(u->id, sizeof(u->id), "%s",
	    str_of(http_json(&u->at[0]), "user_id"));
	http_init(&u->at[1], part_port("api-2"));
	u->at[1].token = strdup(u->at[0].token);
}

static inline void
user_close(struct user *u)
{
	all_ended();
	http_fini(&u->at[0]);
	http_fini(&u->at[1]);
}

static inline int
put_limits(struct http *h, const char *id, const char *body)
{
	return http_call(
	    h, "PUT", text("/users/%s/limits", id), JSON_TYPE, body);
}

/* The first user that the database calls one. */
static inline void
make_admin(void)
{
	if (admin.token != NULL)
		return;
	client_user(&admin, part_port("api-1"), "root");
	sql("UPDATE taskflow.users SET role = 'admin' WHERE username = 'root'");
	http_fini(&admin);
	http_init(&admin, part_port("api-1"));
	assert_int_equal(http_call(&admin, "POST", "/login", JSON_TYPE,
			     "{\"username\":\"root\",\"password\":"
			     "\"correct horse battery\"}"),
	    200);
	admin.token = strdup(str_of(http_json(&admin), "token"));
}

static inline bool
has_policy(struct http *h, const char *want)
{
	const char *got;

	http_call(h, "GET", "/tasks?limit=1", NULL, NULL);
	got = http_header(h, "RateLimit-Policy");
	return want == NULL ? got == NULL
			    : got != NULL && strcmp(got, want) == 0;
}

/* Of a user; the read limit, a number of its own, tells when it is in effect. */
static inline int
limit_set(const struct user *u, const char *submit)
{
	static int n = 100000;

	n++;
	make_admin();
	if (put_limits(&admin, u->id,
		text("{\"submit\":\"%s\",\"read\":\"%d/s\"}", submit, n)) !=
	    200)
		fail_msg("PUT limits: %d %s", admin.status, admin.body);
	return n;
}

/* At both processes. */
static inline void
limit_wait(struct user *u, int n)
{
	char policy[64];

	snprintf(policy, sizeof(policy), "\"read\";q=%d;w=1", n);
	UNTIL(has_policy(&u->at[0], policy) && has_policy(&u->at[1], policy));
}

static inline void
limit(struct user *u, const char *submit)
{
	limit_wait(u, limit_set(u, submit));
}

static inline int
post(struct http *h)
{
	return http_call(h, "POST", "/tasks", JSON_TYPE, TASK);
}

static inline bool
header_is(struct http *h, const char *name, const char *want)
{
	const char *got = http_header(h, name);

	if (got != NULL && strcmp(got, want) == 0)
		return true;
	fail_msg("%s: %s, and not %s", name, got != NULL ? got : "-", want);
	return false;
}

static inline int
rate_group_run(const char *name, const struct CMUnitTest *tests, size_t n,
    int argc, char **argv)
{
	struct group g = { name, "api=2 manager=1 worker=1", base_conf, tests,
		n };
	int failed = group_run(&g, argc, argv);

	http_fini(&admin);
	return failed;
}

#endif
