/* See judge.h. */
#include "config.h"

#include "judge.h"

static bool is_integer(int32_t type)
{
	return type == ETL_INT16 || type == ETL_INT32 || type == ETL_INT64;
}

static bool is_float(int32_t type)
{
	return type == ETL_FLOAT32 || type == ETL_FLOAT64;
}

int32_t etl_judge_declared(const struct etl_column *c, struct etl_text *note)
{
	struct etl_type_info was;
	int64_t length = 0;
	char word[32];

	if (!c->declared || !etl_type_parse(c->declared, &was, &length))
		return ETL_EXACT;
	if (was.type == ETL_TEXT && c->type == ETL_TEXT && length > 0 && c->length == 0) {
		etl_text_addf(note, "declared %s, and longer values are there", c->declared);
		return ETL_WIDENED;
	}
	if (was.type == ETL_DECIMAL &&
	    (c->type == ETL_NUMERIC || (c->type == ETL_DECIMAL && (was.precision != c->precision ||
								   was.scale != c->scale)))) {
		etl_text_addf(note, "declared %s, and its values have more digits", c->declared);
		return ETL_WIDENED;
	}
	if (was.type == c->type || was.type == ETL_ANY || (is_integer(was.type) && is_integer(c->type)) ||
	    (is_float(was.type) && is_float(c->type)))
		return ETL_EXACT;
	etl_text_addf(note, "declared %s, and its values are %s", c->declared,
		      etl_type_name((struct etl_type_info){ c->type, c->precision, c->scale }, word,
				    sizeof(word)));
	return ETL_WIDENED;
}
