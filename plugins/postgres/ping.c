/*
 * What `check` tells of a server: who it is, as whom we came, whether it lets us do what the pipeline asks for.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "postgres.h"

int postgres_ping(struct etl_instance *inst, struct etl_fact_sink *sink, struct etl_error *err)
{
	static const char *const facts[][2] = {
		{ "server", "SELECT 'PostgreSQL ' || current_setting('server_version')" },
		{ "database", "SELECT current_database()" },
		{ "role", "SELECT current_user" },
		{ "encoding", "SELECT current_setting('server_encoding')" },
	};
	int rc = postgres_db(inst, err);

	for (size_t i = 0; rc == ETL_OK && i < sizeof(facts) / sizeof(*facts); i++) {
		char *value = NULL;

		rc = postgres_text(inst, err, &value, facts[i][1], 0, NULL);
		if (rc == ETL_OK)
			rc = sink->emit(sink, facts[i][0], value ? value : "");
		free(value);
	}
	return rc;
}
