/* Foreign keys of tables that are to go: T-SQL drops no table to which one refers. */
#include "config.h"

#include <stdlib.h>

#include "rows.h"
#include "target.h"

/* Statements that drop every key FROM or TO the table, one a row. */
static void add_asking(struct etl_text *sql, const struct etl_instance *inst, const char *schema, const char *name)
{
	struct etl_text table = { 0 };

	odbc_add_table(&table, inst, schema, name);
	etl_text_add(sql, "SELECT N'ALTER TABLE ' + QUOTENAME(OBJECT_SCHEMA_NAME(parent_object_id)) + N'.' + "
			  "QUOTENAME(OBJECT_NAME(parent_object_id)) + N' DROP CONSTRAINT ' + QUOTENAME(name) "
			  "FROM sys.foreign_keys WHERE parent_object_id = OBJECT_ID(");
	odbc_add_literal(sql, inst, table.at ? table.at : "");
	etl_text_add(sql, ")");
	sql->failed |= table.failed;
	etl_text_free(&table);
}

int odbc_drop_foreign_keys(struct etl_instance *inst, const char *schema, const char *name, struct etl_error *err)
{
	struct etl_text sql = { 0 }, drops = { 0 };
	SQLHSTMT stmt;
	int rc, more;

	if (inst->dialect != &odbc_tsql)
		return ETL_OK;
	rc = odbc_statement(inst, &stmt, err);
	if (rc < 0)
		return rc;
	add_asking(&sql, inst, schema, name);
	rc = sql.failed ? odbc_no_memory(inst, err) : odbc_execute(inst, stmt, sql.at, err);
	while (rc == ETL_OK && (more = odbc_next(inst, stmt, err)) != 0) {
		rc = more < 0 ? more : odbc_column(inst, stmt, 1, &drops, NULL, err);
		etl_text_add(&drops, "; ");
	}
	odbc_done(inst, stmt);
	if (rc == ETL_OK && drops.length)
		rc = odbc_run_text(inst, err, &drops);
	etl_text_free(&sql);
	etl_text_free(&drops);
	return rc;
}

bool odbc_try_drop_foreign_keys(struct etl_instance *inst, const char *schema, const char *name, struct odbc_said *said)
{
	struct etl_text sql = { 0 };
	struct odbc_rows drops;
	bool done;

	if (inst->dialect != &odbc_tsql)
		return true;
	add_asking(&sql, inst, schema, name);
	done = odbc_try_rows(inst, &sql, 1, &drops, said);
	for (size_t i = 0; done && i < drops.count; i++)
		done = odbc_try_run(inst, odbc_row_text(&drops, i, 0), said);
	odbc_rows_free(&drops);
	return done;
}
