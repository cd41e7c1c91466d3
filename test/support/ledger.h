#ifndef TASKFLOW_TEST_LEDGER_H
#define TASKFLOW_TEST_LEDGER_H

/*
 * What was promised, and what was done. Every id that was answered with 201 is
 * kept; all_ended() waits for their ends and looks at the whole database: each
 * task ended once and for good, its attempts rise, no list has an entry left.
 *
 * The handler ledger.sh writes when it begins and ends a run. It can be held:
 * hold("a", 2) keeps the second attempt of tasks with the payload "a" from
 * ending until release("a", 2).
 */
#include "client.h"

/* For the configuration: type "ledger" with payload "NAME". */
#define LEDGER_CONF          \
	"[handler ledger]\n" \
	"command = @TOP@/test/integration/ledger.sh @HOME@/ledger @HOME@/hold\n"

/* A new test. */
void ledger_begin(void);
/* No task in the tables, none accepted: for a test that counts them, after
 * all_ended(). */
void tables_clear(void);
void ledger_end(void);
/* Did the last test come to its end? */
bool ledger_is_clean(void);
/* Kept until the next test, and returned; threads may call it. */
const char *ledger_accept(const char *id);
size_t ledger_accepted(void);
const char *ledger_id(size_t i);

/* The end of each test. */
void all_ended(void);

void hold(const char *name, int attempt);
void release(const char *name, int attempt);
/* Runs of a task that began. */
int64_t runs_of(const char *id);
/* Of each task: no two runs at the same time, not more runs than attempts. */
void runs_are_apart(void);

#endif
