/* Parts of the stack, and programs that are none. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stack_private.h"

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

int
end_program(pid_t pid, int signo)
{
	int64_t give_up = now_ms() + PATIENCE_MS;
	int status = 0;

	if (signo != 0)
		kill(pid, signo);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ms() > give_up)
			kill(pid, SIGKILL);
		pause_ms(5);
	}
	/* As the shell says it. */
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
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

bool
stack_script(const char *command, const char *arg, const char *more)
{
	const char *argv[] = { the_stack.script, command, "--dir",
		the_stack.dir, arg, arg != NULL ? more : NULL, NULL };

	return end_program(begin_program(argv, stack_file("stack.out")), 0) ==
	    0;
}

/* ---- what is known of a part ---- */
pid_t
part_pid(const char *part)
{
	char *s = read_file(stack_pid_file(part));
	pid_t pid = s != NULL ? (pid_t)strtol(s, NULL, 10) : 0;

	free(s);
	return pid;
}

/* A zombie does not: nobody may be there to reap it. */
bool
part_runs(const char *part)
{
	pid_t pid = part_pid(part);
	char stat[1024] = "", path[64], *state;
	bool runs;
	FILE *f;

	if (pid <= 0)
		return false;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (f == NULL)
		return false;
	runs = fgets(stat, sizeof(stat), f) != NULL;
	fclose(f);
	state = strrchr(stat, ')');
	return runs && state != NULL && strchr("ZX", state[2]) == NULL;
}

int
part_port(const char *part)
{
	FILE *f = fopen(stack_file("stack/ports"), "r");
	char name[64];
	int port, found = 0;

	if (f == NULL)
		return 0;
	while (fscanf(f, "%63s %d", name, &port) == 2)
		if (strcmp(name, part) == 0)
			found = port;
	fclose(f);
	return found;
}

bool
part_logged(const char *part, const char *words)
{
	char *s = read_file(stack_log(part));
	bool found = s != NULL && strstr(s, words) != NULL;

	free(s);
	return found;
}

size_t
stack_parts(char parts[PARTS_MAX][PART_SIZE])
{
	DIR *dir = opendir(stack_file("stack/run"));
	struct dirent *e;
	size_t n = 0, len;

	while (dir != NULL && n < PARTS_MAX && (e = readdir(dir)) != NULL) {
		len = strlen(e->d_name);
		if (len > 4 && len < PART_SIZE &&
		    strcmp(e->d_name + len - 4, ".pid") == 0)
			snprintf(parts[n++], PART_SIZE, "%.*s", (int)len - 4,
			    e->d_name);
	}
	if (dir != NULL)
		closedir(dir);
	return n;
}

/* ---- what is done to it ---- */
static void
must(bool done, const char *verb, const char *part)
{
	if (done)
		return;
	stack_show(stack_file("stack.out"));
	fail_msg("cannot %s %s", verb, part);
}

void
part_start(const char *part)
{
	must(stack_script("start", part, NULL), "start", part);
}

void
part_launch(const char *part)
{
	must(stack_script("start", part, "--no-wait"), "launch", part);
}

void
part_stop(const char *part)
{
	must(stack_script("stop", part, NULL), "stop", part);
}

void
part_kill(const char *part)
{
	must(stack_script("kill", part, NULL), "kill", part);
}

void
part_signal(const char *part, int signo)
{
	if (kill(part_pid(part), signo) < 0)
		fail_msg("%s: signal %d: %s", part, signo, strerror(errno));
}
