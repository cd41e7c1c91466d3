/*
 * Any bytes as a configuration file. What is refused has a message of one line;
 * what is accepted can be printed, and the print says the same.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(bool good)
{
	if (!good)
		abort();
}

static char *
no_environment(const char *name)
{
	(void)name;
	return NULL;
}

/* As --config of a file in memory. */
static bool
load(const char *text, size_t len, struct conf *ret)
{
	char err[512] = "", flag[64];
	char *argv[] = { (char *)(uintptr_t) "taskflowd", flag, NULL };
	enum conf_action action;
	int fd = memfd_create("fuzz", MFD_CLOEXEC);
	bool good;

	must(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	snprintf(flag, sizeof(flag), "--config=/proc/self/fd/%d", fd);
	good =
	    conf_load(2, argv, no_environment, ret, &action, err, sizeof(err));
	close(fd);
	must(good == (err[0] == '\0') && strchr(err, '\n') == NULL);
	return good;
}

static char *
print(const struct conf *c)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	must(f != NULL);
	conf_dump(c, f);
	fclose(f);
	return text;
}

/* Masked secrets are no values: their lines become comments. */
static void
drop_secrets(char *text)
{
	char *line, *mark;

	for (line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
		mark = strstr(line, " = ");
		if (mark != NULL && strncmp(mark, " = ***\n", 7) == 0 &&
		    memchr(line, '\n', (size_t)(mark - line)) == NULL)
			*line = '#';
	}
}

static void
check_print(const struct conf *c)
{
	char *first = print(c), *second, err[512];
	/* These have no default, so the second print has them empty. */
	bool lost = *c->jwt_secret != '\0' || *c->pg_direct_url != '\0';
	struct conf again;

	drop_secrets(first);
	must(load(first, strlen(first), &again));
	second = print(&again);
	drop_secrets(second);
	must(lost || strcmp(first, second) == 0);
	(void)conf_check(&again, ROLE_ALL, err, sizeof(err));
	conf_free(&again);
	free(second);
	free(first);
}

/* No other file is read: an input may name a device that blocks. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct conf c;

	if (memmem(data, size, "include", 7) != NULL ||
	    memmem(data, size, "_file", 5) != NULL)
		return 0;
	if (load((const char *)data, size, &c)) {
		check_print(&c);
		conf_free(&c);
	}
	return 0;
}

#include "replay.h"
