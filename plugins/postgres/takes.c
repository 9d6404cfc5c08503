/*
 * In which type values come. A column here has one type for all of them, so what may be anything comes as text.
 */
#include "config.h"

#include "postgres.h"

int32_t postgres_takes(const struct etl_column *column)
{
	return column->type == ETL_ANY || column->type == ETL_TYPE_NONE ? ETL_TEXT : column->type;
}
