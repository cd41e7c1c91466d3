#ifndef TASKFLOW_TEST_HTTP_FIXTURE_H
#define TASKFLOW_TEST_HTTP_FIXTURE_H

/*
 * A real server on a free port of the loopback, and clients that are raw
 * sockets, all driven by one loop in this process: each byte that is sent is
 * the test's, and nothing sleeps.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../src/loop/http_private.h"
#include "base/clock.h"
#include "base/jsn.h"
#include "base/log.h"

#define UNTIL(condition)                                                 \
	do {                                                             \
		int64_t give_up = clock_mono_us() + 20 * US_PER_S;       \
		while (!(condition)) {                                   \
			loop_turn(the_loop);                             \
			sched_yield();                                   \
			if (clock_mono_us() > give_up)                   \
				fail_msg("not in time: %s", #condition); \
		}                                                        \
	} while (0)

#define MAX_BODY 65536
#define MAX_HEADER 8192
#define MAX_WAITING 16

static struct loop *the_loop;
static struct http *the_http;
static int api_port, admin_port;
static int n_served; /* flows that began */
static const char *last_said = "";

/* ---- routes ---- */
struct test_flow {
	struct http_flow http;
	struct op op;
};

static struct test_flow *waiting[MAX_WAITING];
static int n_waiting;

static void
begin(struct flow *f)
{
	n_served++;
	/* What /wait and its like answer with. */
	assert_ptr_equal(((struct http_flow *)f)->ctx, &n_served);
}

static enum flow_next
step_begin(struct flow *f)
{
	begin(f);
	return FLOW_NEXT;
}

static enum flow_next
step_wait(struct flow *f)
{
	struct test_flow *t = (struct test_flow *)f;

	begin(f);
	assert_true(n_waiting < MAX_WAITING);
	waiting[n_waiting++] = t;
	op_init(&t->op, NULL);
	return flow_wait(f, &t->op);
}

/* Let the i-th that waits go on. */
static inline void
release(int i)
{
	op_done(&waiting[i]->op, OK);
	waiting[i] = NULL;
}

static void
end_echo(struct flow *f, enum err err)
{
	struct http_req *req = ((struct http_flow *)f)->req;

	assert_int_equal(err, OK);
	http_reply(req, 200, "application/json", http_body(req));
}

static void
end_name(struct flow *f, enum err err)
{
	struct http_req *req = ((struct http_flow *)f)->req;
	struct buf b;

	assert_int_equal(err, OK);
	buf_init(&b, 4096);
	buf_addf(&b, "%s:%s", f->def->name,
	    req->match.nparams > 0 ? http_param(req, "id") : "");
	http_reply(req, 200, "text/plain", buf_span(&b));
	buf_fini(&b);
}

static void
end_query(struct flow *f, enum err err)
{
	static const char *const known[] = { "a", "b", NULL };
	struct http_req *req = ((struct http_flow *)f)->req;
	const char *a, *unknown;
	bool many;
	struct buf out;

	assert_int_equal(err, OK);
	a = http_query(req, "a", &many);
	unknown = http_query_unknown(req, known);
	buf_init(&out, 4096);
	buf_addf(&out, "a=%s many=%d unknown=%s peer=%s", a ? a : "(none)",
	    many, unknown ? unknown : "(none)", http_peer(req));
	http_reply(req, 200, "text/plain", buf_span(&out));
	buf_fini(&out);
}

/* /fail/NAME: the problem of that name. */
static void
end_fail(struct flow *f, enum err err)
{
	struct http_req *req = ((struct http_flow *)f)->req;
	const char *name = http_param(req, "id");
	struct fault fault;
	enum err e = OK;

	assert_int_equal(err, OK);
	while (e < ERR_MAX && strcmp(err_name(e), name) != 0)
		e++;
	assert_true(e < ERR_MAX);
	fault_set(&fault, e, "/payload/\"x\"", "must not be \"%s\"", name);
	http_problem(req, e, e == ERR_INVALID ? &fault : NULL,
	    e == ERR_RATE_LIMITED ? 17 : 0);
}

static void
end_json(struct flow *f, enum err err)
{
	struct http_req *req = ((struct http_flow *)f)->req;
	struct fault fault = { "", "", "" };
	struct id id;

	assert_int_equal(err, OK);
	id_new(&id);
	http_note_id(req, "user", &id);
	err = http_expect_json(req, &fault);
	if (err != OK)
		http_problem(req, err, &fault, 0);
	else
		http_reply(req, 204, NULL, span_of(NULL));
}

static void
end_large(struct flow *f, enum err err)
{
	struct http_req *req = ((struct http_flow *)f)->req;
	size_t len = 4 << 20;
	char *p = arena_alloc(&f->arena, len);

	assert_int_equal(err, OK);
	memset(p, 'x', len);
	http_reply(req, 200, "text/plain", (struct span){ p, len });
}

