/*
 * TLS on a listener, with a client of OpenSSL in the same process; and who
 * speaks something else there does no harm.
 */
#include <signal.h>

#include "tls_fixture.h"

#define HOST "Host: x\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" HOST "\r\n"
#define REQUEST_MS 500

/* ---- the server ---- */
static int
start(void **state)
{
	static const struct http_conf conf = {
		.max_body = MAX_BODY,
		.max_header = MAX_HEADER,
		.max_connections = 3,
		.request_timeout_ms = REQUEST_MS,
		.idle_timeout_ms = 10000,
	};
	char err[256];

	(void)state;
	log_open(LOG_ERROR, LOG_TEXT, "test");
	server_start(&conf);
	assert_true(
	    http_set_tls(the_http, one.cert, one.key, err, sizeof(err)));
	assert_true(http_listen(the_http, "127.0.0.1:0", api_routes,
	    NELEM(api_routes), &n_served, err, sizeof(err)));
	tls_port = http_port(the_http);
	return 0;
}

static const struct conns *
tls_conns(void)
{
	return &TAILQ_LAST(&the_http->listeners, listener_list)->conns;
}

/* ---- that it works ---- */
static void
requests_are_answered(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_client c;
	struct answer a;

	(void)state;
	for (size_t i = 0; i < NELEM(versions); i++) {
		tls_open(&c, versions[i]);
		assert_true(shake_hands(&c));
		assert_int_equal(SSL_version(c.ssl), versions[i]);
		tls_says(&c, GET("/tasks/1") GET("/large"));
		tls_answer(&c, &a);
		assert_int_equal(a.status, 200);
		assert_memory_equal(a.body, "show:1", 6);
		buf_drain(&c.raw.in, a.size);
		tls_answer(&c, &a);
		assert_int_equal(a.body_len, 4 << 20);
		assert_int_equal(a.body[(4 << 20) - 1], 'x');
		tls_end(&c);
		UNTIL(tls_conns()->n == 0);
	}
}

static void
what_evhttp_refuses_is_a_problem(void **state)
{
	struct tls_client c;
	struct answer a;

	(void)state;
	tls_open(&c, 0);
	assert_true(shake_hands(&c));
	tls_says(&c, "nonsense\r\n\r\n");
	tls_answer(&c, &a);
	assert_problem(&a, 400);
	UNTIL(({
		tls_pump(&c);
		c.raw.eof;
	}));
	/* And the end is said, not torn off. */
	assert_true(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN);
	tls_end(&c);
}

static void
old_versions_are_refused(void **state)
{
	struct tls_client c;

	(void)state;
	tls_open(&c, TLS1_1_VERSION);
	SSL_set_cipher_list(c.ssl, "ALL:@SECLEVEL=0");
	assert_false(shake_hands(&c));
	tls_end(&c);
	UNTIL(tls_conns()->n == 0);
}

static void
http_1_1_is_agreed_upon(void **state)
{
	static const unsigned char both[] = "\x02h2\x08http/1.1";
	static const unsigned char h2[] = "\x02h2";
	const unsigned char *chosen;
	struct tls_client c;
	unsigned len;

	(void)state;
	tls_open(&c, 0);
	SSL_set_alpn_protos(c.ssl, both, sizeof(both) - 1);
	assert_true(shake_hands(&c));
	SSL_get0_alpn_selected(c.ssl, &chosen, &len);
	assert_int_equal(len, 8);
	assert_memory_equal(chosen, "http/1.1", 8);
	tls_end(&c);
	tls_open(&c, 0);
	SSL_set_alpn_protos(c.ssl, h2, sizeof(h2) - 1);
	assert_false(shake_hands(&c));
	tls_end(&c);
	UNTIL(tls_conns()->n == 0);
}

/* ---- other pairs ---- */
static void
pairs_change_and_broken_ones_do_not(void **state)
{
	struct tls_client before, after;
	struct answer a;
	char err[256], junk[] = "-----BEGIN CERTIFICATE-----\nAAAA\n";
	char *cut = strndup(one.cert, strlen(one.cert) / 2);
	char *chain;
	const struct {
		const char *cert, *key, *says;
	} bad[] = {
		{ "", one.key, "tls_cert" },
		{ junk, one.key, "tls_cert" },
		{ cut, one.key, "tls_cert" },
		{ one.cert, "", "tls_key" },
		{ one.cert, one.cert, "tls_key" },
		{ one.cert, two.key, "tls_key" },
		{ two.cert, one.key, "tls_key" },
	};

	(void)state;
	tls_open(&before, 0);
	assert_true(shake_hands(&before));
	assert_peer(&before, "one");
	for (size_t i = 0; i < NELEM(bad); i++) {
		err[0] = '\0';
		if (http_set_tls(
			the_http, bad[i].cert, bad[i].key, err, sizeof(err)))
			fail_msg("pair %zu is taken", i);
		assert_non_null(strstr(err, bad[i].says));
	}
	tls_open(&after, 0);
	assert_true(shake_hands(&after));
	assert_peer(&after, "one");
	tls_end(&after);
	assert_true(
	    http_set_tls(the_http, two.cert, two.key, err, sizeof(err)));
	tls_open(&after, 0);
	assert_true(shake_hands(&after));
	assert_peer(&after, "two");
	tls_end(&after);
	/* Who was there before goes on. */
	tls_says(&before, GET("/tasks/1"));
	tls_answer(&before, &a);
	assert_int_equal(a.status, 200);
	tls_end(&before);
	/* A chain, and one with a broken end. */
	assert_true(asprintf(&chain, "%s%s", two.cert, one.cert) > 0);
	assert_true(http_set_tls(the_http, chain, two.key, err, sizeof(err)));
	free(chain);
	assert_true(asprintf(&chain, "%s%s", two.cert, cut) > 0);
	assert_false(http_set_tls(the_http, chain, two.key, err, sizeof(err)));
	free(chain);
	free(cut);
	UNTIL(tls_conns()->n == 0);
}

