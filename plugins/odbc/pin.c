/*
 * One consistent view. PostgreSQL exports one, and further connections enter it. The SNAPSHOT isolation of T-SQL and a
 * transaction of SQLite belong to one connection alone, which then reads everything; so does that of a database without
 * such a view, which is said.
 *
 * No counter of a database says that nothing in it changed, so the stamp is "none": an interrupted run reads again.
 */
#include "config.h"

#include <stdio.h>

#include "pin.h"
#include "target.h"
#include "watermark.h"

#define BEGIN_PIN "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
/*
 * A read that fails would end the transaction, and the state that it sees with it: the next one goes back to the
 * savepoint. Rows of a table come in the same order whenever it is read: they are known by their place.
 */
#define SAVE                                                                                       \
	"SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL synchronize_seqscans = off; SAVEPOINT etlrun_read"
#define GO_BACK "ROLLBACK TO SAVEPOINT etlrun_read"

#define OVER                                                                                       \
	"the transaction that sees one state of the source is over, and no other sees that state; run again, which reads " \
	"everything anew"

bool odbc_shares_view(const struct etl_instance *inst)
{
	return inst->dialect == &odbc_postgresql;
}

/* Done when the server takes it; nothing is told. */
static bool try(struct etl_instance *inst, const char *sql)
{
	struct etl_text text = { 0 };
	bool done = odbc_ask_quietly(inst, sql, &text);

	etl_text_free(&text);
	return done;
}

static void end(struct etl_instance *inst)
{
	if (inst->pinned && inst->connected && !inst->lost)
		try(inst, inst->dialect->rollback);
	inst->pinned = false;
}

/* ---- By dialect -------------------------------------------------------------------------------------------- */

/* One call: psqlODBC sets a savepoint before each later statement, and within one no state can be exported. */
static int export_postgresql(struct etl_instance *inst, struct etl_token *ret, struct etl_error *err)
{
	struct etl_text text = { 0 };
	int rc = odbc_ask(inst, BEGIN_PIN "; SELECT pg_catalog.pg_export_snapshot()", &text, err);

	inst->pinned = rc == ETL_OK;
	if (rc == ETL_OK && text.length == 0)
		rc = inst->host->fail(err, ETL_FATAL, NULL, 0, "the server exports no state of the source");
	if (rc == ETL_OK)
		rc = odbc_run(inst, err, SAVE);
	if (rc == ETL_OK)
		snprintf(ret->text, sizeof(ret->text), "%s", text.at);
	etl_text_free(&text);
	return rc;
}

static int enter_postgresql(struct etl_instance *inst, const char *snapshot, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc;

	etl_text_add(&sql, BEGIN_PIN "; SET TRANSACTION SNAPSHOT ");
	etl_text_add_literal(&sql, snapshot);
	rc = odbc_run_text(inst, err, &sql);
	inst->pinned = rc == ETL_OK;
	return rc == ETL_OK ? odbc_run(inst, err, SAVE) : rc;
}

#define SNAPSHOT_STATE "SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()"
#define SNAPSHOT_ON    1 /* sys.databases: 0 off, 1 on, 2 and 3 on their way */

static int pin_tsql(struct etl_instance *inst, struct etl_error *err)
{
	int64_t state = 0;
	int rc = odbc_number(inst, err, &state, SNAPSHOT_STATE);

	if (rc == ETL_OK && state != SNAPSHOT_ON) {
		inst->host->log(inst->host, ETL_LOG_WARN,
				"database \"%s\" does not allow SNAPSHOT isolation, so there is no view of one moment: what is "
				"changed while it is read may be there in one table and not in another. ALTER DATABASE … SET "
				"ALLOW_SNAPSHOT_ISOLATION ON gives one",
				inst->database);
		return ETL_OK;
	}
	/* With XACT_ABORT a statement that fails would end the view. */
	if (rc == ETL_OK)
		rc = odbc_run(inst, err,
			      "SET XACT_ABORT OFF; SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRANSACTION");
	inst->pinned = rc == ETL_OK;
	return rc;
}

/* A transaction of SQLite sees what is there when it first reads. */
static int pin_sqlite(struct etl_instance *inst, struct etl_error *err)
{
	int64_t objects;
	int rc = odbc_run(inst, err, "BEGIN");

	inst->pinned = rc == ETL_OK;
	return rc == ETL_OK ? odbc_number(inst, err, &objects, "SELECT count(*) FROM sqlite_master") : rc;
}

static int pin_alone(struct etl_instance *inst, struct etl_error *err)
{
	if (inst->dialect == &odbc_tsql)
		return pin_tsql(inst, err);
	if (inst->dialect == &odbc_sqlite)
		return pin_sqlite(inst, err);
	inst->host->log(inst->host, ETL_LOG_WARN,
			"nobody here knows how %s gives a view of one moment: what is changed while it is read may be there in "
			"one table and not in another",
			inst->server);
	return ETL_OK;
}

/* ---- The view ------------------------------------------------------------------------------------------------ */

int odbc_pin(struct etl_instance *inst, struct etl_token *ret, struct etl_error *err)
{
	int rc = odbc_db(inst, err);

	if (rc < 0)
		return rc;
	end(inst);
	odbc_find_writers(inst);
	if (odbc_shares_view(inst)) {
		rc = export_postgresql(inst, ret, err);
	} else {
		rc = pin_alone(inst, err);
		if (rc == ETL_OK)
			snprintf(ret->text, sizeof(ret->text), "alone");
	}
	if (rc < 0)
		end(inst);
	return rc;
}

int odbc_join(struct etl_instance *inst, const struct etl_token *token, struct etl_error *err)
{
	int rc = odbc_db(inst, err);

	if (rc < 0)
		return rc;
	if (!odbc_shares_view(inst))
		return inst->host->fail(err, ETL_FEWER_WORKERS, NULL, 0,
					"one connection reads all of %s: no other would see the same state of it",
					inst->server);
	end(inst);
	rc = enter_postgresql(inst, token->text, err);
	if (rc < 0)
		end(inst);
	return rc;
}

int odbc_stamp(struct etl_instance *inst, struct etl_token *ret, struct etl_error *err)
{
	(void)inst;
	(void)err;
	snprintf(ret->text, sizeof(ret->text), "none");
	return ETL_OK;
}

#define ISOLATION "SELECT pg_catalog.current_setting('transaction_isolation')"

/* Is WANTED what the server answers? */
static bool is(struct etl_instance *inst, const char *sql, const char *wanted)
{
	struct etl_text text = { 0 };
	bool same = odbc_ask_quietly(inst, sql, &text) && text.at && strcmp(text.at, wanted) == 0;

	etl_text_free(&text);
	return same;
}

static bool is_over(struct etl_instance *inst)
{
	bool over = false;

	if (inst->dialect == &odbc_postgresql)
		over = !is(inst, ISOLATION, "repeatable read") && !(try(inst, GO_BACK) && is(inst, ISOLATION, "repeatable read"));
	else if (inst->dialect == &odbc_tsql)
		over = !is(inst, inst->dialect->open_transactions, "1");
	return over;
}

int odbc_ready(struct etl_instance *inst, struct etl_error *err)
{
	if (inst->pinned && (inst->lost || !inst->connected || is_over(inst)))
		return inst->host->fail(err, ETL_FATAL, NULL, 0, OVER);
	return odbc_db(inst, err);
}

int odbc_pin_anew(struct etl_instance *inst, struct etl_error *err)
{
	struct etl_token token;

	if (!inst->pinned || !is_over(inst))
		return ETL_OK;
	inst->pinned = false;
	return odbc_pin(inst, &token, err);
}
