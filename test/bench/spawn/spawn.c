/*
 * What the kernel can do: "spawn COUNT AT_ONCE" runs /bin/true COUNT times, so
 * many at once, and prints a line of JSON with the rate.
 */
#include <sys/resource.h>
#include <sys/wait.h>
#include <err.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double
seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double
cpu_seconds(int who)
{
	struct rusage ru;

	getrusage(who, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static void
start(void)
{
	static char name[] = "/bin/true";
	char *argv[] = { name, NULL }, *envp[] = { NULL };
	pid_t pid;
	int rc = posix_spawn(&pid, name, NULL, NULL, argv, envp);

	if (rc != 0)
		errx(1, "%s: error %d", name, rc);
}

static void
await_one(void)
{
	int status;

	if (wait(&status) == -1 || status != 0)
		errx(1, "it did not end well: status %d", status);
}

int
main(int argc, char **argv)
{
	unsigned long count, at_once, begun, ended;
	double begin = seconds();

	if (argc != 3)
		errx(2, "usage: spawn COUNT AT_ONCE");
	count = strtoul(argv[1], NULL, 10);
	at_once = strtoul(argv[2], NULL, 10);
	if (count == 0 || at_once == 0)
		errx(2, "COUNT and AT_ONCE are 1 or more");
	for (begun = ended = 0; ended < count; ended++) {
		for (; begun < count && begun - ended < at_once; begun++)
			start();
		await_one();
	}
	printf("{\"count\":%lu,\"rate\":%.1f,\"cpu_s\":%.3f}\n", count,
	    (double)count / (seconds() - begin),
	    cpu_seconds(RUSAGE_SELF) + cpu_seconds(RUSAGE_CHILDREN));
	return 0;
}
