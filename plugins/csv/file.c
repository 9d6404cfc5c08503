/*
 * One file of a table: its header, and its records with as many fields as that has.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "csv.h"

#define FIELDS_MOST 32768 /* columns; beyond what any database takes */

static int no_memory(const struct csv_file *f)
{
	return f->inst->host->fail(f->err, ETL_MEMORY, NULL, 0, "csv: no memory to read %s",
				   files_label(f->inst->files, f->entry));
}

static int open_scan(struct csv_file *f)
{
	struct csv_rules rules = { .separator = csv_separator(f->format, files_label(f->inst->files, f->entry)),
				   .quote = f->format->quote,
				   .comment = f->format->comment,
				   .trim = f->format->trim,
				   .max_record = (size_t)f->inst->host->max_row,
				   .max_fields = FIELDS_MOST };
	int rc = csv_text_open(f->inst, f->format, f->entry, &f->text, f->err);

	if (rc)
		return rc;
	f->scan = csv_scan_new(&rules, csv_text_bytes(f->text));
	if (!f->scan)
		return no_memory(f);
	csv_scan_reset(f->scan, csv_text_start(f->text));
	return ETL_OK;
}

void csv_file_close(struct csv_file *f)
{
	csv_scan_free(f->scan);
	csv_text_close(f->text);
	free(f->where);
	f->scan = NULL;
	f->text = NULL;
	f->where = NULL;
}

/* The next one that is no empty line, as it stands. */
static int next_record(struct csv_file *f, struct csv_record *ret)
{
	int rc;

	do
		rc = csv_scan_next(f->scan, ret);
	while (rc == CSV_RECORD && f->fields != 1 && ret->size == 0 && !ret->flaw);
	return rc == CSV_NO_MEMORY ? no_memory(f) : rc;
}

int csv_file_next(struct csv_file *f, struct csv_record *ret)
{
	int rc = next_record(f, ret);

	if (rc != CSV_RECORD || ret->flaw || f->fields == 0 || ret->count == f->fields)
		return rc;
	ret->flaw = ret->count < f->fields ? "too_few_fields" : "too_many_fields";
	ret->flaw_line = ret->line;
	ret->flaw_column = 1;
	ret->flaw_at = 0;
	return rc;
}

/* ---- The header -------------------------------------------------------------------------------------------------------- */

static int bad_header(const struct csv_file *f, const struct csv_record *r, const char *why)
{
	return f->inst->host->fail(f->err, ETL_FATAL, NULL, 0,
				   "%s:%llu: the header cannot be read (%s); mend it, or write header = false and the names "
				   "of the columns as names = [ … ]",
				   files_label(f->inst->files, f->entry), (unsigned long long)r->flaw_line, why);
}

static const char *made_name(struct arena *memory, size_t i)
{
	struct etl_text text = { 0 };
	const char *name;

	etl_text_addf(&text, "column_%zu", i + 1);
	name = text.failed ? NULL : etl_arena_copy(memory, text.at);
	if (text.failed)
		memory->failed = true;
	etl_text_free(&text);
	return name;
}

const char *csv_given_name(const struct csv_format *format, const struct etl_host *host, size_t i, struct arena *memory)
{
	const char *name = host->item(format->names, "names", i);

	return name && *name ? name : made_name(memory, i);
}

/* A column without a name is called by its place, as one of a file without a header. */
static const char *field_name(const struct csv_file *f, const struct csv_record *r, size_t i, struct arena *memory)
{
	const struct csv_field *field = &r->fields[i];
	char *name = etl_arena_alloc(memory, field->size + 1);
	const char *text;
	size_t size;

	if (!name)
		return NULL;
	text = csv_field_text(r, field, f->format->quote, name, &size);
	if (text != name)
		memcpy(name, text, size);
	name[size] = '\0';
	return size ? name : made_name(memory, i);
}

static int check_names(const struct csv_file *f, const struct csv_record *r, const char *const *names, size_t count)
{
	const char *label = files_label(f->inst->files, f->entry);
	size_t i, j;

	for (i = 0; i < count; i++) {
		if (etl_utf8_valid(names[i], strlen(names[i])) != strlen(names[i]))
			return f->inst->host->fail(f->err, ETL_FATAL, NULL, 0,
						   "%s:%llu: the header is no valid %s; look at encoding", label,
						   (unsigned long long)r->line, f->format->encoding_word);
		for (j = 0; j < i; j++) {
			if (strcmp(names[i], names[j]) == 0)
				return f->inst->host->fail(f->err, ETL_FATAL, NULL, 0,
							   "%s:%llu: two columns are called \"%s\"; give them names with "
							   "names = [ … ]",
							   label, (unsigned long long)r->line, names[i]);
		}
	}
	return ETL_OK;
}

/* A file whose lines end with CR alone is one line, and would be a table without a row. */
static bool has_bare_cr(const struct csv_record *r)
{
	for (size_t i = 0; i < r->count && i < FIELDS_MOST; i++)
		if (!r->fields[i].quoted && memchr(r->text + r->fields[i].at, '\r', r->fields[i].size))
			return true;
	return false;
}

