/*
 * Which files a table is, and which columns it has: by the options of `from`, by the header of the first file, by the parts
 * of the files' names that the pattern keeps.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "csv.h"

static int no_memory(struct etl_instance *inst, struct etl_error *err)
{
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "csv: no memory for a table");
}

/* ---- Names ----------------------------------------------------------------------------------------------------------- */

static size_t without(const char *name, size_t length, const char *end)
{
	size_t size = strlen(end);

	return length > size && strncasecmp(name + length - size, end, size) == 0 ? length - size : length;
}

static size_t stem(const char *file, bool *ret_is_csv)
{
	size_t packed = strlen(file), length;

	packed = without(file, packed, ".gz");
	packed = without(file, packed, ".zst");
	length = without(file, packed, ".csv");
	length = without(file, length, ".tsv");
	*ret_is_csv = length < packed;
	return length;
}

char *csv_table_name(const char *file)
{
	bool is_csv;

	return strndup(file, stem(file, &is_csv));
}

bool csv_is_csv(const char *file)
{
	bool is_csv;

	stem(file, &is_csv);
	return is_csv;
}

bool csv_is_tsv(const char *file)
{
	size_t packed = without(file, without(file, strlen(file), ".gz"), ".zst");

	return without(file, packed, ".tsv") < packed;
}

int64_t csv_column_find(const struct csv_table *t, const char *name)
{
	size_t i;

	for (i = 0; i < t->count; i++) {
		if (strcmp(t->columns[i].name, name) == 0)
			return (int64_t)i;
	}
	return -1;
}

/* ---- Files ------------------------------------------------------------------------------------------------------------ */

/* The pattern of this name, and with MORE of all that go on behind it. */
static int literal(struct etl_instance *inst, const char *name, bool more, struct files_pattern **ret, struct etl_error *err)
{
	struct etl_text text = { 0 };
	int rc;

	for (; *name; name++) {
		if (strchr("\\*{", *name))
			etl_text_add(&text, "\\");
		etl_text_add_bytes(&text, name, 1);
	}
	etl_text_add(&text, more ? "*" : "");
	rc = text.failed ? no_memory(inst, err) : files_pattern_parse(ret, inst->host, text.at, err);
	etl_text_free(&text);
	return rc;
}

/* The file that is the table of this name. 1: there is none. */
static int find_file(struct csv_table *t, struct etl_error *err)
{
	struct files_pattern *begins = NULL;
	struct files_list list = { 0 };
	const char *found = NULL;
	size_t i;
	int rc = literal(t->inst, t->name, true, &begins, err);

	if (!rc)
		rc = files_list(t->inst->files, begins, &list, err);
	for (i = 0; !rc && i < list.count; i++) {
		const char *label = files_label(t->inst->files, &list.at[i]);
		char *name = csv_table_name(label);

		/* A root that is the file may be called anything. */
		if (!name)
			rc = no_memory(t->inst, err);
		else if (strcmp(name, t->name) == 0 && (csv_is_csv(label) || !*list.at[i].name)) {
			if (found)
				rc = t->inst->host->fail(err, ETL_USAGE, NULL, 0,
							 "csv: %s and %s are both the table \"%s\"; say which with from = { files "
							 "= \"…\"; }",
							 found, label, t->name);
			found = label;
		}
		free(name);
	}
	if (!rc && !found)
		rc = 1;
	/* The only file of its root needs no pattern. */
	if (!rc && *list.at[0].name)
		rc = literal(t->inst, found, false, &t->pattern, err);
	files_list_clear(&list);
	files_pattern_free(begins);
	return rc;
}

/* 1: there is no such table. */
static int find_files(struct csv_table *t, const struct etl_conf *options, struct etl_error *err)
{
	const struct etl_host *host = t->inst->host;
	const char *files = options ? host->str(options, "files") : NULL;

	if (files)
		return files_pattern_parse(&t->pattern, host, files, err);
	/* With `from` the table is called as the pipeline likes. */
	if (files_is_standard(t->inst->files))
		return options || strcmp(t->name, "stdin") == 0 ? ETL_OK : 1;
	return find_file(t, err);
}

/* ---- Columns ------------------------------------------------------------------------------------------------------------- */

