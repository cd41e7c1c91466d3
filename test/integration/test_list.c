/* GET /tasks: filters, and pages both ways. There is no worker, so tasks stay
 * as they are made here. */
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

#define IDS_MAX 1024

/* Ids in order; and where the pages beside it are. */
struct ids {
	size_t n;
	char id[IDS_MAX][ID_SIZE];
};
struct page {
	struct ids ids;
	char next[64], prev[64];
};

static void
copy_cursor(const char *name, char ret[64])
{
	const cJSON *c = cJSON_GetObjectItem(http_json(&me), name);

	assert_non_null(c);
	snprintf(ret, 64, "%s", cJSON_IsString(c) ? c->valuestring : "");
	/* The link says the same. */
	assert_true((*ret != '\0') ==
	    (http_header(&me, "Link") != NULL &&
		strstr(http_header(&me, "Link"),
		    text("cursor=%s>; rel=\"%.4s\"", ret, name)) != NULL));
}

static void
read_answer(struct page *p)
{
	const cJSON *item;

	memset(p, 0, sizeof(*p));
	cJSON_ArrayForEach(item, cJSON_GetObjectItem(http_json(&me), "items"))
	    snprintf(p->ids.id[p->ids.n++], ID_SIZE, "%s", str_of(item, "id"));
	copy_cursor("next_cursor", p->next);
	copy_cursor("prev_cursor", p->prev);
}

static void
get_page(const char *query, struct page *p)
{
	int status =
	    http_call(&me, "GET", text("/tasks?%s", query), NULL, NULL);

	if (status != 200)
		fail_msg("%s: %d %.400s", query, status, me.body);
	read_answer(p);
}

/* What the database has, newest first. */
static void
expect(struct ids *ret, const char *condition)
{
	char *all = strdup(
	    sql("SELECT string_agg(id::text, ' ' ORDER BY id DESC) FROM "
		"taskflow.tasks WHERE user_id = (SELECT id FROM taskflow.users "
		"WHERE username = 'me') AND %s",
		condition));
	char *rest = all, *word;

	ret->n = 0;
	while ((word = strsep(&rest, " ")) != NULL)
		if (*word != '\0')
			snprintf(ret->id[ret->n++], ID_SIZE, "%s", word);
	free(all);
}

static void
append(struct ids *to, const struct ids *more)
{
	assert_true(to->n + more->n <= IDS_MAX);
	memcpy(to->id[to->n], more->id[0], more->n * ID_SIZE);
	to->n += more->n;
}

static void
prepend(struct ids *to, const struct ids *more)
{
	assert_true(to->n + more->n <= IDS_MAX);
	memmove(to->id[more->n], to->id[0], to->n * ID_SIZE);
	memcpy(to->id[0], more->id[0], more->n * ID_SIZE);
	to->n += more->n;
}

static void
same(const struct ids *a, const struct ids *b)
{
	assert_int_equal(a->n, b->n);
	for (size_t i = 0; i < a->n; i++)
		assert_string_equal(a->id[i], b->id[i]);
}

static struct page page;
static struct ids got, want;

/* Down all pages. How many there were; the last one is in `page`. */
static int
walk_down(const char *query)
{
	int pages = 0;

	got.n = 0;
	page.next[0] = '\0';
	do {
		get_page(text("%s%s%s", query,
			     page.next[0] != '\0' ? "&cursor=" : "", page.next),
		    &page);
		assert_true((page.prev[0] != '\0') == (pages > 0));
		append(&got, &page.ids);
		pages++;
	} while (page.next[0] != '\0');
	return pages;
}

/* And up again, from the last one. */
static int
walk_up(const char *query)
{
	int pages = 1;

	got = page.ids;
	while (page.prev[0] != '\0') {
		get_page(text("%s&cursor=%s", query, page.prev), &page);
		assert_true(page.next[0] != '\0');
		prepend(&got, &page.ids);
		pages++;
	}
	return pages;
}

