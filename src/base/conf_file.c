/*
 * The file:
 *
 *	# a comment has its line to itself
 *	include = more.conf		relative to this file
 *	pg_timeout = 3s			blanks around are dropped, no quotes
 *	[handler mail]
 *	command = /usr/bin/mail -s "a task"
 *	[jwt_key 2027]
 *	secret_file = jwt-2027
 *	[taskflowd]
 *	pg_connections = 8
 *
 * Each file, an included one too, begins in [taskflowd] and ends its last
 * section. What is read later wins, but one file may not say a thing twice,
 * since one of the two is then a mistake.
 */
#include <ctype.h>
#include <stdlib.h>

#include "base/conf_table.h"

#define DEPTH_MAX 8
#define FILE_MAX (1024 * 1024)
#define WHERE_SIZE 256

struct file {
	struct conf_reader *reader;
	const char *path;
	char *dir;
	unsigned line;
	char where[WHERE_SIZE]; /* path, line, section */
	struct conf_handler *handler; /* the section is its, */
	struct conf_jwt_key *key; /* or its, or [taskflowd] */
	bool seen[CONF_OPTIONS_MAX]; /* in [taskflowd] */
	bool section_seen[CONF_OPTIONS_MAX];
};

static char *
trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	*end = '\0';
	return s;
}

static void
set_where(struct file *f)
{
	int n = snprintf(f->where, sizeof(f->where), "%s:%u", f->path, f->line);
	char *to = f->where + n;
	size_t left = sizeof(f->where) - (size_t)n;

	if ((size_t)n >= sizeof(f->where))
		return;
	if (f->handler != NULL)
		snprintf(to, left, ", [handler %s]", f->handler->name);
	else if (f->key != NULL)
		snprintf(to, left, ", [jwt_key %s]", f->key->name);
}

/* ---- sections ---- */

static bool
end_section(struct file *f)
{
	struct conf_handler *h = f->handler;

	if (h != NULL && h->argv == NULL)
		return conf_fail(f->reader,
		    "the section [handler %s] (%s) has no command; needed is "
		    "command = PATH ARGUMENT...",
		    h->name, f->where);
	f->handler = NULL;
	f->key = NULL;
	return true;
}

static bool
set_section_defaults(
    struct file *f, const struct conf_option *table, void *base)
{
	const struct conf_option *o;

	memset(f->section_seen, 0, sizeof(f->section_seen));
	for (o = table; o->name != NULL; o++)
		if (o->def != NULL &&
		    !conf_set(
			f->reader, o, base, o->def, false, "default", NULL))
			return false;
	return true;
}

static struct conf_handler **
find_handler(struct conf *c, const char *name)
{
	struct conf_handler **at = &c->handlers;

	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static bool
begin_handler(struct file *f, const char *name)
{
	struct conf_reader *r = f->reader;
	struct conf_handler **at = find_handler(r->conf, name);

	if (!conf_is_name(name))
		return conf_fail(r,
		    "bad name of a handler (%s): \"%.100s\"; allowed is a task "
		    "type of 1 to 64 letters, digits, _, . and -",
		    f->where, name);
	if (conf_is_builtin(name))
		return conf_fail(r,
		    "[handler %s] (%s) is built in; allowed is another name",
		    name, f->where);
	if (*at != NULL)
		return conf_fail(r,
		    "[handler %s] (%s) is there already; allowed is one "
		    "section for a name",
		    name, f->where);
	f->handler = *at = xcalloc(1, sizeof(**at));
	f->handler->name = xstrdup(name);
	return set_section_defaults(f, conf_handler_options, f->handler);
}

static bool
begin_key(struct file *f, const char *name)
{
	struct conf_reader *r = f->reader;
	struct conf_jwt_key **at = &r->conf->jwt_keys;

	if (!conf_is_name(name))
		return conf_fail(r,
		    "bad name of a key (%s): \"%.100s\"; allowed are 1 to 64 "
		    "letters, digits, _, . and -",
		    f->where, name);
	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	if (*at != NULL)
		return conf_fail(r,
		    "[jwt_key %s] (%s) is there already; allowed is one "
		    "section for a name",
		    name, f->where);
	f->key = *at = xcalloc(1, sizeof(**at));
	f->key->name = xstrdup(name);
	return set_section_defaults(f, conf_jwt_key_options, f->key);
}

/* "[word NAME]" without its brackets: the name, or NULL. */
static char *
name_after(char *section, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(section, word, len) != 0 ||
	    !isspace((unsigned char)section[len]))
		return NULL;
	return trim(section + len);
}

