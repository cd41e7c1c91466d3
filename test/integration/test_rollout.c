/*
 * A rollout under load: APIs behind a balancer that learns late, workers and
 * managers are replaced one after the other. No request fails, no task is lost,
 * no attempt is used. And what a process does between SIGTERM and its end.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/balancer.h"
#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

#define APIS 2
#define CLIENTS 4
/* Far less than shutdown_delay, so that a busy machine does not matter. */
#define LEARNS_AFTER_MS 400
#define DELAY "--shutdown-delay=5s"

static const char base_conf[] = SHORT_TIMES "concurrency = 8\n"
					    "redis_timeout = 60s\n"
					    "pg_timeout = 60s\n";

/* ---- APIs of our own, each with a port for probes ---- */
struct api {
	int port, admin;
	pid_t pid;
	char log[32];
};

static int
free_port(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	getsockname(fd, (struct sockaddr *)&sin, &len);
	close(fd);
	return ntohs(sin.sin_port);
}

/* On a connection of its own: it is to be refused when nobody listens. */
static int
ask(int port, const char *path)
{
	struct http h;
	int status;

	http_init(&h, port);
	status = http_call(&h, "GET", path, NULL, NULL);
	http_fini(&h);
	return status;
}

static void
api_start(struct api *a, const char *delay)
{
	const char *argv[] = { stack_bin(), "--role=api",
		text("--config=%s", stack_file("stack/taskflowd.conf")),
		text("--listen=127.0.0.1:%d", a->port),
		text("--admin-listen=127.0.0.1:%d", a->admin), delay, NULL };

	a->pid = begin_program(argv, stack_file(a->log));
	UNTIL(ask(a->port, "/readyz") == 200);
}

static void
api_open(struct api *a, int i, const char *delay)
{
	a->port = free_port();
	a->admin = free_port();
	snprintf(a->log, sizeof(a->log), "api-own-%d.log", i);
	api_start(a, delay);
}

static bool
has_ended(struct api *a, int *ret_status)
{
	return a->pid == 0 || waitpid(a->pid, ret_status, WNOHANG) == a->pid;
}

/* SIGTERM, and to its end: alive for each probe, ready for none. */
static void
api_drains(struct api *a)
{
	int status = -1, alive = 0;

	kill(a->pid, SIGTERM);
	UNTIL(ask(a->admin, "/readyz") == 503);
	while (!has_ended(a, &status)) {
		if (ask(a->admin, "/livez") != 200)
			break;
		alive++;
		pause_ms(5);
	}
	/* It answers no more: that is the end of it, and not before. */
	UNTIL(status != -1 || has_ended(a, &status));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_true(alive > 10);
	a->pid = 0;
}

static void
api_close(struct api *a)
{
	kill(a->pid, SIGTERM);
	kill(a->pid, SIGTERM);
	assert_int_equal(end_program(a->pid, 0), 0);
	a->pid = 0;
}

/* ---- the load ---- */
struct load {
	int port;
	atomic_bool enough;
	atomic_long done, failed;
	atomic_int last;
};

static void
count(struct load *l, int status, int want)
{
	if (status == want) {
		l->done++;
	} else {
		l->failed++;
		l->last = status;
	}
}

/* Half of them keep their connection, as far as the server does. */
static void *
run_client(void *arg)
{
	static atomic_int clients;
	bool keeps = clients++ % 2 == 0;
	struct load *l = arg;
	char id[ID_SIZE], path[64];
	struct http h;
	int status;

	http_init(&h, l->port);
	h.token = strdup(me.token);
	while (!l->enough) {
		status = try_submit(
		    &h, "{\"type\":\"sleep\",\"payload\":{\"ms\":20}}", id);
		count(l, status, 201);
		if (status == 201) {
			snprintf(path, sizeof(path), "/tasks/%s", id);
			count(l, http_call(&h, "GET", path, NULL, NULL), 200);
		}
		if (!keeps) {
			char *token = h.token;

			h.token = NULL;
			http_fini(&h);
			http_init(&h, l->port);
			h.token = token;
		}
		pause_ms(20);
	}
	http_fini(&h);
	return NULL;
}

