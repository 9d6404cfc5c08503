/*
 * Dates and times in the forms of other programs, by a format: digits in a fixed number, everything else as it is written.
 * The result is ISO 8601, which the conversion of values checks like any other.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "csv.h"

struct parts {
	int year, month, day, hour, minute, second;
	char fraction[8];
	char zone[8];
	bool date, time;
};

const char *csv_format_flaw(const char *format)
{
	const char *at;
	bool day = false, month = false, year = false, hour = false;

	for (at = strchr(format, '%'); at; at = strchr(at + 2, '%')) {
		if (!at[1] || !strchr("YymdHMSfz%", at[1]))
			return "has a % that is followed by none of Y y m d H M S f z %";
		day |= at[1] == 'd';
		month |= at[1] == 'm';
		year |= at[1] == 'Y' || at[1] == 'y';
		hour |= at[1] == 'H';
	}
	if (!hour && !(day && month && year))
		return "says neither a date (%Y, %m and %d) nor a time (%H)";
	if ((day || month || year) && !(day && month && year))
		return "says a part of a date only; %Y, %m and %d belong together";
	return NULL;
}

/* LEAST to MOST digits; -1: they are not there. */
static int number(const char **at, const char *end, int least, int most)
{
	int v = 0, n = 0;

	for (; n < most && *at < end && **at >= '0' && **at <= '9'; n++)
		v = v * 10 + (*(*at)++ - '0');
	return n < least ? -1 : v;
}

static bool read_fraction(const char **at, const char *end, struct parts *p)
{
	size_t n = 0;

	for (; n < 6 && *at < end && **at >= '0' && **at <= '9'; n++)
		p->fraction[n] = *(*at)++;
	p->fraction[n] = '\0';
	return n > 0;
}

/* Z, +0200, +02:00. */
static bool read_zone(const char **at, const char *end, struct parts *p)
{
	int hour, minute;
	char sign;

	if (*at == end)
		return false;
	sign = *(*at)++;
	snprintf(p->zone, sizeof(p->zone), "Z");
	if (sign == 'Z')
		return true;
	hour = number(at, end, 2, 2);
	if (*at < end && **at == ':')
		(*at)++;
	minute = number(at, end, 2, 2);
	if ((sign != '+' && sign != '-') || hour < 0 || hour > 15 || minute < 0 || minute > 59)
		return false;
	snprintf(p->zone, sizeof(p->zone), "%c%02d:%02d", sign, hour % 100, minute % 100);
	return true;
}

static bool read_part(char what, const char **at, const char *end, struct parts *p)
{
	switch (what) {
	case 'Y':
		return (p->year = number(at, end, 4, 4)) >= 0;
	case 'y':
		/* As POSIX has it: 69 to 99 are of the last century. */
		p->year = number(at, end, 2, 2);
		p->year += p->year < 0 ? 0 : p->year < 69 ? 2000 : 1900;
		return p->year >= 0;
	case 'm':
		return (p->month = number(at, end, 1, 2)) >= 0;
	case 'd':
		return (p->day = number(at, end, 1, 2)) >= 0;
	case 'H':
		return (p->hour = number(at, end, 1, 2)) >= 0;
	case 'M':
		return (p->minute = number(at, end, 2, 2)) >= 0;
	case 'S':
		return (p->second = number(at, end, 2, 2)) >= 0;
	case 'f':
		return read_fraction(at, end, p);
	case 'z':
		return read_zone(at, end, p);
	default:
		return *at < end && *(*at)++ == '%';
	}
}

bool csv_moment(const char *format, const char *text, size_t size, char ret[CSV_MOMENT_MAX])
{
	struct parts p = { .date = false };
	const char *at = text, *end = text + size;
	int n = 0;

	for (; *format; format++) {
		if (*format != '%') {
			if (at == end || *at++ != *format)
				return false;
			continue;
		}
		format++;
		p.date |= *format == 'd';
		p.time |= *format == 'H';
		if (!read_part(*format, &at, end, &p))
			return false;
	}
	if (at != end)
		return false;
	if (p.date)
		n = snprintf(ret, CSV_MOMENT_MAX, "%04d-%02d-%02d%s", p.year, p.month, p.day, p.time ? " " : "");
	if (p.time)
		snprintf(ret + n, CSV_MOMENT_MAX - (size_t)n, "%02d:%02d:%02d%s%s%s", p.hour, p.minute, p.second,
			 *p.fraction ? "." : "", p.fraction, p.zone);
	return true;
}
