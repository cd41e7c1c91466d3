/*
 * Crash points of what changes accounts and keys: the API kills itself at each
 * step, one after the other; then it is started again, and whatever half was
 * done, asking again does the whole, and what is answered then is true on every
 * replica. Needs a daemon built with CRASH=1 (make check-crash).
 */
#include "../integration/access_fixture.h"
#include "support/ledger.h"

#define NEW_PASSWORD "another password"

/* user and admin_there are at api-2; api-1 is the one that dies. */
static struct http admin, admin_there, user, other;
static struct key key;
static char user_id[ID_SIZE];

/* ---- the part that dies ---- */
static void
launch_with(const char *point)
{
	part_stop("api-1");
	setenv("CRASH_AT", point, 1);
	part_start("api-1");
	unsetenv("CRASH_AT");
}

/* The request is the first one that comes to that step. While it waits there
 * the answer may win the race against the end. */
static void
must_crash(
    struct http *h, const char *method, const char *path, const char *body)
{
	call_json(h, method, path, body);
	UNTIL(!part_runs("api-1"));
	part_start("api-1");
}

static void
must_be_dead(void)
{
	assert_int_equal(status_with("api-1", key.text, "/tasks"), 401);
	assert_int_equal(status_with("api-2", key.text, "/tasks"), 401);
}

static void
warm_up(void)
{
	assert_int_equal(status_with("api-2", key.text, "/tasks"), 200);
}

static void
make_user(const char *name)
{
	client_user(&user, part_port("api-2"), name);
	make_key(&user, "\"tasks:read\"", "", &key);
	must_call(&user, "GET", "/users/me", NULL, 200);
	snprintf(
	    user_id, sizeof(user_id), "%s", str_of(http_json(&user), "id"));
	client_with(&other, "api-1", user.token);
	warm_up();
}

static void
forget_user(void)
{
	http_fini(&user);
	http_fini(&other);
}

/* ---- what each flow must have made good ---- */
static void
revoke(void)
{
	const char *path = text("/api-keys/%s", key.id);
	int status;

	must_crash(&other, "DELETE", path, NULL);
	status = call_json(&user, "DELETE", path, NULL);
	assert_true(status == 204 || status == 404);
	must_be_dead();
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.api_keys "
				 "WHERE id = '%s'",
			     key.id),
	    0);
}

static void
disable(void)
{
	const char *path = text("/users/%s/disable", user_id);

	must_crash(&admin, "POST", path, NULL);
	must_call(&admin_there, "POST", path, NULL, 200);
	must_be_dead();
	must_call(&user, "GET", "/tasks", NULL, 401);
	UNTIL(http_call(&other, "GET", "/tasks", NULL, NULL) == 401);
}

/* Before the commit the old one is right, after it the new one; and tokens end
 * with the old one, though nobody was told. */
static void
change(void)
{
	struct http h;
	bool changed;

	must_crash(&other, "POST", "/users/me/password",
	    "{\"old_password\":\"" USER_PASSWORD
	    "\",\"new_password\":\"" NEW_PASSWORD "\"}");
	client_with(&h, "api-2", NULL);
	changed = call_json(&h, "POST", "/login",
		      text("{\"email\":\"%s\",\"password\":\"%s\"}",
			  sql("SELECT email FROM taskflow.users WHERE id = "
			      "'%s'",
			      user_id),
			  NEW_PASSWORD)) == 200;
	if (changed)
		UNTIL(http_call(&user, "GET", "/tasks", NULL, NULL) == 401);
	else
		must_call(&user, "GET", "/tasks", NULL, 200);
	http_fini(&h);
	warm_up();
}

/* One more, or none; nobody has seen it. */
static void
create(void)
{
	must_crash(&other, "POST", "/api-keys",
	    "{\"name\":\"x\",\"scopes\":[\"tasks:read\"]}");
	assert_in_range(sql_int("SELECT count(*) FROM taskflow.api_keys "
				"WHERE user_id = '%s'",
			    user_id),
	    1, 2);
	must_call(&user, "GET", "/api-keys", NULL, 200);
	warm_up();
}

/* The old ones or the new ones, whole; sent again, the new ones everywhere. */
static void
limit(void)
{
	const char *path = text("/users/%s/limits", user_id);
	const char *limits = "{\"submit\":\"70/s\",\"read\":\"80/s\"}";

	must_crash(&admin, "PUT", path, limits);
	must_call(&admin_there, "GET", path, NULL, 200);
	if (strstr(admin_there.body, "\"submit\":null") != NULL)
		assert_non_null(strstr(admin_there.body, "\"read\":null"));
	else
		assert_non_null(strstr(admin_there.body, "\"read\":\"80/s"));
	must_call(&admin_there, "PUT", path, limits, 200);
	must_call(&admin, "GET", path, NULL, 200);
	assert_non_null(strstr(admin.body, "\"submit\":\"70/s"));
	assert_non_null(strstr(admin.body, "\"read\":\"80/s"));
	warm_up();
}

struct point {
	const char *flow;
	const char *steps; /* with blanks between */
	void (*check)(void);
};

static const struct point points[] = {
	{ "key_revoke",
	    "revoke_key revoke_key+ drop_key drop_key+ await_cache forget_key "
	    "forget_key+ end",
	    revoke },
	{ "disable",
	    "set_disabled set_disabled+ note_change note_change+ drop_keys "
	    "drop_keys+ await_cache end",
	    disable },
	{ "password", "write_new write_new+ note_new end", change },
	{ "key_create", "insert_key insert_key+ check_inserted end", create },
	{ "limits_put", "write_limits write_limits+ check_found end", limit },
};

static void
walk(void **state)
{
	const struct point *p = *state;
	char *list = strdup(p->steps), *rest = list, *step;
	int n = 0;

	admin_at(&admin, "api-1");
	client_with(&admin_there, "api-2", admin.token);
	while ((step = strsep(&rest, " ")) != NULL) {
		print_message("%s:%s\n", p->flow, step);
		make_user(text("%s%d", p->flow, n++));
		launch_with(text("%s:%s", p->flow, step));
		admin.port = other.port = part_port("api-1");
		p->check();
		forget_user();
	}
	free(list);
	http_fini(&admin);
	http_fini(&admin_there);
	all_ended();
}

int
main(int argc, char **argv)
{
	struct CMUnitTest tests[NELEM(points)];
	struct group g = { "crash-keys", "api=2", "", tests, NELEM(points) };

	for (size_t i = 0; i < NELEM(points); i++)
		tests[i] = (struct CMUnitTest){ .name = points[i].flow,
			.test_func = walk,
			.initial_state = (void *)&points[i] };
	return group_run(&g, argc, argv);
}