static void
load_begin(struct load *l, int port, pthread_t threads[CLIENTS])
{
	*l = (struct load){ .port = port };
	for (int i = 0; i < CLIENTS; i++)
		pthread_create(&threads[i], NULL, run_client, l);
	UNTIL(l->done > 20);
}

static void
load_end(struct load *l, pthread_t threads[CLIENTS])
{
	l->enough = true;
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
}

static void
more_is_done(struct load *l)
{
	long before = l->done;

	UNTIL(l->done > before + 20);
}

/* ---- the rollout ---- */
static void
no_request_fails_and_no_attempt_is_used(void **state)
{
	struct api apis[APIS] = { 0 };
	pthread_t threads[CLIENTS];
	struct balancer *b;
	struct load load;
	int ports[APIS], i;

	(void)state;
	tables_clear();
	for (i = 0; i < APIS; i++) {
		api_open(&apis[i], i, DELAY);
		ports[i] = apis[i].port;
	}
	b = balancer_open(ports, APIS, LEARNS_AFTER_MS);
	UNTIL(balancer_ready(b) == APIS);
	load_begin(&load, balancer_port(b), threads);
	for (i = 0; i < APIS; i++) {
		api_drains(&apis[i]);
		api_start(&apis[i], DELAY);
		UNTIL(balancer_ready(b) == APIS);
		more_is_done(&load);
	}
	for (i = 1; i <= 2; i++) {
		part_start(text("worker-%d", i + 2));
		part_stop(text("worker-%d", i));
		more_is_done(&load);
	}
	part_start("manager-2");
	part_stop("manager-1");
	more_is_done(&load);
	load_end(&load, threads);
	for (i = 0; i < APIS; i++)
		api_close(&apis[i]);
	balancer_close(b);
	if (load.failed != 0)
		fail_msg("%ld of %ld requests failed, the last one with %d",
		    load.failed, load.failed + load.done, load.last);
	all_ended();
	assert_true(tasks_with("COMPLETED") ==
	    sql_int("SELECT count(*) FROM "
		    "taskflow.tasks"));
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.tasks "
				 "WHERE attempt <> 1"),
	    0);
}

/* The same without the delay: the test above can fail. */
static void
without_the_delay_requests_fail(void **state)
{
	struct api apis[APIS] = { 0 };
	pthread_t threads[CLIENTS];
	struct balancer *b;
	struct load load;
	int ports[APIS], i;

	(void)state;
	for (i = 0; i < APIS; i++) {
		api_open(&apis[i], i, "--shutdown-delay=0s");
		ports[i] = apis[i].port;
	}
	/* It learns when it is far too late. */
	b = balancer_open(ports, APIS, 3000);
	UNTIL(balancer_ready(b) == APIS);
	load_begin(&load, balancer_port(b), threads);
	assert_int_equal(load.failed, 0);
	kill(apis[0].pid, SIGTERM);
	UNTIL(load.failed > 0);
	load_end(&load, threads);
	assert_int_equal(end_program(apis[0].pid, 0), 0);
	api_close(&apis[1]);
	balancer_close(b);
	all_ended();
}

/* ---- between SIGTERM and the end ---- */

/* A request that came late and slowly is answered; whoever comes later is
 * refused; probes go on. */
static void
a_request_on_its_way_is_answered(void **state)
{
	static const char body[] = "{\"type\":\"noop\",\"payload\":1}";
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char answer[2000] = "";
	struct api a = { 0 };
	const char *head;
	int fd;

	(void)state;
	api_open(&a, 0, "--shutdown-delay=0s");
	to.sin_port = htons((uint16_t)a.port);
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	head = text("POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Length: %zu\r\n"
		    "Authorization: Bearer %s\r\n"
		    "Content-Type: application/json\r\n\r\n",
	    strlen(body), me.token);
	assert_true(send(fd, head, strlen(head), 0) > 0);
	/* It must have read that, or it would not know of a request. */
	UNTIL(ask(a.admin, "/readyz") == 200);
	kill(a.pid, SIGTERM);
	UNTIL(ask(a.port, "/readyz") == HTTP_UNSENT);
	assert_int_equal(ask(a.admin, "/livez"), 200);
	assert_int_equal(ask(a.admin, "/readyz"), 503);
	assert_true(send(fd, body, strlen(body), 0) > 0);
	assert_true(recv(fd, answer, sizeof(answer) - 1, MSG_WAITALL) > 0);
	assert_non_null(strstr(answer, "HTTP/1.1 201"));
	assert_non_null(strcasestr(answer, "connection: close"));
	close(fd);
	assert_int_equal(end_program(a.pid, 0), 0);
	UNTIL(tasks_with("COMPLETED") ==
	    sql_int("SELECT count(*) FROM taskflow.tasks"));
	all_ended();
}

