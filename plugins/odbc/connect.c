/*
 * The connection: made by the first call that needs it, with what the server and the driver say of themselves. Every
 * session is set up so that values are spelled one way.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "azure.h"
#include "load.h"
#include "provision.h"

#define COPT_SS_BCP	1219 /* SQL_COPT_SS_BCP of Microsoft's driver and of FreeTDS: a connection that can copy in bulk */
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

int odbc_environment(struct etl_instance *inst, struct etl_error *err)
{
	if (inst->env != SQL_NULL_HENV)
		return ETL_OK;
	if (!SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &inst->env)))
		return odbc_no_memory(inst, err);
	if (!SQL_SUCCEEDED(SQLSetEnvAttr(inst->env, SQL_ATTR_ODBC_VERSION, (SQLPOINTER)(uintptr_t)SQL_OV_ODBC3, 0)))
		return odbc_fail(inst, SQL_HANDLE_ENV, inst->env, err, "the driver manager");
	return ETL_OK;
}

static int make_handles(struct etl_instance *inst, struct etl_error *err)
{
	int rc = odbc_environment(inst, err);

	if (rc == ETL_OK && !SQL_SUCCEEDED(SQLAllocHandle(SQL_HANDLE_DBC, inst->env, &inst->db)))
		rc = odbc_fail(inst, SQL_HANDLE_ENV, inst->env, err, "the driver manager");
	return rc;
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

/* Of a connection that is not made only the driver's name says whose numbers its errors have. */
static void guess(struct etl_instance *inst)
{
	char file[512];

	odbc_driver_file(inst, file, sizeof(file));
	inst->likely = odbc_driver_is_freetds(file) || odbc_driver_is_microsofts(file) ? &odbc_tsql : NULL;
}

static void set_timeout(struct etl_instance *inst)
{
	int64_t ms = inst->host->num(inst->conf, "connect_timeout");

	SQLSetConnectAttrW(inst->db, SQL_ATTR_LOGIN_TIMEOUT,
			   (SQLPOINTER)(uintptr_t)(ms ? (ms + 999) / 1000 : CONNECT_SECONDS), SQL_IS_UINTEGER);
}

/* Only before it is connected. A driver that is known to have bulk copy need not be asked first. */
static void switch_bulk_on(struct etl_instance *inst)
{
	const char *load = inst->host->str(inst->conf, "load");
	bool may = inst->host->role == ETL_ROLE_TARGET && load && (strcmp(load, "auto") == 0 || strcmp(load, "bulk") == 0);

	inst->bulk_on = may && (inst->ladder ? inst->ladder->bulk >= 0 && (inst->ladder->wants_bulk || inst->likely) :
					       inst->likely != NULL);
	if (inst->bulk_on)
		SQLSetConnectAttrW(inst->db, COPT_SS_BCP, (SQLPOINTER)(uintptr_t)1, SQL_IS_UINTEGER);
}

/* 1: connected; 0: refused, and SAID says why; negative: told. Strings with a password and tokens do not outlive it. */
static int go(struct etl_instance *inst, struct odbc_said *said, struct etl_error *err)
{
	struct etl_text text = { 0 };
	struct azure_token token;
	SQLWCHAR *wide = NULL;
	size_t units = 0;
	SQLSMALLINT length;
	int rc = odbc_azure_give_token(inst, &token, err);

	if (rc < 0)
		return rc;
	rc = odbc_conninfo_of(inst, &text, err);
	if (rc == ETL_OK && !(wide = odbc_wide(text.at, text.length, &units)))
		rc = odbc_no_memory(inst, err);
	if (rc == ETL_OK) {
		set_timeout(inst);
		guess(inst);
		switch_bulk_on(inst);
		rc = SQL_SUCCEEDED(SQLDriverConnectW(inst->db, NULL, wide, (SQLSMALLINT)units, NULL, 0, &length,
						     SQL_DRIVER_NOPROMPT));
		if (!rc && said)
			odbc_listen(inst, SQL_HANDLE_DBC, inst->db, said);
		else if (!rc)
			rc = fail_connect(inst, err);
	}
	etl_azure_wipe(wide, wide ? (units + 1) * sizeof(*wide) : 0);
	etl_azure_wipe(text.at, text.length);
	azure_token_free(&token);
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

bool odbc_only_plans(const struct etl_instance *inst)
{
	return inst->host->role == ETL_ROLE_TARGET && inst->host->intent == ETL_BEGINS && !inst->connected &&
	       inst->host->str(inst->conf, "plan_dialect");
}

int odbc_know(struct etl_instance *inst, bool *ret_nobody, struct etl_error *err)
{
	int rc = ETL_OK;

	*ret_nobody = odbc_only_plans(inst);
	if (*ret_nobody)
		inst->dialect = odbc_dialect_called(inst->host->str(inst->conf, "plan_dialect"));
	else
		rc = odbc_provision_pending(inst, ret_nobody, err);
	return rc < 0 || *ret_nobody ? rc : odbc_db(inst, err);
}

static int set_up(struct etl_instance *inst, struct etl_error *err)
{
	int rc = ETL_OK;

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

int odbc_try(struct etl_instance *inst, struct odbc_said *said, struct etl_error *err)
{
	int rc;

	if (inst->connected)
		return 1;
	rc = make_handles(inst, err);
	if (rc == ETL_OK)
		rc = go(inst, said, err);
	if (rc == 1)
		rc = set_up(inst, err) < 0 ? ETL_FAILED : 1;
	else
		free_handles(inst);
	return rc;
}

/* Nobody asks a database that is not made. */
static int refuse_pending(struct etl_instance *inst, struct etl_error *err)
{
	bool pending = false;
	int rc = odbc_provision_pending(inst, &pending, err);

	if (rc < 0 || !pending)
		return rc;
	return inst->host->fail(err, ETL_FATAL, NULL, 0, "the database \"%s\" is not there yet: `etlrun run` makes it",
				inst->provision->database);
}

int odbc_db(struct etl_instance *inst, struct etl_error *err)
{
	int rc;

	if (inst->connected)
		return ETL_OK;
	rc = refuse_pending(inst, err);
	if (rc == ETL_OK)
		rc = odbc_try(inst, NULL, err);
	return rc < 0 ? rc : ETL_OK;
}

/* A driver refuses to disconnect while a transaction is open. */
void odbc_disconnect(struct etl_instance *inst)
{
	if (inst->connected) {
		SQLEndTran(SQL_HANDLE_DBC, inst->db, SQL_ROLLBACK);
		SQLDisconnect(inst->db);
	}
	inst->connected = false;
	ladder_forget(inst);
	free_handles(inst);
}
