/*
 * /metrics of every role: known work, and exactly that is counted. Counters of
 * a process are compared with what they were before.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "metrics_fixture.h"
#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

static char conf[4096];

/* ---- the format ---- */
static void
every_role_answers(void **state)
{
	static const char *const parts[] = { "api-1", "manager-1", "worker-1" };
	static const char *const own[] = {
		"taskflow_tasks_submitted_total{priority=\"low\"}",
		"taskflow_elections_total", "taskflow_stale_results_total"
	};

	(void)state;
	for (size_t i = 0; i < NELEM(parts); i++) {
		char *s = scrape(parts[i]);

		for (size_t j = 0; j < NELEM(own); j++)
			assert_int_equal(value_in(s, own[j]) >= 0, i == j);
		assert_true(value_in(s, "taskflow_draining") == 0);
		assert_true(value_in(s, "process_resident_memory_bytes") > 1e6);
		assert_true(value_in(s, "process_open_fds") > 3);
		assert_true(value_in(s, "process_max_fds") > 3);
		assert_true(value_in(s, "process_cpu_seconds_total") > 0);
		assert_true(
		    value_in(s, "process_start_time_seconds") > 1600000000);
		assert_true(
		    value_in(s, "taskflow_redis_up{server=\"low\"}") == 1);
		assert_non_null(strstr(s, "\ntaskflow_build_info{version=\""));
		free(s);
	}
	/* Not on the address that clients know. */
	assert_int_equal(http_call(&me, "GET", "/metrics", NULL, NULL), 404);
	all_ended();
}

