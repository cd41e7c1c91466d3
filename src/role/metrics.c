/*
 * GET /metrics, in every role, on admin_listen: what base/metric_table.h says,
 * as far as this process can know it. And the gauges of the process itself.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app_private.h"
#include "base/clock.h"
#include "base/metric.h"

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define METRICS_MAX (4 * 1024 * 1024)
#define METRICS_FIRST (64 * 1024)

/* ---- gauges ---- */
static void
put_build(struct metric_out *out, void *arg)
{
	(void)arg;
	metric_put(out, 1, TASKFLOW_VERSION, NULL);
}

static void
put_draining(struct metric_out *out, void *arg)
{
	const struct app *app = arg;

	metric_put(out, app->state == APP_DRAINING, NULL, NULL);
}

static void
put_cpu(struct metric_out *out, void *arg)
{
	struct rusage ru;

	(void)arg;
	if (getrusage(RUSAGE_SELF, &ru) != 0)
		return;
	metric_put(out,
	    (ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) * US_PER_S +
		ru.ru_utime.tv_usec + ru.ru_stime.tv_usec,
	    NULL, NULL);
}

/* The second number of statm, in pages: proc(5). */
static void
put_rss(struct metric_out *out, void *arg)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long long pages = 0;

	(void)arg;
	if (f == NULL)
		return;
	if (fscanf(f, "%*s %lld", &pages) == 1)
		metric_put(out, pages * sysconf(_SC_PAGESIZE), NULL, NULL);
	fclose(f);
}

/* Without the one that looks, and "." and "..". */
static void
put_fds(struct metric_out *out, void *arg)
{
	DIR *d = opendir("/proc/self/fd");
	int64_t n = 0;

	(void)arg;
	if (d == NULL)
		return;
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	metric_put(out, n - 3, NULL, NULL);
}

static void
put_max_fds(struct metric_out *out, void *arg)
{
	struct rlimit rl;

	(void)arg;
	if (getrlimit(RLIMIT_NOFILE, &rl) == 0)
		metric_put(out, (int64_t)rl.rlim_cur, NULL, NULL);
}

static void
put_start(struct metric_out *out, void *arg)
{
	const struct app *app = arg;

	metric_put(out, id_time_ms(&app->instance) * US_PER_MS, NULL, NULL);
}

static void
put_redis(struct metric_out *out, void *arg)
{
	const struct app *app = arg;

	metric_put(out, redis_is_up(app->redis[PRIORITY_LOW]), "low", NULL);
	metric_put(out, redis_is_up(app->redis[PRIORITY_HIGH]), "high", NULL);
}

static void
put_threads(struct metric_out *out, void *arg)
{
	const struct app *app = arg;

	metric_put(out, (int64_t)thread_pool_jobs(app->threads), NULL, NULL);
}

void
app_metrics_start(struct app *app)
{
	metric_collect(ROW_BUILD_INFO, put_build, app);
	metric_collect(ROW_DRAINING, put_draining, app);
	metric_collect(ROW_PROCESS_CPU, put_cpu, app);
	metric_collect(ROW_PROCESS_RSS, put_rss, app);
	metric_collect(ROW_PROCESS_FDS, put_fds, app);
	metric_collect(ROW_PROCESS_MAX_FDS, put_max_fds, app);
	metric_collect(ROW_PROCESS_START, put_start, app);
	metric_collect(ROW_REDIS_UP, put_redis, app);
	metric_collect(ROW_THREAD_JOBS, put_threads, app);
}

/* ---- the endpoint ---- */
struct metrics {
	struct http_flow http;
	struct buf text;
};

static flow_step write_metrics;
static void metrics_end(struct flow *, enum err);

static const struct step metrics_steps[] = {
	STEP(write_metrics),
	STEP_LAST,
};

const struct flow_def metrics_flow = {
	.name = "metrics",
	.size = sizeof(struct metrics),
	.steps = metrics_steps,
	.end = metrics_end,
};

static enum flow_next
write_metrics(struct flow *f)
{
	struct metrics *m = (struct metrics *)f;
	const struct app *app = m->http.ctx;

	buf_init(&m->text, METRICS_MAX);
	buf_reserve(&m->text, METRICS_FIRST);
	metric_write(&m->text, (unsigned)app->conf->roles);
	return flow_check(f, m->text.overflow ? ERR_INTERNAL : OK);
}

static void
metrics_end(struct flow *f, enum err err)
{
	struct metrics *m = (struct metrics *)f;

	if (err != OK)
		http_problem(m->http.req, err, NULL, 0);
	else
		http_reply(m->http.req, 200, METRICS_TYPE, buf_span(&m->text));
	buf_fini(&m->text);
}
