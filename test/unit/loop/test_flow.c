/* The flow engine: the four rules of loop/flow.h, each tried. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "loop/flow.h"

static struct loop *loop;

struct trial {
	struct flow flow;
	char *log; /* a letter for each thing that happened */
	struct op op;
	struct flow_signal *signal;
	int rounds;
	bool abandoned;
};

static char said[64];
static struct trial *abandoned_by;

static void
say(struct flow *f, char what)
{
	char *log = ((struct trial *)f)->log;
	size_t n = strlen(log);

	log[n] = what;
	log[n + 1] = '\0';
}

static void
end(struct flow *f, enum err err)
{
	say(f,
	    err == OK                 ? '.'
		: err == ERR_TIMEOUT  ? 't'
		: err == ERR_SHUTDOWN ? 's'
				      : '!');
}

static struct trial *
begin(const struct flow_def *def)
{
	struct trial *t = (struct trial *)flow_new(loop, def);

	said[0] = '\0';
	t->log = said;
	return t;
}

static void
turns(int n)
{
	while (n-- > 0)
		loop_turn(loop);
}

static void
until_said(const char *what)
{
	int64_t deadline = clock_mono_us() + 10 * US_PER_S;

	while (strcmp(said, what) != 0) {
		if (clock_mono_us() > deadline)
			fail_msg("said \"%s\", not \"%s\"", said, what);
		loop_turn(loop);
	}
}

/* ---- steps ---- */
static enum flow_next
step_a(struct flow *f)
{
	say(f, 'a');
	return FLOW_NEXT;
}

static enum flow_next
step_b(struct flow *f)
{
	say(f, 'b');
	return FLOW_NEXT;
}

static enum flow_next
step_fails(struct flow *f)
{
	say(f, 'f');
	return flow_check(f, ERR_CONFLICT);
}

static void
note_abandon(struct op *op)
{
	abandoned_by = container_of(op, struct trial, op);
	abandoned_by->abandoned = true;
}

static enum flow_next
step_waits(struct flow *f)
{
	struct trial *t = (struct trial *)f;

	say(f, 'w');
	op_init(&t->op, note_abandon);
	return flow_wait(f, &t->op);
}

static enum flow_next
step_done_before(struct flow *f)
{
	struct trial *t = (struct trial *)f;

	say(f, 'd');
	op_init(&t->op, NULL);
	op_done(&t->op, OK);
	return flow_wait(f, &t->op);
}

static enum flow_next
step_sleeps(struct flow *f)
{
	say(f, 'z');
	return flow_sleep_ms(f, 20);
}

static enum flow_next
step_signal(struct flow *f)
{
	say(f, 'g');
	return signal_wait(f, ((struct trial *)f)->signal, 0);
}

static enum flow_next
step_again(struct flow *f)
{
	return ++((struct trial *)f)->rounds < 3 ? flow_again(f) : FLOW_NEXT;
}

static enum flow_next
step_skips(struct flow *f)
{
	return flow_goto(f, step_b);
}

