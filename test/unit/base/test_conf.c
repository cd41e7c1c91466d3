#include "conf_help.h"

static void
defaults(void **state)
{
	(void)state;
	assert_true(LOAD("--role=api"));
	assert_int_equal(action, CONF_RUN);
	assert_int_equal(conf.roles, ROLE_API);
	assert_true(strlen(conf.instance_label) > 0);
	assert_int_equal(conf.log_level, LOG_INFO);
	assert_int_equal(conf.log_format, LOG_AUTO);
	assert_string_equal(
	    conf.pg_url, "postgresql://taskflow@127.0.0.1:6432/taskflow");
	assert_string_equal(conf.pg_direct_url, "");
	assert_string_equal(conf.jwt_secret, "");
	assert_string_equal(conf.listen, "127.0.0.1:8080");
	assert_int_equal(conf.pg_timeout_ms, 5000);
	assert_int_equal(conf.max_body, 1 << 20);
	assert_int_equal(conf.retention_ms, 30LL * 86400 * 1000);
	assert_int_equal(conf.full_pass_interval_ms, 15 * 60 * 1000);
	assert_int_equal(conf.registration, 1);
	assert_int_equal(conf.low_share, 0);
	assert_null(conf.handlers);
	conf_free(&conf);
	conf_free(&conf); /* an empty one may end too */
}

static void
later_sources_win(void **state)
{
	static const char *const env[] = { "TASKFLOW_CONCURRENCY", "3",
		"TASKFLOW_PG_TIMEOUT", "3s", NULL };

	(void)state;
	environment = env;
	assert_true(LOAD("--config",
	    file("main.conf",
		"concurrency = 2\npg_timeout = 2s\nmax_body = 2MiB\n"),
	    "--concurrency=4"));
	assert_int_equal(conf.concurrency, 4);
	assert_int_equal(conf.pg_timeout_ms, 3000);
	assert_int_equal(conf.max_body, 2 << 20);
	assert_int_equal(conf.redis_timeout_ms, 3000);
	conf_free(&conf);
}

static void
the_file_is_named_by_flag_or_environment(void **state)
{
	const char *env[] = { "TASKFLOW_CONFIG", NULL, NULL };
	char *other;

	(void)state;
	other = strdup(file("other.conf", "concurrency = 5\n"));
	env[1] = other;
	environment = env;
	assert_true(LOAD("--role", "worker"));
	assert_int_equal(conf.concurrency, 5);
	conf_free(&conf);
	assert_true(load_text("concurrency = 6\n"));
	assert_int_equal(conf.concurrency, 6);
	conf_free(&conf);
	env[1] = "/nowhere/x.conf";
	REFUSED(LOAD("--role=api"), "/nowhere/x.conf", "TASKFLOW_CONFIG",
	    "No such file");
	REFUSED(LOAD("--config", dir), dir, "--config", "directory");
	free(other);
}

static void
flags_take_both_forms(void **state)
{
	(void)state;
	assert_true(LOAD("--pg-timeout", "7s", "--concurrency=5",
	    "--concurrency", "6", "--listen=", "--role=worker,api"));
	assert_int_equal(conf.pg_timeout_ms, 7000);
	assert_int_equal(conf.concurrency, 6);
	assert_string_equal(conf.listen, "");
	assert_int_equal(conf.roles, ROLE_WORKER | ROLE_API);
	conf_free(&conf);
}

static void
bad_flags(void **state)
{
	(void)state;
	REFUSED(LOAD("--pg-ulr=x"), "--pg-ulr", "nearest is --pg-url");
	REFUSED(LOAD("--pg_url=x"), "--pg_url", "nearest is --pg-url");
	REFUSED(LOAD("--jwt-secret-fil=x"), "nearest is --jwt-secret-file");
	REFUSED(LOAD("--hepl"), "nearest is --help");
	REFUSED(LOAD("--dump-conf"), "nearest is --dump-config");
	REFUSED(LOAD("--"), "unknown option --");
	REFUSED(LOAD("start"), "\"start\"", "--NAME=VALUE");
	REFUSED(LOAD("-h"), "\"-h\"", "--help");
	REFUSED(LOAD("--listen"), "--listen needs a value");
	REFUSED(LOAD("--listen", "--role=api"), "--listen needs a value");
	REFUSED(LOAD("--help=yes"), "--help takes no value", "\"yes\"");
	REFUSED(
	    LOAD("--migrate", "--check-config"), "--migrate", "--check-config");
	REFUSED(LOAD("--listen-file=x"), "--listen-file");
}

