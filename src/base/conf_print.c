/* The table, for people: --help, --dump-config, the sample and the manual. */
#include "base/conf_table.h"

#define WIDTH 80
#define ABOUT_MAX 4096

/* Words of text in lines that begin with prefix. */
static void
print_wrapped(FILE *out, const char *prefix, const char *text)
{
	size_t column = 0, len;

	for (; *text != '\0'; text += len) {
		while (*text == ' ')
			text++;
		len = strcspn(text, " ");
		if (column > 0 && column + 1 + len > WIDTH - 1) {
			fputc('\n', out);
			column = 0;
		}
		fputs(column == 0 ? prefix : " ", out);
		fprintf(out, "%.*s", (int)len, text);
		column += (column == 0 ? strlen(prefix) : 1) + len;
	}
	fputc('\n', out);
}

static void
add_roles(struct buf *b, unsigned roles)
{
	static const char *const names[] = { "api", "manager", "worker" };
	const char *comma = "";

	if (roles == ROLE_ALL)
		buf_adds(b, "all roles");
	for (size_t i = 0; i < NELEM(names) && roles != ROLE_ALL; i++)
		if ((roles & 1u << i) != 0) {
			buf_addf(b, "%s%s", comma, names[i]);
			comma = ", ";
		}
	if (roles == 0)
		buf_adds(b, "--migrate");
}

/* All that the table says, one sentence after the other. */
static void
add_about(struct buf *b, const struct conf_option *o, char between)
{
	buf_addf(b, "%s%cAllowed: ", o->text, between);
	conf_value_allowed(o, b);
	buf_addf(b, ".%cUsed by: ", between);
	add_roles(b, o->roles);
	buf_adds(b, ".");
	if ((o->flags & CONF_SECRET) != 0)
		buf_addf(b, "%cSecret: %s_file names a file that has it.",
		    between, o->name);
	if ((o->flags & CONF_RELOAD) != 0)
		buf_addf(b, "%cSIGHUP reloads it.", between);
}

static void
print_about(FILE *out, const char *prefix, const struct conf_option *o)
{
	struct buf b;

	buf_init(&b, ABOUT_MAX);
	add_about(&b, o, ' ');
	print_wrapped(out, prefix, b.data);
	buf_fini(&b);
}

/* ---- help ---- */

static void
print_flag(FILE *out, const char *name)
{
	fputs("  --", out);
	for (; *name != '\0'; name++)
		fputc(*name == '_' ? '-' : *name, out);
}

static void
help_option(FILE *out, const struct conf_option *o)
{
	if (o->group != NULL)
		fprintf(out, "\n%s:\n", o->group);
	print_flag(out, o->name);
	fputs("=VALUE", out);
	if (o->def != NULL && *o->def != '\0')
		fprintf(out, "  (%s)", o->def);
	fputc('\n', out);
	print_about(out, "        ", o);
}

static void
help_section(FILE *out, const struct conf_option *o)
{
	for (; o->name != NULL; o++) {
		fprintf(out, "  %s = VALUE", o->name);
		if (o->def != NULL && *o->def != '\0')
			fprintf(out, "  (%s)", o->def);
		fputc('\n', out);
		print_about(out, "        ", o);
	}
}

void
conf_help(FILE *out)
{
	const struct conf_action_row *a;
	const struct conf_option *o;

	fputs("Usage: taskflowd --role=LIST [--NAME=VALUE ...]\n"
	      "       taskflowd ACTION [--NAME=VALUE ...]\n\nActions:\n",
	    out);
	for (a = conf_actions; a->name != NULL; a++)
		fprintf(out, "  --%-14s %s\n", a->name, a->text);
	fputs("\nAn option --a-name is TASKFLOW_A_NAME in the environment and "
	      "a_name in the\nfile of --config. A flag wins over the "
	      "environment, and that over the file.\nIn parentheses: the "
	      "default.\n",
	    out);
	for (o = conf_options; o->name != NULL; o++)
		help_option(out, o);
	fputs("\nIn a section [handler NAME] of the file, for tasks of the "
	      "type NAME:\n",
	    out);
	help_section(out, conf_handler_options);
	fputs("\nIn a section [jwt_key NAME] of the file, for tokens whose kid "
	      "is NAME:\n",
	    out);
	help_section(out, conf_jwt_key_options);
}

/* ---- dump ---- */

static void
dump_option(FILE *out, const struct conf_option *o, const void *base)
{
	struct buf b;

	if (o->offset == CONF_NO_FIELD)
		return;
	buf_init(&b, SIZE_MAX);
	conf_value_get(o, base, &b);
	if (b.len == 0) /* unset; where empty is refused, a comment says so */
		fprintf(out, "%s%s =\n",
		    (o->flags & CONF_EMPTY) != 0 ? "" : "# ", o->name);
	else
		fprintf(out, "%s = %s\n", o->name,
		    (o->flags & CONF_SECRET) != 0 ? "***" : b.data);
	buf_fini(&b);
}

void
conf_dump(const struct conf *c, FILE *out)
{
	const struct conf_handler *h;
	const struct conf_jwt_key *k;
	const struct conf_option *o;

	for (o = conf_options; o->name != NULL; o++)
		dump_option(out, o, c);
	for (h = c->handlers; h != NULL; h = h->next) {
		fprintf(out, "\n[handler %s]\n", h->name);
		for (o = conf_handler_options; o->name != NULL; o++)
			dump_option(out, o, h);
	}
	for (k = c->jwt_keys; k != NULL; k = k->next) {
		fprintf(out, "\n[jwt_key %s]\n", k->name);
		for (o = conf_jwt_key_options; o->name != NULL; o++)
			dump_option(out, o, k);
	}
}

