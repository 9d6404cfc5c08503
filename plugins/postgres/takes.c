/*
 * In which type values come. A column here has one type for all of them, so what may be anything comes as text.
 */
#include "config.h"

#include <strings.h>

#include "postgres.h"

int32_t postgres_takes(const struct etl_column *column)
{
	return column->type == ETL_ANY || column->type == ETL_TYPE_NONE ? ETL_TEXT : column->type;
}

/* What design makes of columns of other stores: of those only jsonb and a text with a length that is filled up. */
int32_t postgres_respells(const struct etl_column *column)
{
	static const char *const padded[] = { "char", "character", "nchar", "bpchar" };
	const char *declared = column->declared ? column->declared : "";
	size_t n = strcspn(declared, " (");

	if (column->type == ETL_JSON)
		return strcasecmp(declared, "jsonb") == 0;
	if (!(column->flags & ETL_RETYPED) || strncasecmp(declared, "character varying", 17) == 0 ||
	    strncasecmp(declared, "char varying", 12) == 0)
		return 0;
	for (size_t i = 0; i < sizeof(padded) / sizeof(*padded); i++)
		if (strlen(padded[i]) == n && strncasecmp(declared, padded[i], n) == 0)
			return column->type == ETL_TEXT;
	return 0;
}
