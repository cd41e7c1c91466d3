/* Accounts: passwords, tokens that are taken back, users who are disabled; and
 * the hashing, beside the loop. Two replicas of the API. */
#include <dirent.h>
#include <stdatomic.h>

#include "access_fixture.h"
#include "support/ledger.h"

/* ---- who am I ---- */
static void
me_tells_who_and_what(void **state)
{
	struct key key;
	struct http h;

	(void)state;
	must_call(&me, "GET", "/users/me", NULL, 200);
	assert_string_equal(str_of(http_json(&me), "email"), "me@example.org");
	assert_string_equal(str_of(http_json(&me), "username"), "me");
	assert_string_equal(str_of(http_json(&me), "role"), "user");
	assert_null(str_of(http_json(&me), "disabled_at"));
	assert_string_equal(
	    raw_of("scopes"), "[\"tasks:read\",\"tasks:write\",\"keys\"]");
	make_key(&me, "\"tasks:write\"", "", &key);
	client_with(&h, "api-2", key.text);
	must_call(&h, "GET", "/users/me", NULL, 200);
	assert_non_null(strstr(h.body, "\"scopes\":[\"tasks:write\"]"));
	http_fini(&h);
	all_ended();
}

/* ---- a new password ---- */
static void
change_password(struct http *h, const char *old, const char *new, int want)
{
	must_call(h, "POST", "/users/me/password",
	    text("{\"old_password\":\"%s\",\"new_password\":\"%s\"}", old, new),
	    want);
}

static void
a_new_password_ends_old_tokens(void **state)
{
	struct http user, there, key_user;
	struct key key;

	(void)state;
	client_user(&user, me.port, "changer");
	make_key(&user, "\"tasks:read\"", "", &key);
	client_with(&there, "api-2", user.token);
	client_with(&key_user, "api-2", key.text);
	must_call(&there, "GET", "/tasks", NULL, 200);
	change_password(&user, "not that one", "another password", 403);
	must_say(&user, "old password");
	change_password(&user, USER_PASSWORD, "short", 422);
	assert_null(strstr(user.body, "short"));
	must_call(&user, "GET", "/tasks", NULL, 200);
	change_password(&user, USER_PASSWORD, "another password", 204);
	/* Here at once, there as soon as it is told. */
	must_call(&user, "GET", "/tasks", NULL, 401);
	must_say(&user, "taken back");
	UNTIL(http_call(&there, "GET", "/tasks", NULL, NULL) == 401);
	assert_int_equal(
	    log_in_as(&user, "username", "changer", USER_PASSWORD), 401);
	/* A token of after it is good, were it of the same second. */
	must_log_in(&user, "changer", "another password");
	must_call(&user, "GET", "/tasks", NULL, 200);
	free(there.token);
	there.token = strdup(user.token);
	must_call(&there, "GET", "/tasks", NULL, 200);
	must_call(&key_user, "GET", "/tasks", NULL, 200);
	http_fini(&user);
	http_fini(&there);
	http_fini(&key_user);
	all_ended();
}

/* Other processes that start later know of it, too. */
static void
a_new_process_knows_old_changes(void **state)
{
	struct http user, there;

	(void)state;
	client_user(&user, me.port, "early");
	part_stop("api-2");
	change_password(&user, USER_PASSWORD, "another password", 204);
	/* It was long ago, but there may be tokens of before. */
	sql("UPDATE taskflow.users SET access_changed_at = now() - interval "
	    "'30 min' WHERE username = 'early'");
	part_start("api-2");
	client_with(&there, "api-2", user.token);
	UNTIL(http_call(&there, "GET", "/tasks", NULL, NULL) == 401);
	http_fini(&user);
	http_fini(&there);
	all_ended();
}

/* ---- disabled users ---- */
static void
set_disabled(struct http *admin, const char *id, const char *what, int want)
{
	must_call(admin, "POST", text("/users/%s/%s", id, what), NULL, want);
}

static void
a_disabled_user_is_out_at_once(void **state)
{
	struct http admin, user, there;
	struct key key;
	char id[ID_SIZE];

	(void)state;
	admin_at(&admin, "api-1");
	client_user(&user, me.port, "leaver");
	client_with(&there, "api-2", user.token);
	make_key(&user, "\"tasks:read\"", "", &key);
	must_call(&user, "GET", "/users/me", NULL, 200);
	snprintf(id, sizeof(id), "%s", str_of(http_json(&user), "id"));
	assert_int_equal(status_with("api-2", key.text, "/tasks"), 200);
	set_disabled(&user, id, "disable", 403);
	set_disabled(&admin, id, "disable", 200);
	assert_non_null(str_of(http_json(&admin), "disabled_at"));
	assert_int_equal(status_with("api-1", key.text, "/tasks"), 401);
	assert_int_equal(status_with("api-2", key.text, "/tasks"), 401);
	must_call(&user, "GET", "/tasks", NULL, 401);
	UNTIL(http_call(&there, "GET", "/tasks", NULL, NULL) == 401);
	assert_int_equal(
	    log_in_as(&user, "username", "leaver", USER_PASSWORD), 401);
	set_disabled(&admin, id, "enable", 200);
	assert_int_equal(status_with("api-2", key.text, "/tasks"), 200);
	/* Tokens of before stay what they are. */
	UNTIL(http_call(&user, "GET", "/tasks", NULL, NULL) == 401);
	must_log_in(&user, "leaver", USER_PASSWORD);
	must_call(&user, "GET", "/tasks", NULL, 200);
	http_fini(&user);
	http_fini(&there);
	http_fini(&admin);
	all_ended();
}