/* ---- sample ---- */

static const char sample_head[] =
    "# taskflowd.conf -- see taskflowd.conf(5). Made by `make conf` from the\n"
    "# table of options. What is commented out shows the default, or an\n"
    "# example where there is none.\n"
    "#\n"
    "# A line is KEY = VALUE. Blanks around both are dropped, quotes are not.\n"
    "# A comment has its line to itself. Durations have a unit: ms, s, min, h\n"
    "# or d; sizes: B, KiB, MiB or GiB. `include = PATH` reads another file\n"
    "# here, PATH relative to this one; what is read later wins. TASKFLOW_KEY\n"
    "# in the environment wins over the file, and --key over both.\n";

static const char sample_handlers[] =
    "\n# ---- Handlers ----\n\n"
    "# A section for each task type; the type is its name. After a section, a\n"
    "# line [taskflowd] goes back to the options above; a file begins there.\n"
    "\n#[handler thumbnail]\n";

static const char sample_keys[] =
    "\n# ---- Keys of tokens ----\n\n"
    "# A section for each key; its name is the kid of its tokens.\n"
    "\n#[jwt_key 2027]\n";

static void
sample_option(FILE *out, const struct conf_option *o, const char *value)
{
	if (o->group != NULL)
		fprintf(out, "\n# ---- %s ----\n", o->group);
	fputc('\n', out);
	print_about(out, "# ", o);
	fprintf(out, "#%s =%s%s\n", o->name, *value == '\0' ? "" : " ", value);
}

/* What has no default gets an example. */
static const char *
example_of(const struct conf_option *o)
{
	if (o->def != NULL)
		return o->def;
	switch (o->type) {
	case CONF_ROLES:
		return "all";
	case CONF_COMMAND:
		return "/usr/local/bin/thumbnail --title \"a small picture\"";
	case CONF_TIME:
		return "10min";
	case CONF_PATH:
		return "/";
	default:
		return strcmp(o->name, "user") == 0 ? "nobody" : "host-1";
	}
}

void
conf_sample(FILE *out)
{
	const struct conf_option *o;

	fputs(sample_head, out);
	for (o = conf_options; o->name != NULL; o++)
		if ((o->flags & CONF_NO_FILE) == 0)
			sample_option(out, o, example_of(o));
	fputs(sample_handlers, out);
	for (o = conf_handler_options; o->name != NULL; o++)
		sample_option(out, o, example_of(o));
	fputs(sample_keys, out);
	for (o = conf_jwt_key_options; o->name != NULL; o++)
		sample_option(out, o, example_of(o));
}

/* Three processes on one machine need three of each. */
static bool
is_own(const char *name)
{
	return strcmp(name, "admin_listen") == 0 ||
	    strcmp(name, "instance_label") == 0;
}

void
conf_sample_role(FILE *out, unsigned role)
{
	const struct conf_option *o;
	struct buf name;

	buf_init(&name, 64);
	add_roles(&name, role);
	fprintf(out,
	    "# %s.conf -- for a process with --role=%s; see "
	    "taskflowd.conf(5).\n"
	    "# Made by `make conf` from the table of options: those that only "
	    "some roles\n"
	    "# use, this one among them, and those that differ from process "
	    "to process.\n"
	    "# What is commented out shows the default, or an example.\n\n"
	    "# What all roles share. What follows wins over it.\n"
	    "include = taskflowd.conf\n",
	    name.data, name.data);
	for (o = conf_options; o->name != NULL; o++)
		if (!(o->flags & CONF_NO_FILE) && (o->roles & role) != 0 &&
		    (o->roles != ROLE_ALL || is_own(o->name)))
			sample_option(out, o, example_of(o));
	if (role == ROLE_WORKER) {
		fputs(sample_handlers, out);
		for (o = conf_handler_options; o->name != NULL; o++)
			sample_option(out, o, example_of(o));
	}
	buf_fini(&name);
}

/* ---- manual ---- */

/* No line of it begins with a dot or a quote, which mdoc would obey. */
static void
mdoc_text(FILE *out, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
	fputc('\n', out);
}

static void
mdoc_option(FILE *out, const struct conf_option *o)
{
	struct buf b;

	fprintf(out, ".It Ic %s Cm =", o->name);
	if (o->def != NULL && *o->def != '\0')
		fprintf(out, " Ar %s", o->def);
	fputc('\n', out);
	buf_init(&b, ABOUT_MAX);
	add_about(&b, o, '\n');
	mdoc_text(out, b.data);
	buf_fini(&b);
}

static void
mdoc_table(FILE *out, const struct conf_option *table)
{
	const struct conf_option *o;

	for (o = table; o->name != NULL; o++) {
		if (o->group != NULL && o != table)
			fputs(".El\n", out);
		if (o->group != NULL)
			fprintf(out, ".Ss %s\n", o->group);
		if (o->group != NULL || o == table)
			fputs(".Bl -tag -width Ds\n", out);
		mdoc_option(out, o);
	}
	fputs(".El\n", out);
}

void
conf_mdoc(FILE *out)
{
	mdoc_table(out, conf_options);
	fputs(".Ss Handlers\nIn a section\n.Ic \"[handler NAME]\" :\n", out);
	mdoc_table(out, conf_handler_options);
	fputs(".Ss Keys of tokens\nIn a section\n.Ic \"[jwt_key NAME]\" :\n",
	    out);
	mdoc_table(out, conf_jwt_key_options);
}
