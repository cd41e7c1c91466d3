#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "api.h"
#include "await.h"
#include "base/clock.h"
#include "render.h"

/* Each leaves its rows in the arena, so a wait that is woken over and over (by
 * a task that fails and is tried again) must come to an end. */
#define READS_MAX 16

/* ---- Prefer ---- */

/* To the comma that ends this preference, or the end; commas in quotes are
 * not the ones. */
static const char *
skip_preference(const char *p)
{
	bool quoted = false;

	for (; *p != '\0' && (quoted || *p != ','); p++) {
		if (*p == '"')
			quoted = !quoted;
		else if (quoted && *p == '\\' && p[1] != '\0')
			p++;
	}
	return p;
}

/* wait = 10, or "10", and then perhaps parameters, which have no meaning. */
static bool
read_seconds(const char *p, int64_t *ret_s)
{
	bool quoted;
	size_t n;

	p += strspn(p, " \t");
	if (*p++ != '=')
		return false;
	p += strspn(p, " \t");
	quoted = *p == '"';
	p += quoted;
	n = strspn(p, "0123456789");
	if (n == 0)
		return false;
	*ret_s = n > 9 ? 999999999 : strtoll(p, NULL, 10);
	p += n;
	if (quoted && *p++ != '"')
		return false;
	p += strspn(p, " \t");
	return *p == '\0' || *p == ',' || *p == ';';
}

/* The first one counts, whatever it is worth. */
bool
prefer_wait(const char *p, int64_t *ret_s)
{
	while (p != NULL && *p != '\0') {
		p += strspn(p, ", \t");
		if (strncasecmp(p, "wait", 4) == 0 &&
		    strchr(" \t=,;", p[4]) != NULL)
			return read_seconds(p + 4, ret_s);
		p = skip_preference(p);
	}
	return false;
}

/* ---- steps ---- */
enum flow_next
await_find(struct flow *f)
{
	struct api_task *t = (struct api_task *)f;
	const char *text = http_param(t->call.http.req, "id");

	if (!id_parse(text, strlen(text), &t->id))
		return flow_check(f, ERR_NOT_FOUND);
	http_note_id(t->call.http.req, "task", &t->id);
	return FLOW_NEXT;
}

enum flow_next
await_join(struct flow *f)
{
	struct api_task *t = (struct api_task *)f;
	const struct app *app = api_app(&t->call);
	int64_t most_s = app->conf->max_wait_ms / 1000;
	int64_t ms;

	if (!prefer_wait(http_header(t->call.http.req, "Prefer"), &t->wait_s) ||
	    most_s == 0)
		return FLOW_NEXT;
	t->asked = true;
	if (t->wait_s > most_s)
		t->wait_s = most_s;
	ms = t->wait_s * 1000;
	t->until_us = clock_mono_us() + ms * US_PER_MS;
	if (ms > 0)
		waiter_join(api_waiters(app), &t->waiter, f->loop, &t->id);
	return FLOW_NEXT;
}

/* Once the task is known, an error here is not one of the request. */
enum flow_next
await_read(struct flow *f)
{
	struct api_task *t = (struct api_task *)f;

	t->reads++;
	t->get =
	    tasks_get(api_app(&t->call)->pg, &t->id, &t->call.caller.user_id);
	return pg_try(t->get, f);
}

static bool
is_over(const struct api_task *t)
{
	return task_status_is_final(t->row.status) ||
	    !waiter_may_wait(&t->waiter) || t->reads >= READS_MAX ||
	    t->until_us - clock_mono_us() < US_PER_MS;
}

enum flow_next
await_look(struct flow *f)
{
	struct api_task *t = (struct api_task *)f;
	enum err err = pg_call_err(t->get);

	if (err == OK && pg_rows(t->get) > 0) {
		tasks_row(t->get, 0, true, &t->row);
		t->known = true;
	}
	if (!t->known)
		return flow_check(f, err != OK ? err : ERR_NOT_FOUND);
	return is_over(t) ? FLOW_END : flow_goto(f, await_settled);
}

enum flow_next
await_settled(struct flow *f)
{
	struct api_task *t = (struct api_task *)f;
	int64_t left_ms = (t->until_us - clock_mono_us()) / US_PER_MS;

	if (is_over(t))
		return FLOW_END;
	flow_then(f, await_read);
	return waiter_wait(f, &t->waiter, left_ms > 0 ? left_ms : 1);
}

/* ---- the end ---- */
void
await_end(struct api_task *t)
{
	waiter_leave(&t->waiter);
}

void
await_say_waited(struct api_task *t)
{
	char text[32];

	if (!t->asked)
		return;
	snprintf(text, sizeof(text), "wait=%lld", (long long)t->wait_s);
	http_add_header(t->call.http.req, "Preference-Applied", text);
}

void
await_reply(struct api_task *t, int status)
{
	struct buf body;
	struct jsn_w w;

	await_say_waited(t);
	api_body_init(&body);
	jsn_w_init(&w, &body);
	render_task(&w, &t->row, true);
	api_reply(&t->call, status, &body);
}
