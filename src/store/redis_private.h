#ifndef TASKFLOW_STORE_REDIS_PRIVATE_H
#define TASKFLOW_STORE_REDIS_PRIVATE_H

/*
 * What the parts of the Redis client share: the client and its calls
 * (redis.c), a connection (redis_conn.c), making calls and reading replies
 * (redis_call.c), addresses (redis_url.c), messages (redis_listen.c).
 */
#include <hiredis/async.h>
#include <hiredis/hiredis.h>
#include <sys/queue.h>

#include "store/redis.h"

/* Arguments and commands of one call. */
#define CALL_MAX_BYTES (64 * 1024 * 1024)

struct redis_addr {
	char *host; /* NULL: a Unix socket */
	int port;
	char *path;
	char *user, *password; /* NULL: none */
	int db;
};

bool addr_parse(struct redis_addr *, const char *url, char *err, size_t);
void addr_copy(struct redis_addr *to, const struct redis_addr *from);
void addr_free(struct redis_addr *);

enum rcall_state { RCALL_NEW, RCALL_SENT, RCALL_DONE };

struct redis_call {
	struct op op;
	TAILQ_ENTRY(redis_call) link;
	struct redis *redis;
	enum rcall_state state;
	bool abandoned;
	bool tolerant;
	int64_t timeout_ms;
	int64_t deadline_us;
	int64_t sent_us;
	struct buf enc;	 /* the commands, as they go over the wire */
	struct buf ends; /* uint32_t: where each command ends in enc */
	size_t ncmds;
	struct redis_script *script; /* of the only command, if it is one */
	size_t script_args;	     /* where nkeys and arguments begin */
	size_t script_nargs;
	enum err err;
	struct arena arena; /* the replies */
	struct reply *replies;
	size_t nreplies;
};
TAILQ_HEAD(rcall_list, redis_call);

struct redis_listener;
TAILQ_HEAD(listener_list, redis_listener);

enum redis_state { REDIS_DOWN, REDIS_CONNECTING, REDIS_UP };

struct redis {
	struct loop *loop;
	struct thread_pool *threads;
	struct redis_addr addr;
	char *name;
	int server; /* a label of metrics; -1: it is not counted */
	int64_t timeout_ms;
	size_t max_pending;
	bool closing;
	bool told_down; /* what the log last said */

	enum redis_state state;
	redisAsyncContext *ac;
	struct loop_watch watch;
	struct loop_task flush;	 /* write what was queued in this turn */
	bool flushing;
	struct loop_timer timer; /* backoff when down, deadlines when up */
	int64_t timer_due_us;
	unsigned failures;
	struct flow *connecting;
	int64_t up_since_us;
	uint64_t generation;
	char last_error[256];

	struct rcall_list calls; /* in flight */
	size_t pending_bytes;
	int64_t last_call_us;

	struct listener_list listeners; /* share our connection's fate */
	void (*on_up)(struct redis *, void *arg);
	void *on_up_arg;
};

/* redis.c */
struct redis *redis_alloc(struct loop *, struct thread_pool *,
    const struct redis_addr *, const char *name, int64_t timeout_ms,
    size_t max_pending);
void redis_note_error(struct redis *, const char *);
/* When up: look at the deadlines again. */
void redis_watch_deadlines(struct redis *);
/* Give one command to hiredis; its reply comes to redis_on_reply. */
bool redis_submit(struct redis_call *);
void redis_on_reply(redisAsyncContext *, void *reply, void *call);
void rcall_finish(struct redis_call *, enum err);
enum err reply_error(const char *text);

/* redis_conn.c */
void rconn_init(struct redis *);
void rconn_start(struct redis *);
void rconn_fini(struct redis *);
/* Close it and try again; calls in flight fail. */
void rconn_drop(struct redis *, const char *why);

/* redis_call.c */
void rcall_free(struct redis_call *);
struct redis_call *rcall_alloc(struct redis *);
void reply_copy(struct arena *, const redisReply *from, struct reply *to);
/* The only command again, as EVAL with the script's text. */
void rcall_spell_out(struct redis_call *);

/* redis_listen.c */
void listeners_drop(struct redis *);

#endif
