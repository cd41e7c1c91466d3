#include "client.h"
#include "ledger.h"
#include "stack.h"
#include "store.h"

#define PASSWORD "correct horse battery"

struct http me = { .fd = -1 };

static const char *const statuses[] = { "", "PENDING", "QUEUED", "IN_PROGRESS",
	"RETRYING", "COMPLETED", "FAILED", "CANCELLED" };

/* ---- users ---- */
static void
log_in(struct http *h, const char *name)
{
	const char *body =
	    text("{\"username\":\"%s\",\"password\":\"%s\"}", name, PASSWORD);

	UNTIL(http_call(h, "POST", "/login", JSON_TYPE, body) == 200);
	h->token = strdup(str_of(http_json(h), "token"));
}

void
client_user(struct http *h, int port, const char *name)
{
	const char *body = text("{\"email\":\"%s@example.org\","
				"\"username\":\"%s\",\"password\":\"%s\"}",
	    name, name, PASSWORD);
	int status;

	http_init(h, port);
	status = http_call(h, "POST", "/users", JSON_TYPE, body);
	if (status != 201)
		fail_msg("POST /users: %d %s", status, h->body);
	log_in(h, name);
}

static const char *
first_api(void)
{
	return part_port("api-1") != 0 ? "api-1" : "all-1";
}

void
client_begin(void)
{
	if (me.token == NULL)
		client_user(&me, part_port(first_api()), "me");
}

void
client_end(void)
{
	http_fini(&me);
}

/* ---- members ---- */
const char *
str_of(const cJSON *o, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	if (v == NULL)
		fail_msg("there is no %s in %.500s", name, me.body);
	return cJSON_IsString(v) ? v->valuestring : NULL;
}

int64_t
int_of(const cJSON *o, const char *name)
{
	const cJSON *v = cJSON_GetObjectItemCaseSensitive(o, name);

	if (!cJSON_IsNumber(v))
		fail_msg("%s is no number in %.500s", name, me.body);
	return (int64_t)v->valuedouble;
}

/* Up to the comma or bracket that ends it. */
static size_t
value_length(const char *p)
{
	bool quoted = false;
	int depth = 0;
	size_t n;

	for (n = 0; p[n] != '\0'; n++) {
		if (quoted && p[n] == '\\')
			n++;
		else if (p[n] == '"')
			quoted = !quoted;
		else if (!quoted && (p[n] == '{' || p[n] == '['))
			depth++;
		else if (!quoted && depth == 0 &&
		    (p[n] == ',' || p[n] == '}' || p[n] == ']'))
			break;
		else if (!quoted && (p[n] == '}' || p[n] == ']'))
			depth--;
	}
	return n;
}

const char *
raw_of(const char *name)
{
	const char *key = text("\"%s\":", name);
	const char *at = strstr(me.body, key);

	if (at == NULL)
		fail_msg("there is no %s in %.500s", name, me.body);
	at += strlen(key);
	return text("%.*s", (int)value_length(at), at);
}

/* ---- tasks ---- */
int
try_submit(struct http *h, const char *body, char ret[ID_SIZE])
{
	int status = http_call(h, "POST", "/tasks", JSON_TYPE, body);
	const cJSON *id = NULL;

	if (status == 201)
		id = cJSON_GetObjectItemCaseSensitive(http_json(h), "id");
	snprintf(ret, ID_SIZE, "%s", id != NULL ? id->valuestring : "");
	return status;
}

const char *
submit(const char *type, const char *payload, const char *more)
{
	char id[ID_SIZE], *body = NULL;
	int status;

	if (asprintf(&body, "{\"type\":\"%s\",\"payload\":%s%s%s}", type,
		payload, more != NULL ? "," : "", more != NULL ? more : "") < 0)
		abort();
	status = try_submit(&me, body, id);
	free(body);
	if (status != 201)
		fail_msg("POST /tasks: %d %s", status, me.body);
	return ledger_accept(id);
}

const cJSON *
task_get(const char *id)
{
	int status = http_call(&me, "GET", text("/tasks/%s", id), NULL, NULL);

	if (status != 200)
		fail_msg("GET /tasks/%s: %d %s", id, status, me.body);
	return http_json(&me);
}

static bool
is_final(const char *id)
{
	const cJSON *o;

	if (http_call(&me, "GET", text("/tasks/%s", id), "Prefer: wait=10\r\n",
		NULL) != 200)
		return false;
	o = http_json(&me);
	return strstr("COMPLETED FAILED CANCELLED", str_of(o, "status")) !=
	    NULL;
}

const cJSON *
task_wait(const char *id)
{
	UNTIL(is_final(id));
	return http_json(&me);
}

const char *
task_events(const char *id)
{
	static char line[4096];
	const cJSON *items, *e;
	size_t n = 0;

	if (http_call(&me, "GET", text("/tasks/%s/events", id), NULL, NULL) !=
	    200)
		fail_msg("GET events of %s: %d %s", id, me.status, me.body);
	items = cJSON_GetObjectItemCaseSensitive(http_json(&me), "items");
	line[0] = '\0';
	cJSON_ArrayForEach(e, items) n += (size_t)snprintf(line + n,
	    sizeof(line) - n, "%s%s/%d", n > 0 ? " " : "", str_of(e, "event"),
	    (int)int_of(e, "attempt"));
	return line;
}

static int
status_number(const char *name)
{
	size_t i;

	for (i = 1; i < NELEM(statuses); i++)
		if (strcmp(statuses[i], name) == 0)
			return (int)i;
	fail_msg("there is no status %s", name);
	return 0;
}

bool
task_is(const char *id, const char *status)
{
	return sql_int("SELECT status FROM taskflow.tasks WHERE id = '%s'",
		   id) == status_number(status);
}

int64_t
task_attempt(const char *id)
{
	return sql_int(
	    "SELECT attempt FROM taskflow.tasks WHERE id = '%s'", id);
}

int64_t
tasks_with(const char *status)
{
	return sql_int("SELECT count(*) FROM taskflow.tasks WHERE status = %d",
	    status_number(status));
}
