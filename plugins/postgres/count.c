/*
 * How many rows there are, counted by the server: of a published table or a staged one. Row hashes are digest.c's.
 */
#include "config.h"

#include "read.h"

static int count_rows(struct etl_instance *inst, const struct relation *r, int64_t *ret,
		      struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_add(&sql, "SELECT pg_catalog.count(*) FROM ");
	postgres_select_add_from(&sql, r, NULL);
	rc = sql.failed ? postgres_no_memory(inst, err) :
			  postgres_number(inst, err, ret, sql.at, 0, NULL);
	etl_text_free(&sql);
	return rc;
}

int postgres_digest(struct etl_instance *inst, const struct etl_dataset *dataset,
		    const struct etl_range *range, int32_t hash, struct etl_digest *ret,
		    struct etl_error *err)
{
	struct relation relation;
	int64_t rows = 0;
	int rc;

	if (hash || range->kind != ETL_RANGE_ALL || range->after || range->upto ||
	    !dataset->table || dataset->where)
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"only whole tables are counted");
	rc = relation_find(inst, dataset, &relation, err);
	if (rc == ETL_OK)
		rc = count_rows(inst, &relation, &rows, err);
	relation_free(&relation);
	if (rc == ETL_OK)
		*ret = (struct etl_digest){ .rows = (uint64_t)rows };
	return rc;
}
