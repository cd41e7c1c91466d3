#ifndef TASKFLOW_TEST_STACK_PRIVATE_H
#define TASKFLOW_TEST_STACK_PRIVATE_H

#include "stack.h"

#define PARTS_MAX 32
#define PART_SIZE 48

struct stack {
	char home[256]; /* of this program */
	char dir[300]; /* of the stack */
	char top[4096]; /* of the checkout */
	char bin[4200]; /* taskflowd */
	char script[4200]; /* deploy/local/stack */
	char *env; /* what `stack env` says */
};
extern struct stack the_stack;

/* `stack COMMAND --dir D ARG MORE`; the last ones may be NULL. */
bool stack_script(const char *command, const char *arg, const char *more);
/* The end of a log or of an output goes to standard error. */
void stack_show(const char *path);
const char *stack_pid_file(const char *part);
/* Those that have a pid file. */
size_t stack_parts(char parts[PARTS_MAX][PART_SIZE]);

#endif
