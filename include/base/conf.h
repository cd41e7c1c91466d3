#ifndef TASKFLOW_BASE_CONF_H
#define TASKFLOW_BASE_CONF_H

/*
 * Configuration. One table (src/base/conf_table.c) describes every option; the
 * flags, the environment, the file, --help, --dump-config and the option list
 * of the manual come from it. Later sources win:
 *
 *	default < file (and its includes) < TASKFLOW_NAME < --name=value
 *
 * `name_file` instead of `name` reads a secret from a file (its trailing line
 * break is dropped; a relative path starts from the file it is written in, or
 * from the working directory; ${CREDENTIALS_DIRECTORY} at its beginning is the
 * folder that systemd's LoadCredential= makes). Sections `[handler NAME]` map a
 * task type to a program, `[jwt_key NAME]` are keys of tokens. An empty
 * environment variable is as good as none, and one that is no option is not
 * ours.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/log.h"

enum role_bit { ROLE_API = 1, ROLE_MANAGER = 2, ROLE_WORKER = 4, ROLE_ALL = 7 };

/* How requests are charged while redis-low does not answer: each process for
 * itself, or not at all. */
enum rate_fallback { RATE_LOCAL, RATE_REFUSE };

/* How a task of a type is run; what is set in a [handler NAME] section. */
enum handler_kind { HANDLER_EXEC, HANDLER_PROCESS };

struct conf_handler {
	struct conf_handler *next;
	char		    *name;	/* the task type */
	int64_t		     kind;	/* of enum handler_kind */
	char		   **argv;	/* command, split at blanks; no shell */
	int64_t		     timeout_ms; /* default_timeout unless told */
	int64_t		     grace_ms;	/* between SIGTERM and SIGKILL */
	int64_t		     concurrency; /* at most at once; 0: the worker's */
	int64_t		     in_flight;	/* of them in one process */
	int64_t		     max_result; /* bytes of output that are kept */
	int64_t		     max_memory; /* RLIMIT_AS in bytes; 0: no limit */
	int64_t		     max_cpu_s;	/* RLIMIT_CPU in seconds; 0: no limit */
	char		    *user;	/* run as; NULL: as we are */
	char		    *directory;	/* working directory; NULL: "/" */
};

/* A key of tokens; what is set in a [jwt_key NAME] section. */
enum token_alg { TOKEN_HS256, TOKEN_RS256, TOKEN_ES256 };

struct conf_jwt_key {
	struct conf_jwt_key *next;
	char		    *name;	/* kid, the name in a token's head */
	int64_t		     alg;	/* of enum token_alg; it has no other */
	char		    *secret;	/* HS256 */
	char		    *public_key; /* RS256, ES256: PEM */
	char		    *issuer, *audience; /* "" is not looked at */
	char		    *user_claim; /* has the user's id */
	int64_t		     sign;	/* bool: login signs with it */
};

/* Strings are never NULL (an unset one is ""), and owned by the struct. */
struct conf {
	int64_t	roles;			/* of enum role_bit; 0: none given */
	char   *instance_label;		/* host name unless told */
	int64_t	log_level, log_format;

	/* servers */
	char   *pg_url, *pg_direct_url;
	int64_t	pg_connections, pg_timeout_ms;
	char   *redis_high_url, *redis_low_url;
	int64_t	redis_timeout_ms;

	/* HTTP */
	char   *listen, *admin_listen;	/* host:port, [v6]:port; "" none */
	int64_t	max_body, max_header, max_connections;
	int64_t	request_timeout_ms, idle_timeout_ms, max_wait_ms;
	int64_t	stream_heartbeat_ms, stream_patience_ms;
	char   *trusted_proxies, *cors_origins;	/* comma lists */
	char   *tls_cert, *tls_key;	/* PEM; "": plain HTTP */

	/* access */
	char   *jwt_secret;
	int64_t	jwt_ttl_ms;
	int64_t	registration;		/* may anybody POST /users? 0: closed */
	int64_t	lockout_failures, lockout_address_failures; /* 0: no limit */
	int64_t	lockout_time_ms;
	char   *admin_password;		/* for --create-admin; "" none */

	/* rate limits */
	char   *rate_submit, *rate_read;	/* base/rate.h */
	int64_t	rate_timeout_ms;
	int64_t	rate_fallback;		/* of enum rate_fallback */

	/* tasks */
	int64_t	default_max_attempts, default_timeout_ms;
	int64_t	retry_base_ms, retry_max_ms;
	int64_t	retention_ms;
	int64_t	idempotency_ttl_ms;

	/* manager */
	int64_t	leader_ttl_ms, leader_renew_ms;
	int64_t	heartbeat_ttl_ms, heartbeat_interval_ms;
	int64_t	schedule_interval_ms, reconcile_interval_ms;
	int64_t	full_pass_interval_ms;

	/* worker */
	int64_t	concurrency;
	char   *queues;			/* comma list of queue names */
	int64_t	low_share;		/* 1 in so many takes: low first */
	int64_t	shutdown_timeout_ms, shutdown_delay_ms;
	int64_t	builtin_handlers;	/* bool: noop, echo, sleep, fail, cpu */

	/* autoscaling */
	int64_t	scale_target, scale_min, scale_max;

	struct conf_handler *handlers;	/* in the order of the file */
	/* Of --create-admin, borrowed from argv; NULL: none. */
	const char *admin_email, *admin_username;
	struct conf_jwt_key *jwt_keys;
};

enum conf_action {
	CONF_RUN, CONF_HELP, CONF_VERSION, CONF_DUMP, CONF_CHECK, CONF_MIGRATE,
	CONF_CREATE_ADMIN, CONF_METRICS
};

/*
 * Read all sources. On success *ret holds the configuration and *ret_action
 * what the command line asks for. On failure: false, nothing to free, and one
 * line (no line break) in err that names the option, the value, where it stands
 * and what is allowed. getenv_fn is getenv, or a test's own. For CONF_HELP and
 * CONF_VERSION only the defaults are set.
 */
bool conf_load(int argc, char **argv, char *(*getenv_fn)(const char *),
    struct conf *ret, enum conf_action *ret_action, char *err, size_t err_size);

/* What the roles need beyond single values: a role, a JWT secret of at least 32
 * bytes and an address for the API, something to run for the worker, heartbeat
 * and renewal at most a third of their TTL, ... False and one line in err, as
 * above. */
bool conf_check(const struct conf *, unsigned roles, char *err,
    size_t err_size);

/* Take from fresh (which changes) what may change without a restart. ret_stuck:
 * a comma list of the options that differ all the same and need one, "" if there
 * is none. */
void conf_reload(struct conf *running, struct conf *fresh,
    char *ret_stuck, size_t size);

void conf_free(struct conf *);

/* The option list, for --help. */
void conf_help(FILE *);
/* Every option with its value, in the format of the file; secrets as "***". */
void conf_dump(const struct conf *, FILE *);
/* A commented sample file with the defaults, for conf/taskflowd.conf. */
void conf_sample(FILE *);
/* One for a role alone (a name such as "api"): it includes taskflowd.conf and
 * has what only this role uses, or what each process has for itself. */
void conf_sample_role(FILE *, unsigned role);
/* The option list of taskflowd.conf(5), in mdoc. */
void conf_mdoc(FILE *);

/* Parse "api,worker" or "all" to role bits; 0: bad. */
unsigned conf_parse_roles(const char *);

#endif
