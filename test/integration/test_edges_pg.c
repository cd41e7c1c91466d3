/* PostgreSQL that keeps a claim waiting, locks a table, or hangs. */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <libpq-fe.h>

#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

#define DAY_SIZE 16
#define LEADER_TTL_MS 3000 /* of SHORT_TIMES */
#define TELLING_LINES 20000

static const char base_conf[] =
    SHORT_TIMES "concurrency = 4\n" LEDGER_CONF "[handler teller]\n"
		"kind = process\n"
		"command = /usr/bin/perl @HOME@/teller.pl @HOME@/hold\n";

/* ---- a session of somebody else ---- */
static PGconn *other;

static void
must(PGconn *c, const char *statement)
{
	PGresult *res = PQexec(c, statement);

	if (PQresultStatus(res) != PGRES_TUPLES_OK &&
	    PQresultStatus(res) != PGRES_COMMAND_OK)
		fail_msg("%s: %s", statement, PQerrorMessage(c));
	PQclear(res);
}

/* Keeps the locks of that statement. */
static void
other_begin(const char *statement)
{
	other = PQconnectdb(stack_env("TASKFLOW_PG_DIRECT_URL"));
	must(other, "SET idle_in_transaction_session_timeout = 0");
	must(other, "BEGIN");
	must(other, statement);
}

static void
other_end(void)
{
	PQfinish(other);
	other = NULL;
}

/* ---- all processes of PostgreSQL ---- */
static pid_t
parent_of(const char *pid)
{
	char stat[1024] = "", path[300], *at;
	int parent = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	f = fopen(path, "r");
	if (f == NULL)
		return 0;
	if (fgets(stat, sizeof(stat), f) != NULL &&
	    (at = strrchr(stat, ')')) != NULL)
		sscanf(at, ") %*c %d", &parent);
	fclose(f);
	return parent;
}

/* The postmaster first: it makes no child from then on. */
static void
postgres_signal(int signo)
{
	pid_t postmaster = part_pid("postgres");
	struct dirent *e;
	DIR *proc;

	kill(postmaster, signo);
	proc = opendir("/proc");
	while (proc != NULL && (e = readdir(proc)) != NULL)
		if (isdigit((unsigned char)e->d_name[0]) &&
		    parent_of(e->d_name) == postmaster)
			kill((pid_t)strtol(e->d_name, NULL, 10), signo);
	if (proc != NULL)
		closedir(proc);
}

/* ---- helpers ---- */
static pid_t leaver; /* a worker that is no part of the stack */

/* However the test ended. */
static int
let_go(void **state)
{
	(void)state;
	postgres_signal(SIGCONT);
	other_end();
	if (leaver != 0)
		end_program(leaver, SIGKILL);
	leaver = 0;
	return 0;
}

static int
times_logged(const char *part, const char *words)
{
	char *s = read_file(stack_log(part)), *at = s;
	int n = 0;

	while (at != NULL && (at = strstr(at, words)) != NULL) {
		at += strlen(words);
		n++;
	}
	free(s);
	return n;
}

static void
completes(const char *id, int attempt)
{
	task_wait(id);
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
	assert_int_equal(int_of(http_json(&me), "attempt"), attempt);
}

static void
settings(const char *conf)
{
	stack_conf(conf);
	part_stop("manager-1");
	part_stop("worker-1");
	part_start("manager-1");
	part_start("worker-1");
}

/* ---- a claim that is not answered ---- */

/* How many statements wait for a lock? */
static int64_t
waiting(void)
{
	return sql_int("SELECT count(*) FROM pg_stat_activity "
		       "WHERE wait_event_type = 'Lock'");
}

/* The first claim is given up while the worker drains. It still stands in line
 * for the row, and comes before the second one. */
static void
a_claim_without_an_answer_is_not_handed_on(void **state)
{
	const char *id;
	int before;

	(void)state;
	part_stop("worker-1");
	id = submit("noop", "null", "\"max_attempts\":1");
	other_begin(text("SELECT * FROM taskflow.tasks WHERE id = '%s' "
			 "FOR UPDATE",
	    id));
	before = times_logged("worker-1", "\"draining\"");
	part_launch("worker-1");
	UNTIL(waiting() == 1);
	part_signal("worker-1", SIGTERM);
	UNTIL(times_logged("worker-1", "\"draining\"") > before);
	UNTIL(waiting() == 2 || !part_runs("worker-1"));
	assert_true(task_is(id, "QUEUED"));
	other_end();
	UNTIL(!part_runs("worker-1"));
	part_start("worker-2");
	completes(id, 1);
	all_ended();
}

