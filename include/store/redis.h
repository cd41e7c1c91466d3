#ifndef TASKFLOW_STORE_REDIS_H
#define TASKFLOW_STORE_REDIS_H

/*
 * Redis, asynchronously: one connection with its own deadlines (hiredis 0.14
 * has none), AUTH and SELECT before anything else, reconnect with backoff and
 * full jitter. A call is one or more commands sent together; it is answered
 * when all its replies are there. A lost connection or a passed deadline is
 * ERR_UNAVAILABLE: the outcome is unknown, and nothing is sent again.
 *
 * A blocking command occupies its connection: give it one of its own.
 */
#include "base/id.h"
#include "loop/flow.h"
#include "loop/thread.h"

struct redis;
struct redis_call;

struct redis_conf {
	const char *url;	/* redis://[user:password@]host:port[/db], or
				 * unix:///path[?db=N&password=...] */
	const char *name;	/* for logs: "high", "low", "high-wait" */
	int64_t	    timeout_ms;	/* of a call */
	size_t	    max_pending_bytes; /* refuse more with ERR_OVERLOADED */
};

/* NULL: the URL is unusable, one line in err. */
struct redis *redis_open(struct loop *, struct thread_pool *,
    const struct redis_conf *, char *err, size_t err_size);
void redis_close(struct redis *);
bool redis_is_up(const struct redis *);
/* Since when it is up without a break (monotonic); 0: it is down. */
int64_t redis_up_since_us(const struct redis *);
/* Times it came up so far: changes tell a reconnect. */
uint64_t redis_generation(const struct redis *);
const char *redis_last_error(const struct redis *);
int64_t redis_last_call_us(const struct redis *);	/* latency; 0: none yet */

/* ---- making a call ---- */
struct redis_call *redis_call_new(struct redis *);
/* A command of n arguments follows, the command's name among them. */
void redis_begin(struct redis_call *, size_t nargs);
void redis_arg(struct redis_call *, struct span);
void redis_arg_str(struct redis_call *, const char *);
void redis_arg_int(struct redis_call *, int64_t);
void redis_arg_id(struct redis_call *, const struct id *);	/* as text */
/* A whole command of NUL-terminated arguments; end the list with NULL. */
void redis_cmd(struct redis_call *, ...) __attribute__((sentinel));
/* Blocking commands: their own time-out plus a margin. */
void redis_call_timeout_ms(struct redis_call *, int64_t ms);

/* A Lua script: EVALSHA, with EVAL on NOSCRIPT. A call has one script and no
 * other command. Then redis_arg... for keys and arguments. */
struct redis_script {
	const char *name;
	const char *text;
	char	    sha1[41];	/* filled at the first use */
};
void redis_begin_script(struct redis_call *, struct redis_script *,
    size_t nkeys, size_t nargs);

/*
 * Waits. The call lives in the flow's arena from here on, with its replies.
 * Ends with ERR_UNAVAILABLE (also for LOADING, READONLY, MISCONF, NOAUTH),
 * ERR_OVERLOADED (too much pending, or OOM), ERR_INTERNAL (any other error
 * reply: a bug of ours, logged).
 */
enum flow_next redis_run(struct redis_call *, struct flow *) MUST_USE;
/* The same, but the flow goes on whatever comes: see redis_call_err. */
enum flow_next redis_try(struct redis_call *, struct flow *) MUST_USE;
enum err redis_call_err(const struct redis_call *);
/* Nobody waits: the answer is dropped. */
void redis_send(struct redis_call *);

/* ---- replies ---- */
enum reply_type { REPLY_NIL, REPLY_INT, REPLY_STR, REPLY_ARRAY, REPLY_ERROR };
struct reply {
	enum reply_type	    type;
	int64_t		    integer;
	struct span	    str;	/* STR (status, too) and ERROR */
	size_t		    n;		/* ARRAY */
	const struct reply *elem;
};
/* Of the call's command number i, from 0; NULL before the answer. */
const struct reply *redis_reply(const struct redis_call *, size_t i);

/* ---- messages: a connection of its own that only listens ---- */
struct redis_listener;
struct redis_listener *redis_listen(struct redis *, const char *channel,
    void (*fn)(void *arg, struct span message), void *arg);
void redis_unlisten(struct redis_listener *);

#endif
