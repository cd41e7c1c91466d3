/* What stands in a section [jwt_key NAME]. */
#include "base/conf_table.h"

#define IN(field) offsetof(struct conf_jwt_key, field)

static const char *const alg_words[] = { "HS256", "RS256", "ES256", NULL };

/* clang-format off */
const struct conf_option conf_jwt_key_options[] = {
{ .name = "alg", .type = CONF_WORD, .offset = IN(alg), .words = alg_words,
  .def = "HS256", .roles = ROLE_API,
  .text = "The one algorithm of this key; a token that names another one is "
	"refused." },
{ .name = "secret", .type = CONF_TEXT, .offset = IN(secret),
  .def = "", .flags = CONF_SECRET | CONF_EMPTY, .roles = ROLE_API,
  .text = "For HS256: the key, at least 32 bytes." },
{ .name = "public_key", .type = CONF_TEXT, .offset = IN(public_key),
  .def = "", .flags = CONF_SECRET | CONF_EMPTY, .roles = ROLE_API,
  .text = "For RS256 (2048 bits or more) and ES256 (P-256): the public key of "
	"an identity provider, in PEM, by public_key_file." },
{ .name = "issuer", .type = CONF_TEXT, .offset = IN(issuer),
  .def = "", .flags = CONF_EMPTY, .roles = ROLE_API,
  .text = "What iss of a token must be; needed for RS256 and ES256." },
{ .name = "audience", .type = CONF_TEXT, .offset = IN(audience),
  .def = "", .flags = CONF_EMPTY, .roles = ROLE_API,
  .text = "What aud of a token must be or have; needed for RS256 and ES256." },
{ .name = "user_claim", .type = CONF_NAME, .offset = IN(user_claim),
  .def = "sub", .roles = ROLE_API,
  .text = "The claim that has the id of the user here, a UUID." },
{ .name = "sign", .type = CONF_BOOL, .offset = IN(sign),
  .def = "no", .roles = ROLE_API,
  .text = "Does POST /login sign with it? One key of HS256 may." },
{ .name = NULL }
};