static void
actions(void **state)
{
	(void)state;
	assert_true(LOAD("--migrate", "--migrate"));
	assert_int_equal(action, CONF_MIGRATE);
	conf_free(&conf);
	assert_true(LOAD("--check-config"));
	assert_int_equal(action, CONF_CHECK);
	conf_free(&conf);
	assert_true(LOAD("--dump-config"));
	assert_int_equal(action, CONF_DUMP);
	conf_free(&conf);
	/* Help is there even if nothing else is right. */
	assert_true(LOAD("--config=/nowhere", "--help", "--bogus"));
	assert_int_equal(action, CONF_HELP);
	conf_free(&conf);
	assert_true(LOAD("--config=/nowhere", "--version"));
	assert_int_equal(action, CONF_VERSION);
	conf_free(&conf);
}

static void
environment_of_others_is_ignored(void **state)
{
	static const char *const env[] = { "TASKFLOW_URL", "http://x",
		"TASKFLOW_RUN", "/run", "TASKFLOW_CONCURRENCY", "", NULL };

	(void)state;
	environment = env;
	assert_true(LOAD("--role=api"));
	assert_int_equal(conf.concurrency, 16);
	conf_free(&conf);
}

static void
a_bad_value_names_its_source(void **state)
{
	static const char *const env[] = { "TASKFLOW_PG_TIMEOUT", "5", NULL };

	(void)state;
	REFUSED(LOAD("--pg-timeout=6"), "pg_timeout", "--pg-timeout", "\"6\"",
	    "no unit", "100ms to 5min", "ms, s, min, h or d");
	REFUSED(load_text("\n\npg_timeout = 7\n"), "pg_timeout", "main.conf:3",
	    "\"7\"");
	REFUSED(LOAD("--queues=a\nb"), "queues", "\"a?b\"");
	environment = env;
	REFUSED(
	    LOAD("--role=api"), "pg_timeout", "TASKFLOW_PG_TIMEOUT", "\"5\"");
}

static void
secrets_from_files(void **state)
{
	const char *env[] = { "TASKFLOW_JWT_SECRET_FILE", NULL, NULL, NULL,
		NULL };
	char *path = strdup(file("secret", "from a file \r\n"));

	(void)state;
	assert_true(LOAD("--jwt-secret-file", path));
	assert_string_equal(conf.jwt_secret, "from a file ");
	conf_free(&conf);
	/* relative to the file that names it */
	assert_true(load_text("jwt_secret_file = secret\n"));
	assert_string_equal(conf.jwt_secret, "from a file ");
	conf_free(&conf);
	env[1] = path;
	environment = env;
	assert_true(load_text("jwt_secret = overridden\n"));
	assert_string_equal(conf.jwt_secret, "from a file ");
	conf_free(&conf);
	assert_true(LOAD("--jwt-secret=flag"));
	assert_string_equal(conf.jwt_secret, "flag");
	conf_free(&conf);
	env[2] = "TASKFLOW_JWT_SECRET";
	env[3] = "x";
	REFUSED(LOAD("--role=api"), "TASKFLOW_JWT_SECRET_FILE",
	    "TASKFLOW_JWT_SECRET ", "one of them");
	environment = NULL;
	REFUSED(load_text("jwt_secret = x\njwt_secret_file = secret\n"),
	    "jwt_secret_file", "main.conf:2", "already");
	REFUSED(LOAD("--jwt-secret-file=/nowhere/x"), "/nowhere/x",
	    "jwt_secret_file, --jwt-secret-file", "No such file");
	free(path);
}

static void
secrets_stay_secret(void **state)
{
	char *path = strdup(file("url", "mysql://hunter2@h/d\n"));

	(void)state;
	REFUSED(LOAD("--pg-url=mysql://hunter2@h/d"), "pg_url", "***", "scheme",
	    "postgresql://");
	assert_null(strstr(err, "hunter2"));
	REFUSED(LOAD("--pg-url-file", path), "pg_url_file", "***");
	assert_null(strstr(err, "hunter2"));
	REFUSED(load_text("jwt_secret: hunter2\n"), "jwt_secret", "main.conf:1",
	    "KEY = VALUE");
	assert_null(strstr(err, "hunter2"));
	free(path);
}

