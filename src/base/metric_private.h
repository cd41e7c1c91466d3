#ifndef TASKFLOW_BASE_METRIC_PRIVATE_H
#define TASKFLOW_BASE_METRIC_PRIVATE_H

#include "base/metric.h"

struct metric_set_def {
	const char *name, *name2; /* of the labels; name2 may be NULL */
	unsigned n;
	/* NULL: there is none, or it is known at the scrape alone. */
	const char *(*value)(unsigned i, const char **ret_value2);
};
extern const struct metric_set_def metric_sets[METRIC_SETS];

const char *metric_type_name(enum metric_type);
void metric_routes_reset(void);

#endif
