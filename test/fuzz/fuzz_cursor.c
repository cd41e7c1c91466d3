/* Cursors of GET /tasks and Idempotency-Keys: only what we have made is a
 * cursor, and what is a key is within its bounds. The first byte of the input
 * says how the rest is used. */
#include <stdint.h>
#include <stdlib.h>

#include "role/api/cursor.h"
#include "role/api/keyed.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth)
{
	if (!truth)
		abort();
}

static const struct span secret = { "0123456789abcdef0123456789abcdef", 32 };
static const struct span list = { "user&status=FAILED", 18 };

/* Text that may be one. */
static void
read_text(const char *text)
{
	char again[CURSOR_SIZE];
	struct cursor c;

	if (!cursor_parse(text, secret, list, &c))
		return;
	cursor_format(&c, secret, list, again);
	must(strcmp(again, text) == 0);
}

/* One that is good until something is changed. */
static void
change_one(const uint8_t *p, size_t len)
{
	struct cursor c = { false, { { 0 } } }, back;
	char text[CURSOR_SIZE], changed[CURSOR_SIZE];
	struct span other = list;
	size_t at;

	if (len < sizeof(c.id.b) + 3)
		return;
	c.up = p[0] & 1;
	memcpy(c.id.b, p + 3, sizeof(c.id.b));
	cursor_format(&c, secret, list, text);
	must(strlen(text) == CURSOR_SIZE - 1);
	must(cursor_parse(text, secret, list, &back));
	must(back.up == c.up && id_cmp(&back.id, &c.id) == 0);
	other.len--;
	must(!cursor_parse(text, secret, other, &back));
	must(!cursor_parse(text, list, list, &back));
	memcpy(changed, text, sizeof(text));
	at = p[1] % (CURSOR_SIZE - 1);
	changed[at] = (char)p[2];
	must(changed[at] == text[at] ||
	    !cursor_parse(changed, secret, list, &back));
}

static void
read_key(const char *text)
{
	struct fault fault = { "", "", "" };
	const char *key;
	struct arena a;
	enum err err;

	arena_init(&a);
	err = keyed_parse(text, &a, &key, &fault);
	must(err == OK || err == ERR_INVALID);
	if (err == OK) {
		must(strlen(key) >= 1 && strlen(key) <= IDEMPOTENCY_KEY_MAX);
		for (; *key != '\0'; key++)
			must(*key >= ' ' && *key <= '~');
	} else {
		must(fault.detail[0] != '\0');
	}
	arena_fini(&a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text;

	if (len == 0)
		return 0;
	text = malloc(len);
	memcpy(text, data + 1, len - 1);
	text[len - 1] = '\0';
	if (data[0] % 3 == 0)
		read_text(text);
	else if (data[0] % 3 == 1)
		change_one(data + 1, len - 1);
	else
		read_key(text);
	free(text);
	return 0;
}

#include "replay.h"
