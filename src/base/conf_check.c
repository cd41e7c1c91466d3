/* What no single value can say: whether they go together. */
#include "base/conf_table.h"
#include "base/crypt.h"

#define JWT_SECRET_MIN 32

static bool refuse(char *err, size_t size, const char *fmt, ...) PRINTF(3, 4);

static bool
refuse(char *err, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err, size, fmt, ap);
	va_end(ap);
	return false;
}

/* factor times the one option is at most the other one. */
struct order {
	unsigned roles;
	const char *small, *large;
	int64_t factor;
};

static const struct order orders[] = {
	{ ROLE_WORKER, "heartbeat_interval", "heartbeat_ttl", 3 },
	{ ROLE_MANAGER, "leader_renew", "leader_ttl", 3 },
	{ ROLE_MANAGER, "reconcile_interval", "full_pass_interval", 1 },
	{ ROLE_ALL, "retry_base", "retry_max", 1 },
	{ ROLE_API, "scale_min", "scale_max", 1 },
	{ ROLE_API, "shutdown_delay", "shutdown_timeout", 1 },
};

static int64_t
value_of(const struct conf *c, const char *name, struct buf *ret_text)
{
	bool twin;
	const struct conf_option *o = conf_find(conf_options, name, &twin);

	conf_value_get(o, c, ret_text);
	return *(const int64_t *)((const char *)c + o->offset);
}

static bool
check_order(const struct conf *c, const struct order *o, char *err, size_t size)
{
	struct buf small, large;
	bool good;

	buf_init(&small, 64);
	buf_init(&large, 64);
	good = value_of(c, o->small, &small) * o->factor <=
	    value_of(c, o->large, &large);
	if (!good)
		refuse(err, size,
		    "bad value of %s: \"%s\"; allowed is at most %s%s, which "
		    "is \"%s\"",
		    o->small, small.data, o->factor == 3 ? "a third of " : "",
		    o->large, large.data);
	buf_fini(&small);
	buf_fini(&large);
	return good;
}

/* With port 0 the system picks one, so the same address is two. */
static bool
is_same_address(const char *a, const char *b)
{
	const char *port = strrchr(a, ':');

	return strcmp(a, b) == 0 && port != NULL && strcmp(port, ":0") != 0;
}

static bool
check_secret(const char *what, const char *secret, char *err, size_t size)
{
	if (strlen(secret) >= JWT_SECRET_MIN)
		return true;
	return refuse(err, size,
	    "bad value of %s: \"***\" has %zu bytes; allowed are at least %d",
	    what, strlen(secret), JWT_SECRET_MIN);
}

/* Of somebody else: who it is from and for must be told. */
static bool
check_public_key(const struct conf_jwt_key *k, char *err, size_t size)
{
	bool rsa = k->alg == TOKEN_RS256;

	if (k->secret[0] != '\0' || k->sign)
		return refuse(err, size,
		    "[jwt_key %s] is a public key (alg), and has %s; allowed "
		    "are public_key_file, issuer and audience",
		    k->name, k->sign ? "sign = yes" : "a secret");
	if (k->issuer[0] == '\0' || k->audience[0] == '\0')
		return refuse(err, size,
		    "[jwt_key %s] has no %s; a public key needs issuer and "
		    "audience",
		    k->name, k->issuer[0] == '\0' ? "issuer" : "audience");
	if (rsa ? crypt_is_rsa_key(k->public_key)
		: crypt_is_p256_key(k->public_key))
		return true;
	return refuse(err, size,
	    "bad value of public_key in [jwt_key %s]; allowed is PEM, BEGIN "
	    "PUBLIC KEY, of %s",
	    k->name, rsa ? "RSA with 2048 to 8192 bits" : "the curve P-256");
}

static bool
check_key(const struct conf_jwt_key *k, char *err, size_t size)
{
	char what[128];

	if (k->alg != TOKEN_HS256)
		return check_public_key(k, err, size);
	snprintf(what, sizeof(what), "secret in [jwt_key %s]", k->name);
	if (k->public_key[0] != '\0')
		return refuse(err, size,
		    "[jwt_key %s] has the alg HS256 and a public_key; allowed "
		    "is a secret, or alg = RS256 or ES256",
		    k->name);
	return check_secret(what, k->secret, err, size);
}

static bool
check_keys(const struct conf *c, char *err, size_t size)
{
	const struct conf_jwt_key *k, *signs = NULL;

	for (k = c->jwt_keys; k != NULL; k = k->next) {
		if (!check_key(k, err, size))
			return false;
		if (k->sign && signs != NULL)
			return refuse(err, size,
			    "[jwt_key %s] and [jwt_key %s] have sign = yes; "
			    "allowed is one that signs",
			    signs->name, k->name);
		signs = k->sign ? k : signs;
	}
	if (c->jwt_secret[0] != '\0')
		return check_secret("jwt_secret", c->jwt_secret, err, size);
	if (signs != NULL)
		return true;
	return refuse(err, size,
	    "jwt_secret is not set, and the role api needs it: at least %d "
	    "bytes, best by jwt_secret_file; or a section [jwt_key NAME] with "
	    "sign = yes",
	    JWT_SECRET_MIN);
}

static bool
check_api(const struct conf *c, char *err, size_t size)
{
	if (!check_keys(c, err, size))
		return false;
	if ((c->tls_cert[0] == '\0') != (c->tls_key[0] == '\0'))
		return refuse(err, size,
		    "%s is not set, and the other one of tls_cert and "
		    "tls_key is; allowed are both or none",
		    c->tls_cert[0] == '\0' ? "tls_cert" : "tls_key");
	if (c->listen[0] == '\0')
		return refuse(err, size,
		    "bad value of listen: \"\"; the role api needs an address: "
		    "host:port, [IPv6]:port or :port");
	if (is_same_address(c->listen, c->admin_listen))
		return refuse(err, size,
		    "bad value of admin_listen: \"%s\" is what listen has; "
		    "allowed is another address or none",
		    c->admin_listen);
	return true;
}

static bool
check_worker(const struct conf *c, char *err, size_t size)
{
	if (!c->builtin_handlers && c->handlers == NULL)
		return refuse(err, size,
		    "bad value of builtin_handlers: \"no\", and there is no "
		    "section [handler NAME]: the role worker has nothing that "
		    "it can run; allowed is yes, or a section");
	return true;
}

bool
conf_check(const struct conf *c, unsigned roles, char *err, size_t err_size)
{
	if (roles == 0)
		return refuse(err, err_size,
		    "role is not set; allowed is --role=LIST with a comma list "
		    "of api, manager and worker, or all");
	if ((roles & ROLE_API) != 0 && !check_api(c, err, err_size))
		return false;
	if ((roles & ROLE_WORKER) != 0 && !check_worker(c, err, err_size))
		return false;
	for (size_t i = 0; i < NELEM(orders); i++)
		if ((roles & orders[i].roles) != 0 &&
		    !check_order(c, &orders[i], err, err_size))
			return false;
	return true;
}
