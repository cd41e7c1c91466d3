/* The first administrator, and registration that is closed. */
#include "access_fixture.h"
#include "support/ledger.h"

/* It ends with that code, and says these words. */
static void
creation(const char *email, const char *name, const char *password, int code,
    const char *words)
{
	char *out;
	int got = create_admin(email, name, password, &out);

	if (got != code || strstr(out, words) == NULL)
		fail_msg("--create-admin %s: exit %d, not %d with \"%s\": %s",
		    email, got, code, words, out);
	free(out);
}

static int64_t
admins(void)
{
	return sql_int(
	    "SELECT count(*) FROM taskflow.users WHERE role = 'admin'");
}

static void
what_is_wrong_is_named(void **state)
{
	(void)state;
	creation("nobody", NULL, ADMIN_PASSWORD, 2, "the email is not one");
	creation("a@b", "a b", ADMIN_PASSWORD, 2, "user name is not one");
	creation("a@b", NULL, "seven77\n", 2, "8 to 511 bytes");
	creation("a@b", NULL, "", 2, "8 to 511 bytes");
	creation("a@b", NULL, "two lines\nof it\n", 2, "more than one line");
	creation("me@example.org", NULL, ADMIN_PASSWORD, 1,
	    "no administrator; choose another");
	creation("a@b", "me", ADMIN_PASSWORD, 1, "taken by somebody else");
	assert_int_equal(admins(), 0);
	all_ended();
}

static void
an_administrator_is_made_once(void **state)
{
	struct http h;

	(void)state;
	creation("root@example.org", "root", ADMIN_PASSWORD "\n", 0,
	    "the administrator root@example.org was made");
	creation("Root@Example.org", "root", "another password", 0,
	    "exists already; nothing was changed");
	assert_int_equal(admins(), 1);
	http_init(&h, part_port("api-1"));
	must_log_in(&h, "root@example.org", ADMIN_PASSWORD);
	must_call(&h, "GET", "/users/me", NULL, 200);
	assert_string_equal(str_of(http_json(&h), "role"), "admin");
	http_fini(&h);
	all_ended();
}

/* By a pipe, as from another program. */
static void
the_password_may_come_by_standard_input(void **state)
{
	const char *argv[] = { "/bin/sh", "-c",
		"printf 'from a pipe\\n' | "
		"\"$0\" \"$1\" --create-admin=second@example.org",
		stack_bin(),
		text("--config=%s", stack_file("stack/taskflowd.conf")), NULL };
	struct http h;
	char *out;

	(void)state;
	if (run_program(argv, &out) != 0)
		fail_msg("%s", out);
	free(out);
	http_init(&h, part_port("api-1"));
	must_log_in(&h, "second@example.org", "from a pipe");
	http_fini(&h);
	all_ended();
}

static void
it_does_not_stand_on_the_command_line(void **state)
{
	const char *argv[] = { stack_bin(), "--create-admin", "a@b",
		"--admin-password=secret words", NULL };
	char *out;

	(void)state;
	assert_int_equal(run_program(argv, &out), 2);
	assert_non_null(strstr(out, "--admin-password-file=FILE"));
	assert_null(strstr(out, "secret words"));
	free(out);
	all_ended();
}

static void
the_flag_needs_an_email(void **state)
{
	const char *argv[] = { stack_bin(), "--create-admin",
		"--log-level=info", NULL };
	char *out;

	(void)state;
	assert_int_equal(run_program(argv, &out), 2);
	assert_non_null(strstr(out, "--create-admin needs an email"));
	free(out);
	all_ended();
}

static int
register_as(struct http *h, const char *name)
{
	return call_json(h, "POST", "/users",
	    text("{\"email\":\"%s@example.org\",\"password\":\"%s\"}", name,
		USER_PASSWORD));
}

static void
closed_registration_is_for_administrators(void **state)
{
	struct http admin, nobody;
	struct key read_only, full;

	(void)state;
	admin_at(&admin, "api-1");
	make_key(&admin, "\"tasks:read\"", "", &read_only);
	make_key(&admin, "\"admin\"", "", &full);
	client_with(&nobody, "api-1", NULL);
	assert_int_equal(register_as(&nobody, "early"), 201);
	part_stop("api-1");
	stack_conf("registration = closed\n");
	part_start("api-1");
	assert_int_equal(register_as(&nobody, "late"), 403);
	must_say(&nobody, "registration is closed");
	assert_int_equal(register_as(&me, "late"), 403);
	must_say(&me, "registration is closed");
	nobody.token = strdup(read_only.text);
	assert_int_equal(register_as(&nobody, "late"), 403);
	free(nobody.token);
	nobody.token = strdup("wrong");
	assert_int_equal(register_as(&nobody, "late"), 401);
	assert_int_equal(
	    sql_int("SELECT count(*) FROM taskflow.users WHERE email = "
		    "'late@example.org'"),
	    0);
	assert_int_equal(register_as(&admin, "late"), 201);
	free(nobody.token);
	nobody.token = strdup(full.text);
	assert_int_equal(register_as(&nobody, "later"), 201);
	assert_int_equal(
	    sql_int("SELECT count(*) FROM taskflow.users WHERE email LIKE "
		    "'late%%' AND role = 'user'"),
	    2);
	http_fini(&nobody);
	http_fini(&admin);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_is_wrong_is_named),
	cmocka_unit_test(an_administrator_is_made_once),
	cmocka_unit_test(the_password_may_come_by_standard_input),
	cmocka_unit_test(it_does_not_stand_on_the_command_line),
	cmocka_unit_test(the_flag_needs_an_email),
	cmocka_unit_test(closed_registration_is_for_administrators),
};

int
main(int argc, char **argv)
{
	struct group g = { "admin", "api=1", "", tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
