/*
 * What stands behind "Bearer ": whatever comes is refused with a reason, or is
 * a token that our own key has signed, up to the letters of its signature.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "task/token.h"

#define NOW 1795500000
#define SECRET "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
must(int truth)
{
	if (!truth)
		abort();
}

static char rsa[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAwjAWgSySj0jifiYvc1lx\n"
    "qYc+3YAv66BTQ772UHtAkyk9PqnQUOGmkUg29eKbtAZ+TyN97zvm58NsLceUynLj\n"
    "myOiKJNhC122O0HMBPmbWbInNtmPx+A/rh0cqZkF6DXDZZBtaASgXBIXFPxx0UXf\n"
    "osvZgOE+UVGumaz8nMnpxAo1fnXPnxQ/ag8fXI3CSDlzN/672HIL8N+U3rsPQwoF\n"
    "yy5aUrYSmKhbqkBlwJabtCP2ti78OgVGWi10doVftJqnofAozMVBNw9SQ87SfWAG\n"
    "kFJQYqhtwz3Vv3p5LpawuvM3fEz416BsZdY2kGuHE60j+mBZPOFlXAFPw4gBr0QC\n"
    "BwIDAQAB\n"
    "-----END PUBLIC KEY-----\n";
static char p256[] =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEosxbWe1OyZubRsyNkcHutyFFV/oC\n"
    "R8OofU+mln7Edr738NT9umxbIre+FkfZS9+3RKzFkxhhoOIKgrAMbkdLYQ==\n"
    "-----END PUBLIC KEY-----\n";

#define TEXT(s) ((char *)(uintptr_t)(s))

static struct token_keys *
open_keys(void)
{
	static struct conf_jwt_key es = { .name = TEXT("es"),
		.alg = TOKEN_ES256,
		.public_key = p256,
		.issuer = TEXT("i"),
		.audience = TEXT("a"),
		.user_claim = TEXT("sub") };
	static struct conf_jwt_key rs = { .next = &es,
		.name = TEXT("rs"),
		.alg = TOKEN_RS256,
		.public_key = rsa,
		.issuer = TEXT("i"),
		.audience = TEXT("a"),
		.user_claim = TEXT("sub") };
	struct conf conf = { .jwt_secret = TEXT(SECRET), .jwt_keys = &rs };

	return token_keys_open(&conf);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct token_keys *keys;
	static char *ours;
	struct fault fault = { "", "", "" }, again = { "", "", "" };
	const struct id user = { { 0 } };
	struct caller caller;
	char *text;
	enum err err;

	if (keys == NULL) {
		keys = open_keys();
		ours = token_make(keys, &user, "user", NOW, 3600);
	}
	text = malloc(len + 1);
	memcpy(text, data, len);
	text[len] = '\0';
	err = token_verify(keys, text, NOW, &caller, &fault);
	must(err == OK || err == ERR_UNAUTHORIZED);
	must((err == OK) == (fault.detail[0] == '\0'));
	must(token_verify(keys, text, NOW, &caller, &again) == err);
	must(strcmp(fault.detail, again.detail) == 0);
	if (err == OK)
		must(strncmp(text, ours,
			 (size_t)(strrchr(ours, '.') - ours) + 1) == 0);
	free(text);
	return 0;
}

#include "replay.h"
