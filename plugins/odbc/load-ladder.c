/*
 * By which way the rows of a table go. From the top: bulk copy, where the driver has it and every column arrives by it as it
 * is; OPENJSON, a batch of rows as one text, which spares a server the work of reading a statement for each row; parameter
 * arrays, or, where drivers make a loop of those, INSERTs of many rows; and for a table whose rows the server refused once, small
 * pieces. The option `load` names one of them for all tables, which then is what happens, or the run fails.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "bulk.h"

static const char *asked(const struct loading *l)
{
	const char *load = l->inst->host->str(l->inst->conf, "load");

	return load ? load : "auto";
}

static bool wants(const struct loading *l, const char *rung)
{
	return strcmp(asked(l), "auto") == 0 || strcmp(asked(l), rung) == 0;
}

bool ladder_ask(struct etl_instance *inst, const char *sql, int64_t *ret)
{
	SQLHSTMT stmt = SQL_NULL_HSTMT;
	size_t units;
	SQLWCHAR *wide = odbc_wide(sql, strlen(sql), &units);
	SQLLEN length = 0;
	bool ok = wide && SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_STMT, inst->db, &stmt)) &&
		  SQL_SUCCEEDED(SQLExecDirectW(stmt, wide, (SQLINTEGER)units));

	if (ok && ret)
		ok = SQL_SUCCEEDED(SQLFetch(stmt)) &&
		     SQL_SUCCEEDED(SQLGetData(stmt, 1, SQL_C_SBIGINT, ret, sizeof(*ret), &length)) &&
		     length != SQL_NULL_DATA;
	if (stmt != SQL_NULL_HSTMT)
		SQLFreeHandle(SQL_HANDLE_STMT, stmt);
	free(wide);
	return ok;
}

/* ---- What the connection can do ------------------------------------------------------------------------------------------ */

/* What trials showed of a driver with a server holds for all connections of the process: each trial is some statements. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	char driver[64], driver_version[32], server[64], server_version[128];
	struct ladder shown;
} known;

static bool is_known(const struct etl_instance *inst)
{
	return strcmp(known.driver, inst->driver) == 0 && strcmp(known.driver_version, inst->driver_version) == 0 &&
	       strcmp(known.server, inst->server) == 0 && strcmp(known.server_version, inst->server_version) == 0;
}

static void recall(struct etl_instance *inst)
{
	struct ladder *ladder = inst->ladder;

	pthread_mutex_lock(&lock);
	if (is_known(inst)) {
		ladder->documents = ladder->documents ? ladder->documents : known.shown.documents;
		ladder->reals = ladder->reals ? ladder->reals : known.shown.reals;
		ladder->bytes = ladder->bytes ? ladder->bytes : known.shown.bytes;
		ladder->bulk_shown = known.shown.bulk;
	}
	pthread_mutex_unlock(&lock);
}

static void remember(const struct etl_instance *inst)
{
	const struct ladder *ladder = inst->ladder;

	pthread_mutex_lock(&lock);
	if (!is_known(inst)) {
		memset(&known, 0, sizeof(known));
		snprintf(known.driver, sizeof(known.driver), "%s", inst->driver);
		snprintf(known.driver_version, sizeof(known.driver_version), "%s", inst->driver_version);
		snprintf(known.server, sizeof(known.server), "%s", inst->server);
		snprintf(known.server_version, sizeof(known.server_version), "%s", inst->server_version);
	}
	known.shown.bulk = ladder->bulk ? ladder->bulk : known.shown.bulk;
	known.shown.documents = ladder->documents ? ladder->documents : known.shown.documents;
	known.shown.reals = ladder->reals ? ladder->reals : known.shown.reals;
	known.shown.bytes = ladder->bytes ? ladder->bytes : known.shown.bytes;
	pthread_mutex_unlock(&lock);
}

void ladder_forget(struct etl_instance *inst)
{
	struct ladder *ladder = inst->ladder;

	if (ladder)
		*ladder = (struct ladder){ .wants_bulk = ladder->wants_bulk && ladder->bulk >= 0,
					   .bulk = ladder->bulk < 0 ? -1 : 0,
					   .library = ladder->library };
}

void ladder_free(struct etl_instance *inst)
{
	free(inst->ladder);
	inst->ladder = NULL;
}

/* For the report of the run: why it does without. */
static void tell_no_bulk(const struct loading *l, const char *why)
{
	char sentence[200];

	snprintf(sentence, sizeof(sentence), "not used: %s", why);
	l->inst->host->remark(l->inst->host, "bulk copy", sentence);
}

