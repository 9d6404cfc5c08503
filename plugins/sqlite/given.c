/*
 * target.schema_file: the file is read and run once for an instance, and what it made is described from there. Nothing
 * of it reaches the disk before the run does.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "describe.h"
#include "given.h"
#include "into.h"
#include "schema-file.h"

bool sqlite_given_asked(const struct etl_instance *inst)
{
	return inst->conf && inst->host->role == ETL_ROLE_TARGET && sqlite_given_path(inst);
}

const char *sqlite_given_path(const struct etl_instance *inst)
{
	return inst->host->str(inst->conf, "schema_file");
}

static int no_memory(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "schema_file %s: no memory",
				sqlite_given_path(inst));
}

static int open_memory(struct etl_instance *inst, sqlite3 **ret, struct etl_error *err)
{
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(":memory:", &db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK) {
		sqlite3_close(db);
		return no_memory(inst, err);
	}
	sqlite3_extended_result_codes(db, 1);
	sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, (int *)NULL);
	*ret = db;
	return ETL_OK;
}

/* Once for an instance. */
static int open_given(struct etl_instance *inst, struct etl_error *err)
{
	struct etl_text settings = { 0 }, places = { 0 };
	sqlite3 *db = NULL;
	char *text = NULL;
	int rc = inst->given ? ETL_OK : etl_schema_file_read(inst->host, sqlite_given_path(inst), &text, err);

	if (rc || inst->given)
		return rc;
	rc = open_memory(inst, &db, err);
	if (!rc)
		rc = sqlite_given_run(inst, db, text, &settings, &places, err);
	free(text);
	if (!rc && (settings.failed || places.failed))
		rc = no_memory(inst, err);
	if (!rc)
		rc = sqlite_run(inst, db, "CREATE TEMP TABLE " GIVEN_PLACES " (name TEXT COLLATE NOCASE, line INTEGER)", err);
	if (!rc && places.length)
		rc = sqlite_run(inst, db, places.at, err);
	etl_text_free(&places);
	if (rc) {
		sqlite3_close(db);
		etl_text_free(&settings);
		return rc;
	}
	inst->given = db;
	inst->given_settings = settings.length ? etl_text_take(&settings) : NULL;
	return ETL_OK;
}

int sqlite_given_wants_wal(struct etl_instance *inst, bool *ret, struct etl_error *err)
{
	int rc = open_given(inst, err);

	if (!rc)
		*ret = inst->given_settings && strstr(inst->given_settings, "journal_mode = wal");
	return rc;
}

/* ---- Whether rows can come into it ---- */

static int fail_rows(struct etl_instance *inst, const char *table, const char *why, struct etl_error *err)
{
	sqlite3_stmt *stmt = NULL;
	char line[24] = "";
	int rc = sqlite_prepare(inst, inst->given, "SELECT line FROM temp." GIVEN_PLACES " WHERE name = ?1 ORDER BY line DESC", &stmt, err);

	if (rc)
		return rc;
	sqlite3_bind_text(stmt, 1, table, -1, SQLITE_STATIC);
	if (sqlite3_step(stmt) == SQLITE_ROW)
		snprintf(line, sizeof(line), ":%lld", (long long)sqlite3_column_int64(stmt, 0));
	sqlite3_finalize(stmt);
	inst->host->at(err, table, NULL, NULL);
	return inst->host->fail(err, ETL_USAGE, NULL, 0,
				"schema_file %s%s: no row can come into \"%s\", SQLite says: %s",
				sqlite_given_path(inst), line, table, why);
}

/* SQLite looks at defaults and computed columns when a row is to be written. */
int sqlite_given_check(struct etl_instance *inst, const char *table, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	sqlite3_stmt *stmt = NULL;
	char *why = NULL;
	int rc = open_given(inst, err);

	if (rc)
		return rc;
	etl_text_add(&sql, "INSERT INTO main.");
	etl_text_add_name(&sql, table, '"');
	etl_text_add(&sql, " DEFAULT VALUES");
	if (sql.failed)
		rc = no_memory(inst, err);
	else if (sqlite3_prepare_v2(inst->given, sql.at, -1, &stmt, NULL) != SQLITE_OK)
		why = strdup(sqlite3_errmsg(inst->given));
	if (!rc && why)
		rc = fail_rows(inst, table, why, err);
	else if (!rc && !stmt)
		rc = no_memory(inst, err);
	sqlite3_finalize(stmt);
	etl_text_free(&sql);
	free(why);
	return rc;
}

/* ---- What it made ---- */

struct relay {
	struct etl_table_sink sink;
	struct etl_table_sink *to;
	struct etl_instance *inst;
	struct etl_error *err;
};

static int refuse_own(struct relay *r, const char *name)
{
	struct etl_instance *inst = r->inst;

	r->inst->host->at(r->err, name, NULL, NULL);
	return inst->host->fail(
		r->err, ETL_USAGE, NULL, 0,
		"schema_file %s makes \"%s\", a name that etlrun keeps for tables of "
		"its own; give it another one",
		sqlite_given_path(inst), name);
}

static int pass_on(struct etl_table_sink *self, const struct etl_table *table)
{
	struct relay *r = (struct relay *)(void *)self;
	struct etl_table copy = *table;

	copy.rows = copy.bytes = ETL_UNKNOWN;
	if (table->kind == ETL_DATABASE)
		copy.ddl = r->inst->given_settings;
	return r->to->emit(r->to, &copy);
}

static int refuse_own_names(struct relay *r)
{
	sqlite3_stmt *stmt = NULL;
	int step, rc = sqlite_prepare(r->inst, r->inst->given, "SELECT name FROM sqlite_schema",
				      &stmt, r->err);

	if (rc)
		return rc;
	while (!rc && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);

		if (own_is(name))
			rc = refuse_own(r, name);
	}
	sqlite3_finalize(stmt);
	return rc;
}

int sqlite_given_each(struct etl_instance *inst, struct etl_table_sink *sink, struct etl_error *err)
{
	struct relay r = { { pass_on }, sink, inst, err };
	int rc = open_given(inst, err);

	if (!rc)
		rc = refuse_own_names(&r);
	return rc ? rc : sqlite_describe_database_of(inst, inst->given, &r.sink, err);
}

static int tables_only(struct etl_table_sink *self, const struct etl_table *table)
{
	struct relay *r = (struct relay *)(void *)self;

	return table->kind == ETL_TABLE ? r->to->emit(r->to, table) : ETL_OK;
}

int sqlite_given(struct etl_instance *inst, struct etl_table_sink *sink, struct etl_error *err)
{
	struct relay r = { { tables_only }, sink, inst, err };

	return sqlite_given_asked(inst) ? sqlite_given_each(inst, &r.sink, err) : ETL_OK;
}
