/*
 * What a table that is replaced would take along without a word: triggers, permissions, policies. The run is refused then,
 * with the list, before anything moves. So it is when foreign keys of tables that do not come along refer to it, which the
 * server would say only when all rows are there. Views of others the server itself does not let go.
 */
#include "config.h"

#include <stdlib.h>

#include "target.h"

static void add_tsql(struct etl_text *sql, const char *table)
{
	etl_text_add(sql, "SELECT N'trigger ' + name FROM sys.triggers WHERE parent_id = OBJECT_ID(N");
	etl_text_add_literal(sql, table);
	etl_text_add(sql, ") UNION ALL SELECT N'permission ' + CAST(permission_name AS nvarchar(128)) + N' of ' + "
			  "USER_NAME(grantee_principal_id) FROM sys.database_permissions WHERE class = 1 AND major_id = OBJECT_ID(N");
	etl_text_add_literal(sql, table);
	etl_text_add(sql, ")");
}

static void add_postgresql(struct etl_text *sql, const char *table)
{
	etl_text_add(sql, "SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid = to_regclass(");
	etl_text_add_literal(sql, table);
	etl_text_add(sql, ") UNION ALL SELECT 'policy ' || polname FROM pg_policy WHERE polrelid = to_regclass(");
	etl_text_add_literal(sql, table);
	etl_text_add(sql, ") UNION ALL SELECT DISTINCT 'permissions of ' || a.grantee::regrole::text FROM pg_class AS c, "
			  "aclexplode(c.relacl) AS a WHERE a.grantee <> c.relowner AND a.grantee <> 0 AND c.oid = to_regclass(");
	etl_text_add_literal(sql, table);
	etl_text_add(sql, ") UNION ALL SELECT 'permissions of PUBLIC' FROM pg_class AS c, aclexplode(c.relacl) AS a WHERE "
			  "a.grantee = 0 AND c.oid = to_regclass(");
	etl_text_add_literal(sql, table);
	etl_text_add(sql, ")");
}

static void add_sqlite(struct etl_text *sql, const char *name)
{
	etl_text_add(sql, "SELECT 'trigger ' || name FROM sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower(");
	etl_text_add_literal(sql, name);
	etl_text_add(sql, ")");
}

static void add_asking(struct etl_text *sql, struct etl_instance *inst, const char *schema, const char *name)
{
	struct etl_text table = { 0 };

	odbc_add_table(&table, inst, schema, name);
	if (inst->dialect == &odbc_tsql)
		add_tsql(sql, table.at ? table.at : "");
	else if (inst->dialect == &odbc_postgresql)
		add_postgresql(sql, table.at ? table.at : "");
	else
		add_sqlite(sql, name);
	sql->failed |= table.failed;
	etl_text_free(&table);
}

/* What there is, "trigger t, permission SELECT of r". */
static int list(struct etl_instance *inst, const char *sql, struct etl_text *ret, struct etl_error *err)
{
	SQLHSTMT stmt;
	int rc = odbc_statement(inst, &stmt, err), more;

	if (rc < 0)
		return rc;
	rc = odbc_execute(inst, stmt, sql, err);
	while (rc == ETL_OK && (more = odbc_next(inst, stmt, err)) != 0) {
		etl_text_add(ret, ret->length ? ", " : "");
		rc = more < 0 ? more : odbc_column(inst, stmt, 1, ret, NULL, err);
	}
	odbc_done(inst, stmt);
	return rc == ETL_OK && ret->failed ? odbc_no_memory(inst, err) : rc;
}

/* ---- Who refers to it ----------------------------------------------------------------------------------------- */

static bool goes(const struct etl_load *load)
{
	return load->existing && load->table->kind == ETL_TABLE && !odbc_is_into(load);
}

