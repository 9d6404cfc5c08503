/*
 * The csv plugin's descriptor: its options, and how an instance is made of them. format.c reads the options of a file's form,
 * scan.c its records, target.c writes.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "remote-options.h"

#define STORE (ETL_OPT_PER_STORE | ETL_OPT_PER_TABLE)
#define FROM  (ETL_OPT_SOURCE | ETL_OPT_PER_TABLE)

static const struct etl_option columns[] = {
	{ .name = "name", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_REQUIRED, .help = "The column, as the header or the pattern calls it." },
	{ .name = "type", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_REQUIRED,
	  .help = "Its type; a value that does not go into it exactly is a reject. Bytes are hexadecimal digits." },
	{ .name = "format", .kind = ETL_OPT_TEXT,
	  .help = "How a date or time is written, when it is not ISO 8601: %Y %y %m %d %H %M %S %f %z, \"%d.%m.%Y\"." },
	{ .name = NULL }
};

static const struct etl_option options[] = {
	{ .name = "path", .kind = ETL_OPT_PATH,
	  .help = "A folder, or a file; - is standard input or output. Give this or uri." },
	{ .name = "uri", .kind = ETL_OPT_URI, .flags = ETL_OPT_LOCAL,
	  .help = "The same as a URI: \"csv:in/\" is relative to the pipeline file, \"csv:///srv/in\" is absolute. Or files at a server: "
		  "https://..." },
	FILES_REMOTE_OPTIONS,
	{ .name = "separator", .kind = ETL_OPT_TEXT, .flags = STORE, .default_text = ",",
	  .help = "What stands between fields: one ASCII character, or \"tab\". Default: a comma, and a tab in files that end in .tsv." },
	{ .name = "quote", .kind = ETL_OPT_TEXT, .flags = STORE, .default_text = "\"",
	  .help = "What stands around a field that has a separator, a quote or a line end in it; \"\": nothing does." },
	{ .name = "header", .kind = ETL_OPT_FLAG, .flags = STORE, .default_text = "true",
	  .help = "The first line names the columns." },
	{ .name = "encoding", .kind = ETL_OPT_CHOICE, .flags = STORE | ETL_OPT_SOURCE, .default_text = "utf-8",
	  .choices = "utf-8|latin1|windows-1252|utf-16|utf-16le|utf-16be", .help = "How characters are written." },
	{ .name = "null", .kind = ETL_OPT_TEXT, .flags = STORE, .default_text = "",
	  .help = "What stands for NULL where it is not quoted: by default nothing, and an empty text is \"\" in quotes." },
	{ .name = "comment", .kind = ETL_OPT_TEXT, .flags = STORE | ETL_OPT_SOURCE,
	  .help = "Lines that begin with this character are passed over." },
	{ .name = "trim", .kind = ETL_OPT_FLAG, .flags = STORE | ETL_OPT_SOURCE, .default_text = "false",
	  .help = "Blanks around a field are no part of it." },
	{ .name = "decimal", .kind = ETL_OPT_CHOICE, .flags = STORE | ETL_OPT_SOURCE, .default_text = "point", .choices = "point|comma",
	  .help = "What stands before the decimals of a number." },
	{ .name = "names", .kind = ETL_OPT_LIST, .flags = STORE | ETL_OPT_SOURCE,
	  .help = "The names of the columns, instead of those of the header. Without both they are column_1, column_2 and so on." },
	{ .name = "infer", .kind = ETL_OPT_FLAG, .flags = STORE | ETL_OPT_SOURCE, .default_text = "true",
	  .help = "Types that columns does not say are chosen by all values of all files, which are read once more for it; false: they "
		  "are text." },
	{ .name = "files", .kind = ETL_OPT_TEXT, .flags = FROM,
	  .help = "Which files, below path, are the table: {name} is a part of the name that becomes a column, * any characters but /, "
		  "** any folders. Default: the file whose name is the table's." },
	{ .name = "columns", .kind = ETL_OPT_GROUPS, .flags = FROM, .members = columns, .help = "Types of columns." },
	{ .name = "line_end", .kind = ETL_OPT_CHOICE, .flags = STORE | ETL_OPT_TARGET, .default_text = "lf", .choices = "lf|crlf",
	  .help = "What ends a line." },
	{ .name = "compress", .kind = ETL_OPT_CHOICE, .flags = ETL_OPT_PER_STORE | ETL_OPT_TARGET, .default_text = "none",
	  .choices = "none|gz|zst", .help = "TABLE.csv.gz or TABLE.csv.zst instead of TABLE.csv." },
	{ .name = "file", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_TARGET | ETL_OPT_PER_TABLE,
	  .help = "The table's file, below path; compressed when it ends in .gz or .zst. Default: TABLE.csv." },
	{ .name = NULL }
};

/* ---- Instances ---------------------------------------------------------------------------------------------------------- */

static void close_instance(struct etl_instance *inst)
{
	if (!inst)
		return;
	files_free(inst->files);
	free(inst->root);
	free(inst);
}

/* What is wrong with the options of the plugin's own group is found before anything is read. */
static int check_format(const struct etl_instance *inst, struct etl_error *err)
{
	struct csv_format format;

	return csv_format_of(inst, NULL, &format, err);
}

static int open_instance(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
			 struct etl_error *err)
{
	struct etl_instance *inst = calloc(1, sizeof(*inst));
	int rc;

	if (!inst)
		return host->fail(err, ETL_MEMORY, NULL, 0, "csv: no memory for an instance");
	inst->host = host;
	inst->conf = conf;
	rc = files_of(host, conf, "csv", &inst->files, &inst->root, err);
	if (!rc)
		rc = check_format(inst, err);
	if (rc)
		close_instance(inst);
	else
		*ret = inst;
	return rc;
}

static int ping(struct etl_instance *inst, struct etl_fact_sink *sink, struct etl_error *err)
{
	(void)err;
	return files_view_ping(inst->files, inst->host->role, "file", inst->root, sink);
}

static int stamp(struct etl_instance *inst, struct etl_token *ret, struct etl_error *err)
{
	(void)err;
	files_stamp(inst->files, ret);
	return ETL_OK;
}

/* ---- The tables --------------------------------------------------------------------------------------------------------------- */

static const struct etl_store store = {
	.size = sizeof(struct etl_store),
	.flags = ETL_FROM_SHAPES | ETL_FILES,
	.describe = csv_describe,
	.ping = ping,
};

static const struct etl_source source = {
	.size = sizeof(struct etl_source),
	.read = csv_read,
	.pin = files_view_pin,
	.join = files_view_join,
	.stamp = stamp,
	.plan = csv_plan,
};

/* One instance, which writes the rows in their order. */
static const struct etl_target target = {
	.size = sizeof(struct etl_target),
	.flags = ETL_IN_ORDER,
	.max_instances = 1,
	.begin = csv_begin,
	.load = csv_load,
	.staged = csv_staged,
	.seal = csv_seal,
	.sealed = csv_sealed,
	.commit = csv_commit,
	.abort = csv_abort,
};

static const struct etl_plugin plugin = {
	.abi = ETL_ABI,
	.size = sizeof(struct etl_plugin),
	.option_size = sizeof(struct etl_option),
	.name = "csv",
	.version = PACKAGE_VERSION,
	.summary = "CSV files: a file or a folder of them as tables",
	.license = "MIT",
	.options = options,
	.open = open_instance,
	.close = close_instance,
	.store = &store,
	.source = &source,
	.target = &target,
};

ETL_PLUGIN(csv, plugin)