/* Somebody shows what is listed, and nothing else is shown. */
static void
the_list_is_what_is_shown(void **state)
{
	static const char *const parts[] = { "api-1", "manager-1", "worker-1" };
	const char *const argv[] = { stack_bin(), "--list-metrics", NULL };
	char *list, *shown[NELEM(parts)], *line, *save = NULL;
	const char *p;
	size_t i, nlisted = 0;

	(void)state;
	assert_int_equal(run_program(argv, &list), 0);
	for (i = 0; i < NELEM(parts); i++) {
		shown[i] = scrape(parts[i]);
		for (p = shown[i]; (p = strstr(p, "# TYPE ")) != NULL; p += 7)
			if (strstr(list,
				text("%.*s ", (int)strcspn(p + 7, " "),
				    p + 7)) == NULL)
				fail_msg("not listed: %.40s", p + 7);
	}
	for (line = strtok_r(list, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		const char *type =
		    text("# TYPE %.*s %.*s", (int)strcspn(line, " "), line, 4,
			line + strcspn(line, " ") +
			    strspn(line + strcspn(line, " "), " "));

		for (i = 0; i < NELEM(parts); i++)
			if (strstr(shown[i], type) != NULL)
				break;
		if (i == NELEM(parts))
			fail_msg("nobody shows %s", type);
		nlisted++;
	}
	assert_true(nlisted > 40);
	for (i = 0; i < NELEM(parts); i++)
		free(shown[i]);
	free(list);
	all_ended();
}

/* ---- work ---- */
static void
finish(const char *type, const char *more, const char *status)
{
	const char *id = submit(type, "\"n\"", more);

	task_wait(id);
	assert_string_equal(str_of(http_json(&me), "status"), status);
}

static void
known_work_is_counted(void **state)
{
#define W "worker-1"
	struct expected e[] = {
		{ "api-1", "taskflow_tasks_submitted_total{priority=\"low\"}",
		    10, 0 },
		{ "api-1", "taskflow_tasks_submitted_total{priority=\"high\"}",
		    3, 0 },
		{ "api-1",
		    "taskflow_http_requests_total{method=\"POST\","
		    "route=\"/tasks\",status=\"2xx\"}",
		    13, 0 },
		{ "api-1",
		    "taskflow_http_request_seconds_count{method=\"POST\","
		    "route=\"/tasks\"}",
		    13, 0 },
		{ W, "taskflow_tasks_claimed_total{priority=\"low\"}", 11, 0 },
		{ W, "taskflow_tasks_claimed_total{priority=\"high\"}", 3, 0 },
		{ W, "taskflow_queue_wait_seconds_count{priority=\"low\"}", 11,
		    0 },
		{ W, "taskflow_tasks_started_total{priority=\"low\"}", 11, 0 },
		{ W, "taskflow_run_seconds_count", 14, 0 },
		{ W, "taskflow_tasks_finished_total{outcome=\"completed\"}", 8,
		    0 },
		{ W, "taskflow_tasks_finished_total{outcome=\"failed\"}", 5,
		    0 },
		{ W, "taskflow_tasks_finished_total{outcome=\"retried\"}", 1,
		    0 },
		{ W, "taskflow_tasks_finished_total{outcome=\"interrupted\"}",
		    0, 0 },
		{ W, "taskflow_handler_exits_total{how=\"ok\"}", 8, 0 },
		{ W, "taskflow_handler_exits_total{how=\"status\"}", 3, 0 },
		{ W, "taskflow_handler_exits_total{how=\"data_error\"}", 1, 0 },
		{ W, "taskflow_handler_exits_total{how=\"signal\"}", 1, 0 },
		{ W, "taskflow_handler_exits_total{how=\"timeout\"}", 1, 0 },
		{ W, "taskflow_handler_exits_total{how=\"not_started\"}", 0,
		    0 },
		{ W, "taskflow_stale_results_total", 0, 0 },
		{ "manager-1", "taskflow_schedule_lateness_seconds_count", 1,
		    0 },
		{ "manager-1",
		    "taskflow_recovered_tasks_total{cause=\"dead_worker\"}", 0,
		    0 },
	};

	(void)state;
	note_before(e, NELEM(e));
	for (int i = 0; i < 5; i++)
		finish("ledger", NULL, "COMPLETED");
	for (int i = 0; i < 3; i++)
		finish("ledger", "\"priority\":\"high\"", "COMPLETED");
	finish("false", "\"max_attempts\":1", "FAILED");
	finish("false", "\"max_attempts\":2", "FAILED");
	finish("dataerr", NULL, "FAILED");
	finish("killed", "\"max_attempts\":1", "FAILED");
	finish("sleeper", "\"max_attempts\":1,\"timeout_seconds\":1", "FAILED");
	UNTIL(all_as_expected(e, NELEM(e)));
	assert_true(value(W, "taskflow_run_seconds_sum") >= 1);
	all_ended();
}

/* ---- refusals ---- */
static void
refuse(const char *method, const char *path, const char *headers,
    const char *body, int status)
{
	assert_int_equal(http_call(&me, method, path, headers, body), status);
}

static void
each_refusal_is_counted_by_its_reason(void **state)
{
#define REFUSED(reason) "taskflow_http_refusals_total{reason=\"" reason "\"}"
#define POSTED "taskflow_http_requests_total{method=\"POST\",route=\"/tasks\""
	struct expected e[] = {
		{ "api-1", REFUSED("invalid"), 2, 0 },
		{ "api-1", REFUSED("unprocessable"), 3, 0 },
		{ "api-1", REFUSED("unauthorized"), 1, 0 },
		{ "api-1", REFUSED("not-found"), 2, 0 },
		{ "api-1", REFUSED("method-not-allowed"), 1, 0 },
		{ "api-1", REFUSED("media-type"), 1, 0 },
		{ "api-1", REFUSED("expectation-failed"), 1, 0 },
		{ "api-1", REFUSED("internal"), 0, 0 },
		{ "api-1", POSTED ",status=\"4xx\"}", 6, 0 },
		{ "api-1", POSTED ",status=\"2xx\"}", 0, 0 },
		/* One with no route, one with no method, one of evhttp's. */
		{ "api-1",
		    "taskflow_http_requests_total{method=\"none\","
		    "route=\"none\",status=\"4xx\"}",
		    3, 0 },
		{ "api-1",
		    "taskflow_http_requests_total{method=\"POST\","
		    "route=\"/tasks/batch\",status=\"2xx\"}",
		    1, 0 },
		{ "api-1",
		    "taskflow_batch_items_refused_total{reason="
		    "\"unprocessable\"}",
		    2, 0 },
		{ "api-1", "taskflow_tasks_submitted_total{priority=\"low\"}",
		    1, 0 },
	};
	struct http h;
	int i;

	(void)state;
	note_before(e, NELEM(e));
	for (i = 0; i < 2; i++)
		refuse("POST", "/tasks", JSON_TYPE, "{", 400);
	for (i = 0; i < 3; i++)
		refuse("POST", "/tasks", JSON_TYPE,
		    "{\"type\":\"ledger\",\"max_attempts\":0}", 422);
	refuse("POST", "/tasks", "Content-Type: text/plain\r\n", "{}", 415);
	refuse("GET", "/nowhere", NULL, NULL, 404);
	refuse("DELETE", "/status", NULL, NULL, 405);
	refuse("GET", "/tasks/nothing", NULL, NULL, 404);
	refuse("GET", "/tasks", "Expect: nonsense\r\n", NULL, 417);
	http_init(&h, part_port("api-1"));
	assert_int_equal(http_call(&h, "GET", "/tasks", NULL, NULL), 401);
	http_fini(&h);
	assert_int_equal(
	    http_call(&me, "POST", "/tasks/batch", JSON_TYPE,
		"{\"tasks\":[{\"type\":\"ledger\",\"payload\":\"n\"},"
		"{\"type\":\"a b\"},{\"type\":\"x\",\"max_attempts\":0}]}"),
	    200);
	UNTIL(all_as_expected(e, NELEM(e)));
	UNTIL(tasks_with("QUEUED") + tasks_with("IN_PROGRESS") == 0);
	all_ended();
}

/* ---- nothing happens ---- */
static bool
counts_work(const char *line)
{
	static const char *const names[] = { "taskflow_tasks_",
		"taskflow_batch_", "taskflow_handler_exits_",
		"taskflow_http_refusals_", "taskflow_elections_",
		"taskflow_recovered_", "taskflow_dead_", "taskflow_stale_",
		"taskflow_run_", "taskflow_claim_", "taskflow_settle_",
		"taskflow_queue_wait_", "taskflow_redis_connects_",
		"taskflow_pg_connects_", "taskflow_repushed_" };

	for (size_t i = 0; i < NELEM(names); i++)
		if (strncmp(line, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static void
an_idle_process_counts_no_work(void **state)
{
	static const char *const parts[] = { "api-1", "manager-1", "worker-1" };
	static const char ticks[] = "taskflow_loop_lag_seconds_count";

	(void)state;
	for (size_t i = 0; i < NELEM(parts); i++) {
		char *before = scrape(parts[i]), *line = before, *end;
		double began = value_in(before, ticks);

		UNTIL(value(parts[i], ticks) >= began + 3);
		while ((end = strchr(line, '\n')) != NULL) {
			*end = '\0';
			if (counts_work(line)) {
				char *sp = strrchr(line, ' ');

				*sp = '\0';
				if (value(parts[i], line) !=
				    strtod(sp + 1, NULL))
					fail_msg(
					    "%s: %s moved", parts[i], line);
			}
			line = end + 1;
		}
		free(before);
	}
	all_ended();
}

/* ---- faults ---- */
static void
a_dead_worker_and_its_tasks_are_counted(void **state)
{
	struct expected e[] = {
		{ "manager-1", "taskflow_dead_workers_total", 1, 0 },
		{ "manager-1",
		    "taskflow_recovered_tasks_total{cause=\"dead_worker\"}", 1,
		    0 },
		{ "manager-1",
		    "taskflow_recovered_tasks_total{cause=\"orphan\"}", 0, 0 },
		{ "manager-1", "taskflow_elections_total", 0, 0 },
	};
	const char *id;

	(void)state;
	assert_true(value("manager-1", "taskflow_leader") == 1);
	assert_true(value("manager-1", "taskflow_leader_term") >= 1);
	note_before(e, NELEM(e));
	hold("dead", 1);
	id = submit("ledger", "\"dead\"", NULL);
	UNTIL(runs_of(id) == 1);
	assert_true(
	    value("worker-1", "taskflow_worker_tasks{state=\"running\"}") == 1);
	assert_true(value("worker-1", "taskflow_handler_processes") == 1);
	part_kill("worker-1");
	UNTIL(all_as_expected(e, NELEM(e)));
	part_start("worker-1");
	task_wait(id);
	UNTIL(value("worker-1",
		  "taskflow_tasks_finished_total{outcome=\"completed\"}") == 1);
	assert_true(value("worker-1",
			"taskflow_tasks_claimed_total{priority=\"low\"}") == 1);
	release("dead", 1);
	all_ended();
	assert_true(all_as_expected(e, NELEM(e)));
}

static void
a_restart_of_redis_is_one_reconnect(void **state)
{
#define CONNECTS "taskflow_redis_connects_total{server="
	struct expected e[] = {
		{ "api-1", CONNECTS "\"low\"}", 1, 0 },
		{ "manager-1", CONNECTS "\"low\"}", 1, 0 },
		{ "worker-1", CONNECTS "\"low\"}", 1, 0 },
		{ "api-1", CONNECTS "\"high\"}", 0, 0 },
		{ "worker-1", CONNECTS "\"high\"}", 0, 0 },
	};

	(void)state;
	note_before(e, NELEM(e));
	part_stop("redis-low");
	UNTIL(value("api-1", "taskflow_redis_up{server=\"low\"}") == 0 &&
	    value("worker-1", "taskflow_redis_up{server=\"low\"}") == 0 &&
	    value("manager-1", "taskflow_redis_up{server=\"low\"}") == 0);
	assert_true(value("api-1", "taskflow_redis_up{server=\"high\"}") == 1);
	part_start("redis-low");
	UNTIL(all_as_expected(e, NELEM(e)));
	finish("ledger", NULL, "COMPLETED");
	all_ended();
}

/* ---- queues ---- */
#define QUEUE(what, queue, priority) \
	"taskflow_queue_" what "{queue=\"" queue "\",priority=\"" priority "\"}"

static void
the_leader_knows_the_depth_of_queues(void **state)
{
	(void)state;
	part_stop("worker-1");
	for (int i = 0; i < 3; i++)
		submit("ledger", "\"q\"", NULL);
	submit("ledger", "\"q\"", "\"priority\":\"high\"");
	UNTIL(value("manager-1", QUEUE("tasks", "default", "low")) == 3 &&
	    value("manager-1", QUEUE("tasks", "default", "high")) == 1);
	UNTIL(value("manager-1", QUEUE("oldest_seconds", "default", "low")) >
	    0.5);
	assert_true(value("api-1", QUEUE("tasks", "default", "low")) == -1);
	part_start("worker-1");
	all_ended();
	UNTIL(value("manager-1", QUEUE("tasks", "default", "low")) == 0 &&
	    value("manager-1", QUEUE("oldest_seconds", "default", "low")) == 0);
}

/* ---- the end ---- */
static void
it_is_answered_while_draining(void **state)
{
	const char *id;
	struct http h, other;

	(void)state;
	hold("last", 1);
	id = submit("ledger", "\"last\"", NULL);
	UNTIL(runs_of(id) == 1);
	http_init(&other, part_port("worker-1"));
	http_init(&h, part_port("worker-1"));
	assert_int_equal(http_call(&h, "GET", "/metrics", NULL, NULL), 200);
	assert_true(value_in(h.body, "taskflow_draining") == 0);
	part_signal("worker-1", SIGTERM);
	UNTIL(http_call(&other, "GET", "/readyz", NULL, NULL) == 503);
	assert_int_equal(http_call(&h, "GET", "/metrics", NULL, NULL), 200);
	assert_true(value_in(h.body, "taskflow_draining") == 1);
	assert_null(exposition_wrong(h.body));
	http_fini(&h);
	http_fini(&other);
	release("last", 1);
	UNTIL(!part_runs("worker-1"));
	assert_true(task_is(id, "COMPLETED"));
	part_start("worker-1");
	all_ended();
}

/* One that is free now. */
static int
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, len) != 0 ||
	    getsockname(fd, (struct sockaddr *)&a, &len) != 0)
		abort();
	close(fd);
	return ntohs(a.sin_port);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_role_answers),
		cmocka_unit_test(the_list_is_what_is_shown),
		cmocka_unit_test(known_work_is_counted),
		cmocka_unit_test(each_refusal_is_counted_by_its_reason),
		cmocka_unit_test(an_idle_process_counts_no_work),
		cmocka_unit_test(a_dead_worker_and_its_tasks_are_counted),
		cmocka_unit_test(a_restart_of_redis_is_one_reconnect),
		cmocka_unit_test(the_leader_knows_the_depth_of_queues),
		cmocka_unit_test(it_is_answered_while_draining),
	};
	const struct group g = { "metrics", "api=1 manager=1 worker=1", conf,
		tests, NELEM(tests) };

	api_port = free_port();
	/* The flags of the other parts come before it. */
	snprintf(conf, sizeof(conf),
	    "%sadmin_listen = 127.0.0.1:%d\nlog_format = json\n%s"
	    "[handler false]\ncommand = /bin/false\n"
	    "[handler dataerr]\ncommand = /bin/sh -c \"exit 65\"\n"
	    "[handler killed]\ncommand = /bin/sh -c \"kill -9 $$\"\n"
	    "[handler sleeper]\ncommand = /bin/sleep 600\n",
	    SHORT_TIMES, api_port, LEDGER_CONF);
	return group_run(&g, argc, argv);
}
