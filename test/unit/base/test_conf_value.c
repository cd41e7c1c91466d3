#include "base/conf_table.h"
#include "conf_help.h"

/* The option as a flag, with that value. */
static bool
load_value(const char *option, const char *value)
{
	char flag[256];

	snprintf(flag, sizeof(flag), "--%s=%s", option, value);
	return LOAD(flag);
}

struct value {
	const char *option, *text;
	size_t offset;
	int64_t want; /* -1: refused */
};
#define AT(field) offsetof(struct conf, field)

static const struct value values[] = {
	{ "pg-timeout", "100ms", AT(pg_timeout_ms), 100 },
	{ "pg-timeout", "99ms", AT(pg_timeout_ms), -1 },
	{ "pg-timeout", "5min", AT(pg_timeout_ms), 300000 },
	{ "pg-timeout", "300001ms", AT(pg_timeout_ms), -1 },
	{ "pg-timeout", "0005s", AT(pg_timeout_ms), 5000 },
	{ "pg-timeout", "5", AT(pg_timeout_ms), -1 },
	{ "pg-timeout", "5m", AT(pg_timeout_ms), -1 },
	{ "pg-timeout", "5S", AT(pg_timeout_ms), -1 },
	{ "pg-timeout", "5 s", AT(pg_timeout_ms), -1 },
	{ "pg-timeout", "1.5s", AT(pg_timeout_ms), -1 },
	{ "pg-timeout", "-5s", AT(pg_timeout_ms), -1 },
	{ "pg-timeout", "s", AT(pg_timeout_ms), -1 },
	{ "pg-timeout", "", AT(pg_timeout_ms), -1 },
	{ "pg-timeout", "99999999999999999999s", AT(pg_timeout_ms), -1 },
	{ "pg-timeout", "9223372036854775807d", AT(pg_timeout_ms), -1 },
	{ "retention", "3650d", AT(retention_ms), 3650LL * 86400000 },
	{ "retention", "24h", AT(retention_ms), 86400000 },
	{ "retention", "23h", AT(retention_ms), -1 },
	{ "shutdown-delay", "0s", AT(shutdown_delay_ms), 0 },
	{ "shutdown-delay", "0", AT(shutdown_delay_ms), -1 },
	{ "leader-ttl", "500ms", AT(leader_ttl_ms), 500 },
	{ "schedule-interval", "100ms", AT(schedule_interval_ms), 100 },
	{ "max-body", "1KiB", AT(max_body), 1024 },
	{ "max-body", "2000B", AT(max_body), 2000 },
	{ "max-body", "64MiB", AT(max_body), 64 << 20 },
	{ "max-body", "1GiB", AT(max_body), -1 },
	{ "max-body", "1023B", AT(max_body), -1 },
	{ "max-body", "1MB", AT(max_body), -1 },
	{ "max-body", "4096", AT(max_body), -1 },
	{ "concurrency", "1", AT(concurrency), 1 },
	{ "concurrency", "1000", AT(concurrency), 1000 },
	{ "concurrency", "1001", AT(concurrency), -1 },
	{ "concurrency", "0", AT(concurrency), -1 },
	{ "concurrency", "4x", AT(concurrency), -1 },
	{ "concurrency", "0x10", AT(concurrency), -1 },
	{ "low-share", "0", AT(low_share), 0 },
	{ "low-share", "1", AT(low_share), -1 },
	{ "low-share", "2", AT(low_share), 2 },
	{ "builtin-handlers", "yes", AT(builtin_handlers), 1 },
	{ "builtin-handlers", "true", AT(builtin_handlers), 1 },
	{ "builtin-handlers", "no", AT(builtin_handlers), 0 },
	{ "builtin-handlers", "false", AT(builtin_handlers), 0 },
	{ "builtin-handlers", "1", AT(builtin_handlers), -1 },
	{ "builtin-handlers", "Yes", AT(builtin_handlers), -1 },
	{ "registration", "open", AT(registration), 1 },
	{ "registration", "closed", AT(registration), 0 },
	{ "registration", "yes", AT(registration), -1 },
	{ "log-level", "debug", AT(log_level), LOG_DEBUG },
	{ "log-level", "error", AT(log_level), LOG_ERROR },
	{ "log-level", "trace", AT(log_level), -1 },
	{ "log-format", "json", AT(log_format), LOG_JSON },
};

