/*
 * Rows of an append or a merge, kept so that they can be taken back (revert-rows.c): in a table "_etlrun_undo_RUN_N" beside
 * theirs, which is made and filled in the transaction that writes them. Its columns are
 *
 *	_etlrun_op	"u": changed, "d": deleted, as they were; "i": new, by its key alone
 *	the key's columns, then all others that can be written, with the names that they have
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "into.h"
#include "undo.h"

static bool comes(const struct etl_table *table, const char *name)
{
	for (size_t i = 0; i < table->column_count; i++)
		if (strcmp(ETL_AT(const struct etl_column, table->columns, table->column_size, i)->name, name) == 0)
			return true;
	return false;
}

const char *const *odbc_undo_key(const struct etl_instance *inst, const struct etl_load *load, size_t *ret_count)
{
	const struct etl_key *primary = &load->existing->primary;

	*ret_count = 0;
	if (inst->dialect == &odbc_standard)
		return NULL;
	if (load->run->mode == ETL_MERGE) {
		*ret_count = load->run->flags & ETL_RUN_UNDO ? load->key_count : 0;
		return load->key;
	}
	for (size_t i = 0; i < primary->column_count; i++)
		if (!comes(load->table, primary->columns[i]))
			return NULL;
	*ret_count = load->run->mode == ETL_APPEND ? primary->column_count : 0;
	return primary->columns;
}

void odbc_undo_name(const struct etl_instance *inst, const struct etl_load *load, char *buf)
{
	char behind[32];

	snprintf(behind, sizeof(behind), "_%llu", (unsigned long long)load->index);
	odbc_join_name(inst, STAGE_PREFIX "undo_", load->run->id, behind, buf);
}

static void add_undo(struct etl_text *sql, const struct odbc_into *t)
{
	char name[ODBC_NAME_ROOM];

	odbc_undo_name(t->inst, t->load, name);
	odbc_add_table(sql, t->inst, odbc_place_of(t->inst, t->load->table), name);
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* Nobody writes what the server computes; T-SQL's timestamp is no time, but counted by the server. */
static bool is_written(const struct odbc_into *t, const struct etl_column *c)
{
	const char *declared = c->declared ? c->declared : "";
	bool counted = t->inst->dialect == &odbc_tsql &&
		       (strcasecmp(declared, "timestamp") == 0 || strcasecmp(declared, "rowversion") == 0);

	return !(c->flags & ETL_GENERATED) && !counted;
}

static void add_name(struct etl_text *sql, const struct odbc_into *t, const char *prefix, const char *name)
{
	etl_text_add(sql, ", ");
	if (prefix)
		etl_text_addf(sql, "%s.", prefix);
	odbc_add_name(sql, t->inst, name);
}

/* ", key, others" of PREFIX, or as NULLs. */
static void add_columns(struct etl_text *sql, const struct odbc_into *t, const char *prefix, bool keys_only, bool nulls)
{
	const struct etl_table *own = t->load->existing;
	size_t count;
	const char *const *key = odbc_undo_key(t->inst, t->load, &count);

	for (size_t i = 0; i < count; i++)
		if (nulls)
			etl_text_add(sql, ", NULL");
		else
			add_name(sql, t, prefix, key[i]);
	for (size_t i = 0; !keys_only && i < own->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, own->columns, own->column_size, i);

		if (!is_written(t, c) || is_among(c->name, key, count))
			continue;
		if (nulls)
			etl_text_add(sql, ", NULL");
		else
			add_name(sql, t, prefix, c->name);
	}
}

/* Of a table that is joined with nothing T-SQL would take the identity along, and NOT NULL. */
static int make(const struct odbc_into *t, bool keys_only)
{
	bool tsql = t->inst->dialect == &odbc_tsql;
	struct etl_text sql = { 0 };

	if (!tsql) {
		etl_text_add(&sql, "CREATE TABLE ");
		add_undo(&sql, t);
		etl_text_add(&sql, " AS ");
	}
	etl_text_add(&sql, tsql ? "SELECT CONVERT(nvarchar(1), N'i') AS _etlrun_op" : "SELECT CAST('i' AS varchar(1)) AS _etlrun_op");
	add_columns(&sql, t, NULL, keys_only, false);
	if (tsql) {
		etl_text_add(&sql, " INTO ");
		add_undo(&sql, t);
	}
	etl_text_addf(&sql, " FROM %s WHERE 1 = 0 UNION ALL SELECT NULL", t->own.at);
	add_columns(&sql, t, NULL, keys_only, true);
	etl_text_add(&sql, " WHERE 1 = 0");
	return odbc_run_text(t->inst, t->err, &sql);
}

