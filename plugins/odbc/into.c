/*
 * Staged rows into a table that stays. A merge is an UPDATE of rows that differ and an INSERT of those that are new, which
 * every server takes; equal rows are not touched.
 */
#include "config.h"

#include <stdlib.h>

#include "into.h"

#define STAGED "etlrun_staged"
#define OWN    "etlrun_own"

struct into {
	struct etl_instance *inst;
	const struct etl_load *load;
	const struct etl_token *token;
	struct etl_error *err;
	struct etl_text own, staged; /* their names as they stand in SQL */
};

static bool into_open(struct into *t, struct etl_instance *inst, const struct etl_commit *commit, size_t i,
		      struct etl_error *err)
{
	*t = (struct into){ .inst = inst, .load = commit->loads[i], .token = commit->tokens[i], .err = err };
	odbc_add_table(&t->own, inst, odbc_place_of(inst, t->load->table), t->load->table->name);
	odbc_add_staged(&t->staged, inst, t->load, t->token);
	return !t->own.failed && !t->staged.failed;
}

static void into_close(struct into *t)
{
	etl_text_free(&t->own);
	etl_text_free(&t->staged);
}

static const struct etl_column *column_at(const struct into *t, size_t i)
{
	return ETL_AT(const struct etl_column, t->load->table->columns, t->load->table->column_size, i);
}

/* Those that rows bring: what the target computes is in no row that waits. */
static void add_columns(const struct into *t, struct etl_text *sql, const char *prefix)
{
	const char *comma = "";

	for (size_t i = 0; i < t->load->table->column_count; i++) {
		if (column_at(t, i)->flags & ETL_GENERATED)
			continue;
		etl_text_add(sql, comma);
		comma = ", ";
		if (prefix)
			etl_text_addf(sql, "%s.", prefix);
		odbc_add_name(sql, t->inst, column_at(t, i)->name);
	}
}

/* ---- Counting ------------------------------------------------------------------------------------------------ */

/* Drivers have their own ideas of SQLRowCount: of a batch, of triggers, or none (-1). So the server is asked, with the
 * statement itself where it can be. */
static void add_count(const struct into *t, struct etl_text *asking, const char *sql)
{
	if (t->inst->dialect == &odbc_tsql)
		etl_text_addf(asking, "%s; SELECT CONVERT(nvarchar(20), ROWCOUNT_BIG())", sql);
	else
		etl_text_addf(asking, "WITH etlrun_changed AS (%s RETURNING 1) SELECT count(*) FROM etlrun_changed", sql);
}

static int ask_server(const struct into *t, const char *sql, struct etl_text *ret)
{
	bool sqlite = t->inst->dialect == &odbc_sqlite;
	struct etl_text asking = { 0 };
	int rc = ETL_OK;

	if (sqlite) {
		rc = odbc_run(t->inst, t->err, sql);
		etl_text_add(&asking, "SELECT changes()");
	} else {
		add_count(t, &asking, sql);
	}
	if (rc == ETL_OK)
		rc = asking.failed ? odbc_no_memory(t->inst, t->err) : odbc_ask(t->inst, asking.at, ret, t->err);
	etl_text_free(&asking);
	return rc;
}

/* Of a server that nobody knows. */
static int ask_driver(const struct into *t, const char *sql, struct etl_text *ret)
{
	SQLHSTMT stmt;
	SQLLEN rows = -1;
	int rc = odbc_statement(t->inst, &stmt, t->err);

	if (rc < 0)
		return rc;
	rc = odbc_execute(t->inst, stmt, sql, t->err);
	if (rc == ETL_OK && SQL_SUCCEEDED(SQLRowCount(stmt, &rows)) && rows >= 0)
		etl_text_addf(ret, "%lld", (long long)rows);
	odbc_done(t->inst, stmt);
	return rc;
}

/* Carries it out; *RET: how many rows it touched. */
static int change(const struct into *t, struct etl_text *sql, uint64_t *ret)
{
	char *text = etl_text_take(sql);
	struct etl_text count = { 0 };
	int rc = !text				       ? odbc_no_memory(t->inst, t->err) :
		 t->inst->dialect == &odbc_standard ? ask_driver(t, text, &count) :
						       ask_server(t, text, &count);

	if (rc == ETL_OK && !count.length)
		rc = t->inst->host->fail(t->err, ETL_FATAL, NULL, 0,
					 "table \"%s\": neither driver nor server says how many rows a statement changed; nothing was "
					 "published",
					 t->load->table->name);
	if (rc == ETL_OK)
		*ret = strtoull(count.at, NULL, 10);
	etl_text_free(&count);
	free(text);
	return rc;
}

