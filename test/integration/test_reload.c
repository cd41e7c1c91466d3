/*
 * Keys of tokens and certificates change under a daemon that runs: nobody is
 * logged out who should not be, what is gone is gone, and what is broken
 * changes nothing. The clients are curl and openssl.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "support/stack.h"

#define NEW "secret = a new secret of more than 32 bytes\n"
#define USER                                                     \
	"{\"email\":\"a@example.org\",\"username\":\"annabel\"," \
	"\"password\":\"correct horse battery\"}"
#define LOGIN \
	"{\"username\":\"annabel\",\"password\":\"correct horse battery\"}"

static int port, admin;
static pid_t pid;

static int
free_port(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

static void
write_file(const char *name, const char *content)
{
	FILE *f = fopen(stack_file(name), "w");

	assert_non_null(f);
	fputs(content, f);
	assert_int_equal(fclose(f), 0);
}

static void
make_pair(const char *name)
{
	const char *argv[] = { "/usr/bin/openssl", "req", "-x509", "-newkey",
		"ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
		"1", "-subj", text("/CN=%s", name), "-addext",
		"subjectAltName=IP:127.0.0.1", "-keyout", stack_file("key.pem"),
		"-out", stack_file("cert.pem"), NULL };
	char *out;

	assert_int_equal(run_program(argv, &out), 0);
	free(out);
}

/* The status; *ret (may be NULL) is what came, heap. */
static int
curl(const char *url, const char *token, const char *body, char **ret)
{
	const char *argv[24] = { "/usr/bin/curl", "-s", "--noproxy", "*",
		"--max-time", "20", "--cacert", stack_file("cert.pem"), "-w",
		"\n%{http_code}", url };
	int n = 11, status;
	char *out, *last;

	if (token != NULL) {
		argv[n++] = "-H";
		argv[n++] = text("Authorization: Bearer %s", token);
	}
	if (body != NULL) {
		argv[n++] = "-H";
		argv[n++] = "Content-Type: application/json";
		argv[n++] = "-d";
		argv[n++] = body;
	}
	run_program(argv, &out);
	last = strrchr(out, '\n');
	status = last == NULL ? 0 : atoi(last + 1);
	if (ret != NULL)
		*ret = out;
	else
		free(out);
	return status;
}

static const char *
url(const char *path)
{
	return text("https://127.0.0.1:%d%s", port, path);
}

static int
with_token(const char *token)
{
	return curl(url("/tasks"), token, NULL, NULL);
}

static char *
log_in(void)
{
	char *out, *token, *end;

	assert_int_equal(curl(url("/login"), NULL, LOGIN, &out), 200);
	token = strstr(out, "\"token\":\"");
	if (token == NULL &&
	    (token = strstr(out, "\"access_token\":\"")) != NULL)
		token += strlen("\"access_");
	if (token == NULL)
		fail_msg("no token in %s", out);
	token = strchr(token + 7, '"') + 1;
	end = strchr(token, '"');
	token = strndup(token, (size_t)(end - token));
	free(out);
	return token;
}

/* The cursor of a second page, heap. */
static char *
second_page(const char *token)
{
	char *out, *at;

	for (int i = 0; i < 2; i++)
		assert_int_equal(
		    curl(url("/tasks"), token, "{\"type\":\"noop\"}", NULL),
		    201);
	assert_int_equal(curl(url("/tasks?limit=1"), token, NULL, &out), 200);
	at = strstr(out, "\"next_cursor\":\"");
	if (at == NULL)
		fail_msg("no cursor in %s", out);
	at += strlen("\"next_cursor\":\"");
	at = strndup(at, strcspn(at, "\""));
	free(out);
	return at;
}

static int
with_cursor(const char *token, const char *cursor)
{
	return curl(
	    url(text("/tasks?limit=1&cursor=%s", cursor)), token, NULL, NULL);
}

static int
lines_with(const char *words)
{
	char *log = read_file(stack_file("reload.log"));
	int n = 0;

	for (char *p = log; p != NULL && (p = strstr(p, words)) != NULL; p++)
		n++;
	free(log);
	return n;
}

/* The configuration is that of the stack and these lines; then SIGHUP, and it
 * says so. */
