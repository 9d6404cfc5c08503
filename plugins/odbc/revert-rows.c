/*
 * Rows of an append or a merge that go again. Back come those that a merge deleted, as far as their unique values are free;
 * then, children first, changed rows are what they were and new ones go; then the rest comes. Triggers of the tables are
 * still: the rows are to be what they were.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "children.h"
#include "select.h"
#include "undo.h"

/* A table whose rows go; names as they stand in SQL. */
struct rows {
	struct odbc_reverting *r;
	size_t i; /* in r->tables */
	struct etl_text own, undo;
	struct odbc_shape shape; /* of the undo table: _etlrun_op, the key, the others */
	const char **key;
	size_t key_count;
	char object[ODBC_OBJECT_ROOM];
	struct etl_text identity; /* the column that the server counts, or empty */
	struct odbc_rows computed; /* columns that nobody writes, which not every catalog tells when they are kept */
	struct etl_text taken;	  /* a row of OWN has a unique value of one of UNDO; empty: there are none */
	struct etl_text passing;  /* "a = NULL, …": unique values that may be none for a moment; empty: none */
	struct etl_text again;	  /* what wakes its triggers */
};

static bool is_merged(const struct rows *t)
{
	return undo_is(t->r, t->i, "merged");
}

static const char *table(const struct rows *t)
{
	return undo_at(t->r, t->i, UNDO_TABLE);
}

/* ---- What there is ---------------------------------------------------------------------------------------------------- */

static void close_rows(struct rows *t)
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

static int open_rows(struct rows *t, struct odbc_reverting *r, size_t i)
{
	const struct etl_dataset undo = { .schema = undo_at(r, i, UNDO_SCHEMA), .table = undo_at(r, i, UNDO_KEPT) };
	bool there = false;
	int rc;

	*t = (struct rows){ .r = r, .i = i, .key_count = (size_t)odbc_row_number(&r->tables, i, UNDO_KEYS) };
	odbc_add_table(&t->own, r->inst, undo.schema, undo_at(r, i, UNDO_TABLE));
	odbc_add_table(&t->undo, r->inst, undo.schema, undo.table);
	rc = odbc_is_there(r->inst, undo.schema, undo.table, &there, r->err);
	if (rc == ETL_OK && !there)
		rc = r->inst->host->fail(r->err, ETL_USAGE, NULL, 0,
					 "what run %s did to \"%s\" is not there (\"%s\"), so it cannot be taken back", r->run, table(t),
					 undo.table);
	if (rc == ETL_OK)
		rc = select_shape(r->inst, &undo, &t->shape, r->err);
	if (rc == ETL_OK)
		rc = odbc_object_of(r->inst, undo.schema, table(t), t->object, r->err);
	if (rc < 0)
		return rc;
	t->key = calloc(t->key_count + 1, sizeof(*t->key));
	if (!t->key || t->own.failed || t->undo.failed)
		return odbc_no_memory(r->inst, r->err);
	for (size_t k = 0; k < t->key_count && k + 1 < t->shape.count; k++)
		t->key[k] = t->shape.columns[k + 1].name;
	return ETL_OK;
}

static bool in_key(const struct rows *t, const char *name)
{
	for (size_t k = 0; k < t->key_count; k++)
		if (strcmp(t->key[k], name) == 0)
			return true;
	return false;
}

static int find_identity(struct rows *t)
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

static int find_computed(struct rows *t)
{
	struct etl_text sql = { 0 };

	if (t->r->inst->dialect == &odbc_tsql) {
		etl_text_addf(&sql, "SELECT name FROM sys.columns WHERE is_computed = 1 AND object_id = %s", t->object);
	} else if (t->r->inst->dialect == &odbc_postgresql) {
		etl_text_addf(&sql, "SELECT attname FROM pg_attribute WHERE attgenerated <> '' AND attrelid = %s", t->object);
	} else {
		etl_text_add(&sql, "SELECT name FROM pragma_table_xinfo(");
		etl_text_add_literal(&sql, table(t));
		etl_text_add(&sql, ") WHERE hidden <> 0");
	}
	return odbc_ask_rows_text(t->r->inst, &sql, 1, &t->computed, t->r->err);
}

static bool is_computed(const struct rows *t, const char *name)
{
	for (size_t i = 0; i < t->computed.count; i++)
		if (strcmp(odbc_row_text(&t->computed, i, 0), name) == 0)
			return true;
	return false;
}

/* ---- Unique values ---------------------------------------------------------------------------------------------------- */