/* ---- partitions ---- */

/* "20261130": so many days from now. */
static void
day_name(int days, char ret[DAY_SIZE])
{
	snprintf(ret, DAY_SIZE, "%s",
	    sql("SELECT to_char((now() AT TIME ZONE 'UTC')::date + %d, "
		"'YYYYMMDD')",
		days));
}

static void
drop_day(const char *day)
{
	sql("DROP TABLE taskflow.tasks_%s, taskflow.task_events_%s", day, day);
}

static bool
has_day(const char *day)
{
	return sql_int("SELECT count(*) FROM pg_class c JOIN pg_namespace n "
		       "ON n.oid = relnamespace WHERE nspname = 'taskflow' "
		       "AND relname IN ('tasks_%s', 'task_events_%s')",
		   day, day) == 2;
}

/* The next leader looks after the partitions at once. */
static void
another_leader(void)
{
	part_stop("manager-1");
	part_launch("manager-1");
}

static void
a_long_reader_stops_no_submit(void **state)
{
	int failed = times_logged("manager-1", "cannot make partitions");
	int64_t begin = now_ms();
	char day[DAY_SIZE];

	(void)state;
	day_name(2, day);
	drop_day(day);
	other_begin("SELECT count(*) FROM taskflow.tasks");
	another_leader();
	/* None is refused, none gets an error: submit() sees to that. */
	while (times_logged("manager-1", "cannot make partitions") == failed ||
	    now_ms() < begin + 3 * LEADER_TTL_MS) {
		submit("noop", "null", NULL);
		if (now_ms() > begin + PATIENCE_MS)
			fail_msg("nobody tried to make the partition");
		pause_ms(POLL_MS);
	}
	assert_false(has_day(day));
	other_end();
	another_leader();
	UNTIL(has_day(day));
	all_ended();
}

/* A row of a day that has no partition: a copy of that task. */
static void
stray_row(const char *task, int days)
{
	sql("INSERT INTO taskflow.tasks SELECT (json_populate_record(t, "
	    "json_build_object('id', taskflow.id_floor(((now() AT TIME ZONE "
	    "'UTC')::date + %d)::timestamp AT TIME ZONE 'UTC')))).* "
	    "FROM taskflow.tasks t WHERE id = '%s'",
	    days, task);
}

static void
a_stray_row_stops_no_other_partition(void **state)
{
	int warned = times_logged("manager-1", "the default partition");
	const char *id = submit("noop", "null", NULL);
	char second[DAY_SIZE], third[DAY_SIZE];

	(void)state;
	day_name(2, second);
	day_name(3, third);
	completes(id, 1);
	drop_day(second);
	drop_day(third);
	stray_row(id, 2);
	assert_int_equal(
	    sql_int("SELECT count(*) FROM taskflow.tasks_default"), 1);
	another_leader();
	UNTIL(has_day(third));
	UNTIL(times_logged("manager-1", "the default partition") > warned);
	assert_false(has_day(second));
	completes(submit("noop", "null", "\"delay_seconds\":0.2"), 1);
	sql("DELETE FROM taskflow.tasks_default");
	another_leader();
	UNTIL(has_day(second));
	all_ended();
}

/* ---- PostgreSQL hangs ---- */

/* So many heartbeats, each with other contents, or until it is dead. */
static bool
beats_on(const char *worker, int beats)
{
	int64_t give_up = now_ms() + PATIENCE_MS;
	char *last = strdup(""), *now;

	while (beats > 0 && now_ms() < give_up &&
	    redis_int(HIGH, "ZCARD taskflow:dead") == 0) {
		now = redis_words(HIGH, "GET taskflow:worker:%s", worker);
		if (strcmp(last, now) != 0)
			beats--;
		free(last);
		last = now;
		pause_ms(POLL_MS);
	}
	free(last);
	return beats == 0;
}

