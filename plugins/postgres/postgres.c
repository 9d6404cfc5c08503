/*
 * The postgres plugin's descriptor: its options, and how an instance is made of them. Nothing is opened here; the
 * first call that needs the server does that (connect.c).
 */
#include "config.h"

#include <stdlib.h>

#include "digest.h"
#include "into.h"
#include "keep.h"
#include "stage.h"

static const struct etl_option options[] = {
	{ .name = "uri",
	  .kind = ETL_OPT_URI,
	  .help = "The server and database as libpq reads them: "
		  "\"postgres://loader@db.example.com/shop\". "
		  "What follows, each beside it or instead of it, wins over the same part of the "
		  "uri." },
	{ .name = "host",
	  .kind = ETL_OPT_TEXT,
	  .help = "The server's name, or the folder of its Unix socket." },
	{ .name = "hostaddr",
	  .kind = ETL_OPT_TEXT,
	  .help = "The server's address, so that no name is looked up." },
	{ .name = "port",
	  .kind = ETL_OPT_TEXT,
	  .help = "The server's port, 5432 when nobody says another." },
	{ .name = "database",
	  .kind = ETL_OPT_TEXT,
	  .help = "The database's name; default: the user's name." },
	{ .name = "user",
	  .kind = ETL_OPT_TEXT,
	  .help = "The role; default: the name of who runs etlrun." },
	{ .name = "password",
	  .kind = ETL_OPT_SECRET,
	  .help = "The role's password. Better \"${env:...}\", \"${file:...}\", \"${exec:...}\" or a "
		  "passfile than the "
		  "word itself." },
	{ .name = "service",
	  .kind = ETL_OPT_TEXT,
	  .help = "A service of libpq's service file (pg_service.conf), which holds the rest." },
	{ .name = "passfile",
	  .kind = ETL_OPT_PATH,
	  .help = "A file of passwords as ~/.pgpass is one, which is the default." },
	{ .name = "sslmode",
	  .kind = ETL_OPT_CHOICE,
	  .choices = "disable|allow|prefer|require|verify-ca|verify-full",
	  .help = "Whether the connection is encrypted, and how far the server must prove who it "
		  "is. Default: "
		  "libpq's, prefer." },
	{ .name = "sslrootcert",
	  .kind = ETL_OPT_PATH,
	  .help = "The certificate of the authority that the server's must be signed by." },
	{ .name = "sslcert", .kind = ETL_OPT_PATH, .help = "A certificate to show to the server." },
	{ .name = "sslkey", .kind = ETL_OPT_PATH, .help = "Its private key." },
	{ .name = "sslpassword", .kind = ETL_OPT_SECRET, .help = "The private key's password." },
	{ .name = "sslcrl",
	  .kind = ETL_OPT_PATH,
	  .help = "A list of certificates that are no longer good." },
	{ .name = "channel_binding",
	  .kind = ETL_OPT_CHOICE,
	  .choices = "disable|prefer|require",
	  .help = "Whether the password is only told to the server whose certificate was seen. "
		  "Default: prefer." },
	{ .name = "krbsrvname", .kind = ETL_OPT_TEXT, .help = "The Kerberos service name." },
	{ .name = "gssencmode",
	  .kind = ETL_OPT_CHOICE,
	  .choices = "disable|prefer|require",
	  .help = "Whether the connection is encrypted by GSSAPI. Default: libpq's, prefer." },
	{ .name = "target_session_attrs",
	  .kind = ETL_OPT_CHOICE,
	  .choices = "any|read-write|read-only|primary|standby|prefer-standby",
	  .help = "Which of several hosts will do. Default: any." },
	{ .name = "connect_timeout",
	  .kind = ETL_OPT_TEXT,
	  .help = "Seconds to wait for a connection; 0: for ever. Default: 15." },
	{ .name = "keepalives",
	  .kind = ETL_OPT_TEXT,
	  .help = "0: the system does not look after a silent connection. Default: 1." },
	{ .name = "keepalives_idle",
	  .kind = ETL_OPT_TEXT,
	  .help = "Seconds of silence after which it asks whether the server is there. Default: "
		  "30." },
	{ .name = "keepalives_interval",
	  .kind = ETL_OPT_TEXT,
	  .help = "Seconds after which it asks again. Default: 10." },
	{ .name = "keepalives_count",
	  .kind = ETL_OPT_TEXT,
	  .help = "How often it asks before the connection counts as lost; on Linux only where "
		  "tcp_user_timeout is 0. Default: 3." },
	{ .name = "tcp_user_timeout",
	  .kind = ETL_OPT_TEXT,
	  .help = "Milliseconds after which what was sent and not received makes the connection "
		  "count as lost. "
		  "Default: 300000." },
	{ .name = "statement_timeout",
	  .kind = ETL_OPT_DURATION,
	  .default_text = "0",
	  .help = "The longest that one statement may take; 0: any time, whatever is set for the "
		  "role or database." },
	{ .name = "lock_timeout",
	  .kind = ETL_OPT_DURATION,
	  .flags = ETL_OPT_SOURCE,
	  .default_text = "0",
	  .help = "The longest that one statement may wait for a lock; 0: any time, whatever is set "
		  "for the role or database." },
	{ .name = "connections",
	  .kind = ETL_OPT_INT,
	  .min = 0,
	  .max = 1000,
	  .help = "The most connections of this run to the server on this side; 0: as many as "
		  "the run has use for. "
		  "Fewer workers are at work when there are fewer. Default: 0, and 4 at a pooler "
		  "of Supabase." },
	{ .name = "options",
	  .kind = ETL_OPT_TEXT,
	  .help = "Command-line options for the server's session, \"-c name=value\"; not through a "
		  "pooler." },
	{ .name = "application_name",
	  .kind = ETL_OPT_TEXT,
	  .help = "What the server's views call this session. Default: etlrun." },
	{ .name = "schema",
	  .kind = ETL_OPT_TEXT,
	  .help = "As a source: only what is in this schema, default all but the server's own. As "
		  "a target: where the "
		  "tables go, default that of the source's table, else public; it is made when it "
		  "is missing." },
	{ .name = "schema_file",
	  .kind = ETL_OPT_PATH,
	  .flags = ETL_OPT_TARGET,
	  .help = "DDL of the target's own: the tables that it makes, by unqualified names, are made as it "
		  "says, and rows of tables of those names come in their shape." },
	{ .name = "lock_timeout",
	  .kind = ETL_OPT_DURATION,
	  .flags = ETL_OPT_TARGET,
	  .default_text = "10s",
	  .help = "How long to wait for tables that are in use when the run is published or taken back; 0 "
		  "waits for ever. What comes before waits only for the run's own sessions." },
	{ .name = NULL }
};

