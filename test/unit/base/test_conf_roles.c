/* conf/api.conf, manager.conf and worker.conf come from the option table. Run
 * from the top of the source; `test_conf_roles --write` puts them there. */
#include "conf_help.h"

struct sample {
	const char *path;
	unsigned role;
};
static const struct sample samples[] = {
	{ "conf/api.conf", ROLE_API },
	{ "conf/manager.conf", ROLE_MANAGER },
	{ "conf/worker.conf", ROLE_WORKER },
};

static char *
contents(FILE *f)
{
	char *text = xmalloc(1 << 18);

	text[fread(text, 1, (1 << 18) - 1, f)] = '\0';
	fclose(f);
	return text;
}

static char *
generated(unsigned role)
{
	FILE *f = tmpfile();

	conf_sample_role(f, role);
	rewind(f);
	return contents(f);
}

static void
what_is_committed_is_what_the_table_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < NELEM(samples); i++) {
		char *want = generated(samples[i].role), *got;
		FILE *f = fopen(samples[i].path, "r");

		if (f == NULL)
			fail_msg("%s cannot be read", samples[i].path);
		got = contents(f);
		assert_string_equal(got, want);
		free(got);
		free(want);
	}
}

/* Without the comment signs it is a file, on top of the one for all roles. */
static void
each_is_a_file(void **state)
{
	(void)state;
	file("taskflowd.conf", "pg_connections = 7\n");
	for (size_t i = 0; i < NELEM(samples); i++) {
		char *text = generated(samples[i].role), *p;

		assert_true(load_text(text));
		assert_int_equal(conf.pg_connections, 7);
		conf_free(&conf);
		for (p = text; (p = strstr(p, "\n#")) != NULL; p++)
			if (p[2] != ' ' && p[2] != '\n' && p[2] != '#')
				p[1] = ' ';
		assert_true(load_text(text));
		assert_int_equal(conf.pg_connections, 7);
		assert_int_equal(
		    conf.handlers != NULL, samples[i].role == ROLE_WORKER);
		conf_free(&conf);
		free(text);
	}
}

/* Those of another role would mislead. */
static void
each_has_its_own_options(void **state)
{
	char *api = generated(ROLE_API), *manager = generated(ROLE_MANAGER),
	     *worker = generated(ROLE_WORKER);

	(void)state;
	assert_non_null(strstr(api, "\n#listen ="));
	assert_null(strstr(manager, "\n#listen ="));
	assert_null(strstr(worker, "\n#listen ="));
	assert_non_null(strstr(worker, "\n#queues ="));
	assert_null(strstr(api, "\n#queues ="));
	assert_non_null(strstr(manager, "\n#leader_ttl ="));
	assert_null(strstr(worker, "\n#leader_ttl ="));
	assert_non_null(strstr(manager, "\n#heartbeat_ttl ="));
	assert_non_null(strstr(worker, "\n#heartbeat_ttl ="));
	assert_non_null(strstr(api, "\n#admin_listen ="));
	assert_null(strstr(api, "\n#pg_url ="));
	free(api);
	free(manager);
	free(worker);
}

static int
write_all(void)
{
	int bad = 0;

	for (size_t i = 0; i < NELEM(samples); i++) {
		FILE *f = fopen(samples[i].path, "w");

		if (f == NULL)
			return 1;
		conf_sample_role(f, samples[i].role);
		bad |= fclose(f);
	}
	return bad;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CONF_TEST(what_is_committed_is_what_the_table_says),
		CONF_TEST(each_is_a_file),
		CONF_TEST(each_has_its_own_options),
	};

	if (argc == 2 && strcmp(argv[1], "--write") == 0)
		return write_all();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
