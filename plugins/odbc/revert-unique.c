/*
 * Rows that a merge deleted need their unique values again, and rows that go, or become what they were, may have them still:
 * those come behind these, and their children behind them.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "children.h"
#include "revert-rows.h"

static bool in_key(const struct odbc_undo_rows *t, const char *name)
{
	for (size_t k = 0; k < t->key_count; k++)
		if (strcmp(t->key[k], name) == 0)
			return true;
	return false;
}

/* ---- Which they are ----------------------------------------------------------------------------------------------------- */

enum { INDEX, COLUMN, FILTERED, NULLABLE, INDEX_COLUMNS };

/* Of indexes that are unique. Not by describe: what a server cannot spell of a table may end the transaction. */
static void add_index_question(struct etl_text *sql, const struct odbc_undo_rows *t)
{
	struct etl_text name = { 0 };

	etl_text_add_literal(&name, undo_table(t));
	if (t->r->inst->dialect == &odbc_tsql)
		etl_text_addf(sql,
			      "SELECT CONVERT(nvarchar(20), i.index_id), c.name, CONVERT(int, i.has_filter), CONVERT(int, c.is_nullable) "
			      "FROM sys.indexes AS i INNER JOIN sys.index_columns AS x ON x.object_id = i.object_id AND x.index_id = "
			      "i.index_id AND x.is_included_column = 0 INNER JOIN sys.columns AS c ON c.object_id = x.object_id AND "
			      "c.column_id = x.column_id WHERE i.is_unique = 1 AND i.object_id = %s ORDER BY i.index_id, x.key_ordinal",
			      t->object);
	else if (t->r->inst->dialect == &odbc_postgresql)
		etl_text_addf(sql,
			      "SELECT CAST(i.indexrelid AS text), a.attname, CAST(i.indpred IS NOT NULL AS int), CAST(NOT a.attnotnull AS "
			      "int) FROM pg_index AS i CROSS JOIN LATERAL unnest(CAST(i.indkey AS int[])) WITH ORDINALITY AS k (n, place) "
			      "JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.n WHERE i.indisunique AND i.indexprs IS "
			      "NULL AND k.place <= i.indnkeyatts AND i.indrelid = %s ORDER BY i.indexrelid, k.place",
			      t->object);
	else
		etl_text_addf(sql,
			      "SELECT * FROM (SELECT '', name, 0, 0 FROM pragma_table_info(%s) WHERE pk > 0 ORDER BY pk) UNION ALL SELECT "
			      "* FROM (SELECT l.name, i.name, l.partial, NOT c.\"notnull\" FROM pragma_index_list(%s) AS l, "
			      "pragma_index_info(l.name) AS i, pragma_table_info(%s) AS c WHERE l.\"unique\" AND c.name = i.name ORDER BY "
			      "l.seq, i.seqno)",
			      name.at ? name.at : "''", name.at ? name.at : "''", name.at ? name.at : "''");
	sql->failed |= name.failed;
	etl_text_free(&name);
}

/* T-SQL takes one NULL in a unique key, and any number where its index leaves them out. */
static void add_unique(struct odbc_undo_rows *t, const struct odbc_rows *found, size_t i)
{
	const struct etl_instance *inst = t->r->inst;
	const char *name = odbc_row_text(found, i, COLUMN);
	bool first = i == 0 || strcmp(odbc_row_text(found, i, INDEX), odbc_row_text(found, i - 1, INDEX)) != 0;
	bool nulls = odbc_row_number(found, i, NULLABLE) &&
		     (inst->dialect != &odbc_tsql || odbc_row_number(found, i, FILTERED));

	etl_text_add(&t->taken, !first ? " AND " : t->taken.length ? ") OR (" : "(");
	etl_text_addf(&t->taken, "%s.", t->own.at);
	odbc_add_name(&t->taken, inst, name);
	etl_text_addf(&t->taken, " = %s.", t->undo.at);
	odbc_add_name(&t->taken, inst, name);
	if (!nulls || in_key(t, name) || undo_is_computed(t, name))
		return;
	etl_text_add(&t->passing, t->passing.length ? ", " : "");
	odbc_add_name(&t->passing, inst, name);
	etl_text_add(&t->passing, " = NULL");
}

/* What a key hands on to children when a value changes would not come back to them. */
static int hands_on(struct odbc_undo_rows *t, bool *ret)
{
	struct etl_text sql = { 0 };
	int64_t count = 0;
	int rc = ETL_OK;

	if (t->r->inst->dialect == &odbc_tsql)
		etl_text_addf(&sql, "SELECT COUNT(*) FROM sys.foreign_keys WHERE update_referential_action <> 0 AND "
				    "referenced_object_id = %s", t->object);
	else if (t->r->inst->dialect == &odbc_postgresql)
		etl_text_addf(&sql, "SELECT COUNT(*) FROM pg_constraint WHERE contype = 'f' AND confupdtype IN ('c', 'n', 'd') AND "
				    "confrelid = %s", t->object);
	if (sql.length)
		rc = odbc_number_text(t->r->inst, t->r->err, &count, &sql);
	*ret = count > 0;
	return rc;
}

