#include <hiredis/hiredis.h>
#include <libpq-fe.h>

#include "stack.h"
#include "store.h"

static PGconn *conn;
static redisContext *redis[2];

/* ---- PostgreSQL ---- */
static PGresult *
ask(const char *statement)
{
	int64_t give_up = now_ms() + PATIENCE_MS;
	PGresult *res;

	for (;; pause_ms(POLL_MS)) {
		if (conn != NULL && PQstatus(conn) != CONNECTION_OK) {
			PQfinish(conn);
			conn = NULL;
		}
		if (conn == NULL)
			conn = PQconnectdb(stack_env("TASKFLOW_PG_DIRECT_URL"));
		res = PQexec(conn, statement);
		if (PQresultStatus(res) == PGRES_TUPLES_OK ||
		    PQresultStatus(res) == PGRES_COMMAND_OK)
			return res;
		if (PQstatus(conn) == CONNECTION_OK || now_ms() > give_up)
			fail_msg("%.200s: %s", statement, PQerrorMessage(conn));
		PQclear(res);
	}
}

static char *
format(const char *fmt, va_list ap)
{
	char *s = NULL;

	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	return s;
}

static char *
first_of(char *statement)
{
	PGresult *res = ask(statement);
	char *value = strdup(PQntuples(res) > 0 ? PQgetvalue(res, 0, 0) : "");

	PQclear(res);
	free(statement);
	return value;
}

const char *
sql(const char *fmt, ...)
{
	const char *kept;
	char *value;
	va_list ap;

	va_start(ap, fmt);
	value = first_of(format(fmt, ap));
	va_end(ap);
	kept = text("%s", value);
	free(value);
	return kept;
}

int64_t
sql_int(const char *fmt, ...)
{
	char *value;
	int64_t n;
	va_list ap;

	va_start(ap, fmt);
	value = first_of(format(fmt, ap));
	va_end(ap);
	n = strtoll(value, NULL, 10);
	free(value);
	return n;
}

/* ---- Redis ---- */
static redisContext *
connect_to(enum server s)
{
	const char *url = stack_env(
	    s == HIGH ? "TASKFLOW_REDIS_HIGH_URL" : "TASKFLOW_REDIS_LOW_URL");
	struct timeval limit = { 10, 0 };
	char password[256], host[64];
	redisContext *c;
	redisReply *r;
	int port;

	if (sscanf(url, "redis://%*[^:]:%255[^@]@%63[^:]:%d", password, host,
		&port) != 3)
		fail_msg("cannot read %s", url);
	c = redisConnectWithTimeout(host, port, limit);
	if (c == NULL || c->err != 0)
		return c;
	redisSetTimeout(c, limit);
	r = redisCommand(c, "AUTH %s", password);
	if (r != NULL)
		freeReplyObject(r);
	return c;
}

static redisReply *
command(enum server s, const char *fmt, va_list ap)
{
	int64_t give_up = now_ms() + PATIENCE_MS;
	char *line = format(fmt, ap);
	redisReply *r = NULL;

	for (; r == NULL; pause_ms(r == NULL ? POLL_MS : 0)) {
		if (now_ms() > give_up)
			fail_msg("redis does not answer: %s", line);
		if (redis[s] != NULL && redis[s]->err != 0) {
			redisFree(redis[s]);
			redis[s] = NULL;
		}
		if (redis[s] == NULL)
			redis[s] = connect_to(s);
		if (redis[s] != NULL && redis[s]->err == 0)
			r = redisCommand(redis[s], line);
	}
	if (r->type == REDIS_REPLY_ERROR)
		fail_msg("%s: %s", line, r->str);
	free(line);
	return r;
}

int64_t
redis_int(enum server s, const char *fmt, ...)
{
	redisReply *r;
	int64_t n = 0;
	va_list ap;

	va_start(ap, fmt);
	r = command(s, fmt, ap);
	va_end(ap);
	if (r->type == REDIS_REPLY_INTEGER)
		n = r->integer;
	else if (r->type == REDIS_REPLY_ARRAY)
		n = (int64_t)r->elements;
	else if (r->str != NULL)
		n = strtoll(r->str, NULL, 10);
	freeReplyObject(r);
	return n;
}

char *
redis_words(enum server s, const char *fmt, ...)
{
	size_t i, size, len = 0;
	redisReply *r;
	char *words;
	va_list ap;

	va_start(ap, fmt);
	r = command(s, fmt, ap);
	va_end(ap);
	size = r->len + 1;
	for (i = 0; i < r->elements; i++)
		size += r->element[i]->len + 1;
	words = calloc(1, size);
	if (r->str != NULL)
		memcpy(words, r->str, r->len);
	for (i = 0; i < r->elements; i++)
		len += (size_t)snprintf(words + len, size - len, "%s%s",
		    i > 0 ? " " : "", r->element[i]->str);
	freeReplyObject(r);
	return words;
}

bool
lists_are_empty(void)
{
	enum server s;

	/* A list without entries is no key. */
	for (s = LOW; s <= HIGH; s++)
		if (redis_int(s, "KEYS taskflow:queue:*") > 0 ||
		    redis_int(s, "KEYS taskflow:processing:*") > 0)
			return false;
	return true;
}

void
lists_show(void)
{
	static const char *const kinds[] = { "queue", "processing" };
	char *keys, *key, *entries;
	size_t i;

	for (i = 0; i < 2 * NELEM(kinds); i++) {
		keys = redis_words(i / 2 == 0 ? LOW : HIGH,
		    "KEYS taskflow:%s:*", kinds[i % 2]);
		for (key = strtok(keys, " "); key != NULL;
		     key = strtok(NULL, " ")) {
			entries = redis_words(
			    i / 2 == 0 ? LOW : HIGH, "LRANGE %s 0 19", key);
			print_message("%s %s: %s\n",
			    i / 2 == 0 ? "low" : "high", key, entries);
			free(entries);
		}
		free(keys);
	}
}

void
store_clear(void)
{
	sql("TRUNCATE taskflow.tasks, taskflow.task_events");
	redis_int(LOW, "FLUSHALL");
	redis_int(HIGH, "FLUSHALL");
}

void
store_end(void)
{
	enum server s;

	PQfinish(conn);
	conn = NULL;
	for (s = LOW; s <= HIGH; s++) {
		if (redis[s] != NULL)
			redisFree(redis[s]);
		redis[s] = NULL;
	}
}
