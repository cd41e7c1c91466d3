/*
 * Every option, once. Flags, environment, file, --help, the manual and the
 * sample come from here; a new option is a row here and a field in struct conf.
 */
#include "base/conf_table.h"

#define S 1000LL
#define MIN (60 * S)
#define H (60 * MIN)
#define D (24 * H)
#define KIB 1024LL
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)

#define API ROLE_API
#define MANAGER ROLE_MANAGER
#define WORKER ROLE_WORKER
#define ALL ROLE_ALL

#define AT(field) offsetof(struct conf, field)
#define IN(field) offsetof(struct conf_handler, field)

static const char *const level_words[] = { "error", "warn", "info", "debug",
	NULL };
static const char *const format_words[] = { "auto", "text", "json", NULL };
static const char *const registration_words[] = { "closed", "open", NULL };
static const char *const kind_words[] = { "exec", "process", NULL };
static const char *const fallback_words[] = { "local", "refuse", NULL };

static const char *const builtins[] = { "noop", "echo", "sleep", "fail",
	"cpu" };

/* clang-format off */
const struct conf_option conf_options[] = {
{ .group = "General",
  .name = "role", .type = CONF_ROLES, .offset = AT(roles), .roles = ALL,
  .text = "What this process does; all is each of the three." },
{ .name = "config", .type = CONF_TEXT, .offset = CONF_NO_FIELD, .roles = ALL,
  .flags = CONF_NO_FILE | CONF_EMPTY, .def = "",
  .text = "The configuration file to read; without it none is read." },
{ .name = "instance_label", .type = CONF_NAME, .offset = AT(instance_label),
  .roles = ALL,
  .text = "A name for this process in logs, metrics and lists of workers; the "
	"host name unless set." },
{ .name = "log_level", .type = CONF_WORD, .offset = AT(log_level),
  .words = level_words, .def = "info", .flags = CONF_RELOAD, .roles = ALL,
  .text = "Messages that are less serious than this are not written." },
{ .name = "log_format", .type = CONF_WORD, .offset = AT(log_format),
  .words = format_words, .def = "auto", .roles = ALL,
  .text = "How a message is written; auto is text on a terminal and json "
	"elsewhere." },

{ .group = "Servers",
  .name = "pg_url", .type = CONF_PG, .offset = AT(pg_url),
  .def = "postgresql://taskflow@127.0.0.1:6432/taskflow",
  .flags = CONF_SECRET, .roles = ALL,
  .text = "The database, by way of PgBouncer." },
{ .name = "pg_direct_url", .type = CONF_PG, .offset = AT(pg_direct_url),
  .def = "", .flags = CONF_SECRET | CONF_EMPTY,
  .text = "The database without PgBouncer in between, for --migrate; pg_url "
	"if empty." },
{ .name = "pg_connections", .type = CONF_INT, .offset = AT(pg_connections),
  .def = "4", .min = 2, .max = 64, .roles = ALL,
  .text = "Connections to the database for this process." },
{ .name = "pg_timeout", .type = CONF_TIME, .offset = AT(pg_timeout_ms),
  .def = "5s", .min = 100, .max = 5 * MIN, .roles = ALL,
  .text = "How long an answer of the database is waited for." },
{ .name = "redis_high_url", .type = CONF_REDIS, .offset = AT(redis_high_url),
  .def = "redis://127.0.0.1:6379/0", .flags = CONF_SECRET, .roles = ALL,
  .text = "The Redis of urgent tasks, heartbeats and the election." },
{ .name = "redis_low_url", .type = CONF_REDIS, .offset = AT(redis_low_url),
  .def = "redis://127.0.0.1:6380/0", .flags = CONF_SECRET, .roles = ALL,
  .text = "The Redis of other tasks, rate limits and caches." },
{ .name = "redis_timeout", .type = CONF_TIME, .offset = AT(redis_timeout_ms),
  .def = "3s", .min = 100, .max = 5 * MIN, .roles = ALL,
  .text = "How long an answer of a Redis is waited for." },

{ .group = "HTTP",
  .name = "listen", .type = CONF_ADDR, .offset = AT(listen),
  .def = "127.0.0.1:8080", .flags = CONF_EMPTY, .roles = API,
  .text = "Where the API listens: host:port, [IPv6]:port, or :port for all "
	"addresses." },
{ .name = "admin_listen", .type = CONF_ADDR, .offset = AT(admin_listen),
  .def = "", .flags = CONF_EMPTY, .roles = ALL,
  .text = "Where /metrics, /livez and /readyz are served besides the API; "
	"nowhere if empty." },
{ .name = "max_body", .type = CONF_SIZE, .offset = AT(max_body),
  .def = "1MiB", .min = KIB, .max = 64 * MIB, .roles = API,
  .text = "The largest body of a request." },
{ .name = "max_header", .type = CONF_SIZE, .offset = AT(max_header),
  .def = "16KiB", .min = KIB, .max = MIB, .roles = ALL,
  .text = "The largest head of a request, its first line included." },
{ .name = "max_connections", .type = CONF_INT, .offset = AT(max_connections),
  .def = "10000", .min = 1, .max = 1000000, .roles = ALL,
  .text = "Client connections at once; one more gets 503, or the place of "
	    "one that is idle for a second." },
{ .name = "request_timeout", .type = CONF_TIME,
  .offset = AT(request_timeout_ms), .def = "30s", .min = 100, .max = H,
  .roles = ALL,
  .text = "How long a client may take to send a request whole." },
{ .name = "idle_timeout", .type = CONF_TIME, .offset = AT(idle_timeout_ms),
  .def = "75s", .min = 100, .max = H, .roles = ALL,
  .text = "How long a connection is kept without a request." },
{ .name = "max_wait", .type = CONF_TIME, .offset = AT(max_wait_ms),
  .def = "60s", .min = 0, .max = H, .roles = API,
  .text = "The longest that Prefer: wait may ask for; 0s refuses to wait." },
{ .name = "stream_heartbeat", .type = CONF_TIME,
  .offset = AT(stream_heartbeat_ms),
  .def = "15s", .min = 100, .max = H, .roles = API,
  .text = "A stream of events says something at least so often." },
{ .name = "stream_patience", .type = CONF_TIME,
  .offset = AT(stream_patience_ms),
  .def = "30s", .min = 100, .max = H, .roles = API,
  .text = "A client that takes nothing of its stream of events for so long is "
	"cut off." },

{ .name = "trusted_proxies", .type = CONF_NETS,
  .offset = AT(trusted_proxies), .def = "", .flags = CONF_EMPTY, .roles = API,
  .text = "Proxies whose X-Forwarded-For and X-Forwarded-Proto are believed; "
	"of others they are ignored." },
{ .name = "cors_origins", .type = CONF_ORIGINS, .offset = AT(cors_origins),
  .def = "", .flags = CONF_EMPTY, .roles = API,
  .text = "Origins whose scripts may call the API from a browser; none if "
	"empty." },
{ .name = "tls_cert", .type = CONF_TEXT, .offset = AT(tls_cert),
  .def = "", .flags = CONF_SECRET | CONF_EMPTY | CONF_RELOAD, .roles = API,
  .text = "The certificate of the API and those between it and its root, in "
	"PEM, by tls_cert_file; empty: plain HTTP." },
{ .name = "tls_key", .type = CONF_TEXT, .offset = AT(tls_key),
  .def = "", .flags = CONF_SECRET | CONF_EMPTY | CONF_RELOAD, .roles = API,
  .text = "The private key of that certificate, in PEM, without a password, by "
	"tls_key_file." },

{ .group = "Access",
  .name = "jwt_secret", .type = CONF_TEXT, .offset = AT(jwt_secret),
  .def = "", .flags = CONF_SECRET | CONF_EMPTY | CONF_RELOAD, .roles = API,
  .text = "The key of login tokens, at least 32 bytes, the same in every API "
	"process, unless a section [jwt_key NAME] has sign = yes." },
{ .name = "jwt_ttl", .type = CONF_TIME, .offset = AT(jwt_ttl_ms),
  .def = "1h", .min = S, .max = 30 * D, .roles = API,
  .text = "How long a login token is valid." },
{ .name = "registration", .type = CONF_WORD, .offset = AT(registration),
  .words = registration_words, .def = "open", .roles = API,
  .text = "Who may create a user with POST /users: anybody if open, "
	"administrators alone if closed." },
{ .name = "lockout_failures", .type = CONF_INT,
  .offset = AT(lockout_failures), .def = "10", .min = 1, .max = 1000000,
  .flags = CONF_ZERO, .roles = API,
  .text = "After so many wrong passwords an account is locked for "
	"lockout_time; 0 never locks." },
{ .name = "lockout_address_failures", .type = CONF_INT,
  .offset = AT(lockout_address_failures), .def = "100", .min = 1,
  .max = 1000000, .flags = CONF_ZERO, .roles = API,
  .text = "After so many wrong passwords from one address, of whatever "
	"accounts, the address is locked; 0 never locks." },
{ .name = "lockout_time", .type = CONF_TIME, .offset = AT(lockout_time_ms),
  .def = "15min", .min = S, .max = 7 * D, .roles = API,
  .text = "How long wrong passwords are counted, and how long a lock "
	"lasts." },
{ .name = "admin_password", .type = CONF_TEXT,
  .offset = AT(admin_password), .def = "",
  .flags = CONF_SECRET | CONF_EMPTY | CONF_NO_FLAG,
  .text = "The password for --create-admin; it is read from standard input "
	"if empty." },

{ .group = "Rate limits",
  .name = "rate_submit", .type = CONF_RATE, .offset = AT(rate_submit),
  .def = "off", .flags = CONF_RELOAD, .roles = API,
  .text = "How many tasks a user may submit or change; an administrator can "
	"give users limits of their own." },
{ .name = "rate_read", .type = CONF_RATE, .offset = AT(rate_read),
  .def = "off", .flags = CONF_RELOAD, .roles = API,
  .text = "How many other requests a user may make." },
{ .name = "rate_timeout", .type = CONF_TIME, .offset = AT(rate_timeout_ms),
  .def = "250ms", .min = 10, .max = MIN, .roles = API,
  .text = "How long a request waits for the Redis that counts it." },
{ .name = "rate_fallback", .type = CONF_WORD, .offset = AT(rate_fallback),
  .words = fallback_words, .def = "local", .roles = API,
  .text = "What if that Redis does not answer: local lets each process count "
	"alone, refuse answers 503." },

{ .group = "Tasks",
  .name = "default_max_attempts", .type = CONF_INT,
  .offset = AT(default_max_attempts), .def = "3", .min = 1, .max = 100,
  .roles = API,
  .text = "How often a task is tried that does not say it itself." },
{ .name = "default_timeout", .type = CONF_TIME,
  .offset = AT(default_timeout_ms), .def = "10min", .min = 100, .max = 30 * D,
  .roles = API | WORKER,
  .text = "How long an attempt may run if neither the task nor its handler "
	"says it." },
{ .name = "retry_base", .type = CONF_TIME, .offset = AT(retry_base_ms),
  .def = "1s", .min = 10, .max = D, .roles = ALL,
  .text = "The pause after the first failed attempt; it doubles with each "
	"further one." },
{ .name = "retry_max", .type = CONF_TIME, .offset = AT(retry_max_ms),
  .def = "10min", .min = 10, .max = 30 * D, .roles = ALL,
  .text = "The longest pause between two attempts." },
{ .name = "retention", .type = CONF_TIME, .offset = AT(retention_ms),
  .def = "30d", .min = D, .max = 3650 * D, .roles = MANAGER,
  .text = "How long tasks and their events are kept." },
{ .name = "idempotency_ttl", .type = CONF_TIME,
  .offset = AT(idempotency_ttl_ms), .def = "1d", .min = S, .max = 30 * D,
  .roles = API,
  .text = "How long a request with an Idempotency-Key is known again." },

{ .group = "Manager",
  .name = "leader_ttl", .type = CONF_TIME, .offset = AT(leader_ttl_ms),
  .def = "10s", .min = 500, .max = 10 * MIN, .roles = MANAGER,
  .text = "How long a leader that falls silent stays the leader." },
{ .name = "leader_renew", .type = CONF_TIME, .offset = AT(leader_renew_ms),
  .def = "3s", .min = 100, .max = 10 * MIN, .roles = MANAGER,
  .text = "How often the leader renews its term; at most a third of "
	"leader_ttl." },
{ .name = "heartbeat_ttl", .type = CONF_TIME, .offset = AT(heartbeat_ttl_ms),
  .def = "10s", .min = 500, .max = 10 * MIN, .roles = MANAGER | WORKER,
  .text = "How long a worker that falls silent counts as alive; the same "
	"everywhere." },
{ .name = "heartbeat_interval", .type = CONF_TIME,
  .offset = AT(heartbeat_interval_ms), .def = "3s", .min = 100,
  .max = 10 * MIN, .roles = WORKER,
  .text = "How often a worker shows that it is alive; at most a third of "
	"heartbeat_ttl." },
{ .name = "schedule_interval", .type = CONF_TIME,
  .offset = AT(schedule_interval_ms), .def = "5s", .min = 100, .max = H,
  .roles = MANAGER,
  .text = "How often, at the least, tasks are looked for that have become "
	"due." },
{ .name = "reconcile_interval", .type = CONF_TIME,
  .offset = AT(reconcile_interval_ms), .def = "30s", .min = 100, .max = D,
  .roles = MANAGER,
  .text = "How often queued tasks are looked for that are in no queue." },
{ .name = "full_pass_interval", .type = CONF_TIME,
  .offset = AT(full_pass_interval_ms), .def = "15min", .min = 100,
  .max = 7 * D, .roles = MANAGER,
  .text = "How often all tasks are looked at and not only new ones." },

{ .group = "Worker",
  .name = "concurrency", .type = CONF_INT, .offset = AT(concurrency),
  .def = "16", .min = 1, .max = 1000, .roles = API | WORKER,
  .text = "Tasks that a worker runs at once; the API has to know it for "
	"GET /autoscaling/{queue}." },
{ .name = "queues", .type = CONF_NAMES, .offset = AT(queues),
  .def = "default", .roles = WORKER,
  .text = "The queues to take tasks from, a comma list." },
{ .name = "low_share", .type = CONF_INT, .offset = AT(low_share),
  .def = "0", .min = 2, .max = 1000, .flags = CONF_ZERO, .roles = WORKER,
  .text = "One in so many takes looks at low priority first; 0 always looks "
	"at high first." },
{ .name = "shutdown_timeout", .type = CONF_TIME,
  .offset = AT(shutdown_timeout_ms), .def = "300s", .min = 0, .max = D,
  .roles = ALL,
  .text = "How long running work may go on after SIGTERM." },
{ .name = "shutdown_delay", .type = CONF_TIME,
  .offset = AT(shutdown_delay_ms), .def = "5s", .min = 0, .max = 10 * MIN,
  .roles = API,
  .text = "How long requests are still accepted after SIGTERM, for a load "
	"balancer to notice that /readyz says no." },
{ .name = "builtin_handlers", .type = CONF_BOOL,
  .offset = AT(builtin_handlers), .def = "yes", .roles = WORKER,
  .text = "Run the task types noop, echo, sleep, fail and cpu, which are for "
	"trying out?" },

{ .group = "Autoscaling",
  .name = "scale_target", .type = CONF_INT, .offset = AT(scale_target),
  .def = "10", .min = 1, .max = 1000000, .roles = API,
  .text = "Ready tasks for which one worker is wanted, in the answer of "
	"GET /autoscaling/{queue}." },
{ .name = "scale_min", .type = CONF_INT, .offset = AT(scale_min),
  .def = "1", .min = 0, .max = 10000, .roles = API,
  .text = "The fewest workers that are ever wanted." },
{ .name = "scale_max", .type = CONF_INT, .offset = AT(scale_max),
  .def = "20", .min = 1, .max = 10000, .roles = API,
  .text = "The most workers that are ever wanted." },
{ .name = NULL }
};

