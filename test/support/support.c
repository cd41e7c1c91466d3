#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client.h"
#include "ledger.h"
#include "stack.h"
#include "store.h"
#include "support.h"

#define TEXTS 64
/* No group takes that long, unless it hangs. */
#define GROUP_SECONDS 1800

static const struct group *the_group;

int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

void
pause_ms(int64_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

const char *
text(const char *fmt, ...)
{
	static char *texts[TEXTS];
	static size_t next;
	char **to = &texts[next++ % TEXTS];
	va_list ap;

	free(*to);
	va_start(ap, fmt);
	if (vasprintf(to, fmt, ap) < 0)
		abort();
	va_end(ap);
	return *to;
}

char *
read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	struct stat st;
	size_t n;
	char *s;

	if (f == NULL)
		return NULL;
	if (fstat(fileno(f), &st) < 0) {
		fclose(f);
		return NULL;
	}
	s = malloc((size_t)st.st_size + 1);
	n = fread(s, 1, (size_t)st.st_size, f);
	s[n] = '\0';
	fclose(f);
	return s;
}

/* ---- groups ---- */

/* The last test may have left the stack in any state: it ended cleanly only if
 * it came to all_ended(). */
static int
set_up(void **state)
{
	bool clean = ledger_is_clean();

	(void)state;
	if (the_group->roles == NULL)
		return 0;
	if (!clean)
		print_message("starting anew after a failed test\n");
	stack_restore(!clean);
	ledger_begin();
	client_begin();
	return 0;
}

int
group_run(const struct group *g, int argc, char **argv)
{
	struct CMUnitTest *tests = calloc(g->ntests, sizeof(*tests));
	size_t i;
	int failed;

	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	alarm(GROUP_SECONDS);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	the_group = g;
	for (i = 0; i < g->ntests; i++) {
		tests[i] = g->tests[i];
		tests[i].setup_func = set_up;
	}
	stack_open(g->name, g->roles, g->conf);
	failed = _cmocka_run_group_tests(g->name, tests, g->ntests, NULL, NULL);
	client_end();
	store_end();
	ledger_end();
	if (!stack_close(failed != 0) && failed == 0)
		failed = 1;
	free(tests);
	return failed;
}