/* ---- who does not speak it ---- */
static void
plain_http_is_closed(void **state)
{
	struct client c;
	struct answer a;

	(void)state;
	client_open(&c, tls_port);
	client_says(&c, GET("/tasks/1"));
	UNTIL(client_at_end(&c));
	assert_true(c.in.len == 0 || strncmp(c.in.data, "HTTP", 4) != 0);
	client_close(&c);
	UNTIL(tls_conns()->n == 0);
	assert_int_equal(n_served, 0);
	/* The other listeners are as they were. */
	ask(admin_port, GET("/metrics"), &a, true);
	assert_int_equal(a.status, 200);
}

/* Silent ones and slow ones: the handshake has its time, too. */
static void
a_handshake_that_never_ends(void **state)
{
	static const char hello[] = "\x16\x03\x01\x40\x00\x01\x00\x3f\xfc";
	int64_t start_us = clock_mono_us(), next = start_us;
	struct client silent, slow;

	(void)state;
	client_open(&silent, tls_port);
	client_open(&slow, tls_port);
	client_send(&slow, hello, sizeof(hello) - 1);
	UNTIL(({
		if (clock_mono_us() > next) {
			client_send(&slow, "a", 1);
			next += 20 * US_PER_MS;
		}
		client_at_end(&slow) && client_at_end(&silent);
	}));
	assert_true(ms_since(start_us) >= REQUEST_MS - 20);
	/* No plain text was said. */
	assert_int_equal(silent.in.len + slow.in.len, 0);
	client_close(&silent);
	client_close(&slow);
	UNTIL(tls_conns()->n == 0);
}

/* A slow request is told so, encrypted; and so is one too many. */
static void
last_words_are_encrypted(void **state)
{
	struct tls_client c;
	struct answer a;

	(void)state;
	tls_open(&c, 0);
	assert_true(shake_hands(&c));
	tls_says(&c, "GET /tas");
	tls_answer(&c, &a);
	assert_problem(&a, 408);
	tls_end(&c);
	UNTIL(tls_conns()->n == 0);
}

static void
what_is_left_is_written_at_the_end(void **state)
{
	struct tls_client c;
	struct answer a;

	(void)state;
	tls_open(&c, 0);
	assert_true(shake_hands(&c));
	tls_says(&c, GET("/wait"));
	UNTIL(n_waiting == 1);
	http_drain(the_http);
	release(0);
	UNTIL(http_in_flight(the_http) == 0);
	http_close(the_http);
	the_http = http_open(the_loop, &(struct http_conf){ 0 });
	tls_answer(&c, &a);
	assert_memory_equal(a.body, "wait:", 5);
	tls_end(&c);
}

static void
clients_that_vanish(void **state)
{
	struct linger hard = { .l_onoff = 1 };
	struct tls_client c;

	(void)state;
	for (int i = 0; i < 6; i++) {
		tls_open(&c, 0);
		if (i % 3 == 0)
			SSL_connect(c.ssl);
		else
			assert_true(shake_hands(&c));
		if (i % 3 == 2)
			tls_says(&c, GET("/large"));
		if (i >= 3)
			setsockopt(c.raw.fd, SOL_SOCKET, SO_LINGER, &hard,
			    sizeof(hard));
		tls_end(&c);
		UNTIL(tls_conns()->n == 0);
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, start, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(requests_are_answered),
		TEST(what_evhttp_refuses_is_a_problem),
		TEST(old_versions_are_refused),
		TEST(http_1_1_is_agreed_upon),
		TEST(pairs_change_and_broken_ones_do_not),
		TEST(plain_http_is_closed),
		TEST(a_handshake_that_never_ends),
		TEST(last_words_are_encrypted),
		TEST(what_is_left_is_written_at_the_end),
		TEST(clients_that_vanish),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, make_pairs, free_pairs);
}