enum { INDEX, COLUMN, FILTERED, NULLABLE, INDEX_COLUMNS };

/* Of indexes that are unique. Not by describe: what a server cannot spell of a table may end the transaction. */
static void add_index_question(struct etl_text *sql, const struct rows *t)
{
	struct etl_text name = { 0 };

	etl_text_add_literal(&name, table(t));
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
static void add_unique(struct rows *t, const struct odbc_rows *found, size_t i)
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
	if (!nulls || in_key(t, name) || is_computed(t, name))
		return;
	etl_text_add(&t->passing, t->passing.length ? ", " : "");
	odbc_add_name(&t->passing, inst, name);
	etl_text_add(&t->passing, " = NULL");
}

/* What a key hands on to children when a value changes would not come back to them. */
static int hands_on(struct rows *t, bool *ret)
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
		rc = sql.failed ? odbc_no_memory(t->r->inst, t->r->err) : odbc_number(t->r->inst, t->r->err, &count, sql.at);
	etl_text_free(&sql);
	*ret = count > 0;
	return rc;
}

static int find_uniques(struct rows *t)
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

/* ---- May they go? ------------------------------------------------------------------------------------------------------ */

static int lock(struct rows *t)
{
	struct etl_text sql = { 0 };

	if (t->r->inst->dialect == &odbc_tsql)
		etl_text_addf(&sql, "SELECT TOP (1) 1 FROM %s WITH (TABLOCKX, HOLDLOCK)", t->own.at);
	else if (t->r->inst->dialect == &odbc_postgresql)
		etl_text_addf(&sql, "LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE", t->own.at);
	else
		return ETL_OK;
	return odbc_run_back(t->r, &sql, table(t));
}

static void add_rows(struct etl_text *sql, const struct rows *t, const char *ops)
{
	odbc_undo_add_rows(sql, t->r->inst, &(struct odbc_undone){ t->own.at, t->undo.at, t->key, t->key_count }, ops);
}

/* As the run wrote them, and none of those that it deleted is there again. */
static int check_same(struct rows *t)
{
	struct odbc_content was = { .rows = odbc_row_number(&t->r->tables, t->i, UNDO_ROWS) };
	const char *digest = undo_at(t->r, t->i, UNDO_DIGEST);
	struct etl_text written = { 0 }, sql = { 0 };
	int64_t back = 0;
	bool same = false;
	int rc;

	snprintf(was.digest, sizeof(was.digest), "%s", digest ? digest : "");
	add_rows(&written, t, "'i', 'u'");
	rc = written.failed ? odbc_no_memory(t->r->inst, t->r->err) :
			      odbc_is_same(t->r->inst, undo_at(t->r, t->i, UNDO_SCHEMA), table(t), written.at, &was, &same, t->r->err);
	etl_text_addf(&sql, "SELECT COUNT(*) FROM %s WHERE ", t->own.at);
	add_rows(&sql, t, "'d'");
	if (rc == ETL_OK)
		rc = sql.failed ? odbc_no_memory(t->r->inst, t->r->err) : odbc_number(t->r->inst, t->r->err, &back, sql.at);
	etl_text_free(&written);
	etl_text_free(&sql);
	return rc == ETL_OK && (!same || back) ? odbc_fail_changed(t->r, t->i) : rc;
}

int odbc_check_rows(struct odbc_reverting *r, size_t i)
{
	struct rows t;
	int rc = open_rows(&t, r, i);

	if (rc == ETL_OK)
		rc = lock(&t);
	if (rc == ETL_OK)
		rc = check_same(&t);
	close_rows(&t);
	return rc;
}

/* ---- Triggers ---------------------------------------------------------------------------------------------------------- */

static void add_trigger_question(struct etl_text *sql, const struct rows *t)
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
		etl_text_add_literal(sql, table(t));
		etl_text_add(sql, ")");
	}
}

static int still_one(struct rows *t, const struct odbc_rows *triggers, size_t k)
{
	const char *on = t->r->inst->dialect == &odbc_tsql ? t->own.at : "";
	struct etl_text sql = { 0 };

	if (t->r->inst->dialect == &odbc_sqlite) {
		t->r->inst->host->at(t->r->err, table(t), NULL, NULL);
		return t->r->inst->host->fail(t->r->err, ETL_FATAL, NULL, 0,
					      "trigger \"%s\" of \"%s\" would fire when rows are put back, and SQLite cannot keep it "
					      "still; nothing was taken back; drop it for that time",
					      odbc_row_text(triggers, k, 0), table(t));
	}
	etl_text_addf(&sql, "%s%s", odbc_row_text(triggers, k, 0), on);
	etl_text_addf(&t->again, "%s%s; ", odbc_row_text(triggers, k, 1), on);
	return odbc_run_back(t->r, &sql, table(t));
}