/* During the delay everything is served, and each answer says goodbye. A second
 * signal does not wait for it. */
static void
a_second_signal_ends_the_delay(void **state)
{
	struct api a = { 0 };
	struct http h;
	char *log;

	(void)state;
	api_open(&a, 0, "--shutdown-delay=200s");
	kill(a.pid, SIGTERM);
	UNTIL(ask(a.port, "/readyz") == 503);
	http_init(&h, a.port);
	h.token = strdup(me.token);
	assert_int_equal(http_call(&h, "GET", "/tasks", NULL, NULL), 200);
	assert_string_equal(http_header(&h, "Connection"), "close");
	http_fini(&h);
	assert_int_equal(ask(a.admin, "/livez"), 200);
	assert_int_equal(end_program(a.pid, SIGTERM), 0);
	log = read_file(stack_file(a.log));
	assert_non_null(strstr(log, "draining faster"));
	free(log);
	all_ended();
}

/* SIGTERM, and it has heard of it; the log has earlier ones. */
static void
manager_is_told(void)
{
	static const char words[] = "\"event\":\"draining\",\"signal\"";
	char *log, *at;
	int before = -1, n;

	do {
		log = read_file(stack_log("manager-1"));
		for (n = 0, at = log; (at = strstr(at, words)) != NULL; at++)
			n++;
		free(log);
		if (before < 0) {
			before = n;
			part_signal("manager-1", SIGTERM);
		}
		pause_ms(POLL_MS);
	} while (n == before);
}

/* What is promoted is pushed, although SIGTERM came in between: redis-low does
 * not answer until it has come. */
static void
a_manager_finishes_its_batch(void **state)
{
	const char *id;

	(void)state;
	part_stop("worker-1");
	part_stop("worker-2");
	id = submit("noop", "1", "\"delay_seconds\":1");
	part_signal("redis-low", SIGSTOP);
	UNTIL(task_is(id, "QUEUED"));
	manager_is_told();
	/* So long as the batch is not done it leads: nobody else begins. */
	assert_true(part_runs("manager-1"));
	assert_int_equal(redis_int(HIGH, "EXISTS taskflow:leader"), 1);
	part_signal("redis-low", SIGCONT);
	UNTIL(!part_runs("manager-1"));
	assert_int_equal(redis_int(HIGH, "EXISTS taskflow:leader"), 0);
	assert_int_equal(redis_int(LOW, "LLEN taskflow:queue:default"), 1);
	/* No manager is there, and none is needed. */
	part_start("worker-1");
	UNTIL(task_is(id, "COMPLETED"));
	part_start("manager-1");
	part_start("worker-2");
	all_ended();
}

static void
a_manager_that_is_asked_twice_does_not_wait(void **state)
{
	const char *id;

	(void)state;
	id = submit("noop", "1", "\"delay_seconds\":1");
	part_signal("redis-low", SIGSTOP);
	UNTIL(task_is(id, "QUEUED"));
	manager_is_told();
	part_signal("manager-1", SIGTERM);
	UNTIL(!part_runs("manager-1"));
	assert_int_equal(redis_int(HIGH, "EXISTS taskflow:leader"), 0);
	part_signal("redis-low", SIGCONT);
	/* The next one repairs what it left. */
	part_start("manager-1");
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(no_request_fails_and_no_attempt_is_used),
	cmocka_unit_test(without_the_delay_requests_fail),
	cmocka_unit_test(a_request_on_its_way_is_answered),
	cmocka_unit_test(a_second_signal_ends_the_delay),
	cmocka_unit_test(a_manager_finishes_its_batch),
	cmocka_unit_test(a_manager_that_is_asked_twice_does_not_wait),
};

int
main(int argc, char **argv)
{
	struct group g = { "rollout", "api=1 manager=1 worker=2", base_conf,
		tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
