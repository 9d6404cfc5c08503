/*
 * The json plugin's descriptor: its options, how an instance is made of them, and which file of this folder does what.
 */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "infer.h"
#include "remote-options.h"
#include "target.h"

#define FROM ETL_OPT_PER_TABLE  /* a target goes the same way back */
#define TO (ETL_OPT_TARGET | ETL_OPT_PER_TABLE)

static const struct etl_option columns[] = {
	{ .name = "name", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_REQUIRED, .help = "The column." },
	{ .name = "path", .kind = ETL_OPT_LIST,
	  .help = "Where its value is, a path from the row (@.fields.status.name) or from the top of the file ($.timestamp), "
		  "a text with {name}s, or #index, #line, #file, #id; filters follow behind |. Of a list the first that "
		  "gives a value. Default: the member of the row that has the column's name." },
	{ .name = "type", .kind = ETL_OPT_TEXT, .help = "Its type. Default: chosen by all of its values." },
	{ .name = "default", .kind = ETL_OPT_TEXT, .help = "What stands for a value that is absent or null; a text with {name}s." },
	{ .name = "null_values", .kind = ETL_OPT_LIST, .help = "Texts that are no value; the next path, or the default, stands for them." },
	{ .name = "map", .kind = ETL_OPT_PAIRS, .help = "What a value becomes: pairs of a text or pattern (* and ?) and its new text; "
		  "the first that matches. Others stay." },
	{ .name = "not_null", .kind = ETL_OPT_FLAG, .default_text = "false", .help = "A row without a value is rejected." },
	{ .name = "write", .kind = ETL_OPT_CHOICE, .default_text = "auto", .choices = "auto|never|always",
	  .help = "Of a target: auto writes a column unless another says what stands at its place; always also where a column keeps "
		  "the whole object." },
	{ .name = NULL }
};
static const struct etl_option layouts[] = {
	{ .name = "rows", .kind = ETL_OPT_TEXT, .help = "Where the rows are in such a file." },
	{ .name = "shape", .kind = ETL_OPT_CHOICE, .choices = "auto|array|lines|object|members", .help = "As of the table." },
	{ .name = "only", .kind = ETL_OPT_CHOICE, .choices = "any|object|array|scalar", .help = "Default: as of the table." },
	{ .name = "columns", .kind = ETL_OPT_GROUPS, .members = columns, .help = "The columns that are elsewhere in it." },
	{ .name = NULL }
};
static const struct etl_option lets[] = {
	{ .name = "name", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_REQUIRED, .help = "What {name} then stands for." },
	{ .name = "file", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_REQUIRED,
	  .help = "The file; {name}s of the table's own files are filled in." },
	{ .name = "path", .kind = ETL_OPT_LIST, .flags = ETL_OPT_REQUIRED, .help = "Where the value is in it; the first that is there." },
	{ .name = "default", .kind = ETL_OPT_TEXT, .help = "When it is nowhere." },
	{ .name = NULL }
};
static const struct etl_option references[] = {
	{ .name = "columns", .kind = ETL_OPT_LIST, .flags = ETL_OPT_REQUIRED, .help = "The columns that refer." },
	{ .name = "table", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_REQUIRED, .help = "The table they refer to." },
	{ .name = "to", .kind = ETL_OPT_LIST, .help = "Its columns. Default: its key." },
	{ .name = "on_delete", .kind = ETL_OPT_CHOICE, .default_text = "no action",
	  .choices = "no action|restrict|cascade|set null", .help = "What a deleted parent does." },
	{ .name = NULL }
};

