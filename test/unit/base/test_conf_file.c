#include "conf_help.h"

static void
lines(void **state)
{
	(void)state;
	assert_true(load_text("# comment\n\n  \t\n  concurrency=7\r\n"
			      "\tqueues =  a,b.c \n  # another = 1\n"
			      "admin_listen =\nlisten = :8080"));
	assert_int_equal(conf.concurrency, 7);
	assert_string_equal(conf.queues, "a,b.c");
	assert_string_equal(conf.admin_listen, "");
	assert_string_equal(conf.listen, ":8080");
	conf_free(&conf);
	assert_true(load_text(""));
	conf_free(&conf);
	/* A value may have what looks like a comment or a key. */
	assert_true(load_text("jwt_secret = a = b # c\n[taskflowd]\n"));
	assert_string_equal(conf.jwt_secret, "a = b # c");
	conf_free(&conf);
}

static void
bad_lines(void **state)
{
	(void)state;
	REFUSED(load_text("\nconcurency = 7\n"), "\"concurency\"",
	    "main.conf:2", "nearest is concurrency");
	REFUSED(load_text("pg-url = x\n"), "\"pg-url\"", "nearest is pg_url");
	REFUSED(load_text("inclde = x\n"), "nearest is include");
	REFUSED(load_text("listen_file = x\n"), "\"listen_file\"");
	REFUSED(
	    load_text("listen\n"), "\"listen\"", "main.conf:1", "KEY = VALUE");
	REFUSED(load_text("= x\n"), "\"\"", "main.conf:1");
	REFUSED(load_text("concurrency = 7\n#\nconcurrency = 7\n"),
	    "concurrency", "main.conf:3", "already");
	REFUSED(
	    load_text("config = /x\n"), "config", "main.conf:1", "--config");
	REFUSED(load_text("concurrency = 7 # seven\n"), "concurrency",
	    "\"7 # seven\"", "1 to 1000");
	REFUSED(load_text("[taskflow]\n"), "\"[taskflow", "main.conf:1",
	    "[taskflowd]", "[handler NAME]");
	REFUSED(load_text("[taskflowd\n"), "\"[taskflowd\"");
	REFUSED(load_text("[\n"), "\"[\"");
	REFUSED(load_text("[handler]\n"), "[handler");
}

static void
handlers(void **state)
{
	const struct conf_handler *h;

	(void)state;
	assert_true(load_text(
	    "[handler mail.send]\n"
	    "kind = process\n"
	    "command = /usr/bin/mail -s \"a b\" \"\" x\"y z\"\n"
	    "timeout = 2min\ngrace = 0s\nconcurrency = 4\nmax_result = 0B\n"
	    "in_flight = 1000\n"
	    "max_memory = 64MiB\nmax_cpu = 2min\nuser = nobody\n"
	    "directory = /var/tmp\n"
	    "[ handler  b ]\ncommand = /b\n"
	    "[taskflowd]\nconcurrency = 9\n"));
	assert_int_equal(conf.concurrency, 9);
	h = conf.handlers;
	assert_string_equal(h->name, "mail.send");
	assert_int_equal(h->kind, HANDLER_PROCESS);
	assert_string_equal(h->argv[0], "/usr/bin/mail");
	assert_string_equal(h->argv[1], "-s");
	assert_string_equal(h->argv[2], "a b");
	assert_string_equal(h->argv[3], "");
	assert_string_equal(h->argv[4], "xy z");
	assert_null(h->argv[5]);
	assert_int_equal(h->timeout_ms, 120000);
	assert_int_equal(h->grace_ms, 0);
	assert_int_equal(h->concurrency, 4);
	assert_int_equal(h->in_flight, 1000);
	assert_int_equal(h->max_result, 0);
	assert_int_equal(h->max_memory, 64 << 20);
	assert_int_equal(h->max_cpu_s, 120);
	assert_string_equal(h->user, "nobody");
	assert_string_equal(h->directory, "/var/tmp");
	h = h->next;
	assert_string_equal(h->name, "b");
	assert_int_equal(h->kind, HANDLER_EXEC);
	assert_int_equal(h->timeout_ms, 0); /* the task alone decides */
	assert_int_equal(h->grace_ms, 5000);
	assert_int_equal(h->in_flight, 1);
	assert_int_equal(h->max_result, 1 << 20);
	assert_int_equal(h->max_memory, 0);
	assert_null(h->user);
	assert_null(h->directory);
	assert_null(h->next);
	conf_free(&conf);
}

