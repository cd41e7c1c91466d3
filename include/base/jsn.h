#ifndef TASKFLOW_BASE_JSN_H
#define TASKFLOW_BASE_JSN_H

/*
 * JSON (RFC 8259), strictly: a scanner that checks a whole text and gives the
 * byte span of each top-level value, so that payloads are kept byte for byte;
 * typed getters for the small members (cJSON decodes their escapes); a writer.
 *
 * Stricter than cJSON on purpose: valid UTF-8 only, no raw control bytes, no
 * leading zeros, no trailing bytes, no half surrogate pairs, depth bounded by
 * JSN_MAX_DEPTH, and no duplicate names at the top level of what jsn_object
 * reads (RFC 7493; deeper, and for jsn_scan, they are the payload's business).
 */
#include "base/err.h"
#include "base/mem.h"

#define JSN_MAX_DEPTH	128	/* brackets within brackets */

enum jsn_type {
	JSN_NULL, JSN_BOOL, JSN_NUMBER, JSN_STRING, JSN_ARRAY, JSN_OBJECT
};

struct jsn_value {
	struct span   text;	/* as it stands, strings with quotes */
	enum jsn_type type;
};

struct jsn_member {
	struct span	 name;	/* between the quotes, not decoded */
	struct jsn_value value;
};

/* Is this exactly one JSON value, with nothing but white space around it?
 * ret (may be NULL): the value without that space. fault: ERR_INVALID with the
 * byte offset. NUL bytes are refused anywhere. */
enum err jsn_scan(struct span text, struct jsn_value *ret, struct fault *);

/* The members of an object (in *ret_n at most max; more: ERR_INVALID). The
 * text must have passed jsn_scan or is checked here: one call does both. */
enum err jsn_object(struct span text, struct jsn_member *ret, size_t max,
    size_t *ret_n, struct fault *);

/* The elements of an array, checked as above; ret in the arena. */
enum err jsn_array(struct span text, struct arena *, size_t max,
    struct jsn_value **ret, size_t *ret_n, struct fault *);

/* The first member whose name, decoded, stood before; NULL: there is none. */
const struct jsn_member *jsn_duplicate(const struct jsn_member *, size_t n);
/* ERR_INVALID, with a fault that names it, if there is one; members of text. */
enum err jsn_check_names(struct span text, const struct jsn_member *, size_t n,
    struct fault *);

/* NULL if there is none of that name, however it is escaped. */
const struct jsn_value *jsn_find(const struct jsn_member *, size_t n,
    const char *name);

/* Decode a string value; false if it is none, contains U+0000, or is longer
 * than max bytes decoded. ret is NUL-terminated, in the arena. */
bool jsn_get_str(const struct jsn_value *, struct arena *, size_t max,
    char **ret, size_t *ret_len);
/* An integer without fraction or exponent, within int64; else false. */
bool jsn_get_int(const struct jsn_value *, int64_t *ret);
/* Any number that a double can hold (1e400 is none), rounded; else false. */
bool jsn_get_double(const struct jsn_value *, double *ret);
bool jsn_get_bool(const struct jsn_value *, bool *ret);

/*
 * ---- reader: from front to back, each value seen once; for a text of many
 * small objects. Whatever returns false has met what is no JSON, or not what
 * was expected, and has filled the fault: nothing can be read any more.
 *
 *	for (ok = jsn_r_open(r, '{', &more, &name); ok && more;
 *	    ok = jsn_r_next(r, &more, &name))
 *		... exactly one jsn_r_value, or an inner loop of this kind ...
 */
struct jsn_r;
/* Lives in the arena; text and fault must outlive it. What is inside `outer`
 * brackets (at most JSN_MAX_OUTER) may be as deep as a text of its own. */
#define JSN_MAX_OUTER	2
struct jsn_r *jsn_r_new(struct arena *, struct span text, unsigned outer,
    struct fault *);
/* Of the value that comes; what is no value looks like a number. */
enum jsn_type jsn_r_type(struct jsn_r *);
/* The whole value that comes. */
bool jsn_r_value(struct jsn_r *, struct jsn_value *ret);
/* Into an object or an array: is there an element? In an object, its name. */
bool jsn_r_open(struct jsn_r *, char bracket, bool *ret_more,
    struct span *ret_name);
/* Behind an element: is there another one? If not, we are out of it. */
bool jsn_r_next(struct jsn_r *, bool *ret_more, struct span *ret_name);
/* There must be nothing left. */
bool jsn_r_end(struct jsn_r *);

/* ---- writer: commas and quoting; nesting is the caller's duty ---- */
struct jsn_w {
	struct buf *buf;
	bool	    comma;
};

void jsn_w_init(struct jsn_w *, struct buf *);
void jsn_w_open(struct jsn_w *, char bracket);	/* '{' or '[' */
void jsn_w_close(struct jsn_w *, char bracket);	/* '}' or ']' */
/* One of our own names, that needs no escape. */
void jsn_w_key(struct jsn_w *, const char *name);
void jsn_w_str(struct jsn_w *, const char *, size_t len);
void jsn_w_strz(struct jsn_w *, const char *);	/* NULL writes null */
void jsn_w_int(struct jsn_w *, int64_t);
void jsn_w_bool(struct jsn_w *, bool);
void jsn_w_null(struct jsn_w *);
void jsn_w_time(struct jsn_w *, int64_t wall_us);
void jsn_w_raw(struct jsn_w *, struct span);	/* JSON as it stands */
/* The JSON string, with quotes, of bytes that may be anything: what is not
 * UTF-8 becomes U+FFFD. */
void jsn_quote(struct buf *, const char *, size_t len);

#endif
