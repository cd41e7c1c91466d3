/*
 * load: asks an HTTP server the same thing over and over, and says how long
 * the answers took. "load --help" lists its options, load.h what it does.
 */
#include <sys/resource.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load.h"

#define SWEEP_MS 100
#define STALLED_NS (30 * SECOND_NS) /* --count, and nobody answers */

struct run {
	struct opts opts;
	struct event_base *base;
	struct stream main, probe;
	bool probing;
};

/* ---- what comes out ---- */

static void
print_latency(const struct hist *h)
{
	printf("\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,"
	       "\"max_us\":%.1f",
	    (double)hist_percentile(h, 50) / 1e3,
	    (double)hist_percentile(h, 90) / 1e3,
	    (double)hist_percentile(h, 99) / 1e3, (double)h->max / 1e3);
}

static void
print_status(const struct stream *s)
{
	const char *comma = "";
	int i;

	printf("\"status\":{");
	for (i = 0; i < STATUSES; i++) {
		if (s->status[i] == 0)
			continue;
		printf("%s\"%d\":%lu", comma, i, s->status[i]);
		comma = ",";
	}
	printf("},");
}

static void
print_probe(const struct stream *s)
{
	printf(",\"probe\":{\"sent\":%lu,\"ok\":%lu,\"errors\":%lu,"
	       "\"unsent\":%lu,",
	    s->begun, s->ok, s->errors, stream_unsent(s));
	print_latency(&s->hist);
	printf("}");
}

static double
cpu_seconds(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	    (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static void
report(const struct run *r)
{
	const struct stream *s = &r->main;
	uint64_t until = s->hist.n > 0 ? s->last : now_ns();
	double seconds = (double)(until - s->start) / 1e9;
	unsigned tasks = r->opts.batch == 0 ? 1 : r->opts.batch;

	printf("{\"sent\":%lu,\"ok\":%lu,", s->begun, s->ok);
	print_status(s);
	printf("\"no_retry_after\":%lu,\"errors\":%lu,\"refused\":%lu,"
	       "\"reconnects\":%lu,\"unsent\":%lu,\"seconds\":%.6f,"
	       "\"rate\":%.1f,\"tasks_rate\":%.1f,\"cpu_s\":%.3f,",
	    s->no_retry_after, s->errors, s->refused, s->reconnects,
	    stream_unsent(s), seconds,
	    seconds > 0 ? (double)s->ok / seconds : 0,
	    seconds > 0 ? (double)s->ok * tasks / seconds : 0, cpu_seconds());
	print_latency(&s->hist);
	if (r->probing)
		print_probe(&r->probe);
	printf("}\n");
}

/* ---- the run ---- */

static void
sweep(evutil_socket_t fd, short what, void *arg)
{
	struct run *r = arg;

	(void)fd;
	(void)what;
	stream_time_out(&r->main);
	if (r->probing)
		stream_time_out(&r->probe);
	if (r->main.end == UINT64_MAX && r->main.busy == 0 &&
	    now_ns() > r->main.last + STALLED_NS && r->opts.rate <= 0)
		r->main.stopped = true;
	if (stream_over(&r->main))
		event_base_loopbreak(r->base);
}

static void
interrupted(evutil_socket_t fd, short what, void *arg)
{
	struct run *r = arg;

	(void)fd;
	(void)what;
	r->main.stopped = true;
	event_base_loopbreak(r->base);
}

static void
more_files(void)
{
	struct rlimit rl;

	if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
		rl.rlim_cur = rl.rlim_max;
		setrlimit(RLIMIT_NOFILE, &rl);
	}
}

static struct event_base *
base_new(void)
{
	struct event_config *cfg = event_config_new();
	struct event_base *base;

	if (cfg == NULL)
		errx(1, "no event loop");
	event_config_set_flag(
	    cfg, EVENT_BASE_FLAG_PRECISE_TIMER | EVENT_BASE_FLAG_NOLOCK);
	base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (base == NULL)
		errx(1, "no event loop");
	return base;
}

/* Until all connections were opened or failed the first time. */
static void
open_all(struct run *r)
{
	const struct opts *o = &r->opts;
	static struct text probe;
	struct stream *s = &r->main;

	stream_init(s, r->base, o, o->connections);
	s->ntexts = texts_of_requests(&s->texts, o);
	s->period = o->rate > 0 ? (uint64_t)(1e9 / o->rate) : 0;
	if (o->count != 0)
		s->limit = o->count;
	r->probing = o->probe_path != NULL;
	if (r->probing) {
		stream_init(&r->probe, r->base, o, 1);
		text_of_probe(&probe, o);
		r->probe.texts = &probe;
		r->probe.ntexts = 1;
		r->probe.period = o->probe_ms * (SECOND_NS / 1000);
	}
	while (!r->main.stopped &&
	    (s->opened < s->nconns || (r->probing && r->probe.opened == 0)))
		event_base_dispatch(r->base);
}

static void
start_all(struct run *r)
{
	uint64_t end = UINT64_MAX;

	if (r->opts.seconds > 0)
		end = now_ns() + (uint64_t)(r->opts.seconds * 1e9);
	r->main.end = r->probe.end = end;
	if (r->probing)
		stream_start(&r->probe);
	stream_start(&r->main);
}

int
main(int argc, char **argv)
{
	static struct run r;
	static struct event sweeper, on_int, on_term;
	struct timeval tv = { .tv_usec = SWEEP_MS * 1000 };

	opts_parse(&r.opts, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	more_files();
	r.base = base_new();
	evsignal_assign(&on_int, r.base, SIGINT, interrupted, &r);
	evsignal_assign(&on_term, r.base, SIGTERM, interrupted, &r);
	evsignal_add(&on_int, NULL);
	evsignal_add(&on_term, NULL);
	open_all(&r);
	start_all(&r);
	event_assign(&sweeper, r.base, -1, EV_PERSIST, sweep, &r);
	event_add(&sweeper, &tv);
	while (!r.main.stopped && !stream_over(&r.main))
		event_base_dispatch(r.base);
	report(&r);
	return r.main.ok > 0 ? 0 : 1;
}
