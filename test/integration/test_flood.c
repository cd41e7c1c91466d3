/* The way to PostgreSQL stands still, and requests keep coming: each gets 503
 * and when to come again, at once if too much waits already; and the process
 * does not grow with them. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "support/client.h"
#include "support/ledger.h"
#include "support/stack.h"

#define CLIENTS 250
#define ROUNDS 12
#define PAYLOAD (1000 * 1000)
/* What a round may leave behind: memory that the allocator (or a sanitizer)
 * keeps. Without bounds it would be some gigabytes in the end. */
#define SLACK_KB (400 * 1024)

struct client {
	pthread_t thread;
	struct http h;
	int number, round;
	int bad, overloaded, accepted;
};
static struct client clients[CLIENTS];
static char *large, *batch;

static void
note(struct client *c, int status)
{
	const char *head_end;

	if (status == 201) {
		c->accepted++;
		return;
	}
	head_end = status == 503 ? strstr(c->h.bytes, "\r\n\r\n") : NULL;
	if (head_end == NULL || strstr(c->h.bytes, "Retry-After: ") == NULL)
		c->bad++;
	else if (strstr(head_end, "problem:overloaded") != NULL)
		c->overloaded++;
}

/* Large bodies in the first rounds, then small requests of all kinds. */
static void *
flood(void *arg)
{
	struct client *c = arg;
	int kind =
	    c->round < 3 ? c->number % 2 : 2 + (c->number + c->round) % 3;
	static const struct {
		const char *method, *path;
	} kinds[] = { { "POST", "/tasks" }, { "POST", "/tasks/batch" },
		{ "GET", "/tasks?type=noop" },
		{ "GET", "/tasks/01a20f48-a57d-78b8-8225-029a19be6135" },
		{ "POST", "/tasks" } };
	const char *bodies[] = { large, batch, NULL, NULL,
		"{\"type\":\"noop\",\"unique_key\":\"k\"}" };

	note(c,
	    http_call(&c->h, kinds[kind].method, kinds[kind].path,
		bodies[kind] != NULL ? JSON_TYPE : NULL, bodies[kind]));
	return NULL;
}

static int64_t
memory_kb(void)
{
	FILE *f = fopen(text("/proc/%d/statm", (int)part_pid("api-1")), "r");
	long long pages = 0;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%*d %lld", &pages), 1);
	fclose(f);
	return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static char *
body_with(const char *before, size_t size, const char *after)
{
	char *body = malloc(size + 200), *p = stpcpy(body, before);

	memset(p, 'x', size);
	strcpy(p + size, after);
	return body;
}

static void
run_round(int round)
{
	int i;

	for (i = 0; i < CLIENTS; i++) {
		clients[i].round = round;
		assert_int_equal(pthread_create(&clients[i].thread, NULL, flood,
				     &clients[i]),
		    0);
	}
	for (i = 0; i < CLIENTS; i++)
		pthread_join(clients[i].thread, NULL);
}

static void
what_does_not_fit_is_refused(void **state)
{
	int i, round, bad = 0, overloaded = 0, accepted = 0;
	int64_t after_first = 0;

	(void)state;
	large = body_with("{\"type\":\"noop\",\"payload\":\"", PAYLOAD, "\"}");
	batch = body_with("{\"tasks\":[{\"type\":\"noop\"},{\"type\":\"noop\","
			  "\"payload\":\"",
	    PAYLOAD, "\"}]}");
	for (i = 0; i < CLIENTS; i++) {
		http_init(&clients[i].h, me.port);
		clients[i].number = i;
		clients[i].h.token = strdup(me.token);
		clients[i].h.timeout_ms = PATIENCE_MS;
	}
	part_signal("pgbouncer", SIGSTOP);
	for (round = 0; round < ROUNDS; round++) {
		run_round(round);
		if (round == 0)
			after_first = memory_kb();
		assert_int_equal(
		    http_call(&me, "GET", "/livez", NULL, NULL), 200);
	}
	assert_in_range(memory_kb(), 0, after_first + SLACK_KB);
	part_signal("pgbouncer", SIGCONT);
	for (i = 0; i < CLIENTS; i++) {
		bad += clients[i].bad;
		overloaded += clients[i].overloaded;
		accepted += clients[i].accepted;
		http_fini(&clients[i].h);
	}
	assert_int_equal(bad, 0);
	assert_int_equal(accepted, 0);
	/* A quarter of a gigabyte came at once. */
	assert_true(overloaded > 0);
	free(large);
	free(batch);
	/* It serves again. */
	UNTIL(http_call(&me, "POST", "/tasks", JSON_TYPE,
		  "{\"type\":\"noop\"}") == 201);
	tables_clear();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(what_does_not_fit_is_refused),
};

int
main(int argc, char **argv)
{
	struct group g = { "flood", "api=1", "pg_timeout = 700ms\n", tests,
		NELEM(tests) };

	return group_run(&g, argc, argv);
}
