/* Lines that a handler's program writes: whatever comes, either an answer whose
 * texts the database takes, or what is wrong with it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/jsn.h"
#include "base/utf8.h"
#include "role/worker/handler_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth)
{
	if (!truth)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct span line = { (const char *)data, len };
	struct jsn_value v;
	struct answer ans;
	struct fault f;
	struct arena a;
	const char *why;

	arena_init(&a);
	why = answer_parse(line, &a, &ans);
	if (why != NULL)
		must(why[0] != '\0');
	else if (ans.kind == ANSWER_RESULT)
		must(jsn_scan(ans.value, &v, &f) == OK);
	else
		must(ans.retry_after_ms >= -1);
	arena_fini(&a);
	return 0;
}

#include "replay.h"
