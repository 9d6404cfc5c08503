/*
 * Opening the connection of an instance, and what holds in it: values are spelled one way whatever the server's or
 * the role's settings are, nothing ends a statement because it is long, and a row that a policy would hide is an
 * error instead.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "postgres.h"

/* Sent as one message: a round trip. `row_security = off` turns a policy that would filter rows into an error. */
static const char settings[] =
	"SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; "
	"SET bytea_output = 'hex'; SET extra_float_digits = 3; "
	"SET standard_conforming_strings = on; SET xmloption = 'content'; "
	"SET lc_monetary = 'C'; SET lc_numeric = 'C'; "
	"SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; "
	"SET row_security = off; SET search_path = pg_catalog";

static void on_notice(void *data, const PGresult *result)
{
	struct etl_instance *inst = data;
	const char *words = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (words)
		inst->host->log(inst->host, ETL_LOG_DEBUG, "the server says: %s", words);
}

static void keep_cancel(struct etl_instance *inst)
{
	pthread_mutex_lock(&inst->lock);
	PQfreeCancel(inst->cancel);
	inst->cancel = inst->db ? PQgetCancel(inst->db) : NULL;
	pthread_mutex_unlock(&inst->lock);
}

void postgres_disconnect(struct etl_instance *inst)
{
	if (!inst->db)
		return;
	PQfinish(inst->db);
	inst->db = NULL;
	inst->pinned = false;
	free(inst->path);
	inst->path = NULL;
	keep_cancel(inst);
}

/* Where it tried to go, for messages: never the password. */
static void add_where(struct etl_text *text, PGconn *db)
{
	const char *host = PQhost(db), *port = PQport(db), *name = PQdb(db);

	etl_text_addf(text, "database \"%s\" at %s%s%s", name ? name : "",
		      host && *host ? host : "the local socket", port && *port ? ":" : "",
		      port && *port ? port : "");
}

static int refused(struct etl_instance *inst, struct etl_error *err)
{
	struct etl_text where = { 0 };
	int rc;

	add_where(&where, inst->db);
	rc = postgres_fail(inst, NULL, err, "cannot connect to %s",
			   where.at ? where.at : "the server");
	etl_text_free(&where);
	postgres_disconnect(inst);
	return rc;
}

static int set_up(struct etl_instance *inst, struct etl_error *err)
{
	PGresult *result = PQexec(inst->db, settings);
	int rc;

	if (PQresultStatus(result) == PGRES_COMMAND_OK) {
		PQclear(result);
		return ETL_OK;
	}
	rc = postgres_fail(inst, result, err, "the session's settings are refused");
	postgres_disconnect(inst);
	return rc;
}

int postgres_db(struct etl_instance *inst, struct etl_error *err)
{
	struct postgres_conninfo info;
	int rc;

	if (inst->db)
		return ETL_OK;
	rc = postgres_conninfo(inst->host, inst->conf, &info, err);
	if (rc < 0)
		return rc;
	inst->db = PQconnectdbParams(info.keys, info.values, 1);
	if (!inst->db)
		return postgres_no_memory(inst, err);
	if (PQstatus(inst->db) != CONNECTION_OK)
		return refused(inst, err);
	PQsetNoticeReceiver(inst->db, on_notice, inst);
	inst->version = PQserverVersion(inst->db);
	keep_cancel(inst);
	return set_up(inst, err);
}
