/*
 * Under a service manager: what it hears of us from the start to the end, that
 * nothing of it reaches a handler, and that sockets which it holds are served
 * without a gap while we are restarted.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/conf.h"
#include "support/ledger.h"
#include "support/stack.h"
#include "support/store.h"

#define RESTARTS 3
#define CLIENTS 4

static const char base_conf[] =
    SHORT_TIMES LEDGER_CONF "[handler env]\n"
			    "command = /usr/bin/env -0\n"
			    "max_result = 64KiB\n";

/* ---- the manager: a socket that hears, and sockets to hand over ---- */
struct manager {
	int hears;
	char name[64];
	char said[4096]; /* the last message */
	int sockets[2]; /* api, admin; -1: not given */
	int ports[2];
	pid_t pid;
	const char *watchdog; /* WATCHDOG_USEC, or NULL */
	bool watches_another;
};

static int
listening(int *ret_port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(listen(fd, 128), 0);
	getsockname(fd, (struct sockaddr *)&sin, &len);
	*ret_port = ntohs(sin.sin_port);
	return fd;
}

static void
manager_open(struct manager *m, bool with_sockets)
{
	static int n;
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	*m = (struct manager){ .sockets = { -1, -1 } };
	snprintf(m->name, sizeof(m->name), "@taskflow-service-%d-%d",
	    (int)getpid(), n++);
	m->hears = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	memcpy(to.sun_path + 1, m->name + 1, strlen(m->name) - 1);
	assert_int_equal(
	    bind(m->hears, (struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) +
		    strlen(m->name))),
	    0);
	for (int i = 0; i < 2 && with_sockets; i++)
		m->sockets[i] = listening(&m->ports[i]);
}

static void
manager_close(struct manager *m)
{
	close(m->hears);
	for (int i = 0; i < 2; i++)
		if (m->sockets[i] >= 0)
			close(m->sockets[i]);
}

/* In the child: descriptors from 3 on, and the environment. */
static void
child_begins(const struct manager *m, const char *const argv[])
{
	int log = open(
	    stack_file("service.log"), O_WRONLY | O_CREAT | O_APPEND, 0644);
	int fds[2] = { -1, -1 };

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dup2(log, 1);
	dup2(log, 2);
	for (int i = 0; i < 2; i++)
		if (m->sockets[i] >= 0)
			fds[i] = fcntl(m->sockets[i], F_DUPFD, 20);
	for (int i = 3; i < 20; i++)
		close(i);
	for (int i = 0; i < 2 && fds[i] >= 0; i++) {
		dup2(fds[i], 3 + i);
		close(fds[i]);
	}
	setenv("NOTIFY_SOCKET", m->name, 1);
	if (m->sockets[0] >= 0) {
		setenv("LISTEN_FDS", "2", 1);
		setenv("LISTEN_FDNAMES", "api:admin", 1);
		setenv("LISTEN_PID", text("%d", (int)getpid()), 1);
	}
	if (m->watchdog != NULL) {
		setenv("WATCHDOG_USEC", m->watchdog, 1);
		setenv("WATCHDOG_PID",
		    text("%d", (int)getpid() + m->watches_another), 1);
	}
	execv(argv[0], (char *const *)argv);
	_exit(127);
}

static void
manager_starts(struct manager *m, const char *role, const char *option)
{
	const char *argv[] = { stack_bin(), role,
		text("--config=%s", stack_file("stack/taskflowd.conf")),
		"--listen=127.0.0.1:0", option, NULL };

	fflush(NULL);
	m->pid = fork();
	if (m->pid == 0)
		child_begins(m, argv);
}

/* The next message. */
static const char *
hears(struct manager *m)
{
	struct pollfd p = { .fd = m->hears, .events = POLLIN };
	ssize_t n;

	if (poll(&p, 1, PATIENCE_MS) != 1) {
		fail_msg("nothing more after \"%s\": %s", m->said,
		    read_file(stack_file("service.log")));
	}
	n = recv(m->hears, m->said, sizeof(m->said) - 1, 0);
	assert_true(n > 0);
	m->said[n] = '\0';
	return m->said;
}

/* Messages up to the one that has these words. */
static const char *
hears_at_last(struct manager *m, const char *words)
{
	while (strstr(hears(m), words) == NULL)
		continue;
	return m->said;
}

static int
ends(struct manager *m, int signo)
{
	return end_program(m->pid, signo);
}

/* ---- from the start to the end ---- */

