#ifndef TASKFLOW_ROLE_API_CREDENTIAL_H
#define TASKFLOW_ROLE_API_CREDENTIAL_H

/* What a request shows to say who is asking: `Authorization: Bearer TOKEN`,
 * `Authorization: Bearer tf_...` or `X-API-Key: tf_...`. Pure. */
#include "base/err.h"
#include "base/mem.h"

enum credential_kind { CREDENTIAL_TOKEN, CREDENTIAL_KEY };

struct credential {
	enum credential_kind kind;
	const char *text; /* within the header; a key has the form of one */
};

/* The values of the two headers, NULL if absent. ERR_INVALID if both are
 * there, since they may not be the same; ERR_UNAUTHORIZED if none is, or it is
 * not what it should be. Nothing of them is in the fault. */
enum err credential_read(const char *authorization, const char *api_key,
    struct credential *ret, struct fault *);

#endif
