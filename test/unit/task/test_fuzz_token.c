/* The corpus of the fuzz target once more; run from the top of the source. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "../../fuzz/fuzz_token.c"

#define CORPUS "test/fuzz/corpus/token"

static void
the_corpus_holds(void **state)
{
	static uint8_t data[65536];
	DIR *dir = opendir(CORPUS);
	struct dirent *e;
	char path[512];
	size_t n = 0;
	FILE *f;

	(void)state;
	if (dir == NULL)
		fail_msg("%s cannot be read", CORPUS);
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), CORPUS "/%s", e->d_name);
		f = fopen(path, "rb");
		assert_non_null(f);
		LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof(data), f));
		fclose(f);
		n++;
	}
	closedir(dir);
	assert_true(n >= 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(
	    the_corpus_holds) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
