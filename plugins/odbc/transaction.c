/*
 * Transactions, by the server's own statements: a driver that keeps one open by itself does not notice when the server has
 * taken it back, and would let what follows commit by itself.
 */
#include "config.h"

#include <stdlib.h>

#include "target.h"

int odbc_begin_work(struct etl_instance *inst, struct etl_error *err)
{
	int rc = odbc_db(inst, err);

	return rc < 0 ? rc : odbc_run(inst, err, inst->dialect->begin);
}

int odbc_begin_held_work(struct etl_instance *inst, struct etl_error *err)
{
	int rc = odbc_begin_work(inst, err);

	return rc == ETL_OK && inst->dialect->holds_on ? odbc_run(inst, err, inst->dialect->holds_on) : rc;
}

/* In silence: what failed before is what is told. */
static void roll_back(struct etl_instance *inst)
{
	SQLHSTMT stmt = SQL_NULL_HSTMT;
	SQLWCHAR *wide;
	size_t units;

	if (inst->lost || !inst->connected)
		return;
	wide = odbc_wide(inst->dialect->rollback, strlen(inst->dialect->rollback), &units);
	if (wide && SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, inst->db, &stmt))) {
		SQLExecDirectW(stmt, wide, (SQLINTEGER)units);
		SQLFreeHandle(SQL_HANDLE_STMT, stmt);
	}
	free(wide);
}

int odbc_check_work(struct etl_instance *inst, struct etl_error *err)
{
	int64_t open = 0;
	int rc;

	if (!inst->dialect->open_transactions)
		return ETL_OK;
	rc = odbc_number(inst, err, &open, inst->dialect->open_transactions);
	if (rc == ETL_OK && open != 1)
		rc = inst->host->fail(err, ETL_RETRY_STATEMENT, NULL, 0,
				      "the server took the transaction back by itself; nothing of it is there");
	return rc;
}

int odbc_end_work(struct etl_instance *inst, int rc, struct etl_error *err)
{
	if (rc == ETL_OK)
		rc = odbc_check_work(inst, err);
	if (rc == ETL_OK)
		rc = odbc_note_unit(inst, err);
	if (rc == ETL_OK)
		rc = odbc_run(inst, err, inst->dialect->commit);
	if (rc == ETL_OK)
		inst->unit[0] = '\0';
	else
		roll_back(inst);
	return rc;
}

int odbc_savepoint(struct etl_instance *inst, struct etl_error *err)
{
	return odbc_run(inst, err, inst->dialect->savepoint);
}

int odbc_release_savepoint(struct etl_instance *inst, struct etl_error *err)
{
	return inst->dialect->release_savepoint ? odbc_run(inst, err, inst->dialect->release_savepoint) : ETL_OK;
}

int odbc_back_to_savepoint(struct etl_instance *inst, struct etl_error *err)
{
	int rc = odbc_check_work(inst, err);

	return rc < 0 ? rc : odbc_run(inst, err, inst->dialect->back_to_savepoint);
}

/* ---- One of which one can be sure --------------------------------------------------------------------------------- */

#define MARK "-1" /* no statement has this number */

/* Where a failure takes a transaction back, and nobody says so, what comes behind it is done by itself and for good: so it
 * is to begin another one, which is not committed, for what was written first is not there then. */
int odbc_mark_work(struct etl_instance *inst, const char *run, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	if (!inst->dialect->holds_on)
		return ETL_OK;
	rc = odbc_run(inst, err, inst->dialect->holds_on);
	if (rc < 0)
		return rc;
	etl_text_add(&sql, "INSERT INTO ");
	odbc_add_own(&sql, inst, "_etlrun_again");
	etl_text_add(&sql, " (run, n, sql) VALUES (");
	odbc_add_literal(&sql, inst, run);
	etl_text_add(&sql, ", " MARK ", ");
	odbc_add_literal(&sql, inst, "");
	etl_text_add(&sql, ")");
	return odbc_run_text(inst, err, &sql);
}

static void add_mark(struct etl_text *sql, const struct etl_instance *inst, const char *what, const char *run)
{
	etl_text_add(sql, what);
	odbc_add_own(sql, inst, "_etlrun_again");
	etl_text_add(sql, " WHERE n = " MARK " AND run = ");
	odbc_add_literal(sql, inst, run);
}

int odbc_check_mark(struct etl_instance *inst, const char *run, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int64_t count = 0;
	int rc;

	if (!inst->dialect->holds_on)
		return ETL_OK;
	add_mark(&sql, inst, "SELECT COUNT(*) FROM ", run);
	rc = odbc_number_text(inst, err, &count, &sql);
	if (rc < 0)
		return rc;
	if (count != 1)
		return inst->host->fail(err, ETL_RETRY_STATEMENT, NULL, 0,
					"the server took the transaction back by itself; nothing of it is there");
	add_mark(&sql, inst, "DELETE FROM ", run);
	return odbc_run_text(inst, err, &sql);
}

void odbc_let_go_of_work(struct etl_instance *inst)
{
	struct odbc_said said;

	if (inst->dialect && inst->dialect->lets_go && inst->connected && !inst->lost &&
	    !odbc_try_run(inst, inst->dialect->lets_go, &said))
		etl_text_free(&said.words);
}
