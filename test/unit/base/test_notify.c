/* What we tell a service manager, and what it hands to us. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/notify.h"

static char dir[] = "/tmp/taskflow-notify.XXXXXX";
static char err[300];

static void
put(const char *name, const char *value)
{
	if (value == NULL)
		unsetenv(name);
	else
		setenv(name, value, 1);
}

static void
put_pid(const char *name, long pid)
{
	char text[24];

	snprintf(text, sizeof(text), "%ld", pid);
	put(name, text);
}

/* A manager that listens there; name[0] == '@' is an abstract one. */
static int
manager(const char *name)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(to.sun_path, name, strlen(name));
	if (name[0] == '@')
		to.sun_path[0] = '\0';
	assert_int_equal(
	    bind(fd, (struct sockaddr *)&to,
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) +
		    strlen(name))),
	    0);
	return fd;
}

static void
hears(int fd, const char *want)
{
	char text[2048];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	assert_true(n >= 0);
	text[n] = '\0';
	assert_string_equal(text, want);
}

static void
says_to(const char *name)
{
	struct notify n;
	int fd = manager(name);

	put("NOTIFY_SOCKET", name);
	assert_true(notify_open(&n, err, sizeof(err)));
	assert_int_equal(n.watchdog_us, 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	notify_send(&n, "READY=1\nSTATUS=%s", "serving");
	hears(fd, "READY=1\nSTATUS=serving");
	/* No handler has it. */
	assert_true(fcntl(n.fd, F_GETFD) & FD_CLOEXEC);
	notify_close(&n);
	notify_send(&n, "READY=1");
	assert_int_equal(recv(fd, err, 1, MSG_DONTWAIT), -1);
	close(fd);
}

static void
a_path_and_an_abstract_name(void **state)
{
	char path[100];

	(void)state;
	snprintf(path, sizeof(path), "%s/socket", dir);
	says_to(path);
	unlink(path);
	snprintf(path, sizeof(path), "@%s", dir);
	says_to(path);
}

static void
the_longest_path(void **state)
{
	char path[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];
	struct notify n;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0] = '@';
	path[sizeof(path) - 2] = '\0'; /* one less than fits */
	says_to(path);
	path[sizeof(path) - 2] = 'x';
	path[sizeof(path) - 1] = '\0';
	put("NOTIFY_SOCKET", path);
	assert_false(notify_open(&n, err, sizeof(err)));
	assert_non_null(strstr(err, "NOTIFY_SOCKET"));
}

static void
what_is_no_socket_is_refused(void **state)
{
	static const char *const bad[] = { "relative", "@", "/",
		"vsock:2:1234" };
	struct notify n;

	(void)state;
	for (size_t i = 0; i < NELEM(bad); i++) {
		put("NOTIFY_SOCKET", bad[i]);
		assert_false(notify_open(&n, err, sizeof(err)));
		assert_non_null(strstr(err, bad[i]));
		assert_int_equal(n.fd, -1);
		assert_null(getenv("NOTIFY_SOCKET"));
	}
	put("NOTIFY_SOCKET", "");
	assert_true(notify_open(&n, err, sizeof(err)));
	assert_int_equal(n.fd, -1);
}

/* A manager that does not read must not hold us up. */
static void
a_full_socket_does_not_block(void **state)
{
	char name[100];
	struct notify n;
	int fd, i;

	(void)state;
	snprintf(name, sizeof(name), "@%s", dir);
	fd = manager(name);
	put("NOTIFY_SOCKET", name);
	assert_true(notify_open(&n, err, sizeof(err)));
	alarm(20);
	for (i = 0; i < 5000; i++)
		notify_send(&n, "WATCHDOG=1");
	alarm(0);
	hears(fd, "WATCHDOG=1");
	notify_close(&n);
	close(fd);
}

static void
the_watchdog_is_that_of_this_process(void **state)
{
	static const char *const bad[] = { "", "0", "-1", "12x",
		"99999999999999999999" };
	char name[100];
	struct notify n;

	(void)state;
	snprintf(name, sizeof(name), "@%s", dir);
	put("NOTIFY_SOCKET", name);
	put("WATCHDOG_USEC", "30000000");
	put_pid("WATCHDOG_PID", getpid());
	assert_true(notify_open(&n, err, sizeof(err)));
	assert_int_equal(n.watchdog_us, 30000000);
	assert_null(getenv("WATCHDOG_USEC"));
	assert_null(getenv("WATCHDOG_PID"));
	notify_close(&n);

	put("NOTIFY_SOCKET", name);
	put("WATCHDOG_USEC", "30000000");
	put_pid("WATCHDOG_PID", getppid());
	assert_true(notify_open(&n, err, sizeof(err)));
	assert_int_equal(n.watchdog_us, 0);
	notify_close(&n);

	for (size_t i = 0; i < NELEM(bad); i++) {
		put("WATCHDOG_USEC", bad[i]);
		assert_false(notify_open(&n, err, sizeof(err)));
		assert_non_null(strstr(err, "WATCHDOG_USEC"));
	}
	/* Nobody would hear it. */
	put("WATCHDOG_USEC", "5000000");
	assert_true(notify_open(&n, err, sizeof(err)));
	assert_int_equal(n.watchdog_us, 0);
}

