/* taskflowd --migrate. */
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "role/migrate.h"
#include "sql.h"
#include "store/pg_migrate.h"

int
migrate_newest(void)
{
	return sql_schema_count;
}

static void
tell(int version, const char *name)
{
	log_info("migrate", "applied", KV_INT("version", version),
	    KV_STR("name", name));
}

static void
tell_wait(const char *why)
{
	log_warn("migrate", "waiting for PostgreSQL", KV_STR("why", why));
}

int
migrate(const struct conf *conf)
{
	const char *url =
	    conf->pg_direct_url[0] != '\0' ? conf->pg_direct_url : conf->pg_url;
	char err[512];

	if (!pg_migrate(url, sql_schema_name, sql_schema, sql_schema_count,
		tell, tell_wait, err, sizeof(err))) {
		fprintf(stderr, "taskflowd: %s\n", err);
		return EXIT_FAILURE;
	}
	log_info("migrate", "the database is up to date",
	    KV_INT("version", sql_schema_count));
	return EXIT_SUCCESS;
}
