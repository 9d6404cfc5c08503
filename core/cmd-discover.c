/*
 * discover: what is in the source of a pipeline file or of a URI, as a pipeline file that moves it.
 * The rest of the pipeline is written as it was (${env:…} stays), so the file runs as it is and
 * shows no secret.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <etlrun/helpers.h>

#include "config-text.h"
#include "log.h"
#include "output.h"
#include "proposal.h"
#include "run.h"
#include "secret.h"

#define PASSWORD "ETL_PASSWORD" /* the variable that a password is taken from */

/* A name is missing in what was printed. Main thread only. */
static bool no_memory;

/* A name as a value of the file: what would be filled in stays as it is. */
static void print_name(FILE *out, const char *name)
{
	char *plain = pipeline_literal(name);

	if (plain)
		config_text_quote(out, plain);
	else
		no_memory = true;
	free(plain);
}

/* In a comment of one line: what would end it early is shown as a space. */
static void print_inside(FILE *out, const char *text)
{
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 ? ' ' : *text, out);
}

/* Of a name that has a wildcard, the file's own way to say that it is none. */
static void print_table_name(FILE *out, const char *name)
{
	char *escaped = malloc(2 * strlen(name) + 1), *to = escaped;

	if (!escaped) {
		no_memory = true;
		return;
	}
	for (; *name; name++) {
		if (*name == '*' || *name == '?')
			*to++ = '\\';
		*to++ = *name;
	}
	*to = '\0';
	print_name(out, escaped);
	free(escaped);
}

static void print_columns(FILE *out, const struct etl_table *table)
{
	fputs("	# ", out);
	for (size_t i = 0; i < table->column_count; i++) {
		const struct etl_column *column = table_column(table, i);

		fputs(i ? ", " : "", out);
		print_inside(out, column->name);
		fputs(*column->declared ? " " : "", out);
		print_inside(out, column->declared);
		if (column->flags & ETL_GENERATED)
			fputs(" (computed)", out);
	}
	fputs("\n", out);
}

static void print_tables(FILE *out, const struct catalog *source)
{
	bool first = true;

	fputs("tables = (\n", out);
	for (size_t i = 0; i < source->count; i++) {
		const struct etl_table *table = source->at[i];

		if (table->kind != ETL_TABLE)
			continue;
		if (!first)
			fputs(",\n", out);
		first = false;
		print_columns(out, table);
		if (table->rows >= 0)
			fprintf(out, "	# about %" PRId64 " row%s%s\n", table->rows,
				table->rows == 1 ? "" : "s",
				table->primary.column_count ?
					"" :
					", no primary key: rows are compared as a whole");
		fputs("	{ name = ", out);
		print_table_name(out, table->name);
		fputs("; }", out);
	}
	fputs("\n);\n", out);
}

/* What the source was unsure of stands above the entry, a comment for each line. */
static void print_unsure(FILE *out, const char *text)
{
	while (text && *text) {
		size_t length = strcspn(text, "\n");
		char *line = strndup(text, length);

		no_memory |= !line;
		fputs("	# ", out);
		print_inside(out, line ? line : "");
		fputs("\n", out);
		free(line);
		text += length + (text[length] == '\n');
	}
}

static void print_proposals(FILE *out, const struct proposals *proposals)
{
	if (proposals->count == 0)
		fputs("# The source has nothing that could be a table.\n", out);
	fputs(proposals->count ? "tables = (\n" : "", out);
	for (size_t i = 0; i < proposals->count; i++) {
		const struct proposal *p = &proposals->at[i];

		print_unsure(out, p->unsure);
		fputs("	{\n		name = ", out);
		print_table_name(out, p->name);
		fputs(";\n", out);
		no_memory |= !proposal_print_keys(out, p, "		");
		fputs(i + 1 < proposals->count ? "	},\n" : "	}\n", out);
	}
	fputs(proposals->count ? ");\n" : "", out);
}

static void print_other(FILE *out, const struct etl_table *object)
{
	fprintf(out, "# also there: %s ", kind_name(object->kind));
	print_inside(out, object->name);
	fputs("\n", out);
}

static void print_others(FILE *out, const struct catalog *source)
{
	for (size_t i = 0; i < source->count; i++) {
		const struct etl_table *object = source->at[i];

		if (object->kind != ETL_TABLE && object->kind != ETL_DATABASE)
			print_other(out, object);
	}
}

