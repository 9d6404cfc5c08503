/*
 * Rows of an append or a merge that go again. Back come those that a merge deleted, as far as their unique values are free;
 * then, children first, changed rows are what they were and new ones go; then the rest comes. Triggers of the tables are
 * still: the rows are to be what they were.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "children.h"
#include "revert-rows.h"

/* ---- What there is ---------------------------------------------------------------------------------------------------- */

static void close_rows(struct odbc_undo_rows *t)
{
	odbc_shape_free(&t->shape);
	odbc_rows_free(&t->computed);
	free(t->key);
	etl_text_free(&t->own);
	etl_text_free(&t->undo);
	etl_text_free(&t->identity);
	etl_text_free(&t->taken);
	etl_text_free(&t->passing);
	etl_text_free(&t->again);
}

static int open_rows(struct odbc_undo_rows *t, struct odbc_reverting *r, size_t i)
{
	const struct etl_dataset undo = { .schema = undo_at(r, i, UNDO_SCHEMA), .table = undo_at(r, i, UNDO_KEPT) };
	bool there = false;
	int rc;

	*t = (struct odbc_undo_rows){ .r = r, .i = i, .key_count = (size_t)odbc_row_number(&r->tables, i, UNDO_KEYS) };
	odbc_add_table(&t->own, r->inst, undo.schema, undo_at(r, i, UNDO_TABLE));
	odbc_add_table(&t->undo, r->inst, undo.schema, undo.table);
	rc = odbc_is_there(r->inst, undo.schema, undo.table, &there, r->err);
	if (rc == ETL_OK && !there)
		rc = r->inst->host->fail(r->err, ETL_USAGE, NULL, 0,
					 "what run %s did to \"%s\" is not there (\"%s\"), so it cannot be taken back", r->run, undo_table(t),
					 undo.table);
	if (rc == ETL_OK)
		rc = select_shape(r->inst, &undo, &t->shape, r->err);
	if (rc == ETL_OK)
		rc = odbc_object_of(r->inst, undo.schema, undo_table(t), t->object, r->err);
	if (rc < 0)
		return rc;
	t->key = calloc(t->key_count + 1, sizeof(*t->key));
	if (!t->key || t->own.failed || t->undo.failed)
		return odbc_no_memory(r->inst, r->err);
	for (size_t k = 0; k < t->key_count && k + 1 < t->shape.count; k++)
		t->key[k] = t->shape.columns[k + 1].name;
	return ETL_OK;
}

static int find_identity(struct odbc_undo_rows *t)
{
	struct etl_text sql = { 0 };
	int rc;

	if (t->r->inst->dialect == &odbc_tsql)
		etl_text_addf(&sql, "SELECT name FROM sys.identity_columns WHERE object_id = %s", t->object);
	else if (t->r->inst->dialect == &odbc_postgresql)
		etl_text_addf(&sql, "SELECT attname FROM pg_attribute WHERE attrelid = %s AND attidentity = 'a'", t->object);
	else
		return ETL_OK;
	rc = sql.failed ? odbc_no_memory(t->r->inst, t->r->err) : odbc_ask(t->r->inst, sql.at, &t->identity, t->r->err);
	etl_text_free(&sql);
	return rc;
}

static int find_computed(struct odbc_undo_rows *t)
{
	struct etl_text sql = { 0 };

	if (t->r->inst->dialect == &odbc_tsql) {
		etl_text_addf(&sql, "SELECT name FROM sys.columns WHERE is_computed = 1 AND object_id = %s", t->object);
	} else if (t->r->inst->dialect == &odbc_postgresql) {
		etl_text_addf(&sql, "SELECT attname FROM pg_attribute WHERE attgenerated <> '' AND attrelid = %s", t->object);
	} else {
		etl_text_add(&sql, "SELECT name FROM pragma_table_xinfo(");
		etl_text_add_literal(&sql, undo_table(t));
		etl_text_add(&sql, ") WHERE hidden <> 0");
	}
	return odbc_ask_rows_text(t->r->inst, &sql, 1, &t->computed, t->r->err);
}

/* ---- May they go? ------------------------------------------------------------------------------------------------------ */

