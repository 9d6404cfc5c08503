/*
 * The five fields of a cron line, as `schedule` takes them: minute, hour, day of the month, month,
 * day of the week; each a list of *, numbers, ranges and steps, months and days by name too. Only
 * whether it is one.
 */
#include "config.h"

#include <string.h>
#include <strings.h>

#include "pipeline-parts.h"

struct cron_field {
	int least, most;
	const char *names; /* three letters each, the first is `first` */
	int first;
};

static const struct cron_field fields[] = {
	{ 0, 59, "", 0 },
	{ 0, 23, "", 0 },
	{ 1, 31, "", 0 },
	{ 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec", 1 },
	{ 0, 7, "sunmontuewedthufrisat", 0 },
};

/* A number or a name at *AT. */
static bool read_value(const char **at, const struct cron_field *f, int *ret)
{
	const char *p = *at, *name;
	int value = 0;

	if (*p >= '0' && *p <= '9') {
		for (; *p >= '0' && *p <= '9' && value < 1000; p++)
			value = value * 10 + (*p - '0');
	} else {
		for (name = f->names, value = f->first; *name; name += 3, value++)
			if (strncasecmp(name, p, 3) == 0)
				break;
		if (!*name)
			return false;
		p += 3;
	}
	if (value < f->least || value > f->most)
		return false;
	*at = p;
	*ret = value;
	return true;
}

static bool read_step(const char **at)
{
	int step = 0;

	for ((*at)++; **at >= '0' && **at <= '9' && step < 1000; (*at)++)
		step = step * 10 + (**at - '0');
	return step > 0 && step < 1000;
}

static bool read_part(const char **at, const struct cron_field *f)
{
	bool single = false;
	int from, to;

	if (**at == '*') {
		(*at)++;
	} else {
		if (!read_value(at, f, &from))
			return false;
		single = **at != '-';
		if (!single) {
			(*at)++;
			if (!read_value(at, f, &to) || to < from)
				return false;
		}
	}
	return **at != '/' || (!single && read_step(at));
}

static bool field_valid(const char *at, size_t length, const struct cron_field *f)
{
	const char *end = at + length;

	while (read_part(&at, f) && at <= end) {
		if (at == end)
			return true;
		if (*at++ != ',')
			return false;
	}
	return false;
}

bool cron_valid(const char *text, const char **ret_wrong, size_t *ret_length)
{
	size_t i;

	for (i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
		text += strspn(text, " \t");
		*ret_wrong = text;
		*ret_length = strcspn(text, " \t");
		if (!field_valid(text, *ret_length, &fields[i]))
			return false;
		text += *ret_length;
	}
	text += strspn(text, " \t");
	*ret_wrong = text;
	*ret_length = strlen(text);
	return *text == '\0';
}
