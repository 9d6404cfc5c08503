/*
 * Old tables of T-SQL that are kept. Names of constraints are those of the schema, so those of an old table make room: they
 * are called "_etlrun_old_RUN_NAME" as long. Babelfish cannot rename them; there every run gives other names (names.c).
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "undo.h"

/* ---- Foreign keys ------------------------------------------------------------------------------------------------------ */

enum { KEY, TO_SCHEMA, TO_TABLE, COLUMN, TO_COLUMN, ON_DELETE, ON_UPDATE, UNTRUSTED, KEY_COLUMNS };

static void add_key_question(struct etl_text *sql, const char *object, const char *objects)
{
	etl_text_addf(sql,
		      "SELECT f.name, OBJECT_SCHEMA_NAME(f.referenced_object_id), OBJECT_NAME(f.referenced_object_id), c.name, "
		      "r.name, REPLACE(f.delete_referential_action_desc, '_', ' '), REPLACE(f.update_referential_action_desc, '_', "
		      "' '), CONVERT(int, f.is_not_trusted) FROM sys.foreign_keys AS f INNER JOIN sys.foreign_key_columns AS k ON "
		      "k.constraint_object_id = f.object_id INNER JOIN sys.columns AS c ON c.object_id = k.parent_object_id AND "
		      "c.column_id = k.parent_column_id INNER JOIN sys.columns AS r ON r.object_id = k.referenced_object_id AND "
		      "r.column_id = k.referenced_column_id WHERE f.parent_object_id = %s AND f.referenced_object_id NOT IN (%s) "
		      "ORDER BY f.object_id, k.constraint_column_id",
		      object, objects);
}

/* Rows FROM .. TO are the columns of one key. */
static void add_columns(struct etl_text *sql, const struct etl_instance *inst, const struct odbc_rows *rows, size_t from,
			size_t to, size_t which)
{
	for (size_t i = from; i < to; i++) {
		etl_text_add(sql, i > from ? ", " : "(");
		odbc_add_name(sql, inst, odbc_row_text(rows, i, which));
	}
	etl_text_add(sql, ")");
}

/* One that was never checked is not checked then either. */
static void add_again(struct etl_text *sql, const struct etl_instance *inst, const char *schema, const char *table,
		      const struct odbc_rows *rows, size_t from, size_t to)
{
	etl_text_add(sql, "ALTER TABLE ");
	odbc_add_table(sql, inst, schema, table);
	etl_text_add(sql, odbc_row_number(rows, from, UNTRUSTED) && !inst->babelfish ? " WITH NOCHECK" : "");
	etl_text_add(sql, " ADD CONSTRAINT ");
	odbc_add_name(sql, inst, odbc_row_text(rows, from, KEY));
	etl_text_add(sql, " FOREIGN KEY ");
	add_columns(sql, inst, rows, from, to, COLUMN);
	etl_text_add(sql, " REFERENCES ");
	odbc_add_table(sql, inst, odbc_row_text(rows, from, TO_SCHEMA), odbc_row_text(rows, from, TO_TABLE));
	etl_text_add(sql, " ");
	add_columns(sql, inst, rows, from, to, TO_COLUMN);
	etl_text_addf(sql, " ON DELETE %s ON UPDATE %s", odbc_row_text(rows, from, ON_DELETE),
		      odbc_row_text(rows, from, ON_UPDATE));
}

static int cut_key(struct odbc_publishing *p, const char *schema, const char *table, const struct odbc_rows *rows, size_t from,
		   size_t to)
{
	struct etl_text sql = { 0 };
	int rc;

	add_again(&sql, p->inst, schema, table, rows, from, to);
	rc = sql.failed ? odbc_no_memory(p->inst, p->err) : odbc_note_again(p, sql.at);
	etl_text_free(&sql);
	if (rc < 0)
		return rc;
	etl_text_add(&sql, "ALTER TABLE ");
	odbc_add_table(&sql, p->inst, schema, table);
	etl_text_add(&sql, " DROP CONSTRAINT ");
	odbc_add_name(&sql, p->inst, odbc_row_text(rows, from, KEY));
	return odbc_run_text(p->inst, p->err, &sql);
}

static int cut_keys(struct odbc_publishing *p, const char *schema, const char *table, const char *object, const char *objects)
{
	struct etl_text sql = { 0 };
	struct odbc_rows rows;
	int rc;

	add_key_question(&sql, object, objects);
	rc = odbc_ask_rows_text(p->inst, &sql, KEY_COLUMNS, &rows, p->err);
	for (size_t from = 0, to; rc == ETL_OK && from < rows.count; from = to) {
		for (to = from + 1; to < rows.count; to++)
			if (strcmp(odbc_row_text(&rows, from, KEY), odbc_row_text(&rows, to, KEY)) != 0)
				break;
		rc = cut_key(p, schema, table, &rows, from, to);
	}
	odbc_rows_free(&rows);
	return rc;
}

/* ---- Names ------------------------------------------------------------------------------------------------------------- */

static int rename_constraint(struct odbc_publishing *p, const char *schema, const char *table, const char *name)
{
	const struct odbc_dialect *dialect = p->inst->dialect;
	char kept[ODBC_NAME_ROOM];
	struct etl_text sql = { 0 };
	int rc;

	odbc_kept_name(p->inst, p->commit->run->id, name, kept);
	dialect->add_rename_key(&sql, p->inst, schema, table, kept, name);
	rc = sql.failed ? odbc_no_memory(p->inst, p->err) : odbc_note_again(p, sql.at);
	etl_text_free(&sql);
	if (rc < 0)
		return rc;
	dialect->add_rename_key(&sql, p->inst, schema, table, name, kept);
	return odbc_run_text(p->inst, p->err, &sql);
}

static int rename_constraints(struct odbc_publishing *p, const char *schema, const char *table, const char *object)
{
	struct etl_text sql = { 0 };
	struct odbc_rows names;
	int rc;

	etl_text_addf(&sql,
		      "SELECT name FROM sys.objects WHERE parent_object_id = %s AND type IN ('PK', 'UQ', 'F', 'C', 'D') ORDER BY "
		      "object_id",
		      object);
	rc = odbc_ask_rows_text(p->inst, &sql, 1, &names, p->err);
	for (size_t i = 0; rc == ETL_OK && i < names.count; i++)
		rc = rename_constraint(p, schema, table, odbc_row_text(&names, i, 0));
	odbc_rows_free(&names);
	return rc;
}

int odbc_keep_tsql(struct odbc_publishing *p, const struct etl_load *load, const char *objects)
{
	const char *schema = odbc_place_of(p->inst, load->table), *table = load->table->name;
	char object[ODBC_OBJECT_ROOM];
	int rc = odbc_object_of(p->inst, schema, table, object, p->err);

	if (rc == ETL_OK)
		rc = cut_keys(p, schema, table, *object ? object : "0", objects);
	return rc == ETL_OK && !p->inst->babelfish ? rename_constraints(p, schema, table, *object ? object : "0") : rc;
}