const struct conf_option conf_handler_options[] = {
{ .name = "kind", .type = CONF_WORD, .offset = IN(kind), .words = kind_words,
  .def = "exec", .roles = WORKER,
  .text = "exec starts the program for each task; process starts it once and "
	"sends it one task a line." },
{ .name = "command", .type = CONF_COMMAND, .offset = IN(argv),
  .roles = WORKER,
  .text = "The program by its absolute path, and its arguments; double quotes "
	"keep blanks in one, and there is no shell." },
{ .name = "timeout", .type = CONF_TIME, .offset = IN(timeout_ms),
  .def = "0s", .min = 100, .max = 30 * D, .flags = CONF_ZERO,
  .roles = WORKER,
  .text = "How long an attempt may run at most; a task may ask for less. 0s: "
	"the task alone decides, else default_timeout." },
{ .name = "grace", .type = CONF_TIME, .offset = IN(grace_ms), .def = "5s",
  .min = 0, .max = H, .roles = WORKER,
  .text = "How long after SIGTERM the program is killed." },
{ .name = "concurrency", .type = CONF_INT, .offset = IN(concurrency),
  .def = "0", .min = 0, .max = 1000, .roles = WORKER,
  .text = "Tasks of this type that run at once; 0 is as many as the worker "
	"runs." },
{ .name = "in_flight", .type = CONF_INT, .offset = IN(in_flight),
  .def = "1", .min = 1, .max = 1000, .roles = WORKER,
  .text = "Tasks that one process of the kind process has at once; their "
	"answers may come in any order." },
{ .name = "max_result", .type = CONF_SIZE, .offset = IN(max_result),
  .def = "1MiB", .min = 0, .max = 64 * MIB, .roles = WORKER,
  .text = "Bytes of its output that are kept." },
{ .name = "max_memory", .type = CONF_SIZE, .offset = IN(max_memory),
  .def = "0B", .min = MIB, .max = 1024 * GIB, .flags = CONF_ZERO,
  .roles = WORKER,
  .text = "The address space it may use (RLIMIT_AS); 0B is no limit." },
{ .name = "max_cpu", .type = CONF_SECONDS, .offset = IN(max_cpu_s),
  .def = "0s", .min = 1, .max = 30 * D / S, .flags = CONF_ZERO,
  .roles = WORKER,
  .text = "The processor time it may use (RLIMIT_CPU), in whole seconds; 0s "
	"is no limit." },
{ .name = "user", .type = CONF_NAME, .offset = IN(user), .roles = WORKER,
  .text = "The user it runs as; the user of taskflowd unless set." },
{ .name = "directory", .type = CONF_PATH, .offset = IN(directory),
  .roles = WORKER,
  .text = "The directory it runs in; / unless set." },
{ .name = NULL }
};