/* What systemd's LoadCredential= has put somewhere. */
static void
secrets_from_credentials(void **state)
{
	const char *const env[] = { "CREDENTIALS_DIRECTORY", dir, NULL };
	const char *const empty[] = { "CREDENTIALS_DIRECTORY", "", NULL };

	(void)state;
	file("jwt", "0123456789\n");
	REFUSED(load_text("jwt_secret_file = ${CREDENTIALS_DIRECTORY}/jwt\n"),
	    "jwt_secret_file", "main.conf:1", "is not set", "LoadCredential");
	environment = empty;
	REFUSED(load_text("jwt_secret_file = ${CREDENTIALS_DIRECTORY}/jwt\n"),
	    "is not set");
	environment = env;
	assert_true(
	    load_text("jwt_secret_file = ${CREDENTIALS_DIRECTORY}/jwt\n"));
	assert_string_equal(conf.jwt_secret, "0123456789");
	conf_free(&conf);
	assert_true(LOAD("--jwt-secret-file", "${CREDENTIALS_DIRECTORY}/jwt"));
	assert_string_equal(conf.jwt_secret, "0123456789");
	conf_free(&conf);
	REFUSED(load_text("jwt_secret_file = ${CREDENTIALS_DIRECTORY}/no\n"),
	    "No such file", dir);
	/* At its beginning, and no other variable. */
	REFUSED(load_text("jwt_secret_file = ${HOME}/jwt\n"), "${HOME}/jwt",
	    "No such file");
	/* A value that is no file is not looked into. */
	assert_true(load_text("jwt_secret = ${CREDENTIALS_DIRECTORY}/jwt\n"));
	assert_string_equal(conf.jwt_secret, "${CREDENTIALS_DIRECTORY}/jwt");
	conf_free(&conf);
}

static void
secret_files_have_limits(void **state)
{
	char path[128];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s", file("s", ""));
	f = fopen(path, "w");
	fwrite("a\0b", 1, 3, f);
	fclose(f);
	REFUSED(LOAD("--jwt-secret-file", path), path, "NUL");
	f = fopen(path, "w");
	for (int i = 0; i < 65537; i++)
		fputc('x', f);
	fclose(f);
	REFUSED(LOAD("--jwt-secret-file", path), path, "65536 bytes");
}

static bool
check(unsigned roles)
{
	err[0] = '\0';
	return conf_check(&conf, roles, err, sizeof(err));
}

#define SECRET_32 "--jwt-secret=0123456789abcdef0123456789abcdef"

static void
checks_across_options(void **state)
{
	(void)state;
	assert_true(LOAD("--jwt-secret=0123456789abcdef0123456789abcde"));
	assert_true(check(ROLE_MANAGER) && check(ROLE_WORKER));
	REFUSED(check(0), "role", "api, manager and worker");
	REFUSED(check(ROLE_ALL), "jwt_secret", "***", "31 bytes", "32");
	conf_free(&conf);
	assert_true(LOAD("--role=api"));
	REFUSED(check(ROLE_API), "jwt_secret", "not set", "32");
	conf_free(&conf);
	assert_true(LOAD(SECRET_32));
	assert_true(check(ROLE_ALL));
	conf_free(&conf);
	assert_true(LOAD(SECRET_32, "--listen="));
	REFUSED(check(ROLE_API), "listen", "\"\"");
	assert_true(check(ROLE_WORKER));
	conf_free(&conf);
	assert_true(LOAD(SECRET_32, "--admin-listen=127.0.0.1:8080"));
	REFUSED(check(ROLE_API), "admin_listen", "127.0.0.1:8080");
	conf_free(&conf);
	assert_true(LOAD(SECRET_32, "--admin-listen=a:0", "--listen=a:0"));
	assert_true(check(ROLE_API));
	conf_free(&conf);
	assert_true(LOAD("--builtin-handlers=no"));
	REFUSED(check(ROLE_WORKER), "builtin_handlers", "\"no\"", "[handler");
	assert_true(check(ROLE_MANAGER));
	conf_free(&conf);
	assert_true(
	    load_text("builtin_handlers = no\n[handler a]\ncommand=/bin/a\n"));
	assert_true(check(ROLE_WORKER));
	conf_free(&conf);
}

