/* What the connection says of itself, for `check`. */
#include "config.h"

#include "provision.h"

int odbc_ping(struct etl_instance *inst, struct etl_fact_sink *sink, struct etl_error *err)
{
	struct etl_text server = { 0 }, driver = { 0 };
	bool pending = false;
	int rc = ETL_OK;

	if (odbc_only_plans(inst))
		return sink->emit(sink, "dialect", "as plan_dialect says; no server was asked");
	rc = odbc_provision_pending(inst, &pending, err);
	if (rc == ETL_OK && pending)
		return odbc_provision_ping(inst, sink, err);
	if (rc == ETL_OK)
		rc = odbc_db(inst, err);
	if (rc < 0)
		return rc;
	etl_text_addf(&server, "%s %s", inst->server, inst->server_version);
	etl_text_addf(&driver, "%s %s", inst->driver, inst->driver_version);
	if (server.failed || driver.failed)
		rc = odbc_no_memory(inst, err);
	if (rc == ETL_OK)
		rc = sink->emit(sink, "server", server.at);
	if (rc == ETL_OK)
		rc = sink->emit(sink, "driver", driver.at);
	if (rc == ETL_OK && *inst->database)
		rc = sink->emit(sink, "database", inst->database);
	if (rc == ETL_OK && *inst->user)
		rc = sink->emit(sink, "user", inst->user);
	if (rc == ETL_OK)
		rc = sink->emit(sink, "dialect", inst->dialect->name);
	etl_text_free(&server);
	etl_text_free(&driver);
	return rc;
}