static struct csv_column *add_column(struct csv_table *t, const char *name, int64_t capture)
{
	struct csv_column *columns;

	if (t->memory.failed)
		return NULL;
	columns = etl_arena_push(&t->memory, t->columns, t->count, sizeof(*columns));
	if (!columns)
		return NULL;
	t->columns = columns;
	t->columns[t->count] = (struct csv_column){ .name = etl_arena_copy(&t->memory, name), .capture = capture };
	return &t->columns[t->count++];
}

/* Those of the first file that has a line. */
static int take_header(struct csv_table *t, const struct files_list *list, struct etl_error *err)
{
	const char **names = NULL;
	size_t count = 0, i;
	int rc = ETL_OK;

	for (i = 0; !rc && count == 0 && i < list->count; i++)
		rc = csv_file_names(t->inst, &t->format, &list->at[i], &t->memory, &names, &count, err);
	if (rc)
		return rc;
	if (count == 0 && t->format.names) {
		for (i = 0; i < t->inst->host->list(t->format.names, "names"); i++)
			add_column(t, csv_given_name(&t->format, t->inst->host, i, &t->memory), -1);
	}
	for (i = 0; i < count; i++)
		add_column(t, names[i], -1);
	t->in_file = t->count;
	if (t->count == 0)
		return t->inst->host->fail(err, ETL_FATAL, NULL, 0,
					   "csv: table \"%s\" has no columns: %s; give names = [ … ], or leave the table out",
					   t->name,
					   list->count > 1 ? "its files are empty" : "its file is empty and has no header");
	return t->memory.failed ? no_memory(t->inst, err) : ETL_OK;
}

/* All of each line in one column is seldom what is meant. */
static void doubt_separator(const struct csv_table *t, const struct files_list *list)
{
	static const struct {
		char is;
		const char *word;
	} others[] = { { ';', ";" }, { '\t', "tab" }, { '|', "|" }, { ',', "," } };
	const struct etl_host *host = t->inst->host;

	if (t->format.separated || !t->format.header || t->in_file != 1)
		return;
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		if (!strchr(t->columns[0].name, others[i].is))
			continue;
		host->log(host, ETL_LOG_WARN, "%s: the header is one column, \"%s\"; where %s stands between columns write separator = \"%s\"",
			  files_label(t->inst->files, &list->at[0]), t->columns[0].name, others[i].word, others[i].word);
		return;
	}
}

static int take_captures(struct csv_table *t, struct etl_error *err)
{
	const char *const *names = NULL;
	size_t count = t->pattern ? files_pattern_captures(t->pattern, &names) : 0, i;

	for (i = 0; i < count; i++) {
		if (csv_column_find(t, names[i]) >= 0)
			return t->inst->host->fail(err, ETL_USAGE, NULL, 0,
						   "csv: table \"%s\" has a column \"%s\" in its files, and {%s} in files; call the "
						   "one in files otherwise",
						   t->name, names[i], names[i]);
		add_column(t, names[i], (int64_t)i);
	}
	return t->memory.failed ? no_memory(t->inst, err) : ETL_OK;
}

static int no_column(const struct csv_table *t, const char *name, struct etl_error *err)
{
	struct etl_text all = { 0 };
	size_t i;
	int rc;

	for (i = 0; i < t->count; i++)
		etl_text_addf(&all, "%s%s", i ? ", " : "", t->columns[i].name);
	rc = t->inst->host->fail(err, ETL_USAGE, NULL, 0,
				 "csv: table \"%s\" has no column \"%s\", which from.columns names; it has %s", t->name, name,
				 all.failed ? "others" : all.at);
	etl_text_free(&all);
	return rc;
}

static bool is_moment(int32_t type)
{
	return type == ETL_DATE || type == ETL_TIME || type == ETL_TIMESTAMP || type == ETL_INSTANT;
}

