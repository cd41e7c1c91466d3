/* The table of ids, against a plain array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/idmap.h"

#define N 3000

static void
behaves_like_an_array(void **state)
{
	struct id *ids = xcalloc(N, sizeof(*ids));
	bool *in = xcalloc(N, sizeof(*in));
	unsigned seed = 1;
	struct idmap m;
	size_t i, round, n = 0, at, seen;

	(void)state;
	idmap_init(&m);
	for (i = 0; i < N; i++)
		id_new(&ids[i]);
	assert_null(idmap_get(&m, &ids[0]));
	assert_null(idmap_remove(&m, &ids[0]));
	for (round = 0; round < 40000; round++) {
		i = (size_t)rand_r(&seed) % N;
		if (in[i]) {
			assert_ptr_equal(idmap_remove(&m, &ids[i]), &ids[i]);
			n--;
		} else {
			assert_null(idmap_get(&m, &ids[i]));
			idmap_put(&m, &ids[i], &ids[i]);
			n++;
		}
		in[i] = !in[i];
		assert_int_equal(m.used, n);
		i = (size_t)rand_r(&seed) % N;
		assert_ptr_equal(
		    idmap_get(&m, &ids[i]), in[i] ? &ids[i] : NULL);
	}
	for (at = 0, seen = 0; idmap_next(&m, &at) != NULL;)
		seen++;
	assert_int_equal(seen, n);
	idmap_put(&m, &ids[7], &ids[8]); /* replaces */
	assert_ptr_equal(idmap_get(&m, &ids[7]), &ids[8]);
	idmap_fini(&m);
	free(ids);
	free(in);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behaves_like_an_array),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
