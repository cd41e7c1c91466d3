#ifndef TEST_FUZZ_REPLAY_H
#define TEST_FUZZ_REPLAY_H

/* With -DREPLAY='"FOLDER"' a fuzz target is a plain program that runs the inputs
 * of its corpus, or those that it is given as arguments (make check does). */
#ifdef REPLAY
#include <dirent.h>
#include <stdio.h>

static int
replay_file(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "rb");

	if (f == NULL)
		return 0;
	LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof(data), f));
	fclose(f);
	return 1;
}

static int
replay_folder(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	char path[512];
	int n = 0;

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (e->d_name[0] != '.')
			n += replay_file(path);
	}
	if (d != NULL)
		closedir(d);
	return n;
}

int
main(int argc, char **argv)
{
	int n = 0;

	for (int i = 1; i < argc; i++)
		n += replay_file(argv[i]);
	if (argc == 1)
		n = replay_folder(REPLAY);
	printf("[       %s ] %s: %d inputs\n", n > 0 ? "OK" : "--", REPLAY, n);
	return n > 0 ? 0 : 1;
}
#endif

#endif