/* A rule or a trigger of the table may leave rows out. */
static int check_count(const struct into *t, uint64_t staged, uint64_t met)
{
	if (staged == met)
		return ETL_OK;
	t->inst->host->at(t->err, t->load->table->name, NULL, NULL);
	return t->inst->host->fail(t->err, ETL_DATA, NULL, 0,
				   "table \"%s\": %llu rows were staged and %llu went into it; something of the server leaves rows out; "
				   "nothing was published",
				   t->load->table->name, (unsigned long long)staged, (unsigned long long)met);
}

static bool comes(const struct into *t, const char *name)
{
	for (size_t i = 0; i < t->load->table->column_count; i++)
		if (strcmp(column_at(t, i)->name, name) == 0)
			return true;
	return false;
}

/* ---- Identity ------------------------------------------------------------------------------------------------ */

static int give_identity(const struct into *t, bool on)
{
	bool has = false;
	struct etl_text sql = { 0 };

	for (size_t i = 0; t->load->existing && i < t->load->existing->column_count; i++) {
		const struct etl_column *c = ETL_AT(const struct etl_column, t->load->existing->columns,
						    t->load->existing->column_size, i);

		has |= c->flags & ETL_IDENTITY && comes(t, c->name);
	}
	if (!has || t->inst->dialect != &odbc_tsql)
		return ETL_OK;
	etl_text_addf(&sql, "SET IDENTITY_INSERT %s %s", t->own.at, on ? "ON" : "OFF");
	return odbc_run_text(t->inst, t->err, &sql);
}

/* ---- Statements ------------------------------------------------------------------------------------------------- */

static void add_match(const struct into *t, struct etl_text *sql, const char *a, const char *b)
{
	for (size_t i = 0; i < t->load->key_count; i++) {
		etl_text_addf(sql, "%s%s.", i ? " AND " : "", a);
		odbc_add_name(sql, t->inst, t->load->key[i]);
		etl_text_addf(sql, " = %s.", b);
		odbc_add_name(sql, t->inst, t->load->key[i]);
	}
}

static bool in_key(const struct into *t, const char *name)
{
	for (size_t i = 0; i < t->load->key_count; i++)
		if (strcmp(t->load->key[i], name) == 0)
			return true;
	return false;
}

static int insert(const struct into *t, bool merge, uint64_t *ret)
{
	struct etl_text sql = { 0 };
	int rc = give_identity(t, true);

	if (rc < 0)
		return rc;
	etl_text_addf(&sql, "INSERT INTO %s (", t->own.at);
	add_columns(t, &sql, NULL);
	etl_text_add(&sql, t->inst->dialect == &odbc_postgresql ? ") OVERRIDING SYSTEM VALUE SELECT " : ") SELECT ");
	add_columns(t, &sql, STAGED);
	etl_text_addf(&sql, " FROM %s AS " STAGED, t->staged.at);
	if (merge) {
		etl_text_addf(&sql, " WHERE NOT EXISTS (SELECT 1 FROM %s AS " OWN " WHERE ", t->own.at);
		add_match(t, &sql, OWN, STAGED);
		etl_text_add(&sql, ")");
	}
	rc = change(t, &sql, ret);
	return rc == ETL_OK ? give_identity(t, false) : rc;
}

/* T-SQL and standard SQL each have their own way to say that two values differ, NULL being a value; every server has this
 * one. */
static void add_differs(const struct into *t, struct etl_text *sql)
{
	etl_text_add(sql, "EXISTS (SELECT ");
	add_columns(t, sql, STAGED);
	etl_text_add(sql, " EXCEPT SELECT ");
	add_columns(t, sql, t->inst->dialect == &odbc_sqlite ? t->own.at : OWN);
	etl_text_add(sql, ")");
}

static void add_settings(const struct into *t, struct etl_text *sql, size_t *ret_count)
{
	*ret_count = 0;
	for (size_t i = 0; i < t->load->table->column_count; i++) {
		const struct etl_column *c = column_at(t, i);

		if (in_key(t, c->name) || c->flags & ETL_GENERATED)
			continue;
		etl_text_add(sql, (*ret_count)++ ? ", " : "");
		odbc_add_name(sql, t->inst, c->name);
		etl_text_add(sql, " = " STAGED ".");
		odbc_add_name(sql, t->inst, c->name);
	}
}

