/* The stack of this program: its folder, its beginning and its end. */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stack_private.h"
#include "store.h"

/* test/run shows the last 20,000 bytes of us. */
#define TAIL_BYTES 1500

struct stack the_stack;

static const char *first_conf;
static bool conf_changed;
static char base[PARTS_MAX][PART_SIZE]; /* what `roles` names */
static size_t nbase;
static pid_t guard;
static int guard_fd = -1;

/* ---- paths and settings ---- */
/* In a ring of their own: those of text() must survive a loop that polls. */
static const char *
keep_path(
    const char *dir, const char *folder, const char *name, const char *suffix)
{
	static char paths[16][640];
	static size_t next;
	char *to = paths[next++ % NELEM(paths)];
	int n = snprintf(
	    to, sizeof(paths[0]), "%s%s/%s%s", dir, folder, name, suffix);

	assert_in_range(n, 1, (int)sizeof(paths[0]) - 1);
	return to;
}

const char *
stack_file(const char *name)
{
	return keep_path(the_stack.home, "", name, "");
}

const char *
stack_log(const char *part)
{
	return keep_path(the_stack.dir, "/log", part, ".log");
}

const char *
stack_pid_file(const char *part)
{
	return keep_path(the_stack.dir, "/run", part, ".pid");
}

const char *
stack_bin(void)
{
	return the_stack.bin;
}

void
stack_show(const char *path)
{
	char *s = read_file(path);
	size_t n = s != NULL ? strlen(s) : 0;

	if (n > 0)
		fprintf(stderr, "---- the end of %s\n%s\n", path,
		    n > TAIL_BYTES ? s + n - TAIL_BYTES : s);
	free(s);
}

const char *
stack_env(const char *name)
{
	const char *at = the_stack.env, *end;
	size_t len = strlen(name);

	for (; at != NULL && *at != '\0'; at = *end == '\0' ? end : end + 1) {
		end = at + strcspn(at, "\n");
		if (strncmp(at, name, len) == 0 && at[len] == '=')
			return text("%.*s", (int)(end - at - (int)len - 1),
			    at + len + 1);
	}
	fprintf(stderr, "stack env has no %s\n", name);
	abort();
}

/* @HOME@ in it is our folder, @TOP@ the checkout. */
static void
write_conf(const char *conf)
{
	FILE *f = fopen(stack_file("taskflowd.conf"), "w");
	const char *at;

	while ((at = strchr(conf, '@')) != NULL) {
		fprintf(f, "%.*s", (int)(at - conf), conf);
		if (strncmp(at, "@HOME@", 6) == 0) {
			fputs(the_stack.home, f);
			conf = at + 6;
		} else if (strncmp(at, "@TOP@", 5) == 0) {
			fputs(the_stack.top, f);
			conf = at + 5;
		} else {
			fputc('@', f);
			conf = at + 1;
		}
	}
	fputs(conf, f);
	fclose(f);
}

void
stack_conf(const char *conf)
{
	conf_changed = true;
	write_conf(conf);
}

/* ---- the guard ---- */

/* A child that outlives us. It hears of our end, whatever the reason, by the
 * end of a pipe, and stops the stack unless we have done so. */
static void
guard_start(void)
{
	int fds[2];
	char c;

	if (pipe2(fds, O_CLOEXEC) < 0)
		abort();
	guard = fork();
	if (guard != 0) {
		close(fds[0]);
		guard_fd = fds[1];
		return;
	}
	setsid();
	close(fds[1]);
	if (read(fds[0], &c, 1) != 0)
		_exit(0);
	execl(the_stack.script, the_stack.script, "down", "--dir",
	    the_stack.dir, (char *)NULL);
	_exit(127);
}

static void
guard_dismiss(void)
{
	if (write(guard_fd, "x", 1) == 1)
		waitpid(guard, NULL, 0);
	close(guard_fd);
}

/* ---- open ---- */
static void
give_up(const char *why)
{
	stack_show(stack_file("stack.out"));
	fprintf(stderr, "%s\n", why);
	exit(1);
}

static void
find_places(const char *name)
{
	const char *tmp = getenv("TMPDIR"), *bin = getenv("TASKFLOW_BIN");

	snprintf(the_stack.home, sizeof(the_stack.home),
	    "%s/taskflow-%s.XXXXXX", tmp != NULL ? tmp : "/tmp", name);
	if (mkdtemp(the_stack.home) == NULL ||
	    realpath(".", the_stack.top) == NULL)
		give_up("cannot make a folder");
	if (realpath(bin != NULL ? bin : "build/taskflowd", the_stack.bin) ==
	    NULL)
		give_up("TASKFLOW_BIN is not there");
	/* The user postgres has to get through. */
	chmod(the_stack.home, 0755);
	snprintf(
	    the_stack.dir, sizeof(the_stack.dir), "%s/stack", the_stack.home);
	snprintf(the_stack.script, sizeof(the_stack.script),
	    "%s/deploy/local/stack", the_stack.top);
}

