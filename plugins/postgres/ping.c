/*
 * What `check` tells of a server: who it is and by which way we came, as whom, what is limited, and whether it lets us
 * do what a run does. What would surely fail in a run fails here.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "postgres.h"

#define DENIED	  "42501"
#define READ_ONLY "25006"

enum whose { BOTH, OF_SOURCE, OF_TARGET };

/* One text each, all asked for at once; $1 is the option schema. NULL: nothing to tell. */
static const struct {
	const char *name;
	enum whose whose;
	const char *sql;
} facts[] = {
	{ "server", BOTH, "SELECT 'PostgreSQL ' || current_setting('server_version')" },
	{ "database", BOTH, "SELECT current_database()" },
	{ "role", BOTH,
	  "SELECT current_user || CASE WHEN rolsuper THEN ', superuser' "
	  "WHEN rolbypassrls THEN ', sees all rows (BYPASSRLS)' "
	  "ELSE ', subject to row security' END "
	  "FROM pg_catalog.pg_roles WHERE rolname = current_user" },
	{ "encoding", BOTH,
	  "SELECT current_setting('server_encoding') || ', collation ' || datcollate "
	  "FROM pg_catalog.pg_database WHERE datname = current_database()" },
	{ "timeouts", BOTH,
	  "SELECT string_agg(name || ' ' || reset_val || unit || ' by default, ' || "
	  "CASE setting WHEN '0' THEN 'none' ELSE setting || unit END || ' in a run', '; ' "
	  "ORDER BY name) FROM pg_catalog.pg_settings "
	  "WHERE name IN ('statement_timeout', 'lock_timeout', "
	  "'idle_in_transaction_session_timeout', 'transaction_timeout') AND reset_val <> '0'" },
	{ "connections", BOTH,
	  "SELECT (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend') "
	  "|| ' of ' || current_setting('max_connections') || ' in use, ' || "
	  "current_setting('superuser_reserved_connections') || ' of them for superusers' || "
	  "CASE WHEN rolconnlimit < 0 THEN '' ELSE ', at most ' || rolconnlimit || "
	  "' of this role' END || CASE WHEN datconnlimit < 0 THEN '' ELSE ', at most ' || "
	  "datconnlimit || ' to this database' END "
	  "FROM pg_catalog.pg_roles, pg_database "
	  "WHERE rolname = current_user AND datname = current_database()" },
	/* These two begin with a number, by which a run keeps to source_load. Without pg_read_all_stats others are not seen. A
	 * run does not count itself. */
	{ "active", OF_SOURCE,
	  "SELECT CASE WHEN pg_has_role(current_user, to_regrole('pg_read_all_stats')::oid, 'USAGE') THEN "
	  "(SELECT count(*) || ' connections at work, besides those called ' || current_setting('application_name') "
	  "FROM pg_catalog.pg_stat_activity WHERE backend_type = 'client backend' AND state = 'active' "
	  "AND application_name <> current_setting('application_name') AND pid <> pg_backend_pid()) END" },
	{ "lag", OF_SOURCE,
	  "SELECT CASE WHEN pg_has_role(current_user, to_regrole('pg_read_all_stats')::oid, 'USAGE') THEN "
	  "(SELECT round(coalesce(max(extract(epoch FROM replay_lag)), 0)::numeric, 3) || ' s behind, the slowest of ' || "
	  "count(*) || CASE count(*) WHEN 1 THEN ' replica' ELSE ' replicas' END FROM pg_catalog.pg_stat_replication) END" },
	{ "wal_level", OF_TARGET, "SELECT current_setting('wal_level')" },
	{ "stage", OF_TARGET,
	  "SELECT CASE WHEN has_database_privilege(current_database(), 'CREATE') "
	  "THEN 'schemas can be made in this database' "
	  "ELSE 'no schema can be made in this database' END" },
	{ "schema", OF_TARGET,
	  "SELECT want || CASE WHEN n.oid IS NULL THEN ', to be made' "
	  "WHEN has_schema_privilege(n.oid, 'CREATE') THEN ', tables can be made in it' "
	  "ELSE ', no table can be made in it: GRANT CREATE ON SCHEMA ' || quote_ident(want) || "
	  "' TO ' || quote_ident(current_user) END "
	  "FROM (SELECT coalesce($1::text, 'public') AS want) x "
	  "LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = want" },
};

static int emit(struct etl_fact_sink *sink, const char *name, const char *value)
{
	return value && *value ? sink->emit(sink, name, value) : ETL_OK;
}

static int ask(struct etl_instance *inst, struct etl_fact_sink *sink, const char *name,
	       const char *sql, struct etl_error *err)
{
	const char *values[] = { inst->host->str(inst->conf, "schema") };
	char *value = NULL;
	int rc = postgres_text(inst, err, &value, sql, 1, values);

	if (rc == ETL_OK)
		rc = emit(sink, name, value);
	free(value);
	return rc;
}

static int tell_facts(struct etl_instance *inst, struct etl_fact_sink *sink, struct etl_error *err)
{
	const char *values[] = { inst->host->str(inst->conf, "schema") };
	enum whose other = inst->host->role == ETL_ROLE_TARGET ? OF_SOURCE : OF_TARGET;
	struct etl_text sql = { 0 };
	PGresult *found = NULL;
	char *text;
	int rc;

	/* $1 has a type wherever it stands, and stands somewhere. */
	etl_text_add(&sql, "SELECT '', $1::text");
	for (size_t i = 0; i < sizeof(facts) / sizeof(*facts); i++)
		if (facts[i].whose != other)
			etl_text_addf(&sql, " UNION ALL SELECT '%s', (%s)", facts[i].name,
				      facts[i].sql);
	text = etl_text_take(&sql);
	rc = text ? postgres_query(inst, err, &found, text, 1, values) :
		    postgres_no_memory(inst, err);
	for (int i = 1; rc == ETL_OK && i < PQntuples(found); i++)
		rc = emit(sink, PQgetvalue(found, i, 0), postgres_at(found, i, 1));
	PQclear(found);
	free(text);
	return rc;
}

