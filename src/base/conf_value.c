/* The types of option values: text to field and back, and what is allowed. */
#include <ctype.h>
#include <stdlib.h>

#include "base/conf_table.h"
#include "base/rate.h"

struct unit {
	const char *name;
	int64_t factor; /* in the unit of the field */
};

/* Largest first, so that the first one that divides a value shows it. */
static const struct unit time_units[] = { { "d", 86400000 }, { "h", 3600000 },
	{ "min", 60000 }, { "s", 1000 }, { "ms", 1 } };
static const struct unit second_units[] = { { "d", 86400 }, { "h", 3600 },
	{ "min", 60 }, { "s", 1 } };
static const struct unit size_units[] = { { "GiB", 1LL << 30 },
	{ "MiB", 1LL << 20 }, { "KiB", 1LL << 10 }, { "B", 1 } };
static const struct unit no_units[] = { { "", 1 } };

struct units {
	const struct unit *v;
	size_t n;
	const char *what; /* is being counted */
	const char *names; /* for people */
	size_t zero; /* index of the unit that zero is shown in */
};

static const struct units units_of[] = {
	[CONF_INT] = { no_units, NELEM(no_units), "a whole number", NULL, 0 },
	[CONF_TIME] = { time_units, NELEM(time_units), "a duration",
	    "ms, s, min, h or d", 3 },
	[CONF_SECONDS] = { second_units, NELEM(second_units), "a duration",
	    "s, min, h or d", 3 },
	[CONF_SIZE] = { size_units, NELEM(size_units), "a size",
	    "B, KiB, MiB or GiB", 3 },
};

static const char *const bool_words[] = { "no", "yes", "false", "true", NULL };

static bool
is_number(const struct conf_option *o)
{
	return o->type == CONF_INT || o->type == CONF_TIME ||
	    o->type == CONF_SECONDS || o->type == CONF_SIZE;
}

static int64_t *
int_field(const struct conf_option *o, const void *base)
{
	return (int64_t *)((char *)(uintptr_t)base + o->offset);
}

static char **
text_field(const struct conf_option *o, const void *base)
{
	return (char **)((char *)(uintptr_t)base + o->offset);
}

static char ***
command_field(const struct conf_option *o, const void *base)
{
	return (char ***)((char *)(uintptr_t)base + o->offset);
}

/* ---- numbers ---- */

static bool
number_parse(
    const struct units *units, const char *text, int64_t *ret, const char **why)
{
	int64_t n = 0;
	const char *p;

	*why = "it does not begin with a digit";
	if (!isdigit((unsigned char)*text))
		return false;
	*why = "it is too large";
	for (p = text; isdigit((unsigned char)*p); p++)
		if (__builtin_mul_overflow(n, 10, &n) ||
		    __builtin_add_overflow(n, *p - '0', &n))
			return false;
	for (size_t i = 0; i < units->n; i++)
		if (strcmp(p, units->v[i].name) == 0)
			return !__builtin_mul_overflow(
			    n, units->v[i].factor, ret);
	*why = *p == '\0'          ? "it has no unit"
	    : units->names == NULL ? "it is not a number"
				   : "its unit is not known";
	return false;
}

static bool
number_set(
    const struct conf_option *o, void *base, const char *text, const char **why)
{
	int64_t n;

	if (!number_parse(&units_of[o->type], text, &n, why))
		return false;
	*why = "it is out of range";
	if ((n < o->min || n > o->max) && !(n == 0 && (o->flags & CONF_ZERO)))
		return false;
	*int_field(o, base) = n;
	return true;
}

static void
number_print(const struct units *units, int64_t n, struct buf *ret)
{
	const struct unit *u = units->v;

	if (n == 0)
		u += units->zero;
	while (n % u->factor != 0)
		u++;
	buf_addf(ret, "%lld%s", (long long)(n / u->factor), u->name);
}

static void
number_allowed(const struct conf_option *o, struct buf *ret)
{
	const struct units *units = &units_of[o->type];

	if ((o->flags & CONF_ZERO) != 0) {
		number_print(units, 0, ret);
		buf_adds(ret, ", or ");
	}
	buf_addf(ret, "%s from ", units->what);
	number_print(units, o->min, ret);
	buf_adds(ret, " to ");
	number_print(units, o->max, ret);
	if (units->names != NULL)
		buf_addf(ret, ", with a unit: %s", units->names);
}

/* ---- words and roles ---- */

static bool
word_set(const struct conf_option *o, void *base, const char *text)
{
	bool is_bool = o->type == CONF_BOOL;
	const char *const *words = is_bool ? bool_words : o->words;

	for (int64_t i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0) {
			*int_field(o, base) = is_bool ? i & 1 : i;
			return true;
		}
	return false;
}

static void
word_list(const char *const *words, struct buf *ret)
{
	for (size_t i = 0; words[i] != NULL; i++)
		buf_addf(ret, "%s%s",
		    i == 0                     ? ""
			: words[i + 1] != NULL ? ", "
					       : " or ",
		    words[i]);
}

struct role_name {
	const char *name;
	unsigned bits;
};

static const struct role_name role_names[] = { { "api", ROLE_API },
	{ "manager", ROLE_MANAGER }, { "worker", ROLE_WORKER },
	{ "all", ROLE_ALL } };

