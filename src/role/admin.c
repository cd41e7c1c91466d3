/*
 * taskflowd --create-admin: how the first administrator comes to be, who can
 * not be made over HTTP. A flow on a loop of its own, with nothing beside it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include "api/password.h"
#include "base/clock.h"
#include "base/log.h"
#include "role/admin.h"
#include "task/task.h"
#include "task/users.h"

#define EXIT_USAGE 2
#define AWAIT_US (60 * US_PER_S)
#define AGAIN_MS 300
#define UNDEFINED_TABLE "42P01"
#define UNDEFINED_COLUMN "42703"

struct creation {
	struct flow flow;
	const struct conf *conf;
	struct pg *pg;
	struct thread_pool *threads;
	int64_t give_up_us;
	bool told;
	struct pg_call *call;
	struct id id;
	char password[PASSWORD_MAX + 3]; /* with a line break */
	struct password_job *job;
	int *code;
};

static flow_step find_admin, look_found, hash_password, insert_admin,
    look_inserted;
static void creation_end(struct flow *, enum err);

static const struct step creation_steps[] = {
	STEP(find_admin), /* again, until the database answers */
	STEP(look_found),
	STEP(hash_password),
	STEP(insert_admin),
	STEP(look_inserted),
	STEP_LAST,
};

static const struct flow_def creation_flow = {
	.name = "create_admin",
	.size = sizeof(struct creation),
	.steps = creation_steps,
	.end = creation_end,
};

static enum flow_next finish(struct creation *, int code, const char *fmt, ...)
    PRINTF(3, 4);

/* The one line that says what came of it. */
static enum flow_next
finish(struct creation *c, int code, const char *fmt, ...)
{
	FILE *out = code == EXIT_SUCCESS ? stdout : stderr;
	va_list ap;

	fputs("taskflowd: ", out);
	va_start(ap, fmt);
	vfprintf(out, fmt, ap);
	va_end(ap);
	fputc('\n', out);
	*c->code = code;
	return FLOW_END;
}

/* ---- the password ---- */

/* A line that is typed is not shown. */
static ssize_t
read_line(char *to, size_t size)
{
	const int fd = STDIN_FILENO;
	struct termios old, quiet;
	bool is_terminal = tcgetattr(fd, &old) == 0;
	ssize_t n, len = 0;

	if (is_terminal) {
		fputs("password: ", stderr);
		quiet = old;
		quiet.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(fd, TCSAFLUSH, &quiet);
	}
	do {
		n = read(fd, to + len, size - (size_t)len);
		len += n > 0 ? n : 0;
	} while ((n > 0 || (n < 0 && errno == EINTR)) && (size_t)len < size &&
	    memchr(to, '\n', (size_t)len) == NULL);
	if (is_terminal) {
		tcsetattr(fd, TCSAFLUSH, &old);
		fputc('\n', stderr);
	}
	return n < 0 ? -1 : len;
}

/* A line of standard input. NULL: it is in c->password; else why it is not. */
static const char *
take_line(struct creation *c)
{
	ssize_t len = read_line(c->password, sizeof(c->password));
	size_t n;

	if (len < 0)
		return strerror(errno);
	if (len == sizeof(c->password))
		return "it is longer than 511 bytes";
	c->password[len] = '\0';
	n = strcspn(c->password, "\r\n");
	if (strlen(c->password) < (size_t)len)
		return "it has a NUL byte in it";
	if (c->password[n + strspn(c->password + n, "\r\n")] != '\0')
		return "it has more than one line";
	c->password[n] = '\0';
	return NULL;
}

static const char *
take_configured(struct creation *c)
{
	const char *text = c->conf->admin_password;

	if (strlen(text) > PASSWORD_MAX)
		return "it is longer than 511 bytes";
	if (strpbrk(text, "\r\n") != NULL)
		return "it has more than one line";
	memcpy(c->password, text, strlen(text) + 1);
	return NULL;
}

/* The same for both. */
static const char *
take_password(struct creation *c)
{
	bool is_configured = c->conf->admin_password[0] != '\0';
	const char *why = is_configured ? take_configured(c) : take_line(c);

	if (why == NULL && strlen(c->password) < PASSWORD_MIN)
		why = "allowed are 8 to 511 bytes";
	return why;
}

/* ---- steps ---- */
static enum flow_next
find_admin(struct flow *f)
{
	struct creation *c = (struct creation *)f;

	c->call = users_find(c->pg, c->conf->admin_email);
	return pg_try(c->call, f);
}

static enum flow_next
try_again(struct creation *c)
{
	if (clock_mono_us() > c->give_up_us)
		return finish(c, EXIT_FAILURE,
		    "the database does not answer: %s", pg_last_error(c->pg));
	if (!c->told)
		log_warn("admin", "waiting for PostgreSQL",
		    KV_STR("why", pg_last_error(c->pg)));
	c->told = true;
	flow_then(&c->flow, find_admin);
	return flow_sleep_ms(&c->flow, AGAIN_MS);
}

