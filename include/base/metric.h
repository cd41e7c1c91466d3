#ifndef TASKFLOW_BASE_METRIC_H
#define TASKFLOW_BASE_METRIC_H

/*
 * Metrics: counting is an addition to a cell of a static array. All of it on
 * one thread. What there is: base/metric_table.h.
 *
 *	metric_count(METRIC_SUBMITTED + PRIORITY_HIGH, 1);
 *	metric_observe(CLAIM_SECONDS, 0, us);
 */
#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/metric_table.h"

enum metric_type {
	METRIC_COUNTER, METRIC_LEVEL, METRIC_GAUGE, METRIC_TOTAL,
	METRIC_HISTOGRAM
};

struct metric_row {
	const char	 *name, *help;
	enum metric_type  type;
	const int64_t	 *bounds;	/* METRIC_BUCKETS of a histogram */
	unsigned	  roles;	/* enum role_bit */
	enum metric_set	  set[2];
	unsigned	  first;	/* cell */
};
extern const struct metric_row metric_rows[METRIC_ROWS];
extern int64_t metric_cells[METRIC_CELLS];

static inline void
metric_count(unsigned cell, int64_t n)
{
	metric_cells[cell] += n;
}

/* v in microseconds, or whatever the bounds are in. */
void metric_observe_row(const struct metric_row *, unsigned label, int64_t v);
#define metric_observe(id, label, v)					\
	metric_observe_row(&metric_rows[ROW_##id], (label), (v))

/*
 * A gauge is asked for: fn puts its samples. A label's value may be anything;
 * NULL for a label that the row does not have. v: microseconds, if the name
 * says seconds.
 */
struct metric_out;
void metric_collect(enum metric_row_id,
    void (*fn)(struct metric_out *, void *arg), void *arg);
/* Whatever arg collects for, it is going away. */
void metric_forget(const void *arg);
void metric_put(struct metric_out *, int64_t v, const char *label,
    const char *label2);

/* The number of a route among the label's values, always the same for the same
 * method and path (static storage); 0 when there are too many. */
unsigned metric_route(const char *method, const char *path);

/* All metrics of these roles, in Prometheus' text format 0.0.4. */
void metric_write(struct buf *, unsigned roles);
/* The table: for --list-metrics, and for the manual. */
void metric_list(FILE *);
void metric_mdoc(FILE *);
/* For tests: all cells zero, nobody collects, no routes. */
void metric_reset(void);

#endif
