/*
 * The stream of rows: each field into its column, and what does not go in into the rejects, with its file, line, column and byte.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "hex.h"

#define CANCEL_ROWS 1024
#define RAW_MAX	    (64 << 10) /* bytes of a line in a reject */
#define SHOWN	    80	       /* bytes of a value in a message */

struct reading {
	struct etl_producer producer; /* first: the stream hands it back */
	struct etl_instance *inst;
	struct etl_instance written; /* of what a run wrote: `inst` is this one, and its files are ours */
	struct etl_error *err;
	struct etl_context *context;
	struct csv_table *table;
	struct files_list list;
	size_t next, last; /* files */
	struct csv_file file;
	bool open;
	struct ArrowSchema want;
	size_t *columns; /* beside the wanted ones: which of the table */
	char *scratch;
	size_t room;
	int64_t limit, given, ordinal;
};

static int no_memory(struct reading *r)
{
	return r->inst->host->fail(r->err, ETL_MEMORY, NULL, 0, "csv: no memory to read \"%s\"",
				   r->table ? r->table->name : "");
}

/* ---- Rejects --------------------------------------------------------------------------------------------------------- */

static const char *label_of(const struct reading *r)
{
	return files_label(r->inst->files, r->file.entry);
}

static int reject(struct reading *r, struct etl_reject *what, const struct csv_record *record, struct etl_text *reason,
		  struct etl_text *raw)
{
	struct etl_text key = { 0 };
	int rc;

	etl_text_addf(&key, "%s:%llu", label_of(r), (unsigned long long)record->line);
	what->key = key.at;
	what->reason = reason->at;
	what->raw = raw->length ? raw->at : NULL;
	what->ordinal = r->ordinal++;
	rc = reason->failed || raw->failed || key.failed ? no_memory(r) : r->inst->host->reject(r->context, what);
	etl_text_free(&key);
	etl_text_free(reason);
	etl_text_free(raw);
	return rc;
}

/* "people.csv:3:1 (byte 30), table "people": "; the byte is the file's own, so of a converted one there is none. */
static void add_position(struct etl_text *to, const struct reading *r, uint64_t line, uint64_t column, uint64_t offset)
{
	etl_text_addf(to, "%s:%llu:%llu", label_of(r), (unsigned long long)line, (unsigned long long)column);
	if (!r->table->format.encoding)
		etl_text_addf(to, " (byte %llu)", (unsigned long long)offset);
	etl_text_addf(to, ", table \"%s\": ", r->table->name);
}

static void add_flaw(struct etl_text *to, const struct reading *r, const struct csv_record *record)
{
	if (strcmp(record->flaw, "too_few_fields") == 0 || strcmp(record->flaw, "too_many_fields") == 0)
		etl_text_addf(to, "the row has %zu field%s, the table %zu", record->count, record->count == 1 ? "" : "s",
			      r->file.fields);
	else if (strcmp(record->flaw, "max_row") == 0)
		etl_text_addf(to, "the row has more than the %lld bytes of max_row", (long long)r->inst->host->max_row);
	else if (strcmp(record->flaw, "bad_quote") == 0)
		etl_text_add(to, "a closing quote is followed by something else than a separator; a quote within quotes is "
				 "written twice");
	else
		etl_text_add(to, "a quote is never closed");
}

static int reject_record(struct reading *r, const struct csv_record *record)
{
	struct etl_reject what = { .code = record->flaw };
	struct etl_text reason = { 0 }, raw = { 0 };

	add_position(&reason, r, record->flaw_line, record->flaw_column, record->offset + record->flaw_at);
	add_flaw(&reason, r, record);
	/* What begins with a brace would be taken for a row that is written as JSON. */
	etl_text_add(&raw, record->size > 0 && record->text[0] == '{' ? " " : "");
	etl_text_add_bytes(&raw, record->text, record->size < RAW_MAX ? record->size : RAW_MAX);
	return reject(r, &what, record, &reason, &raw);
}

