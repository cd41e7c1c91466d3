#ifndef TASKFLOW_BASE_JSN_LEX_H
#define TASKFLOW_BASE_JSN_LEX_H

/*
 * For src/base/jsn*.c alone: the words of JSON. One pass from front to back;
 * what is open is kept in a stack of the scan, so the depth of a text costs
 * none of ours. Every function that returns false has filled the fault.
 */
#include "base/jsn.h"

struct scan {
	const char   *start, *p, *end;
	struct fault *fault;
	unsigned      depth, max_depth;
	char	      open[JSN_MAX_DEPTH + JSN_MAX_OUTER];	/* '{' or '[' */
};

void lex_init(struct scan *, struct span text, struct fault *);
/* False, with a fault that says what stands here and what should. */
bool lex_refuse(struct scan *, const char *expected);
/* A string, a number, true, false or null. */
bool lex_scalar(struct scan *);
/* A name and its colon, with the space around them. ret: between the quotes. */
bool lex_name(struct scan *, struct span *ret);

static inline int
lex_peek(const struct scan *s)
{
	return s->p < s->end ? (unsigned char)*s->p : -1;
}

static inline void
lex_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' ||
	    *s->p == '\t' || *s->p == '\r'))
		s->p++;
}

#endif