static void
bad_handlers(void **state)
{
	(void)state;
	REFUSED(load_text("[handler a b]\ncommand = /a\n"), "\"a b\"",
	    "main.conf:1", "1 to 64 letters");
	REFUSED(load_text("[handler a/b]\ncommand = /a\n"), "\"a/b\"");
	REFUSED(
	    load_text("[handler "
		      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		      "aaaaaaaaaaaa]\ncommand = /a\n"),
	    "64 letters");
	REFUSED(load_text("[handler sleep]\ncommand = /a\n"), "[handler sleep]",
	    "main.conf:1", "built in");
	REFUSED(load_text("[handler a]\ncommand=/a\n[handler a]\ncommand=/b\n"),
	    "[handler a]", "main.conf:3", "already");
	REFUSED(load_text("[handler a]\nkind = exec\n"), "[handler a]",
	    "no command");
	REFUSED(load_text("[handler a]\n[handler b]\ncommand=/b\n"),
	    "[handler a]", "no command");
	REFUSED(load_text("[handler a]\ncommand = /a\npg_url = x\n"), "pg_url",
	    "main.conf:3", "[taskflowd]");
	REFUSED(load_text("[handler a]\ncommand = /a\ntimout = 1s\n"),
	    "\"timout\"", "[handler a]", "nearest is timeout");
	REFUSED(load_text("[handler a]\ncommand = /a\ninclude = x\n"),
	    "include", "main.conf:3", "[taskflowd]");
	REFUSED(load_text("[handler a]\ncommand = /a\ncommand = /b\n"),
	    "command", "already");
	REFUSED(load_text("[handler a]\ncommand = bin/a\n"), "command",
	    "\"bin/a\"", "main.conf:2, [handler a]", "absolute path");
	REFUSED(load_text("[handler a]\ncommand = /a \"b\n"), "command",
	    "quote is not closed");
	REFUSED(
	    load_text("[handler a]\ncommand =\n"), "command", "absolute path");
	REFUSED(load_text("[handler a]\nkind = http\n"), "kind", "\"http\"",
	    "exec or process");
	REFUSED(load_text("[handler a]\nmax_cpu = 500ms\n"), "max_cpu",
	    "\"500ms\"", "s, min, h or d");
	REFUSED(load_text("[handler a]\nin_flight = 0\n"), "in_flight");
	REFUSED(load_text("[handler a]\nin_flight = 1001\n"), "in_flight");
	REFUSED(load_text("[handler a]\nmax_memory = 1KiB\n"), "max_memory",
	    "\"1KiB\"", "0B, or", "1MiB");
	REFUSED(load_text("[handler a]\ndirectory = tmp\n"), "directory",
	    "\"tmp\"", "absolute path");
}

static void
commands_have_a_limit(void **state)
{
	struct buf b;

	(void)state;
	for (int n = 64; n <= 65; n++) {
		buf_init(&b, 4096);
		buf_adds(&b, "[handler a]\ncommand =");
		for (int i = 0; i < n; i++)
			buf_adds(&b, " /a");
		if (n == 64) {
			assert_true(load_text(b.data));
			assert_string_equal(conf.handlers->argv[63], "/a");
			conf_free(&conf);
		} else
			REFUSED(load_text(b.data), "command", "too many");
		buf_fini(&b);
	}
}

static void
includes(void **state)
{
	char sub[128];

	(void)state;
	snprintf(sub, sizeof(sub), "mkdir %s/d", dir);
	assert_int_equal(system(sub), 0);
	file("d/one.conf",
	    "concurrency = 1\npg_timeout = 1s\n"
	    "include = two.conf\n[handler a]\ncommand = /a\n");
	file("d/two.conf", "max_body = 2KiB\njwt_secret_file = key\n");
	file("d/key", "k");
	assert_true(load_text("concurrency = 3\ninclude = d/one.conf\n"
			      "pg_timeout = 3s\n"));
	assert_int_equal(conf.concurrency, 1); /* what is read later wins */
	assert_int_equal(conf.pg_timeout_ms, 3000);
	assert_int_equal(conf.max_body, 2048);
	assert_string_equal(conf.jwt_secret, "k");
	assert_string_equal(conf.handlers->name, "a");
	conf_free(&conf);
	file("d/one.conf", "\nmax_body = x\n");
	REFUSED(
	    load_text("include = d/one.conf\n"), "max_body", "/d/one.conf:2");
	REFUSED(load_text("\ninclude = none.conf\n"), "none.conf",
	    "main.conf:2", "No such file");
	REFUSED(load_text("include = main.conf\n"), "main.conf:1", "at most 8");
	file("d/one.conf", "[handler a]\ncommand = /a\n");
	REFUSED(load_text("include=d/one.conf\n[handler a]\ncommand = /b\n"),
	    "[handler a]", "main.conf:2", "already");
}

static void
files_have_limits(void **state)
{
	char path[128];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s", file("big.conf", ""));
	f = fopen(path, "w");
	for (int i = 0; i < 1024 * 1024 + 1; i++)
		fputc('\n', f);
	fclose(f);
	REFUSED(LOAD("--config", path), path, "1048576 bytes");
	f = fopen(path, "w");
	fwrite("queues = a\0b\n", 1, 13, f);
	fclose(f);
	REFUSED(LOAD("--config", path), path, "NUL");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		CONF_TEST(lines),
		CONF_TEST(bad_lines),
		CONF_TEST(handlers),
		CONF_TEST(bad_handlers),
		CONF_TEST(commands_have_a_limit),
		CONF_TEST(includes),
		CONF_TEST(files_have_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
