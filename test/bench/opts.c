/* The command line, and the text of the requests. */
#include <err.h>
#include <getopt.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "load.h"

static const char usage_text[] =
    "usage: load submit|get --url http://HOST:PORT[,URL...] [options]\n"
    "  --token T           bearer token\n"
    "  --connections N     in all, spread over the URLs (32)\n"
    "  --count N | --seconds S\n"
    "  --rate R            requests a second in all, sent when they are due;\n"
    "                      without: each connection asks as soon as it may\n"
    "  --probe-path P      one more connection asks for P ...\n"
    "  --probe-ms N        ... every N ms (50)\n"
    "submit: --batch K, --payload-bytes N (200), --type T (noop),\n"
    "  --queue Q (default), --priority high|low|mixed (low), --wait,\n"
    "  --keys (an Idempotency-Key for each request; needs --count)\n"
    "get: --path P or --paths FILE (a path a line), --method M (GET)\n"
    "Prints one line of JSON; latencies are from due to answered.\n";

enum {
	OPT_URL = 1,
	OPT_TOKEN,
	OPT_CONNECTIONS,
	OPT_COUNT,
	OPT_SECONDS,
	OPT_RATE,
	OPT_BATCH,
	OPT_PAYLOAD,
	OPT_TYPE,
	OPT_QUEUE,
	OPT_PRIORITY,
	OPT_WAIT,
	OPT_KEYS,
	OPT_PROBE_PATH,
	OPT_PROBE_MS,
	OPT_METHOD,
	OPT_PATH,
	OPT_PATHS,
	OPT_HELP
};

static const struct option options[] = {
	{ "url", required_argument, NULL, OPT_URL },
	{ "token", required_argument, NULL, OPT_TOKEN },
	{ "connections", required_argument, NULL, OPT_CONNECTIONS },
	{ "count", required_argument, NULL, OPT_COUNT },
	{ "seconds", required_argument, NULL, OPT_SECONDS },
	{ "rate", required_argument, NULL, OPT_RATE },
	{ "batch", required_argument, NULL, OPT_BATCH },
	{ "payload-bytes", required_argument, NULL, OPT_PAYLOAD },
	{ "type", required_argument, NULL, OPT_TYPE },
	{ "queue", required_argument, NULL, OPT_QUEUE },
	{ "priority", required_argument, NULL, OPT_PRIORITY },
	{ "wait", no_argument, NULL, OPT_WAIT },
	{ "keys", no_argument, NULL, OPT_KEYS },
	{ "probe-path", required_argument, NULL, OPT_PROBE_PATH },
	{ "probe-ms", required_argument, NULL, OPT_PROBE_MS },
	{ "method", required_argument, NULL, OPT_METHOD },
	{ "path", required_argument, NULL, OPT_PATH },
	{ "paths", required_argument, NULL, OPT_PATHS },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

static double
number(const char *name, double min, double max)
{
	char *end;
	double d = strtod(optarg, &end);

	if (end == optarg || *end != '\0' || !(d >= min && d <= max))
		errx(2, "--%s=%s: %g to %g", name, optarg, min, max);
	return d;
}

static void
add_target(struct opts *o, const char *url)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	char host[256], port[8];
	int rc;

	if (o->ntargets == MAX_TARGETS)
		errx(2, "--url: %d at most", MAX_TARGETS);
	if (sscanf(url, "http://%255[^:/]:%7[0-9]", host, port) != 2)
		errx(2, "--url=%s: http://HOST:PORT", url);
	rc = getaddrinfo(host, port, &hints, &found);
	if (rc != 0)
		errx(2, "%s: %s", url, gai_strerror(rc));
	memcpy(
	    &o->targets[o->ntargets].addr, found->ai_addr, found->ai_addrlen);
	o->targets[o->ntargets++].len = found->ai_addrlen;
	freeaddrinfo(found);
}

static void
add_targets(struct opts *o, char *urls)
{
	char *url;

	while ((url = strsep(&urls, ",")) != NULL)
		add_target(o, url);
}

