/*
 * The rule: the declared type when every value fits it, else the narrowest type that takes them
 * all. Where no type does (numbers and blobs in one column) the more general half is taken, and the
 * rows that do not fit will be rejects, each with its key.
 */
#include "config.h"

#include <inttypes.h>
#include <string.h>

#include "log.h"
#include "profile.h"

#define EXACT_IN_DOUBLE (INT64_C(1) << 53) /* beyond it not every integer is a double */
#define MOST_DIGITS	38		   /* of a decimal128 */
#define LONGEST_NUMBER	24		   /* characters: -2.2250738585072014e-308 */

static struct etl_type_info plain(int32_t type)
{
	return (struct etl_type_info){ .type = type };
}

/* Has an integer more digits than a decimal of this precision and scale takes before its point? */
static bool overflows(const struct etl_column *column, const struct etl_profile *p)
{
	int64_t limit = 1;

	for (int32_t i = column->scale; i < column->precision; i++) {
		if (limit > INT64_MAX / 10)
			return false;
		limit *= 10;
	}
	return p->max_integer >= limit || p->min_integer <= -limit;
}

/* Integers only, whatever was declared. */
static struct etl_type_info of_integers(const struct etl_column *column,
					const struct etl_profile *p)
{
	if (column->type == ETL_BOOL && p->flags01 == p->integers)
		return plain(ETL_BOOL);
	if (column->type == ETL_DECIMAL && !overflows(column, p))
		return (struct etl_type_info){ ETL_DECIMAL, column->precision, column->scale };
	if (column->type == ETL_DECIMAL)
		return plain(ETL_NUMERIC);
	if (column->type == ETL_FLOAT64 && p->max_integer <= EXACT_IN_DOUBLE &&
	    p->min_integer >= -EXACT_IN_DOUBLE)
		return plain(ETL_FLOAT64);
	if (column->type == ETL_NUMERIC)
		return plain(ETL_NUMERIC);
	return plain(ETL_INT64);
}

/* Reals, perhaps with integers among them. */
static struct etl_type_info of_reals(const struct etl_column *column, const struct etl_profile *p)
{
	bool long_integers = column->type == ETL_DECIMAL && p->integers && overflows(column, p);
	bool wide = p->integers &&
		    (p->max_integer > EXACT_IN_DOUBLE || p->min_integer < -EXACT_IN_DOUBLE);

	if (long_integers)
		return plain(ETL_NUMERIC);
	if (column->type == ETL_DECIMAL && p->max_scale <= column->scale)
		return (struct etl_type_info){ ETL_DECIMAL, column->precision, column->scale };
	if (column->type == ETL_DECIMAL &&
	    column->precision - column->scale + p->max_scale <= MOST_DIGITS)
		return (struct etl_type_info){ ETL_DECIMAL,
					       column->precision - column->scale +
						       (int32_t)p->max_scale,
					       (int32_t)p->max_scale };
	return plain(wide || column->type == ETL_NUMERIC ? ETL_NUMERIC : ETL_FLOAT64);
}

static struct etl_type_info of_texts(const struct etl_column *column, const struct etl_profile *p)
{
	if (column->type == ETL_DATE && p->dates == p->texts)
		return plain(ETL_DATE);
	if ((column->type == ETL_TIMESTAMP || column->type == ETL_INSTANT ||
	     column->type == ETL_DATE) &&
	    p->dates + p->timestamps == p->texts)
		return plain(ETL_TIMESTAMP);
	if ((column->type == ETL_TIMESTAMP || column->type == ETL_INSTANT) && p->zoned == p->texts)
		return plain(ETL_INSTANT);
	if (column->type == ETL_TIME || column->type == ETL_UUID || column->type == ETL_JSON)
		return plain(column->type); /* not profiled: what does not fit is a reject */
	if ((column->type == ETL_NUMERIC || column->type == ETL_DECIMAL) &&
	    p->numeric_texts == p->texts)
		return plain(ETL_NUMERIC);
	return plain(ETL_TEXT);
}

struct etl_type_info profile_type(const struct etl_column *column, const struct etl_profile *p)
{
	int64_t numbers = p->integers + p->reals;