const struct conf_action_row conf_actions[] = {
{ "help", CONF_HELP, "Print this list and exit." },
{ "version", CONF_VERSION, "Print the version and exit." },
{ "dump-config", CONF_DUMP,
  "Print every option with its value, secrets masked, and exit." },
{ "check-config", CONF_CHECK,
  "Say whether the configuration is good, and exit." },
{ "list-metrics", CONF_METRICS,
  "Print every metric with its type, roles and labels, and exit." },
{ "migrate", CONF_MIGRATE, "Bring the database up to date, and exit." },
{ "create-admin", CONF_CREATE_ADMIN,
  "EMAIL [USERNAME]: make an administrator, and exit." },
{ NULL, CONF_RUN, NULL }
};
/* clang-format on */

_Static_assert(NELEM(conf_options) <= CONF_OPTIONS_MAX, "raise the limit");

static bool
is_twin(const char *name, const char *option)
{
	size_t len = strlen(option);

	return strncmp(name, option, len) == 0 &&
	    strcmp(name + len, "_file") == 0;
}

const struct conf_option *
conf_find(const struct conf_option *table, const char *name, bool *ret_twin)
{
	const struct conf_option *o;

	for (o = table; o->name != NULL; o++) {
		*ret_twin = false;
		if (strcmp(name, o->name) == 0)
			return o;
		*ret_twin = true;
		if ((o->flags & CONF_SECRET) != 0 && is_twin(name, o->name))
			return o;
	}
	return NULL;
}

bool
conf_is_builtin(const char *task_type)
{
	for (size_t i = 0; i < NELEM(builtins); i++)
		if (strcmp(builtins[i], task_type) == 0)
			return true;
	return false;
}