static enum flow_next
refuse_database(struct creation *c)
{
	const char *state = pg_call_sqlstate(c->call);

	if (strcmp(state, UNDEFINED_TABLE) == 0 ||
	    strcmp(state, UNDEFINED_COLUMN) == 0)
		return finish(c, EXIT_FAILURE,
		    "the database is not up to date: run taskflowd --migrate "
		    "first");
	return finish(c, EXIT_FAILURE, "the database refuses: %s %s",
	    err_text(pg_call_err(c->call)), pg_call_message(c->call));
}

static enum flow_next
look_found(struct flow *f)
{
	struct creation *c = (struct creation *)f;
	const char *email = c->conf->admin_email, *why;
	struct user_row user;

	if (pg_call_err(c->call) == ERR_UNAVAILABLE)
		return try_again(c);
	if (pg_call_err(c->call) != OK)
		return refuse_database(c);
	if (pg_rows(c->call) > 0) {
		users_row(c->call, 0, &user);
		if (span_is(user.role, "admin"))
			return finish(c, EXIT_SUCCESS,
			    "the administrator %s exists already; nothing was "
			    "changed",
			    email);
		return finish(c, EXIT_FAILURE,
		    "%s is a user who is no administrator; choose another "
		    "email",
		    email);
	}
	why = take_password(c);
	if (why != NULL)
		return finish(
		    c, EXIT_USAGE, "cannot take the password: %s", why);
	return FLOW_NEXT;
}

static enum flow_next
hash_password(struct flow *f)
{
	struct creation *c = (struct creation *)f;

	c->job = password_job_new(f, c->password);
	explicit_bzero(c->password, sizeof(c->password));
	return password_make(c->threads, c->job, f);
}

static enum flow_next
insert_admin(struct flow *f)
{
	struct creation *c = (struct creation *)f;

	id_new(&c->id);
	c->call = users_insert(c->pg, &c->id, c->conf->admin_email,
	    c->conf->admin_username, c->job->hash, "admin");
	return pg_try(c->call, f);
}

static enum flow_next
look_inserted(struct flow *f)
{
	struct creation *c = (struct creation *)f;
	int64_t created_us;

	if (pg_call_err(c->call) != OK)
		return refuse_database(c);
	if (!users_inserted(c->call, &created_us))
		return finish(c, EXIT_FAILURE,
		    "the email or the user name has been taken by somebody "
		    "else");
	return finish(c, EXIT_SUCCESS, "the administrator %s was made",
	    c->conf->admin_email);
}

static void
creation_end(struct flow *f, enum err err)
{
	struct creation *c = (struct creation *)f;

	if (err != OK)
		finish(c, EXIT_FAILURE, "no administrator was made: %s",
		    err_text(err));
	loop_stop(f->loop);
}

/* ---- around it ---- */
static const char *
check_names(const struct conf *conf)
{
	const char *name = conf->admin_username;

	if (!user_email_ok(conf->admin_email))
		return "the email is not one; allowed is an address of 3 to "
		       "254 bytes with one @ and no blanks";
	if (name != NULL && !task_name_ok(name, strlen(name)))
		return "the user name is not one; allowed is a string of 1 to "
		       "64 of A-Z a-z 0-9 _ . -";
	return NULL;
}

static void
run_creation(struct loop *loop, struct pg *pg, struct thread_pool *threads,
    const struct conf *conf, int *code)
{
	struct creation *c = (struct creation *)flow_new(loop, &creation_flow);

	c->conf = conf;
	c->pg = pg;
	c->threads = threads;
	c->give_up_us = clock_mono_us() + AWAIT_US;
	c->code = code;
	flow_go(&c->flow);
	loop_run(loop);
}

int
create_admin(const struct conf *conf)
{
	const char *url =
	    conf->pg_direct_url[0] != '\0' ? conf->pg_direct_url : conf->pg_url;
	struct pg_conf pc = { .url = url,
		.connections = 2,
		.timeout_ms = conf->pg_timeout_ms,
		.application_name = "taskflowd" };
	const char *why = check_names(conf);
	struct loop *loop;
	struct thread_pool *threads;
	struct pg *pg;
	char err[400];
	int code = EXIT_USAGE;

	if (why != NULL) {
		fprintf(stderr, "taskflowd: --create-admin: %s\n", why);
		return EXIT_USAGE;
	}
	loop = loop_open();
	threads = thread_pool_open(loop, 1, 8);
	pg = pg_open(loop, threads, &pc, err, sizeof(err));
	if (pg == NULL)
		fprintf(stderr, "taskflowd: pg_url: %s\n", err);
	else
		run_creation(loop, pg, threads, conf, &code);
	pg_close(pg);
	thread_pool_close(threads);
	loop_turn(loop);
	loop_close(loop);
	return code;
}
