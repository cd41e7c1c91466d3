/* A stream ends with the credentials by which it was begun. */
#include "streams_fixture.h"

/* A stream of a task that waits, with that token or key instead of mine, that
 * has been told of the task and is open. */
static void
stream_as(struct stream *s, const char *credential)
{
	const char *id = submit("noop", "1", "\"delay_seconds\":3600");
	char *mine = me.token;

	me.token = strdup(credential);
	stream_open(s, "api-2", id, "", 0);
	free(me.token);
	me.token = mine;
	UNTIL(stream_has(s, "event: CREATED"));
	UNTIL(stream_has(s, ": still here\n"));
	assert_false(s->over);
}

/* It ends whole, but not as if the task were final: its client comes again, and
 * is told that it may not. */
static void
must_end_early(struct stream *s)
{
	UNTIL(stream_is_whole(s));
	assert_null(strstr(s->text, "event: end"));
	stream_close(s);
	tables_clear();
	all_ended();
}

static void
a_stream_ends_with_its_key(void **state)
{
	struct stream s;
	const char *id;

	(void)state;
	assert_int_equal(
	    http_call(&me, "POST", "/api-keys", JSON_TYPE,
		"{\"name\":\"stream\",\"scopes\":[\"tasks:read\"]}"),
	    201);
	id = text("%s", str_of(http_json(&me), "id"));
	stream_as(&s, text("%s", str_of(http_json(&me), "key")));
	assert_int_equal(
	    http_call(&me, "DELETE", text("/api-keys/%s", id), NULL, NULL),
	    204);
	must_end_early(&s);
}

/* My token, but it has an end that is within what clocks may differ by: it is
 * good for 3 seconds more. By the secret of the stack. */
static char *
token_about_to_end(void)
{
	static const char program[] =
	    "my ($f, $t) = @ARGV; open my $h, '<', $f or die; "
	    "local $/; my $k = <$h>; $k =~ s/\\n\\z//; "
	    "my ($head, $body) = split /\\./, $t; "
	    "$body = decode_base64url($body); my $end = time - 57; "
	    "$body =~ s/\"exp\":\\d+/\"exp\":$end/ or die; "
	    "$body =~ s/\"(iat|nbf)\":\\d+/\"$1\":1/g; "
	    "$t = $head . '.' . encode_base64url($body); "
	    "print $t, '.', encode_base64url(hmac_sha256($t, $k));";
	const char *argv[] = { "/usr/bin/perl", "-MDigest::SHA=hmac_sha256",
		"-MMIME::Base64=encode_base64url,decode_base64url", "-e",
		program, stack_file("stack/jwt.secret"), me.token, NULL };
	char *out;

	if (run_program(argv, &out) != 0)
		fail_msg("%s", out);
	return out;
}

static void
a_stream_ends_with_its_token(void **state)
{
	char *token = token_about_to_end();
	struct stream s;

	(void)state;
	stream_as(&s, token);
	must_end_early(&s);
	free(token);
}

static void
a_stream_ends_with_its_user(void **state)
{
	char *mine = me.token;
	struct http other;
	struct stream s;

	(void)state;
	client_user(&other, part_port("api-1"), "leaver");
	me.token = other.token;
	stream_as(&s, other.token);
	me.token = mine;
	assert_int_equal(
	    http_call(&other, "POST", "/users/me/password", JSON_TYPE,
		"{\"old_password\":\"correct horse battery\","
		"\"new_password\":\"another horse battery\"}"),
	    204);
	must_end_early(&s);
	http_fini(&other);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_ends_with_its_key),
		cmocka_unit_test(a_stream_ends_with_its_token),
		cmocka_unit_test(a_stream_ends_with_its_user),
	};
	static const struct group group = {
		.name = "streams-access",
		.roles = "api=2",
		.conf = "stream_heartbeat = 200ms\n" LEDGER_CONF,
		.tests = tests,
		.ntests = NELEM(tests),
	};

	return group_run(&group, argc, argv);
}
