/*
 * Counting, and the text that says what was counted: Prometheus' text format
 * 0.0.4 (prometheus.io, Exposition formats).
 */
#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/metric.h"
#include "metric_private.h"

struct metric_out {
	struct buf *buf;
	const struct metric_row *row;
};

struct collector {
	void (*fn)(struct metric_out *, void *);
	void *arg;
};

int64_t metric_cells[METRIC_CELLS];
static struct collector collectors[METRIC_ROWS];

/* ---- counting ---- */
void
metric_observe_row(const struct metric_row *r, unsigned label, int64_t v)
{
	int64_t *cell =
	    &metric_cells[r->first + label * METRIC_CELLS_HISTOGRAM];
	unsigned i = 0;

	/* A clock that was set is no reason for a sum that falls. */
	if (v < 0)
		v = 0;
	while (i < METRIC_BUCKETS && v > r->bounds[i])
		i++;
	cell[i]++;
	cell[METRIC_BUCKETS + 1] += v;
}

void
metric_collect(
    enum metric_row_id id, void (*fn)(struct metric_out *, void *), void *arg)
{
	assert(metric_rows[id].type == METRIC_GAUGE ||
	    metric_rows[id].type == METRIC_TOTAL);
	collectors[id] = (struct collector){ fn, arg };
}

void
metric_forget(const void *arg)
{
	for (struct collector *c = collectors; c < collectors + METRIC_ROWS;
	     c++)
		if (c->arg == arg)
			*c = (struct collector){ NULL, NULL };
}

void
metric_reset(void)
{
	memset(metric_cells, 0, sizeof(metric_cells));
	memset(collectors, 0, sizeof(collectors));
	metric_routes_reset();
}

/* ---- writing ---- */
static bool
is_in_seconds(const struct metric_row *r)
{
	const char *unit = strstr(r->name, "_seconds");

	return unit != NULL &&
	    (unit[8] == '\0' || strcmp(unit + 8, "_total") == 0);
}

/* Whole numbers as they are; microseconds as seconds, and exactly. */
static void
add_value(struct buf *b, const struct metric_row *r, int64_t v)
{
	if (!is_in_seconds(r))
		buf_add_int(b, v);
	else if (v % US_PER_S == 0)
		buf_add_int(b, v / US_PER_S);
	else
		buf_addf(b, "%s%lld.%06lld", v < 0 ? "-" : "",
		    (long long)llabs(v / US_PER_S),
		    (long long)llabs(v % US_PER_S));
}

/* Backslash, quote and line feed are escaped, nothing else is special. */
static void
add_label_value(struct buf *b, const char *v)
{
	for (; *v != '\0'; v++) {
		if (*v == '\n') {
			buf_adds(b, "\\n");
			continue;
		}
		if (*v == '"' || *v == '\\')
			buf_addc(b, '\\');
		buf_addc(b, *v);
	}
}

struct labels {
	const char *name[4], *value[4];
	int n;
};

static void
label(struct labels *l, const char *name, const char *value)
{
	if (name == NULL || value == NULL)
		return;
	assert(l->n < (int)NELEM(l->name));
	l->name[l->n] = name;
	l->value[l->n++] = value;
}

static void
add_sample(
    struct buf *b, const char *name, const char *suffix, const struct labels *l)
{
	buf_adds(b, name);
	buf_adds(b, suffix);
	for (int i = 0; i < l->n; i++) {
		buf_addc(b, i == 0 ? '{' : ',');
		buf_adds(b, l->name[i]);
		buf_adds(b, "=\"");
		add_label_value(b, l->value[i]);
		buf_addc(b, '"');
	}
	if (l->n > 0)
		buf_addc(b, '}');
	buf_addc(b, ' ');
}

void
metric_put(
    struct metric_out *out, int64_t v, const char *first, const char *second)
{
	const struct metric_row *r = out->row;
	struct labels l = { .n = 0 };

	label(&l, metric_sets[r->set[0]].name, first);
	label(&l, metric_sets[r->set[1]].name, second);
	add_sample(out->buf, r->name, "", &l);
	add_value(out->buf, r, v);
	buf_addc(out->buf, '\n');
}

/* False: the set does not have that many. */
static bool
label_of_set(struct labels *l, enum metric_set set, unsigned i)
{
	const struct metric_set_def *s = &metric_sets[set];
	const char *value, *value2 = NULL;

	if (set == SET_NONE)
		return true;
	value = s->value(i, &value2);
	if (value == NULL)
		return false;
	label(l, s->name, value);
	label(l, s->name2, value2);
	return true;
}

static void
write_histogram(struct buf *b, const struct metric_row *r,
    const struct labels *l, const int64_t *cell)
{
	struct labels with_le = *l;
	int64_t count = 0;
	char le[32];

	label(&with_le, "le", le);
	for (int i = 0; i <= METRIC_BUCKETS; i++) {
		count += cell[i];
		if (i == METRIC_BUCKETS)
			snprintf(le, sizeof(le), "+Inf");
		else
			snprintf(le, sizeof(le), "%g",
			    is_in_seconds(r) ? (double)r->bounds[i] / US_PER_S
					     : (double)r->bounds[i]);
		add_sample(b, r->name, "_bucket", &with_le);
		buf_add_int(b, count);
		buf_addc(b, '\n');
	}
	add_sample(b, r->name, "_sum", l);
	add_value(b, r, cell[METRIC_BUCKETS + 1]);
	buf_addc(b, '\n');
	add_sample(b, r->name, "_count", l);
	buf_add_int(b, count);
	buf_addc(b, '\n');
}

static void
write_cells(struct buf *b, const struct metric_row *r)
{
	unsigned n = metric_sets[r->set[0]].n, n2 = metric_sets[r->set[1]].n;
	unsigned step =
	    r->type == METRIC_HISTOGRAM ? METRIC_CELLS_HISTOGRAM : 1;
	const int64_t *cell = &metric_cells[r->first];
	struct labels l;

	for (unsigned i = 0; i < n * n2; i++, cell += step) {
		l.n = 0;
		if (!label_of_set(&l, r->set[0], i / n2) ||
		    !label_of_set(&l, r->set[1], i % n2))
			continue;
		if (r->type == METRIC_HISTOGRAM) {
			write_histogram(b, r, &l, cell);
			continue;
		}
		add_sample(b, r->name, "", &l);
		add_value(b, r, *cell);
		buf_addc(b, '\n');
	}
}

/* Only what this process can know: a gauge of a role that it does not have is
 * left out, as if it were 0 it would be a lie. */
void
metric_write(struct buf *b, unsigned roles)
{
	const struct metric_row *r = metric_rows;
	const struct collector *c = collectors;
	bool is_asked;

	for (; r < metric_rows + METRIC_ROWS; r++, c++) {
		is_asked = r->type == METRIC_GAUGE || r->type == METRIC_TOTAL;
		if ((r->roles & roles) == 0 || (is_asked && c->fn == NULL))
			continue;
		buf_addf(b, "# HELP %s %s\n# TYPE %s %s\n", r->name, r->help,
		    r->name, metric_type_name(r->type));
		if (is_asked)
			c->fn(&(struct metric_out){ b, r }, c->arg);
		else
			write_cells(b, r);
	}
}