static int declare(struct csv_table *t, const struct etl_conf *conf, struct etl_error *err)
{
	const struct etl_host *host = t->inst->host;
	const char *name = host->str(conf, "name"), *type = host->str(conf, "type"), *why = NULL;
	int64_t at = csv_column_find(t, name);
	struct csv_column *c;

	if (at < 0)
		return no_column(t, name, err);
	c = &t->columns[at];
	c->format = host->str(conf, "format");
	if (!etl_type_parse(type, &c->type, &c->length))
		return host->fail(err, ETL_USAGE, NULL, 0, "csv: table \"%s\", column \"%s\": there is no type \"%s\"",
				  t->name, name, type);
	if (c->format)
		why = is_moment(c->type.type) ? csv_format_flaw(c->format) : "is for dates and times only";
	if (why)
		return host->fail(err, ETL_USAGE, NULL, 0, "csv: table \"%s\", column \"%s\": format = \"%s\" %s", t->name,
				  name, c->format, why);
	c->declared = true;
	return ETL_OK;
}

static int take_types(struct csv_table *t, const struct etl_conf *options, struct etl_error *err)
{
	const struct etl_host *host = t->inst->host;
	size_t count = options ? host->list(options, "columns") : 0, i;
	int rc = ETL_OK;

	for (i = 0; !rc && i < count; i++)
		rc = declare(t, host->sub(options, "columns", i), err);
	for (i = 0; !rc && i < t->count && !host->flag(csv_option(t->inst, options, "infer"), "infer"); i++) {
		if (!t->columns[i].declared)
			t->columns[i].type.type = ETL_TEXT;
		t->columns[i].declared = true;
	}
	return rc;
}

/* ---- All of it -------------------------------------------------------------------------------------------------------------- */

static int no_files(const struct csv_table *t, const struct etl_conf *options, struct etl_error *err)
{
	return t->inst->host->fail(err, ETL_FATAL, NULL, 0, "csv: table \"%s\": no file in %s matches \"%s\"", t->name,
				   t->inst->root, t->inst->host->str(options, "files"));
}

static bool wants_look(const struct csv_table *t)
{
	size_t i;

	for (i = 0; i < t->count; i++) {
		if (!t->columns[i].declared)
			return true;
	}
	return false;
}

static int fill(struct csv_table *t, const struct etl_conf *options, bool infer, struct etl_error *err)
{
	struct files_list list = { 0 };
	int rc = find_files(t, options, err);

	if (rc)
		return rc;
	rc = files_list(t->inst->files, t->pattern, &list, err);
	if (!rc && list.count == 0)
		rc = no_files(t, options, err);
	if (!rc)
		rc = take_header(t, &list, err);
	if (!rc && infer)
		doubt_separator(t, &list);
	if (!rc)
		rc = take_captures(t, err);
	if (!rc)
		rc = take_types(t, options, err);
	if (!rc && infer && wants_look(t))
		rc = csv_infer(t, &list, err);
	files_list_clear(&list);
	return rc;
}

int csv_table_new(struct etl_instance *inst, const char *name, const struct etl_conf *options, bool infer,
		  struct csv_table **ret, struct etl_error *err)
{
	struct csv_table *t = calloc(1, sizeof(*t));
	int rc;

	*ret = NULL;
	if (!t)
		return no_memory(inst, err);
	t->inst = inst;
	t->rows = ETL_UNKNOWN;
	t->name = etl_arena_copy(&t->memory, name);
	rc = t->name ? csv_format_of(inst, options, &t->format, err) : no_memory(inst, err);
	if (!rc)
		rc = fill(t, options, infer, err);
	if (rc)
		csv_table_free(t);
	else
		*ret = t;
	return rc < 0 ? rc : ETL_OK;
}

int csv_table_written(struct etl_instance *inst, const char *name, const struct etl_conf *options,
		      const struct ArrowSchema *want, struct csv_table **ret, struct etl_error *err)
{
	struct csv_table *t = calloc(1, sizeof(*t));
	int64_t i;
	int rc;

	if (!t)
		return no_memory(inst, err);
	t->inst = inst;
	t->by_place = true;
	t->name = etl_arena_copy(&t->memory, name);
	rc = csv_format_of(inst, options, &t->format, err);
	for (i = 0; !rc && i < want->n_children; i++)
		add_column(t, want->children[i]->name, -1);
	t->in_file = t->count;
	if (!rc && t->memory.failed)
		rc = no_memory(inst, err);
	if (rc)
		csv_table_free(t);
	else
		*ret = t;
	return rc;
}

void csv_table_free(struct csv_table *t)
{
	if (!t)
		return;
	files_pattern_free(t->pattern);
	etl_arena_free(&t->memory);
	free(t);
}
