/*
 * A constraint of T-SQL may be there and still not hold: rows that came past it make it one that the server does not trust.
 * Those of the staged tables are asked for before anything is published; for one that is not trusted the server is made to
 * look at every row.
 */
#include "config.h"

#include <stdlib.h>

#include "target.h"

static void add_asking(struct etl_text *sql, const char *staged, const char *kind, const char *catalog)
{
	etl_text_addf(sql,
		      "SELECT N'%s ' + QUOTENAME(name) + CASE is_disabled WHEN 1 THEN N' (is_disabled)' ELSE N' (is_not_trusted)' END "
		      "FROM sys.%s WHERE (is_not_trusted = 1 OR is_disabled = 1) AND parent_object_id = OBJECT_ID(N",
		      kind, catalog);
	etl_text_add_literal(sql, staged);
	etl_text_add(sql, ")");
}

/* Those that do not hold, "check [a] (is_not_trusted), …". */
static int list(struct etl_instance *inst, const char *staged, const char *kind, const char *catalog, struct etl_text *ret,
		struct etl_error *err)
{
	struct etl_text sql = { 0 };
	SQLHSTMT stmt;
	int rc = odbc_statement(inst, &stmt, err), more;

	if (rc < 0)
		return rc;
	add_asking(&sql, staged, kind, catalog);
	rc = sql.failed ? odbc_no_memory(inst, err) : odbc_execute(inst, stmt, sql.at, err);
	while (rc == ETL_OK && (more = odbc_next(inst, stmt, err)) != 0) {
		etl_text_add(ret, ret->length ? ", " : "");
		rc = more < 0 ? more : odbc_column(inst, stmt, 1, ret, NULL, err);
	}
	odbc_done(inst, stmt);
	etl_text_free(&sql);
	return rc == ETL_OK && ret->failed ? odbc_no_memory(inst, err) : rc;
}

static int refuse(struct etl_instance *inst, const struct etl_load *load, const char *which, struct etl_error *err)
{
	inst->host->at(err, load->table->name, NULL, NULL);
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"table \"%s\": the server does not vouch for %s, so that rows may break it; nothing was published; try "
				"load = \"arrays\"",
				load->table->name, which);
}

/* A row that breaks it fails this, in the server's own words. */
static int look_at_rows(struct etl_instance *inst, const char *staged, struct etl_error *err)
{
	struct etl_text sql = { 0 };

	etl_text_addf(&sql, "ALTER TABLE %s WITH CHECK CHECK CONSTRAINT ALL", staged);
	return odbc_run_text(inst, err, &sql);
}

static int check_kind(struct etl_instance *inst, const struct etl_load *load, const char *staged, const char *kind,
		      const char *catalog, bool reported, struct etl_error *err)
{
	struct etl_text which = { 0 };
	int rc = list(inst, staged, kind, catalog, &which, err);

	if (rc == ETL_OK && which.length && reported) {
		inst->host->log(inst->host, ETL_LOG_WARN, "table \"%s\": the server does not vouch for %s", load->table->name,
				which.at);
	} else if (rc == ETL_OK && which.length) {
		etl_text_free(&which);
		rc = look_at_rows(inst, staged, err);
		if (rc == ETL_OK)
			rc = list(inst, staged, kind, catalog, &which, err);
		if (rc == ETL_OK && which.length)
			rc = refuse(inst, load, which.at, err);
	}
	etl_text_free(&which);
	return rc;
}

static int check_table(struct etl_instance *inst, const struct etl_load *load, const struct etl_token *token,
		       struct etl_error *err)
{
	int32_t policy = load->run->foreign_keys;
	struct etl_text staged = { 0 };
	int rc;

	odbc_add_staged(&staged, inst, load, token);
	rc = staged.failed ? odbc_no_memory(inst, err) :
			     check_kind(inst, load, staged.at, "check", "check_constraints", false, err);
	if (rc == ETL_OK)
		rc = check_kind(inst, load, staged.at, "foreign key", "foreign_keys",
				policy == ETL_FK_DEFER || policy == ETL_FK_REPORT, err);
	etl_text_free(&staged);
	return rc;
}

int odbc_check_trust(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	int rc = ETL_OK;

	for (size_t i = 0; rc == ETL_OK && inst->dialect == &odbc_tsql && i < commit->load_count; i++)
		if (commit->loads[i]->table->kind == ETL_TABLE && !odbc_is_into(commit->loads[i]))
			rc = check_table(inst, commit->loads[i], commit->tokens[i], err);
	return rc;
}