/* *ret is NULL: NULL. */
static int value_of(struct reading *r, const struct csv_record *record, size_t column, const char **ret, size_t *ret_size)
{
	const struct csv_column *c = &r->table->columns[column];
	const struct csv_format *f = &r->table->format;
	const struct csv_field *field;

	if (c->capture >= 0) {
		*ret = r->file.entry->captures[c->capture];
		*ret_size = strlen(*ret);
		return ETL_OK;
	}
	field = &record->fields[r->file.where[column]];
	if (!field->quoted && field->size == f->null_size &&
	    memcmp(record->text + field->at, f->null_text, field->size) == 0) {
		*ret = NULL;
		return ETL_OK;
	}
	if (field->doubled && field->size > r->room) {
		free(r->scratch);
		r->room = field->size;
		r->scratch = malloc(r->room);
		if (!r->scratch) {
			r->room = 0;
			return no_memory(r);
		}
	}
	*ret = csv_field_text(record, field, f->quote, r->scratch, ret_size);
	return ETL_OK;
}

/* The row as an object of its columns. */
static int add_row(struct reading *r, const struct csv_record *record, struct etl_text *raw)
{
	int64_t i;

	for (i = 0; i < r->want.n_children; i++) {
		const char *name = r->want.children[i]->name, *text;
		size_t size = 0;

		if (value_of(r, record, r->columns[i], &text, &size))
			return ETL_FAILED;
		etl_text_add(raw, i ? "," : "{");
		etl_text_add_json(raw, name, strlen(name));
		etl_text_add(raw, ":");
		if (text)
			etl_text_add_json(raw, text, size);
		else
			etl_text_add(raw, "null");
	}
	etl_text_add(raw, "}");
	return ETL_OK;
}

static void add_shown(struct etl_text *to, const char *text, size_t size)
{
	size_t shown = size;

	if (size > SHOWN)
		for (shown = SHOWN; shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80; shown--)
			;
	etl_text_add_json(to, text, shown);
	etl_text_add(to, shown < size ? "…" : "");
}

/* Where the field begins: of a capture, the row. */
static void add_place(struct etl_text *to, const struct reading *r, const struct csv_record *record, size_t column)
{
	const struct csv_column *c = &r->table->columns[column];
	size_t at = c->capture >= 0 ? 0 : record->fields[r->file.where[column]].at, line_at = 0, i;
	uint64_t line = record->line;

	if (at > 0 && c->capture < 0 && record->fields[r->file.where[column]].quoted)
		at--;
	for (i = 0; i < at; i++) {
		if (record->text[i] == '\n') {
			line++;
			line_at = i + 1;
		}
	}
	add_position(to, r, line, at - line_at + 1, record->offset + at);
}

static int reject_value(struct reading *r, const struct csv_record *record, int64_t i, const char *code)
{
	const char *name = r->want.children[i]->name, *text;
	struct etl_reject what = { .code = code, .column = name, .schema = &r->want };
	struct etl_text reason = { 0 }, raw = { 0 };
	const struct csv_column *c = &r->table->columns[r->columns[i]];
	size_t size = 0;
	char type[64];

	if (strcmp(code, "no_memory") == 0)
		return no_memory(r);
	if (value_of(r, record, r->columns[i], &text, &size))
		return ETL_FAILED;
	add_place(&reason, r, record, r->columns[i]);
	etl_text_addf(&reason, "column \"%s\" ", name);
	if (!text) {
		etl_text_add(&reason, "is NULL, and must have a value");
	} else if (strcmp(code, "invalid_utf8") == 0) {
		etl_text_add(&reason, "holds ");
		add_shown(&reason, text, size);
		etl_text_addf(&reason, ", which is no valid %s; look at encoding", r->table->format.encoding_word);
	} else {
		etl_text_add(&reason, "holds ");
		add_shown(&reason, text, size);
		etl_text_addf(&reason, ", which does not go into %s exactly (%s)",
			      etl_type_name(etl_type_of(r->want.children[i]), type, sizeof(type)), code);
		if (c->format)
			etl_text_addf(&reason, " by the format \"%s\"", c->format);
	}
	if (add_row(r, record, &raw))
		raw.failed = true;
	return reject(r, &what, record, &reason, &raw);
}

