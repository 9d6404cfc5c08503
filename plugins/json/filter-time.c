/*
 * Filters over dates and times. A text keeps its own form: "2025-12-29T09:00:00+00:00" plus a day has the same letters and
 * the same offset. A date of a JSON file is what the program wrote that made it, and so should its neighbours be.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "moment.h"
#include "number.h"

#define DAY INT64_C(86400000000)

static const char *misfit(struct json_value *v, struct work *w)
{
	w->misfits++;
	v->state = VALUE_ABSENT;
	return NULL;
}

/* "2024-02-29T23:59:59" of days and microseconds, written over the first letters of TO, as many as it has of them. */
static void write_moment(char *to, size_t size, int64_t days, int64_t micros)
{
	char date[SPELL_MAX], clock[SPELL_MAX];

	etl_spell_date(date, days);
	memcpy(to, date, size < 10 ? size : 10);
	etl_spell_time(clock, micros);
	if (size >= 16)
		memcpy(to + 11, clock, size >= 19 && to[16] == ':' ? 8 : 5);
}

const char *json_filter_plus(const struct filter *f, struct json_value *v, struct work *w)
{
	struct moment m;
	int64_t days, micros;
	char *to;

	if (v->state != VALUE_TEXT || v->size < 10 || v->text[4] != '-' || !etl_moment_parse(&m, v->text, v->size))
		return misfit(v, w);
	if (f->number % 1000000 || (!m.timed && f->number % DAY) ||
	    (m.timed && v->size < 19 && f->number % 60000000))
		return misfit(v, w);
	days = m.days + f->number / DAY;
	micros = m.micros + f->number % DAY;
	days += micros >= DAY ? 1 : micros < 0 ? -1 : 0;
	micros += micros >= DAY ? -DAY : micros < 0 ? DAY : 0;
	if (days < -719162 || days > 2932896)   /* years 1 to 9999: others have more letters */
		return misfit(v, w);
	to = json_pool_take(&w->pool, v->size + 1);
	if (!to)
		return "no_memory";
	memcpy(to, v->text, v->size);
	write_moment(to, m.timed ? v->size : 10, days, micros);
	*v = (struct json_value){ .state = VALUE_TEXT, .text = to, .size = v->size };
	return NULL;
}

/* The year and week of ISO 8601: the week's Thursday says which year it is in. */
const char *json_filter_week(const struct filter *f, struct json_value *v, struct work *w)
{
	struct moment m;
	int64_t weekday, thursday, week;
	char date[SPELL_MAX], *to;
	struct moment first;

	(void)f;
	if (v->state != VALUE_TEXT || !etl_moment_parse(&m, v->text, v->size))
		return misfit(v, w);
	weekday = ((m.days + 3) % 7 + 7) % 7;   /* 0: Monday; 1970-01-01 was a Thursday */
	thursday = m.days - weekday + 3;
	etl_spell_date(date, thursday);
	memcpy(date + 4, "-01-01", 7);
	if (thursday < -719162 || thursday > 2932896 || !etl_moment_parse(&first, date, 10))
		return misfit(v, w);
	week = (thursday - first.days) / 7 + 1;
	to = json_pool_take(&w->pool, 16);
	if (!to)
		return "no_memory";
	snprintf(to, 16, "%.4s-W%02d", date, (int)week);
	*v = (struct json_value){ .state = VALUE_TEXT, .text = to, .size = 8 };
	return NULL;
}

/* Seconds or milliseconds since 1970, as many programs write an instant: "2024-02-29 23:59:59.5Z". */
const char *json_filter_epoch(const struct filter *f, struct json_value *v, struct work *w)
{
	bool milli = json_filter_is(f, "epoch_ms");
	struct number number;
	etl_i128 micros;
	char *to;

	if (v->state != VALUE_NUMBER || !etl_number_parse(&number, v->text, v->size) ||
	    etl_number_decimal(&number, 18, milli ? 3 : 6, &micros))
		return misfit(v, w);
	to = json_pool_take(&w->pool, SPELL_MAX);
	if (!to)
		return "no_memory";
	*v = (struct json_value){ .state = VALUE_TEXT, .text = to };
	v->size = etl_spell_timestamp(to, (int64_t)micros, true);
	return NULL;
}