static const struct etl_option options[] = {
	{ .name = "path", .kind = ETL_OPT_PATH, .help = "The folder, or the file; - is standard input. Give this or uri." },
	{ .name = "uri", .kind = ETL_OPT_URI, .flags = ETL_OPT_LOCAL,
	  .help = "The same as a URI: \"json:profiles/\" is relative to the pipeline file. Or files at a server: https://..." },
	FILES_REMOTE_OPTIONS,
	{ .name = "on_broken", .kind = ETL_OPT_CHOICE, .flags = ETL_OPT_SOURCE, .default_text = "stop", .choices = "stop|skip",
	  .help = "A file that is cut short, empty or no JSON around its records: stop ends the run; skip leaves all of it out, as one "
		  "reject that names it." },
	{ .name = "duplicate_members", .kind = ETL_OPT_CHOICE, .flags = ETL_OPT_SOURCE, .default_text = "error",
	  .choices = "error|first|last", .help = "Two members of one name in one object: the record is rejected, or one of them counts." },
	{ .name = "lone_surrogates", .kind = ETL_OPT_CHOICE, .flags = ETL_OPT_SOURCE, .default_text = "error",
	  .choices = "error|replace", .help = "\\ud800 without its other half is no character: the row is rejected, or U+FFFD stands for it." },
	{ .name = "nul_characters", .kind = ETL_OPT_CHOICE, .flags = ETL_OPT_SOURCE, .default_text = "error",
	  .choices = "error|replace|keep", .help = "\\u0000 in a text, which few databases take." },
	{ .name = "nonfinite", .kind = ETL_OPT_CHOICE, .default_text = "error", .choices = "error|null|text",
	  .help = "NaN, Infinity and -Infinity, for which JSON has no number: the record that is read, or the row that is written, is "
		  "rejected, or null or their name stands for them." },
	{ .name = "byte_order_marks", .kind = ETL_OPT_CHOICE, .flags = ETL_OPT_SOURCE, .default_text = "error", .choices = "error|skip",
	  .help = "A byte order mark that is not the first thing of its file, as in files that were put one behind the other: what it stands "
		  "in is no JSON, or it counts as a blank." },
	{ .name = "utf16", .kind = ETL_OPT_CHOICE, .flags = ETL_OPT_SOURCE, .default_text = "error", .choices = "error|convert",
	  .help = "A file of UTF-16, told by its first bytes, is refused, or converted while it is read." },
	{ .name = "max_depth", .kind = ETL_OPT_INT, .flags = ETL_OPT_SOURCE, .default_text = "512", .min = 1, .max = 4096,
	  .help = "Arrays and objects in each other; a record with more is rejected." },
	{ .name = "backup", .kind = ETL_OPT_PATH, .flags = ETL_OPT_SOURCE,
	  .help = "A folder to which all files are copied before a run makes anything, whole or not at all; {time} in its last part is the "
		  "time of the run: \"backups/migration-{time}\"." },
	{ .name = "backups", .kind = ETL_OPT_INT, .flags = ETL_OPT_SOURCE, .default_text = "5", .min = 1, .max = 10000,
	  .help = "How many of such folders are kept, the newest." },
	{ .name = "indent", .kind = ETL_OPT_INT, .flags = ETL_OPT_TARGET, .default_text = "0", .min = 0, .max = 8,
	  .help = "Spaces for each level; 0: a record on each line. Lines are never set out." },
	{ .name = "files", .kind = ETL_OPT_TEXT, .flags = FROM,
	  .help = "Which files, below path (default: all): {name} is a part of the name that columns can have, * any characters but /, ** any "
		  "folders." },
	{ .name = "shape", .kind = ETL_OPT_CHOICE, .flags = FROM, .default_text = "auto", .choices = "auto|array|lines|object|members",
	  .help = "What a file is, when rows does not say: an array of rows, a row on each line, one row, an object whose members are rows." },
	{ .name = "rows", .kind = ETL_OPT_TEXT, .flags = FROM,
	  .help = "Where the rows are: $.issues[*]; {name} for each member of an object, whose name columns can have." },
	{ .name = "columns", .kind = ETL_OPT_GROUPS, .flags = FROM, .members = columns,
	  .help = "The columns. Default: what the rows have, by all of them; objects in them are flattened, arrays stay json." },
	{ .name = "null_values", .kind = ETL_OPT_LIST, .flags = FROM, .help = "Texts that are no value, of columns that say nothing else." },
	{ .name = "layouts", .kind = ETL_OPT_GROUPS, .flags = FROM, .members = layouts,
	  .help = "Other layouts of such files: the first is taken whose rows a file has, the table's own before these." },
	{ .name = "let", .kind = ETL_OPT_GROUPS, .flags = FROM, .members = lets,
	  .help = "Values of other files, for {name} in paths and templates." },
	{ .name = "key", .kind = ETL_OPT_LIST, .flags = FROM, .help = "The primary key." },
	{ .name = "duplicates", .kind = ETL_OPT_CHOICE, .flags = FROM, .default_text = "keep", .choices = "keep|first|last",
	  .help = "Rows with the same key: all come (and the target's key rejects them), or the first, or the last, files in the order of their names." },
	{ .name = "only", .kind = ETL_OPT_CHOICE, .flags = FROM, .default_text = "any", .choices = "any|object|array|scalar",
	  .help = "Rows of another kind are passed over, and counted as filtered." },
	{ .name = "except", .kind = ETL_OPT_PAIRS, .flags = FROM,
	  .help = "Pairs of a {name} and a text or pattern of it: such rows are passed over, and counted as filtered; a file of such a name is not "
		  "read." },
	{ .name = "nulls", .kind = ETL_OPT_CHOICE, .flags = TO, .default_text = "keep", .choices = "keep|omit",
	  .help = "A NULL is written as null, or its member is left out." },
	{ .name = "defaults", .kind = ETL_OPT_CHOICE, .flags = TO, .default_text = "keep", .choices = "keep|omit",
	  .help = "A value that is its column's default is written, or left out." },
	{ .name = "references", .kind = ETL_OPT_GROUPS, .flags = FROM, .members = references, .help = "Foreign keys, to tables of the pipeline or that the target has." },
	{ .name = NULL }
};