/* n tasks of `me`, each this long after the one before it. */
static void
make_tasks(int n, const char *step, const char *start, const char *values)
{
	sql("INSERT INTO taskflow.tasks (user_id, id, created_at, status, "
	    "type, priority, queue, unique_key, max_attempts, timeout_ms, "
	    "payload) "
	    "SELECT (SELECT id FROM taskflow.users WHERE username = 'me'), "
	    "taskflow.id_floor(t), t, %s, 3, 0, 'null' FROM (SELECT n, %s "
	    "+ n * interval '%s' AS t FROM generate_series(1, %d) n) x",
	    values, start, step, n);
}

static void
each_filter_selects(void **state)
{
	static const struct {
		const char *query, *condition;
	} cases[] = {
		{ "", "true" },
		{ "&status=FAILED", "status = 6" },
		{ "&status=PENDING,FAILED,CANCELLED", "status IN (1, 6, 7)" },
		{ "&type=t1", "type = 't1'" },
		{ "&priority=high", "priority = 1" },
		{ "&priority=low", "priority = 0" },
		{ "&queue=q3", "queue = 'q3'" },
		{ "&unique_key=k%207%26%C3%A9", "unique_key = 'k 7&\303\251'" },
		{ "&created_after=2026-01-02T03:04:05Z",
		    "created_at >= '2026-01-02T03:04:05Z'" },
		{ "&created_before=2026-01-02T04:04:05%2B01:00",
		    "created_at < '2026-01-02T03:04:05Z'" },
		{ "&created_after=2026-01-02T03:04:05Z&created_before="
		  "2026-01-02T03:10:05Z",
		    "created_at >= '2026-01-02T03:04:05Z' AND created_at < "
		    "'2026-01-02T03:10:05Z'" },
		{ "&created_before=1970-01-01T00:00:00Z", "false" },
		{ "&type=t1&queue=q3&status=COMPLETED,FAILED&priority=high",
		    "type = 't1' AND queue = 'q3' AND status IN (5, 6) AND "
		    "priority = 1" },
		{ "&type=none", "false" },
	};

	(void)state;
	tables_clear();
	make_tasks(300, "7 s", "timestamptz '2026-01-02T03:00:00Z'",
	    "1 + n % 7, 't' || n % 2, n / 2 % 2, 'q' || n % 5, "
	    "'k ' || n % 9 || '&\303\251'");
	for (size_t i = 0; i < NELEM(cases); i++) {
		char *query = strdup(text("limit=13%s", cases[i].query));

		expect(&want, cases[i].condition);
		assert_true(
		    want.n > 0 || strcmp(cases[i].condition, "false") == 0);
		assert_int_equal(
		    walk_down(query), want.n == 0 ? 1 : (want.n + 12) / 13);
		same(&got, &want);
		walk_up(query);
		same(&got, &want);
		free(query);
	}
	get_page("limit=500", &page);
	assert_int_equal(page.ids.n, 300);
	get_page("", &page);
	assert_int_equal(page.ids.n, 50);
	tables_clear();
	all_ended();
}

/* The links are addresses of their own, whatever the filters are. */
static void
links_lead_on(void **state)
{
	const char *link;
	char path[512];
	int pages = 1;

	(void)state;
	tables_clear();
	make_tasks(300, "7 s", "timestamptz '2026-01-02T03:00:00Z'",
	    "1 + n % 7, 'noop', 0, 'default', 'k ' || n % 9 || '&\303\251'");
	expect(&want, "unique_key = 'k 7&\303\251' AND status IN (1, 2, 5)");
	get_page("limit=3&status=PENDING,QUEUED,COMPLETED&unique_key="
		 "k%207%26%C3%A9",
	    &page);
	got = page.ids;
	while (page.next[0] != '\0') {
		link = http_header(&me, "Link");
		assert_int_equal(
		    sscanf(link, "<%500[^>]>; rel=\"next\"", path), 1);
		assert_int_equal(http_call(&me, "GET", path, NULL, NULL), 200);
		read_answer(&page);
		append(&got, &page.ids);
		pages++;
	}
	same(&got, &want);
	assert_true(pages > 2);
	tables_clear();
	all_ended();
}

