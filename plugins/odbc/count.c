/* How many rows there are, counted by the server. */
#include "config.h"

#include "pin.h"
#include "select.h"

/* COUNT_BIG: T-SQL's COUNT overflows beyond 2^31 - 1. */
static int count_rows(struct etl_instance *inst, const struct etl_dataset *dataset, int64_t *ret,
		      struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc = odbc_ready(inst, err);

	if (rc < 0)
		return rc;
	etl_text_add(&sql, inst->dialect == &odbc_tsql ? "SELECT COUNT_BIG(*)" : "SELECT COUNT(*)");
	odbc_select_add_from(&sql, inst, dataset);
	return odbc_number_text(inst, err, ret, &sql);
}

int odbc_digest(struct etl_instance *inst, const struct etl_dataset *dataset,
		const struct etl_range *range, int32_t hash, struct etl_digest *ret,
		struct etl_error *err)
{
	int64_t rows = 0;
	int rc;

	if (hash || range->kind != ETL_RANGE_ALL || range->after || range->upto ||
	    !dataset->table || dataset->where)
		return inst->host->fail(err, ETL_USAGE, NULL, 0, "only whole tables are counted");
	rc = count_rows(inst, dataset, &rows, err);
	if (rc == ETL_OK)
		*ret = (struct etl_digest){ .rows = (uint64_t)rows };
	return rc;
}
