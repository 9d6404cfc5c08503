/*
 * What a merge or an append did, in numbers that the server says, and whether they add up: how rows that came and rows of the
 * target meet is counted before anything is written, and what statements then touch must be as much. A row that did not arrive,
 * for whatever reason, would otherwise pass for one that was equal already.
 */
#include "config.h"

#include <stdlib.h>

#include "into.h"

/* ---- How many rows a statement touched --------------------------------------------------------------------------- */

/* Drivers have their own ideas of SQLRowCount: of a batch, of triggers, or none (-1). So the server is asked, with the
 * statement itself where it can be. */
static void add_count(const struct odbc_into *t, struct etl_text *asking, const char *sql)
{
	if (t->inst->dialect == &odbc_tsql)
		etl_text_addf(asking, "%s; SELECT CONVERT(nvarchar(20), ROWCOUNT_BIG())", sql);
	else
		etl_text_addf(asking, "WITH etlrun_changed AS (%s RETURNING 1) SELECT count(*) FROM etlrun_changed", sql);
}

static int ask_server(const struct odbc_into *t, const char *sql, struct etl_text *ret)
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
static int ask_driver(const struct odbc_into *t, const char *sql, struct etl_text *ret)
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

int odbc_into_change(const struct odbc_into *t, struct etl_text *sql, uint64_t *ret)
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

/* ---- What is said -------------------------------------------------------------------------------------------------- */

int odbc_into_check_count(const struct odbc_into *t, uint64_t staged, uint64_t met)
{
	if (staged == met)
		return ETL_OK;
	t->inst->host->at(t->err, t->load->table->name, NULL, NULL);
	return t->inst->host->fail(t->err, ETL_DATA, NULL, 0,
				   "table \"%s\": %llu rows were staged and %llu went into it; something of the server leaves rows out; "
				   "nothing was published",
				   t->load->table->name, (unsigned long long)staged, (unsigned long long)met);
}

static int fail_lost(const struct odbc_into *t, uint64_t wanted, uint64_t done)
{
	t->inst->host->at(t->err, t->load->table->name, NULL, NULL);
	return t->inst->host->fail(t->err, ETL_DATA, NULL, 0,
				   "table \"%s\": %llu rows were to be written and %llu were; something of the server leaves rows out: a "
				   "trigger, a rule or a policy; nothing was published; change that",
				   t->load->table->name, (unsigned long long)wanted, (unsigned long long)done);
}

static int fail_kept_back(const struct odbc_into *t, uint64_t rows, uint64_t left)
{
	bool soft = t->load->deletes == ETL_DELETE_SOFT;

	t->inst->host->at(t->err, t->load->table->name, NULL, NULL);
	return t->inst->host->fail(t->err, ETL_DATA, NULL, 0,
				   "table \"%s\": %llu rows are gone from the source and were to be %s, and %llu of them are still there%s: a "
				   "trigger, a rule or a policy of the server keeps them; nothing was published; change that, or write "
				   "delete = \"none\"",
				   t->load->table->name, (unsigned long long)rows, soft ? "marked as deleted" : "deleted",
				   (unsigned long long)left, soft ? " unmarked" : "");
}

static int fail_twice(const struct odbc_into *t, uint64_t staged)
{
	struct etl_text names = { 0 };
	int rc;

	for (size_t i = 0; i < t->load->key_count; i++)
		etl_text_addf(&names, "%s%s", i ? ", " : "", t->load->key[i]);
	t->inst->host->at(t->err, t->load->table->name, NULL, NULL);
	rc = t->inst->host->fail(t->err, ETL_DATA, NULL, 0,
				 "table \"%s\": %llu rows came, and several of them have one key (%s) as the target compares it; only one "
				 "of them can be its row there, and which one nobody says; nothing was published; give each row of the "
				 "source a key of its own",
				 t->load->table->name, (unsigned long long)staged, names.at ? names.at : "");
	etl_text_free(&names);
	return rc;
}

/* ---- How they meet -------------------------------------------------------------------------------------------------- */

static const char *count_of(const struct odbc_into *t)
{
	return t->inst->dialect == &odbc_tsql ? "COUNT_BIG(*)" : "COUNT(*)";
}

static int ask_number(const struct odbc_into *t, struct etl_text *sql, uint64_t *ret)
{
	int64_t number = 0;
	int rc = odbc_number_text(t->inst, t->err, &number, sql);

	*ret = (uint64_t)number;
	return rc;
}

/*
 * All of it by one question: for each row that came, whether the target has one of its key, and whether that differs; and beside it
 * how many rows of the target were met.
 */