/* ---- Rows -------------------------------------------------------------------------------------------------------------- */

/* Bytes are hexadecimal digits, two each, as target.c writes them. */
static const char *put_bytes(struct reading *r, struct etl_column_builder *b, const char *text, size_t size)
{
	size_t i;

	if (size % 2)
		return "not_hexadecimal";
	if (size / 2 > r->room || !r->scratch) {
		char *more = realloc(r->scratch, size / 2 + 1);

		if (!more)
			return "no_memory";
		r->scratch = more;
		r->room = size / 2 + 1;
	}
	for (i = 0; i < size; i += 2) {
		int high = etl_hex_digit(text[i]), low = etl_hex_digit(text[i + 1]);

		if (high < 0 || low < 0)
			return "not_hexadecimal";
		r->scratch[i / 2] = (char)(high << 4 | low);
	}
	return etl_put_bytes(b, r->scratch, (int64_t)size / 2) ? NULL : "no_memory";
}

static bool is_number(int32_t type)
{
	return type == ETL_FLOAT32 || type == ETL_FLOAT64 || type == ETL_DECIMAL || type == ETL_NUMERIC;
}

static const char *put_text(struct etl_column_builder *b, const char *text, size_t size)
{
	if (etl_utf8_valid(text, size) != size)
		return "invalid_utf8";
	return etl_put_bytes(b, text, (int64_t)size) ? NULL : "no_memory";
}

static const char *put_value(struct reading *r, struct etl_column_builder *b, const struct csv_column *c, const char *text,
			     size_t size)
{
	char moment[CSV_MOMENT_MAX], number[CSV_NUMBER_MAX];

	if (b->type.type == ETL_TEXT)
		return put_text(b, text, size);
	if (b->type.type == ETL_BYTES)
		return put_bytes(r, b, text, size);
	if (c->format) {
		if (!csv_moment(c->format, text, size, moment))
			return "other_format";
		return etl_convert_text(b, moment, strlen(moment));
	}
	if (is_number(b->type.type))
		text = csv_number(text, size, r->table->format.decimal, number);
	return text ? etl_convert_text(b, text, size) : "not_a_number";
}

static int put_row(struct reading *r, const struct csv_record *record, struct etl_builder *b)
{
	int64_t rows = etl_builder_rows(b), i;

	for (i = 0; i < b->count; i++) {
		const char *text, *code = NULL;
		size_t size = 0;

		if (value_of(r, record, r->columns[i], &text, &size))
			return ETL_FAILED;
		if (text)
			code = put_value(r, &b->columns[i], &r->table->columns[r->columns[i]], text, size);
		else if (r->want.children[i]->flags & ARROW_FLAG_NULLABLE)
			etl_put_null(&b->columns[i]);
		else
			code = "not_null";
		if (code) {
			etl_builder_truncate(b, rows);
			return reject_value(r, record, i, code);
		}
	}
	r->ordinal++;
	r->given++;
	return ETL_OK;
}

/* CSV_RECORD; CSV_END after the last file. */
static int next_record(struct reading *r, struct csv_record *ret)
{
	int rc;

	for (;;) {
		if (!r->open && r->next == r->last)
			return CSV_END;
		if (!r->open) {
			rc = csv_file_open(r->table, &r->list.at[r->next++], &r->file, r->err);
			if (rc)
				return rc;
			r->open = true;
		}
		rc = csv_file_next(&r->file, ret);
		if (rc != CSV_END)
			return rc;
		csv_file_close(&r->file);
		r->open = false;
	}
}

static int fill(struct etl_producer *self, struct etl_builder *b)
{
	struct reading *r = (struct reading *)(void *)self;
	const struct etl_host *host = r->inst->host;
	struct csv_record record;
	int64_t looked = 0;
	int rc;

	while (!etl_builder_full(b, host)) {
		if (looked++ % CANCEL_ROWS == 0 && host->canceled(host))
			return ETL_CANCELED;
		if (r->limit > 0 && r->given >= r->limit)
			return ETL_FILL_END;
		rc = next_record(r, &record);
		if (rc != CSV_RECORD)
			return rc;
		rc = record.flaw ? reject_record(r, &record) : put_row(r, &record, b);
		if (rc)
			return rc;
	}
	return ETL_FILL_MORE;
}