static int take_names(struct csv_file *f, const struct csv_record *r, struct arena *memory, const char ***ret,
		      size_t *ret_count)
{
	const struct etl_host *host = f->inst->host;
	size_t given = f->format->names ? host->list(f->format->names, "names") : 0, i;
	const char **names;

	if (r->flaw)
		return bad_header(f, r, r->flaw);
	if (f->format->header && !given && memchr(r->text, '\0', r->size))
		return host->fail(f->err, ETL_FATAL, NULL, 0, "%s:%llu: the header has a NUL in it; look at encoding",
				  files_label(f->inst->files, f->entry), (unsigned long long)r->line);
	if (r->count > FIELDS_MOST)
		return bad_header(f, r, "it has more than 32768 fields");
	if (f->format->header && has_bare_cr(r))
		return host->fail(f->err, ETL_FATAL, NULL, 0, "%s:%llu: the header has a CR in it that ends no line; where all lines end with CR alone "
				  "make LF of it (tr '\\r' '\\n')",
				  files_label(f->inst->files, f->entry), (unsigned long long)r->line);
	if (given && given != r->count)
		return host->fail(f->err, ETL_USAGE, NULL, 0, "%s:%llu has %zu fields, and names = [ … ] has %zu",
				  files_label(f->inst->files, f->entry), (unsigned long long)r->line, r->count, given);
	names = etl_arena_alloc(memory, (r->count + 1) * sizeof(*names));
	for (i = 0; names && i < r->count; i++) {
		if (given)
			names[i] = csv_given_name(f->format, host, i, memory);
		else
			names[i] = f->format->header ? field_name(f, r, i, memory) : made_name(memory, i);
	}
	if (memory->failed)
		return no_memory(f);
	*ret = names;
	*ret_count = r->count;
	return check_names(f, r, names, r->count);
}

/* Reads the first line, and begins again when it is a row. */
static int read_names(struct csv_file *f, struct arena *memory, const char ***ret, size_t *ret_count)
{
	struct csv_record r;
	int rc = next_record(f, &r);

	*ret_count = 0;
	if (rc == CSV_RECORD)
		rc = take_names(f, &r, memory, ret, ret_count);
	if (rc || f->format->header)
		return rc;
	rc = csv_text_bytes(f->text)->seek(csv_text_bytes(f->text), csv_text_start(f->text));
	csv_scan_reset(f->scan, csv_text_start(f->text));
	return rc;
}

int csv_file_names(struct etl_instance *inst, const struct csv_format *format, const struct files_entry *entry,
		   struct arena *memory, const char ***ret, size_t *ret_count, struct etl_error *err)
{
	struct csv_file f = { .inst = inst, .format = format, .entry = entry, .err = err };
	int rc = open_scan(&f);

	if (!rc)
		rc = read_names(&f, memory, ret, ret_count);
	csv_file_close(&f);
	return rc;
}

/* ---- Its way to the table's columns ----------------------------------------------------------------------------------------- */

static int other_header(const struct csv_file *f, const char *name, bool missing)
{
	return f->inst->host->fail(f->err, ETL_FATAL, NULL, 0,
				   missing ? "%s has no column \"%s\", which the table's first file has; files of one table have the "
					     "same columns" :
					     "%s has a column \"%s\", which the table's first file has not; files of one table have "
					     "the same columns",
				   files_label(f->inst->files, f->entry), name);
}

static int map_columns(struct csv_file *f, const struct csv_table *t, const char *const *names, size_t count)
{
	size_t i, j;

	f->fields = count;
	f->where = malloc((t->in_file + 1) * sizeof(*f->where));
	if (!f->where)
		return no_memory(f);
	for (i = 0; t->by_place && i < t->in_file; i++)
		f->where[i] = i;
	if (t->by_place) {
		f->fields = t->in_file;
		return ETL_OK;
	}
	for (i = 0; i < t->in_file; i++) {
		for (j = 0; j < count && strcmp(names[j], t->columns[i].name) != 0; j++)
			;
		if (j == count)
			return other_header(f, t->columns[i].name, true);
		f->where[i] = j;
	}
	for (j = 0; count > t->in_file && j < count; j++) {
		int64_t at = csv_column_find(t, names[j]);

		if (at < 0 || (size_t)at >= t->in_file)
			return other_header(f, names[j], false);
	}
	return ETL_OK;
}

int csv_file_open(const struct csv_table *table, const struct files_entry *entry, struct csv_file *ret,
		  struct etl_error *err)
{
	struct csv_file f = { .inst = table->inst, .format = &table->format, .entry = entry, .err = err };
	struct arena memory = { 0 };
	const char **names = NULL, *only = table->in_file ? table->columns[0].name : "";
	size_t count = 0;
	int rc = open_scan(&f);

	if (!rc)
		rc = read_names(&f, &memory, &names, &count);
	/* Without a header, lines that are all empty are the NULLs of one column, whatever it is called. */
	if (!rc && count == 0 && !f.format->header && table->in_file == 1) {
		names = &only;
		count = 1;
	}
	if (!rc && count > 0)
		rc = map_columns(&f, table, names, count);
	etl_arena_free(&memory);
	if (rc) {
		csv_file_close(&f);
		return rc;
	}
	/* What is beyond is counted, and makes the record one of too many fields. */
	csv_scan_limit(f.scan, f.fields + 1);
	*ret = f;
	return ETL_OK;
}
