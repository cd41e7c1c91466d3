#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stack.h"

#define SCRIPT "deploy/local/stack"
#define PARTS_MAX 32
#define TAIL_BYTES 6000

static struct {
	char home[256]; /* of this program */
	char dir[300];	/* of the stack */
	char bin[4096];
	char script[4096];
	const char *conf;
	char base[PARTS_MAX][32]; /* what `roles` names */
	size_t nbase;
	char *env; /* what `stack env` says */
	int guard_fd;
	pid_t guard;
} the = { .guard_fd = -1 };

/* ---- programs ---- */
pid_t
begin_program(const char *const argv[], const char *output)
{
	pid_t pid = fork();
	int fd;

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	fd = open(output, O_WRONLY | O_CREAT | O_APPEND, 0644);
	dup2(fd, 1);
	dup2(fd, 2);
	close(fd);
	fd = open("/dev/null", O_RDONLY);
	dup2(fd, 0);
	close(fd);
	signal(SIGPIPE, SIG_DFL);
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

/* 128 + N if signal N ended it, as the shell says. */
static int
exit_code(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) :
				   128 + WTERMSIG(status);
}

int
end_program(pid_t pid, int signo)
{
	int64_t give_up = now_ms() + PATIENCE_MS;
	int status;
	pid_t ended;

	if (signo != 0)
		kill(pid, signo);
	while ((ended = waitpid(pid, &status, WNOHANG)) == 0) {
		if (now_ms() > give_up)
			kill(pid, SIGKILL);
		pause_ms(5);
	}
	return ended == pid ? exit_code(status) : -1;
}

int
run_program(const char *const argv[], char **ret)
{
	const char *out = stack_file("program.out");
	int code;

	unlink(out);
	code = end_program(begin_program(argv, out), 0);
	*ret = read_file(out);
	return code;
}

/* ---- the script ---- */
static bool
script(const char *command, const char *arg, const char *more)
{
	const char *argv[] = { the.script, command, "--dir", the.dir, arg,
		arg != NULL ? more : NULL, NULL };

	return end_program(
	    begin_program(argv, stack_file("stack.out")), 0) == 0;
}

static void
print_tail(const char *path)
{
	char *s = read_file(path);
	size_t n = s != NULL ? strlen(s) : 0;

	if (n > 0)
		fprintf(stderr, "---- %s\n%s\n", path,
		    n > TAIL_BYTES ? s + n - TAIL_BYTES : s);
	free(s);
}

static void
must(bool done, const char *verb, const char *part)
{
	if (done)
		return;
	print_tail(stack_file("stack.out"));
	fail_msg("cannot %s %s", verb, part);
}

/* ---- paths and settings ---- */
const char *
stack_file(const char *name)
{
	return text("%s/%s", the.home, name);
}

const char *
stack_log(const char *part)
{
	return text("%s/log/%s.log", the.dir, part);
}

const char *
stack_bin(void)
{
	return the.bin;
}

const char *
stack_env(const char *name)
{
	const char *at = the.env, *end;
	size_t len = strlen(name);

	while (at != NULL && *at != '\0') {
		end = at + strcspn(at, "\n");
		if (strncmp(at, name, len) == 0 && at[len] == '=')
			return text("%.*s", (int)(end - at - len - 1),
			    at + len + 1);
		at = *end == '\0' ? end : end + 1;
	}
	fprintf(stderr, "stack env has no %s\n", name);
	abort();
}

void
stack_conf(const char *conf)
{
	FILE *f = fopen(stack_file("taskflowd.conf"), "w");

	/* HOME in it is the folder of this program. */
	for (; *conf != '\0'; conf++) {
		if (strncmp(conf, "@HOME@", 6) == 0) {
			fputs(the.home, f);
			conf += 5;
		} else if (strncmp(conf, "@TOP@", 5) == 0) {
			char *top = realpath(".", NULL);

			fputs(top, f);
			free(top);
			conf += 4;
		} else {
			fputc(*conf, f);
		}
	}
	fclose(f);
}

/* ---- parts ---- */
static char *
run_file(const char *part, const char *suffix)
{
	return read_file(text("%s/run/%s.%s", the.dir, part, suffix));
}

pid_t
part_pid(const char *part)
{
	char *s = run_file(part, "pid");
	pid_t pid = s != NULL ? (pid_t)strtol(s, NULL, 10) : 0;

	free(s);
	return pid;
}

bool
part_runs(const char *part)
{
	pid_t pid = part_pid(part);
	char *stat = pid > 0 ? read_file("/dev/null") : NULL;
	bool runs = false;
	char *state;
	FILE *f;

	free(stat);
	if (pid <= 0)
		return false;
	f = fopen(text("/proc/%d/stat", (int)pid), "r");
	if (f == NULL)
		return false;
	stat = calloc(1, 1024);
	if (fread(stat, 1, 1023, f) > 0) {
		state = strrchr(stat, ')');
		runs = state != NULL && strchr("ZX", state[2]) == NULL;
	}
	free(stat);
	fclose(f);
	return runs;
}

int
part_port(const char *part)
{
	char *s = read_file(text("%s/ports", the.dir)), *at;
	const char *key = text("\n%s ", part);
	int port = 0;

	at = s == NULL ? NULL : strstr(s, key);
	if (at != NULL)
		port = atoi(at + strlen(key));
	else if (s != NULL && strncmp(s, key + 1, strlen(key) - 1) == 0)
		port = atoi(s + strlen(key) - 1);
	free(s);
	return port;
}

bool
part_logged(const char *part, const char *words)
{
	char *s = read_file(stack_log(part));
	bool found = s != NULL && strstr(s, words) != NULL;

	free(s);
	return found;
}

void
part_start(const char *part)
{
	must(script("start", part, NULL), "start", part);
}

void
part_launch(const char *part)
{
	must(script("start", part, "--no-wait"), "launch", part);
}

void
part_stop(const char *part)
{
	must(script("stop", part, NULL), "stop", part);
}

void
part_kill(const char *part)
{
	must(script("kill", part, NULL), "kill", part);
}

void
part_signal(const char *part, int signo)
{
	if (kill(part_pid(part), signo) < 0)
		fail_msg("%s: signal %d: %s", part, signo, strerror(errno));
}