/* ---- The way to the server ---------------------------------------------------------------------------- */

static int tell_encryption(struct etl_instance *inst, struct etl_fact_sink *sink)
{
	char value[160];

	if (PQsslInUse(inst->db))
		snprintf(value, sizeof(value), "%s, %s", PQsslAttribute(inst->db, "protocol"),
			 PQsslAttribute(inst->db, "cipher"));
	else
		snprintf(value, sizeof(value), "%s", PQgssEncInUse(inst->db) ? "GSSAPI" : "none");
	return emit(sink, "encryption", value);
}

static int tell_way(struct etl_instance *inst, struct etl_fact_sink *sink)
{
	int64_t most = postgres_most_connections(inst);
	char value[320];
	int rc;

	snprintf(value, sizeof(value), "%s:%s, %s", PQhost(inst->db), PQport(inst->db),
		 postgres_endpoint_name(inst));
	rc = emit(sink, "address", value);
	if (rc == ETL_OK)
		rc = tell_encryption(inst, sink);
	if (rc == ETL_OK && most > 0) {
		snprintf(value, sizeof(value),
			 "at most %lld connections on this side (connections)", (long long)most);
		rc = emit(sink, "limit", value);
	}
	return rc;
}

/* ---- What the tables let us see -------------------------------------------------------------------------- */

/* Tables of which this holds, without the server's own and Supabase's; a few by name. */
static int tell_tables(struct etl_instance *inst, struct etl_fact_sink *sink, const char *name,
		       const char *condition, const char *advice, struct etl_error *err)
{
	struct etl_text sql = { 0 };
	char *text;
	int rc;

	etl_text_add(&sql, "SELECT count(*) || ' tables ");
	etl_text_add(&sql, advice);
	etl_text_add(&sql, ": ' || (array_to_string((array_agg(quote_ident(nspname) || '.' || "
			   "quote_ident(relname) ORDER BY nspname, relname))[1:5], ', ')) || "
			   "CASE WHEN count(*) > 5 THEN ', …' ELSE '' END "
			   "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = relnamespace "
			   "WHERE relkind IN ('r', 'p', 'v', 'm', 'f') "
			   "AND nspname NOT LIKE 'pg\\_%' AND nspname <> 'information_schema' "
			   "AND ($1::text IS NULL OR nspname = $1)");
	for (size_t i = 0; inst->supabase && postgres_supabase_schemas[i]; i++) {
		etl_text_add(&sql, " AND nspname <> ");
		etl_text_add_literal(&sql, postgres_supabase_schemas[i]);
	}
	etl_text_addf(&sql, " AND %s HAVING count(*) > 0", condition);
	text = etl_text_take(&sql);
	rc = text ? ask(inst, sink, name, text, err) : postgres_no_memory(inst, err);
	free(text);
	return rc;
}

static int tell_source(struct etl_instance *inst, struct etl_fact_sink *sink, struct etl_error *err)
{
	int rc = tell_tables(inst, sink, "select", "NOT has_table_privilege(c.oid, 'SELECT')",
			     "cannot be read by this role", err);

	return rc < 0 ? rc :
			tell_tables(inst, sink, "row security", "row_security_active(c.oid)",
				    "have rows that policies hide from this role, and are refused",
				    err);
}

/* ---- What would surely fail ----------------------------------------------------------------------------- */

static int judge_target(struct etl_instance *inst, const PGresult *found, struct etl_error *err)
{
	const char *role = PQgetvalue(found, 0, 2), *database = PQgetvalue(found, 0, 3);

	if (!postgres_flag_at(found, 0, 0))
		return inst->host->fail(
			err, ETL_FATAL, DENIED, 0,
			"the role %s may not make a schema in the database %s, and rows "
			"wait in one until they are published: GRANT CREATE ON DATABASE %s TO %s",
			role, database, database, role);
	if (postgres_flag_at(found, 0, 1))
		return inst->host->fail(
			err, ETL_FATAL, READ_ONLY, 0,
			"the database %s or the role %s is set to be read only "
			"(default_transaction_read_only); %s",
			database, role,
			inst->supabase ? "Supabase does that when its disk is full: make room" :
					 "have that changed");
	return ETL_OK;
}

static int check_target(struct etl_instance *inst, struct etl_error *err)
{
	PGresult *found = NULL;
	int rc = postgres_query(inst, err, &found,
				"SELECT has_database_privilege(current_database(), 'CREATE'), "
				"current_setting('transaction_read_only')::bool, "
				"quote_ident(current_user), quote_ident(current_database())",
				0, NULL);

	if (rc == ETL_OK)
		rc = judge_target(inst, found, err);
	PQclear(found);
	return rc;
}

int postgres_ping(struct etl_instance *inst, struct etl_fact_sink *sink, struct etl_error *err)
{
	int rc = postgres_db(inst, err);

	if (rc == ETL_OK)
		rc = tell_way(inst, sink);
	if (rc == ETL_OK)
		rc = tell_facts(inst, sink, err);
	if (rc == ETL_OK)
		rc = inst->host->role == ETL_ROLE_TARGET ? check_target(inst, err) :
							   tell_source(inst, sink, err);
	return rc;
}
