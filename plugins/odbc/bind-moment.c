/*
 * Moments of a column of T-SQL that are coarser than a microsecond: datetime goes by 1/300 of a second and from
 * 1753, smalldatetime by minutes, and the newer types by as many digits as they were declared with. The server would round
 * without a word, or, for more than three digits of a datetime that comes as text, refuse all rows; so a value that is not one
 * of the column's is rejected.
 */
#include "config.h"

#include <stdlib.h>

#include "bind.h"

#define SECOND 1000000 /* microseconds */
#define DAY    (86400LL * SECOND)

static bool is(const char *type, const char *word)
{
	size_t length = strlen(word);

	return strncmp(type, word, length) == 0 && (!type[length] || type[length] == ' ' || type[length] == '(');
}

void bind_moment_open(struct bind_column *c, const char *type)
{
	static const char *const digits[] = { "datetime2", "datetimeoffset", "time" };
	const char *open = strchr(type, '(');

	c->step = 0;
	c->old = is(type, "datetime") ? BIND_DATETIME : is(type, "smalldatetime") ? BIND_SMALLDATETIME : 0;
	for (size_t i = 0; open && i < sizeof(digits) / sizeof(*digits); i++)
		if (is(type, digits[i])) {
			c->step = 1;
			for (long n = strtol(open + 1, NULL, 10); n < 6; n++)
				c->step *= 10;
		}
}

/* .000, .003, .007: as the server tells 1/300 of a second. */
static bool is_tick(int64_t micros)
{
	int64_t rest = micros % 10000;

	return rest == 0 || rest == 3000 || rest == 7000;
}

static const char *check_old(const struct bind_column *c, int64_t micros, struct etl_text *why)
{
	static const struct {
		int64_t first, last; /* days */
		const char *name, *range, *steps;
	} kinds[] = {
		[BIND_DATETIME] = { -79257, 2932896, "datetime", "1753-01-01 to 9999-12-31", "1/300 of a second (.000, .003, .007)" },
		[BIND_SMALLDATETIME] = { -25567, 65535 - 25567, "smalldatetime", "1900-01-01 to 2079-06-06", "minutes" },
	};
	int64_t day = micros / DAY - (micros % DAY < 0), rest = micros - day * DAY;
	bool fits = c->old == BIND_DATETIME ? is_tick(rest) : rest % (60LL * SECOND) == 0;

	if (day < kinds[c->old].first || day > kinds[c->old].last) {
		etl_text_addf(why, "a %s goes from %s", kinds[c->old].name, kinds[c->old].range);
		return "out_of_range";
	}
	if (fits)
		return NULL;
	etl_text_addf(why, "a %s goes by %s, and the server would round it", kinds[c->old].name, kinds[c->old].steps);
	return "too_precise";
}

const char *bind_check_moment(const struct bind_column *c, const struct etl_column_view *v, int64_t row, struct etl_text *why)
{
	int32_t type = v->type.type;

	if ((!c->old && c->step <= 1) || (type != ETL_TIMESTAMP && type != ETL_INSTANT && type != ETL_TIME))
		return NULL;
	if (c->old)
		return type == ETL_TIMESTAMP ? check_old(c, etl_get_int64(v, row), why) : NULL;
	if (etl_get_int64(v, row) % c->step == 0)
		return NULL;
	etl_text_add(why, "it has more digits of a second than the column, and the server would round it");
	return "too_precise";
}
