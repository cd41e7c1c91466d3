#ifndef TASKFLOW_BASE_CONF_TABLE_H
#define TASKFLOW_BASE_CONF_TABLE_H

/*
 * For src/base/conf*.c (and their tests) alone: the table of options, the
 * types of their values, and the reader that the sources share.
 */
#include "base/conf.h"
#include "base/mem.h"

enum conf_type {
	CONF_ROLES,	/* int64_t of enum role_bit */
	CONF_WORD,	/* int64_t: an index into words */
	CONF_BOOL,	/* int64_t */
	CONF_INT,	/* int64_t */
	CONF_TIME,	/* int64_t of milliseconds */
	CONF_SECONDS,	/* int64_t of seconds, written like CONF_TIME */
	CONF_SIZE,	/* int64_t of bytes */
	/* From here on the field is memory of its own. */
	CONF_TEXT,	/* char *: any */
	CONF_NAME,	/* char *: [A-Za-z0-9_.-]{1,64} */
	CONF_NAMES,	/* char *: a comma list of them */
	CONF_ADDR,	/* char *: host:port */
	CONF_PG,	/* char *: postgresql:// */
	CONF_REDIS,	/* char *: redis:// or unix:// */
	CONF_PATH,	/* char *: absolute */
	CONF_RATE,	/* char *: as rate_parse takes it */
	CONF_NETS,	/* char *: as net_list_parse takes it */
	CONF_ORIGINS,	/* char *: a comma list of origins, or * */
	CONF_COMMAND	/* char **: an absolute path and its arguments */
};

enum conf_flag {
	CONF_SECRET = 1, /* has a _file twin, is never printed */
	CONF_RELOAD = 2, /* SIGHUP may change it */
	CONF_ZERO = 4,	 /* 0 is allowed besides min to max */
	CONF_EMPTY = 8,	 /* "" is allowed */
	CONF_NO_FILE = 16, /* not in a file */
	CONF_NO_FLAG = 32 /* not by its value on the command line, where all
			   * users of the machine would see it */
};

#define CONF_NO_FIELD	SIZE_MAX

struct conf_option {
	const char	  *name;
	enum conf_type	   type;
	size_t		   offset;	/* in struct conf or conf_handler */
	const char	  *def;		/* as in the file; NULL: none */
	int64_t		   min, max;	/* in the unit of the field */
	const char *const *words;	/* CONF_WORD: ends with NULL */
	unsigned	   flags;
	unsigned	   roles;	/* who uses it; 0: --migrate */
	const char	  *text;	/* one sentence */
	const char	  *group;	/* set where a new one begins */
};

/* Each ends with a row without a name. */
extern const struct conf_option conf_options[];
extern const struct conf_option conf_handler_options[];
extern const struct conf_option conf_jwt_key_options[];
#define CONF_OPTIONS_MAX	64

struct conf_action_row {
	const char	*name;		/* without the dashes */
	enum conf_action action;
	const char	*text;
};
extern const struct conf_action_row conf_actions[];

/* The option of that name, or whose _file twin it is (*ret_twin). Names are as
 * in the file; NULL: there is none. */
const struct conf_option *conf_find(const struct conf_option *table,
    const char *name, bool *ret_twin);
/* Is it the name of a handler that is built in? */
bool conf_is_builtin(const char *task_type);
bool conf_is_name(const char *);

/* ---- values (conf_value.c) ---- */

/* Parse text into the field of base. On failure false, nothing is changed, and
 * why is static text ("" if the allowed values say it all). */
bool conf_value_set(const struct conf_option *, void *base, const char *text,
    const char **ret_why);
/* As it would stand in a file; secrets are not masked. */
void conf_value_get(const struct conf_option *, const void *base,
    struct buf *ret);
/* What is allowed, such as "a duration from 100ms to 5min, ...". */
void conf_value_allowed(const struct conf_option *, struct buf *ret);
void conf_value_free(const struct conf_option *, void *base);

/* ---- texts among them (conf_text.c) ---- */

bool conf_text_check(const struct conf_option *, const char *text,
    const char **ret_why);
/* Split at blanks, double quotes keep them. NULL: why is set. */
char **conf_argv_split(const char *text, const char **ret_why);
void conf_argv_print(char *const *argv, struct buf *ret);
void conf_argv_free(char **argv);

/* ---- reading (conf.c, conf_file.c) ---- */

struct conf_reader {
	struct conf *conf;
	char	    *err;
	size_t	     err_size;
	unsigned     depth;	/* of the file that is read */
	char	  *(*get)(const char *); /* getenv; NULL: no environment */
};

/* Write the one line of failure; always false. */
bool conf_fail(struct conf_reader *, const char *fmt, ...) PRINTF(2, 3);
/* Set an option, or read its value from a file if twin. where: such as
 * "TASKFLOW_PG_URL" or "x.conf:3"; dir: what a relative path starts from. */
bool conf_set(struct conf_reader *, const struct conf_option *, void *base,
    const char *value, bool twin, const char *where, const char *dir);
/* The command line: first what to do and where the file is, then, over all
 * others, the values. */
struct conf_args {
	char **next, **end;
};
bool conf_scan_flags(struct conf_reader *, struct conf_args, enum conf_action *,
    const char **ret_config);
bool conf_read_flags(struct conf_reader *, struct conf_args);
bool conf_read_file(struct conf_reader *, const char *path, const char *where);
/* The same for a text that was read already; it is changed. */
bool conf_read_text(struct conf_reader *, const char *path, char *text);
/* A whole file of at most max bytes, without NUL bytes. NULL: failed. */
char *conf_slurp(struct conf_reader *, const char *path, size_t max,
    const char *where);
/* path, or dir/path if it is relative; the caller frees it. */
char *conf_path(const char *dir, const char *path);
#define CONF_NAME_SIZE	64
/* The known name that is closest: a key of the table, or, if flag, a flag or an
 * action without its dashes in front. */
void conf_nearest(const struct conf_option *table, bool flag, const char *name,
    char ret[CONF_NAME_SIZE]);
void conf_handler_free(struct conf_handler *);
void conf_jwt_keys_free(struct conf_jwt_key *);	/* the whole list */

#endif
