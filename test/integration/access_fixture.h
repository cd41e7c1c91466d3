#ifndef TASKFLOW_TEST_ACCESS_FIXTURE_H
#define TASKFLOW_TEST_ACCESS_FIXTURE_H

/* Two replicas of the API, an administrator, and keys. */
#include <pthread.h>

#include "support/client.h"
#include "support/stack.h"
#include "support/store.h"

#define ADMIN_PASSWORD "an admin's password"
#define USER_PASSWORD "correct horse battery" /* as of client.c */
#define KEY_SIZE 47

/* Parts of an answer, in memory of their own. */
struct key {
	char text[KEY_SIZE], id[ID_SIZE];
};

static inline int
call_json(
    struct http *h, const char *method, const char *path, const char *body)
{
	return http_call(h, method, path, body != NULL ? JSON_TYPE : NULL, body);
}

static inline void
must_call(struct http *h, const char *method, const char *path,
    const char *body, int want)
{
	int status = call_json(h, method, path, body);

	if (status != want)
		fail_msg("%s %s: %d, not %d: %s", method, path, status, want,
		    h->body);
}

/* The detail of the last answer, a problem, has these words. */
static inline void
must_say(struct http *h, const char *words)
{
	if (strstr(str_of(http_json(h), "detail"), words) == NULL)
		fail_msg("no \"%s\" in %s", words, h->body);
}

static inline void
must_log_in(struct http *h, const char *name, const char *password)
{
	must_call(h, "POST", "/login",
	    text("{\"%s\":\"%s\",\"password\":\"%s\"}",
		strchr(name, '@') != NULL ? "email" : "username", name,
		password),
	    200);
	free(h->token);
	h->token = strdup(str_of(http_json(h), "token"));
}

/* A client with that token or key, at that part. */
static inline void
client_with(struct http *h, const char *part, const char *token)
{
	http_init(h, part_port(part));
	h->token = token != NULL ? strdup(token) : NULL;
}

static inline void
make_key(
    struct http *h, const char *scopes, const char *more, struct key *ret)
{
	must_call(h, "POST", "/api-keys",
	    text("{\"name\":\"a key\",\"scopes\":[%s]%s}", scopes, more), 201);
	snprintf(ret->text, KEY_SIZE, "%s", str_of(http_json(h), "key"));
	snprintf(ret->id, ID_SIZE, "%s", str_of(http_json(h), "id"));
}

/* A new connection for a request with that key. */
static inline int
status_with(const char *part, const char *key, const char *path)
{
	struct http h;
	int status;

	client_with(&h, part, key);
	status = http_call(&h, "GET", path, NULL, NULL);
	http_fini(&h);
	return status;
}

/* Runs taskflowd --create-admin with a password in a file, or none. */
static inline int
create_admin(
    const char *email, const char *name, const char *password, char **out)
{
	const char *config =
	    text("--config=%s", stack_file("stack/taskflowd.conf"));
	const char *file = stack_file("admin.password");
	const char *argv[] = { stack_bin(), config, "--create-admin", email,
		name != NULL ? name : "--log-level=info",
		text("--admin-password-file=%s", file), NULL };
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	fputs(password, f);
	fclose(f);
	return run_program(argv, out);
}

/* An administrator, logged in at that part. */
static inline void
admin_at(struct http *h, const char *part)
{
	char *out;

	if (create_admin("root@example.org", "root", ADMIN_PASSWORD "\n",
		&out) != 0)
		fail_msg("--create-admin: %s", out);
	free(out);
	http_init(h, part_port(part));
	must_log_in(h, "root", ADMIN_PASSWORD);
}

static inline int
log_in_as(
    struct http *h, const char *member, const char *name, const char *password)
{
	return call_json(h, "POST", "/login",
	    text(
		"{\"%s\":\"%s\",\"password\":\"%s\"}", member, name, password));
}

/* ---- logins in threads ---- */
struct
try {
	pthread_t thread;
	struct http http;
	char body[160];
};

static inline void *
run_try(void *arg)
{
	struct try *t = arg;

	http_call(&t->http, "POST", "/login", JSON_TYPE, t->body);
	return NULL;
}

static inline void
begin_try(
    struct try *t, const char *part, const char *name, const char *password)
{
	client_with(&t->http, part, NULL);
	snprintf(t->body, sizeof(t->body),
	    "{\"username\":\"%s\",\"password\":\"%s\"}", name, password);
	assert_int_equal(pthread_create(&t->thread, NULL, run_try, t), 0);
}

static inline int
end_try(struct try *t)
{
	int status;

	pthread_join(t->thread, NULL);
	status = t->http.status;
	http_fini(&t->http);
	return status;
}

#endif
