/* See moment.h. Years have four digits, or a sign and four to six. */
#include "config.h"

#include "moment.h"

#define MICROS_PER_DAY INT64_C(86400000000)

struct cursor {
	const char *at, *end;
};

static bool take_char(struct cursor *c, char wanted)
{
	if (c->at == c->end || *c->at != wanted)
		return false;
	c->at++;
	return true;
}

/* LEAST to MOST digits. */
static bool take_digits(struct cursor *c, int least, int most, int64_t *ret)
{
	int64_t v = 0;
	int n = 0;

	while (n < most && c->at < c->end && *c->at >= '0' && *c->at <= '9') {
		v = v * 10 + (*c->at++ - '0');
		n++;
	}
	*ret = v;
	return n >= least;
}

static int64_t month_days(int64_t year, int64_t month)
{
	static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);

	return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970 of a civil date, by eras of 400 years that begin in March. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = year - (month <= 2);
	int64_t era = (y >= 0 ? y : y - 399) / 400;
	int64_t yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool take_date(struct cursor *c, int64_t *ret)
{
	bool minus = take_char(c, '-'), sign = minus || take_char(c, '+');
	int64_t year, month, day;

	if (!take_digits(c, 4, sign ? 6 : 4, &year) || !take_char(c, '-') ||
	    !take_digits(c, 2, 2, &month) || !take_char(c, '-') || !take_digits(c, 2, 2, &day))
		return false;
	if (minus)
		year = -year;
	if (month < 1 || month > 12 || day < 1 || day > month_days(year, month))
		return false;
	*ret = days_of(year, month, day);
	return true;
}

/* The digits after the point: six count, further ones only when they are zero. */
static bool take_fraction(struct cursor *c, struct moment *m)
{
	int64_t unit = 100000;

	if (c->at == c->end || *c->at < '0' || *c->at > '9')
		return false;
	for (; c->at < c->end && *c->at >= '0' && *c->at <= '9'; c->at++, unit /= 10) {
		m->micros += (*c->at - '0') * unit;
		m->finer |= unit == 0 && *c->at != '0';
	}
	return true;
}

static bool take_time(struct cursor *c, struct moment *m)
{
	int64_t hour, minute, second = 0;

	if (!take_digits(c, 2, 2, &hour) || !take_char(c, ':') || !take_digits(c, 2, 2, &minute))
		return false;
	if (take_char(c, ':') && !take_digits(c, 2, 2, &second))
		return false;
	if (hour > 24 || minute > 59 || second > 59)
		return false;
	m->micros = ((hour * 60 + minute) * 60 + second) * 1000000;
	m->timed = true;
	return !take_char(c, '.') || take_fraction(c, m);
}

/* "Z", "+02:00", "+0200", "+02". */
static bool take_zone(struct cursor *c, struct moment *m)
{
	int64_t hours, minutes = 0;
	bool minus;

	m->zoned = true;
	if (take_char(c, 'Z') || take_char(c, 'z'))
		return true;
	minus = take_char(c, '-');
	if (!minus && !take_char(c, '+'))
		return false;
	if (!take_digits(c, 2, 2, &hours))
		return false;
	if ((take_char(c, ':') || c->at < c->end) && !take_digits(c, 2, 2, &minutes))
		return false;
	if (hours > 18 || minutes > 59)
		return false;
	m->zone = (hours * 60 + minutes) * (minus ? -60 : 60);
	return true;
}

bool etl_moment_parse(struct moment *m, const char *text, size_t size)
{
	struct cursor c = { text, text + size };

	memset(m, 0, sizeof(*m));
	if (!take_date(&c, &m->days))
		return false;
	if (c.at == c.end)
		return true;
	if (!take_char(&c, ' ') && !take_char(&c, 'T') && !take_char(&c, 't'))
		return false;
	if (!take_time(&c, m) || m->micros >= MICROS_PER_DAY)
		return false;
	return c.at == c.end || (take_zone(&c, m) && c.at == c.end);
}

bool etl_moment_parse_time(struct moment *m, const char *text, size_t size)
{
	struct cursor c = { text, text + size };

	memset(m, 0, sizeof(*m));
	if (!take_time(&c, m) || c.at != c.end)
		return false;
	return m->micros < MICROS_PER_DAY || (m->micros == MICROS_PER_DAY && !m->finer);
}
