/*
 * The options of the command line, one table for all verbs: which of them take each, and what it sets.
 */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli-parts.h"
#include "log-line.h"
#include "log.h"

enum { MOST_SECONDS = 86400, MOST_LINES = 1000000 };

static int set_set(struct cli *cli, const char *value, struct etl_error *err)
{
	const char **sets;

	if (!strchr(value, '=') || value[0] == '=')
		return error_set(err, ETL_USAGE,
				 "--set %s: write --set KEY=VALUE, as in --set target.path=new.db",
				 value);
	sets = realloc(cli->sets, (cli->overlay.set_count + 1) * sizeof(*sets));
	if (!sets)
		return error_memory(err);
	sets[cli->overlay.set_count++] = value;
	cli->sets = sets;
	cli->overlay.sets = sets;
	return 0;
}

static int set_profile(struct cli *cli, const char *value, struct etl_error *err)
{
	if (!*value)
		return error_set(err, ETL_USAGE,
				 "--profile names no profile; write --profile NAME");
	cli->overlay.profile = value;
	return 0;
}

static int set_plugin_path(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)cli;
	if (!strchr(value, ':') && access(value, R_OK | X_OK) < 0)
		return error_set(err, ETL_USAGE, "--plugin-path %s: %s; name a folder of plugins", value,
				 strerror(errno));
	registry_add_path(value);
	return 0;
}

static int set_tables(struct cli *cli, const char *value, struct etl_error *err)
{
	if (!value[strspn(value, ",")])
		return error_set(err, ETL_USAGE, "--tables names no table; write --tables A,B");
	cli->run.tables = value;
	return 0;
}

static bool read_count(const char *value, int64_t *ret)
{
	char *end;

	errno = 0;
	*ret = strtoll(value, &end, 10);
	return !errno && !*end && end != value && *ret >= 1;
}

static int set_limit(struct cli *cli, const char *value, struct etl_error *err)
{
	if (!read_count(value, &cli->run.limit))
		return error_set(err, ETL_USAGE, "--limit %s: expected a number of rows, 1 or more",
				 value);
	return 0;
}

static int set_interval(struct cli *cli, const char *value, struct etl_error *err)
{
	if (!read_count(value, &cli->interval) || cli->interval > MOST_SECONDS)
		return error_set(err, ETL_USAGE, "--interval %s: expected a number of seconds, from 1 to %d", value,
				 MOST_SECONDS);
	return 0;
}

static int set_summary(struct cli *cli, const char *value, struct etl_error *err)
{
	const char *dot = strrchr(value, '.');

	if (!dot || (strcmp(dot, ".json") != 0 && strcmp(dot, ".csv") != 0))
		return error_set(err, ETL_USAGE,
				 "--summary %s: the file's name ends in .json or .csv", value);
	cli->summary = value;
	return 0;
}

static int set_output(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)err;
	/* As elsewhere, - is standard output, which is where it goes without. */
	cli->output = strcmp(value, "-") != 0 ? value : NULL;
	return 0;
}

static int set_format(struct cli *cli, const char *value, struct etl_error *err)
{
	if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
		return error_set(err, ETL_USAGE, "--format %s: expected text or json", value);
	cli->as_json = strcmp(value, "json") == 0;
	return 0;
}

static int set_level(struct cli *cli, const char *value, struct etl_error *err)
{
	cli->logs_level = log_level_of(value);
	if (cli->logs_level < 0)
		return error_set(err, ETL_USAGE, "--level %s: expected error, warn, info or debug", value);
	return 0;
}

static int set_table(struct cli *cli, const char *value, struct etl_error *err)
{
	if (!*value)
		return error_set(err, ETL_USAGE, "--table names no table; write --table T");
	cli->table = value;
	return 0;
}

static int set_take(struct cli *cli, const char *value, struct etl_error *err)
{
	if (strcmp(value, "source") != 0 && strcmp(value, "target") != 0)
		return error_set(err, ETL_USAGE, "--take %s: expected source or target", value);
	cli->take = value;
	return 0;
}

static int set_tail(struct cli *cli, const char *value, struct etl_error *err)
{
	cli->tail_all = strcmp(value, "all") == 0;
	if (!cli->tail_all && (!read_count(value, &cli->tail) || cli->tail > MOST_LINES))
		return error_set(err, ETL_USAGE, "--tail %s: expected a number of lines, from 1 to %d, or all", value,
				 MOST_LINES);
	return 0;
}

static int set_undo(struct cli *cli, const char *value, struct etl_error *err)
{
	if (!*value)
		return error_set(err, ETL_USAGE, "--undo names no file; write --undo FILE");
	cli->undo = value;
	return 0;
}

static int set_save(struct cli *cli, const char *value, struct etl_error *err)
{
	if (!*value)
		return error_set(err, ETL_USAGE, "--save names no file; write --save FILE");
	cli->save = value;
	return 0;
}

static int set_from(struct cli *cli, const char *value, struct etl_error *err)
{
	if (!*value)
		return error_set(err, ETL_USAGE, "--from names no file; write --from FILE");
	cli->run.from = value;
	return 0;
}

