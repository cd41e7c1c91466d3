/* The examples of the manuals and of the README do what they say. */
#include <sys/stat.h>

#include "access_fixture.h"
#include "support/client.h"
#include "support/ledger.h"
#include "support/stack.h"

static void
run_examples(const char *file)
{
	const char *argv[] = { "/usr/bin/perl", "test/integration/examples.pl",
		"curl", text("http://127.0.0.1:%d", part_port("api-1")), file,
		NULL };
	struct http admin;
	char *output;
	int status;

	admin_at(&admin, "api-1");
	must_call(&me, "GET", "/users/me", NULL, 200);
	setenv("EXAMPLE_USER", str_of(http_json(&me), "id"), 1);
	setenv("EXAMPLE_ADMIN", admin.token, 1);
	http_fini(&admin);
	/* The leader has counted what is in flight. */
	UNTIL(call_json(&me, "GET", "/autoscaling/default", NULL) == 200);
	setenv("EXAMPLE_TOKEN", me.token, 1);
	setenv("EXAMPLE_ID", submit("noop", "1", NULL), 1);
	task_wait(getenv("EXAMPLE_ID"));
	status = run_program(argv, &output);
	if (status != 0)
		fail_msg("%s: %s", file, output);
	free(output);
}

static void
examples_of_the_api_work(void **state)
{
	(void)state;
	run_examples("man/taskflow-api.7");
}

static void
examples_of_the_readme_work(void **state)
{
	(void)state;
	run_examples("README.md");
}

static void
configurations_of_the_manuals_are_good(void **state)
{
	const char *argv[] = { "/usr/bin/perl", "test/integration/examples.pl",
		"configuration", stack_bin(), stack_file("examples"),
		"man/taskflowd.conf.5", "man/taskflow-handlers.7",
		"man/taskflow-deploy.7", "README.md", NULL };
	char *output;

	(void)state;
	if (run_program(argv, &output) != 0)
		fail_msg("%s", output);
	free(output);
}

static void
result_is(const char *type, const char *payload, const char *want)
{
	char result[200];

	task_wait(submit(type, payload, NULL));
	snprintf(result, sizeof(result), "%s", raw_of("result"));
	result[strcspn(result, "\n")] = '\0';
	assert_string_equal(result, want);
}

static void
example_handlers_work(void **state)
{
	(void)state;
	result_is(
	    "words", "\"one two three\"", "{\"words\": 3, \"attempt\": 1}");
	result_is("add", "[1, 2, 3]", "6");
	result_is("reverse", "\"abc\"", "\"cba\"");
}

/* The programs of the manual are there before the stack is. */
static char *
configuration(void)
{
	static char folder[] = "/tmp/taskflow-examples.XXXXXX";
	const char *argv[] = { "/usr/bin/perl", "test/integration/examples.pl",
		"handlers", folder, NULL };
	char *conf;

	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0 ||
	    run_program(argv, &conf) != 0) {
		fprintf(stderr, "the examples cannot be taken out\n");
		exit(1);
	}
	return conf;
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_of_the_api_work),
		cmocka_unit_test(examples_of_the_readme_work),
		cmocka_unit_test(configurations_of_the_manuals_are_good),
		cmocka_unit_test(example_handlers_work),
	};
	char *handlers = configuration(), *conf;
	int status;
	struct group group = {
		.name = "examples",
		.roles = "api=1 manager=1 worker=1",
		.tests = tests,
		.ntests = NELEM(tests),
	};

	if (asprintf(&conf, "%s[handler wordcount]\ncommand = /usr/bin/wc -w\n",
		handlers) < 0)
		return 1;
	group.conf = conf;
	status = group_run(&group, argc, argv);
	free(handlers);
	free(conf);
	return status;
}