/* A bug: nobody answers. */
static void
end_mute(struct flow *f, enum err err)
{
	(void)f;
	(void)err;
}

static const struct step begin_steps[] = { STEP(step_begin), STEP_LAST };
static const struct step wait_steps[] = { STEP(step_wait), STEP_LAST };

#define TEST_FLOW(var, text, table, fn)           \
	static const struct flow_def var = {      \
		.name = text,                     \
		.size = sizeof(struct test_flow), \
		.steps = table,                   \
		.end = fn,                        \
	}
TEST_FLOW(flow_echo, "echo", begin_steps, end_echo);
TEST_FLOW(flow_wait_def, "wait", wait_steps, end_name);
TEST_FLOW(flow_show, "show", begin_steps, end_name);
TEST_FLOW(flow_me, "me", begin_steps, end_name);
TEST_FLOW(flow_delete, "delete", begin_steps, end_name);
TEST_FLOW(flow_query, "query", begin_steps, end_query);
TEST_FLOW(flow_fail, "fail", begin_steps, end_fail);
TEST_FLOW(flow_json, "json", begin_steps, end_json);
TEST_FLOW(flow_large, "large", begin_steps, end_large);
TEST_FLOW(flow_mute, "mute", begin_steps, end_mute);
TEST_FLOW(flow_admin, "admin", begin_steps, end_name);

static const struct route api_routes[] = {
	{ HTTP_POST, "/echo", &flow_echo, 0, NULL },
	{ HTTP_GET, "/wait", &flow_wait_def, 0, NULL },
	{ HTTP_GET, "/wait/{id}", &flow_wait_def, 0, NULL },
	{ HTTP_GET, "/tasks/{id}", &flow_show, 0, NULL },
	{ HTTP_DELETE, "/tasks/{id}", &flow_delete, 0, NULL },
	{ HTTP_GET, "/tasks/me", &flow_me, 0, NULL },
	{ HTTP_GET, "/query", &flow_query, 0, NULL },
	{ HTTP_GET, "/fail/{id}", &flow_fail, 0, NULL },
	{ HTTP_POST, "/json", &flow_json, 0, NULL },
	{ HTTP_GET, "/large", &flow_large, 0, NULL },
	{ HTTP_GET, "/livez", &flow_show, 0, NULL },
	{ HTTP_PUT, "/mute", &flow_mute, 0, NULL },
};
static const struct route admin_routes[] = {
	{ HTTP_GET, "/metrics", &flow_admin, 0, NULL },
};

/* ---- the server ---- */
static inline void
server_start(const struct http_conf *conf)
{
	char err[256];

	n_served = n_waiting = 0;
	the_loop = loop_open();
	the_http = http_open(the_loop, conf);
	assert_true(http_listen(the_http, "127.0.0.1:0", api_routes,
	    NELEM(api_routes), &n_served, err, sizeof(err)));
	api_port = http_port(the_http);
	assert_true(http_listen(the_http, "127.0.0.1:0", admin_routes,
	    NELEM(admin_routes), &n_served, err, sizeof(err)));
	admin_port = http_port(the_http);
}

static inline int
set_up(void **state)
{
	static const struct http_conf conf = {
		.max_body = MAX_BODY,
		.max_header = MAX_HEADER,
		.max_connections = 100,
		.request_timeout_ms = 10000,
		.idle_timeout_ms = 10000,
	};

	(void)state;
	log_open(LOG_ERROR, LOG_TEXT, "test");
	server_start(&conf);
	return 0;
}

static inline int
tear_down(void **state)
{
	(void)state;
	assert_int_equal(http_in_flight(the_http), 0);
	http_close(the_http);
	assert_int_equal(flow_count(the_loop), 0);
	loop_close(the_loop);
	return 0;
}

/* Of the API's listener. */
static inline const struct conns *
conns(void)
{
	return &TAILQ_FIRST(&the_http->listeners)->conns;
}

static inline size_t
count(enum conn_state state)
{
	return conns()->n_in[state];
}

static inline int64_t
ms_since(int64_t us)
{
	return (clock_mono_us() - us) / US_PER_MS;
}

/* ---- a client ---- */
struct client {
	int fd;
	bool eof;
	int err; /* of a failed receive */
	struct buf in;
};

struct answer {
	int status;
	char head[4096];
	char *body; /* of the client's buffer, valid until the next answer */
	size_t body_len;
	size_t size; /* head and body */
};

