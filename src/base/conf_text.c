/* The values that are texts: names, addresses, URLs, commands. */
#include <ctype.h>
#include <stdlib.h>

#include "base/conf_table.h"
#include "base/net.h"
#include "base/rate.h"

#define NAME_MAX_LEN 64
#define NAMES_MAX 64
#define ARGS_MAX 64
#define PORT_MAX 65535
#define TEXT_MAX (64 * 1024)

static bool
is_name_of(const char *s, size_t len)
{
	if (len == 0 || len > NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '_' &&
		    s[i] != '.' && s[i] != '-')
			return false;
	return true;
}

bool
conf_is_name(const char *s)
{
	return is_name_of(s, strlen(s));
}

/* Does name stand in the list before end? */
static bool
is_listed(const char *list, const char *end, const char *name, size_t len)
{
	size_t n;

	for (; list < end; list += n + 1) {
		n = strcspn(list, ",");
		if (n == len && memcmp(list, name, len) == 0)
			return true;
	}
	return false;
}

static bool
are_names(const char *list, const char **why)
{
	const char *p;
	size_t len, n = 0;

	for (p = list;; p += len + 1) {
		len = strcspn(p, ",");
		*why = "a name in it is not good";
		if (!is_name_of(p, len))
			return false;
		*why = "a name is in it twice";
		if (is_listed(list, p, p, len))
			return false;
		*why = "it has too many names";
		if (++n > NAMES_MAX)
			return false;
		if (p[len] == '\0')
			return true;
	}
}

static bool
is_port(const char *s)
{
	long port = 0;
	size_t i;

	for (i = 0; i < 5 && isdigit((unsigned char)s[i]); i++)
		port = port * 10 + (s[i] - '0');
	return i > 0 && s[i] == '\0' && port <= PORT_MAX;
}

/* The host is looked up later; here it only must not hide another part. */
static bool
is_addr(const char *s, const char **why)
{
	const char *port;
	size_t host;

	if (*s == '[') {
		host = strspn(s + 1, "0123456789abcdefABCDEF:.%") + 1;
		*why = "the bracket is not closed";
		if (s[host] != ']')
			return false;
		port = s + host + 1;
	} else {
		host = strcspn(s, ":/?#@[] \t");
		port = s + host;
	}
	*why = "it has no port";
	if (*port != ':')
		return false;
	*why = "its port is not good";
	return is_port(port + 1);
}

static bool
is_url(const char *s, const char *const *schemes, const char **why)
{
	size_t i, len;

	*why = "it has a blank or a control character";
	for (i = 0; s[i] != '\0'; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == 0x7f)
			return false;
	*why = "its scheme is not known";
	for (i = 0; schemes[i] != NULL; i++) {
		len = strlen(schemes[i]);
		if (strncmp(s, schemes[i], len) == 0 && s[len] != '\0')
			return true;
	}
	return false;
}

static const char *const pg_schemes[] = { "postgresql://", "postgres://",
	NULL };
static const char *const redis_schemes[] = { "redis://", "unix:///", NULL };

/* scheme "://" host [":" port], as a browser writes it. */
static bool
is_origin(const char *s, size_t len)
{
	static const char host_bytes[] =
	    "abcdefghijklmnopqrstuvwxyz0123456789.-_";
	const char *end = s + len, *p = s;
	size_t i;

	while (p < end &&
	    (islower((unsigned char)*p) || isdigit((unsigned char)*p)))
		p++;
	if (p == s || end - p < 4 || memcmp(p, "://", 3) != 0)
		return false;
	p += 3;
	if (*p == '[') {
		i = strspn(p + 1, "0123456789abcdef:.");
		if (i == 0 || p + 1 + i >= end || p[1 + i] != ']')
			return false;
		p += i + 2;
	} else {
		i = strspn(p, host_bytes);
		if (i == 0)
			return false;
		p += i;
	}
	if (p >= end)
		return p == end;
	for (i = 1; p + i < end && i <= 5; i++)
		if (!isdigit((unsigned char)p[i]))
			return false;
	return *p == ':' && i > 1 && p + i == end;
}

static bool
are_origins(const char *list, const char **why)
{
	size_t len, n = 0;

	for (;; list += len + 1) {
		len = strcspn(list, ",");
		*why = "an origin in it is not good";
		if (!is_origin(list, len))
			return false;
		*why = "it has too many origins";
		if (++n > NAMES_MAX)
			return false;
		if (list[len] == '\0')
			return true;
	}
}

bool
conf_text_check(const struct conf_option *o, const char *s, const char **why)
{
	struct net_list nets;
	struct rate rate;

	*why = "it is too long";
	if (strlen(s) > TEXT_MAX)
		return false;
	*why = "it is empty";
	if (*s == '\0')
		return (o->flags & CONF_EMPTY) != 0;
	*why = "";
	switch (o->type) {
	case CONF_NAME:
		return conf_is_name(s);
	case CONF_NAMES:
		return are_names(s, why);
	case CONF_ADDR:
		return is_addr(s, why);
	case CONF_PG:
		return is_url(s, pg_schemes, why);
	case CONF_REDIS:
		return is_url(s, redis_schemes, why);
	case CONF_PATH:
		return *s == '/';
	case CONF_RATE:
		return rate_parse(s, &rate, why);
	case CONF_NETS:
		return net_list_parse(s, &nets, why);
	case CONF_ORIGINS:
		return strcmp(s, "*") == 0 || are_origins(s, why);
	default:
		return true;
	}
}

/* ---- commands ---- */

void
conf_argv_free(char **argv)
{
	for (size_t i = 0; argv != NULL && argv[i] != NULL; i++)
		free(argv[i]);
	free(argv);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* One argument from *p on, without its quotes; NULL: a quote is left open. */
static char *
argv_arg(const char **p)
{
	char *arg = xmalloc(strlen(*p) + 1), *out = arg;
	bool quoted = false;

	for (; **p != '\0' && (quoted || !is_blank(**p)); ++*p) {
		if (**p == '"')
			quoted = !quoted;
		else
			*out++ = **p;
	}
	*out = '\0';
	if (!quoted)
		return arg;
	free(arg);
	return NULL;
}

static bool
argv_fill(const char *text, char **argv, const char **why)
{
	size_t n = 0;

	for (;;) {
		while (is_blank(*text))
			text++;
		if (*text == '\0')
			break;
		*why = "it has too many arguments";
		if (n == ARGS_MAX)
			return false;
		*why = "a double quote is not closed";
		argv[n] = argv_arg(&text);
		if (argv[n++] == NULL)
			return false;
	}
	*why = "it does not begin with /";
	return n > 0 && argv[0][0] == '/';
}

char **
conf_argv_split(const char *text, const char **ret_why)
{
	char **argv = xcalloc(ARGS_MAX + 1, sizeof(*argv));

	if (argv_fill(text, argv, ret_why))
		return argv;
	conf_argv_free(argv);
	return NULL;
}

void
conf_argv_print(char *const *argv, struct buf *ret)
{
	const char *quote;

	for (size_t i = 0; argv != NULL && argv[i] != NULL; i++) {
		quote = argv[i][strcspn(argv[i], " \t")] != '\0' ||
			argv[i][0] == '\0'
		    ? "\""
		    : "";
		buf_addf(
		    ret, "%s%s%s%s", i == 0 ? "" : " ", quote, argv[i], quote);
	}
}