/* ---- The settings ---- */

/* A text without its secrets: each is to come from the environment. *RET is NULL when there is
 * none in it. */
static int without_secrets(const char *text, char **ret, struct etl_error *err)
{
	char *shown = secret_redact(text), *at = shown, *mask;
	struct etl_text plain = { 0 };

	*ret = NULL;
	if (!shown)
		return error_memory(err);
	if (strcmp(shown, text) == 0 || strstr(text, "${")) {
		free(shown);
		return 0;
	}
	while ((mask = strstr(at, "***"))) {
		etl_text_add_bytes(&plain, at, (size_t)(mask - at));
		etl_text_add(&plain, "${env:" PASSWORD "}");
		at = mask + 3;
	}
	etl_text_add(&plain, at);
	free(shown);
	*ret = etl_text_take(&plain);
	return *ret ? 0 : error_memory(err);
}

/* A password that stood in a URI on the command line is not written to a file. */
static int hide_password(config_t *config, bool *ret_hidden, struct etl_error *err)
{
	config_setting_t *uri = config_lookup(config, "source.uri");
	char *plain = NULL;
	int rc = uri ? without_secrets(config_setting_get_string(uri), &plain, err) : 0;

	*ret_hidden = plain != NULL;
	if (rc == 0 && plain && !config_setting_set_string(uri, plain))
		rc = error_memory(err);
	free(plain);
	return rc;
}