static void
nobody_disables_himself_or_nobody(void **state)
{
	struct http admin;
	char id[ID_SIZE];

	(void)state;
	admin_at(&admin, "api-2");
	must_call(&admin, "GET", "/users/me", NULL, 200);
	assert_string_equal(str_of(http_json(&admin), "role"), "admin");
	snprintf(id, sizeof(id), "%s", str_of(http_json(&admin), "id"));
	set_disabled(&admin, id, "disable", 409);
	set_disabled(
	    &admin, "019283a4-1234-7000-8000-0123456789ab", "disable", 404);
	set_disabled(&admin, "me", "enable", 404);
	must_call(&admin, "GET", "/tasks", NULL, 200);
	http_fini(&admin);
	all_ended();
}

/* ---- the loop never hashes ---- */

/* Clock ticks that a thread of a process has used. */
static long
ticks_of(pid_t pid, const char *tid, char name[64])
{
	FILE *f = fopen(text("/proc/%d/task/%s/stat", (int)pid, tid), "r");
	unsigned long user = 0, system = 0;

	*name = '\0';
	if (f == NULL)
		return 0;
	if (fscanf(f,
		"%*d (%63[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
		"%lu %lu",
		name, &user, &system) != 3)
		fail_msg("/proc is not as it was");
	fclose(f);
	return (long)(user + system);
}

static void
ticks_by_kind(pid_t pid, long *loop, long *helpers)
{
	DIR *d = opendir(text("/proc/%d/task", (int)pid));
	struct dirent *e;
	char name[64];
	long ticks;

	assert_non_null(d);
	*loop = *helpers = 0;
	while ((e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		ticks = ticks_of(pid, e->d_name, name);
		if (atoi(e->d_name) == (int)pid)
			*loop += ticks;
		else if (strcmp(name, "taskflow-help") == 0)
			*helpers += ticks;
	}
	closedir(d);
}

/* The kernel has counted whose processor time the hashes were. */
static void
fifty_logins_leave_the_loop_free(void **state)
{
	long loop[2], helpers[2];
	struct try t[50];
	struct http probe;
	size_t i;

	(void)state;
	client_with(&probe, "api-1", NULL);
	ticks_by_kind(part_pid("api-1"), &loop[0], &helpers[0]);
	for (i = 0; i < NELEM(t); i++)
		begin_try(&t[i], "api-1", "me", USER_PASSWORD);
	for (i = 0; i < NELEM(t); i++) {
		assert_int_equal(
		    http_call(&probe, "GET", "/livez", NULL, NULL), 200);
		assert_int_equal(end_try(&t[i]), 200);
	}
	ticks_by_kind(part_pid("api-1"), &loop[1], &helpers[1]);
	if (helpers[1] - helpers[0] < 4 * (loop[1] - loop[0]))
		fail_msg("ticks: %ld of the loop, %ld of helpers",
		    loop[1] - loop[0], helpers[1] - helpers[0]);
	http_fini(&probe);
	all_ended();
}

static _Atomic bool overflowed;

static void *
run_until_full(void *arg)
{
	struct try *t = arg;
	int64_t give_up = now_ms() + PATIENCE_MS;

	do
		run_try(t);
	while (t->http.status == 200 && !overflowed && now_ms() < give_up);
	if (t->http.status == 503)
		overflowed = true;
	return NULL;
}

static void
too_many_logins_are_sent_away(void **state)
{
	struct try t[100];
	size_t i, away = 0;

	(void)state;
	overflowed = false;
	for (i = 0; i < NELEM(t); i++) {
		client_with(&t[i].http, "api-1", NULL);
		snprintf(t[i].body, sizeof(t[i].body),
		    "{\"username\":\"me\",\"password\":\"%s\"}", USER_PASSWORD);
		assert_int_equal(
		    pthread_create(&t[i].thread, NULL, run_until_full, &t[i]),
		    0);
	}
	for (i = 0; i < NELEM(t); i++) {
		pthread_join(t[i].thread, NULL);
		if (t[i].http.status == 503) {
			assert_non_null(http_header(&t[i].http, "Retry-After"));
			away++;
		} else {
			assert_int_equal(t[i].http.status, 200);
		}
		http_fini(&t[i].http);
	}
	assert_true(away > 0);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(me_tells_who_and_what),
	cmocka_unit_test(a_new_password_ends_old_tokens),
	cmocka_unit_test(a_new_process_knows_old_changes),
	cmocka_unit_test(a_disabled_user_is_out_at_once),
	cmocka_unit_test(nobody_disables_himself_or_nobody),
	cmocka_unit_test(fifty_logins_leave_the_loop_free),
	cmocka_unit_test(too_many_logins_are_sent_away),
};

int
main(int argc, char **argv)
{
	struct group g = { "access", "api=2", "", tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