static int still(struct rows *t)
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
static void add_columns(struct etl_text *sql, const struct rows *t)
{
	for (size_t k = 1; k < t->shape.count; k++) {
		if (is_computed(t, t->shape.columns[k].name))
			continue;
		etl_text_add(sql, k > 1 ? ", " : "");
		odbc_add_name(sql, t->r->inst, t->shape.columns[k].name);
	}
}

/* Rows may have each other's unique values: where these may be NULL they are, for a moment. */
static int let_go(struct rows *t)
{
	struct etl_text sql = { 0 };

	if (!is_merged(t) || !t->passing.length)
		return ETL_OK;
	etl_text_addf(&sql, "UPDATE %s SET %s WHERE ", t->own.at, t->passing.at);
	add_rows(&sql, t, "'i', 'u'");
	return odbc_run_back(t->r, &sql, table(t));
}

/* Of the rows that were deleted, those whose unique values are free come first: they may be parents. */
static int mark_free(struct rows *t)
{
	struct etl_text sql = { 0 };

	if (!is_merged(t))
		return ETL_OK;
	etl_text_addf(&sql, "UPDATE %s SET _etlrun_op = 'f' WHERE _etlrun_op = 'd'", t->undo.at);
	if (t->taken.length)
		etl_text_addf(&sql, " AND NOT EXISTS (SELECT 1 FROM %s WHERE %s)", t->own.at, t->taken.at);
	return odbc_run_back(t->r, &sql, table(t));
}

/* ---- Children wait for their parents ----------------------------------------------------------------------------------- */

static const struct rows *find_child(const struct rows *all, size_t count, const struct rows *parent, const char *object)
{
	bool sqlite = parent->r->inst->dialect == &odbc_sqlite;

	for (size_t i = 0; i < count; i++)
		if (is_merged(&all[i]) && strcmp(sqlite ? table(&all[i]) : all[i].object, object) == 0)
			return &all[i];
	return NULL;
}

/* Rows of CHILD that would come, and refer by the key FROM .. TO to one of PARENT that cannot come yet. *RET grows by their
 * number. */
static int hold(const struct rows *parent, const struct rows *child, const struct odbc_rows *keys, size_t from, size_t to,
		int64_t *ret)
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
	rc = where.failed || sql.failed ? odbc_no_memory(inst, parent->r->err) : odbc_number(inst, parent->r->err, &held, sql.at);
	etl_text_free(&sql);
	if (rc == ETL_OK && held) {
		etl_text_addf(&sql, "UPDATE %s SET _etlrun_op = 'd'%s", child->undo.at, where.at);
		rc = odbc_run_back(parent->r, &sql, table(child));
	}
	*ret += held;
	etl_text_free(&where);
	return rc;
}

static int hold_children_of(const struct rows *all, size_t count, const struct rows *parent, int64_t *ret)
{
	struct odbc_reverting *r = parent->r;
	struct odbc_rows keys;
	int rc = odbc_list_children(r->inst, undo_at(r, parent->i, UNDO_SCHEMA), table(parent), &keys, r->err);

	for (size_t from = 0, to; rc == ETL_OK && from < keys.count; from = to) {
		const struct rows *child = find_child(all, count, parent, odbc_row_text(&keys, from, CHILD_OBJECT));

		to = odbc_children_end(&keys, from);
		if (child)
			rc = hold(parent, child, &keys, from, to, ret);
	}
	odbc_rows_free(&keys);
	return rc;
}

/* Until nobody is added: children may have children. */
static int hold_children(const struct rows *all, size_t count)
{
	int64_t added = 1;
	int rc = ETL_OK;

	while (rc == ETL_OK && added) {
		added = 0;
		for (size_t i = 0; rc == ETL_OK && i < count; i++)
			if (is_merged(&all[i]))
				rc = hold_children_of(all, count, &all[i], &added);
	}
	return rc;
}

static int give_identity(struct rows *t, const char *word)
{
	struct etl_text sql = { 0 };

	if (t->r->inst->dialect != &odbc_tsql || !t->identity.length)
		return ETL_OK;
	etl_text_addf(&sql, "SET IDENTITY_INSERT %s %s", t->own.at, word);
	return odbc_run_back(t->r, &sql, table(t));
}

