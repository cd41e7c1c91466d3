#ifndef TASKFLOW_STORE_PG_MIGRATE_H
#define TASKFLOW_STORE_PG_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Apply numbered migrations, blocking, each in a transaction of its own under
 * an advisory lock that lives as long as that transaction, so it also works
 * through PgBouncer. Version i + 1 is sqls[i]. told is called with a line for
 * each one that was applied; waits once, with the reason, when the server does
 * not answer yet (it is waited for, a minute at most). False: one line in err.
 */
bool pg_migrate(const char *url, const char *const *names,
    const char *const *sqls, int n, void (*told)(int version, const char *name),
    void (*waits)(const char *why), char *err, size_t err_size);

#endif
