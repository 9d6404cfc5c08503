/*
 * What a database holds, from its catalog.
 */
#include "config.h"

#include "postgres.h"

int postgres_describe(struct etl_instance *inst, const struct etl_dataset *dataset,
		      struct etl_table_sink *sink, struct etl_error *err)
{
	(void)dataset;
	(void)sink;
	return postgres_db(inst, err);
}
