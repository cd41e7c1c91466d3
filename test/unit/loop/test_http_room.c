/* Large bodies are begun with a few in each turn, in order; small ones at
 * once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop/http_private.h"

#define MANY 40
#define LARGE (100 * 1024)
#define EACH_TURN 3 /* of these, until 256 KiB are used */

struct numbered {
	struct flow flow;
	int number;
};

static int order[MANY + 1], nbegun;

static enum flow_next
note(struct flow *f)
{
	order[nbegun++] = ((struct numbered *)f)->number;
	return FLOW_END;
}

static void
end(struct flow *f, enum err err)
{
	(void)f;
	assert_int_equal(err, OK);
}

static const struct step steps[] = { STEP(note), STEP_LAST };
static const struct flow_def def = { "numbered", sizeof(struct numbered), steps,
	end };

static void
come(struct http_room *room, struct loop *loop, int number, size_t len)
{
	struct flow *f = flow_new(loop, &def);

	((struct numbered *)f)->number = number;
	room_go(room, f, len);
}

static void
a_turn_has_room_for_a_few(void **state)
{
	struct loop *loop = loop_open();
	struct http_room room;
	int i, before;

	(void)state;
	room_init(&room, loop);
	for (i = 0; i < MANY; i++)
		come(&room, loop, i, LARGE);
	assert_int_equal(nbegun, EACH_TURN);
	come(&room, loop, MANY, 100); /* a probe does not wait for them */
	assert_int_equal(nbegun, EACH_TURN + 1);
	assert_int_equal(order[EACH_TURN], MANY);
	while (nbegun < MANY + 1) {
		before = nbegun;
		loop_turn(loop);
		assert_true(nbegun - before <= EACH_TURN);
	}
	for (i = 0; i < MANY; i++)
		assert_int_equal(order[i + (i >= EACH_TURN)], i);
	/* What was used is given back. */
	for (i = 0; i < 10000000 && room.used > 0; i++)
		loop_turn(loop);
	assert_int_equal(room.used, 0);
	room_fini(&room);
	loop_close(loop);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_turn_has_room_for_a_few),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