#define FLOW(name, ...)                                                       \
	static const struct step name##_steps[] = { __VA_ARGS__, STEP_LAST }; \
	static const struct flow_def name = { #name, sizeof(struct trial),    \
		name##_steps, end }
FLOW(straight, STEP(step_a), STEP(step_b));
FLOW(failing, STEP(step_a), STEP(step_fails), STEP(step_b));
FLOW(waiting, STEP(step_a), STEP(step_waits), STEP(step_b));
FLOW(before, STEP(step_done_before), STEP(step_b));
FLOW(sleeping, STEP(step_sleeps), STEP(step_b));
FLOW(signalled, STEP(step_signal), STEP(step_b));
FLOW(looping, STEP(step_a), STEP(step_again), STEP(step_b));
FLOW(skipping, STEP(step_skips), STEP(step_a), STEP(step_b));

/* ---- tests ---- */
static void
steps_run_in_order_and_end_once(void **state)
{
	(void)state;
	flow_go(&begin(&straight)->flow);
	assert_string_equal(said, "ab.");
	flow_go(&begin(&skipping)->flow);
	assert_string_equal(said, "b.");
	flow_go(&begin(&looping)->flow);
	assert_string_equal(said, "aaab.");
	assert_int_equal(flow_count(loop), 0);
}

static void
an_error_skips_the_rest(void **state)
{
	(void)state;
	flow_go(&begin(&failing)->flow);
	assert_string_equal(said, "af!");
}

static void
completion_comes_a_turn_later(void **state)
{
	struct trial *t = begin(&waiting);

	(void)state;
	flow_go(&t->flow);
	assert_string_equal(said, "aw");
	op_done(&t->op, OK);
	assert_string_equal(said, "aw"); /* not from inside op_done */
	turns(2);
	assert_string_equal(said, "awb.");
	flow_go(&begin(&before)->flow);
	assert_string_equal(said, "d"); /* done already, and still later */
	turns(2);
	assert_string_equal(said, "db.");
}

static void
an_error_of_what_it_waits_for_ends_it(void **state)
{
	struct trial *t = begin(&waiting);

	(void)state;
	flow_go(&t->flow);
	op_done(&t->op, ERR_DATA);
	turns(2);
	assert_string_equal(said, "aw!");
}

static void
the_deadline_abandons_and_ends(void **state)
{
	struct trial *t = begin(&waiting);

	(void)state;
	abandoned_by = NULL;
	flow_deadline_ms(&t->flow, 10);
	flow_go(&t->flow);
	until_said("awt");
	assert_ptr_equal(abandoned_by, t);
	assert_int_equal(flow_count(loop), 0);
}

static void
the_deadline_beats_a_completion_that_was_not_heard_yet(void **state)
{
	struct trial *t = begin(&waiting);

	(void)state;
	flow_go(&t->flow);
	op_done(&t->op, OK);
	flow_abort(&t->flow, ERR_SHUTDOWN);
	turns(3);
	assert_string_equal(said, "aws");
	assert_int_equal(flow_count(loop), 0);
}

static void
sleep_and_signal(void **state)
{
	struct flow_signal s;
	struct trial *t;

	(void)state;
	flow_go(&begin(&sleeping)->flow);
	assert_string_equal(said, "z");
	until_said("zb.");

	signal_init(&s, loop);
	signal_raise(&s); /* remembered */
	t = begin(&signalled);
	t->signal = &s;
	flow_go(&t->flow);
	assert_string_equal(said, "gb.");

	t = begin(&signalled);
	t->signal = &s;
	flow_go(&t->flow);
	turns(3);
	assert_string_equal(said, "g"); /* remembered once only */
	signal_raise(&s);
	signal_raise(&s);
	turns(2);
	assert_string_equal(said, "gb.");

	t = begin(&signalled);
	t->signal = &s;
	flow_go(&t->flow); /* the second raise was remembered */
	assert_string_equal(said, "gb.");

	t = begin(&signalled);
	t->signal = &s;
	flow_go(&t->flow);
	flow_abort(&t->flow, ERR_SHUTDOWN);
	turns(2);
	assert_string_equal(said, "gs");
	signal_raise(&s); /* nobody waits any more */
	signal_fini(&s);
}

/* ---- calling ---- */
static struct trial *callee;

static enum flow_next
step_calls(struct flow *f)
{
	say(f, 'c');
	callee = (struct trial *)flow_new(loop, &waiting);
	callee->log = said;
	return flow_call(f, &callee->flow);
}
FLOW(calling, STEP(step_calls), STEP(step_b));

static void
a_caller_hears_how_it_ended(void **state)
{
	struct trial *t;

	(void)state;
	flow_go(&begin(&calling)->flow);
	assert_string_equal(said, "caw");
	op_done(&callee->op, OK);
	turns(3);
	assert_string_equal(said, "cawb.b.");

	flow_go(&begin(&calling)->flow);
	op_done(&callee->op, ERR_DATA);
	turns(3);
	assert_string_equal(said, "caw!!");

	/* The caller goes first: the other one goes, too. */
	t = begin(&calling);
	flow_go(&t->flow);
	flow_abort(&t->flow, ERR_SHUTDOWN);
	turns(4);
	assert_int_equal(strlen(said), 5);
	assert_int_equal(flow_count(loop), 0);
}

/* ---- tasks ---- */
struct note {
	struct loop_task task;
	char name;
	int again; /* asks to run soon so many times more */
};

static void
run_note(struct loop_task *t)
{
	struct note *n = container_of(t, struct note, task);
	size_t at = strlen(said);

	said[at] = n->name;
	said[at + 1] = '\0';
	if (n->again-- > 0)
		loop_soon(loop, t);
}

static void
idle_is_when_nothing_else_is_to_be_done(void **state)
{
	struct note last = { { .fn = run_note }, 'i', 0 };
	struct note other = { { .fn = run_note }, 'o', 0 };
	struct note busy = { { .fn = run_note }, 'b', 4 };

	(void)state;
	said[0] = '\0';
	loop_idle(loop, &last.task);
	loop_idle(loop, &last.task);
	loop_soon(loop, &busy.task);
	turns(8);
	assert_string_equal(said, "bbbbbi");

	/* Soon is sooner, and one asking is not two. */
	said[0] = '\0';
	busy.again = 1;
	loop_idle(loop, &last.task);
	loop_idle(loop, &other.task);
	loop_soon(loop, &other.task);
	loop_idle(loop, &other.task);
	loop_soon(loop, &busy.task);
	turns(5);
	assert_string_equal(said, "obbi");

	said[0] = '\0';
	loop_idle(loop, &last.task);
	loop_idle(loop, &other.task);
	loop_task_cancel(loop, &last.task);
	turns(3);
	assert_string_equal(said, "o");
}

static int
open_loop(void **state)
{
	(void)state;
	loop = loop_open();
	return 0;
}

static int
close_loop(void **state)
{
	(void)state;
	loop_close(loop);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_run_in_order_and_end_once),
		cmocka_unit_test(an_error_skips_the_rest),
		cmocka_unit_test(completion_comes_a_turn_later),
		cmocka_unit_test(an_error_of_what_it_waits_for_ends_it),
		cmocka_unit_test(the_deadline_abandons_and_ends),
		cmocka_unit_test(
		    the_deadline_beats_a_completion_that_was_not_heard_yet),
		cmocka_unit_test(sleep_and_signal),
		cmocka_unit_test(a_caller_hears_how_it_ended),
		cmocka_unit_test(idle_is_when_nothing_else_is_to_be_done),
	};

	return cmocka_run_group_tests(tests, open_loop, close_loop);
}
