/*
 * Comments of a table and its columns: in T-SQL the property MS_Description, in which Microsoft's tools keep them. It stays with
 * its table when that is renamed.
 */
#include "config.h"

#include "design.h"

#define PROPERTY_UNITS 3750 /* UTF-16 units: "cannot be larger than 7,500 bytes" (Microsoft, sp_addextendedproperty) */

static size_t units_of(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) == 0x80 ? 0 : (unsigned char)*text >= 0xf0 ? 2 : 1;
	return n;
}

/* The table's name stands in a constant of its own, so that restage.c puts that of the staged one there. */
static void add_property(struct design *d, struct etl_text *sql, const char *column, const char *comment)
{
	struct etl_text table = { 0 };

	odbc_design_add_table(&table, d, d->table->name);
	etl_text_add(sql, "DECLARE @id int = OBJECT_ID(N");
	etl_text_add_literal(sql, table.at ? table.at : "");
	etl_text_add(sql, "); DECLARE @schema sysname = OBJECT_SCHEMA_NAME(@id), @table sysname = OBJECT_NAME(@id); "
			  "EXEC sp_addextendedproperty N'MS_Description', N");
	etl_text_add_literal(sql, comment);
	etl_text_add(sql, ", N'SCHEMA', @schema, N'TABLE', @table");
	if (column) {
		etl_text_add(sql, ", N'COLUMN', N");
		etl_text_add_literal(sql, column);
	}
	sql->failed |= table.failed;
	etl_text_free(&table);
}

static void add_comment_on(struct design *d, struct etl_text *sql, const char *column, const char *comment)
{
	etl_text_add(sql, column ? "COMMENT ON COLUMN " : "COMMENT ON TABLE ");
	odbc_design_add_table(sql, d, d->table->name);
	if (column) {
		etl_text_add(sql, ".");
		odbc_add_name(sql, d->inst, column);
	}
	etl_text_add(sql, " IS ");
	odbc_add_literal(sql, d->inst, comment);
}

static int add_comment(struct design *d, const char *column, const char *comment)
{
	struct etl_text sql = { 0 };

	if (!comment || !*comment)
		return ETL_OK;
	if (d->dialect != &odbc_tsql && d->dialect != &odbc_postgresql)
		return odbc_design_skip(d, "comment", column, "this server keeps none", comment);
	if (d->dialect == &odbc_tsql && units_of(comment) > PROPERTY_UNITS)
		return odbc_design_skip(d, "comment", column, "an extended property of T-SQL has 7,500 bytes at most", NULL);
	if (d->dialect == &odbc_tsql)
		add_property(d, &sql, column, comment);
	else
		add_comment_on(d, &sql, column, comment);
	return odbc_design_part(d, ETL_PHASE_FINISH, ETL_EXACT, "comment", column, &sql, NULL);
}

int odbc_design_comments(struct design *d)
{
	int rc = add_comment(d, NULL, d->table->comment);

	for (size_t i = 0; rc == ETL_OK && i < d->table->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, d->table->columns, d->table->column_size, i);

		if (!d->gone[i])
			rc = add_comment(d, c->name, c->comment);
	}
	return rc;
}
