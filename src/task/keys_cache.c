/* Whose key it is, as redis-low remembers it. See task/keys.h for how an entry
 * is never older than a revocation. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crypt.h"
#include "sql.h"
#include "task/keys.h"

#define CACHE_PREFIX "taskflow:cache:key:"
#define CACHE_KEY_SIZE (sizeof(CACHE_PREFIX) + KEY_HASH_SIZE)
#define ENTRY_MARK "key1 " /* another form gets another number */
#define ENTRY_MAX 160

static struct redis_script fill_script = { "key_fill", lua_key_fill, "" };

static const char *
cache_key(char buf[CACHE_KEY_SIZE], const char *hash)
{
	snprintf(buf, CACHE_KEY_SIZE, "%s%s", CACHE_PREFIX, hash);
	return buf;
}

void
key_promise_new(char ret[KEY_PROMISE_SIZE])
{
	snprintf(ret, KEY_PROMISE_SIZE, "?%016" PRIx64 "%016" PRIx64,
	    crypt_random_u64(), crypt_random_u64());
}

/* It asks for what is there, and leaves the promise if it is nothing. */
struct redis_call *
key_cache_ask(struct redis *r, const char *hash, const char *promise)
{
	struct redis_call *c = redis_call_new(r);
	char key[CACHE_KEY_SIZE];

	redis_begin(c, 7);
	redis_arg_str(c, "SET");
	redis_arg_str(c, cache_key(key, hash));
	redis_arg_str(c, promise);
	redis_arg_str(c, "NX");
	redis_arg_str(c, "GET");
	redis_arg_str(c, "PX");
	redis_arg_int(c, KEY_PROMISE_MS);
	return c;
}

static bool
next_number(const char **p, int64_t *ret)
{
	char *end;

	*ret = strtoll(*p, &end, 10);
	if (end == *p || (*end != ' ' && *end != '\0'))
		return false;
	*p = end;
	return true;
}

static bool
next_id(const char **p, struct id *ret)
{
	if (strlen(*p) <= ID_TEXT_LEN || !id_parse(*p, ID_TEXT_LEN, ret))
		return false;
	*p += ID_TEXT_LEN + 1;
	return true;
}

bool
key_cache_read(const struct reply *rep, struct key_info *ret)
{
	char text[ENTRY_MAX];
	const char *p = text + strlen(ENTRY_MARK);
	struct key_info info = { .unnoted = false };
	int64_t scopes, admin;

	if (rep == NULL || rep->type != REPLY_STR ||
	    rep->str.len >= sizeof(text))
		return false;
	memcpy(text, rep->str.p, rep->str.len);
	text[rep->str.len] = '\0';
	if (strncmp(text, ENTRY_MARK, strlen(ENTRY_MARK)) != 0 ||
	    !next_id(&p, &info.id) || !next_id(&p, &info.user_id) ||
	    !next_number(&p, &scopes) || !next_number(&p, &admin) ||
	    !next_number(&p, &info.expires_us) || *p != '\0')
		return false;
	info.scopes = (unsigned)scopes;
	info.admin = admin != 0;
	*ret = info;
	return true;
}

static void
write_entry(const struct key_info *k, char ret[ENTRY_MAX])
{
	char id[ID_TEXT_SIZE], user[ID_TEXT_SIZE];

	id_format(&k->id, id);
	id_format(&k->user_id, user);
	snprintf(ret, ENTRY_MAX, ENTRY_MARK "%s %s %u %d %" PRId64, id, user,
	    k->scopes, k->admin, k->expires_us);
}

struct redis_call *
key_cache_fill(struct redis *r, const char *hash, const char *promise,
    const struct key_info *k)
{
	struct redis_call *c = redis_call_new(r);
	char key[CACHE_KEY_SIZE], entry[ENTRY_MAX] = "";

	if (k != NULL)
		write_entry(k, entry);
	redis_begin_script(c, &fill_script, 1, 3);
	redis_arg_str(c, cache_key(key, hash));
	redis_arg_str(c, promise);
	redis_arg_str(c, entry);
	redis_arg_int(c, KEY_ENTRY_MS);
	return c;
}

struct redis_call *
key_cache_drop(struct redis *r, const struct pg_call *hashes)
{
	struct redis_call *c = redis_call_new(r);
	char key[CACHE_KEY_SIZE], hash[KEY_HASH_SIZE];
	struct span text;
	int i;

	redis_begin(c, (size_t)pg_rows(hashes) + 1);
	redis_arg_str(c, "DEL");
	for (i = 0; i < pg_rows(hashes); i++) {
		text = pg_span(hashes, i, 0);
		snprintf(hash, sizeof(hash), "%.*s", (int)text.len, text.p);
		redis_arg_str(c, cache_key(key, hash));
	}
	return c;
}
