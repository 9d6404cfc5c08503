/*
 * Rows out of the server, by COPY.
 */
#include "config.h"

#include "postgres.h"

int postgres_read(struct etl_instance *inst, const struct etl_read *read,
		  const struct etl_split *split, struct ArrowArrayStream *stream,
		  struct etl_error *err)
{
	(void)read;
	(void)split;
	(void)stream;
	return inst->host->fail(err, ETL_USAGE, NULL, 0, "postgres: reading is being written");
}
