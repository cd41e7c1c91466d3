#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ledger.h"
#include "stack.h"
#include "store.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char **accepted;
static size_t naccepted, cap;
static bool clean = true;

/* A line for each thing that is wrong with a task. Kinds and statuses are
 * numbers that never change (sql/schema). */
static const char wrong_sql[] =
    "WITH e AS (SELECT task_id, "
    " count(*) FILTER (WHERE kind = 1) AS created, "
    " (array_agg(kind ORDER BY seq DESC) "
    "  FILTER (WHERE kind IN (5, 6, 11)))[1] AS end_kind, "
    " (array_agg(attempt ORDER BY seq DESC) "
    "  FILTER (WHERE kind IN (5, 6, 11)))[1] AS end_attempt, "
    " max(seq) FILTER (WHERE kind IN (5, 6, 11)) AS end_seq, "
    " max(seq) FILTER (WHERE kind NOT IN (5, 6, 11, 12)) AS last_seq "
    " FROM taskflow.task_events GROUP BY task_id), "
    /* A life ends once; its owner may begin another one (a retry). */
    "l AS (SELECT task_id, kind, count(*) FILTER "
    "  (WHERE kind = 7 AND worker IS NULL) OVER "
    "  (PARTITION BY task_id ORDER BY seq) AS life "
    " FROM taskflow.task_events), "
    "p AS (SELECT task_id, seq, attempt, kind, lag(attempt, 1, 0) OVER w AS "
    "  before, lag(kind, 1, 10::smallint) OVER w AS kind_before "
    " FROM taskflow.task_events WHERE kind IN (3, 10) "
    " WINDOW w AS (PARTITION BY task_id ORDER BY seq)), "
    "wrong AS ("
    " SELECT id, 'status ' || status AS what FROM taskflow.tasks "
    "  WHERE status < 5 "
    " UNION ALL SELECT id, 'has no events' FROM taskflow.tasks "
    "  WHERE id NOT IN (SELECT task_id FROM e) "
    " UNION ALL SELECT id, 'CREATED ' || created || ' times' "
    "  FROM e JOIN taskflow.tasks ON id = task_id WHERE created <> 1 "
    " UNION ALL SELECT id, 'life ' || life || ' ended ' || "
    "  count(*) FILTER (WHERE l.kind IN (5, 6, 11)) || ' times' "
    "  FROM l JOIN taskflow.tasks ON id = task_id GROUP BY id, life "
    "  HAVING count(*) FILTER (WHERE l.kind IN (5, 6, 11)) <> 1 "
    " UNION ALL SELECT id, 'end is of kind ' || end_kind || ', status ' || "
    "  status FROM e JOIN taskflow.tasks ON id = task_id WHERE "
    "  status <> CASE end_kind WHEN 11 THEN 7 ELSE end_kind END "
    " UNION ALL SELECT id, 'something came after its end' "
    "  FROM e JOIN taskflow.tasks ON id = task_id WHERE last_seq > end_seq "
    " UNION ALL SELECT id, 'ended with attempt ' || end_attempt || ', not ' || "
    "  attempt FROM e JOIN taskflow.tasks ON id = task_id "
    "  WHERE end_attempt <> attempt "
    /* A claim is one more than the last, or the same if that was released. */
    " UNION ALL SELECT task_id, 'attempt ' || attempt || ' after ' || before "
    "  FROM p WHERE kind = 3 AND attempt <> before + "
    "  CASE WHEN kind_before = 10 AND before > 0 THEN 0 ELSE 1 END "
    " UNION ALL SELECT id, 'used ' || (attempt - returned) || ' of ' || "
    "  max_attempts FROM taskflow.tasks "
    "  WHERE attempt - returned > max_attempts) "
    "SELECT string_agg(id || ': ' || what, E'\\n') FROM "
    "(SELECT * FROM wrong ORDER BY id LIMIT 20) AS w";

/* ---- promises ---- */
static void
forget_all(void)
{
	while (naccepted > 0)
		free(accepted[--naccepted]);
}

void
ledger_begin(void)
{
	const char *dir = stack_file("hold");

	mkdir(dir, 0777);
	chmod(dir, 0777);
	unlink(stack_file("ledger"));
	forget_all();
	clean = false;
}

void
tables_clear(void)
{
	sql("TRUNCATE taskflow.tasks, taskflow.task_events");
	forget_all();
}

void
ledger_end(void)
{
	forget_all();
	free(accepted);
	accepted = NULL;
	cap = 0;
}

bool
ledger_is_clean(void)
{
	return clean;
}

