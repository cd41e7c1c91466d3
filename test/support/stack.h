#ifndef TASKFLOW_TEST_STACK_H
#define TASKFLOW_TEST_STACK_H

/*
 * The private stack of this program: deploy/local/stack in a folder of its own
 * under the temporary one. However the program ends (a kill -9 included), what
 * it started is stopped.
 */
#include <stdbool.h>
#include <sys/types.h>

#include "support.h"

/* Ends the program if it cannot be started. */
void stack_open(const char *name, const char *roles, const char *conf);
/* Stops it, and removes its folder unless something failed. False too if a
 * daemon has crashed, or a sanitizer has complained of it. */
bool stack_close(bool failed);
/* "file": its path in the folder of this program, beside the stack's. */
const char *stack_file(const char *name);
const char *stack_log(const char *part);
/* TASKFLOW_PG_DIRECT_URL and others, as `stack env` has them. */
const char *stack_env(const char *name);
const char *stack_bin(void);
/* The settings of daemons that are started from now on. */
void stack_conf(const char *conf);
/* Every part that `roles` names runs, on the first settings, and no other. */
void stack_restore(bool with_fresh_daemons);

/* ---- parts: api-1, worker-2, postgres, redis-low ... ---- */
void part_start(const char *part);
/* Without waiting until it answers. */
void part_launch(const char *part);
/* SIGTERM (SIGINT for postgres), and wait for its end. */
void part_stop(const char *part);
void part_kill(const char *part);
/* SIGSTOP, SIGCONT, SIGTERM: without waiting. */
void part_signal(const char *part, int signo);
pid_t part_pid(const char *part);
bool part_runs(const char *part);
int part_port(const char *part);
bool part_logged(const char *part, const char *words);

/* ---- programs that are no part ---- */
/* Runs it to its end (at most as long as our patience); its output, both kinds,
 * is in *ret (heap). */
int run_program(const char *const argv[], char **ret);
/* Begins it, with its output to a file. */
pid_t begin_program(const char *const argv[], const char *output);
int end_program(pid_t, int signo);

#endif