static void add_question(const struct odbc_into *t, struct etl_text *sql)
{
	etl_text_addf(sql, "SELECT %s, SUM(etlrun_new), SUM(etlrun_differs), (SELECT %s FROM %s AS " INTO_OWN
			   " WHERE EXISTS (SELECT 1 FROM %s AS " INTO_STAGED " WHERE ",
		      count_of(t), count_of(t), t->own.at, t->staged.at);
	odbc_into_add_match(t, sql, INTO_OWN, INTO_STAGED);
	etl_text_add(sql, ")) FROM (SELECT CASE WHEN " INTO_OWN ".");
	odbc_add_name(sql, t->inst, t->load->key[0]);
	etl_text_add(sql, " IS NULL THEN CAST(1 AS bigint) ELSE 0 END AS etlrun_new, CASE WHEN " INTO_OWN ".");
	odbc_add_name(sql, t->inst, t->load->key[0]);
	etl_text_add(sql, " IS NOT NULL AND (");
	odbc_into_add_changed(t, sql, INTO_OWN);
	etl_text_addf(sql, ") THEN CAST(1 AS bigint) ELSE 0 END AS etlrun_differs FROM %s AS " INTO_STAGED " LEFT JOIN %s AS " INTO_OWN
			   " ON ", t->staged.at, t->own.at);
	odbc_into_add_match(t, sql, INTO_OWN, INTO_STAGED);
	etl_text_add(sql, ") AS etlrun_met");
}

/* MET: rows of the target that one that came has the key of. */
static int count_all(const struct odbc_into *t, struct odbc_meeting *ret, uint64_t *met)
{
	struct etl_text sql = { 0 };
	struct odbc_rows rows;
	int rc;

	add_question(t, &sql);
	rc = odbc_ask_rows_text(t->inst, &sql, 4, &rows, t->err);
	if (rc == ETL_OK && rows.count) {
		ret->staged = (uint64_t)odbc_row_number(&rows, 0, 0);
		ret->fresh = (uint64_t)odbc_row_number(&rows, 0, 1);
		ret->pairs = ret->staged - ret->fresh;
		ret->changed = (uint64_t)odbc_row_number(&rows, 0, 2);
		*met = (uint64_t)odbc_row_number(&rows, 0, 3);
	}
	odbc_rows_free(&rows);
	return rc;
}

/* A row that came meets one row at most, for their key is unique there; should it not be, there are more pairs than rows came. */
int odbc_into_count(const struct odbc_into *t, uint64_t staged, struct odbc_meeting *ret)
{
	uint64_t met = 0;
	int rc;

	*ret = (struct odbc_meeting){ .staged = 0 };
	rc = count_all(t, ret, &met);
	if (rc == ETL_OK)
		rc = odbc_into_check_count(t, staged, ret->staged);
	return rc == ETL_OK && met != ret->pairs ? fail_twice(t, staged) : rc;
}

/* ---- Whether it was done ---------------------------------------------------------------------------------------------- */

/* What such a trigger does in the place of a statement T-SQL counts as done. */
static int has_instead(const struct odbc_into *t, bool *ret)
{
	struct etl_text sql = { 0 };
	uint64_t count = 0;
	int rc;

	*ret = false;
	if (t->inst->dialect != &odbc_tsql)
		return ETL_OK;
	etl_text_add(&sql, "SELECT COUNT(*) FROM sys.triggers WHERE is_instead_of_trigger = 1 AND is_disabled = 0 AND parent_id = "
			   "OBJECT_ID(N");
	etl_text_add_literal(&sql, t->own.at);
	etl_text_add(&sql, ")");
	rc = ask_number(t, &sql, &count);
	*ret = count > 0;
	return rc;
}

static int check_instead(const struct odbc_into *t, const struct odbc_meeting *m)
{
	struct odbc_meeting now = { .staged = m->staged };
	uint64_t met = 0;
	bool instead;
	int rc = has_instead(t, &instead);

	if (rc < 0 || !instead)
		return rc;
	rc = count_all(t, &now, &met);
	if (rc == ETL_OK && now.fresh + now.changed)
		rc = fail_lost(t, m->fresh + m->changed, m->fresh + m->changed - now.fresh - now.changed);
	return rc;
}

int odbc_into_check_merged(const struct odbc_into *t, const struct odbc_meeting *m, struct etl_outcome *outcome)
{
	if (outcome->inserted != m->fresh || outcome->updated != m->changed)
		return fail_lost(t, m->fresh + m->changed, outcome->inserted + outcome->updated);
	outcome->unchanged = m->pairs - m->changed;
	return check_instead(t, m);
}

int odbc_into_count_gone(const struct odbc_into *t, const char *gone, uint64_t *ret)
{
	struct etl_text sql = { 0 };

	etl_text_addf(&sql, "SELECT %s FROM %s WHERE %s", count_of(t), t->own.at, gone);
	return ask_number(t, &sql, ret);
}

/* Not by what the statement says: T-SQL counts what a trigger did not do, and PostgreSQL says nothing of tables with rules. */
int odbc_into_check_gone(const struct odbc_into *t, const char *gone, uint64_t rows)
{
	uint64_t left = 0;
	int rc = odbc_into_count_gone(t, gone, &left);

	return rc == ETL_OK && left ? fail_kept_back(t, rows, left) : rc;
}
