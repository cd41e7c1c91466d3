#ifndef TASKFLOW_TEST_CONF_HELP_H
#define TASKFLOW_TEST_CONF_HELP_H

/* What the tests of conf share: a directory with files, an environment of their
 * own, one loaded configuration, and a look at messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/conf.h"
#include "base/mem.h"

static char dir[64];
static const char *const *environment; /* NAME, value, ..., NULL */
static struct conf conf;
static enum conf_action action;
static char err[512];

static inline char *
get_env(const char *name)
{
	for (size_t i = 0; environment != NULL && environment[i] != NULL;
	     i += 2)
		if (strcmp(environment[i], name) == 0)
			return (char *)(uintptr_t)environment[i + 1];
	return NULL;
}

/* A file in the directory of the test; its path. */
static inline const char *
file(const char *name, const char *text)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

static inline bool
load_args(const char *const *args)
{
	char *argv[32] = { (char *)(uintptr_t) "taskflowd" };
	int argc = 1;
	bool good;

	for (; args[argc - 1] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)args[argc - 1];
	err[0] = '\0';
	good = conf_load(argc, argv, get_env, &conf, &action, err, sizeof(err));
	assert_null(strchr(err, '\n'));
	assert_true(good == (err[0] == '\0'));
	return good;
}
#define LOAD(...) load_args((const char *const[]){ __VA_ARGS__, NULL })

/* Load a file of that text and nothing else. */
static inline bool
load_text(const char *text)
{
	return LOAD("--config", file("main.conf", text));
}

static inline int
make_dir(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/test_conf.XXXXXX");
	environment = NULL;
	return mkdtemp(dir) == NULL;
}

static inline int
remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static inline void
assert_refused(bool loaded, const char *const *parts)
{
	if (loaded)
		fail_msg("%s is accepted", parts[0]);
	for (; *parts != NULL; parts++)
		if (strstr(err, *parts) == NULL)
			fail_msg("no \"%s\" in: %s", *parts, err);
}
#define REFUSED(loaded, ...) \
	assert_refused(loaded, (const char *const[]){ __VA_ARGS__, NULL })

#define CONF_TEST(fn) cmocka_unit_test_setup_teardown(fn, make_dir, remove_dir)

#endif
