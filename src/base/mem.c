#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"

/* The first chunk is one that malloc keeps ready (its cache ends at 1032
 * bytes): most flows need no more. The others are, with malloc's own head, just
 * below one page. */
#define ARENA_FIRST 1000
#define ARENA_CHUNK 4000
/* A larger piece is a block of its own; with AddressSanitizer every one is, so
 * that it sees what runs over the end of one. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_LARGE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_LARGE 0
#endif
#endif
#ifndef ARENA_LARGE
#define ARENA_LARGE 900
#endif
#define ARENA_ALIGN 16
#define BUF_FIRST 120
#define CALLOC_SMALL 4096

struct arena_chunk {
	struct arena_chunk *next;
	_Alignas(ARENA_ALIGN) char data[];
};

struct arena_defer {
	struct arena_defer *next;
	void (*fn)(void *);
	void *arg;
};

/* No log: it would allocate. */
static void
die_of_memory(void)
{
	static const char text[] = "taskflowd: out of memory\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		abort();
	abort();
}

void *
xmalloc(size_t size)
{
	void *p = malloc(size == 0 ? 1 : size);

	if (p == NULL)
		die_of_memory();
	return p;
}

/* glibc's calloc goes past its cache for each thread, its malloc does not. */
void *
xcalloc(size_t n, size_t size)
{
	void *p;

	if (n == 0 || size == 0)
		n = size = 1;
	if (size <= CALLOC_SMALL / n)
		return memset(xmalloc(n * size), 0, n * size);
	p = calloc(n, size);
	if (p == NULL)
		die_of_memory();
	return p;
}

void *
xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size == 0 ? 1 : size);

	if (p == NULL)
		die_of_memory();
	return p;
}

char *
xstrdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(xmalloc(size), s, size);
}

void
arena_init(struct arena *a)
{
	memset(a, 0, sizeof(*a));
}

/* A disposer may still use what lives in the arena, so all of them run before
 * anything is freed. */
void
arena_fini(struct arena *a)
{
	struct arena_defer *d;
	struct arena_chunk *c;

	while ((d = a->defers) != NULL) {
		a->defers = d->next;
		d->fn(d->arg);
	}
	while ((c = a->chunks) != NULL) {
		a->chunks = c->next;
		free(c);
	}
	arena_init(a);
}

static char *
add_chunk(struct arena *a, size_t size)
{
	struct arena_chunk *c;

	if (size > SIZE_MAX - sizeof(*c))
		die_of_memory();
	c = xmalloc(sizeof(*c) + size);
	c->next = a->chunks;
	a->chunks = c;
	return c->data;
}

/* A large piece gets a chunk of its own, and the room that is left in the
 * current one is not given up for it. */
void *
arena_alloc(struct arena *a, size_t want)
{
	size_t size;
	void *p;

	if (want == 0)
		want = 1;
	size = (want + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1);
	if (size < want)
		die_of_memory();
	if (size > a->left) {
		if (size > ARENA_LARGE)
			return add_chunk(a, want);
		a->left = a->chunks == NULL ? ARENA_FIRST : ARENA_CHUNK;
		a->next = add_chunk(a, a->left);
	}
	p = a->next;
	a->next += size;
	a->left -= size;
	return p;
}

void *
arena_zalloc(struct arena *a, size_t size)
{
	return memset(arena_alloc(a, size), 0, size);
}

char *
arena_dup(struct arena *a, const char *s, size_t len)
{
	char *p;

	if (len == SIZE_MAX)
		die_of_memory();
	p = arena_alloc(a, len + 1);
	if (len > 0)
		memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

char *
arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *p;
	int n;

	assert(fmt != NULL);
	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	p = arena_alloc(a, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(p, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return p;
}

void
arena_defer(struct arena *a, void (*fn)(void *), void *arg)
{
	struct arena_defer *d = arena_alloc(a, sizeof(*d));

	d->next = a->defers;
	d->fn = fn;
	d->arg = arg;
	a->defers = d;
}

void
buf_init(struct buf *b, size_t max)
{
	memset(b, 0, sizeof(*b));
	b->max = max < SIZE_MAX / 4 ? max : SIZE_MAX / 4;
}

void
buf_fini(struct buf *b)
{
	free(b->data);
	buf_init(b, b->max);
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->overflow = false;
	if (b->data != NULL)
		b->data[0] = '\0';
}

/* Room for len more bytes and the NUL; false if there must not be. */
static bool
make_room(struct buf *b, size_t len)
{
	size_t need, cap;

	if (b->overflow || len > b->max - b->len) {
		b->overflow = true;
		return false;
	}
	need = b->len + len + 1;
	if (need <= b->cap)
		return true;
	cap = b->cap == 0 ? BUF_FIRST : b->cap * 2;
	if (cap > b->max + 1)
		cap = b->max + 1;
	if (cap < need)
		cap = need;
	b->data = xrealloc(b->data, cap);
	b->cap = cap;
	return true;
}

void
buf_reserve(struct buf *b, size_t len)
{
	if (len > b->max)
		len = b->max;
	if (len < b->cap)
		return;
	b->data = xrealloc(b->data, len + 1);
	b->data[b->len] = '\0';
	b->cap = len + 1;
}

void
buf_add_slow(struct buf *b, const void *p, size_t len)
{
	if (!make_room(b, len))
		return;
	if (len > 0)
		memcpy(b->data + b->len, p, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void
buf_addf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	if (!make_room(b, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

void
buf_add_int(struct buf *b, int64_t v)
{
	uint64_t left = v < 0 ? -(uint64_t)v : (uint64_t)v;
	char text[20], *end = text + sizeof(text), *p = end;

	do
		*--p = (char)('0' + left % 10);
	while ((left /= 10) > 0);
	if (v < 0)
		buf_addc(b, '-');
	buf_add(b, p, (size_t)(end - p));
}

void
buf_add_be32(struct buf *b, uint32_t v)
{
	uint8_t be[4] = { v >> 24, v >> 16, v >> 8, v };

	buf_add(b, be, sizeof(be));
}

void
buf_add_be64(struct buf *b, uint64_t v)
{
	uint8_t be[8] = { v >> 56, v >> 48, v >> 40, v >> 32, v >> 24, v >> 16,
		v >> 8, v };

	buf_add(b, be, sizeof(be));
}

void
buf_drain(struct buf *b, size_t n)
{
	assert(n <= b->len);
	if (n == 0)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len + 1);
}
