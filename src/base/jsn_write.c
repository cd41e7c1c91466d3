#include "base/clock.h"
#include "base/jsn.h"
#include "base/utf8.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

static void
value_begins(struct jsn_w *w)
{
	if (w->comma)
		buf_addc(w->buf, ',');
	w->comma = true;
}

void
jsn_w_init(struct jsn_w *w, struct buf *b)
{
	w->buf = b;
	w->comma = false;
}

void
jsn_w_open(struct jsn_w *w, char bracket)
{
	value_begins(w);
	buf_addc(w->buf, bracket);
	w->comma = false;
}

void
jsn_w_close(struct jsn_w *w, char bracket)
{
	buf_addc(w->buf, bracket);
	w->comma = true;
}

void
jsn_w_key(struct jsn_w *w, const char *name)
{
	value_begins(w);
	buf_addc(w->buf, '"');
	buf_adds(w->buf, name);
	buf_add(w->buf, "\":", 2);
	w->comma = false;
}

void
jsn_w_str(struct jsn_w *w, const char *s, size_t len)
{
	value_begins(w);
	jsn_quote(w->buf, s, len);
}

void
jsn_w_strz(struct jsn_w *w, const char *s)
{
	if (s == NULL)
		jsn_w_null(w);
	else
		jsn_w_str(w, s, strlen(s));
}

void
jsn_w_int(struct jsn_w *w, int64_t v)
{
	value_begins(w);
	buf_add_int(w->buf, v);
}

void
jsn_w_bool(struct jsn_w *w, bool v)
{
	value_begins(w);
	buf_adds(w->buf, v ? "true" : "false");
}

void
jsn_w_null(struct jsn_w *w)
{
	value_begins(w);
	buf_adds(w->buf, "null");
}

void
jsn_w_time(struct jsn_w *w, int64_t wall_us)
{
	char text[TIME_TEXT_SIZE];

	time_format(wall_us, text);
	jsn_w_strz(w, text);
}

void
jsn_w_raw(struct jsn_w *w, struct span json)
{
	value_begins(w);
	buf_add(w->buf, json.p, json.len);
}

/* The letter behind the backslash; 0: there is none for this byte. */
static char
short_escape(char c)
{
	switch (c) {
	case '"':
	case '\\':
		return c;
	case '\b':
		return 'b';
	case '\f':
		return 'f';
	case '\n':
		return 'n';
	case '\r':
		return 'r';
	case '\t':
		return 't';
	default:
		return 0;
	}
}

static void
add_special(struct buf *b, char c)
{
	if (short_escape(c) != 0) {
		buf_addc(b, '\\');
		buf_addc(b, short_escape(c));
	} else if ((unsigned char)c < 0x20)
		buf_addf(b, "\\u%04x", (unsigned)c);
	else
		buf_adds(b, REPLACEMENT);
}

/* 1: ASCII that needs no escape. */
static const uint8_t plain[256] = {
	[' '] = 1,
	['!'] = 1, /* not the quote */
	['#' ... '['] = 1, /* not the backslash */
	[']' ... 0x7f] = 1,
};

/* Bytes from p that stand for themselves. */
static size_t
run_len(const char *p, size_t left)
{
	size_t n, i;

	for (i = 0; i < left; i += n) {
		n = plain[(unsigned char)p[i]];
		if (n == 0 && (unsigned char)p[i] >= 0x80)
			n = utf8_len(p + i, left - i);
		if (n == 0)
			break;
	}
	return i;
}

void
jsn_quote(struct buf *b, const char *s, size_t len)
{
	size_t i = 0, n;

	buf_addc(b, '"');
	while (i < len) {
		n = run_len(s + i, len - i);
		buf_add(b, s + i, n);
		i += n;
		if (i < len)
			add_special(b, s[i++]);
	}
	buf_addc(b, '"');
}
