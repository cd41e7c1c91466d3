/*
 * Helper threads. A job goes from the queue to a helper and comes back on the
 * list of finished ones; the eventfd tells the loop to look there. Helpers know
 * nothing but the two lists: libevent, flows and ops belong to the loop thread.
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop/thread.h"

/* Our side of a job. It outlives the pool if need be (see forget). */
struct item {
	struct thread_job *job;
	struct thread_pool *pool;
	struct loop *loop;
	struct loop_task forget;
	bool abandoned; /* the loop's: no flow waits any more */
	bool queued; /* under the mutex: no helper has taken it yet */
	TAILQ_ENTRY(item) link; /* in queue or finished; none while it runs */
};
TAILQ_HEAD(item_list, item);

struct thread_pool {
	struct loop *loop;
	struct loop_watch watch;
	int event_fd;
	unsigned max_jobs;
	pthread_mutex_t mutex; /* guards what follows, up to the threads */
	pthread_cond_t work;
	struct item_list queue; /* wait for a helper, oldest first */
	struct item_list finished; /* wait for the loop */
	unsigned jobs; /* queued or running */
	bool closing;
	unsigned nthreads;
	pthread_t threads[];
};

/* ---- on the helper threads ---- */

/* The mutex is held. The eventfd cannot overflow: the loop reads it to 0. */
static void
finish(struct thread_pool *p, struct item *it)
{
	static const uint64_t one = 1;

	TAILQ_INSERT_TAIL(&p->finished, it, link);
	p->jobs--;
	while (write(p->event_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static void *
help(void *arg)
{
	struct thread_pool *p = arg;
	struct item *it;

	pthread_mutex_lock(&p->mutex);
	while (!p->closing) {
		it = TAILQ_FIRST(&p->queue);
		if (it == NULL) {
			pthread_cond_wait(&p->work, &p->mutex);
			continue;
		}
		TAILQ_REMOVE(&p->queue, it, link);
		it->queued = false;
		pthread_mutex_unlock(&p->mutex);
		it->job->run(it->job);
		pthread_mutex_lock(&p->mutex);
		finish(p, it);
	}
	pthread_mutex_unlock(&p->mutex);
	return NULL;
}

/* ---- on the loop ---- */
static void
forget(struct loop_task *t)
{
	struct item *it = container_of(t, struct item, forget);
	struct thread_job *job = it->job;

	free(it);
	job->priv = NULL;
	if (job->free != NULL)
		job->free(job);
}

/* An abandoned job is freed by a task: the task that ends its flow, which still
 * looks at the job, was queued when it was abandoned, so before ours. */
static void
hand_back(struct item *it, enum err err)
{
	struct thread_job *job = it->job;

	if (it->abandoned) {
		loop_soon(it->loop, &it->forget);
		return;
	}
	free(it);
	job->priv = NULL;
	op_done(&job->op, err);
}

static void
collect(struct thread_pool *p)
{
	struct item_list list = TAILQ_HEAD_INITIALIZER(list);
	struct item *it;

	pthread_mutex_lock(&p->mutex);
	TAILQ_CONCAT(&list, &p->finished, link);
	pthread_mutex_unlock(&p->mutex);
	while ((it = TAILQ_FIRST(&list)) != NULL) {
		TAILQ_REMOVE(&list, it, link);
		hand_back(it, it->job->err);
	}
}

static void
event_readable(struct loop_watch *w, int what)
{
	struct thread_pool *p = container_of(w, struct thread_pool, watch);
	uint64_t n;

	(void)what;
	/* Empty the eventfd first: what finishes after it raises it again. */
	if (read(p->event_fd, &n, sizeof(n)) < 0)
		return;
	collect(p);
}

/* A job that no helper has taken is not worth its time any more. */
static void
job_abandoned(struct op *op)
{
	struct thread_job *job = container_of(op, struct thread_job, op);
	struct item *it = job->priv;
	struct thread_pool *p = it->pool;

	it->abandoned = true;
	pthread_mutex_lock(&p->mutex);
	if (it->queued) {
		TAILQ_REMOVE(&p->queue, it, link);
		it->queued = false;
		finish(p, it);
	}
	pthread_mutex_unlock(&p->mutex);
}

static bool
enqueue(struct thread_pool *p, struct item *it)
{
	bool fits;

	pthread_mutex_lock(&p->mutex);
	fits = p->jobs < p->max_jobs;
	if (fits) {
		p->jobs++;
		it->queued = true;
		TAILQ_INSERT_TAIL(&p->queue, it, link);
		pthread_cond_signal(&p->work);
	}
	pthread_mutex_unlock(&p->mutex);
	return fits;
}

unsigned
thread_pool_jobs(struct thread_pool *p)
{
	unsigned n;

	pthread_mutex_lock(&p->mutex);
	n = p->jobs;
	pthread_mutex_unlock(&p->mutex);
	return n;
}

enum flow_next
thread_run(struct thread_pool *p, struct thread_job *job, struct flow *f)
{
	struct item *it = xcalloc(1, sizeof(*it));

	assert(job->priv == NULL);
	it->job = job;
	it->pool = p;
	it->loop = p->loop;
	it->forget.fn = forget;
	/* Before a helper can see it. */
	op_init(&job->op, job_abandoned);
	job->err = OK;
	job->priv = it;
	if (enqueue(p, it))
		return flow_wait(f, &job->op);
	job->priv = NULL;
	free(it);
	return flow_check(f, ERR_OVERLOADED);
}

/* ---- open and close ---- */

/* The loop's signals are the loop thread's alone, so a helper is born with all
 * of them blocked. */
static int
start_threads(struct thread_pool *p, unsigned n)
{
	sigset_t all, old;
	int error = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	while (p->nthreads < n && error == 0) {
		error = pthread_create(&p->threads[p->nthreads], NULL, help, p);
		if (error == 0)
			pthread_setname_np(
			    p->threads[p->nthreads++], "taskflow-help");
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return p->nthreads > 0 ? 0 : error;
}

struct thread_pool *
thread_pool_open(struct loop *l, unsigned threads, unsigned max_queue)
{
	struct thread_pool *p;
	int error;

	assert(threads > 0);
	p = xcalloc(1, sizeof(*p) + threads * sizeof(p->threads[0]));
	p->loop = l;
	TAILQ_INIT(&p->queue);
	TAILQ_INIT(&p->finished);
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->work, NULL);
	watch_init(&p->watch, l, event_readable);
	p->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	error = p->event_fd < 0 ? errno : start_threads(p, threads);
	if (error != 0) {
		thread_pool_close(p);
		errno = error;
		return NULL;
	}
	p->max_jobs = p->nthreads + max_queue;
	watch_set(&p->watch, p->event_fd, WATCH_READ);
	return p;
}

void
thread_pool_close(struct thread_pool *p)
{
	struct item *it;
	unsigned i;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->mutex);
	p->closing = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->mutex);
	for (i = 0; i < p->nthreads; i++)
		pthread_join(p->threads[i], NULL);
	watch_fini(&p->watch);
	if (p->event_fd >= 0)
		close(p->event_fd);
	collect(p);
	while ((it = TAILQ_FIRST(&p->queue)) != NULL) {
		TAILQ_REMOVE(&p->queue, it, link);
		hand_back(it, ERR_SHUTDOWN);
	}
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->mutex);
	free(p);
}
