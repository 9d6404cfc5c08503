/*
 * The sqlite plugin's descriptor: its options, how an instance is made of them, and which file of this
 * folder does what. Nothing is opened here; the first call that needs the database does that.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "keep.h"
#include "sqlite.h"
#include "uri.h"

#define SCHEME "sqlite:"

static const struct etl_option options[] = {
	{ .name = "path", .kind = ETL_OPT_PATH, .help = "The database file. Give this or uri." },
	{ .name = "uri",
	  .kind = ETL_OPT_URI,
	  .flags = ETL_OPT_LOCAL,
	  .help = "The database file as a URI: \"sqlite:shop.db\" is relative to the pipeline file "
		  "(with copy and "
		  "discover to the current folder), \"sqlite:///srv/shop.db\" is absolute; %20 and "
		  "the like are "
		  "decoded." },
	{ .name = "busy_timeout",
	  .kind = ETL_OPT_DURATION,
	  .default_text = "5s",
	  .help = "How long to wait for a lock that another process holds." },
	{ .name = "immutable",
	  .kind = ETL_OPT_FLAG,
	  .flags = ETL_OPT_SOURCE,
	  .default_text = "false",
	  .help = "Nobody writes to the file while it is read, so no locks are taken: for files on "
		  "read-only "
		  "media. Wrong results when somebody does write." },
	{ .name = "integrity_check",
	  .kind = ETL_OPT_FLAG,
	  .flags = ETL_OPT_TARGET,
	  .default_text = "false",
	  .help = "Run PRAGMA integrity_check on the new file before it is published. It reads "
		  "everything "
		  "again and may take longer than the load." },
	{ .name = "backup",
	  .kind = ETL_OPT_FLAG,
	  .flags = ETL_OPT_TARGET,
	  .default_text = "false",
	  .help = "Keep the file that is replaced as NAME.RUN.bak beside it, the newest five: as "
		  "keep_old = 5 of the pipeline, which may be more." },
	{ .name = "page_size",
	  .kind = ETL_OPT_SIZE,
	  .flags = ETL_OPT_TARGET,
	  .help = "The page size of a new file, a power of two from 512 to 65536. Default: as the "
		  "source, "
		  "else 4096." },
	{ .name = "journal_mode",
	  .kind = ETL_OPT_CHOICE,
	  .flags = ETL_OPT_TARGET,
	  .default_text = "keep",
	  .choices = "keep|delete|wal",
	  .help = "The journal mode of the published file; keep: that of the file it replaces, "
		  "else the "
		  "source's, else delete." },
	{ .name = "user_version",
	  .kind = ETL_OPT_INT,
	  .flags = ETL_OPT_TARGET,
	  .min = 1,
	  .max = INT32_MAX,
	  .help = "PRAGMA user_version of the published file, which says which version of its program it is for. With it "
		  "`etlrun run --if-needed` does nothing when the file that is there has this version, whoever made it; a "
		  "file with a higher one is never touched." },
	{ .name = "cache",
	  .kind = ETL_OPT_SIZE,
	  .help = "Memory for SQLite's page cache. Default: a share of memory_limit." },
	{ .name = "pages",
	  .kind = ETL_OPT_FLAG,
	  .flags = ETL_OPT_TARGET,
	  .default_text = "true",
	  .help = "A new file's tables and indexes are written as finished pages where that gives what SQLite would write, "
		  "which takes a fraction of the time; false: everything goes through SQLite, row by row." },
	{ .name = "fire_triggers",
	  .kind = ETL_OPT_FLAG,
	  .flags = ETL_OPT_TARGET,
	  .default_text = "true",
	  .help = "append and merge: the triggers of the target's tables fire for the rows that are "
		  "written, as for any writer." },
	{ .name = "schema_file",
	  .kind = ETL_OPT_PATH,
	  .flags = ETL_OPT_TARGET,
	  .help = "DDL of the target's own: a new database is made as it says, with all its tables, "
		  "indexes, views and triggers, and rows of tables of those names come in their "
		  "shape." },
	{ .name = NULL }
};

/* ---- Where the file is -------------------------------------------------------------------------------- */

