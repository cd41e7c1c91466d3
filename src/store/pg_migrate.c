/* Migrations: blocking, with plain libpq, before anything else runs. */
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "store/pg_migrate.h"

#define AWAIT_US (60 * US_PER_S)

#define LOCK "SELECT pg_advisory_xact_lock(1952539755, 0)"

/* "already exists, skipping" is no news. */
static void
drop_notice(void *arg, const char *text)
{
	(void)arg;
	(void)text;
}

static bool
run(PGconn *pgc, const char *sql)
{
	PGresult *r = PQexec(pgc, sql);
	ExecStatusType st = PQresultStatus(r);

	PQclear(r);
	return st == PGRES_COMMAND_OK || st == PGRES_TUPLES_OK;
}

static bool
blame(PGconn *pgc, const char *what, char *err, size_t size)
{
	snprintf(err, size, "%s: %s", what, PQerrorMessage(pgc));
	err[strcspn(err, "\n")] = '\0';
	return false;
}

/* -1: the question failed. */
static int
current_version(PGconn *pgc)
{
	PGresult *r = PQexec(pgc,
	    "SELECT coalesce(max(version), 0) FROM taskflow.schema_version");
	int version = -1;

	if (PQresultStatus(r) == PGRES_TUPLES_OK)
		version = (int)strtol(PQgetvalue(r, 0, 0), NULL, 10);
	PQclear(r);
	return version;
}

static bool
record(PGconn *pgc, int version, const char *name)
{
	char number[16];
	const char *values[2] = { number, name };
	PGresult *r;
	bool ok;

	snprintf(number, sizeof(number), "%d", version);
	r = PQexecParams(pgc,
	    "INSERT INTO taskflow.schema_version (version, name) "
	    "VALUES ($1::int, $2)",
	    2, NULL, values, NULL, NULL, 0);
	ok = PQresultStatus(r) == PGRES_COMMAND_OK;
	PQclear(r);
	return ok;
}

static bool
prepare(PGconn *pgc)
{
	return run(pgc, "BEGIN") && run(pgc, LOCK) &&
	    run(pgc, "CREATE SCHEMA IF NOT EXISTS taskflow") &&
	    run(pgc,
		"CREATE TABLE IF NOT EXISTS taskflow.schema_version ("
		"version integer PRIMARY KEY, name text NOT NULL, "
		"applied_at timestamptz NOT NULL DEFAULT now())") &&
	    run(pgc, "COMMIT");
}

/* The next one that is missing. 1: applied, 0: none is missing, -1: failed. */
static int
apply_next(PGconn *pgc, const char *const *names, const char *const *sqls,
    int n, int *ret_version)
{
	int version;

	if (!run(pgc, "BEGIN") || !run(pgc, LOCK) ||
	    !run(pgc, "SET LOCAL statement_timeout = 0"))
		return -1;
	version = current_version(pgc);
	if (version < 0)
		return -1;
	*ret_version = version + 1;
	if (version >= n)
		return run(pgc, "COMMIT") ? 0 : -1;
	if (!run(pgc, sqls[version]) ||
	    !record(pgc, version + 1, names[version]) || !run(pgc, "COMMIT"))
		return -1;
	return 1;
}

static bool
apply_all(PGconn *pgc, const char *const *names, const char *const *sqls, int n,
    void (*told)(int, const char *), char *err, size_t size)
{
	char what[128];
	int version = 0, rc;

	if (!prepare(pgc))
		return blame(pgc, "cannot create the schema", err, size);
	while ((rc = apply_next(pgc, names, sqls, n, &version)) > 0)
		told(version, names[version - 1]);
	if (rc == 0)
		return true;
	snprintf(what, sizeof(what), "migration %d (%s)", version,
	    version > 0 && version <= n ? names[version - 1] : "?");
	return blame(pgc, what, err, size);
}

/* A server that is just being started is waited for: a pod's database may come
 * up after it. Bad credentials are an answer, and not waited on. */
static void
await_server(const char *url, void (*waits)(const char *))
{
	struct timespec pause = { 0, 0 };
	int64_t until = clock_mono_us() + AWAIT_US;
	int64_t ms = 100;
	PGPing ping;
	bool told = false;

	while (clock_mono_us() < until) {
		ping = PQping(url);
		if (ping != PQPING_REJECT && ping != PQPING_NO_RESPONSE)
			return;
		if (!told)
			waits(ping == PQPING_REJECT
				? "the server is starting up"
				: "the server does not answer");
		told = true;
		pause.tv_nsec = ms * 1000000;
		nanosleep(&pause, NULL);
		if (ms < 900)
			ms += ms / 2;
	}
}

bool
pg_migrate(const char *url, const char *const *names, const char *const *sqls,
    int n, void (*told)(int version, const char *name),
    void (*waits)(const char *why), char *err, size_t size)
{
	PGconn *pgc;
	PGresult *r;
	bool ok;

	await_server(url, waits);
	pgc = PQconnectdb(url);

	if (PQstatus(pgc) != CONNECTION_OK) {
		ok = blame(pgc, "cannot connect", err, size);
		PQfinish(pgc);
		return ok;
	}
	PQsetNoticeProcessor(pgc, drop_notice, NULL);
	r = PQexec(pgc, "SHOW server_encoding");
	if (PQresultStatus(r) == PGRES_TUPLES_OK &&
	    strcmp(PQgetvalue(r, 0, 0), "UTF8") != 0) {
		snprintf(err, size,
		    "the database's encoding is %s and must be UTF8",
		    PQgetvalue(r, 0, 0));
		ok = false;
	} else {
		ok = apply_all(pgc, names, sqls, n, told, err, size);
	}
	PQclear(r);
	PQfinish(pgc);
	return ok;
}
