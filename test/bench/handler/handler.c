/*
 * A handler of kind process that does nothing, as fast as it can: what is left
 * is the cost of TaskFlow. "handler FILE" also appends to FILE, a line a task,
 * how many nanoseconds ago payload.t0 was when the task had been read.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IN_SIZE (4 << 20)
#define ANSWER_SIZE 128

static char in[IN_SIZE + 1], out[IN_SIZE];
static int mark_fd = -1;

static int64_t
clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static void
write_all(int fd, const char *at, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, at, len);
		if (n == -1)
			err(1, "write");
		at += n;
		len -= (size_t)n;
	}
}

static const char *
value_of(const char *line, const char *name)
{
	const char *found = strstr(line, name);

	if (found == NULL)
		errx(1, "no %s in %.200s", name, line);
	return found + strlen(name);
}

static void
mark(const char *line, int64_t now)
{
	char text[32];
	int n;

	n = snprintf(text, sizeof(text), "%lld\n",
	    (long long)now - atoll(value_of(line, "\"t0\":")));
	write_all(mark_fd, text, (size_t)n);
}

/* The member id comes first in what a worker sends. */
static size_t
answer(char *at, const char *line, int64_t now)
{
	const char *id = value_of(line, "\"id\":\"");

	if (mark_fd != -1)
		mark(line, now);
	return (size_t)snprintf(
	    at, ANSWER_SIZE, "{\"id\":\"%.36s\",\"result\":null}\n", id);
}

/* Answers whole lines, all at once; how many bytes are left of the last one. */
static size_t
serve(size_t have, int64_t now)
{
	char *line = in, *end;
	size_t len = 0;

	in[have] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		*end = '\0';
		if (len + ANSWER_SIZE > sizeof(out)) {
			write_all(STDOUT_FILENO, out, len);
			len = 0;
		}
		len += answer(out + len, line, now);
		line = end + 1;
	}
	write_all(STDOUT_FILENO, out, len);
	have -= (size_t)(line - in);
	memmove(in, line, have);
	return have;
}

int
main(int argc, char **argv)
{
	size_t have = 0;
	ssize_t n;

	if (argc > 2)
		errx(2, "usage: handler [FILE]");
	if (argc == 2) {
		mark_fd = open(argv[1], O_WRONLY | O_APPEND | O_CLOEXEC);
		if (mark_fd == -1)
			err(1, "%s", argv[1]);
	}
	while ((n = read(STDIN_FILENO, in + have, IN_SIZE - have)) > 0)
		have = serve(have + (size_t)n, clock_ns());
	return n == 0 && have == 0 ? 0 : 1;
}
