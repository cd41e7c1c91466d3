/*
 * The kind process with several tasks in flight to one program: who gets them,
 * and what becomes of them when the program does not answer them all.
 */
#include "handlers_run.h"

/* Keeps what it is told to hold or to hang; "all" is answered, and after it all
 * that is held, the last one first. SIGTERM is its end, unless it was told to
 * be deaf: then what is held is answered at the end of the input. */
#define HOLD                                                                   \
	PERL(                                                                  \
	    "$| = 1; my $j = JSON::PP->new->allow_nonref->utf8; my @held;"     \
	    "sub done { print qq({\"id\":\"$_[0]\",\"result\":$$}\\n) }"       \
	    "sub let_go { done(pop @held) while @held }"                       \
	    "while (<STDIN>) { my $t = $j->decode($_); my $p = $t->{payload};" \
	    "push @held, $t->{id} if $p eq 'hold';"                            \
	    "if ($p eq 'deaf') { $SIG{TERM} = 'IGNORE'; done($t->{id}) }"      \
	    "if ($p eq 'all') { done($t->{id}); let_go() }"                    \
	    "if ($p eq 'twice') { done($t->{id}); done($t->{id}) }"            \
	    "print \"what?\\n\" if $p eq 'bad';"                               \
	    "if ($p eq 'die') { print STDERR \"dying\\n\"; exit 9 }"           \
	    "if (ref $p) { done($p->[0]) } }"                                  \
	    "let_go() if $SIG{TERM}; sleep 60 while 1")

#define TERMINATED "killed by SIGTERM (max RSS "
#define SEVERAL "its program ended with several tasks: "

static struct conf_handler *
open_hold(int in_flight)
{
	struct conf_handler *h = add(HANDLER_PROCESS, "p", HOLD);

	h->in_flight = in_flight;
	open_handlers();
	return h;
}

static void
begin_all(struct task *t, int n, const char *payload)
{
	int i;

	for (i = 0; i < n; i++)
		begin(&t[i], "p", payload);
}

/* All n were done by one program. */
static pid_t
same_program(struct task *t, int n)
{
	pid_t pid = pid_of(&t[0]);
	int i;

	for (i = 0; i < n; i++) {
		assert_int_equal(pid_of(&t[i]), pid);
		finish(&t[i]);
	}
	return pid;
}

/* ---- who gets them ---- */
static void
answers_may_come_in_any_order(void **state)
{
	struct task t[4];
	int i;

	(void)state;
	open_hold(4);
	begin_all(t, 3, "\"hold\"");
	for (i = 0; i < 20; i++) {
		loop_turn(the_loop);
		poll(NULL, 0, 1);
	}
	assert_int_equal(n_ended, 0);
	begin(&t[3], "p", "\"all\"");
	assert_int_equal(handlers_processes(the_handlers), 1);
	UNTIL(n_ended == 4);
	for (i = 0; i < 4; i++)
		assert_int_equal(t[i].rank, 4 - i);
	same_program(t, 4);
}

/* As few as there must be; and who is idle is better than who is not there. */
static void
tasks_go_to_few_programs(void **state)
{
	struct task t[5], *two = t, *other = t + 2;

	(void)state;
	open_hold(2);
	begin(&t[0], "p", "\"hold\"");
	assert_int_equal(handlers_processes(the_handlers), 1);
	begin(&t[1], "p", "\"hold\"");
	assert_int_equal(handlers_processes(the_handlers), 1);
	begin_all(other, 2, "\"all\"");
	assert_int_equal(handlers_processes(the_handlers), 2);
	same_program(other, 2);
	begin(&t[4], "p", "\"all\"");
	pid_of(&t[4]);
	finish(&t[4]);
	assert_int_equal(handlers_processes(the_handlers), 2);
	interrupt(&two[0]);
	ends_like(&two[0], VERDICT_INTERRUPTED, "interrupted: " TERMINATED);
	ends_like(&two[1], VERDICT_INTERRUPTED, SEVERAL TERMINATED);
	assert_int_equal(handlers_processes(the_handlers), 1);
}

