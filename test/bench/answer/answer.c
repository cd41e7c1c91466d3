/*
 * The least that a handler of the kind process can do: each task is done, its
 * result is null. All the lines of one read are answered with one write. For
 * measuring what taskflowd costs, not the handler.
 */
#include <err.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#define LINES_SIZE (4 * 1024 * 1024)
#define READ_SIZE (64 * 1024)
#define HEAD_SIZE 44 /* {"id":" and the 36 bytes of the id and a quote */

static const char tail[] = ",\"result\":null}\n";

static char lines[LINES_SIZE];
/* An answer is shorter than its task. */
static char answers[LINES_SIZE];

static void
write_all(const char *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(STDOUT_FILENO, p, len);
		if (n < 0 && errno != EINTR)
			err(1, "write");
		if (n < 0)
			continue;
		p += n;
		len -= (size_t)n;
	}
}

/* The whole lines among len bytes; how many bytes these are. */
static size_t
answer(size_t len)
{
	size_t out = 0, done = 0;
	const char *nl;

	while ((nl = memchr(lines + done, '\n', len - done)) != NULL) {
		if ((size_t)(nl - lines) - done < HEAD_SIZE)
			errx(1, "not a task");
		memcpy(answers + out, lines + done, HEAD_SIZE);
		out += HEAD_SIZE;
		memcpy(answers + out, tail, sizeof(tail) - 1);
		out += sizeof(tail) - 1;
		done = (size_t)(nl - lines) + 1;
	}
	write_all(answers, out);
	return done;
}

int
main(void)
{
	size_t len = 0, done;
	ssize_t n;

	for (;;) {
		if (len > LINES_SIZE - READ_SIZE)
			errx(1, "a line is too long");
		n = read(STDIN_FILENO, lines + len, READ_SIZE);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			err(1, "read");
		if (n == 0)
			return 0;
		len += (size_t)n;
		done = answer(len);
		len -= done;
		memmove(lines, lines + done, len);
	}
}