static void
numbers_and_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < NELEM(values); i++) {
		const struct value *v = &values[i];
		bool good = load_value(v->option, v->text);

		if (good != (v->want >= 0))
			fail_msg("--%s=%s: %s", v->option, v->text, err);
		if (!good)
			continue;
		if (*(int64_t *)((char *)&conf + v->offset) != v->want)
			fail_msg("--%s=%s is wrong", v->option, v->text);
		conf_free(&conf);
	}
}

static void
texts(void **state)
{
	static const char *const good[][2] = {
		{ "listen", "localhost:0" }, { "listen", "[::1]:65535" },
		{ "listen", ":80" }, { "listen", "[fe80::1%2]:1" },
		{ "admin-listen", "" }, { "pg-url", "postgres://h/d" },
		{ "pg-direct-url", "" },
		{ "redis-low-url", "unix:///run/r.sock?db=1" },
		{ "queues", "a" }, { "queues", "a,A,b-c.d_e" },
		{ "instance-label", "node-1.example" },
		{ "rate-submit", "off" }, { "rate-submit", "100/s burst 7" },
		{ "trusted-proxies", "" }, { "trusted-proxies", "unix" },
		{ "trusted-proxies", "10.0.0.0/8,::1,fd00::/8,192.0.2.7" },
		{ "cors-origins", "" }, { "cors-origins", "*" },
		{ "cors-origins",
		    "https://a.example,http://localhost:3000,http://[::1]:8" }
	};
	static const char *const bad[][2] = { { "listen", "localhost" },
		{ "listen", "8080" }, { "listen", "a:65536" },
		{ "listen", "a:" }, { "listen", "a:1x" },
		{ "listen", "::1:80" }, { "listen", "[::1:80" },
		{ "listen", "[::1]80" }, { "listen", "a:-1" },
		{ "listen", "a:000080" }, { "listen", "http://a:80" },
		{ "listen", "a b:80" }, { "pg-url", "" },
		{ "pg-url", "h:5432" }, { "pg-url", "postgresql://" },
		{ "pg-url", "postgresql://a b" },
		{ "redis-high-url", "rediss://h" }, { "redis-high-url", "" },
		{ "queues", "" }, { "queues", "a," }, { "queues", "a,,b" },
		{ "queues", "a, b" }, { "queues", "a,b,a" },
		{ "queues", "a:b" }, { "instance-label", "" },
		{ "instance-label", "a b" }, { "rate-read", "" },
		{ "rate-read", "100" }, { "rate-read", "1/week" },
		{ "trusted-proxies", "10.0.0.1/8" },
		{ "trusted-proxies", "10.0.0.0/33" },
		{ "trusted-proxies", "proxy.example" },
		{ "trusted-proxies", "10.0.0.0/8, ::1" },
		{ "trusted-proxies", "10.0.0.0/8," },
		{ "trusted-proxies", "*" }, { "cors-origins", "a.example" },
		{ "cors-origins", "https://a.example/" },
		{ "cors-origins", "https://A.example" },
		{ "cors-origins", "https://a.example,*" },
		{ "cors-origins", "https://a.example," },
		{ "cors-origins", "https://a:" },
		{ "cors-origins", "https://a:123456" },
		{ "cors-origins", "https://" }, { "cors-origins", "null" },
		{ "cors-origins", "https://[::1" },
		{ "cors-origins", "https://u@a" } };

	(void)state;
	for (size_t i = 0; i < NELEM(good); i++) {
		if (!load_value(good[i][0], good[i][1]))
			fail_msg("%s", err);
		conf_free(&conf);
	}
	for (size_t i = 0; i < NELEM(bad); i++) {
		if (load_value(bad[i][0], bad[i][1]))
			fail_msg("%s=%s is accepted", bad[i][0], bad[i][1]);
		assert_non_null(strstr(err, "allowed is "));
	}
}

