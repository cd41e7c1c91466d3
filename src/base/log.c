#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jsn.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/utf8.h"

/* A pipe takes so much in one piece, so the lines of several processes that
 * share one never mix. */
#define LINE_MAX_BYTES PIPE_BUF
#define VALUE_MAX 1024 /* bytes of a value that are looked at */
#define TAIL_MAX 32 /* room for the mark of a cut line and its end */
#define PAIR_MAX (VALUE_MAX * 6 + 256)

static enum log_level threshold = LOG_INFO;
static bool as_json;
static char role_text[64];

/* Whole lines that wait for log_flush; at most as many as go in one piece. */
static struct buf pending = { .max = LINE_MAX_BYTES };
/* The line that is being made, and one pair of it. */
static struct buf line = { .max = LINE_MAX_BYTES };
static struct buf pair = { .max = PAIR_MAX };
static void (*gathering)(void *);
static void *gathering_arg;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void
log_open(enum log_level level, enum log_format format, const char *role)
{
	threshold = level;
	as_json = format == LOG_JSON ||
	    (format == LOG_AUTO && !isatty(STDERR_FILENO));
	snprintf(role_text, sizeof(role_text), "%s", role);
}

void
log_set_level(enum log_level level)
{
	threshold = level;
}

bool
log_enabled(enum log_level level)
{
	return level <= threshold;
}

/* Letters, digits and what is common in names, addresses and numbers. */
static bool
is_plain(struct span v)
{
	for (size_t i = 0; i < v.len; i++)
		if (!isalnum((unsigned char)v.p[i]) &&
		    (v.p[i] == '\0' || strchr("._:/@+,-", v.p[i]) == NULL))
			return false;
	return v.len > 0;
}

/* The next character of a quoted value as it may stand on a terminal: C1
 * controls (U+0080 to U+009F) and the line and paragraph separators and
 * direction marks (U+2028 to U+202E, U+2066 to U+2069) can disguise a line. */
static bool
is_printable(const char *p, size_t len)
{
	const unsigned char *u = (const unsigned char *)p;

	if (len == 1)
		return u[0] >= 0x20 && u[0] != 0x7f;
	if (len == 2)
		return u[0] != 0xc2 || u[1] >= 0xa0;
	if (len == 3 && u[0] == 0xe2 && u[1] == 0x80)
		return u[2] < 0xa8 || u[2] > 0xae;
	if (len == 3 && u[0] == 0xe2 && u[1] == 0x81)
		return u[2] < 0xa6 || u[2] > 0xa9;
	return true;
}

static void
add_quoted_text(struct buf *b, struct span v)
{
	size_t i, len;

	buf_addc(b, '"');
	for (i = 0; i < v.len; i += len) {
		len = utf8_len(v.p + i, v.len - i);
		if (v.p[i] == '"' || v.p[i] == '\\')
			buf_addf(b, "\\%c", v.p[i]);
		else if (v.p[i] == '\n')
			buf_adds(b, "\\n");
		else if (len > 0 && is_printable(v.p + i, len))
			buf_add(b, v.p + i, len);
		else {
			len = 1;
			buf_addf(b, "\\x%02x", (unsigned char)v.p[i]);
		}
	}
	buf_addc(b, '"');
}

static void
add_string(struct buf *b, const char *s)
{
	struct span v = { s == NULL ? "-" : s, 0 };

	v.len = strnlen(v.p, VALUE_MAX);
	/* Do not cut a character in two. */
	if (v.len == VALUE_MAX)
		while (v.len > VALUE_MAX - 3 && (v.p[v.len] & 0xc0) == 0x80)
			v.len--;
	if (as_json)
		jsn_quote(b, v.p, v.len);
	else if (is_plain(v))
		buf_add(b, v.p, v.len);
	else
		add_quoted_text(b, v);
}

static void
add_id(struct buf *b, const struct id *id)
{
	char text[ID_TEXT_SIZE];

	if (id == NULL) {
		add_string(b, NULL);
		return;
	}
	id_format(id, text);
	add_string(b, text);
}

/* One key with its value, and what separates it from the one before. */
static void
add_pair(struct buf *b, const struct kv *kv)
{
	if (as_json) {
		buf_adds(b, ",\"");
		buf_adds(b, kv->key);
		buf_adds(b, "\":");
	} else {
		buf_addc(b, ' ');
		buf_adds(b, kv->key);
		buf_addc(b, '=');
	}
	switch (kv->type) {
	case KV_T_INT:
		buf_add_int(b, kv->u.i);
		break;
	case KV_T_ID:
		add_id(b, kv->u.id);
		break;
	case KV_T_STR:
	case KV_T_NONE:
		add_string(b, kv->type == KV_T_STR ? kv->u.s : NULL);
		break;
	}
}

/* What is ours (roles, names of parts, events, keys) needs no escape. */
static void
add_head(
    struct buf *b, enum log_level level, const char *sub, const char *event)
{
	char time[TIME_TEXT_SIZE];

	time_format(clock_wall_us(), time);
	if (!as_json) {
		buf_addf(b, "%s %-5s %s%s%s: %s", time, level_names[level],
		    role_text, role_text[0] == '\0' ? "" : " ", sub, event);
		return;
	}
	buf_adds(b, "{\"time\":\"");
	buf_adds(b, time);
	buf_adds(b, "\",\"level\":\"");
	buf_adds(b, level_names[level]);
	buf_adds(b, "\",\"role\":\"");
	buf_adds(b, role_text);
	buf_adds(b, "\",\"sub\":\"");
	buf_adds(b, sub);
	buf_adds(b, "\",\"event\":\"");
	buf_adds(b, event);
	buf_addc(b, '"');
}

static void
add_pairs(const struct kv *kv)
{
	for (; kv->key != NULL; kv++) {
		buf_clear(&pair);
		add_pair(&pair, kv);
		if (line.len + pair.len + TAIL_MAX > line.max) {
			buf_adds(&line, as_json ? ",\"cut\":true" : " cut=yes");
			break;
		}
		buf_add(&line, pair.data, pair.len);
	}
}

/* A log that cannot be written must not stop us: what fails is dropped. */
void
log_flush(void)
{
	int saved_errno = errno;
	ssize_t n;

	if (pending.len == 0)
		return;
	do
		n = write(STDERR_FILENO, pending.data, pending.len);
	while (n < 0 && errno == EINTR);
	buf_clear(&pending);
	errno = saved_errno;
}

void
log_gather(void (*wanted)(void *), void *arg)
{
	log_flush();
	gathering = wanted;
	gathering_arg = arg;
}

static void
add_line(enum log_level level)
{
	if (pending.len + line.len > pending.max)
		log_flush();
	if (pending.len == 0 && gathering != NULL)
		gathering(gathering_arg);
	buf_add(&pending, line.data, line.len);
	if (gathering == NULL || level <= LOG_WARN)
		log_flush();
}

void
log_emit(enum log_level level, const char *sub, const char *event,
    const struct kv *kvs)
{
	if (!log_enabled(level))
		return;
	buf_clear(&line);
	add_head(&line, level, sub, event);
	add_pairs(kvs + 1);
	buf_adds(&line, as_json ? "}\n" : "\n");
	add_line(level);
}
