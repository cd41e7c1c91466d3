/*
 * What proxies write, and who is believed. Input: lines; the trusted networks,
 * the peer, and the headers as "name: value". Whatever comes, the client is an
 * address or nothing; and what a stranger writes on the left changes nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "../../src/loop/http_rules.h"

#define MAX_HEADERS 16

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth)
{
	if (!truth)
		abort();
}

static void
read_headers(struct evkeyvalq *q, struct evkeyval *kv, char *text)
{
	char *line, *colon;

	TAILQ_INIT(q);
	for (int i = 0; i < MAX_HEADERS; i++, kv++) {
		line = strsep(&text, "\n");
		if (line == NULL)
			break;
		colon = strchr(line, ':');
		kv->key = line;
		kv->value = line + strlen(line);
		if (colon != NULL) {
			*colon = '\0';
			kv->value = colon + 1 + strspn(colon + 1, " ");
		}
		TAILQ_INSERT_TAIL(q, kv, next);
	}
}

/* The stranger that was found, whatever stands in front of him. */
static void
check_spoofed(const struct net_list *trusted, const char *peer,
    struct evkeyvalq *q, const struct forwarded *f)
{
	struct evkeyval lie = { .key = (char *)(uintptr_t) "X-Forwarded-For",
		.value = (char *)(uintptr_t) "6.6.6.6, 7.7.7.7" };
	struct forwarded again;
	struct net_addr a;

	must(net_addr_parse(span_of(f->client), &a));
	if (net_list_has(trusted, &a))
		return;
	TAILQ_INSERT_HEAD(q, &lie, next);
	must(forwarded_find(trusted, peer, q, &again));
	must(strcmp(again.client, f->client) == 0);
	must(again.scheme == f->scheme);
	TAILQ_REMOVE(q, &lie, next);
}

static void
check(const char *list, const char *peer, struct evkeyvalq *q)
{
	struct net_list trusted;
	char again[NET_TEXT_SIZE];
	struct net_addr a;
	struct forwarded f;
	const char *why = NULL;

	(void)cors_allows(list, peer);
	if (!net_list_parse(list, &trusted, &why)) {
		must(why != NULL);
		return;
	}
	must(trusted.n <= NET_LIST_MAX);
	if (!forwarded_find(&trusted, peer, q, &f)) {
		must(f.client[0] == '\0' && f.scheme == NULL);
		return;
	}
	if (f.client[0] == '\0')
		return;
	must(net_addr_parse(span_of(f.client), &a));
	net_addr_format(&a, again);
	must(strcmp(again, f.client) == 0);
	check_spoofed(&trusted, peer, q, &f);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct evkeyval kv[MAX_HEADERS];
	struct evkeyvalq q;
	char *text, *rest, *list, *peer;

	rest = text = malloc(size + 1);
	memcpy(text, data, size);
	text[size] = '\0';
	list = strsep(&rest, "\n");
	peer = strsep(&rest, "\n");
	if (peer != NULL) {
		read_headers(&q, kv, rest == NULL ? peer + strlen(peer) : rest);
		check(list, peer, &q);
	}
	free(text);
	return 0;
}

#include "replay.h"