/* The path in a URI, or NULL with WHY said. "sqlite:a.db", "sqlite:/a.db", "sqlite:///a.db". */
static char *uri_path(const char *uri, const char **why)
{
	struct etl_text path = { 0 };
	const char *at = uri;

	*why = NULL;
	if (strncmp(at, SCHEME, strlen(SCHEME)) == 0)
		at += strlen(SCHEME);
	else
		*why = "does not begin with sqlite: as \"sqlite:shop.db\" does; a plain file name "
		       "is written as path";
	if (strncmp(at, "//", 2) == 0) {
		at += 2;
		if (strncmp(at, "localhost/", 10) == 0)
			at += 9;
		if (*at != '/' && !*why)
			*why = "names a host; a file is \"sqlite:shop.db\" or "
			       "\"sqlite:///srv/shop.db\"";
	}
	if (!*why && strchr(at, '#'))
		*why = "has a #, which would begin a fragment; write %23 for a # in the name";
	if (!*why && !etl_uri_decode(&path, at, strcspn(at, "?")))
		*why = "has a % that is not followed by two hexadecimal digits of a character";
	if (!*why && path.length == 0 && !path.failed)
		*why = "names no file";
	if (!*why)
		return etl_text_take(&path);
	etl_text_free(&path);
	return NULL;
}

static char *absolute(char *path)
{
	struct etl_text text = { 0 };
	char folder[PATH_MAX];

	if (!path || *path == '/')
		return path;
	if (getcwd(folder, sizeof(folder))) {
		etl_text_addf(&text, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, path);
	} else {
		text.failed = true;
	}
	free(path);
	return etl_text_take(&text);
}

static int find_path(const struct etl_host *host, const struct etl_conf *conf, char **ret,
		     struct etl_error *err)
{
	const char *path = host->str(conf, "path"), *uri = host->str(conf, "uri"), *why = NULL;
	char *copy;

	if (!path == !uri)
		return host->fail(err, ETL_USAGE, NULL, 0,
				  path ? "sqlite: path and uri both name a file; give one of them" :
					 "sqlite: no file is named; give path = \"shop.db\"");
	if (strcmp(path ? path : uri, path ? ":memory:" : SCHEME ":memory:") == 0)
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "sqlite: a database in memory has nothing to move; give a file");
	copy = absolute(path ? strdup(path) : uri_path(uri, &why));
	if (why)
		return host->fail(err, ETL_USAGE, NULL, 0, "sqlite: the uri \"%s\" %s", uri, why);
	if (copy && uri && etl_uri_check_query(host, conf, "sqlite", uri, err) != ETL_OK) {
		free(copy);
		return ETL_FAILED;
	}
	if (!copy)
		return host->fail(err, ETL_MEMORY, NULL, 0, "sqlite: no memory for the path");
	*ret = copy;
	return ETL_OK;
}

static int check_page_size(const struct etl_host *host, const struct etl_conf *conf,
			   struct etl_error *err)
{
	int64_t size = host->given(conf, "page_size") ? host->num(conf, "page_size") : 4096;

	if (size >= 512 && size <= 65536 && (size & (size - 1)) == 0)
		return ETL_OK;
	return host->fail(err, ETL_USAGE, NULL, 0,
			  "sqlite: page_size is %lld; it must be a power of two from 512 to 65536",
			  (long long)size);
}

/* ---- Instances ------------------------------------------------------------------------------------------ */

static void close_instance(struct etl_instance *inst)
{
	if (!inst)
		return;
	sqlite_stage_close(inst);
	sqlite_disconnect(inst);
	sqlite3_close(inst->values);
	sqlite_close(inst, inst->given);
	free(inst->given_settings);
	pthread_mutex_destroy(&inst->lock);
	free(inst->path);
	free(inst);
}

static int open_instance(const struct etl_host *host, const struct etl_conf *conf,
			 struct etl_instance **ret, struct etl_error *err)
{
	struct etl_instance *inst;
	char *path = NULL;
	int rc = find_path(host, conf, &path, err);

