#ifndef TEST_FUZZ_REPLAY_H
#define TEST_FUZZ_REPLAY_H

/* With -DREPLAY a fuzz target is a plain program: each argument is a file with
 * one input. */
#ifdef REPLAY
int
main(int argc, char **argv)
{
	static uint8_t data[1 << 20];

	for (int i = 1; i < argc; i++) {
		FILE *f = fopen(argv[i], "rb");

		if (f == NULL)
			return 1;
		LLVMFuzzerTestOneInput(data, fread(data, 1, sizeof(data), f));
		fclose(f);
	}
	return 0;
}
#endif

#endif
