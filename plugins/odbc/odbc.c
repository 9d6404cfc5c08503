/*
 * The odbc plugin's descriptor: its options, and how an instance is made of them. Nothing is opened here; the first
 * call that needs the server does that (connect.c).
 */
#include "config.h"

#include <stdlib.h>

#include "alike.h"
#include "azure.h"
#include "load.h"
#include "pin.h"
#include "provision.h"
#include "undo.h"
#include "watermark.h"

static const struct etl_option provision_options[] = {
	{ .name = "name",
	  .kind = ETL_OPT_TEXT,
	  .default_text = "auto",
	  .help = "What the database is called; auto: after the source's file, in small letters, whatever is neither letter nor "
		  "digit as a hyphen, 128 characters at most." },
	{ .name = "on_collision",
	  .kind = ETL_OPT_CHOICE,
	  .choices = "fail|number",
	  .default_text = "fail",
	  .help = "When the server has one of that name: fail, with nothing touched, or number: NAME-2, NAME-3, ..." },
	{ .name = "server",
	  .kind = ETL_OPT_TEXT,
	  .help = "The server's name in Azure. Default: the first part of the name that is connected to." },
	{ .name = "resource_group", .kind = ETL_OPT_TEXT, .help = "Where the server is. Default: az looks for it." },
	{ .name = "subscription", .kind = ETL_OPT_TEXT, .help = "In which subscription. Default: that which az has chosen." },
	{ .name = "region",
	  .kind = ETL_OPT_TEXT,
	  .help = "Where the database has to lie: a server in another region is refused, for a database lies where its server does." },
	{ .name = "tier",
	  .kind = ETL_OPT_CHOICE,
	  .choices = "GeneralPurpose|Hyperscale|BusinessCritical",
	  .default_text = "GeneralPurpose",
	  .help = "The service tier." },
	{ .name = "compute_model",
	  .kind = ETL_OPT_CHOICE,
	  .choices = "serverless|provisioned",
	  .default_text = "serverless",
	  .help = "Billed by the second of use, or for capacity that is kept." },
	{ .name = "family", .kind = ETL_OPT_TEXT, .default_text = "Gen5", .help = "The generation of hardware." },
	{ .name = "capacity",
	  .kind = ETL_OPT_INT,
	  .default_text = "2",
	  .min = 1,
	  .max = 128,
	  .help = "The most vCores. The log rate, which limits a load, grows with them: 4.5 MB/s each, serverless (Microsoft)." },
	{ .name = "min_capacity",
	  .kind = ETL_OPT_TEXT,
	  .default_text = "0.5",
	  .help = "The least vCores, when serverless." },
	{ .name = "auto_pause_delay",
	  .kind = ETL_OPT_INT,
	  .default_text = "60",
	  .min = -1,
	  .max = 10080,
	  .help = "After how many idle minutes a serverless database pauses; -1: never." },
	{ .name = "max_size", .kind = ETL_OPT_TEXT, .default_text = "32GB", .help = "How large it may grow, as az takes it." },
	{ .name = "backup_redundancy",
	  .kind = ETL_OPT_CHOICE,
	  .choices = "Local|Zone|Geo|GeoZone",
	  .default_text = "Local",
	  .help = "Where backups are kept." },
	{ .name = "collation",
	  .kind = ETL_OPT_TEXT,
	  .default_text = "Latin1_General_100_CI_AS_SC_UTF8",
	  .help = "The database's collation, which cannot be changed later." },
	{ .name = "timeout",
	  .kind = ETL_OPT_DURATION,
	  .default_text = "15m",
	  .help = "How long making it, and waiting for it, may take, each." },
	{ .name = NULL }
};
#include "layout.h"

