/*
 * A copy that a merge comes upon. Where a table that a run made is known by the transactions that wrote its rows (same.c), a
 * row which a merge changes, and which is put back when the merge is taken back, is a later one's: the copy could not be taken
 * back any more, though every row is as it was. So before such a merge writes its first row, the copy's rows have a digest,
 * by which the table is known from then on. A copy to which somebody wrote before has none, and stays what it is.
 */
#include "config.h"

#include <stdio.h>

#include "into.h"
#include "undo.h"

enum { RUN, LOAD, ROWS, DIGEST, XACT, COLUMNS };

/* The run that made the table, as far as it is known by transactions; none: no row. */
static int find_copy(const struct odbc_into *t, struct odbc_rows *ret)
{
	const struct etl_table *table = t->load->table;
	char object[ODBC_OBJECT_ROOM];
	struct etl_text sql = { 0 };
	int rc = odbc_object_of(t->inst, odbc_place_of(t->inst, table), table->name, object, t->err);

	if (rc < 0)
		return rc;
	etl_text_add(&sql, "SELECT run, load, row_count, digest, xact FROM ");
	odbc_add_own(&sql, t->inst, "_etlrun_tables");
	etl_text_addf(&sql, " WHERE how IN ('made', 'replaced') AND xact <> %d AND object = ", UNDO_BY_DIGEST);
	odbc_add_literal(&sql, t->inst, object);
	etl_text_add(&sql, " AND table_name = ");
	odbc_add_literal(&sql, t->inst, table->name);
	return odbc_ask_rows_text(t->inst, &sql, COLUMNS, ret, t->err);
}

static int note_digest(const struct odbc_into *t, const struct odbc_rows *copy, size_t i, const struct odbc_content *now)
{
	struct etl_text sql = { 0 };

	etl_text_add(&sql, "UPDATE ");
	odbc_add_own(&sql, t->inst, "_etlrun_tables");
	etl_text_addf(&sql, " SET row_count = %lld, xact = %d, digest = ", (long long)now->rows, UNDO_BY_DIGEST);
	odbc_add_literal(&sql, t->inst, now->digest);
	etl_text_add(&sql, " WHERE run = ");
	odbc_add_literal(&sql, t->inst, odbc_row_text(copy, i, RUN));
	etl_text_addf(&sql, " AND load = %lld", (long long)odbc_row_number(copy, i, LOAD));
	return odbc_run_text(t->inst, t->err, &sql);
}

/* Who wrote while the rows were read is seen behind it. */
static int look(const struct odbc_into *t, const struct odbc_rows *copy, size_t i)
{
	const char *schema = odbc_place_of(t->inst, t->load->table), *name = t->load->table->name;
	const char *digest = odbc_row_text(copy, i, DIGEST);
	struct odbc_content was = { .rows = odbc_row_number(copy, i, ROWS), .transaction = odbc_row_number(copy, i, XACT) }, now;
	bool same = false;
	int rc;

	snprintf(was.digest, sizeof(was.digest), "%s", digest ? digest : "");
	rc = odbc_is_same(t->inst, schema, name, NULL, &was, &same, t->err);
	if (rc < 0 || !same)
		return rc;
	rc = odbc_look_at(t->inst, schema, name, UNDO_EVERY_ROW, &now, t->err);
	if (rc == ETL_OK)
		rc = odbc_is_same(t->inst, schema, name, NULL, &was, &same, t->err);
	return rc == ETL_OK && same ? note_digest(t, copy, i, &now) : rc;
}

int odbc_keep_copy(const struct odbc_into *t)
{
	struct odbc_rows copy = { 0 };
	int rc;

	if (t->inst->dialect != &odbc_postgresql && !t->inst->babelfish)
		return ETL_OK;
	rc = find_copy(t, &copy);
	for (size_t i = 0; rc == ETL_OK && i < copy.count; i++)
		rc = look(t, &copy, i);
	odbc_rows_free(&copy);
	return rc;
}
