/* What the command line says. */
#include <stdlib.h>

#include "base/conf_table.h"

#define SHOWN_MAX 100 /* bytes of a bad value in a message */

struct flag {
	const struct conf_action_row *action; /* or */
	const struct conf_option *option;
	bool twin;
	const char *value;
	char where[CONF_NAME_SIZE + 2]; /* "--name" */
};

static const struct conf_action_row *
find_action(const char *name)
{
	const struct conf_action_row *a;

	for (a = conf_actions; a->name != NULL; a++)
		if (strcmp(a->name, name) == 0)
			return a;
	return NULL;
}

/* pg-url is pg_url in the table; pg_url is no flag. */
static const struct conf_option *
find_flag(const char *name, bool *ret_twin)
{
	char key[CONF_NAME_SIZE];
	size_t i;

	for (i = 0; name[i] != '\0' && i + 1 < sizeof(key); i++)
		key[i] = name[i] == '-' ? '_' : name[i] == '_' ? '-' : name[i];
	key[i] = '\0';
	return conf_find(conf_options, key, ret_twin);
}

static bool
refuse_flag(struct conf_reader *r, const char *arg, const char *name)
{
	char nearest[CONF_NAME_SIZE];

	if (strncmp(arg, "--", 2) != 0)
		return conf_fail(r,
		    "\"%.*s\" is no option; allowed are --NAME=VALUE and the "
		    "actions that --help lists",
		    SHOWN_MAX, arg);
	conf_nearest(conf_options, true, name, nearest);
	return conf_fail(r,
	    "unknown option --%s; the nearest is --%s (--help lists all)", name,
	    nearest);
}

/* --create-admin EMAIL [USERNAME], or --create-admin=EMAIL [USERNAME] */
static bool
admin_names(struct conf_reader *r, struct conf_args *a, const char *equals)
{
	const char *names[2] = { equals == NULL ? NULL : equals + 1, NULL };
	size_t i;

	for (i = equals != NULL; i < 2; i++)
		if (a->next != a->end && strncmp(*a->next, "--", 2) != 0)
			names[i] = *a->next++;
	if (names[0] == NULL || *names[0] == '\0')
		return conf_fail(r,
		    "--create-admin needs an email: --create-admin EMAIL "
		    "[USERNAME]");
	r->conf->admin_email = names[0];
	r->conf->admin_username = names[1];
	return true;
}

/* A value may be the next argument, unless that looks like a flag. */
static bool
flag_value(struct conf_reader *r, struct conf_args *a, struct flag *f,
    const char *equals)
{
	if (f->action != NULL && f->action->action == CONF_CREATE_ADMIN)
		return admin_names(r, a, equals);
	if (f->action != NULL)
		return equals == NULL ||
		    conf_fail(r, "%s takes no value, but \"%.*s\" is given",
			f->where, SHOWN_MAX, equals + 1);
	if (equals != NULL)
		f->value = equals + 1;
	else if (a->next == a->end || strncmp(*a->next, "--", 2) == 0)
		return conf_fail(
		    r, "%s needs a value: %s=VALUE", f->where, f->where);
	else
		f->value = *a->next++;
	return true;
}

static bool
take_flag(struct conf_reader *r, struct conf_args *a, struct flag *f)
{
	const char *arg = *a->next++, *equals;
	char name[CONF_NAME_SIZE];

	memset(f, 0, sizeof(*f));
	equals = strchr(arg, '=');
	if (strncmp(arg, "--", 2) != 0)
		return refuse_flag(r, arg, arg);
	snprintf(name, sizeof(name), "%.*s",
	    equals == NULL ? CONF_NAME_SIZE : (int)(equals - arg - 2), arg + 2);
	f->action = find_action(name);
	f->option = find_flag(name, &f->twin);
	if (f->action == NULL && f->option == NULL)
		return refuse_flag(r, arg, name);
	snprintf(f->where, sizeof(f->where), "--%s", name);
	return flag_value(r, a, f, equals);
}

/* First what decides where to read from. --help and --version need nothing
 * else to be right. */
bool
conf_scan_flags(struct conf_reader *r, struct conf_args a,
    enum conf_action *action, const char **config)
{
	const char *before = NULL;
	struct flag f;

	while (a.next < a.end) {
		if (!take_flag(r, &a, &f))
			return false;
		if (f.option != NULL && f.option->offset == CONF_NO_FIELD)
			*config = f.value;
		if (f.action == NULL)
			continue;
		if (before != NULL && *action != f.action->action)
			return conf_fail(r,
			    "--%s and --%s cannot be asked for at once", before,
			    f.action->name);
		before = f.action->name;
		*action = f.action->action;
		if (*action == CONF_HELP || *action == CONF_VERSION ||
		    *action == CONF_METRICS)
			return true;
	}
	return true;
}

bool
conf_read_flags(struct conf_reader *r, struct conf_args a)
{
	struct flag f;

	while (a.next < a.end) {
		if (!take_flag(r, &a, &f))
			return false;
		if (f.option != NULL && !f.twin &&
		    (f.option->flags & CONF_NO_FLAG) != 0)
			return conf_fail(r,
			    "%s would show it to all users of this machine; "
			    "allowed is %s-file=FILE",
			    f.where, f.where);
		if (f.option != NULL && f.option->offset != CONF_NO_FIELD &&
		    !conf_set(
			r, f.option, r->conf, f.value, f.twin, f.where, NULL))
			return false;
	}
	return true;
}