/* As the run wrote them, and none of those that it deleted is there again. */
static int check_same(struct odbc_undo_rows *t)
{
	struct odbc_content was = { .rows = odbc_row_number(&t->r->tables, t->i, UNDO_ROWS) };
	const char *digest = undo_at(t->r, t->i, UNDO_DIGEST);
	struct etl_text written = { 0 }, sql = { 0 };
	int64_t back = 0;
	bool same = false;
	int rc;

	snprintf(was.digest, sizeof(was.digest), "%s", digest ? digest : "");
	undo_add_rows(&written, t, "'i', 'u'");
	rc = written.failed ? odbc_no_memory(t->r->inst, t->r->err) :
			      odbc_is_same(t->r->inst, undo_at(t->r, t->i, UNDO_SCHEMA), undo_table(t), written.at, &was, &same, t->r->err);
	etl_text_addf(&sql, "SELECT COUNT(*) FROM %s WHERE ", t->own.at);
	undo_add_rows(&sql, t, "'d'");
	if (rc == ETL_OK)
		rc = sql.failed ? odbc_no_memory(t->r->inst, t->r->err) : odbc_number(t->r->inst, t->r->err, &back, sql.at);
	etl_text_free(&written);
	etl_text_free(&sql);
	return rc == ETL_OK && (!same || back) ? odbc_fail_changed(t->r, t->i) : rc;
}

int odbc_check_rows(struct odbc_reverting *r, size_t i)
{
	struct odbc_undo_rows t;
	int rc = open_rows(&t, r, i);

	if (rc == ETL_OK)
		rc = check_same(&t);
	close_rows(&t);
	return rc;
}

/* ---- Triggers ---------------------------------------------------------------------------------------------------------- */

static void add_trigger_question(struct etl_text *sql, const struct odbc_undo_rows *t)
{
	if (t->r->inst->dialect == &odbc_tsql)
		etl_text_addf(sql,
			      "SELECT N'DISABLE TRIGGER ' + QUOTENAME(OBJECT_SCHEMA_NAME(object_id)) + N'.' + QUOTENAME(name) + N' ON ', "
			      "N'ENABLE TRIGGER ' + QUOTENAME(OBJECT_SCHEMA_NAME(object_id)) + N'.' + QUOTENAME(name) + N' ON ' FROM "
			      "sys.triggers WHERE is_disabled = 0 AND parent_id = %s",
			      t->object);
	else if (t->r->inst->dialect == &odbc_postgresql)
		etl_text_addf(sql,
			      "SELECT format('ALTER TABLE %%s DISABLE TRIGGER %%I', tgrelid::regclass, tgname), format('ALTER TABLE %%s "
			      "ENABLE %%s TRIGGER %%I', tgrelid::regclass, CASE tgenabled WHEN 'R' THEN 'REPLICA' WHEN 'A' THEN 'ALWAYS' "
			      "ELSE '' END, tgname) FROM pg_trigger WHERE tgrelid = %s AND NOT tgisinternal AND tgenabled <> 'D' AND "
			      "tgparentid = 0 ORDER BY oid",
			      t->object);
	else
		etl_text_addf(sql, "SELECT name, name FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower(");
	if (t->r->inst->dialect == &odbc_sqlite) {
		etl_text_add_literal(sql, undo_table(t));
		etl_text_add(sql, ")");
	}
}

static int still_one(struct odbc_undo_rows *t, const struct odbc_rows *triggers, size_t k)
{
	const char *on = t->r->inst->dialect == &odbc_tsql ? t->own.at : "";
	struct etl_text sql = { 0 };

	if (t->r->inst->dialect == &odbc_sqlite) {
		t->r->inst->host->at(t->r->err, undo_table(t), NULL, NULL);
		return t->r->inst->host->fail(t->r->err, ETL_FATAL, NULL, 0,
					      "trigger \"%s\" of \"%s\" would fire when rows are put back, and SQLite cannot keep it "
					      "still; nothing was taken back; drop it for that time",
					      odbc_row_text(triggers, k, 0), undo_table(t));
	}
	etl_text_addf(&sql, "%s%s", odbc_row_text(triggers, k, 0), on);
	etl_text_addf(&t->again, "%s%s; ", odbc_row_text(triggers, k, 1), on);
	return odbc_run_back(t->r, &sql, undo_table(t));
}