/* "api=2 worker=1": api-1, api-2, worker-1. */
static void
name_base(const char *roles)
{
	char word[PART_SIZE];
	int i, n, count;

	for (; sscanf(roles, " %31[^=]=%d%n", word, &count, &n) == 2;
	     roles += n)
		for (i = 1; i <= count && nbase < PARTS_MAX; i++)
			snprintf(base[nbase++], PART_SIZE, "%.31s-%d", word, i);
}

static void
up(const char *roles)
{
	const char *conf = stack_file("taskflowd.conf");
	const char *argv[] = { the_stack.script, "up", "--dir", the_stack.dir,
		"--bin", the_stack.bin, "--conf", conf,
		roles != NULL ? "--roles" : "--no-roles", roles, NULL };

	if (end_program(begin_program(argv, stack_file("stack.out")), 0) != 0)
		give_up("the stack does not start");
}

void
stack_open(const char *name, const char *roles, const char *conf)
{
	const char *argv[] = { NULL, "env", "--dir", the_stack.dir, NULL };

	/* In a sandbox the leak check of a daemon that ends may hang for good
	 * (its tracer and the kernel wait for each other). */
	setenv("ASAN_OPTIONS", "detect_leaks=0", 0);
	find_places(name);
	first_conf = conf;
	write_conf(conf);
	if (roles != NULL)
		name_base(roles);
	guard_start();
	up(roles);
	argv[0] = the_stack.script;
	if (run_program(argv, &the_stack.env) != 0)
		give_up("stack env fails");
}

static bool
is_server(const char *part)
{
	static const char *const servers[] = { "postgres", "pgbouncer",
		"redis-high", "redis-low" };
	size_t i;

	for (i = 0; i < NELEM(servers); i++)
		if (strcmp(part, servers[i]) == 0)
			return true;
	return false;
}

/* A crash, or what a sanitizer says: whatever the tests saw. */
static bool
has_complaint(const char *part)
{
	static const char *const words[] = { "Sanitizer",
		"runtime error:", "Assertion `" };
	size_t i;

	for (i = 0; i < NELEM(words); i++)
		if (part_logged(part, words[i])) {
			fprintf(stderr, "%s says \"%s\"\n", part, words[i]);
			return true;
		}
	return false;
}

/* Of any part that ever ran, except the servers, which are not ours. */
static bool
have_complaints(void)
{
	DIR *dir = opendir(stack_file("stack/log"));
	bool found = false;
	char part[PART_SIZE];
	struct dirent *e;

	while (dir != NULL && (e = readdir(dir)) != NULL) {
		snprintf(part, sizeof(part), "%.*s",
		    (int)strcspn(e->d_name, "."), e->d_name);
		if (*part != '\0' && !is_server(part) && has_complaint(part)) {
			stack_show(stack_log(part));
			found = true;
		}
	}
	if (dir != NULL)
		closedir(dir);
	return found;
}

/* Did a part have to be killed in the end? A drain hangs. */
static bool
was_forced(void)
{
	char *said = read_file(stack_file("stack.out"));
	bool found = said != NULL && strstr(said, "did not end within") != NULL;

	free(said);
	if (found)
		stack_show(stack_file("stack.out"));
	return found;
}

bool
stack_close(bool failed)
{
	char parts[PARTS_MAX][PART_SIZE];
	size_t i, n = stack_parts(parts);
	char *out;

	if (!stack_script("down", NULL, NULL))
		give_up("stack down fails");
	guard_dismiss();
	failed = have_complaints() || was_forced() || failed;
	for (i = 0; i < n && failed; i++)
		if (!is_server(parts[i]))
			stack_show(stack_log(parts[i]));
	if (failed)
		fprintf(stderr, "all files are in %s\n", the_stack.home);
	else if (run_program((const char *const[]){ "/bin/rm", "-rf",
				 the_stack.home, NULL },
		     &out) == 0)
		free(out);
	free(the_stack.env);
	return !failed;
}

/* ---- restore ---- */
static bool
is_base(const char *part)
{
	size_t i;

	for (i = 0; i < nbase; i++)
		if (strcmp(part, base[i]) == 0)
			return true;
	return false;
}

static void
start_missing(const char *part)
{
	if (!part_runs(part))
		part_start(part);
}

void
stack_restore(bool with_fresh_daemons)
{
	char parts[PARTS_MAX][PART_SIZE];
	size_t i, n = stack_parts(parts);

	for (i = 0; i < n; i++) {
		if (!part_runs(parts[i]))
			continue;
		part_signal(parts[i], SIGCONT);
		if (is_server(parts[i]))
			continue;
		if (with_fresh_daemons)
			part_kill(parts[i]);
		else if (conf_changed || !is_base(parts[i]))
			part_stop(parts[i]);
	}
	start_missing("postgres");
	start_missing("redis-high");
	start_missing("redis-low");
	start_missing("pgbouncer");
	if (conf_changed)
		write_conf(first_conf);
	conf_changed = false;
	if (with_fresh_daemons)
		store_clear();
	for (i = 0; i < nbase; i++)
		start_missing(base[i]);
}