static void
checks_of_order(void **state)
{
	(void)state;
	assert_true(LOAD("--heartbeat-interval=3334ms"));
	REFUSED(check(ROLE_WORKER), "heartbeat_interval", "\"3334ms\"",
	    "a third of heartbeat_ttl", "\"10s\"");
	assert_true(check(ROLE_MANAGER));
	conf_free(&conf);
	assert_true(LOAD("--heartbeat-interval=3333ms"));
	assert_true(check(ROLE_WORKER));
	conf_free(&conf);
	assert_true(LOAD("--leader-ttl=8s"));
	REFUSED(check(ROLE_MANAGER), "leader_renew", "\"3s\"", "leader_ttl",
	    "\"8s\"");
	conf_free(&conf);
	assert_true(LOAD("--retry-base=11min"));
	REFUSED(check(ROLE_WORKER), "retry_base", "\"11min\"", "retry_max");
	conf_free(&conf);
	assert_true(LOAD("--reconcile-interval=1h"));
	REFUSED(check(ROLE_MANAGER), "reconcile_interval", "\"1h\"",
	    "full_pass_interval");
	conf_free(&conf);
	assert_true(LOAD("--shutdown-delay=2s", "--shutdown-timeout=1s",
	    "--jwt-secret=0123456789abcdef0123456789abcdef"));
	REFUSED(check(ROLE_API), "shutdown_delay", "shutdown_timeout");
	assert_true(check(ROLE_WORKER));
	conf_free(&conf);
}

static void
reload_takes_what_it_may(void **state)
{
	struct conf running;
	char stuck[256];

	(void)state;
	assert_true(LOAD("--log-level=warn", "--jwt-secret=a"));
	running = conf;
	assert_true(LOAD("--log-level=debug", "--jwt-secret=a"));
	conf_reload(&running, &conf, stuck, sizeof(stuck));
	assert_string_equal(stuck, "");
	assert_int_equal(running.log_level, LOG_DEBUG);
	conf_free(&conf);
	assert_true(LOAD("--concurrency=5", "--jwt-secret=b", "--max-wait=2s"));
	conf_reload(&running, &conf, stuck, sizeof(stuck));
	assert_string_equal(stuck, "max_wait,concurrency");
	assert_string_equal(running.jwt_secret, "b");
	assert_int_equal(running.log_level, LOG_INFO);
	assert_int_equal(running.concurrency, 16);
	conf_reload(&running, &conf, stuck, 10);
	assert_string_equal(stuck, "max_wait,");
	conf_free(&conf);
	conf_free(&running);
}

static void
roles_parse(void **state)
{
	(void)state;
	assert_int_equal(conf_parse_roles("api"), ROLE_API);
	assert_int_equal(conf_parse_roles("api, worker"), 5);
	assert_int_equal(conf_parse_roles("all"), ROLE_ALL);
	assert_int_equal(conf_parse_roles("manager,manager"), ROLE_MANAGER);
	assert_int_equal(conf_parse_roles(""), 0);
	assert_int_equal(conf_parse_roles("api,"), 0);
	assert_int_equal(conf_parse_roles(",api"), 0);
	assert_int_equal(conf_parse_roles("API"), 0);
	assert_int_equal(conf_parse_roles("api worker"), 0);
	REFUSED(LOAD("--role=scheduler"), "role", "\"scheduler\"", "--role",
	    "api, manager and worker");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CONF_TEST(defaults),
		CONF_TEST(later_sources_win),
		CONF_TEST(the_file_is_named_by_flag_or_environment),
		CONF_TEST(flags_take_both_forms),
		CONF_TEST(bad_flags),
		CONF_TEST(actions),
		CONF_TEST(environment_of_others_is_ignored),
		CONF_TEST(a_bad_value_names_its_source),
		CONF_TEST(secrets_from_files),
		CONF_TEST(secrets_stay_secret),
		CONF_TEST(secrets_from_credentials),
		CONF_TEST(secret_files_have_limits),
		CONF_TEST(checks_across_options),
		CONF_TEST(checks_of_order),
		CONF_TEST(reload_takes_what_it_may),
		CONF_TEST(roles_parse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