/* ---- descriptors: in a child, whose descriptors from 3 on are free ---- */

static int
give(int count, const char *names, long pid, void (*check)(struct given *))
{
	pid_t child = fork();
	struct given g;
	int status, i;

	if (child == 0) {
		for (i = 0; i < 16; i++)
			close(3 + i);
		for (i = 0; i < count; i++)
			if (dup2(STDOUT_FILENO, 3 + i) < 0)
				_exit(1);
		put_pid("LISTEN_FDS", count);
		put_pid("LISTEN_PID", pid != 0 ? pid : getpid());
		put("LISTEN_FDNAMES", names);
		if (!given_open(&g, err, sizeof(err)))
			_exit(2);
		check(&g);
		_exit(getenv("LISTEN_FDS") == NULL &&
			    getenv("LISTEN_PID") == NULL &&
			    getenv("LISTEN_FDNAMES") == NULL
			? 0
			: 3);
	}
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

#define MUST(condition)            \
	do {                       \
		if (!(condition))  \
			_exit(10); \
	} while (0)

static void
two_names(struct given *g)
{
	MUST(g->n == 2);
	MUST(given_take(g, "nothing") == -1);
	MUST(given_take(g, "admin") == 4);
	MUST(given_take(g, "admin") == -1);
	MUST(strcmp(given_left(g), "api") == 0);
	MUST(given_take(g, "api") == 3);
	MUST(given_left(g) == NULL);
	MUST(fcntl(3, F_GETFD) & FD_CLOEXEC);
	MUST(fcntl(4, F_GETFD) & FD_CLOEXEC);
	given_close(g);
	MUST(fcntl(3, F_GETFD) >= 0);
}

static void
no_names(struct given *g)
{
	MUST(g->n == 2);
	MUST(strcmp(given_left(g), "unknown") == 0);
	given_close(g);
	MUST(fcntl(3, F_GETFD) == -1 && errno == EBADF);
	MUST(fcntl(4, F_GETFD) == -1);
}

static void
one_name_for_two(struct given *g)
{
	MUST(given_take(g, "api") == 3);
	MUST(given_take(g, "unknown") == 4);
}

static void
nothing(struct given *g)
{
	MUST(g->n == 0 && given_left(g) == NULL);
}

static void
all_of_them(struct given *g)
{
	MUST(g->n == GIVEN_MAX);
}

static void
descriptors_have_names(void **state)
{
	(void)state;
	assert_int_equal(give(2, "api:admin", 0, two_names), 0);
	assert_int_equal(give(2, NULL, 0, no_names), 0);
	assert_int_equal(give(2, "api", 0, one_name_for_two), 0);
	assert_int_equal(give(0, "", 0, nothing), 0);
	assert_int_equal(give(GIVEN_MAX, NULL, 0, all_of_them), 0);
	assert_int_equal(give(GIVEN_MAX + 1, NULL, 0, all_of_them), 2);
}

static void
those_of_another_process_are_not_ours(void **state)
{
	(void)state;
	assert_int_equal(give(2, "api:admin", getpid(), nothing), 0);
}

static void
nonsense_is_refused(void **state)
{
	struct given g;

	(void)state;
	put("LISTEN_FDS", "two");
	put_pid("LISTEN_PID", getpid());
	assert_false(given_open(&g, err, sizeof(err)));
	assert_non_null(strstr(err, "LISTEN_FDS: \"two\""));
	assert_null(getenv("LISTEN_FDS"));
	assert_true(given_open(&g, err, sizeof(err)));
	assert_int_equal(g.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_and_an_abstract_name),
		cmocka_unit_test(the_longest_path),
		cmocka_unit_test(what_is_no_socket_is_refused),
		cmocka_unit_test(a_full_socket_does_not_block),
		cmocka_unit_test(the_watchdog_is_that_of_this_process),
		cmocka_unit_test(descriptors_have_names),
		cmocka_unit_test(those_of_another_process_are_not_ours),
		cmocka_unit_test(nonsense_is_refused),
	};
	int failed;

	if (mkdtemp(dir) == NULL)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(dir);
	return failed;
}