/* It waits for a server that is away, and says so. */
static void
ready_means_that_the_servers_answered(void **state)
{
	struct manager m;

	(void)state;
	part_stop("redis-low");
	manager_open(&m, false);
	manager_starts(&m, "--role=manager", NULL);
	while (strstr(hears(&m), "STATUS=waiting for redis-low: ") == NULL)
		assert_null(strstr(m.said, "READY"));
	part_start("redis-low");
	hears_at_last(&m, "READY=1");
	assert_string_equal(m.said, "READY=1\nSTATUS=ready");
	assert_int_equal(ends(&m, SIGTERM), 0);
	hears_at_last(&m, "STOPPING=1");
	assert_non_null(strstr(m.said, "\nEXTEND_TIMEOUT_USEC="));
	assert_non_null(strstr(m.said, "\nSTATUS=draining: "));
	manager_close(&m);
	all_ended();
}

static void
a_reload_is_announced_and_ended(void **state)
{
	struct manager m;
	long long at;

	(void)state;
	manager_open(&m, false);
	manager_starts(&m, "--role=worker", NULL);
	hears_at_last(&m, "READY=1");
	kill(m.pid, SIGHUP);
	hears(&m);
	assert_int_equal(
	    sscanf(m.said, "RELOADING=1\nMONOTONIC_USEC=%lld\n", &at), 1);
	/* Of the clock that systemd compares it with. */
	assert_true(at / 1000 <= now_ms() && at / 1000 > now_ms() - 100000);
	assert_string_equal(hears(&m), "READY=1\nSTATUS=ready");
	assert_int_equal(ends(&m, SIGTERM), 0);
	hears_at_last(&m, "STOPPING=1");
	manager_close(&m);
	all_ended();
}

static void
the_watchdog_is_fed_from_the_beginning(void **state)
{
	struct manager m;
	int i;

	(void)state;
	manager_open(&m, false);
	m.watchdog = "200000";
	part_stop("redis-low"); /* it lives before it is ready */
	manager_starts(&m, "--role=worker", NULL);
	for (i = 0; i < 3; i++)
		hears_at_last(&m, "WATCHDOG=1");
	part_start("redis-low");
	hears_at_last(&m, "READY=1");
	for (i = 0; i < 3; i++)
		hears_at_last(&m, "WATCHDOG=1");
	assert_int_equal(ends(&m, SIGTERM), 0);
	manager_close(&m);

	/* Of another process: none of our business. */
	manager_open(&m, false);
	m.watchdog = "1000";
	m.watches_another = true;
	manager_starts(&m, "--role=worker", NULL);
	while (strstr(hears(&m), "READY=1") == NULL)
		assert_null(strstr(m.said, "WATCHDOG"));
	kill(m.pid, SIGTERM);
	while (strstr(hears(&m), "STOPPING=1") == NULL)
		assert_null(strstr(m.said, "WATCHDOG"));
	assert_int_equal(ends(&m, 0), 0);
	manager_close(&m);
	all_ended();
}

/* A loop that hangs is not kept alive by anything else. */
static void
a_stopped_loop_gives_no_sign_of_life(void **state)
{
	char junk[64];
	struct manager m;

	(void)state;
	manager_open(&m, false);
	m.watchdog = "20000";
	manager_starts(&m, "--role=manager", NULL);
	hears_at_last(&m, "READY=1");
	kill(m.pid, SIGSTOP);
	assert_int_equal(waitpid(m.pid, NULL, WUNTRACED), m.pid);
	while (recv(m.hears, junk, sizeof(junk), MSG_DONTWAIT) > 0)
		continue; /* what it said before */
	pause_ms(200); /* ten times what is due: to give it a chance */
	assert_int_equal(recv(m.hears, junk, sizeof(junk), MSG_DONTWAIT), -1);
	kill(m.pid, SIGCONT);
	hears_at_last(&m, "WATCHDOG=1");
	assert_int_equal(ends(&m, SIGTERM), 0);
	manager_close(&m);
	all_ended();
}

/* For as long as something runs: how much, and that more time is needed. It
 * lives, and is not ready. */
static void
draining_is_told_again_and_again(void **state)
{
	struct manager m;
	struct http probe;
	const char *id;
	int i;

	(void)state;
	manager_open(&m, true);
	manager_starts(&m, "--role=worker", NULL);
	hears_at_last(&m, "READY=1");
	hold("slow", 1);
	id = submit("ledger", "\"slow\"", NULL);
	UNTIL(runs_of(id) == 1);
	kill(m.pid, SIGTERM);
	http_init(&probe, m.ports[1]);
	for (i = 0; i < 2; i++) {
		hears_at_last(&m, "STATUS=draining: 1 running");
		assert_non_null(strstr(m.said, "\nEXTEND_TIMEOUT_USEC="));
		assert_int_equal(
		    http_call(&probe, "GET", "/livez", NULL, NULL), 200);
		assert_int_equal(
		    http_call(&probe, "GET", "/readyz", NULL, NULL), 503);
	}
	http_fini(&probe);
	release("slow", 1);
	assert_int_equal(ends(&m, 0), 0);
	task_wait(id);
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
	manager_close(&m);
	all_ended();
}

