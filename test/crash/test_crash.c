/*
 * Crash points: the process kills itself at each step of each write path, one
 * after the other, while tasks go through the system; then it is started again,
 * and every task that was accepted must end exactly once, with nothing left in
 * a list. Needs a daemon built with CRASH=1 (make check-crash).
 */
#include <signal.h>

#include "support/client.h"
#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

#define TASKS 12

static const char conf[] =
    SHORT_TIMES "pg_timeout = 1s\n"
		"concurrency = 4\n"
		"[handler progress]\nkind = process\n"
		"command = @TOP@/test/integration/lines.pl\n";

struct point {
	const char *part;
	const char *flow;
	const char *steps; /* with blanks between */
	bool keyed; /* of submits with keys */
};

static const struct point points[] = {
	{ "api-1", "submit",
	    "insert_task insert_task+ note_accepted announce end", false },
	{ "api-1", "batch",
	    "insert_range insert_range+ note_range announce end", false },
	{ "api-1", "submit",
	    "insert_task insert_task+ note_accepted announce end", true },
	{ "api-1", "batch",
	    "insert_range insert_range+ note_range announce end", true },
	{ "api-1", "cancel",
	    "write_wish write_wish+ note_wish drop_entry drop_entry+ "
	    "tell_others await_join await_read+ end",
	    false },
	{ "api-1", "retry", "write_retry write_retry+ note_retry end", false },
	{ "api-1", "retry_many",
	    "find_tasks+ write_retries write_retries+ note_retries end",
	    false },
	{ "api-1", "delete", "delete_task delete_task+ note_deleted end",
	    false },
	{ "worker-1", "wishes",
	    "ask_wishes ask_wishes+ stop_wished begin_again", false },
	{ "worker-1", "fetch", "stand_at_list+ take_over", false },
	{ "worker-1", "claim",
	    "send_beat+ top_up+ took claim_taken claim_taken+ start_claimed "
	    "drop_strangers next_turn",
	    false },
	{ "worker-1", "settle",
	    "write_batch write_batch+ check_batch leave_lists leave_lists+ "
	    "left_lists tell_others begin_again",
	    false },
	{ "worker-1", "leave",
	    "look_into_list look_into_list+ other_list say_goodbye "
	    "say_goodbye+ note_goodbye",
	    false },
	{ "worker-1", "resync", "ask_epoch+ put_back+ adopt", false },
	{ "manager-1", "schedule",
	    "ask_due+ promote promote+ pick_server push push+ pushed", false },
	{ "manager-1", "elect",
	    "ask_lease+ ask_term write_term+ tell_term+ pause_between", false },
	{ "manager-1", "reconcile",
	    "ask_epoch+ plan walk_on+ sort_rows look_further sweep_lists "
	    "end_pass",
	    false },
	{ "manager-1", "upkeep", "make_ahead+ drop_old+ note_dropped", false },
	{ "manager-1", "forget", "sweep_idempotency+ sweep_unique+ note_place",
	    false },
	{ "manager-1", "scan",
	    "list_workers+ pronounce pronounce+ pronounced ask_lengths "
	    "look_into_list recover_tasks recover_tasks+ sort_tasks "
	    "give_back give_back+ forget_rest forget_rest+ next_list",
	    false },
};

/* Of all kinds: both priorities, later ones, failing ones. Some may be refused
 * or get lost, when it is the API that dies. */
static int
send_tasks(void)
{
	static const char *const bodies[] = {
		"{\"type\":\"noop\"}",
		"{\"type\":\"noop\",\"priority\":\"high\"}",
		"{\"type\":\"fail\",\"payload\":{\"times\":1}}",
		"{\"type\":\"echo\",\"payload\":1,\"delay_seconds\":0.2}",
		"{\"type\":\"sleep\",\"payload\":{\"ms\":150}}",
		"{\"type\":\"fail\",\"max_attempts\":1}",
	};
	char id[ID_SIZE];
	int i, n = 0;

	for (i = 0; i < TASKS; i++)
		n += try_submit(&me, bodies[(size_t)i % NELEM(bodies)], id) ==
		    201;
	return n;
}

/* The same in one request; nothing may be left of it in halves. */
static void
send_batch(void)
{
	http_call(&me, "POST", "/tasks/batch", JSON_TYPE,
	    "{\"tasks\":[{\"type\":\"noop\"},{\"type\":\"noop\"},"
	    "{\"type\":\"noop\",\"priority\":\"high\"},{\"type\":\"a b\"},"
	    "{\"type\":\"fail\",\"payload\":{\"times\":1}},"
	    "{\"type\":\"echo\",\"payload\":1,\"delay_seconds\":0.2}]}");
}

static void
act_on(const char *method, const char *states, const char *action)
{
	const char *id = sql("SELECT id FROM taskflow.tasks WHERE status IN "
			     "(%s) ORDER BY random() LIMIT 1",
	    states);

	if (*id != '\0')
		http_call(
		    &me, method, text("/tasks/%s%s", id, action), NULL, NULL);
}

/* What owners do to tasks; the answer does not matter. */
static void
act(const char *flow)
{
	if (strcmp(flow, "cancel") == 0) {
		act_on("POST", "1, 4", "/cancel");
		act_on("POST", "2, 3", "/cancel");
	} else if (strcmp(flow, "wishes") == 0) {
		act_on("POST", "3", "/cancel");
	} else if (strcmp(flow, "retry") == 0) {
		act_on("POST", "6", "/retry");
	} else if (strcmp(flow, "retry_many") == 0) {
		http_call(
		    &me, "POST", "/tasks/retry", JSON_TYPE, "{\"limit\":5}");
	} else if (strcmp(flow, "delete") == 0) {
		act_on("DELETE", "5, 6", "");
	}
}