static int set_verbose(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->level = ETL_LOG_DEBUG;
	return 0;
}

static int set_quiet(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->level = ETL_LOG_ERROR;
	return 0;
}

static int set_log_format(struct cli *cli, const char *value, struct etl_error *err)
{
	if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
		return error_set(err, ETL_USAGE, "--log-format %s: expected text or json", value);
	cli->json = strcmp(value, "json") == 0;
	return 0;
}

#define FLAG(member) offsetof(struct cli, member)

const struct cli_option cli_options[] = {
	{ "tables", 0, false, CLI_TABLES, "A,B",
	  "only these tables, as they are called in the source (rejects list: in the target)",
	  set_tables, 0 },
	{ "limit", 0, false, CLI_LIMIT, "N", "at most N rows of each table", set_limit, 0 },
	{ "schema-only", 0, false, CLI_PARTS, NULL, "tables, keys and indexes, no rows", NULL, FLAG(run.schema_only) },
	{ "data-only", 0, false, CLI_PARTS, NULL, "rows into tables that are there", NULL, FLAG(run.data_only) },
	{ "dry-run", 0, false, CLI_DRY_RUN, NULL, "the same as plan, after connecting to both ends",
	  NULL, FLAG(dry_run) },
	{ "if-needed", 0, false, CLI_NEEDED, NULL, "nothing, when the target is there and current",
	  NULL, FLAG(if_needed) },
	{ "summary", 0, false, CLI_SUMMARY, "FILE", "the final report into FILE.json or FILE.csv",
	  set_summary, 0 },
	{ "output", 'o', false, CLI_OUTPUT, "FILE", "write there; -, and without: standard output", set_output, 0 },
	{ "man", 0, false, CLI_PLUGINS, NULL, "the plugin's manual page", NULL, FLAG(man) },
	{ "json", 0, false, CLI_JSON, NULL, "the lines as they are in the file", NULL, FLAG(json_lines) },
	{ "format", 0, false, CLI_DIFF | CLI_LOGS | CLI_RECORD | CLI_CONFLICTS, "FORMAT",
	  "text or json: a line for each difference or row, or of the log",
	  set_format, 0 },
	{ "follow", 0, false, CLI_LOGS, NULL, "and what comes; of a run that is named until it has ended", NULL, FLAG(follow) },
	{ "level", 0, false, CLI_LOGS, "LEVEL", "error, warn, info or debug: this and what is worse", set_level, 0 },
	{ "table", 0, false, CLI_LOGS | CLI_CONFLICTS, "T", "only lines that name this table, or rows of it", set_table, 0 },
	{ "take", 0, false, CLI_CONFLICTS, "END", "resolve: source or target, whose version it is to be", set_take, 0 },
	{ "all", 0, false, CLI_CONFLICTS, NULL, "resolve: every row that is parked", NULL, FLAG(all) },
	{ "tail", 0, false, CLI_LOGS, "N", "the last N lines (50), or all", set_tail, 0 },
	{ "sql", 0, false, CLI_DIFF, NULL, "the SQL that makes the target equal, and its undo", NULL, FLAG(sql) },
	{ "save", 0, false, CLI_DIFF, "FILE", "what differs goes there too, for `etlrun run --from FILE`", set_save, 0 },
	{ "from", 0, false, CLI_FROM, "FILE", "write only what `etlrun diff --save FILE` found", set_from, 0 },
	{ "undo", 0, false, CLI_DIFF, "FILE", "with --sql: the undo goes there", set_undo, 0 },
	{ "watch", 0, false, CLI_WATCH, NULL, "look again and again until the run has ended", NULL, FLAG(watch) },
	{ "interval", 0, false, CLI_WATCH, "N", "with --watch: every N seconds (10; on a terminal 1)", set_interval, 0 },
	{ "probe", 0, false, CLI_PLUGINS, NULL, "load each plugin in a process of its own", NULL, FLAG(probe) },
	{ "set", 0, true, CLI_FILE | CLI_URIS, "KEY=VALUE", "change a key of the pipeline file",
	  set_set, 0 },
	{ "profile", 0, false, CLI_FILE | CLI_URIS, "NAME", "lay the group profiles.NAME over the file",
	  set_profile, 0 },
	{ "yes", 0, false, CLI_FILE | CLI_URIS, NULL, "do destroy what --set on_existing says", NULL, FLAG(run.yes) },
	{ "plugin-path", 0, true, 0, "DIR", "look for plugins there first", set_plugin_path, 0 },
	{ "verbose", 'v', false, 0, NULL, "say more", set_verbose, 0 },
	{ "quiet", 'q', false, 0, NULL, "say only errors", set_quiet, 0 },
	{ "log-format", 0, false, 0, "FORMAT", "text or json", set_log_format, 0 },
	{ "no-progress", 0, false, 0, NULL, "no bars and no lines of progress", NULL, FLAG(no_progress) },
	{ NULL, 0, false, 0, NULL, NULL, NULL, 0 },
};
_Static_assert(sizeof(cli_options) / sizeof(cli_options[0]) <= CLI_MOST_OPTIONS, "more options than CLI_MOST_OPTIONS");
