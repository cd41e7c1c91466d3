/*
 * Large bodies, a few in each turn of the loop.
 *
 * To scan a megabyte of JSON takes milliseconds. When many of them are complete
 * at the same time, all others would wait for all of these, probes included: so
 * a turn begins with as many as there is room for, and the rest follows in the
 * turns after it, in order. Small ones never wait.
 */
#include <assert.h>

#include "http_private.h"

#define LARGE (8 * 1024)
#define ROOM (256 * 1024) /* bytes of large bodies in a turn */

struct room_place {
	TAILQ_ENTRY(room_place) link;
	struct flow *flow;
	size_t len;
};

/* The timer gives the next turn its room; it is armed while some is used. */
static void
begin(struct http_room *r, struct flow *flow, size_t len)
{
	if (r->used == 0)
		timer_arm_us(&r->again, 1);
	r->used += len;
	flow_go(flow);
}

/* At least one a turn, however large it is. */
static void
next_turn(struct loop_timer *t)
{
	struct http_room *r = container_of(t, struct http_room, again);
	struct room_place *p;

	r->used = 0;
	while ((p = TAILQ_FIRST(&r->places)) != NULL && r->used < ROOM) {
		TAILQ_REMOVE(&r->places, p, link);
		begin(r, p->flow, p->len);
	}
}

void
room_init(struct http_room *r, struct loop *loop)
{
	r->used = 0;
	TAILQ_INIT(&r->places);
	timer_init(&r->again, loop, next_turn);
}

void
room_fini(struct http_room *r)
{
	assert(TAILQ_EMPTY(&r->places));
	timer_fini(&r->again);
}

void
room_go(struct http_room *r, struct flow *flow, size_t body_len)
{
	struct room_place *p;

	if (body_len < LARGE) {
		flow_go(flow);
		return;
	}
	if (TAILQ_EMPTY(&r->places) && r->used < ROOM) {
		begin(r, flow, body_len);
		return;
	}
	p = arena_alloc(&flow->arena, sizeof(*p));
	p->flow = flow;
	p->len = body_len;
	TAILQ_INSERT_TAIL(&r->places, p, link);
}
