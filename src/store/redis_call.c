/*
 * Making calls and reading replies. Commands are written in the form of the
 * wire (RESP) at once, with lengths, so that user data is never a format.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypt.h"
#include "redis_private.h"

struct redis_call *
rcall_alloc(struct redis *r)
{
	struct redis_call *c = xcalloc(1, sizeof(*c));

	c->redis = r;
	c->timeout_ms = r->timeout_ms;
	buf_init(&c->enc, CALL_MAX_BYTES);
	buf_init(&c->ends, CALL_MAX_BYTES);
	arena_init(&c->arena);
	return c;
}

struct redis_call *
redis_call_new(struct redis *r)
{
	return rcall_alloc(r);
}

void
rcall_free(struct redis_call *c)
{
	buf_fini(&c->enc);
	buf_fini(&c->ends);
	arena_fini(&c->arena);
	free(c);
}

void
redis_call_timeout_ms(struct redis_call *c, int64_t ms)
{
	c->timeout_ms = ms;
}

static void
set_end(struct redis_call *c)
{
	uint32_t end = (uint32_t)c->enc.len;

	memcpy(c->ends.data + c->ends.len - sizeof(end), &end, sizeof(end));
}

static void
put_count(struct buf *b, char mark, size_t n)
{
	buf_addc(b, mark);
	buf_add_int(b, (int64_t)n);
	buf_add(b, "\r\n", 2);
}

static void
put_arg(struct buf *b, const void *p, size_t len)
{
	put_count(b, '$', len);
	buf_add(b, p, len);
	buf_add(b, "\r\n", 2);
}

void
redis_begin(struct redis_call *c, size_t nargs)
{
	uint32_t none = 0;

	assert(c->state == RCALL_NEW && c->script == NULL);
	put_count(&c->enc, '*', nargs);
	buf_add(&c->ends, &none, sizeof(none));
	set_end(c);
	c->ncmds++;
}

void
redis_arg(struct redis_call *c, struct span s)
{
	assert(c->ncmds > 0);
	put_arg(&c->enc, s.p, s.len);
	set_end(c);
}

void
redis_arg_str(struct redis_call *c, const char *s)
{
	redis_arg(c, span_of(s));
}

void
redis_arg_int(struct redis_call *c, int64_t v)
{
	char text[24];
	int len = snprintf(text, sizeof(text), "%lld", (long long)v);

	redis_arg(c, (struct span){ text, (size_t)len });
}

void
redis_arg_id(struct redis_call *c, const struct id *id)
{
	char text[ID_TEXT_SIZE];

	id_format(id, text);
	redis_arg(c, (struct span){ text, ID_TEXT_LEN });
}

void
redis_cmd(struct redis_call *c, ...)
{
	const char *arg;
	va_list ap;
	size_t n = 0;

	va_start(ap, c);
	while (va_arg(ap, const char *) != NULL)
		n++;
	va_end(ap);
	redis_begin(c, n);
	va_start(ap, c);
	while ((arg = va_arg(ap, const char *)) != NULL)
		redis_arg_str(c, arg);
	va_end(ap);
}

void
redis_begin_script(struct redis_call *c, struct redis_script *script,
    size_t nkeys, size_t nargs)
{
	assert(c->ncmds == 0);
	if (script->sha1[0] == '\0')
		crypt_sha1_hex(
		    script->text, strlen(script->text), script->sha1);
	redis_begin(c, 3 + nkeys + nargs);
	redis_arg_str(c, "EVALSHA");
	redis_arg_str(c, script->sha1);
	c->script = script;
	c->script_args = c->enc.len;
	c->script_nargs = 1 + nkeys + nargs;
	redis_arg_int(c, (int64_t)nkeys);
}

void
rcall_spell_out(struct redis_call *c)
{
	struct buf b;

	buf_init(&b, CALL_MAX_BYTES);
	put_count(&b, '*', 2 + c->script_nargs);
	put_arg(&b, "EVAL", 4);
	put_arg(&b, c->script->text, strlen(c->script->text));
	buf_add(&b, c->enc.data + c->script_args, c->enc.len - c->script_args);
	buf_fini(&c->enc);
	c->enc = b;
	set_end(c);
	c->script = NULL; /* once only */
}

/* ---- replies ---- */
void
reply_copy(struct arena *a, const redisReply *from, struct reply *to)
{
	struct reply *elem;
	size_t i;

	*to = (struct reply){ .type = REPLY_NIL };
	switch (from->type) {
	case REDIS_REPLY_INTEGER:
		to->type = REPLY_INT;
		to->integer = from->integer;
		break;
	case REDIS_REPLY_STRING:
	case REDIS_REPLY_STATUS:
	case REDIS_REPLY_ERROR:
		to->type =
		    from->type == REDIS_REPLY_ERROR ? REPLY_ERROR : REPLY_STR;
		to->str.p = arena_dup(a, from->str, (size_t)from->len);
		to->str.len = (size_t)from->len;
		break;
	case REDIS_REPLY_ARRAY:
		to->type = REPLY_ARRAY;
		to->n = from->elements;
		elem = arena_alloc(a, (to->n + 1) * sizeof(*elem));
		for (i = 0; i < to->n; i++)
			reply_copy(a, from->element[i], &elem[i]);
		to->elem = elem;
		break;
	default:
		break;
	}
}

const struct reply *
redis_reply(const struct redis_call *c, size_t i)
{
	return i < c->nreplies ? &c->replies[i] : NULL;
}

enum err
redis_call_err(const struct redis_call *c)
{
	return c->err;
}
