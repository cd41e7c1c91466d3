/*
 * What the guard lets through must hold what the code behind it relies on:
 * each escape is whole, nothing decodes to NUL, the target is one path, and
 * the body has one length. Input: method, version, then lines: the target and
 * the headers, as "name: value".
 */
#include <stdio.h>
#include <stdlib.h>

#include "../../src/loop/http_rules.h"

#define MAX_HEADERS 64
#define REQUIRE(c)               \
	do {                     \
		if (!(c))        \
			abort(); \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

/* The next line of *p, ended by a NUL; NULL at the end. */
static char *
next_line(char **p)
{
	return *p == NULL ? NULL : strsep(p, "\n");
}

static void
add_header(struct evkeyvalq *q, struct evkeyval *kv, char *line)
{
	char *colon = strchr(line, ':');

	kv->key = line;
	kv->value = line + strlen(line);
	if (colon != NULL) {
		*colon = '\0';
		kv->value = colon + 1 + strspn(colon + 1, " ");
	}
	TAILQ_INSERT_TAIL(q, kv, next);
}

static const struct route routes[] = {
	{ HTTP_GET, "/tasks/{id}", NULL, 0, NULL },
	{ HTTP_GET, "/tasks/me", NULL, 0, NULL },
	{ HTTP_POST, "/tasks/{id}/{verb}", NULL, 0, NULL },
};

/* Every parameter of every path that passed must decode to a string of just
 * the length that percent_decode says. */
static void
check_path(const char *target)
{
	struct span path = { target, strcspn(target, "?") };
	struct route_match m;
	char *text;
	size_t n;

	route_find(routes, NELEM(routes), HTTP_GET, path, &m);
	for (unsigned i = 0; i < m.nparams; i++) {
		text = malloc(m.param[i].raw.len + 1);
		n = percent_decode(m.param[i].raw, false, text);
		REQUIRE(n > 0 && strlen(text) == n);
		REQUIRE(percent_is(m.param[i].raw, false, span_of(text)));
		free(text);
	}
	text = malloc(strlen(target) + 1);
	n = percent_decode(span_of(target), true, text);
	REQUIRE(strlen(text) == n);
	free(text);
}

static void
check_passed(const struct guard_input *in)
{
	const struct evkeyval *h;
	int hosts = 0, lengths = 0;

	REQUIRE(in->major == 1 && in->minor >= 0 && in->minor <= 1);
	REQUIRE(in->target[0] == '/' || strcmp(in->target, "*") == 0);
	REQUIRE(in->target[1] != '/');
	TAILQ_FOREACH (h, in->headers, next) {
		REQUIRE(strcasecmp(h->key, "Transfer-Encoding") != 0);
		REQUIRE(h->key[0] != '\0' && strchr(h->key, ' ') == NULL);
		hosts += strcasecmp(h->key, "Host") == 0;
		if (strcasecmp(h->key, "Content-Length") != 0)
			continue;
		lengths++;
		REQUIRE(h->value[strspn(h->value, "0123456789")] == '\0');
		REQUIRE(strtoull(h->value, NULL, 10) == in->body_len);
	}
	REQUIRE(hosts == 1 || (hosts == 0 && in->minor == 0));
	REQUIRE(lengths == 1 || (lengths == 0 && in->body_len == 0));
	if (in->target[0] == '/')
		check_path(in->target);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evkeyval kv[MAX_HEADERS];
	struct evkeyvalq q;
	struct guard_input in = { .headers = &q };
	const char *why = NULL;
	char *text, *p, *line;
	int status;

	if (size < 4)
		return 0;
	in.method = (enum evhttp_cmd_type)(1 << (data[0] & 15));
	in.major = (signed char)data[1];
	in.minor = (signed char)data[2];
	in.body_len = data[3];
	p = text = malloc(size - 3);
	memcpy(text, data + 4, size - 4);
	text[size - 4] = '\0';
	in.target = next_line(&p);
	TAILQ_INIT(&q);
	for (int i = 0; i < MAX_HEADERS; i++) {
		line = next_line(&p);
		if (line == NULL)
			break;
		add_header(&q, &kv[i], line);
	}
	status = guard_check(&in, &why);
	REQUIRE((status == 0) == (why == NULL));
	if (status == 0)
		check_passed(&in);
	free(text);
	return 0;
}

#include "replay.h"