/* Not of those that go too: their keys go first. */
static void add_others(struct etl_text *sql, struct etl_instance *inst, const struct etl_run *run, const char *before,
		       const char *behind)
{
	etl_text_add(sql, " NOT IN (0");
	for (size_t i = 0; i < run->load_count; i++) {
		struct etl_text table = { 0 };

		if (!goes(run->loads[i]))
			continue;
		odbc_add_table(&table, inst, odbc_place_of(inst, run->loads[i]->table), run->loads[i]->table->name);
		etl_text_addf(sql, ", %s", before);
		etl_text_add_literal(sql, table.at ? table.at : "");
		etl_text_add(sql, behind);
		sql->failed |= table.failed;
		etl_text_free(&table);
	}
	etl_text_add(sql, ")");
}

static void add_referring(struct etl_text *sql, struct etl_instance *inst, const struct etl_load *load)
{
	struct etl_text table = { 0 };

	odbc_add_table(&table, inst, odbc_place_of(inst, load->table), load->table->name);
	if (inst->dialect == &odbc_tsql) {
		etl_text_add(sql, "SELECT QUOTENAME(name) + N' of ' + QUOTENAME(OBJECT_SCHEMA_NAME(parent_object_id)) + N'.' + "
				  "QUOTENAME(OBJECT_NAME(parent_object_id)) FROM sys.foreign_keys WHERE referenced_object_id = "
				  "OBJECT_ID(N");
		etl_text_add_literal(sql, table.at ? table.at : "");
		etl_text_add(sql, ") AND parent_object_id");
		add_others(sql, inst, load->run, "ISNULL(OBJECT_ID(N", "), 0)");
	} else {
		etl_text_add(sql, "SELECT quote_ident(conname) || ' of ' || conrelid::regclass::text FROM pg_constraint WHERE contype = "
				  "'f' AND confrelid = to_regclass(");
		etl_text_add_literal(sql, table.at ? table.at : "");
		etl_text_add(sql, ") AND conrelid");
		add_others(sql, inst, load->run, "coalesce(to_regclass(", ")::oid, 0)");
	}
	sql->failed |= table.failed;
	etl_text_free(&table);
}

int odbc_refuse_referred(struct etl_instance *inst, const struct etl_load *load, struct etl_error *err)
{
	struct etl_text sql = { 0 }, keys = { 0 };
	int rc;

	if (!load || !load->run || !load->run->loads || !goes(load) ||
	    (inst->dialect != &odbc_tsql && inst->dialect != &odbc_postgresql))
		return ETL_OK;
	add_referring(&sql, inst, load);
	rc = sql.failed ? odbc_no_memory(inst, err) : list(inst, sql.at, &keys, err);
	if (rc == ETL_OK && keys.length) {
		inst->host->at(err, load->table->name, NULL, NULL);
		rc = inst->host->fail(err, ETL_FATAL, NULL, 0,
				      "table \"%s\" would be replaced, and foreign keys of tables that this run does not bring refer to "
				      "it: %s; bring those tables too, drop the keys and make them again afterwards, or take mode = "
				      "\"merge\", which keeps the table",
				      load->table->name, keys.at);
	}
	etl_text_free(&sql);
	etl_text_free(&keys);
	return rc;
}

/* ---- What would be lost --------------------------------------------------------------------------------------- */

int odbc_list_hung(struct etl_instance *inst, const char *schema, const char *name, struct etl_text *ret, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	if (inst->dialect == &odbc_standard)
		return ETL_OK;
	add_asking(&sql, inst, schema, name);
	rc = sql.failed ? odbc_no_memory(inst, err) : list(inst, sql.at, ret, err);
	etl_text_free(&sql);
	return rc;
}

int odbc_refuse_lost(struct etl_instance *inst, const struct etl_load *load, struct etl_error *err)
{
	struct etl_text lost = { 0 };
	int rc;

	if (!goes(load))
		return ETL_OK;
	rc = odbc_list_hung(inst, odbc_place_of(inst, load->table), load->table->name, &lost, err);
	if (rc == ETL_OK && lost.length) {
		inst->host->at(err, load->table->name, NULL, NULL);
		rc = inst->host->fail(err, ETL_FATAL, NULL, 0,
				      "table \"%s\" would be replaced, and these go with it: %s; on_existing = \"truncate\" keeps the "
				      "table and swaps its rows",
				      load->table->name, lost.at);
	}
	etl_text_free(&lost);
	return rc;
}