	if (!rc && host->role == ETL_ROLE_TARGET)
		rc = check_page_size(host, conf, err);
	if (rc) {
		free(path);
		return rc;
	}
	inst = calloc(1, sizeof(*inst));
	if (!inst || pthread_mutex_init(&inst->lock, NULL) != 0) {
		free(inst);
		free(path);
		return host->fail(err, ETL_MEMORY, NULL, 0, "sqlite: no memory for an instance");
	}
	inst->host = host;
	inst->conf = conf;
	inst->path = path;
	*ret = inst;
	return ETL_OK;
}

/* From any thread: the lock keeps a connection from being closed meanwhile. */
static void cancel_instance(struct etl_instance *inst)
{
	size_t i;

	pthread_mutex_lock(&inst->lock);
	for (i = 0; i < SQLITE_LIVE; i++) {
		if (inst->live[i])
			sqlite3_interrupt(inst->live[i]);
	}
	pthread_mutex_unlock(&inst->lock);
}

void sqlite_enlist(struct etl_instance *inst, sqlite3 *db)
{
	size_t i;

	pthread_mutex_lock(&inst->lock);
	for (i = 0; i < SQLITE_LIVE; i++) {
		if (!inst->live[i]) {
			inst->live[i] = db;
			break;
		}
	}
	pthread_mutex_unlock(&inst->lock);
}

int sqlite_close(struct etl_instance *inst, sqlite3 *db)
{
	size_t i;

	pthread_mutex_lock(&inst->lock);
	for (i = 0; db && i < SQLITE_LIVE; i++) {
		if (inst->live[i] == db)
			inst->live[i] = NULL;
	}
	pthread_mutex_unlock(&inst->lock);
	return sqlite3_close(db);
}

/* SQLite's INTEGER has 64 bits and its REAL is a double, whatever they are called. */
static int32_t takes(const struct etl_column *column)
{
	switch (column->type) {
	case ETL_INT16:
	case ETL_INT32:
		return ETL_INT64;
	case ETL_FLOAT32:
		return ETL_FLOAT64;
	default:
		return column->type;
	}
}

/* ---- The tables ----------------------------------------------------------------------------------------- */

static const struct etl_store store = {
	.size = sizeof(struct etl_store),
	.flags = ETL_DYNAMIC | ETL_UNENFORCED_KEYS,
	.describe = sqlite_describe,
	.ping = sqlite_ping,
};

static const struct etl_source source = {
	.size = sizeof(struct etl_source),
	.read = sqlite_read,
	.pin = sqlite_pin,
	.join = sqlite_join,
	.stamp = sqlite_stamp,
	.watermark = sqlite_watermark,
	.plan = sqlite_plan,
	.profile = sqlite_profile,
	.profile_split = sqlite_profile_split,
};

static const struct etl_target target = {
	.size = sizeof(struct etl_target),
	.flags = ETL_RESUMABLE | ETL_ATOMIC_RUN | ETL_DDL | ETL_IN_ORDER | ETL_KEEPS_STATE |
		 ETL_COPY_BESIDE | ETL_APPENDS | ETL_MERGES | ETL_REFERENCES | ETL_NAMED_DELETES | ETL_BATCHES,
	.max_instances = 1,
	.begin = sqlite_begin,
	.load = sqlite_load,
	.commit = sqlite_commit,
	.abort = sqlite_abort,
	.staged = sqlite_staged,
	.recall = sqlite_recall,
	.takes = takes,
	.revert = sqlite_revert,
	.mark = sqlite_mark,
	.since = sqlite_since,
	.seal = sqlite_seal,
	.sealed = sqlite_sealed,
	.version = sqlite_version,
	.keep = sqlite_keep,
	.kept = sqlite_kept,
};

static const struct etl_schema schema = {
	.size = sizeof(struct etl_schema),
	.design = sqlite_design,
	.apply = sqlite_apply,
	.repair = sqlite_repair,
	.given = sqlite_given,
};

static const struct etl_plugin plugin = {
	.abi = ETL_ABI,
	.size = sizeof(struct etl_plugin),
	.option_size = sizeof(struct etl_option),
	.name = "sqlite",
	.version = PACKAGE_VERSION,
	.summary = "SQLite database files, as source and as target",
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

ETL_PLUGIN(sqlite, plugin)
