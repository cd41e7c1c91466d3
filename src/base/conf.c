/* Where the values come from, and which source wins. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/conf_table.h"

#define ENV_PREFIX "TASKFLOW_"
#define SECRET_MAX (64 * 1024)
#define CREDENTIALS "CREDENTIALS_DIRECTORY"
#define SHOWN_MAX 100 /* bytes of a bad value in a message */

/* ---- what all sources share ---- */

bool
conf_fail(struct conf_reader *r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(r->err, r->err_size, fmt, ap);
	va_end(ap);
	/* One line, whatever stood in a value. */
	for (char *p = r->err; r->err_size > 0 && *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return false;
}

char *
conf_slurp(
    struct conf_reader *r, const char *path, size_t max, const char *where)
{
	char *text = xmalloc(max + 2);
	size_t len = 0;
	ssize_t n = 1;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && len <= max && n > 0) {
		n = read(fd, text + len, max + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (fd < 0 || n < 0)
		conf_fail(r, "cannot read \"%s\" (%s): %s", path, where,
		    strerror(errno));
	else if (len > max)
		conf_fail(r, "\"%s\" (%s) is larger than %zu bytes", path,
		    where, max);
	else if (memchr(text, '\0', len) != NULL)
		conf_fail(r, "\"%s\" (%s) has a NUL byte in it", path, where);
	else {
		close(fd);
		text[len] = '\0';
		return text;
	}
	if (fd >= 0)
		close(fd);
	free(text);
	return NULL;
}

char *
conf_path(const char *dir, const char *path)
{
	struct buf b;

	if (path[0] == '/' || dir == NULL)
		return xstrdup(path);
	buf_init(&b, strlen(dir) + strlen(path) + 1);
	buf_addf(&b, "%s/%s", dir, path);
	return b.data;
}

static bool
refuse_value(struct conf_reader *r, const struct conf_option *o,
    const char *value, const char *where, const char *why)
{
	struct buf allowed;

	if ((o->flags & CONF_SECRET) != 0)
		value = "***";
	buf_init(&allowed, 512);
	conf_value_allowed(o, &allowed);
	conf_fail(r, "bad value of %s (%s): \"%.*s\"%s%s%s; allowed is %s",
	    o->name, where, SHOWN_MAX, value,
	    strlen(value) > SHOWN_MAX ? "..." : "", *why == '\0' ? "" : ": ",
	    why, allowed.data);
	buf_fini(&allowed);
	return false;
}

static void
drop_line_break(char *text)
{
	size_t len = strlen(text);

	if (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	if (len > 0 && text[len - 1] == '\r')
		text[len - 1] = '\0';
}

/* Where a secret lies; NULL: failed. */
static char *
secret_path(struct conf_reader *r, const char *value, const char *where,
    const char *dir)
{
	static const char variable[] = "${" CREDENTIALS "}";
	size_t len = sizeof(variable) - 1;
	const char *folder;

	if (strncmp(value, variable, len) != 0)
		return conf_path(dir, value);
	folder = r->get == NULL ? NULL : r->get(CREDENTIALS);
	if (folder == NULL || *folder == '\0') {
		conf_fail(r,
		    "\"%.*s\" (%s): " CREDENTIALS " is not set; systemd sets "
		    "it for a unit that has LoadCredential=",
		    SHOWN_MAX, value, where);
		return NULL;
	}
	value += len;
	return conf_path(folder, value + strspn(value, "/"));
}

static bool
set_from_file(struct conf_reader *r, const struct conf_option *o, void *base,
    const char *value, const char *where, const char *dir)
{
	char *path, *text = NULL, *full = NULL;
	const char *why;
	bool good;

	if (asprintf(&full, "%s_file, %s", o->name, where) < 0)
		abort();
	path = secret_path(r, value, full, dir);
	if (path != NULL)
		text = conf_slurp(r, path, SECRET_MAX, full);
	good = text != NULL;
	if (good) {
		drop_line_break(text);
		good = conf_value_set(o, base, text, &why) ||
		    refuse_value(r, o, text, full, why);
	}
	free(text);
	free(full);
	free(path);
	return good;
}

bool
conf_set(struct conf_reader *r, const struct conf_option *o, void *base,
    const char *value, bool twin, const char *where, const char *dir)
{
	const char *why;

	if (twin)
		return set_from_file(r, o, base, value, where, dir);
	return conf_value_set(o, base, value, &why) ||
	    refuse_value(r, o, value, where, why);
}

/* ---- defaults ---- */

/* A host name is nearly always a good label; what is not is made one. */
static void
default_label(struct conf *c)
{
	char name[65] = "";

	if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0')
		snprintf(name, sizeof(name), "localhost");
	for (char *p = name; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && strchr("_.-", *p) == NULL)
			*p = '-';
	c->instance_label = xstrdup(name);
}

static bool
set_defaults(struct conf_reader *r)
{
	const struct conf_option *o;

	default_label(r->conf);
	for (o = conf_options; o->name != NULL; o++)
		if (o->def != NULL && o->offset != CONF_NO_FIELD &&
		    !conf_set(r, o, r->conf, o->def, false, "default", NULL))
			return false;
	return true;
}

/* ---- the environment ---- */

typedef char *getenv_function(const char *);

/* An empty variable is as good as none: it is how one is taken back. */
static const char *
env_get(getenv_function *get, const char *option, const char *suffix,
    char name[CONF_NAME_SIZE])
{
	const char *value;

	snprintf(name, CONF_NAME_SIZE, "%s%s%s", ENV_PREFIX, option, suffix);
	for (char *p = name; *p != '\0'; p++)
		*p = (char)toupper((unsigned char)*p);
	value = get(name);
	return value == NULL || *value == '\0' ? NULL : value;
}

static bool
read_env_option(
    struct conf_reader *r, const struct conf_option *o, getenv_function *get)
{
	char name[CONF_NAME_SIZE], twin_name[CONF_NAME_SIZE];
	const char *value, *twin = NULL;

	value = env_get(get, o->name, "", name);
	if ((o->flags & CONF_SECRET) != 0)
		twin = env_get(get, o->name, "_file", twin_name);
	if (value != NULL && twin != NULL)
		return conf_fail(r,
		    "%s and %s are both set; allowed is one of them", name,
		    twin_name);
	if (value != NULL)
		return conf_set(r, o, r->conf, value, false, name, NULL);
	if (twin != NULL)
		return conf_set(r, o, r->conf, twin, true, twin_name, NULL);
	return true;
}

/* Only what is known is asked for: other TASKFLOW_ variables are not ours. */
static bool
read_env(struct conf_reader *r, getenv_function *get)
{
	const struct conf_option *o;

	for (o = conf_options; o->name != NULL; o++)
		if (o->offset != CONF_NO_FIELD && !read_env_option(r, o, get))
			return false;
	return true;
}

/* ---- all of them ---- */

static bool
read_all(struct conf_reader *r, struct conf_args args, getenv_function *get,
    enum conf_action *action)
{
	char name[CONF_NAME_SIZE];
	const char *config = NULL, *where = "--config";

	if (!set_defaults(r) || !conf_scan_flags(r, args, action, &config))
		return false;
	if (*action == CONF_HELP || *action == CONF_VERSION ||
	    *action == CONF_METRICS)
		return true;
	if (config == NULL) {
		config = env_get(get, "config", "", name);
		where = name;
	}
	if (config != NULL && *config != '\0' &&
	    !conf_read_file(r, config, where))
		return false;
	if (!read_env(r, get) || !conf_read_flags(r, args))
		return false;
	return true;
}

bool
conf_load(int argc, char **argv, char *(*getenv_fn)(const char *),
    struct conf *ret, enum conf_action *ret_action, char *err, size_t err_size)
{
	struct conf_reader r = {
		.conf = ret, .err = err, .err_size = err_size, .get = getenv_fn
	};
	struct conf_args args = { argv + (argc > 0), argv + argc };

	memset(ret, 0, sizeof(*ret));
	*ret_action = CONF_RUN;
	if (read_all(&r, args, getenv_fn, ret_action))
		return true;
	conf_free(ret);
	return false;
}

/* Is it the same in both? Otherwise *a gets the value of *b, if take is set. */
static bool
same_value(const struct conf_option *o, struct conf *a, const struct conf *b,
    bool take)
{
	struct buf old, new;
	const char *why;
	bool same;

	buf_init(&old, SIZE_MAX);
	buf_init(&new, SIZE_MAX);
	conf_value_get(o, a, &old);
	conf_value_get(o, b, &new);
	same = old.len == new.len &&
	    (old.len == 0 || memcmp(old.data, new.data, old.len) == 0);
	if (!same && take)
		conf_value_set(o, a, new.data, &why);
	buf_fini(&old);
	buf_fini(&new);
	return same;
}

void
conf_reload(
    struct conf *running, struct conf *fresh, char *ret_stuck, size_t size)
{
	struct conf_jwt_key *old = running->jwt_keys;
	const struct conf_option *o;
	bool take;

	running->jwt_keys = fresh->jwt_keys;
	fresh->jwt_keys = old;
	ret_stuck[0] = '\0';
	for (o = conf_options; o->name != NULL; o++) {
		take = (o->flags & CONF_RELOAD) != 0;
		if (o->offset == CONF_NO_FIELD ||
		    same_value(o, running, fresh, take) || take)
			continue;
		if (ret_stuck[0] != '\0')
			strncat(ret_stuck, ",", size - strlen(ret_stuck) - 1);
		strncat(ret_stuck, o->name, size - strlen(ret_stuck) - 1);
	}
}

void
conf_handler_free(struct conf_handler *h)
{
	const struct conf_option *o;

	for (o = conf_handler_options; o->name != NULL; o++)
		conf_value_free(o, h);
	free(h->name);
	free(h);
}

void
conf_jwt_keys_free(struct conf_jwt_key *k)
{
	struct conf_jwt_key *next;
	const struct conf_option *o;

	for (; k != NULL; k = next) {
		next = k->next;
		for (o = conf_jwt_key_options; o->name != NULL; o++)
			conf_value_free(o, k);
		free(k->name);
		free(k);
	}
}

void
conf_free(struct conf *c)
{
	const struct conf_option *o;
	struct conf_handler *h;

	for (o = conf_options; o->name != NULL; o++)
		conf_value_free(o, c);
	while ((h = c->handlers) != NULL) {
		c->handlers = h->next;
		conf_handler_free(h);
	}
	conf_jwt_keys_free(c->jwt_keys);
	memset(c, 0, sizeof(*c));
}
