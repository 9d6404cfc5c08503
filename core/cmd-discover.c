/*
 * discover: what is in the source, and a pipeline file that moves it. The file is read with the
 * rest of the pipeline as it is written (${env:…} stays), so it runs as it is and shows no secret.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layer.h"
#include "log.h"
#include "run.h"

static void print_quoted(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", out);
		else if (c < 0x20)
			fprintf(out, "\\x%02x", c);
		else if (c == '$' && text[1] == '{')
			fputs("$$", out); /* a literal ${ is written $${ */
		else
			fputc(c, out);
	}
	fputc('"', out);
}

static void print_columns(FILE *out, const struct etl_table *table)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const struct etl_column *column = table_column(table, i);

		fprintf(out, "%s%s%s%s", i ? ", " : "", column->name, *column->declared ? " " : "",
			column->declared);
		if (column->flags & ETL_GENERATED)
			fputs(" (computed)", out);
	}
}

/* A comment of one line: what would end it early is shown as a space. */
static void print_comment(FILE *out, const struct etl_table *table)
{
	char *text = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&text, &size);

	if (!memory)
		return;
	print_columns(memory, table);
	fclose(memory);
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)text[i] < 0x20)
			text[i] = ' ';
	fprintf(out, "	# %s\n", text);
	free(text);
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
		print_comment(out, table);
		if (table->rows >= 0)
			fprintf(out, "	# about %" PRId64 " rows%s\n", table->rows,
				table->primary.column_count ?
					"" :
					", no primary key: rows are compared as a whole");
		fputs("	{ name = ", out);
		print_quoted(out, table->name);
		fputs("; }", out);
	}
	fputs("\n);\n", out);
}

static void print_others(FILE *out, const struct catalog *source)
{
	for (size_t i = 0; i < source->count; i++) {
		const struct etl_table *object = source->at[i];

		if (object->kind > ETL_TABLE && object->kind <= ETL_SHADOW_TABLE)
			fprintf(out, "# also there: %s %s\n", kind_name(object->kind),
				object->name);
	}
}

/* Everything of the pipeline but its tables, as it was written. */
static int print_settings(FILE *out, const char *path, struct etl_error *err)
{
	struct scan *scan = NULL;
	config_t config;
	int rc = scan_file(path, &scan, err);

	if (rc < 0)
		return rc;
	rc = layer_parse(&config, scan, err);
	scan_free(scan);
	if (rc < 0)
		return rc;
	config_setting_remove(config_root_setting(&config), "tables");
	config_write(&config, out);
	config_destroy(&config);
	return 0;
}

static int print_file(FILE *out, const struct cli *cli, const struct catalog *source,
		      struct etl_error *err)
{
	int rc;

	fprintf(out, "# Made by `etlrun discover %s`: every table of the source by its name.\n",
		cli->words[0]);
	rc = print_settings(out, cli->words[0], err);
	if (rc == 0) {
		print_tables(out, source);
		print_others(out, source);
	}
	return rc;
}

/* Written whole or not at all, and never over a file that is there. */
static int write_file(const struct cli *cli, const struct catalog *source, struct etl_error *err)
{
	FILE *out = cli->output ? fopen(cli->output, "wxe") : stdout;
	int rc;

	if (!out)
		return error_set(err, ETL_USAGE, "%s cannot be written: %s", cli->output,
				 strerror(errno));
	rc = print_file(out, cli, source, err);
	if ((fflush(out) | ferror(out)) && rc == 0)
		rc = error_set(err, ETL_MEMORY, "%s cannot be written: %s",
			       cli->output ? cli->output : "standard output", strerror(errno));
	if (!cli->output)
		return rc;
	fclose(out);
	if (rc < 0)
		unlink(cli->output);
	else
		log_line(ETL_LOG_INFO, "%s is ready: etlrun %s", cli->output, cli->output);
	return rc;
}

static int discover(const struct cli *cli, struct etl_error *err)
{
	struct host_limits limits = {
		.batch_rows = 1, .batch_bytes = 1, .max_row = 1, .workers = 1
	};
	struct catalog source = { 0 };
	struct catalog_sink sink = catalog_sink(&source, err);
	struct pipeline *pipeline = NULL;
	struct instance *instance = NULL;
	int rc = cli_pipeline(cli, &pipeline, err);

	if (rc == 0)
		rc = instance_open(&pipeline->source, ETL_ROLE_SOURCE, &limits, &instance, err);
	if (rc == 0)
		rc = instance->plugin->store.describe(instance->self, NULL, &sink.sink,
						      instance_error(instance, err));
	if (rc == 0)
		rc = write_file(cli, &source, err);
	catalog_clear(&source);
	instance_close(instance);
	pipeline_free(pipeline);
	return rc;
}

const struct verb verb_discover = {
	.name = "discover",
	.words = "PIPELINE.cfg",
	.summary = "what is in the source, as a pipeline file",
	.takes = CLI_FILE | CLI_OUTPUT,
	.min_words = 1,
	.max_words = 1,
	.run = discover,
};
