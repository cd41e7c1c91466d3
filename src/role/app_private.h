#ifndef TASKFLOW_ROLE_APP_PRIVATE_H
#define TASKFLOW_ROLE_APP_PRIVATE_H

/* What app.c, check.c, metrics.c and service.c share. */
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

/* service.c: what the service manager hears of us, if there is one. False: one
 * line in err. */
bool service_open(struct app *, char *err, size_t err_size);
void service_close(struct app *);
void service_waits(struct app *, const char *what, const char *why);
void service_is_ready(struct app *);
void service_reloads(struct app *); /* then service_is_ready */
/* Says it to the log, too. */
void service_drains(struct app *, size_t running);

#endif
