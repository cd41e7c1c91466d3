#ifndef TASKFLOW_ROLE_APP_H
#define TASKFLOW_ROLE_APP_H

/*
 * The composition root: what a process has, and the roles it plays. Lower
 * floors never see this; they are handed exactly what they need.
 */
#include "base/conf.h"
#include "loop/http.h"
#include "store/pg.h"
#include "store/redis.h"
#include "task/task.h"

struct app;

/*
 * A role. main asks for it by name once; after that nobody asks which role
 * this is. start is called when the servers were found fit; it returns the
 * role's state, or NULL with one line in err.
 */
struct role {
	const char *name;
	unsigned    bit;	/* enum role_bit */
	void	 *(*start)(struct app *, char *err, size_t err_size);
	void	  (*drain)(void *state);	/* take no more work */
	/* The configuration has changed (SIGHUP). May be NULL. */
	void	  (*reload)(void *state);
	bool	  (*idle)(const void *state);	/* nothing is left to do */
	/* How much is left to do, for people; may be NULL. */
	size_t	  (*running)(const void *state);
	/* The time to finish is over: give back what is left. Then idle comes
	 * true soon. May be NULL. */
	void	  (*hurry)(void *state);
	void	  (*stop)(void *state);		/* free; its flows have ended */
	/* Is its own loop turning? For /livez; may be NULL. */
	bool	  (*alive)(const void *state);
};
extern const struct role role_api, role_manager, role_worker;

enum app_state {
	APP_STARTING,	/* waits for the servers */
	APP_READY,
	APP_DRAINING	/* takes no more work, finishes what it has */
};

struct app {
	struct loop	   *loop;
	struct conf	   *conf;
	bool	  (*read_again)(struct conf *, char *err, size_t); /* SIGHUP */
	struct thread_pool *threads;
	struct pg	   *pg;
	struct redis	   *redis[2];	/* by enum task_priority: low, high */
	struct http	   *http;
	struct id	    instance;	/* of this process start */
	enum app_state	    state;
	const struct role  *roles[3];
	void		   *states[3];	/* of the roles; NULL: not started */
	int		    nroles;
	int		    exit_code;
	char		    fatal[512];	/* why we must not run; "" none */
	struct flow	   *check;	/* the start check, while it runs */
	struct loop_timer   drain_timer;
	int64_t		    accept_until_us; /* shutdown_delay */
	int64_t		    drain_until_us;
	int64_t		    told_us;	/* how the draining goes: when last */
	struct service	   *service;	/* service.c */
};

/* Opens everything and starts to wait for the servers. NULL: one line in err.
 * read_again reads the configuration from all its sources once more. */
struct app *app_open(struct conf *,
    bool (*read_again)(struct conf *, char *err, size_t), char *err,
    size_t err_size);
/* Runs until a signal has ended it; the exit code. */
int app_run(struct app *);
void app_close(struct app *);

/* Is the loop of each role turning? *ret_role: of which it is not. */
bool app_is_alive(const struct app *, const char **ret_role);
/* Listen on the socket of that name that we were started with, else at the
 * address. */
bool app_listen(struct app *, const char *name, const char *addr,
    const struct route *, size_t, char *err, size_t err_size);

/* Every role serves these: /livez, /readyz, /status, /metrics. */
extern const struct route ops_routes[];
extern const size_t ops_nroutes;
extern const struct flow_def livez_flow, readyz_flow, status_flow,
    metrics_flow;

#endif
