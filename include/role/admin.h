#ifndef TASKFLOW_ROLE_ADMIN_H
#define TASKFLOW_ROLE_ADMIN_H

#include "base/conf.h"

/* Make the administrator that the command line names, with the password of
 * admin_password or standard input. If he is there already that is fine,
 * and nothing changes. Blocks, and waits for the database as migrate does. The
 * exit code of the process. */
int create_admin(const struct conf *);

#endif