/* ---- nothing of it for handlers ---- */
static void
handlers_see_nothing_of_it(void **state)
{
	static const char *const names[] = { "NOTIFY_SOCKET", "WATCHDOG_USEC",
		"WATCHDOG_PID", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES" };
	struct manager m;
	const char *result;
	const char *id;

	(void)state;
	manager_open(&m, true);
	m.watchdog = "10000000";
	manager_starts(&m, "--role=worker", NULL);
	hears_at_last(&m, "READY=1");
	id = submit("env", "1", NULL);
	task_wait(id);
	assert_string_equal(str_of(http_json(&me), "status"), "COMPLETED");
	result = raw_of("result");
	assert_non_null(strstr(result, "TASKFLOW_"));
	for (size_t i = 0; i < NELEM(names); i++)
		if (strstr(result, names[i]) != NULL)
			fail_msg("%s in %s", names[i], result);
	assert_int_equal(ends(&m, SIGTERM), 0);
	manager_close(&m);
	all_ended();
}

/* ---- sockets ---- */
struct load {
	int port;
	atomic_bool enough;
	atomic_long answered, refused;
	int last;
};

/* A connection for each request, as the crudest of clients does it. */
static void *
run_load(void *arg)
{
	struct load *l = arg;
	struct http h;
	int status;

	while (!l->enough) {
		http_init(&h, l->port);
		status = http_call(&h, "GET", "/readyz", NULL, NULL);
		http_fini(&h);
		/* 503: it is draining, and says so. */
		if (status == 200 || status == 503) {
			l->answered++;
		} else {
			l->last = status;
			l->refused++;
		}
	}
	return NULL;
}

static void
a_socket_is_served_without_a_gap(void **state)
{
	struct load load = { .answered = 0 };
	pthread_t threads[CLIENTS];
	struct manager m;
	struct http probe;
	long before;
	int i;

	(void)state;
	manager_open(&m, true);
	load.port = m.ports[0];
	manager_starts(&m, "--role=api", NULL);
	hears_at_last(&m, "READY=1");
	http_init(&probe, m.ports[1]);
	assert_int_equal(http_call(&probe, "GET", "/livez", NULL, NULL), 200);
	http_fini(&probe);
	for (i = 0; i < CLIENTS; i++)
		pthread_create(&threads[i], NULL, run_load, &load);
	for (i = 0; i < RESTARTS; i++) {
		before = load.answered;
		UNTIL(load.answered > before + 50);
		assert_int_equal(ends(&m, SIGTERM), 0);
		manager_starts(&m, "--role=api", NULL);
		hears_at_last(&m, "READY=1");
	}
	before = load.answered;
	UNTIL(load.answered > before + 50);
	load.enough = true;
	for (i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(ends(&m, SIGTERM), 0);
	if (load.refused != 0)
		fail_msg("%ld of %ld were not answered, the last one with %d",
		    load.refused, load.refused + load.answered, load.last);
	manager_close(&m);
	all_ended();
}

/* What nobody serves is closed, so that clients are not kept waiting. */
static void
a_socket_without_its_role_is_closed(void **state)
{
	struct manager m;
	char *log;

	(void)state;
	manager_open(&m, true);
	manager_starts(&m, "--role=manager", NULL);
	hears_at_last(&m, "READY=1");
	assert_int_equal(ends(&m, SIGTERM), 0);
	log = read_file(stack_file("service.log"));
	assert_non_null(strstr(log, "a socket was given that no role serves"));
	free(log);
	manager_close(&m);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(ready_means_that_the_servers_answered),
	cmocka_unit_test(a_reload_is_announced_and_ended),
	cmocka_unit_test(the_watchdog_is_fed_from_the_beginning),
	cmocka_unit_test(a_stopped_loop_gives_no_sign_of_life),
	cmocka_unit_test(draining_is_told_again_and_again),
	cmocka_unit_test(handlers_see_nothing_of_it),
	cmocka_unit_test(a_socket_is_served_without_a_gap),
	cmocka_unit_test(a_socket_without_its_role_is_closed),
};

int
main(int argc, char **argv)
{
	struct group g = { "service", "api=1 manager=1", base_conf, tests,
		NELEM(tests) };

	return group_run(&g, argc, argv);
}