const char *
ledger_accept(const char *id)
{
	char *kept = strdup(id);

	pthread_mutex_lock(&lock);
	if (naccepted == cap) {
		cap = cap * 2 + 256;
		accepted = realloc(accepted, cap * sizeof(*accepted));
	}
	accepted[naccepted++] = kept;
	pthread_mutex_unlock(&lock);
	return kept;
}

size_t
ledger_accepted(void)
{
	size_t n;

	pthread_mutex_lock(&lock);
	n = naccepted;
	pthread_mutex_unlock(&lock);
	return n;
}

const char *
ledger_id(size_t i)
{
	return accepted[i];
}

/* ---- the end ---- */

/* Those with 201 that the database does not know. */
static int64_t
count_lost(void)
{
	char *ids = malloc(naccepted * (ID_SIZE + 1) + 1), *at = ids;
	int64_t lost;
	size_t i;

	*at = '\0';
	for (i = 0; i < naccepted; i++)
		at += sprintf(at, "%s%s", i > 0 ? "," : "", accepted[i]);
	lost = sql_int("SELECT count(*) FROM unnest('{%s}'::uuid[]) AS u(id) "
		       "WHERE NOT EXISTS (SELECT FROM taskflow.tasks t "
		       "WHERE t.id = u.id)",
	    ids);
	free(ids);
	return lost;
}

static void
await_ends(void)
{
	int64_t give_up = now_ms() + PATIENCE_MS;
	int64_t left;

	while ((left = sql_int("SELECT count(*) FROM taskflow.tasks "
			       "WHERE status < 5")) > 0) {
		if (now_ms() > give_up)
			fail_msg("%lld tasks did not end; the first one is %s",
			    (long long)left,
			    sql("SELECT row(id, type, status, attempt, worker) "
				"FROM taskflow.tasks WHERE status < 5 "
				"ORDER BY id LIMIT 1"));
		pause_ms(POLL_MS);
	}
}

static void
await_empty_lists(void)
{
	int64_t give_up = now_ms() + PATIENCE_MS;

	while (!lists_are_empty()) {
		if (now_ms() > give_up) {
			lists_show();
			fail_msg("entries are left in lists");
		}
		pause_ms(POLL_MS);
	}
}

void
all_ended(void)
{
	const char *wrong;

	assert_int_equal(count_lost(), 0);
	await_ends();
	await_empty_lists();
	wrong = sql("%s", wrong_sql);
	if (*wrong != '\0')
		fail_msg("%s", wrong);
	clean = true;
}

/* ---- runs ---- */
void
hold(const char *name, int attempt)
{
	FILE *f = fopen(stack_file(text("hold/%s.%d", name, attempt)), "w");

	assert_non_null(f);
	fclose(f);
}

void
release(const char *name, int attempt)
{
	assert_int_equal(
	    unlink(stack_file(text("hold/%s.%d", name, attempt))), 0);
}

struct entry {
	char id[ID_SIZE];
	bool begins;
	int attempt;
	long long at;
};

static bool
read_entry(FILE *f, struct entry *ret)
{
	char kind[8];

	if (fscanf(f, "%7s %36s %d %lld", kind, ret->id, &ret->attempt,
		&ret->at) != 4)
		return false;
	ret->begins = strcmp(kind, "begin") == 0;
	return true;
}

int64_t
runs_of(const char *id)
{
	FILE *f = fopen(stack_file("ledger"), "r");
	struct entry e;
	int64_t n = 0;

	while (f != NULL && read_entry(f, &e))
		if (e.begins && strcmp(e.id, id) == 0)
			n++;
	if (f != NULL)
		fclose(f);
	return n;
}

static int
by_id_and_time(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->id, y->id);

	if (order != 0)
		return order;
	return x->at < y->at ? -1 : x->at > y->at;
}

static void
check_runs(const struct entry *e, size_t n)
{
	bool running = false;
	int64_t runs = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		if (i == 0 || strcmp(e[i].id, e[i - 1].id) != 0) {
			running = false;
			runs = 0;
		}
		if (e[i].begins && running)
			fail_msg("%s ran twice at a time", e[i].id);
		running = e[i].begins;
		runs += e[i].begins;
		if (runs > task_attempt(e[i].id))
			fail_msg(
			    "%s ran more often than it was claimed", e[i].id);
	}
}

void
runs_are_apart(void)
{
	FILE *f = fopen(stack_file("ledger"), "r");
	struct entry *entries = NULL;
	size_t n = 0;

	assert_non_null(f);
	do
		entries = realloc(entries, (n + 1) * sizeof(*entries));
	while (read_entry(f, &entries[n]) && ++n > 0);
	fclose(f);
	assert_true(n > 0);
	qsort(entries, n, sizeof(*entries), by_id_and_time);
	check_runs(entries, n);
	free(entries);
}