static void
concurrency_counts_tasks(void **state)
{
	struct task t[5];
	int i;

	(void)state;
	open_hold(2)->concurrency = 3;
	begin_all(t, 5, "\"all\"");
	for (i = 0; i < 5; i++)
		assert_int_equal(
		    t[i].run.state, i < 3 ? RUN_RUNNING : RUN_WAITING);
	assert_int_equal(handlers_processes(the_handlers), 2);
	for (i = 0; i < 5; i++) {
		pid_of(&t[i]);
		finish(&t[i]);
	}
	assert_int_equal(handlers_processes(the_handlers), 2);
}

/* Far more than a pipe holds, either way. */
static void
a_thousand_at_once(void **state)
{
	static struct task t[1000];
	char payload[4000];
	int i;

	(void)state;
	memset(payload, 'x', sizeof(payload));
	payload[0] = payload[sizeof(payload) - 2] = '"';
	payload[sizeof(payload) - 1] = '\0';
	add(HANDLER_PROCESS, "p",
	    PERL("while (<STDIN>) { /\"id\":\"(.*?)\".*payload\":(.*)}/;"
		 "push @a, qq({\"id\":\"$1\",\"result\":$2}\\n);"
		 "next if @a < 1000; $| = 1; print reverse @a }"))
	    ->in_flight = 1000;
	open_handlers();
	begin_all(t, 1000, payload);
	assert_int_equal(handlers_processes(the_handlers), 1);
	for (i = 999; i >= 0; i--) {
		UNTIL(t[i].has_ended);
		assert_int_equal(t[i].rank, 1000 - i);
		ends(&t[i], VERDICT_DONE, payload);
	}
}

/* ---- when the program does not answer them all ---- */
static void
a_crash_costs_the_oldest_an_attempt(void **state)
{
	struct task t[4];

	(void)state;
	open_hold(4);
	begin(&t[0], "p", "\"all\"");
	pid_of(&t[0]);
	finish(&t[0]);
	begin_all(t, 3, "\"hold\"");
	begin(&t[3], "p", "\"die\"");
	ends(&t[0], VERDICT_FAILED, "exit status 9, without an answer: dying");
	ends(&t[1], VERDICT_INTERRUPTED,
	    SEVERAL "exit status 9, without an answer");
	ends_like(&t[2], VERDICT_INTERRUPTED, SEVERAL "exit status 9");
	ends_like(&t[3], VERDICT_INTERRUPTED, SEVERAL "exit status 9");
	assert_int_equal(handlers_processes(the_handlers), 0);
	begin(&t[0], "p", "\"all\"");
	pid_of(&t[0]);
	finish(&t[0]);
}

static void
so_does_a_bad_line(void **state)
{
	struct task t[3];

	(void)state;
	open_hold(3);
	begin_all(t, 2, "\"hold\"");
	begin(&t[2], "p", "\"bad\"");
	ends_like(&t[0], VERDICT_FAILED, "bad line of the program (");
	ends_like(
	    &t[1], VERDICT_INTERRUPTED, SEVERAL "bad line of the program (");
	ends_like(&t[2], VERDICT_INTERRUPTED, SEVERAL);
	assert_int_equal(handlers_processes(the_handlers), 0);
	begin(&t[0], "p", "\"hold\"");
	begin(&t[1], "p", "\"twice\"");
	ends_like(&t[0], VERDICT_FAILED,
	    "bad line of the program (id is the one of another task): ");
	pid_of(&t[1]);
	finish(&t[1]);
}

static void
a_task_of_another_program_is_none(void **state)
{
	char id[ID_TEXT_SIZE], payload[64];
	struct task t[3];

	(void)state;
	open_hold(2);
	begin_all(t, 2, "\"hold\"");
	id_format(&t[0].run.id, id);
	snprintf(payload, sizeof(payload), "[\"%s\"]", id);
	begin(&t[2], "p", payload);
	ends_like(&t[2], VERDICT_FAILED,
	    "bad line of the program (id is the one of another task): ");
	assert_int_equal(handlers_processes(the_handlers), 1);
	begin(&t[2], "p", "\"all\""); /* both are still there, it is a third */
	pid_of(&t[2]);
	finish(&t[2]);
	assert_false(t[0].has_ended || t[1].has_ended);
	interrupt(&t[0]);
	interrupt(&t[1]);
	ends_like(&t[0], VERDICT_INTERRUPTED, "interrupted: ");
	ends_like(&t[1], VERDICT_INTERRUPTED, "interrupted: ");
}