static int update(const struct into *t, uint64_t *ret)
{
	bool tsql = t->inst->dialect == &odbc_tsql, sqlite = t->inst->dialect == &odbc_sqlite;
	struct etl_text sql = { 0 };
	size_t count;

	if (tsql)
		etl_text_add(&sql, "UPDATE " OWN " SET ");
	else
		etl_text_addf(&sql, sqlite ? "UPDATE %s SET " : "UPDATE %s AS " OWN " SET ", t->own.at);
	add_settings(t, &sql, &count);
	if (count == 0) {
		etl_text_free(&sql);
		return ETL_OK;
	}
	if (tsql)
		etl_text_addf(&sql, " FROM %s AS " OWN " INNER JOIN %s AS " STAGED " ON ", t->own.at, t->staged.at);
	else
		etl_text_addf(&sql, " FROM %s AS " STAGED " WHERE ", t->staged.at);
	add_match(t, &sql, sqlite ? t->own.at : OWN, STAGED);
	etl_text_add(&sql, tsql ? " WHERE " : " AND ");
	add_differs(t, &sql);
	return change(t, &sql, ret);
}

static int delete_missing(const struct into *t, uint64_t *ret)
{
	struct etl_text sql = { 0 };
	bool soft = t->load->deletes == ETL_DELETE_SOFT;

	if (t->load->deletes == ETL_DELETE_NONE)
		return ETL_OK;
	etl_text_addf(&sql, soft ? "UPDATE %s SET " : "DELETE FROM %s", t->own.at);
	if (soft) {
		odbc_add_name(&sql, t->inst, t->load->delete_column);
		etl_text_add(&sql, " = CURRENT_TIMESTAMP");
	}
	etl_text_addf(&sql, " WHERE %sNOT EXISTS (SELECT 1 FROM %s AS " STAGED " WHERE ", "", t->staged.at);
	add_match(t, &sql, STAGED, t->own.at);
	etl_text_add(&sql, ")");
	if (soft) {
		etl_text_add(&sql, " AND ");
		odbc_add_name(&sql, t->inst, t->load->delete_column);
		etl_text_add(&sql, " IS NULL");
	}
	return change(t, &sql, ret);
}

/* A row that was rejected is still in the source, and nobody staged its key: what the target has of it stays. */
static int delete_gone(const struct into *t, struct etl_outcome *outcome, bool withheld)
{
	bool taken = false;
	int rc;

	if (t->load->deletes == ETL_DELETE_NONE)
		return ETL_OK;
	rc = odbc_was_taken(t->inst, t->token, t->load->index, &taken, t->err);
	if (rc == ETL_OK && (withheld || taken)) {
		t->inst->host->log(t->inst->host, ETL_LOG_WARN,
				   "table \"%s\": rows were rejected, so the merge deletes nothing from it", t->load->table->name);
		return ETL_OK;
	}
	return rc == ETL_OK ? delete_missing(t, &outcome->deleted) : rc;
}

static int merge(const struct into *t, struct etl_outcome *outcome, bool withheld)
{
	uint64_t inserted = 0, staged = outcome->inserted;
	int rc = delete_gone(t, outcome, withheld);

	if (rc == ETL_OK)
		rc = update(t, &outcome->updated);
	if (rc == ETL_OK)
		rc = insert(t, true, &inserted);
	if (rc == ETL_OK && inserted + outcome->updated > staged)
		rc = check_count(t, staged, inserted + outcome->updated);
	outcome->inserted = inserted;
	outcome->unchanged = staged - inserted - outcome->updated;
	return rc;
}

static int add(const struct into *t, const struct etl_outcome *outcome)
{
	uint64_t rows = 0;
	int rc = insert(t, false, &rows);

	return rc == ETL_OK ? check_count(t, outcome->inserted, rows) : rc;
}

/* ---- The load ------------------------------------------------------------------------------------------------------ */

int odbc_put_into(struct etl_instance *inst, const struct etl_commit *commit, size_t i, struct etl_error *err)
{
	struct into t;
	struct etl_text sql = { 0 };
	int rc = into_open(&t, inst, commit, i, err) ? ETL_OK : odbc_no_memory(inst, err);

	if (rc == ETL_OK)
		rc = commit->run->mode == ETL_MERGE ?
			     merge(&t, &commit->outcomes[i], commit->withheld && commit->withheld[i]) :
			     add(&t, &commit->outcomes[i]);
	if (rc == ETL_OK) {
		etl_text_addf(&sql, "DROP TABLE %s", t.staged.at);
		rc = odbc_run_text(inst, err, &sql);
	}
	into_close(&t);
	return rc;
}

int odbc_empty_old(struct etl_instance *inst, const struct etl_commit *commit, struct etl_error *err)
{
	int rc = ETL_OK;

	for (size_t i = commit->load_count; rc == ETL_OK && i-- > 0;) {
		const struct etl_load *load = commit->loads[i];
		struct etl_text sql = { 0 };

		if (load->table->kind != ETL_TABLE || !odbc_is_into(load) || commit->run->mode != ETL_COPY)
			continue;
		etl_text_add(&sql, "DELETE FROM ");
		odbc_add_table(&sql, inst, odbc_place_of(inst, load->table), load->table->name);
		rc = odbc_run_text(inst, err, &sql);
	}
	return rc;
}