/* Requests with keys have numbers: those up to the first one are known to be
 * accepted. The payload of a task tells its request. */
static int first_keyed, next_keyed;

static int
send_keyed(const struct point *p, int number)
{
	bool batch = strcmp(p->flow, "batch") == 0;
	char *headers = strdup(
	    text(JSON_TYPE "Idempotency-Key: \"%s %d\"\r\n", p->flow, number));
	char *task = strdup(text("{\"type\":\"noop\",\"payload\":\"%s %d\","
				 "\"unique_key\":\"%s %d",
	    p->flow, number, p->flow, number));
	char *body = strdup(batch
		? text("{\"tasks\":[%s\"},%s b\"},{\"type\":\"a b\"}]}", task,
		      task)
		: text("%s\"}", task));
	int status = http_call(
	    &me, "POST", batch ? "/tasks/batch" : "/tasks", headers, body);

	free(headers);
	free(task);
	free(body);
	return status;
}

/* All that may have been done is asked for again, until it is answered: then
 * there must be one of each. */
static void
repeat_keyed(const struct point *p)
{
	int64_t each = strcmp(p->flow, "batch") == 0 ? 2 : 1;
	int status;

	for (; first_keyed < next_keyed; first_keyed++)
		UNTIL((status = send_keyed(p, first_keyed)) == 201 ||
		    status == 200);
	assert_int_equal(
	    sql_int("SELECT count(*) FROM (SELECT FROM taskflow.tasks WHERE "
		    "unique_key IS NOT NULL AND payload::text LIKE '\"%s %%%%' "
		    "GROUP BY payload::text HAVING count(*) <> %lld) x",
		p->flow, (long long)each),
	    0);
}

static bool
all_final(void)
{
	return sql_int(
		   "SELECT count(*) FROM taskflow.tasks WHERE status < 5") == 0;
}

/* What makes the part come to that step: a worker that dies, for the scanner;
 * one that leaves, for its goodbye. */
static void
provoke(const struct point *p)
{
	if (strcmp(p->flow, "scan") == 0) {
		part_kill("worker-1");
		part_start("worker-1");
	}
	if (strcmp(p->flow, "leave") == 0)
		part_signal("worker-1", SIGTERM);
}

static bool
crash_at(const struct point *p, const char *step)
{
	int64_t until;
	bool reached;

	part_stop(p->part);
	setenv("CRASH_AT", text("%s:%s", p->flow, step), 1);
	part_launch(p->part);
	unsetenv("CRASH_AT");
	until = now_ms() + 6000;
	while (part_runs(p->part) && now_ms() < until) {
		if (p->keyed)
			send_keyed(p, next_keyed++);
		else if (strcmp(p->flow, "batch") == 0)
			send_batch();
		else
			send_tasks();
		act(p->flow);
		provoke(p);
		pause_ms(100);
		if (strcmp(p->part, "api-1") != 0 && all_final())
			pause_ms(200);
	}
	reached = !part_runs(p->part);
	if (!reached)
		part_stop(p->part);
	part_start(p->part);
	if (!part_runs("worker-1"))
		part_start("worker-1");
	return reached;
}

static void
walk(const struct point *p)
{
	char *list = strdup(p->steps), *rest = list, *step;
	int missed = 0;

	while ((step = strsep(&rest, " ")) != NULL) {
		if (!crash_at(p, step)) {
			print_message("%s:%s was not reached\n", p->flow, step);
			missed++;
		}
		if (p->keyed)
			repeat_keyed(p);
		UNTIL(all_final());
		UNTIL(lists_are_empty());
	}
	free(list);
	assert_int_equal(missed, 0);
	if (strcmp(p->flow, "batch") == 0 && !p->keyed)
		assert_int_equal(
		    sql_int("SELECT count(*) %% 5 FROM taskflow.tasks"), 0);
	/* One final event each, and one more for each retry by the owner. */
	assert_int_equal(
	    sql_int("SELECT count(*) FROM (SELECT task_id FROM "
		    "taskflow.task_events GROUP BY task_id HAVING "
		    "count(*) FILTER (WHERE kind IN (5, 6, 11)) <> 1 + "
		    "count(*) FILTER (WHERE kind = 7 AND worker IS NULL)) x"),
	    0);
	/* A wish is kept. */
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE cancel_requested_at IS NOT NULL "
				 "AND status <> 7"),
	    0);
	assert_int_equal(
	    sql_int("SELECT count(*) FROM taskflow.tasks t WHERE "
		    "NOT EXISTS (SELECT FROM taskflow.task_events "
		    "e WHERE e.task_id = t.id AND e.kind IN (5, 6, "
		    "11))"),
	    0);
}

static void
walk_all(void **state)
{
	walk(*state);
}

int
main(int argc, char **argv)
{
	struct CMUnitTest tests[NELEM(points)];
	struct group g = { "crash", "api=1 manager=1 worker=1", conf, tests,
		NELEM(points) };

	for (size_t i = 0; i < NELEM(points); i++)
		tests[i] = (struct CMUnitTest){ .name = points[i].flow,
			.test_func = walk_all,
			.initial_state = (void *)&points[i] };
	return group_run(&g, argc, argv);
}