static inline void
client_open(struct client *c, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	memset(c, 0, sizeof(*c));
	buf_init(&c->in, 16 << 20);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(c->fd >= 0);
	assert_int_equal(
	    connect(c->fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static inline void
client_close(struct client *c)
{
	close(c->fd);
	buf_fini(&c->in);
}

/* Whatever has come; never waits. */
static inline void
client_pump(struct client *c)
{
	char chunk[65536];
	ssize_t n;

	while (!c->eof && (n = recv(c->fd, chunk, sizeof(chunk), 0)) != -1) {
		if (n == 0)
			c->eof = true;
		buf_add(&c->in, chunk, (size_t)n);
	}
	if (!c->eof && errno != EAGAIN) {
		c->eof = true;
		c->err = errno;
	}
}

/* All of it, while the server reads; false if it has hung up. */
static inline bool
client_send(struct client *c, const char *bytes, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = send(c->fd, bytes, len < 32768 ? len : 32768, MSG_NOSIGNAL);
		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			bytes += n;
			len -= (size_t)n;
		}
		loop_turn(the_loop);
	}
	return true;
}

static inline void
client_says(struct client *c, const char *text)
{
	last_said = text;
	client_send(c, text, strlen(text));
}

static inline bool
client_at_end(struct client *c)
{
	client_pump(c);
	return c->eof;
}

static inline const char *
header_of(const struct answer *a, const char *name, char ret[256])
{
	size_t len = strlen(name);
	const char *p = a->head;

	while ((p = strstr(p, "\r\n")) != NULL) {
		p += 2;
		if (strncmp(p, name, len) != 0 || strncmp(p + len, ": ", 2))
			continue;
		snprintf(ret, 256, "%.*s", (int)strcspn(p + len + 2, "\r"),
		    p + len + 2);
		return ret;
	}
	return NULL;
}

/* Is a whole answer there? has_body: not one to HEAD. */
static inline bool
parse_answer(struct client *c, struct answer *a, bool has_body)
{
	char value[256];
	const char *end;
	size_t head;

	client_pump(c);
	end = c->in.len == 0 ? NULL : strstr(c->in.data, "\r\n\r\n");
	if (end == NULL)
		return false;
	head = (size_t)(end - c->in.data) + 4;
	assert_true(head < sizeof(a->head));
	memcpy(a->head, c->in.data, head);
	a->head[head] = '\0';
	assert_int_equal(sscanf(a->head, "HTTP/1.%*1[01] %d ", &a->status), 1);
	a->body_len = 0;
	if (header_of(a, "Content-Length", value) != NULL && has_body)
		a->body_len = strtoul(value, NULL, 10);
	a->size = head + a->body_len;
	a->body = c->in.data + head;
	return c->in.len >= a->size;
}

static inline void
get_answer(struct client *c, struct answer *a, bool has_body)
{
	memset(a, 0, sizeof(*a));
	UNTIL(parse_answer(c, a, has_body) || c->eof);
	if (c->eof && !parse_answer(c, a, has_body))
		fail_msg("no answer (errno %d) to %s", c->err, last_said);
}

/* Forget it, and look at what follows. */
static inline void
next_answer(struct client *c, struct answer *a)
{
	buf_drain(&c->in, a->size);
	get_answer(c, a, true);
}

static inline void
assert_header(const struct answer *a, const char *name, const char *value)
{
	char have[256];

	if (value == NULL) {
		assert_null(header_of(a, name, have));
		return;
	}
	if (header_of(a, name, have) == NULL)
		fail_msg("no %s in %s", name, a->head);
	assert_string_equal(have, value);
}

/* A body of RFC 9457, with what each must have. */
static inline void
assert_problem(const struct answer *a, int status)
{
	struct jsn_member m[16];
	const struct jsn_value *v;
	struct fault fault;
	int64_t have = -1;
	size_t n;

	assert_int_equal(a->status, status);
	assert_header(a, "Content-Type", "application/problem+json");
	assert_header(a, "Cache-Control", "no-store");
	assert_int_equal(jsn_object((struct span){ a->body, a->body_len }, m,
			     NELEM(m), &n, &fault),
	    OK);
	v = jsn_find(m, n, "status");
	assert_true(v != NULL && jsn_get_int(v, &have));
	assert_int_equal(have, status);
	v = jsn_find(m, n, "type");
	assert_true(v != NULL &&
	    strncmp(v->text.p, "\"urn:taskflow:problem:", 22) == 0);
	assert_non_null(jsn_find(m, n, "title"));
	assert_non_null(jsn_find(m, n, "detail"));
	v = jsn_find(m, n, "request_id");
	assert_true(v != NULL && v->text.len > 2);
}

/* One request on a connection of its own. */
static inline void
ask(int port, const char *request, struct answer *a, bool has_body)
{
	static struct client c;

	if (c.in.max != 0)
		client_close(&c);
	client_open(&c, port);
	client_says(&c, request);
	get_answer(&c, a, has_body);
}

#endif
