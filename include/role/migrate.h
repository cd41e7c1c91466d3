#ifndef TASKFLOW_ROLE_MIGRATE_H
#define TASKFLOW_ROLE_MIGRATE_H

#include "base/conf.h"

/* Bring the database up to date, under a lock, so that several may try at
 * once; doing it again does nothing. Blocks. The exit code of the process. */
int migrate(const struct conf *);

/* The newest version that this program knows. */
int migrate_newest(void);

#endif
