#ifndef TASKFLOW_ROLE_APP_PRIVATE_H
#define TASKFLOW_ROLE_APP_PRIVATE_H

/* What app.c, check.c and metrics.c share. */
#include "base/log.h"
#include "role/app.h"

/* check.c: look at the servers until they are fit, then app_start_roles; or
 * app_fail when they never will be. */
void app_check_start(struct app *);
/* app.c */
void app_start_roles(struct app *);
void app_fail(struct app *, const char *why);
/* The gauges of the process (metrics.c). */
void app_metrics_start(struct app *);

#endif