static unsigned
role_bits(const char *name, size_t len)
{
	while (len > 0 && name[len - 1] == ' ')
		len--;
	while (len > 0 && *name == ' ') {
		name++;
		len--;
	}
	for (size_t i = 0; i < NELEM(role_names); i++)
		if (strlen(role_names[i].name) == len &&
		    memcmp(role_names[i].name, name, len) == 0)
			return role_names[i].bits;
	return 0;
}

unsigned
conf_parse_roles(const char *text)
{
	unsigned roles = 0, bits;
	size_t len;

	for (;; text += len + 1) {
		len = strcspn(text, ",");
		bits = role_bits(text, len);
		if (bits == 0)
			return 0;
		roles |= bits;
		if (text[len] == '\0')
			return roles;
	}
}

static bool
roles_set(const struct conf_option *o, void *base, const char *text)
{
	unsigned roles = conf_parse_roles(text);

	if (roles != 0)
		*int_field(o, base) = roles;
	return roles != 0;
}

static void
roles_print(int64_t roles, struct buf *ret)
{
	const char *comma = "";

	for (size_t i = 0; i < 3; i++)
		if ((roles & role_names[i].bits) != 0) {
			buf_addf(ret, "%s%s", comma, role_names[i].name);
			comma = ",";
		}
}

static bool
text_set(
    const struct conf_option *o, void *base, const char *text, const char **why)
{
	char **field = text_field(o, base);

	if (!conf_text_check(o, text, why))
		return false;
	free(*field);
	*field = xstrdup(text);
	return true;
}

static bool
command_set(
    const struct conf_option *o, void *base, const char *text, const char **why)
{
	char **argv = conf_argv_split(text, why);

	if (argv == NULL)
		return false;
	conf_argv_free(*command_field(o, base));
	*command_field(o, base) = argv;
	return true;
}

/* ---- all of them ---- */

bool
conf_value_set(const struct conf_option *o, void *base, const char *text,
    const char **ret_why)
{
	*ret_why = "";
	if (is_number(o))
		return number_set(o, base, text, ret_why);
	if (o->type == CONF_BOOL || o->type == CONF_WORD)
		return word_set(o, base, text);
	if (o->type == CONF_ROLES)
		return roles_set(o, base, text);
	if (o->type == CONF_COMMAND)
		return command_set(o, base, text, ret_why);
	return text_set(o, base, text, ret_why);
}

void
conf_value_get(const struct conf_option *o, const void *base, struct buf *ret)
{
	if (is_number(o))
		number_print(&units_of[o->type], *int_field(o, base), ret);
	else if (o->type == CONF_BOOL)
		buf_adds(ret, bool_words[*int_field(o, base)]);
	else if (o->type == CONF_WORD)
		buf_adds(ret, o->words[*int_field(o, base)]);
	else if (o->type == CONF_ROLES)
		roles_print(*int_field(o, base), ret);
	else if (o->type == CONF_COMMAND)
		conf_argv_print(*command_field(o, base), ret);
	else if (*text_field(o, base) != NULL)
		buf_adds(ret, *text_field(o, base));
}

static const char *const texts_allowed[] = {
	[CONF_ROLES] = "a comma list of api, manager and worker, or all",
	[CONF_TEXT] = "any text",
	[CONF_NAME] = "1 to 64 letters, digits, _, . and -",
	[CONF_NAMES] = "a comma list without blanks of at most 64 different "
		       "names of 1 to 64 letters, digits, _, . and -",
	[CONF_ADDR] =
	    "host:port, [IPv6]:port or :port, the port from 0 to 65535",
	[CONF_PG] = "postgresql://user:password@host:port/database",
	[CONF_REDIS] = "redis://user:password@host:port/number or "
		       "unix:///path?db=number",
	[CONF_PATH] = "an absolute path",
	[CONF_RATE] = rate_allowed,
	[CONF_NETS] = "a comma list without blanks of at most 64 addresses and "
		      "networks, such as 10.0.0.0/8 and ::1, and unix",
	[CONF_ORIGINS] = "* or a comma list without blanks of at most 64 "
			 "origins such as https://app.example:8443, in lower "
			 "case and without a path",
	[CONF_COMMAND] =
	    "an absolute path and at most 63 arguments, with double "
	    "quotes around what has blanks",
};

void
conf_value_allowed(const struct conf_option *o, struct buf *ret)
{
	if (is_number(o))
		number_allowed(o, ret);
	else if (o->type == CONF_BOOL)
		word_list(bool_words, ret);
	else if (o->type == CONF_WORD)
		word_list(o->words, ret);
	else
		buf_addf(ret, "%s%s", texts_allowed[o->type],
		    (o->flags & CONF_EMPTY) != 0 && o->type != CONF_TEXT
			? ", or empty"
			: "");
}

void
conf_value_free(const struct conf_option *o, void *base)
{
	if (o->offset == CONF_NO_FIELD || o->type < CONF_TEXT)
		return;
	if (o->type == CONF_COMMAND) {
		conf_argv_free(*command_field(o, base));
		*command_field(o, base) = NULL;
	} else {
		free(*text_field(o, base));
		*text_field(o, base) = NULL;
	}
}
