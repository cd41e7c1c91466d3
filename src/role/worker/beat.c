/* What a worker's heartbeat says. */
#include "base/clock.h"
#include "base/jsn.h"
#include "worker.h"

/* With the names of all queues and handlers, which come from a file. */
#define BEAT_MAX (1024 * 1024)

char *
worker_beat_text(struct worker *w, struct arena *a)
{
	const struct conf *conf = w->app->conf;
	struct jsn_w j;
	struct buf b;
	const char *type;
	char *text;
	int i;

	buf_init(&b, BEAT_MAX);
	jsn_w_init(&j, &b);
	jsn_w_open(&j, '{');
	jsn_w_key(&j, "turn");
	jsn_w_int(&j, (int64_t)w->turns);
	jsn_w_key(&j, "running");
	jsn_w_int(&j, (int64_t)w->nrunning);
	jsn_w_key(&j, "concurrency");
	jsn_w_int(&j, conf->concurrency);
	jsn_w_key(&j, "label");
	jsn_w_strz(&j, conf->instance_label);
	jsn_w_key(&j, "version");
	jsn_w_strz(&j, TASKFLOW_VERSION);
	jsn_w_key(&j, "at");
	jsn_w_time(&j, clock_wall_us());
	jsn_w_key(&j, "queues");
	jsn_w_open(&j, '[');
	for (i = 0; i < w->nqueues; i++)
		jsn_w_strz(&j, w->queues[i]);
	jsn_w_close(&j, ']');
	jsn_w_key(&j, "types");
	jsn_w_open(&j, '[');
	for (i = 0; (type = handlers_type(w->handlers, i)) != NULL; i++)
		jsn_w_strz(&j, type);
	jsn_w_close(&j, ']');
	jsn_w_close(&j, '}');
	text = arena_dup(a, b.data, b.len);
	buf_fini(&b);
	return text;
}
