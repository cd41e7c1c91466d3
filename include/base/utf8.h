#ifndef TASKFLOW_BASE_UTF8_H
#define TASKFLOW_BASE_UTF8_H

/* UTF-8 (RFC 3629): no overlong forms, no surrogates, nothing over U+10FFFF. */
#include <stddef.h>

/* Bytes of the character that begins at p, 1 to 4; 0 if none does. left is how
 * many bytes there are, at least 1. */
size_t utf8_len(const char *p, size_t left);

#endif