/* The base name of what a URI or a path names, for the suggested target. */
static void base_of(const char *word, char *buf, size_t size)
{
	const char *end = word + strcspn(word, "?#"), *at, *dot;

	at = end;
	while (at > word && at[-1] != '/' && at[-1] != ':')
		at--;
	dot = memchr(at, '.', (size_t)(end - at));
	snprintf(buf, size, "%.*s", (int)((dot && dot > at ? dot : end) - at), at);
	for (char *c = buf; *c; c++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", *c))
			*c = '_';
}

static void print_target(FILE *out, const char *word)
{
	char base[64];

	base_of(word, base, sizeof(base));
	fprintf(out,
		"# Where it goes is a suggestion: the source did not say.\n"
		"target = { plugin = \"sqlite\"; path = \"%s-copy.db\"; };\n",
		*base ? base : "source");
}

/* Everything of the pipeline but its tables, as it was written; profiles last. */
static void print_settings(FILE *out, const char *word, const config_setting_t *root)
{
	const config_setting_t *profiles = config_setting_get_member(root, "profiles");

	if (!config_setting_get_member(root, "version"))
		fputs("version = 1;\n", out);
	for (int i = 0; i < config_setting_length(root); i++) {
		const config_setting_t *s = config_setting_get_elem(root, (unsigned)i);

		if (s != profiles && strcmp(config_setting_name(s), "tables") != 0)
			config_text_member(out, s);
	}
	if (!config_setting_get_member(root, "target"))
		print_target(out, word);
	if (profiles)
		config_text_member(out, profiles);
}

/* ---- The file ---- */

struct sketch {
	const char *word; /* a file or a URI */
	config_t config;
	struct pipeline *pipeline;
	struct catalog source;
	bool proposes; /* the source wrote the tables itself */
	struct proposals proposals;
};

/* Without links; one that is not there stays as it is, and writing into it fails. NULL: no memory. */
static char *real_folder(const char *folder)
{
	char *real = realpath(folder, NULL);

	/* Without memory glibc may leave the EINVAL of a readlink behind. */
	return real || errno == ENOMEM || errno == EINVAL ? real : strdup(folder);
}

/* The folder a file is in, without links; NULL: no memory. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) :
			       strdup(".");
	char *real = folder ? real_folder(folder) : NULL;

	free(folder);
	return real;
}

/* In another folder the file's relative paths would name other files. */
static int settle(struct sketch *sketch, const char *output, struct etl_error *err)
{
	char *from, *to;
	int rc = 0;

	if (!output)
		return 0;
	from = real_folder(sketch->pipeline->folder);
	to = from ? folder_of(output) : NULL;
	if (!to)
		rc = error_memory(err);
	else if (strcmp(from, to) != 0)
		rc = pipeline_uproot(sketch->pipeline, &sketch->config, err);
	free(from);
	free(to);
	return rc;
}

static int print_file(FILE *out, struct sketch *sketch, const char *output, struct etl_error *err)
{
	bool hidden = false;
	int rc = hide_password(&sketch->config, &hidden, err);

	if (rc == 0)
		rc = settle(sketch, output, err);
	if (rc < 0)
		return rc;
	fputs(sketch->proposes ? "# Made by `etlrun discover`: tables as the source proposes them.\n" :
				 "# Made by `etlrun discover`: every table of the source by its name.\n",
	      out);
	if (hidden)
		fputs("# The password is not written down: set the environment variable " PASSWORD
		      ".\n",
		      out);
	print_settings(out, sketch->word, config_root_setting(&sketch->config));
	if (sketch->proposes)
		print_proposals(out, &sketch->proposals);
	else
		print_tables(out, &sketch->source);
	print_others(out, &sketch->source);
	return no_memory ? error_memory(err) : 0;
}

/* Written whole or not at all, and never over a file that is there. */
static int write_file(const char *path, struct sketch *sketch, struct etl_error *err)
{
	FILE *out = fopen(path, "wxe");
	int rc;

	if (!out && errno == EEXIST)
		return error_set(err, ETL_USAGE,
				 "%s is there already, and discover never overwrites a file; name "
				 "another one",
				 path);
	if (!out)
		return error_set(err, ETL_MEMORY, "%s cannot be written: %s", path,
				 strerror(errno));
	rc = print_file(out, sketch, path, err);
	if ((fflush(out) | ferror(out)) && rc == 0)
		rc = error_set(err, ETL_MEMORY, "%s cannot be written: %s", path, strerror(errno));
	fclose(out);
	if (rc < 0)
		unlink(path);
	else
		log_line(ETL_LOG_INFO, "%s is ready: etlrun %s", path, path);
	return rc;
}

static int print_out(struct sketch *sketch, struct etl_error *err)
{
	struct output output;
	int rc = output_open(&output, err), closed;

	if (rc < 0)
		return rc;
	rc = print_file(output.file, sketch, NULL, err);
	closed = output_close(&output, err);
	return rc < 0 ? rc : closed;
}

static int look(struct sketch *sketch, struct etl_error *err)
{
	/* A source of files reads all of them for this. */
	struct host_limits limits = { .batch_rows = 1,
				      .batch_bytes = 1,
				      .max_row = sketch->pipeline->max_row,
				      .memory = sketch->pipeline->memory_limit / 4,
				      .workers = 1 };
	struct catalog_sink sink = catalog_sink(&sketch->source, err);
	struct instance *instance = NULL;
	int rc = instance_open(&sketch->pipeline->source, ETL_ROLE_SOURCE, &limits, &instance, err);

	sketch->proposes = rc == 0 && instance->plugin->can_propose;
	if (sketch->proposes)
		rc = proposals_ask(instance, &sketch->proposals, err);
	else if (rc == 0)
		rc = instance->plugin->store.describe(instance->self, NULL, &sink.sink,
						      instance_error(instance, err));
	instance_close(instance);
	return rc;
}

static int discover(const struct cli *cli, struct etl_error *err)
{
	struct sketch sketch = { .word = cli->words[0] };
	int rc = pipeline_sketch(cli->words[0], &cli->overlay, &sketch.config, &sketch.pipeline,
				 err);
	bool parsed = rc == 0;

	rc = cli_opened(cli, rc, &sketch.pipeline, err);
	if (rc == 0)
		rc = look(&sketch, err);
	if (rc == 0)
		rc = cli->output ? write_file(cli->output, &sketch, err) : print_out(&sketch, err);
	catalog_clear(&sketch.source);
	proposals_clear(&sketch.proposals);
	pipeline_free(sketch.pipeline);
	if (parsed)
		config_destroy(&sketch.config);
	return rc;
}

const struct verb verb_discover = {
	.name = "discover",
	.words = "PIPELINE.cfg|SOURCE_URI",
	.summary = "what is in the source, as a pipeline file",
	.takes = CLI_FILE | CLI_OUTPUT,
	.min_words = 1,
	.max_words = 1,
	.run = discover,
};