static void
set_number(struct opts *o, int option)
{
	switch (option) {
	case OPT_CONNECTIONS:
		o->connections = (unsigned)number("connections", 1, 100000);
		break;
	case OPT_COUNT:
		o->count = (unsigned long)number("count", 1, 1e12);
		break;
	case OPT_SECONDS:
		o->seconds = number("seconds", 0.001, 1e6);
		break;
	case OPT_RATE:
		o->rate = number("rate", 0.001, 1e7);
		break;
	case OPT_BATCH:
		o->batch = (unsigned)number("batch", 1, 1000);
		break;
	case OPT_PAYLOAD:
		o->payload_bytes =
		    (unsigned)number("payload-bytes", 2, 1 << 20);
		break;
	case OPT_PROBE_MS:
		o->probe_ms = (unsigned)number("probe-ms", 1, 60000);
		break;
	default:
		fputs(usage_text, stderr);
		exit(2);
	}
}

static void
set(struct opts *o, int option)
{
	switch (option) {
	case OPT_URL:
		add_targets(o, optarg);
		break;
	case OPT_TOKEN:
		o->token = optarg;
		break;
	case OPT_TYPE:
		o->type = optarg;
		break;
	case OPT_QUEUE:
		o->queue = optarg;
		break;
	case OPT_PRIORITY:
		o->priority = optarg;
		break;
	case OPT_WAIT:
		o->wait = true;
		break;
	case OPT_KEYS:
		o->keys = true;
		break;
	case OPT_PROBE_PATH:
		o->probe_path = optarg;
		break;
	case OPT_METHOD:
		o->method = optarg;
		break;
	case OPT_PATH:
		o->path = optarg;
		break;
	case OPT_PATHS:
		o->paths = optarg;
		break;
	case OPT_HELP:
		fputs(usage_text, stdout);
		exit(0);
	default:
		set_number(o, option);
	}
}

void
opts_parse(struct opts *o, int argc, char **argv)
{
	int option;

	*o = (struct opts){ .type = "noop",
		.queue = "default",
		.priority = "low",
		.method = "GET",
		.connections = 32,
		.payload_bytes = 200,
		.probe_ms = 50,
		.begun_ns = now_ns() };
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		set(o, option);
	if (optind != argc - 1)
		errx(2, "one word: submit or get; see --help");
	o->get = strcmp(argv[optind], "get") == 0;
	if (!o->get && strcmp(argv[optind], "submit") != 0)
		errx(2, "'%s': submit or get", argv[optind]);
	if (o->ntargets == 0)
		errx(2, "--url is missing");
	if (o->get && (o->path == NULL) == (o->paths == NULL))
		errx(2, "one of --path and --paths");
	if ((o->count != 0) == (o->seconds > 0))
		errx(2, "one of --count and --seconds");
	if (o->keys && (o->count == 0 || o->count > 1000000))
		errx(2, "--keys needs a --count of at most 1000000");
	if (strcmp(o->priority, "high") != 0 &&
	    strcmp(o->priority, "low") != 0 &&
	    strcmp(o->priority, "mixed") != 0)
		errx(2, "--priority=%s: high, low, mixed", o->priority);
}

/* ---- texts ---- */

static void __attribute__((format(printf, 2, 3)))
print(FILE *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vfprintf(f, fmt, ap) < 0)
		err(1, "no memory");
	va_end(ap);
}

static FILE *
text_open(struct text *t)
{
	FILE *f = open_memstream(&t->at, &t->len);

	if (f == NULL)
		err(1, "no memory");
	return f;
}

/* The payload of the peers' benchmarks, padded to its size. */
static void
print_payload(FILE *f, unsigned bytes)
{
	static const char start[] = "{\"id\":1,\"kind\":\"email.send\","
				    "\"to\":\"user@example.org\",\"pad\":\"";
	unsigned overhead = sizeof(start) - 1 + 2, i;

	if (bytes < overhead) {
		print(f, "\"%.*s\"", (int)bytes - 2, start + 2);
		return;
	}
	print(f, "%s", start);
	for (i = overhead; i < bytes; i++)
		print(f, "x");
	print(f, "\"}");
}

