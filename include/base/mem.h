#ifndef TASKFLOW_BASE_MEM_H
#define TASKFLOW_BASE_MEM_H

/*
 * Memory: allocation that cannot fail (it aborts: a restart is a recovery we
 * have anyway), an arena that dies with its owner, a growable buffer that gets
 * its maximum at birth, and a borrowed span of bytes.
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define container_of(ptr, type, member) \
	((type *)((char *)(ptr) - offsetof(type, member)))
#define NELEM(a)	(sizeof(a) / sizeof((a)[0]))
#define MUST_USE	__attribute__((warn_unused_result))
#define PRINTF(f, a)	__attribute__((format(printf, f, a)))

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *, size_t size);
char *xstrdup(const char *);

/* Borrowed bytes; not NUL-terminated. p is NULL for "absent". */
struct span {
	const char *p;
	size_t	    len;
};

static inline struct span
span_of(const char *s)
{
	return (struct span){ s, s == NULL ? 0 : strlen(s) };
}

static inline bool
span_is(struct span s, const char *text)
{
	return s.p != NULL && strlen(text) == s.len &&
	    memcmp(s.p, text, s.len) == 0;
}

/* ---- arena: everything in it is freed at once ---- */
struct arena_chunk;
struct arena_defer;

struct arena {
	struct arena_chunk *chunks;
	struct arena_defer *defers;
	char		   *next;
	size_t		    left;
};

void arena_init(struct arena *);
/* Runs the disposers, last one first, and frees all. */
void arena_fini(struct arena *);
/* 16-byte aligned, not zeroed. */
void *arena_alloc(struct arena *, size_t size);
void *arena_zalloc(struct arena *, size_t size);
/* A NUL-terminated copy of len bytes. */
char *arena_dup(struct arena *, const char *, size_t len);
char *arena_printf(struct arena *, const char *fmt, ...) PRINTF(2, 3);
/* fn(arg) runs when the arena dies. */
void arena_defer(struct arena *, void (*fn)(void *), void *arg);

/*
 * ---- buf: growable bytes with a maximum; always NUL-terminated ----
 * A piece that does not fit is dropped whole, and so is all that is added
 * after it, until buf_clear: what is in a buffer is a clean beginning.
 */
struct buf {
	char  *data;		/* NULL while empty */
	size_t len;
	size_t cap;
	size_t max;
	bool   overflow;	/* sticky: something was dropped */
};

void buf_init(struct buf *, size_t max);
void buf_fini(struct buf *);
void buf_clear(struct buf *);	/* len = 0, keeps the memory */
/* Memory for so many bytes at once, as far as the maximum allows. */
void buf_reserve(struct buf *, size_t len);
/* The way of buf_add when it must grow, or has overflowed. */
void buf_add_slow(struct buf *, const void *, size_t len);

static inline void
buf_add(struct buf *b, const void *p, size_t len)
{
	if (b->overflow || len >= b->cap - b->len) {
		buf_add_slow(b, p, len);
		return;
	}
	memcpy(b->data + b->len, p, len);
	b->len += len;
	b->data[b->len] = '\0';
}

static inline void
buf_addc(struct buf *b, char c)
{
	buf_add(b, &c, 1);
}

static inline void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

void buf_addf(struct buf *, const char *fmt, ...) PRINTF(2, 3);
void buf_add_int(struct buf *, int64_t);	/* decimal */
void buf_add_be32(struct buf *, uint32_t);
void buf_add_be64(struct buf *, uint64_t);
/* Remove the first n bytes. */
void buf_drain(struct buf *, size_t n);

static inline struct span
buf_span(const struct buf *b)
{
	return (struct span){ b->data == NULL ? "" : b->data, b->len };
}

#endif