/* ---- the table ---- */

static void
check_row(const struct conf_option *o, const struct conf_option *table)
{
	const char *why, *suffix = o->name + strlen(o->name);
	struct conf_handler h = { 0 };
	struct conf c = { 0 };
	struct conf_jwt_key k = { 0 };
	void *base = table == conf_options ? (void *)&c : (void *)&h;
	bool twin;

	if (table == conf_jwt_key_options)
		base = &k;
	assert_ptr_equal(conf_find(table, o->name, &twin), o);
	assert_true(o->text != NULL && strlen(o->text) < 140);
	assert_non_null(strchr(".?", o->text[strlen(o->text) - 1]));
	assert_true(o->min <= o->max);
	assert_true(
	    strlen(o->name) + strlen("TASKFLOW__FILE") < CONF_NAME_SIZE);
	assert_false(strlen(o->name) > 5 && strcmp(suffix - 5, "_file") == 0);
	if (o->def == NULL || o->offset == CONF_NO_FIELD)
		return;
	if (!conf_value_set(o, base, o->def, &why))
		fail_msg("the default of %s: %s", o->name, why);
	conf_value_free(o, base);
}

static void
every_row_is_whole(void **state)
{
	const struct conf_option *o, *p;

	(void)state;
	for (o = conf_options; o->name != NULL; o++) {
		check_row(o, conf_options);
		for (p = conf_options; p < o; p++)
			assert_true(p->offset != o->offset);
	}
	for (o = conf_handler_options; o->name != NULL; o++)
		check_row(o, conf_handler_options);
	for (o = conf_jwt_key_options; o->name != NULL; o++)
		check_row(o, conf_jwt_key_options);
	assert_non_null(conf_options[0].group);
}

/* A field that no row sets would stay 0 for ever, but for the last three. */
static void
every_field_has_a_row(void **state)
{
	size_t fields = (sizeof(struct conf) - 4 * sizeof(void *)) / 8,
	       rows = 0;
	const struct conf_option *o;

	(void)state;
	for (o = conf_options; o->name != NULL; o++)
		rows += o->offset != CONF_NO_FIELD;
	assert_int_equal(rows, fields);
}

/* ---- printing ---- */

static char *memory;
static size_t memory_len;

static char *
printed(void (*fn)(FILE *))
{
	FILE *f = open_memstream(&memory, &memory_len);

	fn(f);
	fclose(f);
	return memory;
}

static void
dump(FILE *f)
{
	conf_dump(&conf, f);
}

/* Lines with a masked secret are no configuration. */
static void
drop_secrets(char *text)
{
	char *p;

	while ((p = strstr(text, "***")) != NULL) {
		memcpy(p, "   ", 3);
		while (p > text && p[-1] != '\n')
			p--;
		*p = '#';
	}
}

static void
a_dump_is_a_file(void **state)
{
	char *first, *second;

	(void)state;
	assert_true(load_text(
	    "role = api,worker\nlow_share = 3\nadmin_listen = :1\n"
	    "shutdown_delay = 1500ms\nmax_body = 1536B\nqueues = a,b\n"
	    "[handler a]\ncommand = /a \"b c\" \"\"\nmax_cpu = 90s\n"
	    "[handler b]\ncommand = /b\nuser = nobody\n"));
	first = printed(dump);
	conf_free(&conf);
	assert_non_null(strstr(first, "\nshutdown_delay = 1500ms\n"));
	assert_non_null(strstr(first, "\ncommand = /a \"b c\" \"\"\n"));
	drop_secrets(first);
	assert_true(load_text(first));
	second = printed(dump);
	drop_secrets(second);
	assert_string_equal(first, second);
	conf_free(&conf);
	free(first);
	free(second);
}

