/*
 * taskflowd: arguments, configuration, role, run. Everything else is further
 * down.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/conf.h"
#include "base/log.h"
#include "base/metric.h"
#include "role/admin.h"
#include "role/app.h"
#include "role/migrate.h"

#define EXIT_USAGE 2

static int
complain(const char *err)
{
	fprintf(stderr, "taskflowd: %s\n", err);
	return EXIT_USAGE;
}

/* Two processes may share a terminal: the role is in each line. */
static void
open_log(const struct conf *conf)
{
	static const struct {
		unsigned roles;
		const char *name;
	} names[] = {
		{ ROLE_API, "api" },
		{ ROLE_MANAGER, "manager" },
		{ ROLE_WORKER, "worker" },
		{ ROLE_ALL, "all" },
		{ 0, "-" },
	};
	const char *name = "mixed";
	size_t i;

	for (i = 0; i < NELEM(names); i++)
		if (names[i].roles == (unsigned)conf->roles)
			name = names[i].name;
	log_open((enum log_level)conf->log_level,
	    (enum log_format)conf->log_format, name);
}

/* What SIGHUP needs to read the configuration again. */
static int saved_argc;
static char **saved_argv;

static bool
read_again(struct conf *ret, char *err, size_t size)
{
	enum conf_action action;

	return conf_load(
	    saved_argc, saved_argv, getenv, ret, &action, err, size);
}

static int
serve(struct conf *conf)
{
	char err[512];
	struct app *app;
	int code;

	if (conf->roles == 0)
		return complain("--role is missing: api, manager, worker, "
				"a comma list of them, or all");
	if (!conf_check(conf, (unsigned)conf->roles, err, sizeof(err)))
		return complain(err);
	app = app_open(conf, read_again, err, sizeof(err));
	if (app == NULL) {
		complain(err);
		return EXIT_FAILURE;
	}
	code = app_run(app);
	app_close(app);
	return code;
}

static int
check(const struct conf *conf)
{
	unsigned roles =
	    conf->roles != 0 ? (unsigned)conf->roles : (unsigned)ROLE_ALL;
	char err[512];

	if (!conf_check(conf, roles, err, sizeof(err)))
		return complain(err);
	puts("taskflowd: the configuration is good");
	return EXIT_SUCCESS;
}

int
main(int argc, char **argv)
{
	enum conf_action action;
	struct conf conf;
	char err[512];
	int code = EXIT_SUCCESS;

	saved_argc = argc;
	saved_argv = argv;
	if (!conf_load(argc, argv, getenv, &conf, &action, err, sizeof(err)))
		return complain(err);
	open_log(&conf);
	switch (action) {
	case CONF_HELP:
		conf_help(stdout);
		break;
	case CONF_VERSION:
		puts("taskflowd " TASKFLOW_VERSION);
		break;
	case CONF_DUMP:
		conf_dump(&conf, stdout);
		break;
	case CONF_METRICS:
		metric_list(stdout);
		break;
	case CONF_CHECK:
		code = check(&conf);
		break;
	case CONF_MIGRATE:
		code = migrate(&conf);
		break;
	case CONF_CREATE_ADMIN:
		code = create_admin(&conf);
		break;
	case CONF_RUN:
		code = serve(&conf);
		break;
	}
	conf_free(&conf);
	return code;
}
