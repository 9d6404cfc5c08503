/*
 * The command line: a verb, its options in any order, its words.
 */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli-parts.h"
#include "log-line.h"
#include "log.h"
#include "secret.h"

static bool taken(const struct cli_option *option, const struct verb *verb)
{
	return !option->takes || (option->takes & verb->takes);
}

/* ---- Usage ---- */

static void usage_options(const struct verb *verb, FILE *out)
{
	char left[64];

	for (const struct cli_option *o = cli_options; o->name; o++) {
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

static const struct cli_option *find_long(const char *name, size_t length)
{
	for (const struct cli_option *o = cli_options; o->name; o++)
		if (strlen(o->name) == length && memcmp(o->name, name, length) == 0)
			return o;
	return NULL;
}

static const struct cli_option *find_letter(char letter)
{
	for (const struct cli_option *o = cli_options; o->name; o++)
		if (o->letter && o->letter == letter)
			return o;
	return NULL;
}

static int unknown_option(const char *word, const struct verb *verb, struct etl_error *err)
{
	const char *names[CLI_MOST_OPTIONS];
	const char *near;
	size_t count = 0;

	for (const struct cli_option *o = cli_options; o->name; o++)
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
	bool given[CLI_MOST_OPTIONS];
};

/* The last of two would win in silence; only what adds up may come again. */
static int check_again(struct arguments *a, const struct cli_option *option, struct etl_error *err)
{
	bool *given = &a->given[option - cli_options];

	if (*given && option->argument && !option->again)
		return error_set(err, ETL_USAGE, "--%s is given twice; give it once", option->name);
	*given = true;
	return 0;
}

static int parse_option(struct cli *cli, struct arguments *a, struct etl_error *err)
{
	const char *word = a->argv[a->at++], *equals = strchr(word, '='), *value = NULL;
	const struct cli_option *option;
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
	if (rc < 0 || option->set)
		return rc < 0 ? rc : option->set(cli, value, err);
	*(bool *)((char *)cli + option->flag) = true;
	return 0;
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