/* ---- Opening -------------------------------------------------------------------------------------------------------------- */

static void close_reading(struct etl_producer *self)
{
	struct reading *r = (struct reading *)(void *)self;

	if (r->open)
		csv_file_close(&r->file);
	files_list_clear(&r->list);
	csv_table_free(r->table);
	files_free(r->written.files);
	free(r->columns);
	free(r->scratch);
	if (r->want.release)
		r->want.release(&r->want);
	free(r);
}

static int find_columns(struct reading *r)
{
	int64_t i, at;

	r->columns = calloc((size_t)r->want.n_children + 1, sizeof(*r->columns));
	if (!r->columns)
		return no_memory(r);
	for (i = 0; i < r->want.n_children; i++) {
		at = csv_column_find(r->table, r->want.children[i]->name);
		if (at < 0)
			return r->inst->host->fail(r->err, ETL_FATAL, NULL, 0, "csv: table \"%s\" has no column \"%s\" any more",
						   r->table->name, r->want.children[i]->name);
		r->columns[i] = (size_t)at;
	}
	return ETL_OK;
}

/* What this run wrote for a table and did not publish yet. */
static int find_written(struct reading *r, const struct etl_read *read)
{
	struct etl_token run;
	const char *file = csv_token_parts(read->dataset.token, &run);
	int rc;

	r->written = *r->inst;
	r->written.files = NULL;
	rc = files_output_look(r->inst->files, file, run.text, &r->written.files, r->err);
	r->inst = &r->written;
	if (rc)
		return rc;
	rc = csv_table_written(r->inst, read->dataset.table, read->dataset.options, read->want, &r->table, r->err);
	/* Where it waits it has another name. */
	if (!rc) {
		r->table->format.separator = csv_separator(&r->table->format, *file ? file : r->inst->root);
		r->table->format.separated = true;
	}
	return rc;
}

static int find_table(struct reading *r, const struct etl_read *read)
{
	const struct etl_host *host = r->inst->host;
	int rc;

	if (read->dataset.token)
		return find_written(r, read);
	if (!read->dataset.table || host->role != ETL_ROLE_SOURCE)
		return host->fail(r->err, ETL_USAGE, NULL, 0,
				  "csv: files that were published are not read back; validators look at them while they are "
				  "written, and a pipeline with them as its source reads them");
	rc = csv_table_new(r->inst, read->dataset.table, read->dataset.options, false, &r->table, r->err);
	if (!rc && !r->table)
		rc = host->fail(r->err, ETL_FATAL, NULL, 0, "csv: the file of table \"%s\" is gone", read->dataset.table);
	return rc;
}

static int start(struct reading *r, const struct etl_read *read, const struct etl_split *split)
{
	size_t first = 0, count = 0;
	int rc = find_table(r, read);

	if (rc)
		return rc;
	if (read->keys)
		return r->inst->host->fail(r->err, ETL_USAGE, NULL, 0,
					   "csv: rows of files cannot be found by their keys; run the pipeline again");
	if (!etl_schema_copy(&r->want, read->want))
		return no_memory(r);
	rc = find_columns(r);
	if (!rc)
		rc = files_list(r->inst->files, r->table->pattern, &r->list, r->err);
	if (!rc)
		rc = files_split(r->inst->files, &r->list, split, &first, &count, r->err);
	r->next = first;
	r->last = first + count;
	return rc;
}

int csv_read(struct etl_instance *inst, const struct etl_read *read, const struct etl_split *split,
	     struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct reading *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "csv: no memory to read");
	*r = (struct reading){ .producer = { fill, close_reading },
			       .inst = inst,
			       .err = err,
			       .context = read->context,
			       .limit = read->limit };
	rc = start(r, read, split);
	if (!rc && !etl_stream_open(stream, inst->host, &r->want, &r->producer))
		rc = no_memory(r);
	if (rc)
		close_reading(&r->producer);
	return rc;
}
