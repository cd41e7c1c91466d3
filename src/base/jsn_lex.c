#include "base/jsn_lex.h"
#include "base/utf8.h"

/* Bytes of a string that need no look: ASCII but for quote, backslash and
 * controls. */
static const bool plain[256] = {
	[0x20 ... 0x21] = true,
	[0x23 ... 0x5b] = true,
	[0x5d ... 0x7f] = true,
};

void
lex_init(struct scan *s, struct span text, struct fault *fault)
{
	s->start = s->p = text.p;
	s->end = text.p + text.len;
	s->fault = fault;
	s->depth = 0;
	s->max_depth = JSN_MAX_DEPTH;
}

static inline bool
has_digit(const struct scan *s)
{
	return s->p < s->end && *s->p >= '0' && *s->p <= '9';
}

static bool
refuse_at(struct scan *s, const char *at, const char *expected)
{
	size_t offset = (size_t)(at - s->start);

	if (at >= s->end)
		fault_set(s->fault, ERR_INVALID, "",
		    "JSON ends at byte %zu, where %s is expected", offset,
		    expected);
	else if (*at > 0x20 && *at < 0x7f)
		fault_set(s->fault, ERR_INVALID, "",
		    "JSON at byte %zu has '%c', where %s is expected", offset,
		    *at, expected);
	else
		fault_set(s->fault, ERR_INVALID, "",
		    "JSON at byte %zu has the byte 0x%02x, where %s is "
		    "expected",
		    offset, (unsigned char)*at, expected);
	return false;
}

bool
lex_refuse(struct scan *s, const char *expected)
{
	return refuse_at(s, s->p, expected);
}

/* The value of four hexadecimal digits at p; -1 if they are not there. */
static int
hex4(const char *p, const char *end)
{
	int v = 0, c, i;

	if (end - p < 4)
		return -1;
	for (i = 0; i < 4; i++) {
		c = (unsigned char)p[i];
		if (c >= '0' && c <= '9')
			c -= '0';
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			c = (c | 0x20) - 'a' + 10;
		else
			return -1;
		v = v << 4 | c;
	}
	return v;
}

/* After "\u". A surrogate is half a character: a high one must be followed by
 * a low one, and a low one never comes first. */
static bool
scan_unicode(struct scan *s)
{
	const char *escape = s->p - 2;
	int v = hex4(s->p, s->end);

	if (v < 0)
		return lex_refuse(s, "a \\u escape of four hexadecimal digits");
	s->p += 4;
	if (v < 0xd800 || v > 0xdfff)
		return true;
	if (v < 0xdc00 && s->end - s->p >= 6 && s->p[0] == '\\' &&
	    s->p[1] == 'u') {
		v = hex4(s->p + 2, s->end);
		s->p += 6;
		if (v >= 0xdc00 && v <= 0xdfff)
			return true;
	}
	return refuse_at(s, escape, "a surrogate pair that is complete");
}

static bool
scan_escape(struct scan *s)
{
	s->p++;
	switch (lex_peek(s)) {
	case '"':
	case '\\':
	case '/':
	case 'b':
	case 'f':
	case 'n':
	case 'r':
	case 't':
		s->p++;
		return true;
	case 'u':
		s->p++;
		return scan_unicode(s);
	default:
		return lex_refuse(s, "one of \"\\/bfnrtu after the backslash");
	}
}

/* At the opening quote; then behind the closing one. */
static bool
scan_string(struct scan *s)
{
	size_t len;

	for (s->p++;;) {
		while (s->p < s->end && plain[(unsigned char)*s->p])
			s->p++;
		switch (lex_peek(s)) {
		case -1:
			return lex_refuse(s, "the end of a string");
		case '"':
			s->p++;
			return true;
		case '\\':
			if (!scan_escape(s))
				return false;
			break;
		default:
			if ((unsigned char)*s->p < 0x20)
				return lex_refuse(s,
				    "an escape such as \\n for a control "
				    "character in a string");
			len = utf8_len(s->p, (size_t)(s->end - s->p));
			if (len == 0)
				return lex_refuse(s, "valid UTF-8");
			s->p += len;
		}
	}
}

static bool
scan_digits(struct scan *s)
{
	if (!has_digit(s))
		return lex_refuse(s, "a digit");
	while (has_digit(s))
		s->p++;
	return true;
}

static bool
scan_number(struct scan *s)
{
	if (lex_peek(s) == '-')
		s->p++;
	if (lex_peek(s) == '0') {
		s->p++;
		if (has_digit(s))
			return lex_refuse(s, "no digit after a leading zero");
	} else if (!scan_digits(s))
		return false;
	if (lex_peek(s) == '.') {
		s->p++;
		if (!scan_digits(s))
			return false;
	}
	if (lex_peek(s) == 'e' || lex_peek(s) == 'E') {
		s->p++;
		if (lex_peek(s) == '+' || lex_peek(s) == '-')
			s->p++;
		return scan_digits(s);
	}
	return true;
}

static bool
scan_word(struct scan *s, const char *word)
{
	size_t len = strlen(word);

	if ((size_t)(s->end - s->p) < len || memcmp(s->p, word, len) != 0)
		return lex_refuse(s, "a JSON value");
	s->p += len;
	return true;
}

/* A name and its colon. */
bool
lex_name(struct scan *s, struct span *ret)
{
	lex_space(s);
	if (lex_peek(s) != '"')
		return lex_refuse(s, "a name in double quotes");
	ret->p = s->p + 1;
	if (!scan_string(s))
		return false;
	ret->len = (size_t)(s->p - 1 - ret->p);
	lex_space(s);
	if (lex_peek(s) != ':')
		return lex_refuse(s, "a colon");
	s->p++;
	return true;
}

bool
lex_scalar(struct scan *s)
{
	switch (lex_peek(s)) {
	case '"':
		return scan_string(s);
	case 't':
		return scan_word(s, "true");
	case 'f':
		return scan_word(s, "false");
	case 'n':
		return scan_word(s, "null");
	default:
		if (lex_peek(s) != '-' && !has_digit(s))
			return lex_refuse(s, "a JSON value");
		return scan_number(s);
	}
}
