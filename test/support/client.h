#ifndef TASKFLOW_TEST_CLIENT_H
#define TASKFLOW_TEST_CLIENT_H

/*
 * What a client of TaskFlow does. `me` is the first user, with a token, at the
 * first API; the functions without a connection use it.
 */
#include "http.h"

#define ID_SIZE 37
#define JSON_TYPE "Content-Type: application/json\r\n"

extern struct http me;

/* Makes `me`, if there is none yet. */
void client_begin(void);
void client_end(void);
/* A new user of that name, logged in; http_fini() after use. */
void client_user(struct http *, int port, const char *name);

/* {"type": type, "payload": payload, more}; more may be NULL. It must be
 * accepted, and is kept as accepted (ledger.h), as long as the test runs. */
const char *submit(const char *type, const char *payload, const char *more);
/* May be refused; for threads too. ret: the id, if the status is 201. */
int try_submit(struct http *, const char *body, char ret[ID_SIZE]);

/* GET /tasks/{id}. Of the last answer of `me`. */
const cJSON *task_get(const char *id);
/* The same, once it is final. */
const cJSON *task_wait(const char *id);
/* "CREATED/0 PICKED_UP/1 COMPLETED/1": kinds and attempts, in order. */
const char *task_events(const char *id);
/* In the database, for when no API is there to ask. */
bool task_is(const char *id, const char *status);
int64_t task_attempt(const char *id);
/* How many are COMPLETED, QUEUED ... */
int64_t tasks_with(const char *status);

/* Members of an object: they must be there. A string dies with its answer; NULL
 * if it is null. */
const char *str_of(const cJSON *, const char *name);
int64_t int_of(const cJSON *, const char *name);
/* A member as the bytes that stand in the body of the last answer of `me`. */
const char *raw_of(const char *name);

#endif
