#ifndef TEST_FUZZ_REPLAY_H
#define TEST_FUZZ_REPLAY_H

/* With -DREPLAY a fuzz target is a plain program: each argument is a file with
 * one input; without arguments it takes those of its corpus, test/fuzz/corpus/
 * and its own name, which must be there. For the end of a target. */
#ifdef REPLAY
#include <errno.h>
#include <glob.h>

static int
replay_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");
	uint8_t *copy;
	size_t n;

	if (f == NULL) {
		fprintf(stderr, "cannot read %s\n", path);
		return 1;
	}
	n = fread(data, 1, sizeof(data), f);
	fclose(f);
	/* Nothing behind it, so that a sanitizer sees what reads on. */
	copy = malloc(n > 0 ? n : 1);
	memcpy(copy, data, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	return 0;
}

int
main(int argc, char **argv)
{
	const char *name = program_invocation_short_name;
	char pattern[256];
	int failed = 0;
	glob_t g;

	for (int i = 1; i < argc; i++)
		failed |= replay_file(argv[i]);
	if (argc > 1)
		return failed;
	snprintf(pattern, sizeof(pattern), "test/fuzz/corpus/%s/*", name);
	if (glob(pattern, 0, NULL, &g) != 0) {
		fprintf(stderr, "there is no %s\n", pattern);
		return 1;
	}
	for (size_t i = 0; i < g.gl_pathc; i++)
		failed |= replay_file(g.gl_pathv[i]);
	/* For test/run. */
	printf("[  %s ] %s, %zu inputs\n", failed ? "FAILED" : "     OK", name,
	    g.gl_pathc);
	globfree(&g);
	return failed;
}
#endif

#endif