static const struct etl_option options[] = {
	{ .name = "connection",
	  .kind = ETL_OPT_URI,
	  .help = "A whole ODBC connection string, \"Driver={FreeTDS};Server=db.example.com;...\". What follows, each "
		  "beside it, is added to it." },
	{ .name = "dsn", .kind = ETL_OPT_TEXT, .help = "A data source that odbc.ini names." },
	{ .name = "driver",
	  .kind = ETL_OPT_TEXT,
	  .help = "The driver, as odbcinst.ini names it, or the path of its file: \"ODBC Driver 18 for SQL Server\"." },
	{ .name = "server", .kind = ETL_OPT_TEXT, .help = "The server's name or address." },
	{ .name = "port", .kind = ETL_OPT_TEXT, .help = "The server's port." },
	{ .name = "database", .kind = ETL_OPT_TEXT, .help = "The database's name, or its file." },
	{ .name = "user", .kind = ETL_OPT_TEXT, .help = "Who logs in." },
	{ .name = "password",
	  .kind = ETL_OPT_SECRET,
	  .help = "The user's password. Better \"${env:...}\", \"${file:...}\" or \"${exec:...}\" than the word itself." },
	{ .name = "auth",
	  .kind = ETL_OPT_CHOICE,
	  .choices = "azure-cli|managed-identity|sql|driver",
	  .help = "Who logs in: with a token of Microsoft Entra that az gives, or this machine's identity in Azure; sql: user with "
		  "password; driver: the driver knows by itself. Default: sql with user, else driver." },
	{ .name = "identity",
	  .kind = ETL_OPT_TEXT,
	  .help = "With auth = \"managed-identity\": the client id of the identity, where the machine has several." },
	{ .name = "identity_endpoint",
	  .kind = ETL_OPT_TEXT,
	  .default_text = "http://169.254.169.254/metadata/identity/oauth2/token",
	  .help = "With auth = \"managed-identity\": where the instance metadata service answers, or what stands in for it." },
	{ .name = "parameters",
	  .kind = ETL_OPT_PAIRS,
	  .help = "Further keys of the driver's own: ( ( \"Encrypt\", \"yes\" ) )." },
	{ .name = "connect_timeout",
	  .kind = ETL_OPT_DURATION,
	  .default_text = "30s",
	  .help = "How long connecting may take." },
	{ .name = "schema",
	  .kind = ETL_OPT_TEXT,
	  .help = "As a source: only what is in this schema, default all but the server's own. As a target: where the tables "
		  "go, default the server's own default (dbo, public); it is made when it is missing." },
	{ .name = "provision",
	  .kind = ETL_OPT_GROUP,
	  .flags = ETL_OPT_TARGET,
	  .help = "The run makes an Azure SQL database for itself, with az; a run that fails deletes what it made.",
	  .members = provision_options },
	{ .name = "load",
	  .kind = ETL_OPT_CHOICE,
	  .flags = ETL_OPT_TARGET,
	  .default_text = "auto",
	  .choices = "auto|bulk|openjson|multi-row|arrays|rows",
	  .help = "How rows go into a table. \"auto\" takes for each table the fastest way that carries its columns as they are: "
		  "bulk copy, OPENJSON, parameter arrays, or INSERTs of many rows where drivers make a statement of each row of an array; the report says which. Another word is for all tables, and the run fails where "
		  "it cannot be." },
	{ .name = "plan_dialect",
	  .kind = ETL_OPT_CHOICE,
	  .flags = ETL_OPT_TARGET,
	  .choices = "tsql|postgresql|sqlite|sql",
	  .help = "For plan alone, where there is no server to ask yet: plan says what would be made in an empty database of this "
		  "dialect, and connects to nothing. A run is refused: its dialect is what the server says it is." },
	{ .name = NULL }
};

/* ---- What would write passwords down --------------------------------------------------------------------------- */

/* FreeTDS writes what it sends into the file that these name, also where they are empty, for everyone to read. The host opens the
 * first instance before it has threads. */
static void forbid_dumps(const struct etl_host *host)
{
	static const char *const names[] = { "TDSDUMP", "TDSDUMPCONFIG" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (!getenv(names[i]))
			continue;
		host->log(host, ETL_LOG_WARN,
			  "%s is set, by which FreeTDS would write passwords and rows into a file: this run takes it out of its "
			  "environment", names[i]);
		unsetenv(names[i]);
	}
}

/* ---- Instances ---------------------------------------------------------------------------------------------- */

