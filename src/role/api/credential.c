#include <strings.h>

#include "credential.h"
#include "task/keys.h"

#define SCHEME "Bearer"
#define SCHEME_LEN (sizeof(SCHEME) - 1)

static enum err
read_key(const char *text, struct credential *ret, struct fault *fault)
{
	if (!key_ok(text))
		return fault_set(fault, ERR_UNAUTHORIZED, "",
		    "this is no API key, which is " KEY_MARK
		    " and 43 of A-Z a-z 0-9 - _");
	*ret = (struct credential){ CREDENTIAL_KEY, text };
	return OK;
}

/* RFC 6750, 2.1; RFC 9110, 11.1: the scheme's case does not matter. */
static enum err
read_bearer(const char *text, struct credential *ret, struct fault *fault)
{
	if (strncasecmp(text, SCHEME, SCHEME_LEN) != 0 ||
	    text[SCHEME_LEN] != ' ')
		return fault_set(fault, ERR_UNAUTHORIZED, "",
		    "the header Authorization is not \"Bearer TOKEN\"");
	text += SCHEME_LEN;
	text += strspn(text, " ");
	if (strncmp(text, KEY_MARK, strlen(KEY_MARK)) == 0)
		return read_key(text, ret, fault);
	*ret = (struct credential){ CREDENTIAL_TOKEN, text };
	return OK;
}

enum err
credential_read(const char *authorization, const char *api_key,
    struct credential *ret, struct fault *fault)
{
	if (authorization != NULL && api_key != NULL)
		return fault_set(fault, ERR_INVALID, "",
		    "the headers Authorization and X-API-Key are both given; "
		    "allowed is one of them");
	if (authorization != NULL)
		return read_bearer(authorization, ret, fault);
	if (api_key != NULL)
		return read_key(api_key, ret, fault);
	return fault_set(fault, ERR_UNAUTHORIZED, "",
	    "the request needs a header \"Authorization: Bearer TOKEN\" or "
	    "\"X-API-Key: KEY\"; POST /login gives a token, and POST /api-keys "
	    "a key");
}
