/* The headers that say who is asking, and what redis-low says of a key:
 * whatever comes, either a token or a key of the right form within what was
 * given, or a refusal that says something and shows nothing of it. Input: the
 * value of Authorization, and after a NUL byte that of X-API-Key. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "role/api/credential.h"
#include "task/keys.h"
#include "task/users.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth)
{
	if (!truth)
		abort();
}

static bool
is_within(const char *p, const char *text)
{
	return text != NULL && p >= text && p <= text + strlen(text);
}

static void
check(const char *authorization, const char *api_key)
{
	struct credential c = { .text = NULL };
	struct fault f = { "", "", "" };
	char hash[KEY_HASH_SIZE], prefix[KEY_PREFIX_SIZE];
	enum err err = credential_read(authorization, api_key, &c, &f);

	if (err != OK) {
		must(f.detail[0] != '\0' && c.text == NULL);
		must(err ==
		    (authorization != NULL && api_key != NULL
			    ? ERR_INVALID
			    : ERR_UNAUTHORIZED));
		return;
	}
	must(is_within(c.text, authorization) || is_within(c.text, api_key));
	if (c.kind == CREDENTIAL_TOKEN) {
		must(authorization != NULL);
		must(strncmp(c.text, KEY_MARK, strlen(KEY_MARK)) != 0);
		return;
	}
	must(strlen(c.text) == KEY_TEXT_LEN && key_ok(c.text));
	key_hash(c.text, hash);
	must(strspn(hash, "0123456789abcdef") == KEY_HASH_SIZE - 1);
	key_prefix(c.text, prefix);
	must(strncmp(c.text, prefix, KEY_PREFIX_SIZE - 1) == 0);
}

static void
check_entry(const char *text, size_t len)
{
	const struct reply rep = { .type = REPLY_STR, .str = { text, len } };
	struct key_info key;

	if (key_cache_read(&rep, &key))
		must(len > 2 * ID_TEXT_LEN);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);
	const char *second = NULL;

	memcpy(text, data, len);
	text[len] = '\0';
	if (strlen(text) < len)
		second = text + strlen(text) + 1;
	check(text, NULL);
	check(NULL, text);
	check(text, second);
	check(NULL, second);
	check_entry(text, len);
	scope_parse(text);
	free(text);
	return 0;
}

#include "replay.h"
