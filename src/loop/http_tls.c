/*
 * TLS for listeners, by OpenSSL through libevent's bufferevents: 1.2 and newer,
 * http/1.1 alone (RFC 7301), nothing resumed from a cache of ours. A pair is
 * looked at whole before it is used, so a broken one changes nothing; a new one
 * is for the connections that come.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "http_private.h"

/* A key with a password is not asked for one: nobody sits there. */
static int
no_password(char *buf, int size, int writing, void *arg)
{
	(void)buf;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static int
choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_len,
    const unsigned char *offered, unsigned len, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, ret_len, ours, sizeof(ours) - 1,
		offered, len) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static bool
use_chain(SSL_CTX *ctx, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	X509 *cert = PEM_read_bio_X509(bio, NULL, no_password, NULL);
	bool good = cert != NULL && SSL_CTX_use_certificate(ctx, cert) == 1;

	X509_free(cert);
	while (good &&
	    (cert = PEM_read_bio_X509(bio, NULL, no_password, NULL)) != NULL)
		if (SSL_CTX_add0_chain_cert(ctx, cert) != 1) {
			X509_free(cert);
			good = false;
		}
	/* What ends a list of them is that there is no further beginning. */
	good = good &&
	    ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
	BIO_free(bio);
	ERR_clear_error();
	return good;
}

static bool
use_key(SSL_CTX *ctx, const char *pem)
{
	BIO *bio = BIO_new_mem_buf(pem, -1);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	bool good = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) == 1;

	EVP_PKEY_free(key);
	BIO_free(bio);
	ERR_clear_error();
	return good;
}

static SSL_CTX *
make_ctx(void)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (ctx == NULL ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1)
		abort();
	SSL_CTX_set_options(
	    ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
	return ctx;
}

bool
http_set_tls(struct http *h, const char *cert, const char *key, char *err,
    size_t err_size)
{
	SSL_CTX *ctx = make_ctx();
	const char *why = NULL;

	if (!use_chain(ctx, cert))
		why = "tls_cert is no certificate in PEM";
	else if (!use_key(ctx, key))
		why = "tls_key is no private key in PEM without a password, or "
		      "not the one of tls_cert";
	else if (SSL_CTX_check_private_key(ctx) != 1)
		why = "tls_key is not the key of tls_cert";
	ERR_clear_error();
	if (why != NULL) {
		snprintf(err, err_size, "%s", why);
		SSL_CTX_free(ctx);
		return false;
	}
	SSL_CTX_free(h->tls); /* connections hold on to theirs */
	h->tls = ctx;
	return true;
}

void
tls_close(struct http *h)
{
	SSL_CTX_free(h->tls);
}

struct bufferevent *
tls_bufferevent(struct http *h, struct event_base *base)
{
	SSL *ssl = SSL_new(h->tls);
	struct bufferevent *bev;

	if (ssl == NULL)
		abort();
	bev = bufferevent_openssl_socket_new(
	    base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
	if (bev == NULL)
		abort();
	/* Most clients just close; a length says if something is missing. */
	bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
	return bev;
}

/* Not before the handshake: there is nobody yet to whom we could speak. */
bool
tls_say(struct bufferevent *bev, const char *text, size_t len)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	bool said =
	    SSL_is_init_finished(ssl) && SSL_write(ssl, text, (int)len) > 0;

	ERR_clear_error();
	return said;
}

void
tls_flush(struct bufferevent *bev)
{
	struct evbuffer *out = bufferevent_get_output(bev);
	SSL *ssl = bufferevent_openssl_get_ssl(bev);
	size_t len;
	int n = 1;

	while (SSL_is_init_finished(ssl) && n > 0 &&
	    (len = evbuffer_get_contiguous_space(out)) > 0) {
		n = SSL_write(
		    ssl, evbuffer_pullup(out, (ev_ssize_t)len), (int)len);
		if (n > 0)
			evbuffer_drain(out, (size_t)n);
	}
	ERR_clear_error();
}

/* So that the client knows that nothing was cut off (RFC 8446, 6.1). */
void
tls_goodbye(struct bufferevent *bev)
{
	SSL *ssl = bufferevent_openssl_get_ssl(bev);

	if (SSL_is_init_finished(ssl))
		SSL_shutdown(ssl);
	ERR_clear_error();
}
