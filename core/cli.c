/*
 * The command line: one table of options for all verbs, each of which says which of them it takes.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "log-line.h"
#include "log.h"
#include "secret.h"

enum { MOST_SECONDS = 86400, MOST_LINES = 1000000 };

struct option {
	const char *name;     /* without the dashes */
	char letter;	      /* or 0 */
	uint32_t takes;	      /* the verbs that take it: enum cli_takes; 0: all */
	const char *argument; /* NULL: none */
	const char *help;
	int (*set)(struct cli *, const char *value, struct etl_error *);
};

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

static int set_watch(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->watch = true;
	return 0;
}

static int set_interval(struct cli *cli, const char *value, struct etl_error *err)
{
	if (!read_count(value, &cli->interval) || cli->interval > MOST_SECONDS)
		return error_set(err, ETL_USAGE, "--interval %s: expected a number of seconds, from 1 to %d", value,
				 MOST_SECONDS);
	return 0;
}

static int set_schema_only(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->run.schema_only = true;
	return 0;
}

static int set_data_only(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->run.data_only = true;
	return 0;
}

static int set_dry_run(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->dry_run = true;
	return 0;
}

static int set_if_needed(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->if_needed = true;
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

static int set_man(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->man = true;
	return 0;
}

static int set_json(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->json_lines = true;
	return 0;
}

static int set_format(struct cli *cli, const char *value, struct etl_error *err)
{
	if (strcmp(value, "text") != 0 && strcmp(value, "json") != 0)
		return error_set(err, ETL_USAGE, "--format %s: expected text or json", value);
	cli->as_json = strcmp(value, "json") == 0;
	return 0;
}

static int set_follow(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->follow = true;
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

static int set_all(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->all = true;
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

static int set_sql(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->sql = true;
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

static int set_probe(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->probe = true;
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

static int set_no_progress(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->no_progress = true;
	return 0;
}

static int set_yes(struct cli *cli, const char *value, struct etl_error *err)
{
	(void)value;
	(void)err;
	cli->run.yes = true;
	return 0;
}

static const struct option options[] = {
	{ "tables", 0, CLI_TABLES, "A,B",
	  "only these tables, as they are called in the source (rejects list: in the target)",
	  set_tables },
	{ "limit", 0, CLI_LIMIT, "N", "at most N rows of each table", set_limit },
	{ "schema-only", 0, CLI_PARTS, NULL, "tables, keys and indexes, no rows", set_schema_only },
	{ "data-only", 0, CLI_PARTS, NULL, "rows into tables that are there", set_data_only },
	{ "dry-run", 0, CLI_DRY_RUN, NULL, "the same as plan, after connecting to both ends",
	  set_dry_run },
	{ "if-needed", 0, CLI_NEEDED, NULL, "nothing, when the target is there and current",
	  set_if_needed },
	{ "summary", 0, CLI_SUMMARY, "FILE", "the final report into FILE.json or FILE.csv",
	  set_summary },
	{ "output", 'o', CLI_OUTPUT, "FILE", "write there; -, and without: standard output", set_output },
	{ "man", 0, CLI_PLUGINS, NULL, "the plugin's manual page", set_man },
	{ "json", 0, CLI_JSON, NULL, "the lines as they are in the file", set_json },
	{ "format", 0, CLI_DIFF | CLI_LOGS | CLI_RECORD | CLI_CONFLICTS, "FORMAT",
	  "text or json: a line for each difference or row, or of the log",
	  set_format },
	{ "follow", 0, CLI_LOGS, NULL, "and what comes; of a run that is named until it has ended", set_follow },
	{ "level", 0, CLI_LOGS, "LEVEL", "error, warn, info or debug: this and what is worse", set_level },
	{ "table", 0, CLI_LOGS | CLI_CONFLICTS, "T", "only lines that name this table, or rows of it", set_table },
	{ "take", 0, CLI_CONFLICTS, "END", "resolve: source or target, whose version it is to be", set_take },
	{ "all", 0, CLI_CONFLICTS, NULL, "resolve: every row that is parked", set_all },
	{ "tail", 0, CLI_LOGS, "N", "the last N lines (50), or all", set_tail },
	{ "sql", 0, CLI_DIFF, NULL, "the SQL that makes the target equal, and its undo", set_sql },
	{ "save", 0, CLI_DIFF, "FILE", "what differs goes there too, for `etlrun run --from FILE`", set_save },
	{ "from", 0, CLI_FROM, "FILE", "write only what `etlrun diff --save FILE` found", set_from },
	{ "undo", 0, CLI_DIFF, "FILE", "with --sql: the undo goes there", set_undo },
	{ "watch", 0, CLI_WATCH, NULL, "look again and again until the run has ended", set_watch },
	{ "interval", 0, CLI_WATCH, "N", "with --watch: every N seconds (10; on a terminal 1)", set_interval },
	{ "probe", 0, CLI_PLUGINS, NULL, "load each plugin in a process of its own", set_probe },
	{ "set", 0, CLI_FILE | CLI_URIS, "KEY=VALUE", "change a key of the pipeline file",
	  set_set },
	{ "profile", 0, CLI_FILE | CLI_URIS, "NAME", "lay the group profiles.NAME over the file",
	  set_profile },
	{ "yes", 0, CLI_FILE | CLI_URIS, NULL, "do destroy what --set on_existing says", set_yes },
	{ "plugin-path", 0, 0, "DIR", "look for plugins there first", set_plugin_path },
	{ "verbose", 'v', 0, NULL, "say more", set_verbose },
	{ "quiet", 'q', 0, NULL, "say only errors", set_quiet },
	{ "log-format", 0, 0, "FORMAT", "text or json", set_log_format },
	{ "no-progress", 0, 0, NULL, "no bars and no lines of progress", set_no_progress },
	{ NULL, 0, 0, NULL, NULL, NULL },
};

static bool taken(const struct option *option, const struct verb *verb)
{
	return !option->takes || (option->takes & verb->takes);
}

/* ---- Usage ---- */

static void usage_options(const struct verb *verb, FILE *out)
{
	char left[64];

	for (const struct option *o = options; o->name; o++) {
		if (verb && !taken(o, verb))
			continue;
		snprintf(left, sizeof(left), "%s--%s%s%s",
			 o->letter ? (char[]){ '-', o->letter, ',', ' ', 0 } : "    ", o->name,
			 o->argument ? " " : "", o->argument ? o->argument : "");
		fprintf(out, "  %-26s %s\n", left, o->help);
	}
	fprintf(out, "  %-26s %s\n", "-h, --help", "this text");
	fprintf(out, "  %-26s %s\n", "-V, --version", "the version and the plugin ABI");
}

void cli_usage(const struct verb *verb, FILE *out)
{
	if (verb) {
		fprintf(out, "usage: etlrun %s [OPTIONS] %s\n%s\n\n", verb->name, verb->words,
			verb->summary);
		usage_options(verb, out);
		return;
	}
	fprintf(out, "usage: etlrun PIPELINE.cfg\n       etlrun VERB [OPTIONS] …\n\n");
	for (size_t i = 0; verbs[i]; i++)
		fprintf(out, "  %-12s %-30s %s\n", verbs[i]->name, verbs[i]->words,
			verbs[i]->summary);
	fprintf(out, "\n`etlrun VERB --help` lists a verb's options. Manual: etlrun(1), "
		     "etlrun.cfg(5), etlrun-plugin(7).\n");
}

static void print_version(void)
{
	printf("etlrun %s\nplugin ABI %d.%d\n", PACKAGE_VERSION, ETL_ABI_MAJOR, ETL_ABI_MINOR);
}

/* ---- Parsing ---- */

static const struct option *find_long(const char *name, size_t length)
{
	for (const struct option *o = options; o->name; o++)
		if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
			return o;
	return NULL;
}

static const struct option *find_letter(char letter)
{
	for (const struct option *o = options; o->name; o++)
		if (o->letter && o->letter == letter)
			return o;
	return NULL;
}

static int unknown_option(const char *word, const struct verb *verb, struct etl_error *err)
{
	const char *names[sizeof(options) / sizeof(options[0])];
	const char *near;
	size_t count = 0;

	for (const struct option *o = options; o->name; o++)
		if (taken(o, verb))
			names[count++] = o->name;
	near = strlen(word) > 2 ? option_nearest(word + 2, names, count) : NULL;
	return error_set(err, ETL_USAGE,
			 "%s is no option of `etlrun %s`%s%s%s; `etlrun %s --help` lists them",
			 word, verb->name, near ? "; did you mean --" : "", near ? near : "",
			 near ? "?" : "", verb->name);
}

struct arguments {
	int argc, at;
	char **argv;
	bool given[sizeof(options) / sizeof(options[0])];
};

/* The last of two would win in silence; only what adds up may come again. */
static int check_again(struct arguments *a, const struct option *option, struct etl_error *err)
{
	bool *given = &a->given[option - options];

	if (*given && option->argument && option->set != set_set && option->set != set_plugin_path)
		return error_set(err, ETL_USAGE, "--%s is given twice; give it once", option->name);
	*given = true;
	return 0;
}

static int parse_option(struct cli *cli, struct arguments *a, struct etl_error *err)
{
	const char *word = a->argv[a->at++], *equals = strchr(word, '='), *value = NULL;
	const struct option *option;
	int rc;

	if (word[1] == '-')
		option = find_long(word + 2,
				   equals ? (size_t)(equals - word - 2) : strlen(word + 2));
	else
		option = word[2] ? NULL : find_letter(word[1]);
	if (!option || !taken(option, cli->verb))
		return unknown_option(word, cli->verb, err);
	if (option->argument) {
		if (word[1] == '-' && equals)
			value = equals + 1;
		else if (a->at < a->argc)
			value = a->argv[a->at++];
		else
			return error_set(err, ETL_USAGE, "--%s needs a value: --%s %s",
					 option->name, option->name, option->argument);
	} else if (word[1] == '-' && equals) {
		return error_set(err, ETL_USAGE, "--%s takes no value", option->name);
	}
	rc = check_again(a, option, err);
	return rc < 0 ? rc : option->set(cli, value, err);
}

static bool is_word(const char *text, const char *letter, const char *name)
{
	return strcmp(text, letter) == 0 || strcmp(text, name) == 0;
}

static int check_words(const struct cli *cli, struct etl_error *err)
{
	const struct verb *verb = cli->verb;

	for (size_t i = 0; verb == &verb_run && verbs[i] && cli->word_count; i++)
		if (strcmp(verbs[i]->name, cli->words[0]) == 0 && access(cli->words[0], F_OK) < 0)
			return error_set(err, ETL_USAGE, "the verb comes first: etlrun %s [OPTIONS] %s",
					 verbs[i]->name, verbs[i]->words);
	if (cli->word_count < verb->min_words)
		return error_set(err, ETL_USAGE, "usage: etlrun %s [OPTIONS] %s", verb->name,
				 verb->words);
	if (cli->word_count > verb->max_words)
		return error_set(err, ETL_USAGE,
				 "one word too many: \"%s\"; usage: etlrun %s [OPTIONS] %s",
				 cli->words[verb->max_words], verb->name, verb->words);
	if (cli->interval && !cli->watch)
		return error_set(err, ETL_USAGE, "--interval goes with --watch");
	if (cli->run.from && (cli->run.limit || cli->run.schema_only || cli->if_needed || cli->dry_run))
		return error_set(err, ETL_USAGE,
				 "--from writes what its file says; leave out --limit, --schema-only, --if-needed and --dry-run");
	if (cli->if_needed && cli->dry_run)
		return error_set(err, ETL_USAGE,
				 "--if-needed and --dry-run exclude each other: a dry run shows what a run would "
				 "do, needed or not");
	if (cli->run.schema_only && cli->run.data_only)
		return error_set(
			err, ETL_USAGE,
			"--schema-only and --data-only exclude each other; give neither for both");
	return 0;
}

static int open_log(const struct cli *cli, const struct pipeline *pipeline, struct etl_error *err)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };
	struct log_options options_of_log = { .json = cli->json,
					      .screen_json = cli->json,
					      .level = ETL_LOG_INFO,
					      .screen_level = cli->level };

	if (pipeline && pipeline->log_file) {
		options_of_log.file = pipeline->log_file;
		if (pipeline->log_format)
			options_of_log.json = cli->json ||
					      strcmp(pipeline->log_format, "json") == 0;
		for (int32_t i = 0; pipeline->log_level && i < 4; i++)
			if (strcmp(levels[i], pipeline->log_level) == 0)
				options_of_log.level = i;
	}
	return log_open(&options_of_log, err);
}

static void *memdup(const void *at, size_t size)
{
	void *copy = malloc(size ? size : 1);

	return copy && size ? memcpy(copy, at, size) : copy;
}

int cli_parse(int argc, char **argv, const struct verb *verb, struct cli *cli, bool *ret_done,
	      struct etl_error *err)
{
	struct arguments a = { .argc = argc, .argv = argv };
	const char **words = (const char **)argv; /* reused for the words: never more than came */
	bool only_words = false;
	int rc = 0;

	memset(cli, 0, sizeof(*cli));
	cli->verb = verb;
	cli->level = ETL_LOG_INFO;
	cli->logs_level = -1;
	cli->typed = memdup(argv, (size_t)argc * sizeof(*argv));
	cli->typed_count = cli->typed ? (size_t)argc : 0;
	cli->words = words;
	while (rc == 0 && a.at < argc) {
		const char *word = argv[a.at];

		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
			a.at++;
		} else if (!only_words && is_word(word, "-h", "--help")) {
			cli_usage(verb, stdout);
			*ret_done = true;
			return 0;
		} else if (!only_words && is_word(word, "-V", "--version")) {
			print_version();
			*ret_done = true;
			return 0;
		} else if (!only_words && word[0] == '-' && word[1]) {
			rc = parse_option(cli, &a, err);
		} else {
			words[cli->word_count++] = word;
			a.at++;
		}
	}
	/* From here on, errors too come as they were asked for, and without what is secret in a
	 * URI. */
	for (size_t i = 0; i < cli->word_count && rc == 0; i++)
		if (strstr(cli->words[i], "://") && !secret_add_uri(cli->words[i]))
			rc = error_memory(err);
	for (size_t i = 0; i < cli->overlay.set_count && rc == 0; i++)
		if (strstr(cli->sets[i], "://") && !secret_add_uri(strchr(cli->sets[i], '=') + 1))
			rc = error_memory(err);
	open_log(cli, NULL, err); /* without a file nothing can fail */
	return rc < 0 ? rc : check_words(cli, err);
}

void cli_free(struct cli *cli)
{
	free(cli->sets);
	free((void *)cli->typed); /* the words are argv's */
	cli->sets = NULL;
	cli->typed = NULL;
}

/* A password on the command line is seen by every user of the machine: overwritten where it
 * stands, and said. The words of a pipeline file are paths, in which nothing is secret. */
static void hide_secrets(const struct cli *cli)
{
	bool hidden = false;

	for (size_t i = 0; i < cli->word_count; i++)
		if (pipeline_is_uri(cli->words[i]))
			hidden |= secret_hide(
				(char *)cli->words[i]); /* argv is the program's to write */
	for (size_t i = 0; i < cli->overlay.set_count; i++)
		hidden |= secret_hide(strchr(cli->sets[i], '='));
	if (hidden)
		log_line(ETL_LOG_WARN, "a password on the command line can be seen by other users; "
				       "use a pipeline file with "
				       "${env:…} or ${file:…}");
}

int cli_pipeline(const struct cli *cli, struct pipeline **ret, struct etl_error *err)
{
	bool uris = (cli->verb->takes & CLI_URIS) != 0;
	int rc = uris ? pipeline_from_uris(cli->words[0], cli->words[1], &cli->overlay, ret, err) :
			pipeline_read(cli->words[cli->word_count - 1], &cli->overlay, ret, err);

	return cli_opened(cli, rc, ret, err);
}

int cli_opened(const struct cli *cli, int rc, struct pipeline **ret, struct etl_error *err)
{
	hide_secrets(cli);
	if (rc < 0)
		return rc;
	/* Who reads a log writes none into it. */
	rc = open_log(cli, cli->verb->takes & CLI_LOGS ? NULL : *ret, err);
	if (rc < 0) {
		pipeline_free(*ret);
		*ret = NULL;
	}
	return rc;
}