static void add_insert(struct etl_text *sql, const struct odbc_into *t, bool keys_only)
{
	etl_text_add(sql, "INSERT INTO ");
	add_undo(sql, t);
	etl_text_add(sql, " (_etlrun_op");
	add_columns(sql, t, NULL, keys_only, false);
	etl_text_add(sql, ") SELECT ");
}

static bool keeps(const struct odbc_into *t)
{
	size_t count;

	odbc_undo_key(t->inst, t->load, &count);
	return count > 0;
}

/* Only rows that are put back make a copy another one. */
static int keep_copy(const struct odbc_into *t)
{
	struct etl_text sql = { 0 };
	int64_t count = 0;
	int rc;

	etl_text_add(&sql, "SELECT COUNT(*) FROM ");
	add_undo(&sql, t);
	etl_text_add(&sql, " WHERE _etlrun_op <> 'i'");
	rc = odbc_number_text(t->inst, t->err, &count, &sql);
	return rc == ETL_OK && count ? odbc_keep_copy(t) : rc;
}

int odbc_keep_begin(const struct odbc_into *t)
{
	return keeps(t) ? make(t, false) : ETL_OK;
}

int odbc_keep_gone(const struct odbc_into *t, const char *gone)
{
	struct etl_text sql = { 0 };
	int rc;

	if (!keeps(t))
		return ETL_OK;
	add_insert(&sql, t, false);
	etl_text_add(&sql, t->load->deletes == ETL_DELETE_HARD ? "'d'" : "'u'");
	add_columns(&sql, t, NULL, false, false);
	etl_text_addf(&sql, " FROM %s WHERE %s", t->own.at, gone);
	rc = odbc_run_text(t->inst, t->err, &sql);
	return rc == ETL_OK ? keep_copy(t) : rc;
}

static int keep_updated(const struct odbc_into *t)
{
	struct etl_text sql = { 0 };

	add_insert(&sql, t, false);
	etl_text_add(&sql, "'u'");
	add_columns(&sql, t, INTO_OWN, false, false);
	etl_text_addf(&sql, " FROM %s AS " INTO_OWN " INNER JOIN %s AS " INTO_STAGED " ON ", t->own.at, t->staged.at);
	odbc_into_add_match(t, &sql, INTO_OWN, INTO_STAGED);
	etl_text_add(&sql, " WHERE ");
	odbc_into_add_changed(t, &sql, INTO_OWN);
	return odbc_run_text(t->inst, t->err, &sql);
}

static int keep_new(const struct odbc_into *t, bool merge)
{
	struct etl_text sql = { 0 };

	add_insert(&sql, t, true);
	etl_text_add(&sql, "'i'");
	add_columns(&sql, t, INTO_STAGED, true, false);
	etl_text_addf(&sql, " FROM %s AS " INTO_STAGED, t->staged.at);
	if (merge) {
		etl_text_addf(&sql, " WHERE NOT EXISTS (SELECT 1 FROM %s AS " INTO_OWN " WHERE ", t->own.at);
		odbc_into_add_match(t, &sql, INTO_OWN, INTO_STAGED);
		etl_text_add(&sql, ")");
	}
	return odbc_run_text(t->inst, t->err, &sql);
}

int odbc_keep_changed(const struct odbc_into *t)
{
	int rc;

	if (!keeps(t))
		return ETL_OK;
	rc = keep_updated(t);
	if (rc == ETL_OK)
		rc = keep_copy(t);
	return rc == ETL_OK ? keep_new(t, true) : rc;
}

int odbc_keep_added(const struct odbc_into *t)
{
	int rc = keeps(t) ? make(t, true) : ETL_OK;

	return rc == ETL_OK && keeps(t) ? keep_new(t, false) : rc;
}

/* ---- Known again ------------------------------------------------------------------------------------------------------ */

void odbc_undo_add_rows(struct etl_text *sql, const struct etl_instance *inst, const struct odbc_undone *u, const char *ops)
{
	etl_text_addf(sql, "EXISTS (SELECT 1 FROM %s AS etlrun_undo WHERE etlrun_undo._etlrun_op IN (%s)", u->undo, ops);
	for (size_t i = 0; i < u->key_count; i++) {
		etl_text_addf(sql, " AND %s.", u->own);
		odbc_add_name(sql, inst, u->key[i]);
		etl_text_add(sql, " = etlrun_undo.");
		odbc_add_name(sql, inst, u->key[i]);
	}
	etl_text_add(sql, ")");
}
