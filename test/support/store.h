#ifndef TASKFLOW_TEST_STORE_H
#define TASKFLOW_TEST_STORE_H

/*
 * The servers, asked directly: PostgreSQL without PgBouncer, both Redis. For
 * the main thread. A connection that was lost is made again, for as long as our
 * patience lasts; so a statement may run twice.
 */
#include "support.h"

enum server { LOW, HIGH };

/* The first column of the first row; "" if there is none, or it is null. Kept
 * like a text(). */
const char *sql(const char *fmt, ...) PRINTF(1, 2);
int64_t sql_int(const char *fmt, ...) PRINTF(1, 2);

/* A command of words without blanks: an integer, or the length of an array, or
 * what a string says as a number; 0 for nil. */
int64_t redis_int(enum server, const char *fmt, ...) PRINTF(2, 3);
/* Strings, and the elements of arrays with a blank between; heap. */
char *redis_words(enum server, const char *fmt, ...) PRINTF(2, 3);
/* Is there no list of tasks, ready or taken, on either server? */
bool lists_are_empty(void);
/* For a message: the lists with their entries. */
void lists_show(void);

/* No task, no key: for a fresh start. */
void store_clear(void);
void store_end(void);

#endif
