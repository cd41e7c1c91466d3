#ifndef TASKFLOW_TEST_TLS_FIXTURE_H
#define TASKFLOW_TEST_TLS_FIXTURE_H

/* Certificates, and a client of OpenSSL that is driven by the loop of
 * http_fixture.h. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "http_fixture.h"

static int tls_port;

/* ---- certificates ---- */
struct pair {
	char *cert, *key;
};
static struct pair one, two;

static inline char *
taken(BIO *bio)
{
	char *data, *text;
	long len = BIO_get_mem_data(bio, &data);

	text = strndup(data, (size_t)len);
	BIO_free(bio);
	return text;
}

static inline struct pair
make_pair(const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = X509_new();
	BIO *c = BIO_new(BIO_s_mem()), *k = BIO_new(BIO_s_mem());
	X509_NAME *n = X509_get_subject_name(x);

	X509_set_version(x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(
	    n, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
	X509_set_issuer_name(x, n);
	X509_set_pubkey(x, key);
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	PEM_write_bio_X509(c, x);
	PEM_write_bio_PrivateKey(k, key, NULL, NULL, 0, NULL, NULL);
	X509_free(x);
	EVP_PKEY_free(key);
	return (struct pair){ taken(c), taken(k) };
}

static inline int
make_pairs(void **state)
{
	(void)state;
	one = make_pair("one");
	two = make_pair("two");
	return 0;
}

static inline int
free_pairs(void **state)
{
	(void)state;
	free(one.cert);
	free(one.key);
	free(two.cert);
	free(two.key);
	return 0;
}

/* ---- a client ---- */
struct tls_client {
	struct client raw;
	SSL_CTX *ctx;
	SSL *ssl;
	bool failed;
};

static inline void
tls_open(struct tls_client *c, int max_version)
{
	client_open(&c->raw, tls_port);
	c->failed = false;
	c->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(c->ctx, 0);
	if (max_version != 0)
		SSL_CTX_set_max_proto_version(c->ctx, max_version);
	c->ssl = SSL_new(c->ctx);
	SSL_set_fd(c->ssl, c->raw.fd);
}

static inline void
tls_end(struct tls_client *c)
{
	SSL_free(c->ssl);
	SSL_CTX_free(c->ctx);
	client_close(&c->raw);
	ERR_clear_error();
}

/* Of what SSL_connect and others return: shall we try once more? */
static inline bool
again(struct tls_client *c, int rc)
{
	int why = SSL_get_error(c->ssl, rc);

	if (rc > 0)
		return false;
	if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
		return true;
	c->failed = true;
	return false;
}

static inline bool
shake_hands(struct tls_client *c)
{
	UNTIL(!again(c, SSL_connect(c->ssl)));
	return !c->failed;
}

static inline void
tls_says(struct tls_client *c, const char *text)
{
	last_said = text;
	UNTIL(!again(c, SSL_write(c->ssl, text, (int)strlen(text))));
	assert_false(c->failed);
}

/* What has come, decrypted, is put where the plain client keeps it. */
static inline void
tls_pump(struct tls_client *c)
{
	char chunk[16384];
	int n;

	while (!c->raw.eof) {
		n = SSL_read(c->ssl, chunk, sizeof(chunk));
		if (n > 0)
			buf_add(&c->raw.in, chunk, (size_t)n);
		else if (!again(c, n))
			c->raw.eof = true;
		else
			break;
	}
}

static inline bool
tls_has_answer(struct tls_client *c, struct answer *a)
{
	char value[256];
	const char *end;

	tls_pump(c);
	end = c->raw.in.len == 0 ? NULL : strstr(c->raw.in.data, "\r\n\r\n");
	if (end == NULL)
		return false;
	a->size = (size_t)(end - c->raw.in.data) + 4;
	assert_true(a->size < sizeof(a->head));
	memcpy(a->head, c->raw.in.data, a->size);
	a->head[a->size] = '\0';
	assert_int_equal(sscanf(a->head, "HTTP/1.1 %d ", &a->status), 1);
	if (header_of(a, "Content-Length", value) != NULL)
		a->body_len = strtoul(value, NULL, 10);
	a->body = c->raw.in.data + a->size;
	a->size += a->body_len;
	return c->raw.in.len >= a->size;
}

static inline void
tls_answer(struct tls_client *c, struct answer *a)
{
	memset(a, 0, sizeof(*a));
	UNTIL(tls_has_answer(c, a) || c->raw.eof);
	if (!tls_has_answer(c, a))
		fail_msg("no answer to %s", last_said);
}

static inline void
assert_peer(struct tls_client *c, const char *name)
{
	X509 *x = SSL_get1_peer_certificate(c->ssl);
	char text[64];

	assert_non_null(x);
	X509_NAME_get_text_by_NID(
	    X509_get_subject_name(x), NID_commonName, text, sizeof(text));
	assert_string_equal(text, name);
	X509_free(x);
}

#endif