static void
a_dump_masks_secrets(void **state)
{
	char *text;

	(void)state;
	assert_true(LOAD("--pg-url=postgresql://u:hunter2@h/d",
	    "--jwt-secret=hunter2", "--redis-low-url=redis://:hunter2@h"));
	text = printed(dump);
	assert_null(strstr(text, "hunter2"));
	assert_non_null(strstr(text, "\njwt_secret = ***\n"));
	assert_non_null(strstr(text, "\npg_url = ***\n"));
	assert_non_null(strstr(text, "\npg_direct_url =\n")); /* unset */
	conf_free(&conf);
	free(text);
}

static void
help_and_manual_name_everything(void **state)
{
	char *help = printed(conf_help), *mdoc = printed(conf_mdoc), *line;
	const struct conf_option *o;
	char name[128];

	(void)state;
	for (o = conf_options; o->name != NULL; o++) {
		snprintf(name, sizeof(name), "\n  --%s=VALUE", o->name);
		for (char *p = name; *p != '\0'; p++)
			*p = *p == '_' ? '-' : *p;
		assert_non_null(strstr(help, name));
		snprintf(name, sizeof(name), "\n.It Ic %s ", o->name);
		assert_non_null(strstr(mdoc, name));
	}
	for (line = strtok(help, "\n"); line != NULL; line = strtok(NULL, "\n"))
		if (strlen(line) > 80)
			fail_msg("%s", line);
	free(help);
	free(mdoc);
}

/* Without the comment signs the sample is a file with the defaults. */
static void
the_sample_is_a_file(void **state)
{
	char *text = printed(conf_sample), *p;
	const struct conf_option *o;

	(void)state;
	assert_true(load_text(text));
	assert_int_equal(conf.roles, 0);
	conf_free(&conf);
	for (p = text; (p = strstr(p, "\n#")) != NULL; p++)
		if (p[2] != ' ' && p[2] != '\n' && p[2] != '#')
			p[1] = ' ';
	assert_true(load_text(text));
	assert_int_equal(conf.roles, ROLE_ALL);
	assert_int_equal(conf.pg_timeout_ms, 5000);
	assert_string_equal(conf.handlers->name, "thumbnail");
	for (o = conf_options; o->name != NULL; o++)
		if (!(o->flags & CONF_NO_FILE) && strstr(text, o->name) == NULL)
			fail_msg("%s is not in it", o->name);
	conf_free(&conf);
	free(text);
}

#define SAMPLE "conf/taskflowd.conf"

/* Run from the top of the source. `test_conf_value --write FILE` makes it. */
static void
the_sample_that_is_committed_is_this_one(void **state)
{
	char *text = printed(conf_sample), got[32768];
	FILE *f = fopen(SAMPLE, "r");
	size_t n;

	(void)state;
	if (f == NULL)
		fail_msg("%s cannot be read", SAMPLE);
	n = fread(got, 1, sizeof(got) - 1, f);
	got[n] = '\0';
	fclose(f);
	assert_string_equal(got, text);
	free(text);
}

static int
write_sample(const char *path)
{
	FILE *f = fopen(path, "w");

	if (f == NULL)
		return 1;
	conf_sample(f);
	return fclose(f);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		CONF_TEST(numbers_and_words),
		CONF_TEST(texts),
		CONF_TEST(every_row_is_whole),
		CONF_TEST(every_field_has_a_row),
		CONF_TEST(a_dump_is_a_file),
		CONF_TEST(a_dump_masks_secrets),
		CONF_TEST(help_and_manual_name_everything),
		CONF_TEST(the_sample_is_a_file),
		CONF_TEST(the_sample_that_is_committed_is_this_one),
	};

	if (argc == 3 && strcmp(argv[1], "--write") == 0)
		return write_sample(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