static void find_no_bulk(struct loading *l)
{
	char why[160];

	l->inst->ladder->bulk = -1;
	snprintf(why, sizeof(why), "the driver %s exports none of its functions (bcp_initW and others)", l->inst->driver);
	tell_no_bulk(l, why);
}

/* Bulk copy is switched on before a connection is made, and only then it is known which driver that is with. */
static int connect_for_bulk(struct loading *l)
{
	odbc_disconnect(l->inst);
	l->inst->ladder->wants_bulk = true;
	return odbc_db(l->inst, l->err);
}

static int try_bulk(struct loading *l)
{
	struct ladder *ladder = l->inst->ladder;
	int rc = ETL_OK;

	if (ladder->bulk == 0 && !bulk_functions_of(l->inst))
		find_no_bulk(l);
	if (ladder->bulk != 0)
		return ETL_OK;
	if (!l->inst->bulk_on)
		rc = connect_for_bulk(l);
	if (rc < 0)
		return rc;
	ladder->functions = bulk_functions_of(l->inst);
	recall(l->inst);
	ladder->bulk = ladder->bulk_shown;
	if (ladder->bulk != 0)
		return ETL_OK;
	ladder->bulk = bulk_test(l->inst) ? 1 : -1;
	remember(l->inst);
	if (ladder->bulk > 0)
		return ETL_OK;
	tell_no_bulk(l, "of its trial rows not all arrived as they were sent");
	odbc_disconnect(l->inst);
	return odbc_db(l->inst, l->err);
}

static void try_documents(struct loading *l)
{
	struct ladder *ladder = l->inst->ladder;

	recall(l->inst);
	if (ladder->documents == 0)
		ladder->documents = documents_test(l->inst) ? 1 : -1;
	if (ladder->documents > 0 && ladder->reals == 0) {
		ladder->reals = documents_test_reals(l->inst) ? 1 : -1;
		ladder->bytes = documents_test_bytes(l->inst) ? 1 : -1;
	}
	remember(l->inst);
}

/* ---- Choosing --------------------------------------------------------------------------------------------------------------- */

int ladder_prepare(struct loading *l)
{
	struct etl_instance *inst = l->inst;
	int rc = ETL_OK;

	l->rung = careful_knows(l) || strcmp(asked(l), "rows") == 0 ? RUNG_ROWS : RUNG_ARRAYS;
	if (!inst->ladder)
		inst->ladder = calloc(1, sizeof(*inst->ladder));
	if (!inst->ladder)
		return odbc_no_memory(inst, l->err);
	if (l->rung == RUNG_ROWS || inst->dialect != &odbc_tsql)
		return ETL_OK;
	if (wants(l, "bulk"))
		rc = try_bulk(l);
	if (rc == ETL_OK && wants(l, "openjson"))
		try_documents(l);
	return rc;
}

/* 1, 0 with WHY, or negative. */
static int try_rung(struct loading *l, int32_t rung, struct etl_text *why)
{
	const struct ladder *ladder = l->inst->ladder;
	bool bulk = rung == RUNG_BULK;
	int rc;

	if (!wants(l, bulk ? "bulk" : "openjson"))
		return 0;
	if ((bulk ? ladder->bulk : ladder->documents) <= 0) {
		etl_text_add(why, bulk ? "this driver has no bulk copy, or not one that carried a trial row as it was" :
					 "this server has no OPENJSON, or one that makes another text of an escape");
		return 0;
	}
	rc = bulk ? bulk_open(l, why) : documents_open(l, why);
	if (rc == 1)
		l->rung = rung;
	return rc;
}