static int still(struct odbc_undo_rows *t)
{
	struct etl_text sql = { 0 };
	struct odbc_rows triggers;
	int rc;

	if (t->r->inst->dialect == &odbc_standard)
		return ETL_OK;
	add_trigger_question(&sql, t);
	rc = odbc_ask_rows_text(t->r->inst, &sql, 2, &triggers, t->r->err);
	for (size_t k = 0; rc == ETL_OK && k < triggers.count; k++)
		rc = still_one(t, &triggers, k);
	odbc_rows_free(&triggers);
	return rc;
}

/* ---- Going and coming -------------------------------------------------------------------------------------------------- */

/* The key's columns are the first, and are written. */
static void add_columns(struct etl_text *sql, const struct odbc_undo_rows *t)
{
	for (size_t k = 1; k < t->shape.count; k++) {
		if (undo_is_computed(t, t->shape.columns[k].name))
			continue;
		etl_text_add(sql, k > 1 ? ", " : "");
		odbc_add_name(sql, t->r->inst, t->shape.columns[k].name);
	}
}

static int give_identity(struct odbc_undo_rows *t, const char *word)
{
	struct etl_text sql = { 0 };

	if (t->r->inst->dialect != &odbc_tsql || !t->identity.length)
		return ETL_OK;
	etl_text_addf(&sql, "SET IDENTITY_INSERT %s %s", t->own.at, word);
	return odbc_run_back(t->r, &sql, undo_table(t));
}

static int insert(struct odbc_undo_rows *t, char op)
{
	struct etl_text sql = { 0 };
	int rc = undo_is_merged(t) ? give_identity(t, "ON") : ETL_OK;

	if (rc < 0 || !undo_is_merged(t))
		return rc;
	etl_text_addf(&sql, "INSERT INTO %s (", t->own.at);
	add_columns(&sql, t);
	etl_text_add(&sql, t->r->inst->dialect == &odbc_postgresql ? ") OVERRIDING SYSTEM VALUE SELECT " : ") SELECT ");
	add_columns(&sql, t);
	etl_text_addf(&sql, " FROM %s WHERE _etlrun_op = '%c'", t->undo.at, op);
	rc = odbc_run_back(t->r, &sql, undo_table(t));
	return rc == ETL_OK ? give_identity(t, "OFF") : rc;
}

static bool is_text(const struct odbc_column *c)
{
	switch (c->sql_type) {
	case SQL_CHAR:
	case SQL_VARCHAR:
	case SQL_LONGVARCHAR:
	case SQL_WCHAR:
	case SQL_WVARCHAR:
	case SQL_WLONGVARCHAR:
		return true;
	default:
		return false;
	}
}

/* Texts of a key may be equal as the column compares, and not the same. */
static size_t add_settings(struct etl_text *sql, const struct odbc_undo_rows *t)
{
	size_t count = 0;

	for (size_t k = 1; k < t->shape.count; k++) {
		const char *name = t->shape.columns[k].name;

		if (k <= t->key_count && !is_text(&t->shape.columns[k]))
			continue;
		if (undo_is_computed(t, name) || (t->identity.length && strcmp(name, t->identity.at) == 0))
			continue;
		etl_text_add(sql, count++ ? ", " : "");
		odbc_add_name(sql, t->r->inst, name);
		etl_text_add(sql, " = etlrun_undo.");
		odbc_add_name(sql, t->r->inst, name);
	}
	return count;
}

static int restore(struct odbc_undo_rows *t)
{
	bool tsql = t->r->inst->dialect == &odbc_tsql;
	struct etl_text sql = { 0 };

	if (!undo_is_merged(t))
		return ETL_OK;
	etl_text_addf(&sql, "UPDATE %s SET ", t->own.at);
	if (!add_settings(&sql, t)) {
		etl_text_free(&sql);
		return ETL_OK;
	}
	if (tsql)
		etl_text_addf(&sql, " FROM %s INNER JOIN %s AS etlrun_undo ON etlrun_undo._etlrun_op = 'u'", t->own.at, t->undo.at);
	else
		etl_text_addf(&sql, " FROM %s AS etlrun_undo WHERE etlrun_undo._etlrun_op = 'u'", t->undo.at);
	for (size_t k = 0; k < t->key_count; k++) {
		etl_text_addf(&sql, " AND %s.", t->own.at);
		odbc_add_name(&sql, t->r->inst, t->key[k]);
		etl_text_add(&sql, " = etlrun_undo.");
		odbc_add_name(&sql, t->r->inst, t->key[k]);
	}
	return odbc_run_back(t->r, &sql, undo_table(t));
}