static int insert(struct rows *t, char op)
{
	struct etl_text sql = { 0 };
	int rc = is_merged(t) ? give_identity(t, "ON") : ETL_OK;

	if (rc < 0 || !is_merged(t))
		return rc;
	etl_text_addf(&sql, "INSERT INTO %s (", t->own.at);
	add_columns(&sql, t);
	etl_text_add(&sql, t->r->inst->dialect == &odbc_postgresql ? ") OVERRIDING SYSTEM VALUE SELECT " : ") SELECT ");
	add_columns(&sql, t);
	etl_text_addf(&sql, " FROM %s WHERE _etlrun_op = '%c'", t->undo.at, op);
	rc = odbc_run_back(t->r, &sql, table(t));
	return rc == ETL_OK ? give_identity(t, "OFF") : rc;
}

static size_t add_settings(struct etl_text *sql, const struct rows *t)
{
	size_t count = 0;

	for (size_t k = 1 + t->key_count; k < t->shape.count; k++) {
		const char *name = t->shape.columns[k].name;

		if (is_computed(t, name) || (t->identity.length && strcmp(name, t->identity.at) == 0))
			continue;
		etl_text_add(sql, count++ ? ", " : "");
		odbc_add_name(sql, t->r->inst, name);
		etl_text_add(sql, " = etlrun_undo.");
		odbc_add_name(sql, t->r->inst, name);
	}
	return count;
}

static int restore(struct rows *t)
{
	bool tsql = t->r->inst->dialect == &odbc_tsql;
	struct etl_text sql = { 0 };

	if (!is_merged(t))
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
	return odbc_run_back(t->r, &sql, table(t));
}

static int check_children(struct rows *t, const char *going)
{
	const struct odbc_going g = { t->own.at, going, t->key, t->key_count };
	struct odbc_children found;
	int rc = odbc_find_children(t->r->inst, undo_at(t->r, t->i, UNDO_SCHEMA), table(t), &g, &found, t->r->err);

	if (rc < 0 || !found.rows)
		return rc;
	t->r->inst->host->at(t->r->err, found.table, NULL, NULL);
	return t->r->inst->host->fail(t->r->err, ETL_FATAL, NULL, 0,
				      "%lld row%s of \"%s\" refer by foreign key \"%s\" to rows of \"%s\" that run %s brought, and would go "
				      "or change with them; nothing was taken back; remove those rows first, or give them another parent",
				      (long long)found.rows, found.rows == 1 ? "" : "s", found.table, found.key, table(t), t->r->run);
}

static int delete_new(struct rows *t)
{
	struct etl_text going = { 0 }, sql = { 0 };
	int rc;

	add_rows(&going, t, "'i'");
	rc = going.failed ? odbc_no_memory(t->r->inst, t->r->err) : check_children(t, going.at);
	if (rc == ETL_OK) {
		etl_text_addf(&sql, "DELETE FROM %s WHERE %s", t->own.at, going.at);
		rc = odbc_run_back(t->r, &sql, table(t));
	}
	etl_text_free(&going);
	return rc;
}

/* ---- All of them ------------------------------------------------------------------------------------------------------- */

static int prepare(struct rows *t)
{
	int rc = ETL_OK;

	if (is_merged(t)) {
		rc = find_identity(t);
		if (rc == ETL_OK)
			rc = find_computed(t);
		if (rc == ETL_OK)
			rc = find_uniques(t);
	}
	return rc == ETL_OK ? still(t) : rc;
}

static int finish(struct rows *t)
{
	struct etl_text sql = { 0 };
	int rc = t->again.length ? odbc_run_back(t->r, &t->again, table(t)) : ETL_OK;

	if (rc < 0)
		return rc;
	etl_text_addf(&sql, "DROP TABLE %s", t->undo.at);
	return odbc_run_back(t->r, &sql, table(t));
}

static int write_all(struct rows *all, size_t count)
{
	int (*const before[])(struct rows *) = { prepare, let_go, mark_free };
	int rc = ETL_OK;

	for (size_t step = 0; step < sizeof(before) / sizeof(*before); step++)
		for (size_t i = 0; rc == ETL_OK && i < count; i++)
			rc = before[step](&all[i]);
	if (rc == ETL_OK)
		rc = hold_children(all, count);
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
	struct rows *all = calloc(r->tables.count + 1, sizeof(*all));
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
