#include <assert.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define SECONDS_A_DAY 86400LL
#define YEAR_MAX 9999

static int64_t frozen_mono = -1, frozen_wall = -1;

/* Days before the first of the month, in a year that is not a leap year. */
static const int days_before[13] = { 0, 31, 59, 90, 120, 151, 181, 212, 243,
	273, 304, 334, 365 };

static int64_t
read_us(clockid_t clock)
{
	struct timespec ts;
	int rc = clock_gettime(clock, &ts);

	assert(rc == 0);
	(void)rc;
	return ts.tv_sec * US_PER_S + ts.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
	return frozen_mono >= 0 ? frozen_mono : read_us(CLOCK_BOOTTIME);
}

int64_t
clock_wall_us(void)
{
	return frozen_wall >= 0 ? frozen_wall : read_us(CLOCK_REALTIME);
}

void
clock_freeze(int64_t mono_us, int64_t wall_us)
{
	frozen_mono = mono_us;
	frozen_wall = wall_us;
}

static bool
is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* From 0000-01-01 to the first day of the year (proleptic Gregorian). */
static int64_t
days_to_year(int64_t year)
{
	int64_t y = year - 1; /* the last one that is complete */

	if (year == 0)
		return 0;
	return 366 + y * 365 + y / 4 - y / 100 + y / 400;
}

static int
days_to_month(int year, int month0)
{
	return days_before[month0] + (month0 > 1 && is_leap(year));
}

static int64_t
epoch_days(void)
{
	return days_to_year(1970);
}

struct date {
	int year, month0, day0;
};

static struct date
date_of(int64_t days)
{
	struct date d;
	int64_t year = days * 400 / 146097; /* 400 years have so many days */
	int rest;

	while (days_to_year(year + 1) <= days)
		year++;
	while (days_to_year(year) > days)
		year--;
	d.year = (int)year;
	rest = (int)(days - days_to_year(year));
	for (d.month0 = 11; days_to_month(d.year, d.month0) > rest;)
		d.month0--;
	d.day0 = rest - days_to_month(d.year, d.month0);
	return d;
}

static char *
put_digits(char *p, int64_t value, int width, char after)
{
	for (int i = width - 1; i >= 0; i--) {
		p[i] = (char)('0' + value % 10);
		value /= 10;
	}
	p[width] = after;
	return p + width + 1;
}

static int64_t
first_us(void)
{
	return -epoch_days() * SECONDS_A_DAY * US_PER_S;
}

static int64_t
last_us(void)
{
	int64_t days = days_to_year(YEAR_MAX + 1) - epoch_days();

	return days * SECONDS_A_DAY * US_PER_S - 1;
}

void
time_format(int64_t wall_us, char ret[TIME_TEXT_SIZE])
{
	int64_t since, in_day;
	struct date d;
	char *p = ret;

	if (wall_us < first_us())
		wall_us = first_us();
	if (wall_us > last_us())
		wall_us = last_us();
	since = wall_us - first_us();
	in_day = since % (SECONDS_A_DAY * US_PER_S);
	d = date_of(since / (SECONDS_A_DAY * US_PER_S));
	p = put_digits(p, d.year, 4, '-');
	p = put_digits(p, d.month0 + 1, 2, '-');
	p = put_digits(p, d.day0 + 1, 2, 'T');
	p = put_digits(p, in_day / (3600 * US_PER_S), 2, ':');
	p = put_digits(p, in_day / (60 * US_PER_S) % 60, 2, ':');
	p = put_digits(p, in_day / US_PER_S % 60, 2, '.');
	p = put_digits(p, in_day % US_PER_S, 6, 'Z');
	*p = '\0';
}

/* A cursor over what is left to read; bad once something did not fit. */
struct text {
	const char *p, *end;
	bool bad;
};

static bool
has_digit(const struct text *t)
{
	return t->p < t->end && *t->p >= '0' && *t->p <= '9';
}

static int
take_digits(struct text *t, int width)
{
	int value = 0;

	for (; width > 0; width--) {
		if (!has_digit(t)) {
			t->bad = true;
			return 0;
		}
		value = value * 10 + (*t->p++ - '0');
	}
	return value;
}

static bool
take(struct text *t, char c)
{
	if (t->p == t->end || (*t->p != c && *t->p != (c | 0x20)))
		return false;
	t->p++;
	return true;
}

static void
need(struct text *t, char c)
{
	if (!take(t, c))
		t->bad = true;
}

static int
take_range(struct text *t, int width, int low, int high)
{
	int value = take_digits(t, width);

	if (value < low || value > high)
		t->bad = true;
	return value;
}

/* Days since 0000-01-01. */
static int64_t
take_date(struct text *t)
{
	int year, month, day, length;

	year = take_digits(t, 4);
	need(t, '-');
	month = take_range(t, 2, 1, 12);
	need(t, '-');
	day = take_digits(t, 2);
	if (t->bad)
		return 0;
	length = days_before[month] - days_before[month - 1] +
	    (month == 2 && is_leap(year));
	t->bad = day < 1 || day > length;
	return days_to_year(year) + days_to_month(year, month - 1) + day - 1;
}

/* Digits after the point; what is finer than a microsecond is cut off. */
static int64_t
take_fraction(struct text *t)
{
	int64_t us = 0, unit = US_PER_S;

	if (!take(t, '.'))
		return 0;
	if (!has_digit(t))
		t->bad = true;
	for (; has_digit(t); t->p++) {
		unit /= 10;
		us += unit * (*t->p - '0');
	}
	return us;
}

static int
take_offset_s(struct text *t)
{
	int sign, minutes;

	if (take(t, 'Z'))
		return 0;
	sign = take(t, '-') ? -1 : 1;
	if (sign > 0)
		need(t, '+');
	minutes = take_range(t, 2, 0, 23) * 60;
	need(t, ':');
	minutes += take_range(t, 2, 0, 59);
	return sign * minutes * 60;
}

/* Leap seconds are inserted before the first of January or July, UTC. Our
 * count has none, so one is the second after it. */
static bool
is_leap_second(int64_t after_s)
{
	struct date d;

	if (after_s <= 0 || after_s % SECONDS_A_DAY != 0)
		return false;
	d = date_of(after_s / SECONDS_A_DAY);
	return d.day0 == 0 && (d.month0 == 0 || d.month0 == 6);
}

bool
time_parse(const char *s, size_t len, int64_t *ret_wall_us)
{
	struct text t = { .p = s, .end = s + len };
	int64_t seconds, us;
	int second;

	seconds = take_date(&t) * SECONDS_A_DAY;
	need(&t, 'T');
	seconds += take_range(&t, 2, 0, 23) * 3600;
	need(&t, ':');
	seconds += take_range(&t, 2, 0, 59) * 60;
	need(&t, ':');
	second = take_range(&t, 2, 0, 60);
	us = take_fraction(&t);
	seconds += second - take_offset_s(&t);
	if (t.bad || t.p != t.end)
		return false;
	if (second == 60 && !is_leap_second(seconds))
		return false;
	us += seconds * US_PER_S + first_us();
	if (us < first_us() || us > last_us())
		return false;
	*ret_wall_us = us;
	return true;
}
