/*
 * Supabase: which of its addresses this is, and what follows from that. A project has a server of its own (IPv6 only
 * unless it pays for more), a pooler in session mode, which is as good but small, and one in transaction mode, through
 * which no run can pass: nothing of a session is kept there. Schemas that its services own are left alone.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "postgres.h"

#define DIRECT_HOST	 ".supabase.co"
#define POOLER_HOST	 ".pooler.supabase.com"
#define TRANSACTION_PORT "6543"

const char *const postgres_supabase_schemas[] = {
	"auth",
	"cron",
	"extensions",
	"graphql",
	"graphql_public",
	"net",
	"pgbouncer",
	"pgmq",
	"pgmq_public",
	"pgsodium",
	"pgsodium_masks",
	"realtime",
	"_realtime",
	"storage",
	"supabase_functions",
	"supabase_migrations",
	"_analytics",
	"_supavisor",
	"vault",
	NULL,
};

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), size = strlen(end);

	return length > size && strcmp(text + length - size, end) == 0;
}

int32_t postgres_endpoint_of(const char *host, const char *port)
{
	bool transaction = port && strcmp(port, TRANSACTION_PORT) == 0;

	if (!host)
		return POSTGRES_PLAIN;
	if (ends_with(host, POOLER_HOST))
		return transaction ? POSTGRES_SUPABASE_TRANSACTION : POSTGRES_SUPABASE_SESSION;
	if (strncmp(host, "db.", 3) == 0 && ends_with(host, DIRECT_HOST))
		return transaction ? POSTGRES_SUPABASE_DEDICATED : POSTGRES_SUPABASE_DIRECT;
	return POSTGRES_PLAIN;
}

/* Of db.REF.supabase.co the REF. */
static int reference_length(const char *host)
{
	return (int)strcspn(host + 3, ".");
}

int postgres_refuse_endpoint(struct etl_instance *inst, struct etl_error *err)
{
	const char *host = PQhost(inst->db), *user = PQuser(inst->db);

	if (inst->endpoint == POSTGRES_SUPABASE_TRANSACTION)
		return inst->host->fail(
			err, ETL_USAGE, NULL, 0,
			"%s:" TRANSACTION_PORT
			" is Supabase's pooler in transaction mode, where each transaction may "
			"meet another session: snapshots, locks and settings of a run are lost "
			"there; take its session mode, the same host with port 5432 and user %s",
			host, user && strchr(user, '.') ? user : "postgres.PROJECT");
	if (inst->endpoint == POSTGRES_SUPABASE_DEDICATED)
		return inst->host->fail(
			err, ETL_USAGE, NULL, 0,
			"%s:" TRANSACTION_PORT
			" is the project's pooler in transaction mode, where each transaction may "
			"meet another session: snapshots, locks and settings of a run are lost "
			"there; take the same host with port 5432 (IPv6), or "
			"aws-0-REGION.pooler.supabase.com with port 5432 and user postgres.%.*s",
			host, reference_length(host), host + 3);
	return ETL_OK;
}

const char *postgres_supabase_advice(struct etl_instance *inst, bool server_answered)
{
	const char *host = inst->db ? PQhost(inst->db) : NULL;

	if (inst->endpoint != POSTGRES_SUPABASE_DIRECT || server_answered || !host)
		return "";
	snprintf(inst->advice, sizeof(inst->advice),
		 "; this host has an IPv6 address only, unless the project has the IPv4 add-on: "
		 "where there is no IPv6, take the session pooler, "
		 "aws-0-REGION.pooler.supabase.com with port 5432 and user postgres.%.*s",
		 reference_length(host), host + 3);
	return inst->advice;
}

bool postgres_is_reserved(const struct etl_instance *inst, const char *schema)
{
	if (strncmp(schema, "pg_", 3) == 0 || strcmp(schema, "information_schema") == 0)
		return true;
	for (size_t i = 0; inst->supabase && postgres_supabase_schemas[i]; i++)
		if (strcmp(postgres_supabase_schemas[i], schema) == 0)
			return true;
	return false;
}

int postgres_refuse_schema(struct etl_instance *inst, const char *schema, struct etl_error *err)
{
	if (!schema || !postgres_is_reserved(inst, schema))
		return ETL_OK;
	return inst->host->fail(err, ETL_USAGE, NULL, 0,
				"the schema \"%s\" is %s own and is left alone; name "
				"another with the key schema",
				schema,
				strncmp(schema, "pg_", 3) == 0 ||
						strcmp(schema, "information_schema") == 0 ?
					"the server's" :
					"Supabase's");
}

const char *postgres_endpoint_name(const struct etl_instance *inst)
{
	switch (inst->endpoint) {
	case POSTGRES_SUPABASE_DIRECT:
		return "Supabase, the project's own server (IPv6, unless it has the IPv4 add-on)";
	case POSTGRES_SUPABASE_SESSION:
		return "Supabase, the pooler in session mode";
	default:
		break;
	}
	if (inst->pooled)
		return inst->supabase ? "Supabase, by way of a pooler in session mode" :
					"a pooler in session mode";
	return inst->supabase ? "Supabase, direct" : "direct";
}
