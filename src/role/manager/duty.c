/* What the leader's loops have in common. */
#include "manager.h"

void
duty_init(struct duty *d, struct manager *m)
{
	d->manager = m;
	signal_init(&d->wake, m->app->loop);
}

void
duty_start(struct duty *d, const struct flow_def *def)
{
	d->flow = flow_new(d->manager->app->loop, def);
	((struct duty_flow *)d->flow)->duty = d;
	flow_go(d->flow);
}

enum flow_next
duty_sleep(struct flow *f, struct duty *d, int64_t ms)
{
	return d->manager->draining ? FLOW_END : signal_wait(f, &d->wake, ms);
}

void
duty_end(struct flow *f, enum err err)
{
	struct duty *d = ((struct duty_flow *)f)->duty;

	(void)err;
	d->flow = NULL;
	signal_raise(&d->manager->elect_wake);
}

struct redis_call *
push_group(struct manager *m, enum task_priority server, struct arena *a,
    struct task_ref *refs, size_t *n, bool at_head)
{
	struct id *ids = arena_alloc(a, CHUNK * sizeof(*ids));
	char queue[TASK_NAME_MAX + 1];
	size_t taken = queue_group(refs, n, CHUNK, queue, ids);

	return queue_push(m->app->redis[server], queue, ids, taken, at_head);
}
