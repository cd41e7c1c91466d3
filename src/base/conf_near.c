/* Which option was meant? */
#include "base/conf_table.h"

/* The number of letters to insert, delete or replace to make b of a, row by row
 * of the usual table; only one row is kept. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[CONF_NAME_SIZE + 1], n = strnlen(b, CONF_NAME_SIZE);
	size_t left_above, above, best;

	for (size_t k = 0; k <= n; k++)
		row[k] = k;
	for (size_t i = 0; i < CONF_NAME_SIZE && a[i] != '\0'; i++) {
		left_above = row[0]++;
		for (size_t k = 1; k <= n; k++) {
			above = row[k];
			best = left_above + (a[i] != b[k - 1]);
			if (above + 1 < best)
				best = above + 1;
			if (row[k - 1] + 1 < best)
				best = row[k - 1] + 1;
			row[k] = best;
			left_above = above;
		}
	}
	return row[n];
}

struct guess {
	const char *name;
	size_t distance;
	char *best; /* CONF_NAME_SIZE */
};

static void
consider(struct guess *g, bool flag, const char *name, const char *suffix)
{
	char candidate[CONF_NAME_SIZE];
	size_t d;

	snprintf(candidate, sizeof(candidate), "%s%s", name, suffix);
	for (char *p = candidate; flag && *p != '\0'; p++)
		if (*p == '_')
			*p = '-';
	d = distance(g->name, candidate);
	if (d >= g->distance)
		return;
	g->distance = d;
	memcpy(g->best, candidate, sizeof(candidate));
}

void
conf_nearest(const struct conf_option *table, bool flag, const char *name,
    char ret[CONF_NAME_SIZE])
{
	struct guess g = { name, SIZE_MAX, ret };
	const struct conf_action_row *a;
	const struct conf_option *o;

	for (o = table; o->name != NULL; o++) {
		if (!flag && (o->flags & CONF_NO_FILE) != 0)
			continue;
		consider(&g, flag, o->name, "");
		if ((o->flags & CONF_SECRET) != 0)
			consider(&g, flag, o->name, "_file");
	}
	for (a = conf_actions; flag && a->name != NULL; a++)
		consider(&g, flag, a->name, "");
	if (!flag && table == conf_options)
		consider(&g, flag, "include", "");
}