static void
configure(const char *more, const char *says)
{
	int before = lines_with(says);

	write_file("reload.conf",
	    text("include = stack/taskflowd.conf\ntls_cert_file = cert.pem\n"
		 "tls_key_file = key.pem\n%s",
		more));
	if (pid == 0)
		return;
	kill(pid, SIGHUP);
	UNTIL(lines_with(says) > before);
}

#define RELOADED "\"event\":\"reloaded\""

static void
begin(void)
{
	const char *argv[] = { stack_bin(),
		text("--config=%s", stack_file("reload.conf")), "--role=api",
		text("--listen=127.0.0.1:%d", port),
		text("--admin-listen=127.0.0.1:%d", admin), "--log-format=json",
		NULL };

	make_pair("first");
	configure("", RELOADED);
	pid = begin_program(argv, stack_file("reload.log"));
	UNTIL(curl(url("/readyz"), NULL, NULL, NULL) == 200);
}

static void
assert_certificate(const char *name)
{
	const char *argv[] = { "/bin/sh", "-c",
		text("openssl s_client -connect 127.0.0.1:%d -alpn h2,http/1.1 "
		     "</dev/null",
		    port),
		NULL };
	char *out;

	run_program(argv, &out);
	if (strstr(out, text("CN = %s", name)) == NULL)
		fail_msg("not %s: %s", name, out);
	assert_non_null(strstr(out, "ALPN protocol: http/1.1"));
	free(out);
}

static void
keys_and_certificates_change(void **state)
{
	char *first, *second, *cursor;

	(void)state;
	port = free_port();
	admin = free_port();
	begin();
	assert_certificate("first");
	/* Plain HTTP is closed there, and spoken at the other one. */
	assert_int_equal(
	    curl(text("http://127.0.0.1:%d/livez", port), NULL, NULL, NULL), 0);
	assert_int_equal(
	    curl(text("http://127.0.0.1:%d/livez", admin), NULL, NULL, NULL),
	    200);
	assert_int_equal(curl(url("/users"), NULL, USER, NULL), 201);
	first = log_in();
	assert_int_equal(with_token(first), 200);

	/* Another key signs: who is logged in stays so. */
	configure("[jwt_key 2027]\nsign = yes\n" NEW, RELOADED);
	second = log_in();
	assert_int_equal(with_token(first), 200);
	assert_int_equal(with_token(second), 200);
	assert_true(strcmp(first, second) != 0);

	/* What is broken changes nothing, and is told. */
	configure("[jwt_key 2027]\nsign = yes\nsecret = short\n",
	    "allowed are at least 32");
	configure("[jwt_key 2027]\nsign = yes\nsecrt = x\n", "secrt");
	write_file("key.pem", "nonsense\n");
	configure("[jwt_key 2027]\nsign = yes\n" NEW, "old certificate");
	assert_certificate("first");
	assert_int_equal(with_token(first), 200);
	assert_int_equal(with_token(second), 200);

	/* The old key is gone, and its tokens with it, at once. */
	make_pair("next");
	configure("jwt_secret =\n[jwt_key 2027]\nsign = yes\n" NEW, RELOADED);
	assert_certificate("next");
	assert_int_equal(with_token(first), 401);
	assert_int_equal(with_token(second), 200);

	/* Without jwt_secret, too, cursors are sealed by the key that signs. */
	cursor = second_page(second);
	assert_int_equal(with_cursor(second, cursor), 200);
	configure("jwt_secret =\n[jwt_key 2027]\n" NEW
		  "[jwt_key 2028]\nsign = yes\n"
		  "secret = one more secret of 32 bytes or more\n",
	    RELOADED);
	assert_int_equal(with_token(second), 200);
	assert_int_equal(with_cursor(second, cursor), 400);
	free(cursor);
	configure("[jwt_key 2027]\nsign = yes\n"
		  "secret = yet another secret of 32 bytes or more\n",
	    RELOADED);
	assert_int_equal(with_token(second), 401);
	assert_int_equal(with_token(first), 200);
	assert_int_equal(end_program(pid, SIGTERM), 0);
	free(first);
	free(second);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(keys_and_certificates_change),
};

int
main(int argc, char **argv)
{
	struct group g = { "reload", "api=1", "# the defaults\n", tests,
		NELEM(tests) };

	return group_run(&g, argc, argv);
}
