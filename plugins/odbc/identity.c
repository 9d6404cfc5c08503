/* Columns whose numbers the server makes: giving them for once, and where the next one goes on. */
#include "config.h"

#include "target.h"

static bool has_identity(const struct etl_table *t)
{
	for (size_t i = 0; i < t->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, t->columns, t->column_size, i);

		if (c->flags & ETL_IDENTITY)
			return true;
	}
	return false;
}

/* A session of T-SQL gives such numbers to one table at a time, and only when it says so. */
int odbc_identity_insert(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
			 bool on, struct etl_error *err)
{
	struct etl_text sql = { 0 };

	if (inst->dialect != &odbc_tsql || odbc_is_into(load) || !has_identity(load->table))
		return ETL_OK;
	etl_text_add(&sql, "SET IDENTITY_INSERT ");
	odbc_add_staged(&sql, inst, load, token);
	etl_text_add(&sql, on ? " ON" : " OFF");
	return odbc_run_text(inst, err, &sql);
}