static bool
begin_section(struct file *f, char *line)
{
	size_t len = strlen(line);
	char *section, *name;

	if (!end_section(f))
		return false;
	set_where(f);
	if (line[len - 1] == ']') {
		line[len - 1] = '\0';
		section = trim(line + 1);
		if (strcmp(section, "taskflowd") == 0)
			return true;
		if ((name = name_after(section, "handler")) != NULL)
			return begin_handler(f, name);
		if ((name = name_after(section, "jwt_key")) != NULL)
			return begin_key(f, name);
	}
	return conf_fail(f->reader,
	    "unknown section \"%.100s\" (%s); allowed are [taskflowd], "
	    "[handler NAME] and [jwt_key NAME]",
	    line, f->where);
}

/* ---- options ---- */

static const struct conf_option *
table_of(const struct file *f)
{
	if (f->handler != NULL)
		return conf_handler_options;
	return f->key != NULL ? conf_jwt_key_options : conf_options;
}

static bool
refuse_key(struct file *f, const char *key)
{
	char nearest[CONF_NAME_SIZE];
	bool twin;

	if (table_of(f) != conf_options &&
	    conf_find(conf_options, key, &twin) != NULL)
		return conf_fail(f->reader,
		    "%s does not belong into a %s (%s); it is allowed "
		    "below a line [taskflowd]",
		    key, f->handler != NULL ? "handler" : "jwt_key", f->where);
	conf_nearest(table_of(f), false, key, nearest);
	return conf_fail(f->reader,
	    "unknown option \"%.100s\" (%s); the nearest is %s", key, f->where,
	    nearest);
}

static bool
include(struct file *f, const char *value)
{
	char *path;
	bool good;

	if (table_of(f) != conf_options)
		return conf_fail(f->reader,
		    "include (%s) does not belong into a %s; it is allowed "
		    "below a line [taskflowd]",
		    f->where, f->handler != NULL ? "handler" : "jwt_key");
	path = conf_path(f->dir, value);
	good = conf_read_file(f->reader, path, f->where);
	free(path);
	return good;
}

static bool
set_key(struct file *f, const char *key, const char *value)
{
	const struct conf_option *table = table_of(f), *o;
	bool *seen = table == conf_options ? f->seen : f->section_seen, twin;
	void *base = f->reader->conf;

	if (f->handler != NULL)
		base = f->handler;
	else if (f->key != NULL)
		base = f->key;
	o = conf_find(table, key, &twin);
	if (o == NULL)
		return refuse_key(f, key);
	if ((o->flags & CONF_NO_FILE) != 0)
		return conf_fail(f->reader,
		    "%s (%s) has no effect in a file; allowed are include "
		    "there, or --%s",
		    key, f->where, key);
	if (seen[o - table])
		return conf_fail(f->reader,
		    "%s (%s) is set in this file already; allowed is once", key,
		    f->where);
	seen[o - table] = true;
	return conf_set(f->reader, o, base, value, twin, f->where, f->dir);
}

static bool
read_line(struct file *f, char *line)
{
	char *equals;

	line = trim(line);
	set_where(f);
	if (*line == '\0' || *line == '#')
		return true;
	if (*line == '[')
		return begin_section(f, line);
	equals = strchr(line, '=');
	if (equals == NULL)
		return conf_fail(f->reader,
		    "\"%.*s\" (%s) is no option; allowed is KEY = VALUE",
		    (int)strcspn(line, " \t:"), line, f->where);
	*equals = '\0';
	line = trim(line);
	if (strcmp(line, "include") == 0)
		return include(f, trim(equals + 1));
	return set_key(f, line, trim(equals + 1));
}

static char *
dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *dir;

	if (slash == NULL)
		return xstrdup(".");
	dir = xstrdup(path);
	dir[slash == path ? 1 : slash - path] = '\0';
	return dir;
}

bool
conf_read_text(struct conf_reader *r, const char *path, char *text)
{
	struct file f = { .reader = r, .path = path, .dir = dir_of(path) };
	char *line;
	bool good = true;

	while (good && (line = strsep(&text, "\n")) != NULL) {
		f.line++;
		good = read_line(&f, line);
	}
	good = good && end_section(&f);
	free(f.dir);
	return good;
}

bool
conf_read_file(struct conf_reader *r, const char *path, const char *where)
{
	char *text;
	bool good;

	if (r->depth == DEPTH_MAX)
		return conf_fail(r,
		    "cannot include \"%s\" (%s): allowed are at most %d files "
		    "within each other",
		    path, where, DEPTH_MAX);
	text = conf_slurp(r, path, FILE_MAX, where);
	if (text == NULL)
		return false;
	r->depth++;
	good = conf_read_text(r, path, text);
	r->depth--;
	free(text);
	return good;
}
