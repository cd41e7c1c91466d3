/* /openapi.json against the daemon, both ways: openapi.py asks. */
#include <signal.h>

#include "support/client.h"
#include "support/stack.h"

/* Both APIs are asked, for they must say the same. */
static void
ask(const char *stage, const char *api, const char *more)
{
	const char *argv[] = { "/usr/bin/python3",
		"test/integration/openapi.py", stage,
		text("http://127.0.0.1:%d", part_port(api)), stack_file("seen"),
		more, NULL };
	char *output;
	int status = run_program(argv, &output);

	if (status != 0)
		fail_msg("%s of %s:\n%s", stage, api, output);
	free(output);
}

static void
the_document_is_sound(void **state)
{
	(void)state;
	ask("document", "api-1", NULL);
	ask("document", "api-2", NULL);
}

static void
answers_are_as_it_says(void **state)
{
	(void)state;
	ask("answers", "api-1", NULL);
}

static void
a_database_that_is_away_is_503(void **state)
{
	(void)state;
	part_signal("pgbouncer", SIGSTOP);
	ask("down", "api-2", me.token);
	part_signal("pgbouncer", SIGCONT);
}

static void
each_status_was_answered(void **state)
{
	(void)state;
	ask("coverage", "api-1", NULL);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_document_is_sound),
		cmocka_unit_test(answers_are_as_it_says),
		cmocka_unit_test(a_database_that_is_away_is_503),
		cmocka_unit_test(each_status_was_answered),
	};
	static const struct group group = {
		.name = "openapi",
		.roles = "api=2 manager=1 worker=1",
		.conf = "pg_timeout = 1s\n",
		.tests = tests,
		.ntests = NELEM(tests),
	};

	return group_run(&group, argc, argv);
}