static void
print_task(FILE *f, const struct opts *o, bool high)
{
	print(f,
	    "{\"type\":\"%s\",\"queue\":\"%s\",\"priority\":\"%s\","
	    "\"payload\":",
	    o->type, o->queue, high ? "high" : "low");
	print_payload(f, o->payload_bytes);
	print(f, "}");
}

static void
text_of_body(struct text *t, const struct opts *o, bool high)
{
	bool mixed = strcmp(o->priority, "mixed") == 0;
	FILE *f = text_open(t);
	unsigned i;

	if (o->batch == 0)
		print_task(f, o, high);
	else
		print(f, "{\"tasks\":[");
	for (i = 0; i < o->batch; i++) {
		if (i > 0)
			print(f, ",");
		print_task(f, o, mixed ? i % 2 == 0 : high);
	}
	if (o->batch != 0)
		print(f, "]}");
	fclose(f);
}

static void
print_head(FILE *f, const struct opts *o, const char *method, const char *path)
{
	print(f, "%s %s HTTP/1.1\r\nHost: localhost\r\n", method, path);
	if (o->token != NULL)
		print(f, "Authorization: Bearer %s\r\n", o->token);
}

static void
text_of_get(
    struct text *t, const struct opts *o, const char *method, const char *path)
{
	FILE *f = text_open(t);

	print_head(f, o, method, path);
	print(f, "\r\n");
	fclose(f);
}

void
text_of_probe(struct text *t, const struct opts *o)
{
	text_of_get(t, o, "GET", o->probe_path);
}

/* number: of the request. */
static void
text_of_submit(
    struct text *t, const struct opts *o, bool high, unsigned long number)
{
	struct text body;
	FILE *f;

	text_of_body(&body, o, high);
	f = text_open(t);
	print_head(f, o, "POST", o->batch == 0 ? "/tasks" : "/tasks/batch");
	if (o->wait)
		print(f, "Prefer: wait=10\r\n");
	if (o->keys)
		print(f, "Idempotency-Key: %d-%llx-%lu\r\n", (int)getpid(),
		    (unsigned long long)o->begun_ns, number);
	print(f,
	    "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
	    body.len);
	print(f, "%s", body.at);
	fclose(f);
	free(body.at);
}

static struct text *
texts_more(struct text **ts, unsigned long n)
{
	/* Doubled when it is full. */
	if (n > 0 && (n & (n - 1)) != 0)
		return &(*ts)[n];
	*ts = reallocarray(*ts, n == 0 ? 1 : 2 * n, sizeof(**ts));
	if (*ts == NULL)
		err(1, "no memory");
	return &(*ts)[n];
}

static unsigned
texts_of_paths(struct text **ts, const struct opts *o)
{
	FILE *f = fopen(o->paths, "r");
	char path[2048];
	unsigned n = 0;

	if (f == NULL)
		err(1, "%s", o->paths);
	while (fscanf(f, "%2047s", path) == 1)
		text_of_get(texts_more(ts, n++), o, o->method, path);
	fclose(f);
	if (n == 0)
		errx(1, "%s: no path", o->paths);
	return n;
}

/* Those that the requests of the main stream are, in turn; how many. */
unsigned
texts_of_requests(struct text **ts, const struct opts *o)
{
	bool mixed = strcmp(o->priority, "mixed") == 0;
	unsigned long i, n;

	*ts = NULL;
	if (o->paths != NULL)
		return texts_of_paths(ts, o);
	if (o->get) {
		text_of_get(texts_more(ts, 0), o, o->method, o->path);
		return 1;
	}
	n = o->keys ? o->count : mixed ? 2 : 1;
	for (i = 0; i < n; i++)
		text_of_submit(texts_more(ts, i), o,
		    mixed ? i % 2 == 0 : strcmp(o->priority, "low") != 0, i);
	return (unsigned)n;
}
