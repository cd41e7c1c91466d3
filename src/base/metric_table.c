/* The table of base/metric_table.h as data: what the values of labels are
 * called, and lists for people. */
#include "base/metric.h"
#include "metric_private.h"

/* ---- bounds of buckets ---- */
static const int64_t bounds_SHORT[METRIC_BUCKETS] = { 100, 250, 500, 1000, 2500,
	5000, 10000, 25000, 50000, 100000, 500000, 1000000, 5000000, 30000000 };
static const int64_t bounds_LONG[METRIC_BUCKETS] = { 1000, 5000, 10000, 50000,
	100000, 500000, 1000000, 5000000, 10000000, 30000000, 60000000,
	300000000, 1800000000, 3600000000 };
static const int64_t bounds_SIZES[METRIC_BUCKETS] = { 1, 2, 4, 8, 16, 32, 64,
	100, 150, 200, 300, 500, 750, 1000 };
#define bounds_NONE NULL

#define ROLE_BITS_ALL ROLE_ALL
#define ROLE_BITS_API ROLE_API
#define ROLE_BITS_WORKER ROLE_WORKER
#define ROLE_BITS_MANAGER ROLE_MANAGER

const struct metric_row metric_rows[METRIC_ROWS] = {
#define M(id, the_name, the_type, bound, role, set1, set2, the_help) \
	{ .name = (the_name),                                        \
		.help = (the_help),                                  \
		.type = METRIC_##the_type,                           \
		.bounds = bounds_##bound,                            \
		.roles = ROLE_BITS_##role,                           \
		.set = { SET_##set1, SET_##set2 },                   \
		.first = METRIC_##id },
	METRIC_TABLE(M)
#undef M
};

/* ---- values of labels ---- */
static const char *route_method[METRIC_ROUTES] = { "none" };
static const char *route_path[METRIC_ROUTES] = { "none" };

void
metric_routes_reset(void)
{
	for (int i = 1; i < METRIC_ROUTES; i++)
		route_method[i] = route_path[i] = NULL;
}

unsigned
metric_route(const char *method, const char *path)
{
	for (unsigned i = 1; i < METRIC_ROUTES; i++) {
		if (route_path[i] == NULL) {
			route_method[i] = method;
			route_path[i] = path;
			return i;
		}
		if (strcmp(route_path[i], path) == 0 &&
		    strcmp(route_method[i], method) == 0)
			return i;
	}
	return 0;
}

static const char *
value_route(unsigned i, const char **ret_path)
{
	*ret_path = route_path[i];
	return route_method[i];
}

static const char *
value_reason(unsigned i, const char **ret_value2)
{
	static const char *const names[] = { "request-timeout",
		"expectation-failed", "not-implemented", "http-version" };

	(void)ret_value2;
	if (i == OK)
		return NULL;
	return i < ERR_MAX ? err_name((enum err)i) : names[i - ERR_MAX];
}

#define VALUES(set, ...)                                                    \
	static const char *value_##set(unsigned i, const char **ret_value2) \
	{                                                                   \
		static const char *const names[] = { __VA_ARGS__ };         \
                                                                            \
		(void)ret_value2;                                           \
		return names[i];                                            \
	}
VALUES(none, "")
VALUES(status, "2xx", "3xx", "4xx", "5xx")
VALUES(priority, "low", "high")
VALUES(outcome, "completed", "failed", "retried", "interrupted", "released",
    "cancelled", "other")
VALUES(exit, "ok", "data_error", "status", "signal", "timeout", "interrupted",
    "bad_line", "not_started")
VALUES(recovery, "dead_worker", "orphan")
VALUES(class, "write", "read")
VALUES(hand, "taken", "claiming", "running", "ended")
VALUES(limit, "counted_locally", "unavailable", "limited")

const struct metric_set_def metric_sets[METRIC_SETS] = {
	[SET_NONE] = { NULL, NULL, N_SET_NONE, value_none },
	[SET_ROUTE] = { "method", "route", N_SET_ROUTE, value_route },
	[SET_STATUS] = { "status", NULL, N_SET_STATUS, value_status },
	[SET_REASON] = { "reason", NULL, N_SET_REASON, value_reason },
	[SET_PRIORITY] = { "priority", NULL, N_SET_PRIORITY, value_priority },
	[SET_OUTCOME] = { "outcome", NULL, N_SET_OUTCOME, value_outcome },
	[SET_EXIT] = { "how", NULL, N_SET_EXIT, value_exit },
	[SET_RECOVERY] = { "cause", NULL, N_SET_RECOVERY, value_recovery },
	[SET_CLASS] = { "class", NULL, N_SET_CLASS, value_class },
	[SET_SERVER] = { "server", NULL, N_SET_SERVER, value_priority },
	[SET_HAND] = { "state", NULL, N_SET_HAND, value_hand },
	[SET_VERSION] = { "version", NULL, N_SET_VERSION, value_none },
	[SET_QUEUE] = { "queue", NULL, N_SET_QUEUE, value_none },
	[SET_LIMIT] = { "outcome", NULL, N_SET_LIMIT, value_limit },
};

const char *
metric_type_name(enum metric_type t)
{
	switch (t) {
	case METRIC_COUNTER:
	case METRIC_TOTAL:
		return "counter";
	case METRIC_HISTOGRAM:
		return "histogram";
	default:
		return "gauge";
	}
}

/* ---- lists ---- */
static const char *
role_name(const struct metric_row *r)
{
	return r->roles == ROLE_ALL   ? "all"
	    : r->roles == ROLE_API    ? "api"
	    : r->roles == ROLE_WORKER ? "worker"
				      : "manager";
}

/* The labels' names with commas, "-" if there are none. */
static const char *
label_names(const struct metric_row *r, char *ret, size_t size)
{
	size_t n = 0;

	snprintf(ret, size, "-");
	for (int i = 0; i < 2; i++) {
		const struct metric_set_def *s = &metric_sets[r->set[i]];

		if (s->name != NULL)
			n += (size_t)snprintf(ret + n, size - n, "%s%s",
			    n > 0 ? "," : "", s->name);
		if (s->name2 != NULL)
			n += (size_t)snprintf(
			    ret + n, size - n, ",%s", s->name2);
	}
	return ret;
}

void
metric_list(FILE *f)
{
	const struct metric_row *r = metric_rows;
	char names[64];

	for (; r < metric_rows + METRIC_ROWS; r++)
		fprintf(f, "%-38s %-9s %-7s %-19s %s\n", r->name,
		    metric_type_name(r->type), role_name(r),
		    label_names(r, names, sizeof(names)), r->help);
}

void
metric_mdoc(FILE *f)
{
	const struct metric_row *r = metric_rows;
	char names[64];

	for (; r < metric_rows + METRIC_ROWS; r++) {
		fprintf(f, ".It Ic %s\n%c%s; %s", r->name,
		    metric_type_name(r->type)[0] - 'a' + 'A',
		    metric_type_name(r->type) + 1, role_name(r));
		if (r->set[0] != SET_NONE)
			fprintf(f, "; labels: %s",
			    label_names(r, names, sizeof(names)));
		fprintf(f, ".\n%c%s.\n",
		    r->help[0] >= 'a' && r->help[0] <= 'z'
			? r->help[0] - 'a' + 'A'
			: r->help[0],
		    r->help + 1);
	}
}