	if (numbers + p->texts + p->blobs == 0)
		return (struct etl_type_info){ column->type == ETL_ANY ||
							       column->type == ETL_TYPE_NONE ?
						       ETL_TEXT :
						       column->type,
					       column->precision, column->scale };
	if (p->blobs)
		return plain(ETL_BYTES);
	if (p->texts && !numbers)
		return of_texts(column, p);
	if (p->texts)
		return plain(p->numeric_texts == p->texts && column->type == ETL_NUMERIC ?
				     ETL_NUMERIC :
				     ETL_TEXT);
	return p->reals ? of_reals(column, p) : of_integers(column, p);
}

/* Numbers among texts come as texts too. 0: the column is neither text nor bytes. */
static int64_t longest(const struct etl_profile *p, int32_t type)
{
	if (type == ETL_BYTES)
		return p->max_bytes;
	if (type != ETL_TEXT)
		return 0;
	return p->integers + p->reals > 0 && p->max_utf16 < LONGEST_NUMBER ? LONGEST_NUMBER : p->max_utf16;
}

/* SQLite keeps such values as integers of 64 bits or as binary fractions. */
static int32_t plain_numeric(const struct etl_profile *p)
{
	bool wide = p->integers && (p->max_integer > EXACT_IN_DOUBLE || p->min_integer < -EXACT_IN_DOUBLE);

	if (p->texts + p->blobs > 0 || (p->reals && wide))
		return ETL_TYPE_NONE;
	return p->reals ? ETL_FLOAT64 : ETL_DECIMAL;
}

void profile_apply(struct job *job, const struct etl_profile *p)
{
	struct etl_table *table = job->source;
	int64_t at = table_find_column(table, p->column);
	struct etl_type_info type;
	struct etl_column *column;
	char was[64], now[64];

	if (at < 0)
		return;
	column = table_column(table, (size_t)at);
	type = profile_type(column, p);
	if (type.type != column->type)
		log_line(ETL_LOG_DEBUG, "%s.%s: %s by its values, %s as declared", table->name,
			 column->name, etl_type_name(type, now, sizeof(now)),
			 etl_type_name((struct etl_type_info){ column->type, column->precision,
							       column->scale },
				       was, sizeof(was)));
	if (p->blobs && p->blobs + p->texts + p->nulls < p->rows &&
	    !string_list_has(&job->rule->exclude_columns, column->name))
		log_line(ETL_LOG_WARN,
			 "%s.%s holds numbers and blobs: the rows with numbers do not fit the "
			 "target's column and "
			 "will be rejected",
			 table->name, column->name);
	column->type = type.type;
	column->precision = type.precision;
	column->scale = type.scale;
	/* A length that the store does not keep to is none. */
	if (type.type != ETL_TEXT || p->max_chars > column->length)
		column->length = 0;
	column->longest = longest(p, type.type);
	column->plain = type.type == ETL_NUMERIC ? plain_numeric(p) : ETL_TYPE_NONE;
	table->rows = p->rows;
}

static void raise_to(int64_t *most, int64_t value)
{
	if (value > *most)
		*most = value;
}

void profile_add(struct etl_profile *sum, const struct etl_profile *part)
{
	if (part->integers > 0 && (sum->integers == 0 || part->min_integer < sum->min_integer))
		sum->min_integer = part->min_integer;
	if (part->integers > 0 && (sum->integers == 0 || part->max_integer > sum->max_integer))
		sum->max_integer = part->max_integer;
	sum->rows += part->rows;
	sum->nulls += part->nulls;
	sum->integers += part->integers;
	sum->reals += part->reals;
	sum->texts += part->texts;
	sum->blobs += part->blobs;
	raise_to(&sum->max_chars, part->max_chars);
	raise_to(&sum->max_utf16, part->max_utf16);
	raise_to(&sum->max_bytes, part->max_bytes);
	sum->with_nul += part->with_nul;
	sum->bad_utf8 += part->bad_utf8;
	sum->dates += part->dates;
	sum->timestamps += part->timestamps;
	sum->zoned += part->zoned;
	sum->flags01 += part->flags01;
	sum->numeric_texts += part->numeric_texts;
	raise_to(&sum->max_scale, part->max_scale);
}
