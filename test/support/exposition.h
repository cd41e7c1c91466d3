#ifndef TASKFLOW_TEST_EXPOSITION_H
#define TASKFLOW_TEST_EXPOSITION_H

/*
 * A strict reader of Prometheus' text format 0.0.4, for unit and integration
 * tests: HELP and TYPE before the samples of a metric, each metric once, no
 * sample twice, counters end in _total, histograms are complete, cumulative and
 * agree with their _count.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPO_LINES 8192

struct exposition {
	char name[128], type[32], series[1024]; /* of the metric being read */
	bool has_help, has_samples;
	/* of the histogram series being read */
	double last_le, last_count;
	bool saw_inf, saw_sum;
	const char *seen[EXPO_LINES]; /* samples, to the end of their labels */
	size_t seen_len[EXPO_LINES];
	size_t nseen;
	const char *metrics[512];
	size_t nmetrics;
	char names[512][128];
};

static inline size_t
expo_name_len(const char *p)
{
	size_t n = 0;

	if (!isalpha((unsigned char)p[0]) && p[0] != '_')
		return 0;
	while (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == ':')
		n++;
	return n;
}

/* Behind the labels; NULL if they are wrong. */
static inline const char *
expo_labels(const char *p)
{
	size_t n;

	if (*p != '{')
		return p;
	do {
		p++;
		n = expo_name_len(p);
		if (n == 0 || p[n] != '=' || p[n + 1] != '"')
			return NULL;
		for (p += n + 2; *p != '"'; p++) {
			if (*p == '\n' || *p == '\0')
				return NULL;
			if (*p == '\\' && strchr("\\\"n", *++p) == NULL)
				return NULL;
		}
		p++;
	} while (*p == ',');
	return *p == '}' ? p + 1 : NULL;
}

static inline const char *
expo_head(struct exposition *e, const char *line)
{
	bool help = strncmp(line, "# HELP ", 7) == 0;
	size_t n = expo_name_len(line + 7);

	if ((!help && strncmp(line, "# TYPE ", 7) != 0) || n == 0 || n > 120 ||
	    line[7 + n] != ' ')
		return "a comment that is neither HELP nor TYPE of a metric";
	if (help) {
		for (size_t i = 0; i < e->nmetrics; i++)
			if (strlen(e->names[i]) == n &&
			    strncmp(e->names[i], line + 7, n) == 0)
				return "a metric twice";
		if (e->nmetrics == 512)
			return "too many metrics";
		snprintf(e->name, sizeof(e->name), "%.*s", (int)n, line + 7);
		strcpy(e->names[e->nmetrics++], e->name);
		e->type[0] = '\0';
		e->series[0] = '\0';
		return NULL;
	}
	if (strlen(e->name) != n || strncmp(e->name, line + 7, n) != 0)
		return "TYPE without its HELP before it";
	snprintf(e->type, sizeof(e->type), "%.*s",
	    (int)strcspn(line + 8 + n, "\n"), line + 8 + n);
	if (strcmp(e->type, "counter") != 0 && strcmp(e->type, "gauge") != 0 &&
	    strcmp(e->type, "histogram") != 0)
		return "an unknown type";
	if (strcmp(e->type, "counter") == 0 &&
	    (n < 7 || strcmp(e->name + n - 6, "_total") != 0))
		return "a counter that does not end in _total";
	return NULL;
}

static inline const char *
expo_bucket(struct exposition *e, const char *sample, const char *end, double v)
{
	const char *le = strstr(sample, "le=\"");
	double bound;
	size_t n;

	if (le == NULL || le > end)
		return "a bucket without le";
	n = (size_t)(le - sample);
	if (strncmp(e->series, sample, n) != 0 || e->series[n] != '\0') {
		if (e->series[0] != '\0')
			return "a histogram that is not complete";
		snprintf(e->series, sizeof(e->series), "%.*s", (int)n, sample);
		e->saw_inf = e->saw_sum = false;
		e->last_le = -1;
		e->last_count = 0;
	}
	bound = strtod(le + 4, NULL); /* "+Inf" too */
	if (e->saw_inf || bound <= e->last_le || v < e->last_count)
		return "buckets that do not rise";
	e->saw_inf = strncmp(le + 4, "+Inf\"", 5) == 0;
	e->last_le = bound;
	e->last_count = v;
	return NULL;
}

static inline const char *
expo_histogram(struct exposition *e, const char *sample, const char *end,
    double v)
{
	const char *suffix = sample + strlen(e->name);

	if (strncmp(suffix, "_bucket", 7) == 0)
		return expo_bucket(e, sample, end, v);
	if (e->series[0] == '\0' || !e->saw_inf)
		return "a histogram without +Inf";
	if (strncmp(suffix, "_sum", 4) == 0) {
		e->saw_sum = true;
		return NULL;
	}
	if (strncmp(suffix, "_count", 6) != 0 || !e->saw_sum)
		return "a histogram with something else";
	if (v != e->last_count)
		return "_count is not that of +Inf";
	e->series[0] = '\0';
	return NULL;
}

static inline const char *
expo_sample(struct exposition *e, const char *line)
{
	size_t n = expo_name_len(line), base = strlen(e->name);
	const char *end = expo_labels(line + n);
	char *value_end;
	double v;

	if (n == 0 || end == NULL || *end != ' ')
		return "a sample that cannot be read";
	v = strtod(end + 1, &value_end);
	if (value_end == end + 1 || *value_end != '\n')
		return "a value that is no number";
	if (e->type[0] == '\0' || strncmp(line, e->name, base) != 0 ||
	    (n != base && strcmp(e->type, "histogram") != 0))
		return "a sample without HELP and TYPE before it";
	if (e->nseen == EXPO_LINES)
		return "too many samples";
	for (size_t i = 0; i < e->nseen; i++)
		if (e->seen_len[i] == (size_t)(end - line) &&
		    memcmp(e->seen[i], line, e->seen_len[i]) == 0)
			return "a sample twice";
	e->seen[e->nseen] = line;
	e->seen_len[e->nseen++] = (size_t)(end - line);
	if (strcmp(e->type, "histogram") == 0)
		return expo_histogram(e, line, end, v);
	if (strcmp(e->type, "counter") == 0 && v < 0)
		return "a counter below 0";
	return NULL;
}

/* NULL, or what is wrong; used again by the next call. */
static inline const char *
exposition_wrong(const char *text)
{
	static char what[512];
	static struct exposition e;
	const char *wrong = NULL, *line = text, *nl;

	memset(&e, 0, sizeof(e));
	for (; *line != '\0' && wrong == NULL; line = nl + 1) {
		nl = strchr(line, '\n');
		if (nl == NULL)
			return "the last line does not end";
		if (*line == '#' && e.series[0] != '\0')
			wrong = "a histogram that is not complete";
		else
			wrong = *line == '#' ? expo_head(&e, line)
					     : expo_sample(&e, line);
		if (wrong != NULL)
			snprintf(what, sizeof(what), "%s: %.*s", wrong,
			    (int)(nl - line), line);
	}
	if (wrong == NULL && e.series[0] != '\0')
		return "a histogram that is not complete";
	return wrong == NULL ? NULL : what;
}

#endif