static bool
has(const struct ids *in, const char *id)
{
	for (size_t i = 0; i < in->n; i++)
		if (strcmp(in->id[i], id) == 0)
			return true;
	return false;
}

/* Of the tasks that were there in the beginning each is seen once, down and up,
 * in order; of what came later, nothing twice. */
static void
check_walk(void)
{
	size_t i, at = 0;

	for (i = 0; i < got.n; i++) {
		if (i > 0)
			assert_true(strcmp(got.id[i], got.id[i - 1]) < 0);
		if (at < want.n && strcmp(got.id[i], want.id[at]) == 0)
			at++;
	}
	assert_int_equal(at, want.n);
}

static void
pages_are_stable_while_tasks_come_in(void **state)
{
	char newest[ID_SIZE];

	(void)state;
	tables_clear();
	make_tasks(60, "1 s", "now() - interval '1 hour'",
	    "5, 'noop', 0, 'unserved', NULL");
	expect(&want, "true");
	got.n = 0;
	page.next[0] = '\0';
	do {
		get_page(text("limit=7%s%s",
			     page.next[0] != '\0' ? "&cursor=" : "", page.next),
		    &page);
		append(&got, &page.ids);
		for (int i = 0; i < 3; i++)
			submit("noop", "null", "\"queue\":\"unserved\"");
	} while (page.next[0] != '\0');
	check_walk();
	same(&got, &want);
	got = page.ids;
	while (page.prev[0] != '\0') {
		snprintf(newest, ID_SIZE, "%s",
		    submit("noop", "null", "\"queue\":\"unserved\""));
		get_page(text("limit=7&cursor=%s", page.prev), &page);
		prepend(&got, &page.ids);
	}
	check_walk();
	/* Up to the end, all that came meanwhile is there, too. */
	assert_true(has(&got, newest));
	expect(&want, "true");
	same(&got, &want);
	tables_clear();
	redis_int(LOW, "FLUSHALL");
	all_ended();
}

/* Three of 25,000, and pages that look at 10,000 each. */
static void
what_is_rare_is_found_page_by_page(void **state)
{
	int pages;

	(void)state;
	tables_clear();
	make_tasks(25000, "1 s", "now() - interval '12 hours'",
	    "5, CASE WHEN n IN (1, 14000, 24000) THEN 'rare' ELSE 'noop' END, "
	    "0, 'default', NULL");
	sql("ANALYZE taskflow.tasks");
	expect(&want, "type = 'rare'");
	assert_int_equal(want.n, 3);
	pages = walk_down("limit=10&type=rare");
	same(&got, &want);
	assert_int_equal(pages, 3);
	assert_in_range(walk_up("limit=10&type=rare"), 3, 4);
	same(&got, &want);
	/* Pages with nothing on them lead on as well, and back. */
	assert_int_equal(walk_down("limit=10&type=none"), 3);
	assert_int_equal(got.n, 0);
	assert_in_range(walk_up("limit=10&type=none"), 3, 4);
	assert_int_equal(got.n, 0);
	/* A range of time is looked up, not walked to. */
	get_page(
	    text("type=rare&created_before=%s",
		sql("SELECT to_char(created_at AT TIME ZONE 'UTC' + "
		    "interval '1 s', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') FROM "
		    "taskflow.tasks WHERE type = 'rare' ORDER BY id LIMIT 1")),
	    &page);
	assert_int_equal(page.ids.n, 1);
	assert_string_equal(page.ids.id[0], want.id[2]);
	assert_string_equal(page.next, "");
	tables_clear();
	all_ended();
}