/* ---- Instances ------------------------------------------------------------------------------------------------ */

static void close_instance(struct etl_instance *inst)
{
	if (!inst)
		return;
	if (inst->found)
		json_inference_free(inst->found);
	free(inst->found);
	json_target_free(inst->target);
	files_free(inst->files);
	free(inst->path);
	free(inst);
}

static int odd_of(const char *word)
{
	return strcmp(word, "replace") == 0 ? JSON_ODD_REPLACE : strcmp(word, "keep") == 0 ? JSON_ODD_KEEP : JSON_ODD_REJECT;
}

static int nonfinite_of(const char *word)
{
	return strcmp(word, "null") == 0 ? JSON_NONFINITE_NULL :
	       strcmp(word, "text") == 0 ? JSON_NONFINITE_TEXT :
					   JSON_NONFINITE_ERROR;
}

static void read_policies(struct etl_instance *inst)
{
	const struct etl_host *host = inst->host;
	const char *duplicates = host->str(inst->conf, "duplicate_members");

	inst->limits.depth = (uint32_t)host->num(inst->conf, "max_depth");
	inst->limits.duplicates = strcmp(duplicates, "first") == 0 ? JSON_FIRST :
				  strcmp(duplicates, "last") == 0  ? JSON_LAST :
								     JSON_ERROR;
	inst->limits.nonfinite = inst->nonfinite;
	inst->texts.surrogates = odd_of(host->str(inst->conf, "lone_surrogates"));
	inst->texts.nuls = odd_of(host->str(inst->conf, "nul_characters"));
	inst->converts_utf16 = strcmp(host->str(inst->conf, "utf16"), "convert") == 0;
	inst->skip_marks = strcmp(host->str(inst->conf, "byte_order_marks"), "skip") == 0;
	inst->max_record = (size_t)host->max_row;
	inst->skip_broken = strcmp(host->str(inst->conf, "on_broken"), "skip") == 0;
}

static int open_instance(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
			 struct etl_error *err)
{
	struct etl_instance *inst = calloc(1, sizeof(*inst));
	int rc;

	if (!inst)
		return host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory for an instance");
	inst->host = host;
	inst->conf = conf;
	inst->nonfinite = nonfinite_of(host->str(conf, "nonfinite"));
	rc = files_of(host, conf, "json", &inst->files, &inst->path, err);
	if (!rc && host->role == ETL_ROLE_TARGET)
		rc = json_target_open(inst, err);
	if (rc) {
		close_instance(inst);
		return rc;
	}
	if (host->role == ETL_ROLE_SOURCE)
		read_policies(inst);
	*ret = inst;
	return ETL_OK;
}

/* ---- The tables -------------------------------------------------------------------------------------------------- */

static const struct etl_store store = {
	.size = sizeof(struct etl_store),
	.flags = ETL_DYNAMIC | ETL_FROM_SHAPES | ETL_FILES,
	.describe = json_describe,
	.ping = json_ping,
};

static const struct etl_source source = {
	.size = sizeof(struct etl_source),
	.read = json_read,
	.pin = files_view_pin,
	.join = files_view_join,
	.stamp = json_stamp,
	.plan = json_plan,
	.profile = json_profile,
	.propose = json_propose,
	.backup = json_backup,
};

static const struct etl_target target = {
	.size = sizeof(struct etl_target),
	.flags = ETL_IN_ORDER,
	.max_instances = 1,
	.begin = json_begin,
	.load = json_target_load,
	.seal = json_seal,
	.sealed = json_sealed,
	.commit = json_commit,
	.abort = json_abort,
};

static const struct etl_schema schema = {
	.size = sizeof(struct etl_schema),
	.design = json_design,
	.apply = json_apply,
};

static const struct etl_plugin plugin = {
	.abi = ETL_ABI,
	.size = sizeof(struct etl_plugin),
	.option_size = sizeof(struct etl_option),
	.name = "json",
	.version = PACKAGE_VERSION,
	.summary = "JSON files: a tree of them as tables, and tables as such a tree",
	.license = "MIT",
	.options = options,
	.open = open_instance,
	.close = close_instance,
	.store = &store,
	.source = &source,
	.target = &target,
	.schema = &schema,
};

ETL_PLUGIN(json, plugin)