static int check_children(struct odbc_undo_rows *t, const char *going)
{
	const struct odbc_going g = { t->own.at, going, t->key, t->key_count };
	struct odbc_children found;
	int rc = odbc_find_children(t->r->inst, undo_at(t->r, t->i, UNDO_SCHEMA), undo_table(t), &g, &found, t->r->err);

	if (rc < 0 || !found.rows)
		return rc;
	t->r->inst->host->at(t->r->err, found.table, NULL, NULL);
	return t->r->inst->host->fail(t->r->err, ETL_FATAL, NULL, 0,
				      "%lld row%s of \"%s\" refer by foreign key \"%s\" to rows of \"%s\" that run %s brought, and would go "
				      "or change with them; nothing was taken back; remove those rows first, or give them another parent",
				      (long long)found.rows, found.rows == 1 ? "" : "s", found.table, found.key, undo_table(t), t->r->run);
}

static int delete_new(struct odbc_undo_rows *t)
{
	struct etl_text going = { 0 }, sql = { 0 };
	int rc;

	undo_add_rows(&going, t, "'i'");
	rc = going.failed ? odbc_no_memory(t->r->inst, t->r->err) : check_children(t, going.at);
	if (rc == ETL_OK) {
		etl_text_addf(&sql, "DELETE FROM %s WHERE %s", t->own.at, going.at);
		rc = odbc_run_back(t->r, &sql, undo_table(t));
	}
	etl_text_free(&going);
	return rc;
}

/* ---- All of them ------------------------------------------------------------------------------------------------------- */

static int prepare(struct odbc_undo_rows *t)
{
	int rc = ETL_OK;

	if (undo_is_merged(t)) {
		rc = find_identity(t);
		if (rc == ETL_OK)
			rc = find_computed(t);
		if (rc == ETL_OK)
			rc = odbc_find_uniques(t);
	}
	return rc == ETL_OK ? still(t) : rc;
}

static int finish(struct odbc_undo_rows *t)
{
	struct etl_text sql = { 0 };
	int rc = t->again.length ? odbc_run_back(t->r, &t->again, undo_table(t)) : ETL_OK;

	if (rc < 0)
		return rc;
	etl_text_addf(&sql, "DROP TABLE %s", t->undo.at);
	return odbc_run_back(t->r, &sql, undo_table(t));
}

static int write_all(struct odbc_undo_rows *all, size_t count)
{
	int (*const before[])(struct odbc_undo_rows *) = { prepare, odbc_let_go, odbc_mark_free };
	int rc = ETL_OK;

	for (size_t step = 0; step < sizeof(before) / sizeof(*before); step++)
		for (size_t i = 0; rc == ETL_OK && i < count; i++)
			rc = before[step](&all[i]);
	if (rc == ETL_OK)
		rc = odbc_hold_children(all, count);
	for (size_t i = 0; rc == ETL_OK && i < count; i++)
		rc = insert(&all[i], 'f');
	for (size_t i = count; rc == ETL_OK && i-- > 0;) {
		rc = restore(&all[i]);
		if (rc == ETL_OK)
			rc = delete_new(&all[i]);
	}
	for (size_t i = 0; rc == ETL_OK && i < count; i++)
		rc = insert(&all[i], 'd');
	for (size_t i = 0; rc == ETL_OK && i < count; i++)
		rc = finish(&all[i]);
	return rc;
}

int odbc_revert_rows(struct odbc_reverting *r)
{
	struct odbc_undo_rows *all = calloc(r->tables.count + 1, sizeof(*all));
	size_t count = 0;
	int rc = all ? ETL_OK : odbc_no_memory(r->inst, r->err);

	for (size_t i = 0; rc == ETL_OK && i < r->tables.count; i++)
		if (undo_has_rows(r, i))
			rc = open_rows(&all[count++], r, i);
	if (rc == ETL_OK)
		rc = write_all(all, count);
	for (size_t i = 0; i < count; i++)
		close_rows(&all[i]);
	free(all);
	return rc;
}
