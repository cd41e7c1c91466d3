#include <assert.h>
#include <stdlib.h>

#include "password.h"

static void
destroy(struct thread_job *job)
{
	struct password_job *p = container_of(job, struct password_job, job);

	explicit_bzero(p->password, sizeof(p->password));
	explicit_bzero(p->hash, sizeof(p->hash));
	free(p);
}

/* A helper may still be at it: then `free` of the job comes later. */
static void
release(void *arg)
{
	struct password_job *p = arg;

	if (p->job.priv == NULL)
		destroy(&p->job);
}

struct password_job *
password_job_new(struct flow *f, const char *password)
{
	struct password_job *p = xcalloc(1, sizeof(*p));
	size_t len = strlen(password);

	assert(len <= PASSWORD_MAX);
	memcpy(p->password, password, len + 1);
	p->job.free = destroy;
	arena_defer(&f->arena, release, p);
	return p;
}

/* ---- on a helper thread ---- */
static void
make(struct thread_job *job)
{
	struct password_job *p = container_of(job, struct password_job, job);

	p->has_hash = password_hash(p->password, p->hash);
	job->err = p->has_hash ? OK : ERR_NO_MEMORY;
}

static void
check(struct thread_job *job)
{
	struct password_job *p = container_of(job, struct password_job, job);

	p->matches = password_verify(p->password, p->has_hash ? p->hash : NULL);
}

/* ---- on the loop ---- */
enum flow_next
password_make(struct thread_pool *pool, struct password_job *p, struct flow *f)
{
	p->job.run = make;
	return thread_run(pool, &p->job, f);
}

enum flow_next
password_check(struct thread_pool *pool, struct password_job *p,
    struct span hash, struct flow *f)
{
	p->has_hash = hash.p != NULL && hash.len < sizeof(p->hash);
	if (p->has_hash)
		memcpy(p->hash, hash.p, hash.len);
	p->job.run = check;
	return thread_run(pool, &p->job, f);
}