/* What is done within the grace is done, what is left is not at fault. */
static void
a_time_out_ends_the_program_of_others(void **state)
{
	struct task t[4], next;

	(void)state;
	open_hold(4)->grace_ms = 1000;
	begin(&t[0], "p", "\"deaf\"");
	pid_of(&t[0]);
	finish(&t[0]);
	begin(&t[0], "p", "\"hold\"");
	begin(&t[1], "p", "\"hang\"");
	task_init(&t[2], "p", "\"hang\"");
	t[2].run.timeout_ms = 100;
	task_start(&t[2]);
	begin(&t[3], "p", "\"hold\"");
	UNTIL(t[0].has_ended && t[3].has_ended);
	assert_false(t[1].has_ended || t[2].has_ended);
	begin(&next, "p", "\"all\""); /* not to who leaves */
	assert_int_equal(handlers_processes(the_handlers), 2);
	assert_int_not_equal(pid_of(&next), pid_of(&t[0]));
	finish(&next);
	pid_of(&t[3]);
	ends_like(
	    &t[2], VERDICT_FAILED, "timed out after 0.1 s: killed by SIGKILL ");
	ends_like(&t[1], VERDICT_INTERRUPTED, SEVERAL "killed by SIGKILL ");
	finish(&t[0]);
	finish(&t[3]);
	assert_int_equal(handlers_processes(the_handlers), 1);
}

static void
stopping_one_stops_its_program(void **state)
{
	struct task t[3];
	int i;

	(void)state;
	open_hold(3);
	begin_all(t, 3, "\"hold\"");
	interrupt(&t[1]);
	ends_like(&t[0], VERDICT_INTERRUPTED, SEVERAL TERMINATED);
	ends_like(&t[1], VERDICT_INTERRUPTED, "interrupted: " TERMINATED);
	ends_like(&t[2], VERDICT_INTERRUPTED, SEVERAL TERMINATED);
	begin_all(t, 3, "\"hold\"");
	for (i = 0; i < 3; i++)
		interrupt(&t[i]);
	for (i = 0; i < 3; i++)
		ends_like(
		    &t[i], VERDICT_INTERRUPTED, "interrupted: " TERMINATED);
	assert_int_equal(n_ended, 6);
}

static void
who_dies_at_its_start_fails_one(void **state)
{
	struct task t[4];
	int i;

	(void)state;
	add(HANDLER_PROCESS, "p", SH("exit 3"))->in_flight = 4;
	open_handlers();
	begin_all(t, 4, "1");
	ends(&t[0], VERDICT_FAILED, "exit status 3, without an answer");
	for (i = 1; i < 4; i++)
		ends_like(&t[i], VERDICT_INTERRUPTED, SEVERAL "exit status 3");
}

static void
closing_gives_all_up(void **state)
{
	struct task t[6];
	int i;

	(void)state;
	open_hold(4);
	begin_all(t, 6, "\"hold\"");
	loop_turn(the_loop);
	interrupt(&t[5]);
	handlers_close(the_handlers);
	the_handlers = NULL;
	UNTIL(no_children());
	assert_int_equal(n_ended, 0);
	for (i = 0; i < 6; i++)
		finish(&t[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_may_come_in_any_order),
		TEST(tasks_go_to_few_programs),
		TEST(concurrency_counts_tasks),
		TEST(a_thousand_at_once),
		TEST(a_crash_costs_the_oldest_an_attempt),
		TEST(so_does_a_bad_line),
		TEST(a_task_of_another_program_is_none),
		TEST(a_time_out_ends_the_program_of_others),
		TEST(stopping_one_stops_its_program),
		TEST(who_dies_at_its_start_fails_one),
		TEST(closing_gives_all_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
