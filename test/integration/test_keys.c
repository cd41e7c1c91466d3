/* API keys and scopes: who may do what with which credentials. Two replicas of
 * the API. */
#include <pthread.h>

#include "access_fixture.h"
#include "support/ledger.h"

/* ---- making and listing ---- */
static void
a_key_is_shown_once(void **state)
{
	const cJSON *items;
	struct key key;

	(void)state;
	make_key(
	    &me, "\"tasks:read\",\"keys\"", ",\"expires_in_days\":30", &key);
	assert_int_equal(strlen(key.text), 46);
	assert_memory_equal(key.text, "tf_", 3);
	assert_memory_equal(str_of(http_json(&me), "prefix"), key.text, 11);
	assert_non_null(str_of(http_json(&me), "expires_at"));
	must_call(&me, "GET", "/api-keys", NULL, 200);
	assert_null(strstr(me.body, key.text));
	items = cJSON_GetObjectItem(http_json(&me), "items");
	assert_string_equal(str_of(cJSON_GetArrayItem(items, 0), "id"), key.id);
	assert_string_equal(raw_of("scopes"), "[\"tasks:read\",\"keys\"]");
	assert_null(str_of(cJSON_GetArrayItem(items, 0), "last_used_at"));
	/* Nobody who reads the database can use it. */
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.api_keys k "
				 "WHERE k::text LIKE '%%%s%%'",
			     key.text + 11),
	    0);
	assert_int_equal(sql_int("SELECT count(*) FROM taskflow.api_keys "
				 "WHERE hash = sha256('%s')",
			     key.text),
	    1);
	assert_int_equal(sql_int("SELECT extract(day FROM expires_at - "
				 "created_at) FROM taskflow.api_keys "
				 "WHERE id = '%s'",
			     key.id),
	    30);
	all_ended();
}

static void
a_key_is_sent_in_two_ways(void **state)
{
	static const char *const parts[] = { "api-1", "api-2" };
	struct key key;
	struct http h;
	size_t i;

	(void)state;
	make_key(&me, "\"tasks:read\"", "", &key);
	for (i = 0; i < 2; i++) {
		client_with(&h, parts[i], NULL);
		assert_int_equal(http_call(&h, "GET", "/tasks",
				     text("X-API-Key: %s\r\n", key.text), NULL),
		    200);
		assert_int_equal(
		    http_call(&h, "GET", "/tasks",
			text("authorization: bearer %s\r\n", key.text), NULL),
		    200);
		assert_int_equal(http_call(&h, "GET", "/tasks",
				     text("X-API-Key: %s\r\nAuthorization: "
					  "Bearer %s\r\n",
					 key.text, key.text),
				     NULL),
		    400);
		must_say(&h, "both given");
		http_fini(&h);
	}
	all_ended();
}

#define TEN "AAAAAAAAAA"

static void
wrong_credentials_are_refused(void **state)
{
	static const char *const headers[] = {
		"",
		"X-API-Key: \r\n",
		"X-API-Key: tf_short\r\n",
		"X-API-Key: tf_" TEN TEN TEN TEN "AAA\r\n",
		"X-API-Key: tf_" TEN TEN TEN TEN "AAAA\r\n",
		"X-API-Key: tf_" TEN TEN TEN TEN "AA+\r\n",
		"Authorization: Basic YTpi\r\n",
		"Authorization: Bearer\r\n",
		"Authorization: Bearer tf_\r\n",
		"Authorization: Bearer a.b.c\r\n",
	};
	struct http h;
	size_t i;

	(void)state;
	client_with(&h, "api-1", NULL);
	for (i = 0; i < NELEM(headers); i++) {
		if (http_call(&h, "GET", "/tasks", headers[i], NULL) != 401)
			fail_msg("%s: %d %s", headers[i], h.status, h.body);
		assert_non_null(http_header(&h, "WWW-Authenticate"));
		assert_int_equal(strstr(http_header(&h, "WWW-Authenticate"),
				     "invalid_token") != NULL,
		    i > 0);
	}
	http_fini(&h);
	all_ended();
}