static void close_instance(struct etl_instance *inst)
{
	if (!inst)
		return;
	odbc_disconnect(inst);
	odbc_forget_stage(inst);
	ladder_free(inst);
	odbc_forget_layout(inst);
	free(inst->provision);
	pthread_mutex_destroy(&inst->lock);
	free(inst);
}

static int open_instance(const struct etl_host *host, const struct etl_conf *conf,
			 struct etl_instance **ret, struct etl_error *err)
{
	struct etl_text text = { 0 };
	struct etl_instance *inst;
	int rc = odbc_conninfo(host, conf, &text, err);

	if (rc < 0)
		return rc;
	etl_text_free(&text);
	forbid_dumps(host);
	rc = odbc_azure_check(host, conf, err);
	if (rc < 0)
		return rc;
	inst = calloc(1, sizeof(*inst));
	if (!inst || pthread_mutex_init(&inst->lock, NULL) != 0) {
		free(inst);
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for an instance");
	}
	inst->host = host;
	inst->conf = conf;
	rc = odbc_provision_open(inst, err);
	if (rc < 0) {
		close_instance(inst);
		return rc;
	}
	*ret = inst;
	return ETL_OK;
}

/* From any thread: the statement under way ends. */
static void cancel_instance(struct etl_instance *inst)
{
	pthread_mutex_lock(&inst->lock);
	if (inst->running != SQL_NULL_HSTMT)
		SQLCancel(inst->running);
	pthread_mutex_unlock(&inst->lock);
}

/* ---- The tables --------------------------------------------------------------------------------------------- */

static const struct etl_store store = {
	.size = sizeof(struct etl_store),
	.describe = odbc_describe,
	.ping = odbc_ping,
	.digest = odbc_digest,
	.totals = odbc_totals,
};

static const struct etl_source source = {
	.size = sizeof(struct etl_source),
	.read = odbc_read,
	.pin = odbc_pin,
	.join = odbc_join,
	.stamp = odbc_stamp,
	.plan = odbc_plan,
	.watermark = odbc_watermark,
};

/* A column here has one type for all its values, so what may be anything comes as text; and a decimal has digits that are
 * known. */
int32_t odbc_takes(const struct etl_column *column)
{
	if (column->type == ETL_NUMERIC && column->plain)
		return column->plain;
	return column->type == ETL_ANY || column->type == ETL_TYPE_NONE ? ETL_TEXT : column->type;
}

static const struct etl_target target = {
	.size = sizeof(struct etl_target),
	.flags = ETL_RESUMABLE | ETL_ATOMIC_RUN | ETL_DDL | ETL_KEEPS_STATE | ETL_REFERENCES | ETL_APPENDS | ETL_MERGES |
		 ETL_ASKS_SOURCE | ETL_NAMED_DELETES,
	.begin = odbc_begin,
	.load = odbc_load,
	.commit = odbc_commit,
	.abort = odbc_abort,
	.staged = odbc_staged,
	.recall = odbc_recall,
	.takes = odbc_takes,
	.mark = odbc_mark,
	.since = odbc_since,
	.revert = odbc_revert,
	.place = odbc_place_of,
	.compares = odbc_compares,
	.form = odbc_form,
	.same = odbc_same,
	.validators = "( { plugin = \"counts\"; }, { plugin = \"totals\"; }, { plugin = \"checksum\"; sample = \"10%\"; } )",
};

static const struct etl_schema schema = {
	.size = sizeof(struct etl_schema),
	.design = odbc_design,
	.apply = odbc_apply,
	.repair = odbc_repair,
};

static const struct etl_plugin plugin = {
	.abi = ETL_ABI,
	.size = sizeof(struct etl_plugin),
	.option_size = sizeof(struct etl_option),
	.name = "odbc",
	.version = PACKAGE_VERSION,
	.summary = "SQL Server, Azure SQL and whatever else has an ODBC driver",
	.license = "MIT",
	.options = options,
	.open = open_instance,
	.close = close_instance,
	.cancel = cancel_instance,
	.store = &store,
	.source = &source,
	.target = &target,
	.schema = &schema,
};

ETL_PLUGIN(odbc, plugin)
