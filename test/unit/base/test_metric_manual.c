/* The list of taskflow-metrics(7) is the one of the table of metrics. Run from
 * the top of the source; `test_metric_manual --write` puts it there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/metric.h"
#include "base/mem.h"

#define MANUAL "man/taskflow-metrics.7"
#define BEGIN "Begin of what `make conf` writes from the table of metrics.\n"
#define END ".\\\" End of what `make conf` writes.\n"

static char *
contents(FILE *f)
{
	size_t n, cap = 1 << 20;
	char *text = xmalloc(cap);

	n = fread(text, 1, cap - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static char *
generated(void)
{
	FILE *f = tmpfile();

	metric_mdoc(f);
	rewind(f);
	return contents(f);
}

static char *
manual(char **ret_begin, char **ret_end)
{
	FILE *f = fopen(MANUAL, "r");
	char *text;

	if (f == NULL)
		fail_msg("%s cannot be read", MANUAL);
	text = contents(f);
	*ret_begin = strstr(text, BEGIN);
	assert_non_null(*ret_begin);
	*ret_begin += strlen(BEGIN);
	*ret_end = strstr(*ret_begin, END);
	assert_non_null(*ret_end);
	return text;
}

static void
the_manual_has_the_table(void **state)
{
	char *begin, *end, *want = generated(), *text = manual(&begin, &end);

	(void)state;
	*end = '\0';
	assert_string_equal(begin, want);
	free(want);
	free(text);
}

static int
write_manual(void)
{
	char *begin, *end, *want = generated(), *text = manual(&begin, &end);
	FILE *f = fopen(MANUAL, "w");

	if (f == NULL)
		return 1;
	fwrite(text, 1, (size_t)(begin - text), f);
	fputs(want, f);
	fputs(end, f);
	free(want);
	free(text);
	return fclose(f);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_manual_has_the_table),
	};

	if (argc == 2 && strcmp(argv[1], "--write") == 0)
		return write_manual();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