static void
what_a_key_may_be_is_checked(void **state)
{
	static const struct {
		const char *body, *pointer;
	} cases[] = {
		{ "{\"scopes\":[\"keys\"]}", "/name" },
		{ "{\"name\":\"\",\"scopes\":[\"keys\"]}", "/name" },
		{ "{\"name\":\"a\"}", "/scopes" },
		{ "{\"name\":\"a\",\"scopes\":[]}", "/scopes" },
		{ "{\"name\":\"a\",\"scopes\":\"keys\"}", "/scopes" },
		{ "{\"name\":\"a\",\"scopes\":[\"key\"]}", "/scopes" },
		{ "{\"name\":\"a\",\"scopes\":[7]}", "/scopes" },
		{ "{\"name\":\"a\",\"scopes\":[\"keys\"],"
		  "\"expires_in_days\":0}",
		    "/expires_in_days" },
		{ "{\"name\":\"a\",\"scopes\":[\"keys\"],"
		  "\"expires_in_days\":3651}",
		    "/expires_in_days" },
		{ "{\"name\":\"a\",\"scopes\":[\"keys\"],\"days\":1}",
		    "/days" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < NELEM(cases); i++) {
		must_call(&me, "POST", "/api-keys", cases[i].body, 422);
		assert_string_equal(
		    str_of(
			cJSON_GetArrayItem(
			    cJSON_GetObjectItem(http_json(&me), "errors"), 0),
			"pointer"),
		    cases[i].pointer);
	}
	must_call(&me, "POST", "/api-keys",
	    "{\"name\":\"a\",\"scopes\":[\"keys\"],\"expires_in_days\":null}",
	    201);
	assert_null(str_of(http_json(&me), "expires_at"));
	all_ended();
}

static void
a_key_of_another_is_not_there(void **state)
{
	struct http other;
	struct key key;

	(void)state;
	make_key(&me, "\"keys\"", "", &key);
	client_user(&other, part_port("api-2"), "stranger");
	must_call(&other, "DELETE", text("/api-keys/%s", key.id), NULL, 404);
	must_call(&other, "DELETE", "/api-keys/12", NULL, 404);
	must_call(&other, "GET", "/api-keys", NULL, 200);
	assert_null(strstr(other.body, key.id));
	assert_int_equal(status_with("api-1", key.text, "/api-keys"), 200);
	/* Who has done it can be found in the log; with what, cannot. */
	UNTIL(part_logged("api-1", text("\"api_key\":\"%s\"", key.id)));
	assert_false(part_logged("api-1", key.text));
	must_call(&me, "DELETE", text("/api-keys/%s", key.id), NULL, 204);
	must_call(&me, "DELETE", text("/api-keys/%s", key.id), NULL, 404);
	http_fini(&other);
	all_ended();
}

/* ---- bounds ---- */
static void *
make_one(void *arg)
{
	struct http *h = arg;

	call_json(
	    h, "POST", "/api-keys", "{\"name\":\"b\",\"scopes\":[\"keys\"]}");
	return NULL;
}

static void
of_many_at_once_a_hundred_are_made(void **state)
{
	struct http user, h[8];
	pthread_t t[8];
	size_t i, made = 0;

	(void)state;
	client_user(&user, part_port("api-1"), "collector");
	sql("INSERT INTO taskflow.api_keys (id, user_id, scopes, prefix, name, "
	    "hash) SELECT gen_random_uuid(), u.id, 1, 'x', 'x', sha256(('k' || "
	    "n)::bytea) FROM taskflow.users u, generate_series(1, 97) n "
	    "WHERE username = 'collector'");
	for (i = 0; i < 8; i++) {
		client_with(&h[i], i % 2 == 0 ? "api-1" : "api-2", user.token);
		assert_int_equal(
		    pthread_create(&t[i], NULL, make_one, &h[i]), 0);
	}
	for (i = 0; i < 8; i++) {
		pthread_join(t[i], NULL);
		if (h[i].status != 201 && h[i].status != 409)
			fail_msg("%d %s", h[i].status, h[i].body);
		made += h[i].status == 201;
		http_fini(&h[i]);
	}
	assert_int_equal(made, 3);
	must_call(&user, "GET", "/api-keys", NULL, 200);
	assert_int_equal(
	    cJSON_GetArraySize(cJSON_GetObjectItem(http_json(&user), "items")),
	    100);
	http_fini(&user);
	all_ended();
}

/* ---- scopes ---- */
enum { R = 1, W = 2, K = 4, A = 8, ANY = 15 };
#define SOME_ID "019283a4-1234-7000-8000-0123456789ab"

/* All routes, and what they need; 0: nothing. */
static const struct {
	const char *method, *path;
	unsigned scope;
} routes[] = {
	{ "POST", "/users", 0 },
	{ "POST", "/login", 0 },
	{ "GET", "/users/me", ANY },
	{ "POST", "/users/me/password", K },
	{ "POST", "/users/{id}/disable", A },
	{ "POST", "/users/{id}/enable", A },
	{ "POST", "/api-keys", K },
	{ "GET", "/api-keys", K },
	{ "DELETE", "/api-keys/{id}", K },
	{ "POST", "/tasks", W },
	{ "POST", "/tasks/batch", W },
	{ "GET", "/tasks", R },
	{ "GET", "/tasks/{id}", R },
	{ "GET", "/tasks/{id}/events", R },
	{ "POST", "/tasks/retry", W },
	{ "POST", "/tasks/{id}/cancel", W },
	{ "POST", "/tasks/{id}/retry", W },
	{ "DELETE", "/tasks/{id}", W },
	{ "GET", "/tasks/{id}/explain", R },
	{ "GET", "/users/{id}/limits", A },
	{ "PUT", "/users/{id}/limits", A },
	{ "GET", "/autoscaling/{queue}", R },
	{ "GET", "/openapi.json", 0 },
	{ "GET", "/livez", 0 },
	{ "GET", "/readyz", 0 },
	{ "GET", "/status", 0 },
};
static const char *const scopes[] = { "tasks:read", "tasks:write", "keys",
	"admin" };

/* A route that is not in the table would be one that nobody looks at. */
static void
the_table_has_all_routes(void **state)
{
	char *source = read_file("src/role/api/api.c"), *line;
	char method[16], path[64], *copy;
	size_t i, n = 0;

	(void)state;
	if (source == NULL)
		skip(); /* not run in the checkout */
	copy = source;
	while ((line = strsep(&copy, "\n")) != NULL) {
		if (sscanf(line, "\t{ HTTP_%15[A-Z], \"%63[^\"]\"", method,
			path) != 2)
			continue;
		for (i = 0; i < NELEM(routes); i++)
			if (strcmp(routes[i].method, method) == 0 &&
			    strcmp(routes[i].path, path) == 0)
				break;
		if (i == NELEM(routes))
			fail_msg("%s %s is not in the table", method, path);
		n++;
	}
	assert_int_equal(n, NELEM(routes));
	free(source);
	all_ended();
}

static const char *
fill_id(const char *path)
{
	const char *at = strstr(path, "{id}");

	if (at == NULL)
		return path;
	return text("%.*s" SOME_ID "%s", (int)(at - path), path, at + 4);
}

static void
check_route(struct http *h, size_t r, unsigned has)
{
	bool may = routes[r].scope == 0 || (routes[r].scope & has) != 0;
	bool is_post = strcmp(routes[r].method, "POST") == 0;
	int status = call_json(h, routes[r].method, fill_id(routes[r].path),
	    is_post ? "{}" : NULL);
	const char *challenge = http_header(h, "WWW-Authenticate");

	if (may ? status == 403 || status < 200 || status == 500
		: status != 403)
		fail_msg("%s %s with the scopes %u: %d %s", routes[r].method,
		    routes[r].path, has, status, h->body);
	if (may)
		return;
	/* It names what is missing. */
	for (size_t i = 0; i < NELEM(scopes); i++)
		if (routes[r].scope == 1U << i) {
			must_say(h, text("needs the scope %s;", scopes[i]));
			assert_non_null(
			    strstr(challenge, text("scope=\"%s\"", scopes[i])));
		}
}

static void
each_route_wants_its_scope(void **state)
{
	struct http admin, h;
	struct key key;
	size_t s, r;

	(void)state;
	admin_at(&admin, "api-1");
	for (s = 0; s < NELEM(scopes); s++) {
		make_key(&admin, text("\"%s\"", scopes[s]), "", &key);
		client_with(&h, s % 2 == 0 ? "api-1" : "api-2", key.text);
		for (r = 0; r < NELEM(routes); r++)
			check_route(&h, r, 1U << s);
		http_fini(&h);
	}
	/* Tokens have all but admin, and those of administrators that, too. */
	for (r = 0; r < NELEM(routes); r++) {
		check_route(&me, r, R | W | K);
		check_route(&admin, r, R | W | K | A);
	}
	http_fini(&admin);
	all_ended();
}

static void
nobody_grants_what_he_has_not(void **state)
{
	struct http admin, h;
	struct key key, high;

	(void)state;
	make_key(&me, "\"keys\",\"tasks:read\"", "", &key);
	client_with(&h, "api-2", key.text);
	must_call(&h, "POST", "/api-keys",
	    "{\"name\":\"x\",\"scopes\":[\"tasks:read\",\"tasks:write\"]}",
	    403);
	must_say(&h, "tasks:write");
	must_call(&h, "POST", "/api-keys",
	    "{\"name\":\"x\",\"scopes\":[\"tasks:read\"]}", 201);
	http_fini(&h);
	must_call(&me, "POST", "/api-keys",
	    "{\"name\":\"x\",\"scopes\":[\"admin\"]}", 403);
	must_say(&me, "admin");
	/* Who is no administrator any more has a key that is worth nothing. */
	admin_at(&admin, "api-1");
	make_key(&admin, "\"admin\"", "", &high);
	client_with(&h, "api-2", high.text);
	must_call(&h, "POST", "/users/" SOME_ID "/enable", NULL, 404);
	sql("UPDATE taskflow.users SET role = 'user' WHERE username = 'root'");
	UNTIL(http_call(&h, "POST", "/users/" SOME_ID "/enable", NULL, NULL) ==
	    403);
	must_say(&h, "have none");
	sql("UPDATE taskflow.users SET role = 'admin' WHERE username = 'root'");
	http_fini(&h);
	http_fini(&admin);
	all_ended();
}

/* ---- when it was used ---- */
static int64_t
used_since(const struct key *key, int seconds)
{
	return sql_int("SELECT coalesce(last_used_at > now() - interval '%d s',"
		       " false)::int FROM taskflow.api_keys WHERE id = '%s'",
	    seconds, key->id);
}

static void
the_last_use_is_noted_once_a_minute(void **state)
{
	struct key a, b;

	(void)state;
	make_key(&me, "\"tasks:read\"", "", &a);
	make_key(&me, "\"tasks:read\"", "", &b);
	assert_int_equal(status_with("api-1", a.text, "/tasks"), 200);
	UNTIL(used_since(&a, 90) == 1);
	/* Half a minute ago is recent enough, a minute and a half is not. */
	sql("UPDATE taskflow.api_keys SET last_used_at = now() - interval "
	    "'30 s' WHERE id = '%s'",
	    a.id);
	redis_int(LOW, "FLUSHALL");
	assert_int_equal(status_with("api-1", a.text, "/tasks"), 200);
	assert_int_equal(status_with("api-1", b.text, "/tasks"), 200);
	UNTIL(used_since(&b, 90) == 1);
	assert_int_equal(used_since(&a, 29), 0);
	sql("UPDATE taskflow.api_keys SET last_used_at = now() - interval "
	    "'90 s' WHERE id = '%s'",
	    a.id);
	redis_int(LOW, "FLUSHALL");
	assert_int_equal(status_with("api-1", a.text, "/tasks"), 200);
	UNTIL(used_since(&a, 29) == 1);
	all_ended();
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(a_key_is_shown_once),
	cmocka_unit_test(a_key_is_sent_in_two_ways),
	cmocka_unit_test(wrong_credentials_are_refused),
	cmocka_unit_test(what_a_key_may_be_is_checked),
	cmocka_unit_test(a_key_of_another_is_not_there),
	cmocka_unit_test(of_many_at_once_a_hundred_are_made),
	cmocka_unit_test(the_table_has_all_routes),
	cmocka_unit_test(each_route_wants_its_scope),
	cmocka_unit_test(nobody_grants_what_he_has_not),
	cmocka_unit_test(the_last_use_is_noted_once_a_minute),
};

int
main(int argc, char **argv)
{
	struct group g = { "keys", "api=2", "", tests, NELEM(tests) };

	return group_run(&g, argc, argv);
}