/* ---- Instances ------------------------------------------------------------------------------------------ */

static void close_instance(struct etl_instance *inst)
{
	if (!inst)
		return;
	postgres_disconnect(inst);
	stage_free(inst);
	pthread_mutex_destroy(&inst->lock);
	free(inst);
}

static int open_instance(const struct etl_host *host, const struct etl_conf *conf,
			 struct etl_instance **ret, struct etl_error *err)
{
	struct postgres_conninfo info;
	struct etl_instance *inst;
	int rc = postgres_conninfo(host, conf, &info, err);

	if (rc < 0)
		return rc;
	postgres_conninfo_free(&info);
	inst = calloc(1, sizeof(*inst));
	if (!inst || pthread_mutex_init(&inst->lock, NULL) != 0) {
		free(inst);
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for an instance");
	}
	inst->host = host;
	inst->conf = conf;
	*ret = inst;
	return ETL_OK;
}

/* From any thread: the server ends the statement under way. */
static void cancel_instance(struct etl_instance *inst)
{
	char said[256];

	pthread_mutex_lock(&inst->lock);
	if (inst->cancel)
		PQcancel(inst->cancel, said, sizeof(said));
	pthread_mutex_unlock(&inst->lock);
}

/* ---- The tables ----------------------------------------------------------------------------------------- */

static const struct etl_store store = {
	.size = sizeof(struct etl_store),
	.describe = postgres_describe,
	.ping = postgres_ping,
	.digest = postgres_digest,
	.totals = postgres_totals,
	.hashes = postgres_hashes,
	.digests = postgres_digests,
	.bounds = postgres_bounds,
};

static const struct etl_source source = {
	.size = sizeof(struct etl_source),
	.read = postgres_read,
	.pin = postgres_pin,
	.join = postgres_join,
	.stamp = postgres_stamp,
	.plan = postgres_plan,
	.watermark = postgres_watermark,
};

static const struct etl_target target = {
	.size = sizeof(struct etl_target),
	.flags = ETL_RESUMABLE | ETL_ATOMIC_RUN | ETL_DDL | ETL_KEEPS_STATE | ETL_REFERENCES |
		 ETL_APPENDS | ETL_MERGES | ETL_NAMED_DELETES | ETL_BATCHES,
	.begin = postgres_begin,
	.load = postgres_load,
	.commit = postgres_commit,
	.abort = postgres_abort,
	.staged = postgres_staged,
	.recall = postgres_recall,
	.takes = postgres_takes,
	.respells = postgres_respells,
	.mark = postgres_mark,
	.since = postgres_since,
	.seal = postgres_seal,
	.sealed = postgres_sealed,
	.revert = postgres_revert,
	.place = postgres_place,
	.keep = postgres_keep,
	.kept = postgres_kept,
};

static const struct etl_schema schema = {
	.size = sizeof(struct etl_schema),
	.design = postgres_design,
	.apply = postgres_apply,
	.given = postgres_given,
	.repair = postgres_repair,
};

static const struct etl_plugin plugin = {
	.abi = ETL_ABI,
	.size = sizeof(struct etl_plugin),
	.option_size = sizeof(struct etl_option),
	.name = "postgres",
	.version = PACKAGE_VERSION,
	.summary = "PostgreSQL and what speaks like it (Supabase), as source and as target",
	.license = "MIT",
	.schemes = "postgresql",
	.options = options,
	.open = open_instance,
	.close = close_instance,
	.cancel = cancel_instance,
	.store = &store,
	.source = &source,
	.target = &target,
	.schema = &schema,
};

ETL_PLUGIN(postgres, plugin)