static int refuse(struct loading *l, const char *why)
{
	return l->inst->host->fail(l->err, ETL_USAGE, NULL, 0,
				   "table \"%s\" cannot be loaded as load = \"%s\" asks for: %s; leave load out, and each table "
				   "goes by the fastest way that is safe for it",
				   l->load->table->name, asked(l), why);
}

/* Measured on 2 cores with rows of four columns: psqlODBC 13.02 40,000 rows a second by arrays and 150,000 so; libsqliteodbc 0.9998,
 * which does not say of each row what became of it, 3,000 and 100,000. Small pieces go that way too. */
static int try_many(struct loading *l)
{
	bool asked_for = strcmp(asked(l), "multi-row") == 0;
	int64_t rows = many_rows(&l->bind);

	if (!asked_for && (strcmp(asked(l), "auto") != 0 || !l->inst->dialect->arrays_loop))
		return ETL_OK;
	if (rows < 2)
		return asked_for ? refuse(l, l->inst->dialect->most_parameters ?
						     "a statement of this server has no parameters for two rows of so many columns" :
						     "nobody knows how many parameters a statement of this server may have") :
				   ETL_OK;
	if (l->rung != RUNG_ROWS)
		l->rung = RUNG_MANY;
	return many_open(&l->bind, l->many_row.at, l->err);
}

#define PSQLODBC_BATCH_SIZE 65550 /* SQL_ATTR_PGOPT_BATCHSIZE, of the driver's own */
#define PSQLODBC_ROWS	    100	  /* what it is when nobody says anything */

/* So many rows of an array psqlODBC sends at once, and waits; with all of it 3 % faster than with 100. */
static void send_whole_arrays(struct etl_instance *inst)
{
	SQLINTEGER rows = 0;

	if (inst->dialect == &odbc_postgresql && strncasecmp(inst->driver, "psqlodbc", strlen("psqlodbc")) == 0 &&
	    SQL_SUCCEEDED(SQLGetConnectAttr(inst->db, PSQLODBC_BATCH_SIZE, &rows, sizeof(rows), NULL)) && rows == PSQLODBC_ROWS)
		SQLSetConnectAttr(inst->db, PSQLODBC_BATCH_SIZE, (SQLPOINTER)(uintptr_t)BIND_ROWS, 0);
}

/* Of a way that this connection has: WHY not this table. */
static void note_why(const struct loading *l, const char *way, int has, struct etl_text *why)
{
	const struct etl_host *host = l->inst->host;

	if (strcmp(asked(l), "auto") != 0 || !why->length)
		return;
	if (has > 0)
		host->log(host, ETL_LOG_DEBUG, "table \"%s\" does not go by %s: %s", l->load->table->name, way,
			  why->at);
	why->length = 0;
}

int ladder_choose(struct loading *l)
{
	struct etl_text why = { 0 };
	int rc;

	if (l->rung == RUNG_ROWS)
		return try_many(l);
	rc = try_rung(l, RUNG_BULK, &why);
	if (rc == 0) {
		note_why(l, "bulk copy", l->inst->ladder->bulk, &why);
		rc = try_rung(l, RUNG_OPENJSON, &why);
		if (rc == 0)
			note_why(l, "OPENJSON", l->inst->ladder->documents, &why);
	}
	if (rc == 0 && (strcmp(asked(l), "bulk") == 0 || strcmp(asked(l), "openjson") == 0))
		rc = refuse(l, why.at ? why.at : "it cannot");
	if (rc == 0)
		rc = try_many(l);
	if (rc == 0 && l->rung == RUNG_ARRAYS)
		send_whole_arrays(l->inst);
	etl_text_free(&why);
	return rc < 0 ? rc : ETL_OK;
}
