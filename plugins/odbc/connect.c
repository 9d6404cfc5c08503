/*
 * The connection: made by the first call that needs it, with what the server and the driver say of themselves. Every
 * session is set up so that values are spelled one way.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "dialect.h"

#define CONNECT_SECONDS 30 /* as Microsoft asks for: a database that was moved takes as long */

/* ---- What it says of itself ---------------------------------------------------------------------------- */

/* A text of SQLGetInfo; "" when there is none. */
static void ask_text(struct etl_instance *inst, SQLUSMALLINT what, char *ret, size_t room)
{
	SQLWCHAR wide[ODBC_NAME_ROOM] = { 0 };
	SQLSMALLINT bytes = 0;
	struct etl_text text = { 0 };

	if (SQL_SUCCEEDED(SQLGetInfoW(inst->db, what, wide, sizeof(wide), &bytes)) && bytes > 0) {
		size_t units = (size_t)bytes / sizeof(*wide);

		odbc_narrow(&text, wide, units < ODBC_NAME_ROOM ? units : ODBC_NAME_ROOM - 1);
	}
	snprintf(ret, room, "%s", text.at ? text.at : "");
	etl_text_free(&text);
}

static void ask(struct etl_instance *inst)
{
	ask_text(inst, SQL_DBMS_NAME, inst->server, sizeof(inst->server));
	ask_text(inst, SQL_DBMS_VER, inst->server_version, sizeof(inst->server_version));
	ask_text(inst, SQL_DRIVER_NAME, inst->driver, sizeof(inst->driver));
	ask_text(inst, SQL_DRIVER_VER, inst->driver_version, sizeof(inst->driver_version));
	ask_text(inst, SQL_DATABASE_NAME, inst->database, sizeof(inst->database));
	ask_text(inst, SQL_USER_NAME, inst->user, sizeof(inst->user));
	if (!SQL_SUCCEEDED(SQLGetInfoW(inst->db, SQL_GETDATA_EXTENSIONS, &inst->getdata,
				       sizeof(inst->getdata), NULL)))
		inst->getdata = 0;
	inst->dialect = odbc_dialect_of(inst->server);
}

/* ---- Making it ------------------------------------------------------------------------------------------- */

static int make_handles(struct etl_instance *inst, struct etl_error *err)
{
	if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &inst->env)))
		return odbc_no_memory(inst, err);
	if (!SQL_SUCCEEDED(SQLSetEnvAttr(inst->env, SQL_ATTR_ODBC_VERSION,
					 (SQLPOINTER)(uintptr_t)SQL_OV_ODBC3, 0)) ||
	    !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, inst->env, &inst->db)))
		return odbc_fail(inst, SQL_HANDLE_ENV, inst->env, err, "the driver manager");
	return ETL_OK;
}

static void free_handles(struct etl_instance *inst)
{
	if (inst->db != SQL_NULL_HDBC)
		SQLFreeHandle(SQL_HANDLE_DBC, inst->db);
	if (inst->env != SQL_NULL_HENV)
		SQLFreeHandle(SQL_HANDLE_ENV, inst->env);
	inst->db = SQL_NULL_HDBC;
	inst->env = SQL_NULL_HENV;
}

static int fail_connect(struct etl_instance *inst, struct etl_error *err)
{
	struct etl_text place = { 0 };
	int rc = odbc_place(inst, &place) ?
			 odbc_fail(inst, SQL_HANDLE_DBC, inst->db, err, "cannot connect to %s",
				   place.at ? place.at : "the server") :
			 odbc_no_memory(inst, err);

	etl_text_free(&place);
	return rc;
}

/* The text has a password in it and does not outlive the call. */
static void wipe(void *at, size_t size)
{
	volatile unsigned char *p = at;

	while (at && size-- > 0)
		*p++ = 0;
}

static int go(struct etl_instance *inst, struct etl_error *err)
{
	struct etl_text text = { 0 };
	int rc = odbc_conninfo(inst->host, inst->conf, &text, err);
	size_t units = 0;
	SQLWCHAR *wide = rc == ETL_OK ? odbc_wide(text.at, text.length, &units) : NULL;
	SQLSMALLINT said;

	if (rc == ETL_OK && !wide)
		rc = odbc_no_memory(inst, err);
	if (rc == ETL_OK) {
		int64_t ms = inst->host->num(inst->conf, "connect_timeout");

		SQLSetConnectAttrW(inst->db, SQL_ATTR_LOGIN_TIMEOUT,
				   (SQLPOINTER)(uintptr_t)(ms ? (ms + 999) / 1000 : CONNECT_SECONDS),
				   SQL_IS_UINTEGER);
		if (!SQL_SUCCEEDED(SQLDriverConnectW(inst->db, NULL, wide, (SQLSMALLINT)units, NULL,
						     0, &said, SQL_DRIVER_NOPROMPT)))
			rc = fail_connect(inst, err);
	}
	wipe(wide, (units + 1) * sizeof(*wide));
	wipe(text.at, text.length);
	free(wide);
	etl_text_free(&text);
	return rc;
}

/* One that is none says NULL. */
static int ask_babelfish(struct etl_instance *inst, struct etl_error *err)
{
	int64_t is = 0;
	int rc = ETL_OK;

	if (inst->dialect == &odbc_tsql)
		rc = odbc_number(inst, err, &is, "SELECT CAST(SERVERPROPERTY('Babelfish') AS int)");
	inst->babelfish = is == 1;
	return rc;
}

int odbc_db(struct etl_instance *inst, struct etl_error *err)
{
	int rc;

	if (inst->connected)
		return ETL_OK;
	rc = make_handles(inst, err);
	if (rc == ETL_OK)
		rc = go(inst, err);
	if (rc < 0) {
		free_handles(inst);
		return rc;
	}
	inst->connected = true;
	inst->lost = false;
	ask(inst);
	if (inst->dialect->setup)
		rc = odbc_run(inst, err, inst->dialect->setup);
	if (rc == ETL_OK)
		rc = ask_babelfish(inst, err);
	if (rc < 0)
		odbc_disconnect(inst);
	return rc;
}

/* A driver refuses to disconnect while a transaction is open. */
void odbc_disconnect(struct etl_instance *inst)
{
	if (inst->connected) {
		SQLEndTran(SQL_HANDLE_DBC, inst->db, SQL_ROLLBACK);
		SQLDisconnect(inst->db);
	}
	inst->connected = false;
	free_handles(inst);
}