int odbc_find_uniques(struct odbc_undo_rows *t)
{
	struct etl_text sql = { 0 };
	struct odbc_rows found;
	bool on = false;
	int rc;

	add_index_question(&sql, t);
	rc = odbc_ask_rows_text(t->r->inst, &sql, INDEX_COLUMNS, &found, t->r->err);
	for (size_t i = 0; rc == ETL_OK && i < found.count; i++)
		add_unique(t, &found, i);
	if (t->taken.length)
		etl_text_add(&t->taken, ")");
	odbc_rows_free(&found);
	if (rc == ETL_OK)
		rc = hands_on(t, &on);
	if (on)
		etl_text_free(&t->passing);
	return rc == ETL_OK && (t->taken.failed || t->passing.failed) ? odbc_no_memory(t->r->inst, t->r->err) : rc;
}

/* ---- Those that are free come first ------------------------------------------------------------------------------------- */

int odbc_let_go(struct odbc_undo_rows *t)
{
	struct etl_text sql = { 0 };

	if (!undo_is_merged(t) || !t->passing.length)
		return ETL_OK;
	etl_text_addf(&sql, "UPDATE %s SET %s WHERE ", t->own.at, t->passing.at);
	undo_add_rows(&sql, t, "'i', 'u'");
	return odbc_run_back(t->r, &sql, undo_table(t));
}

int odbc_mark_free(struct odbc_undo_rows *t)
{
	struct etl_text sql = { 0 };

	if (!undo_is_merged(t))
		return ETL_OK;
	etl_text_addf(&sql, "UPDATE %s SET _etlrun_op = 'f' WHERE _etlrun_op = 'd'", t->undo.at);
	if (t->taken.length)
		etl_text_addf(&sql, " AND NOT EXISTS (SELECT 1 FROM %s WHERE %s)", t->own.at, t->taken.at);
	return odbc_run_back(t->r, &sql, undo_table(t));
}

/* ---- Children wait for their parents ----------------------------------------------------------------------------------- */

static const struct odbc_undo_rows *find_child(const struct odbc_undo_rows *all, size_t count,
					       const struct odbc_undo_rows *parent, const char *object)
{
	bool sqlite = parent->r->inst->dialect == &odbc_sqlite;

	for (size_t i = 0; i < count; i++)
		if (undo_is_merged(&all[i]) && strcmp(sqlite ? undo_table(&all[i]) : all[i].object, object) == 0)
			return &all[i];
	return NULL;
}

/* Rows of CHILD that would come, and refer by the key FROM .. TO to one of PARENT that cannot come yet. *RET grows by their
 * number. */
static int hold(const struct odbc_undo_rows *parent, const struct odbc_undo_rows *child, const struct odbc_rows *keys,
		size_t from, size_t to, int64_t *ret)
{
	struct etl_instance *inst = parent->r->inst;
	struct etl_text where = { 0 }, sql = { 0 };
	int64_t held = 0;
	int rc;

	etl_text_addf(&where, " WHERE _etlrun_op = 'f' AND EXISTS (SELECT 1 FROM %s AS etlrun_parent WHERE etlrun_parent._etlrun_op = 'd'",
		      parent->undo.at);
	for (size_t i = from; i < to; i++) {
		etl_text_add(&where, " AND etlrun_parent.");
		odbc_add_name(&where, inst, odbc_row_text(keys, i, CHILD_PARENT_COLUMN));
		etl_text_addf(&where, " = %s.", child->undo.at);
		odbc_add_name(&where, inst, odbc_row_text(keys, i, CHILD_COLUMN));
	}
	etl_text_add(&where, ")");
	etl_text_addf(&sql, "SELECT COUNT(*) FROM %s%s", child->undo.at, where.at ? where.at : "");
	sql.failed |= where.failed;
	rc = odbc_number_text(inst, parent->r->err, &held, &sql);
	if (rc == ETL_OK && held) {
		etl_text_addf(&sql, "UPDATE %s SET _etlrun_op = 'd'%s", child->undo.at, where.at);
		rc = odbc_run_back(parent->r, &sql, undo_table(child));
	}
	*ret += held;
	etl_text_free(&where);
	return rc;
}

static int hold_children_of(const struct odbc_undo_rows *all, size_t count, const struct odbc_undo_rows *parent,
			    int64_t *ret)
{
	struct odbc_reverting *r = parent->r;
	struct odbc_rows keys;
	int rc = odbc_list_children(r->inst, undo_at(r, parent->i, UNDO_SCHEMA), undo_table(parent), &keys, r->err);

	for (size_t from = 0, to; rc == ETL_OK && from < keys.count; from = to) {
		const struct odbc_undo_rows *child = find_child(all, count, parent, odbc_row_text(&keys, from, CHILD_OBJECT));

		to = odbc_children_end(&keys, from);
		if (child)
			rc = hold(parent, child, &keys, from, to, ret);
	}
	odbc_rows_free(&keys);
	return rc;
}

/* Until nobody is added: children may have children. */
int odbc_hold_children(const struct odbc_undo_rows *all, size_t count)
{
	int64_t added = 1;
	int rc = ETL_OK;

	while (rc == ETL_OK && added) {
		added = 0;
		for (size_t i = 0; rc == ETL_OK && i < count; i++)
			if (undo_is_merged(&all[i]))
				rc = hold_children_of(all, count, &all[i], &added);
	}
	return rc;
}

