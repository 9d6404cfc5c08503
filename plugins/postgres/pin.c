/*
 * One consistent view for several connections: a transaction that sees one state exports it, and others enter it.
 *
 * In it stands a savepoint, set once: a read that fails or is stopped would end the transaction, and the state that
 * it sees with it; so the next call goes back to the savepoint, and goes on. Nothing is written in the transaction,
 * so there is nothing to be taken back.
 *
 * No counter or time in a database says that nothing in it changed, so the stamp is "none": an interrupted run reads
 * again.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "postgres.h"

#define BEGIN_PIN "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
/* Rows of a table come in the same order whenever it is read: rows are known by their place. */
#define SAVE                                                                                       \
	"SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL synchronize_seqscans = off; "    \
	"SAVEPOINT etlrun_read"
#define GO_BACK	  "ROLLBACK TO SAVEPOINT etlrun_read"
#define TRIES	  3 /* a request to cancel may arrive late and hit the wrong statement */

static void end(struct etl_instance *inst)
{
	if (inst->db && PQtransactionStatus(inst->db) != PQTRANS_IDLE)
		PQclear(PQexec(inst->db, "ROLLBACK"));
	inst->pinned = false;
}

static bool is_aborted(const struct etl_instance *inst)
{
	return PQtransactionStatus(inst->db) == PQTRANS_INERROR;
}

#define OVER                                                                                       \
	"the transaction that sees one state of the source is over, and no other sees that state"
#define RUN_AGAIN                                                                                  \
	"; run again, which reads everything anew; the server's log says why it ended (a restart, "     \
	"pg_terminate_backend, a timeout)"

int postgres_ready(struct etl_instance *inst, struct etl_error *err)
{
	int rc = postgres_db(inst, err);

	for (int i = 0; rc == ETL_OK && inst->pinned && is_aborted(inst) && i < TRIES; i++)
		PQclear(PQexec(inst->db, GO_BACK));
	if (rc == ETL_OK && inst->pinned && PQtransactionStatus(inst->db) != PQTRANS_INTRANS)
		return inst->host->fail(err, ETL_FATAL, NULL, 0, "" OVER RUN_AGAIN);
	return rc;
}

int postgres_pin(struct etl_instance *inst, struct etl_token *ret, struct etl_error *err)
{
	char *snapshot = NULL;
	int rc = postgres_db(inst, err);

	if (rc < 0)
		return rc;
	end(inst);
	rc = postgres_find_writers(inst, err);
	if (rc == ETL_OK)
		rc = postgres_run(inst, err, BEGIN_PIN);
	if (rc == ETL_OK)
		rc = postgres_text(inst, err, &snapshot, "SELECT pg_catalog.pg_export_snapshot()",
				   0, NULL);
	if (rc == ETL_OK)
		rc = postgres_run(inst, err, SAVE);
	if (rc == ETL_OK) {
		memset(ret->text, 0, sizeof(ret->text));
		snprintf(ret->text, sizeof(ret->text), "%s", snapshot ? snapshot : "");
		inst->pinned = true;
	} else {
		end(inst);
	}
	free(snapshot);
	return rc;
}

/* What a server says of a state that nobody holds any more, or never did. */
static bool is_over(const PGresult *result)
{
	static const char *const states[] = { "22023", "42704", "55000" };
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

	for (size_t i = 0; state && i < sizeof(states) / sizeof(*states); i++)
		if (strcmp(state, states[i]) == 0)
			return true;
	return false;
}

static int enter(struct etl_instance *inst, const char *sql, struct etl_error *err)
{
	PGresult *result = PQexec(inst->db, sql);
	int rc;

	if (PQresultStatus(result) == PGRES_COMMAND_OK) {
		PQclear(result);
		return ETL_OK;
	}
	if (!is_over(result))
		return postgres_fail(inst, result, err, "entering the state that the source is read in");
	rc = inst->host->fail(err, ETL_FATAL, PQresultErrorField(result, PG_DIAG_SQLSTATE), 0,
			      "" OVER ": %s" RUN_AGAIN,
			      PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
	PQclear(result);
	return rc;
}

/* The state can be entered as long as who exported it is in its transaction. */
int postgres_join(struct etl_instance *inst, const struct etl_token *token, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	int rc = postgres_db(inst, err);

	if (rc < 0)
		return rc;
	end(inst);
	etl_text_add(&sql, BEGIN_PIN "; SET TRANSACTION SNAPSHOT ");
	etl_text_add_literal(&sql, token->text);
	etl_text_add(&sql, "; " SAVE);
	rc = sql.failed ? postgres_no_memory(inst, err) : enter(inst, sql.at, err);
	etl_text_free(&sql);
	if (rc == ETL_OK)
		inst->pinned = true;
	else
		end(inst);
	return rc;
}

int postgres_stamp(struct etl_instance *inst, struct etl_token *ret, struct etl_error *err)
{
	(void)inst;
	(void)err;
	memset(ret->text, 0, sizeof(ret->text));
	snprintf(ret->text, sizeof(ret->text), "none");
	return ETL_OK;
}