static void
refused(struct http *h, const char *query, int status, const char *words)
{
	http_call(h, "GET", text("/tasks?%s", query), NULL, NULL);
	if (h->status != status || strstr(h->body, words) == NULL)
		fail_msg("%s: %d %.400s", query, h->status, h->body);
}

static void
cursors_are_good_for_their_own_list(void **state)
{
	char cursor[64], *other;
	struct http stranger;
	size_t i;

	(void)state;
	tables_clear();
	make_tasks(10, "1 s", "now()", "5, 'noop', 0, 'default', NULL");
	get_page("limit=3&type=noop", &page);
	snprintf(cursor, sizeof(cursor), "%s", page.next);
	assert_int_equal(strlen(cursor), 36);
	for (i = 0; i < strlen(cursor); i++) {
		other = strdup(cursor);
		other[i] = other[i] == 'x' ? 'y' : 'x';
		refused(&me, text("type=noop&cursor=%s", other), 400,
		    "next_cursor");
		free(other);
	}
	refused(&me, text("type=noop&cursor=%.35s", cursor), 400, "cursor");
	refused(&me, text("type=noop&cursor=%sA", cursor), 400, "cursor");
	refused(&me, "type=noop&cursor=", 400, "cursor");
	refused(&me, text("type=noop&cursor=%s&cursor=%s", cursor, cursor), 400,
	    "cursor");
	/* Another list: no filter, another one, another user. */
	refused(&me, text("cursor=%s", cursor), 400, "same filters");
	refused(&me, text("type=noop2&cursor=%s", cursor), 400, "cursor");
	refused(&me, text("type=noop&queue=default&cursor=%s", cursor), 400,
	    "cursor");
	client_user(&stranger, me.port, "stranger");
	refused(&stranger, text("type=noop&cursor=%s", cursor), 400, "cursor");
	http_fini(&stranger);
	/* The page may be of another size. */
	get_page(text("type=noop&limit=100&cursor=%s", cursor), &page);
	assert_int_equal(page.ids.n, 7);
	/* It outlives the process. */
	part_stop("api-1");
	part_start("api-1");
	get_page(text("type=noop&cursor=%s", cursor), &page);
	assert_int_equal(page.ids.n, 7);
	tables_clear();
	all_ended();
}

static void
bad_parameters_are_named(void **state)
{
	static const struct {
		const char *query, *words;
	} cases[] = {
		{ "colour=red",
		    "\\\"colour\\\" is unknown; allowed are "
		    "status, type" },
		{ "Status=FAILED", "\\\"Status\\\" is unknown" },
		{ "status=", "PENDING" },
		{ "status=FAILED,", "PENDING" },
		{ "status=FAILED,DONE", "PENDING" },
		{ "status=FAILED&status=QUEUED", "once" },
		{ "type=a%20b", "A-Z" },
		{ "queue=", "A-Z" },
		{ "priority=middle", "high or low" },
		{ "created_after=yesterday", "RFC 3339" },
		{ "created_before=2026-01-02", "RFC 3339" },
		{ "unique_key=", "200 characters" },
		{ "unique_key=%FF", "200 characters" },
		{ "limit=0", "1 to 500" },
		{ "limit=501", "1 to 500" },
		{ "limit=1e2", "1 to 500" },
	};

	(void)state;
	for (size_t i = 0; i < NELEM(cases); i++)
		refused(&me, cases[i].query, 422, cases[i].words);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(each_filter_selects),
	cmocka_unit_test(links_lead_on),
	cmocka_unit_test(pages_are_stable_while_tasks_come_in),
	cmocka_unit_test(what_is_rare_is_found_page_by_page),
	cmocka_unit_test(cursors_are_good_for_their_own_list),
	cmocka_unit_test(bad_parameters_are_named),
};

int
main(int argc, char **argv)
{
	struct group g = { "list", "api=1", "", tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