/* Longer than a heartbeat lives, with a claim on its way. */
static void
a_database_that_hangs_kills_no_worker(void **state)
{
	int dead = times_logged("manager-1", "declared a worker dead");
	const char *held, *next;
	char worker[ID_SIZE];
	bool beats;

	(void)state;
	settings("heartbeat_ttl = 6s\n"
		 "heartbeat_interval = 500ms\n"
		 "pg_timeout = 30s\n"
		 "concurrency = 4\n" LEDGER_CONF);
	redis_int(HIGH, "DEL taskflow:dead");
	hold("h", 1);
	held = submit("ledger", "\"h\"", "\"max_attempts\":1");
	/* Of a queue that nobody takes from. */
	next = submit("noop", "null", "\"queue\":\"other\"");
	UNTIL(runs_of(held) == 1);
	UNTIL(redis_int(LOW, "LLEN taskflow:queue:other") == 1);
	snprintf(worker, sizeof(worker), "%s",
	    sql("SELECT worker FROM taskflow.tasks WHERE id = '%s'", held));
	postgres_signal(SIGSTOP);
	redis_int(LOW,
	    "LMOVE taskflow:queue:other taskflow:queue:default LEFT RIGHT");
	beats = beats_on(worker, 8);
	postgres_signal(SIGCONT);
	assert_true(beats);
	release("h", 1);
	completes(held, 1);
	completes(next, 1);
	all_ended();
	assert_int_equal(
	    times_logged("manager-1", "declared a worker dead"), dead);
	assert_int_equal(runs_of(held), 1);
}

/* ---- progress on its way ---- */

/* In its first attempt it tells much of its progress, and does not end. */
static void
write_teller(void)
{
	FILE *f = fopen(stack_file("teller.pl"), "w");

	assert_non_null(f);
	fprintf(f,
	    "$| = 1;\n"
	    "while (<STDIN>) {\n"
	    "	my ($id) = /(\"id\":\"[^\"]+\")/;\n"
	    "	my ($attempt) = /\"attempt\":(\\d+)/;\n"
	    "	if ($attempt == 1) {\n"
	    "		select(undef, undef, undef, 0.05)\n"
	    "		    while -e \"$ARGV[0]/teller.1\";\n"
	    "		print qq({$id,\"progress\":\"so far: $_\"}\\n)\n"
	    "		    for 1 .. %d;\n"
	    "		open(my $told, '>', \"$ARGV[0]/told.1\");\n"
	    "		close($told);\n"
	    "		sleep 1 while 1;\n"
	    "	}\n"
	    "	print qq({$id,\"result\":$attempt}\\n);\n"
	    "}\n",
	    TELLING_LINES);
	fclose(f);
}

/* Ours, since its exit status is what this is about. It is given no time to
 * give up what it has sent. */
static void
start_leaver(void)
{
	const char *argv[] = { stack_bin(),
		text("--config=%s", stack_env("TASKFLOW_CONF")),
		"--role=worker", "--pg-timeout=60s", NULL };

	unlink(stack_log("leaver"));
	leaver = begin_program(argv, stack_log("leaver"));
}

/* Many lines are in the worker, none of them in the database. */
static const char *
tell(void)
{
	const char *id;

	part_stop("worker-1");
	write_teller();
	hold("teller", 1);
	start_leaver();
	id = submit("teller", "null", NULL);
	UNTIL(task_is(id, "IN_PROGRESS"));
	postgres_signal(SIGSTOP);
	release("teller", 1);
	UNTIL(access(stack_file("hold/told.1"), F_OK) == 0);
	kill(leaver, SIGTERM);
	UNTIL(part_logged("leaver", "\"draining\""));
	kill(leaver, SIGTERM);
	UNTIL(part_logged("leaver", "\"draining faster\""));
	return id;
}

static void
leaves_well(void)
{
	int code = end_program(leaver, 0);

	leaver = 0;
	assert_int_equal(code, 0);
}

static void
ends_elsewhere(const char *id)
{
	release("told", 1);
	part_start("worker-1");
	completes(id, 2);
	all_ended();
}

static void
progress_is_on_its_way_when_a_worker_leaves(void **state)
{
	const char *id = tell();

	(void)state;
	postgres_signal(SIGCONT);
	leaves_well();
	ends_elsewhere(id);
}

/* It gives up on the database. */
static void
progress_gets_no_answer_when_a_worker_leaves(void **state)
{
	const char *id = tell();

	(void)state;
	leaves_well();
	postgres_signal(SIGCONT);
	ends_elsewhere(id);
}

#define TEST(f) cmocka_unit_test_teardown(f, let_go)

static const struct CMUnitTest tests[] = {
	TEST(a_claim_without_an_answer_is_not_handed_on),
	TEST(a_long_reader_stops_no_submit),
	TEST(a_stray_row_stops_no_other_partition),
	TEST(a_database_that_hangs_kills_no_worker),
	TEST(progress_is_on_its_way_when_a_worker_leaves),
	TEST(progress_gets_no_answer_when_a_worker_leaves),
};

int
main(int argc, char **argv)
{
	struct group g = { "edges_pg", "api=1 manager=1 worker=1", base_conf,
		tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
