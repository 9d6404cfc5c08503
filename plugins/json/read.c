/*
 * The stream of rows: each row's columns into a batch, and what does not go in into the rejects, with its file, line, column and
 * byte.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rows.h"

#define CANCEL_ROWS 1024
#define RAW_MAX	    (64 << 10) /* bytes of a record in a reject */
#define NOT_A_ROW   " "        /* before a brace: else it would be taken for a row that is written as JSON, in one line */

struct reading {
	struct etl_producer producer;   /* first: the stream hands it back */
	struct rows_sink sink;
	struct etl_instance *inst;
	struct etl_error *err;
	struct etl_context *context;
	struct json_table *table;
	struct files_list list;
	struct ArrowSchema want;
	size_t *columns;                /* beside the wanted ones: which of the table */
	struct rows rows;
	int64_t limit, given, ordinal;
	uint64_t replaced;              /* told already, as is the next */
	struct changes changed;
};

static struct reading *of_sink(struct rows_sink *sink)
{
	return (struct reading *)(void *)((char *)(void *)sink - offsetof(struct reading, sink));
}

static int no_memory(struct reading *r)
{
	return r->inst->host->fail(r->err, ETL_MEMORY, NULL, 0, "json: no memory to read \"%s\"", r->table->name);
}

/* ---- Rejects --------------------------------------------------------------------------------------------------- */

/* Of byte AT of the record that is open. */
static void add_place_in(struct reading *r, struct etl_text *to, size_t at)
{
	uint64_t line, column;

	json_record_place(&r->rows.record, at, &line, &column);
	json_add_place(to, files_label(r->inst->files, r->rows.file.entry), line, column, r->rows.record.offset + at);
}

static int reject(struct reading *r, struct etl_reject *what, struct etl_text *reason, struct etl_text *raw)
{
	int rc;

	what->reason = reason->at;
	what->raw = raw && raw->length ? raw->at : NULL;
	what->ordinal = r->ordinal++;
	rc = reason->failed || (raw && raw->failed) ? no_memory(r) : r->inst->host->reject(r->context, what);
	etl_text_free(reason);
	if (raw)
		etl_text_free(raw);
	return rc;
}

static int reject_file(struct rows_sink *sink, const struct files_entry *entry, const struct json_split_flaw *flaw)
{
	struct reading *r = of_sink(sink);
	const struct let_value *let = r->rows.file.blamed;
	const char *label = files_label(r->inst->files, entry);
	struct etl_reject what = { .code = "broken_file", .key = label };
	struct etl_text reason = { 0 };

	if (let)
		etl_text_addf(&reason, "%s: let \"%s\" looks into ", label, let->let->name);
	json_add_place(&reason, files_label(r->inst->files, json_rows_flawed(&r->rows)), flaw->line, flaw->column, flaw->offset);
	etl_text_addf(&reason, ": %s: %s No row of the file was taken into \"%s\".", flaw->code, flaw->reason,
		      r->table->name);
	r->inst->host->log(r->inst->host, ETL_LOG_WARN, "%s", reason.at ? reason.at : label);
	return reject(r, &what, &reason, NULL);
}

static int reject_record(struct rows_sink *sink, const struct json_record *record, const struct json_flaw *flaw)
{
	struct reading *r = of_sink(sink);
	struct etl_reject what = { .code = flaw->code };
	struct etl_text reason = { 0 }, raw = { 0 };
	size_t size = record->size < RAW_MAX ? record->size : RAW_MAX;

	add_place_in(r, &reason, flaw->at);
	etl_text_addf(&reason, ", table \"%s\": %s", r->table->name, flaw->reason);
	if (record->size == size && etl_utf8_valid(record->text, size) == size) {
		etl_text_add(&raw, size > 0 && *record->text == '{' ? NOT_A_ROW : "");
		etl_text_add_bytes(&raw, record->text, size);
	}
	return reject(r, &what, &reason, &raw);
}

/* Line breaks between the parts of arrays and objects; there is none in a string. */
static void make_one_line(struct etl_text *text)
{
	for (char *at = text->at; at && *at; at++)
		if (*at == '\n' || *at == '\r')
			*at = ' ';
}

/* A row that is no row. */
static int reject_misfit(struct rows_sink *sink, const char *why)
{
	struct reading *r = of_sink(sink);
	struct etl_reject what = { .code = "not_a_row" };
	struct etl_text reason = { 0 }, raw = { 0 };
	size_t count, size;
	const struct json_node *n = json_tree_nodes(r->rows.tree, &count) + r->rows.now.node;
	size_t quotes = n->kind == JSON_STRING && !(n->flags & JSON_BARE);

	add_place_in(r, &reason, n->at - quotes);
	etl_text_addf(&reason, ", table \"%s\": %s", r->table->name, why);
	size = (size_t)n->size + 2 * quotes;
	if (size <= RAW_MAX) {
		etl_text_add(&raw, n->kind == JSON_OBJECT ? NOT_A_ROW : "");
		etl_text_add_bytes(&raw, json_tree_text(r->rows.tree) + n->at - quotes, size);
	}
	make_one_line(&raw);
	return reject(r, &what, &reason, &raw);
}

static void add_value(struct etl_text *to, const struct json_value *v, struct work *w)
{
	size_t size;
	const char *text = v->state == VALUE_ABSENT ? "null" : json_value_as_json(v, w, &size);

	if (v->state == VALUE_ABSENT)
		size = 4;
	if (!text)
		to->failed = true;
	else
		etl_text_add_bytes(to, text, size);
}

/* The row as an object of its columns. */
static void add_row(struct reading *r, struct etl_text *raw)
{
	for (int64_t i = 0; i < r->want.n_children; i++) {
		const char *name = r->want.children[i]->name;
		struct json_value v;

		if (json_rows_value(&r->rows, r->columns[i], &v))
			v.state = VALUE_ABSENT;
		etl_text_add(raw, i ? "," : "{");
		etl_text_add_json(raw, name, strlen(name));
		etl_text_add(raw, ":");
		add_value(raw, &v, &r->rows.work);
	}
	etl_text_add(raw, "}");
	make_one_line(raw);
}

static void add_shortened(struct etl_text *to, const struct json_value *v, struct work *w)
{
	struct etl_text text = { 0 };
	size_t size;

	add_value(&text, v, w);
	size = text.length;
	if (size > 80)
		size = etl_utf8_valid(text.at, 80);
	if (text.at)
		etl_text_add_bytes(to, text.at, size);
	etl_text_add(to, size < text.length ? "…" : "");
	etl_text_free(&text);
}

static int reject_row(struct reading *r, int64_t column, const struct json_value *v, const char *code)
{
	const char *name = r->want.children[column]->name;
	struct etl_reject what = { .code = code, .column = name, .schema = &r->want };
	struct etl_text reason = { 0 }, raw = { 0 };
	size_t count;
	char type[64];

	if (strcmp(code, "no_memory") == 0)
		return no_memory(r);
	add_place_in(r, &reason, json_tree_nodes(r->rows.tree, &count)[r->rows.now.node].at);
	etl_text_addf(&reason, ", table \"%s\": column \"%s\" ", r->table->name, name);
	if (strcmp(code, "not_null") == 0) {
		etl_text_add(&reason, v->state == VALUE_NULL ? "is null" : "has no value");
		etl_text_add(&reason, ", and must have one");
	} else {
		etl_text_add(&reason, "holds ");
		add_shortened(&reason, v, &r->rows.work);
		etl_text_addf(&reason, ", which does not go into %s exactly (%s)",
			      etl_type_name(etl_type_of(r->want.children[column]), type, sizeof(type)), code);
	}
	add_row(r, &raw);
	return reject(r, &what, &reason, &raw);
}

/* ---- Rows ------------------------------------------------------------------------------------------------------- */

static int put_row(struct reading *r, struct etl_builder *b)
{
	const struct json_layout *layout = r->rows.file.layout;
	int64_t rows = etl_builder_rows(b);

	for (int64_t i = 0; i < b->count; i++) {
		const struct json_column *c = &layout->columns[r->columns[i]];
		bool nullable = r->want.children[i]->flags & ARROW_FLAG_NULLABLE && !c->required;
		struct json_value v;
		const char *code = json_rows_value(&r->rows, r->columns[i], &v);

		if (!code)
			code = json_put(&b->columns[i], &v, nullable, &r->rows.work);
		if (code) {
			etl_builder_truncate(b, rows);
			return reject_row(r, i, &v, code);
		}
	}
	r->ordinal++;
	r->given++;
	return ETL_OK;
}

static void tell_changes(struct reading *r)
{
	static const struct {
		const char *code, *what;
	} told[] = {
		[CHANGE_MEMBERS] = { "duplicate_member", "members of one name in one object of which one counted" },
		[CHANGE_NONFINITE] = { "not_finite", "NaN or infinities, for which JSON has no number, became null or their name" },
		[CHANGE_MARKS] = { "byte_order_mark", "byte order marks inside of files passed over" },
		[CHANGE_UTF16] = { "utf16", "files of UTF-16 were converted" },
	};
	struct changes now = json_rows_changes(&r->rows);

	for (size_t i = 0; i < CHANGES; i++)
		if (now.at[i] > r->changed.at[i])
			r->inst->host->noted(r->context, told[i].code, told[i].what, now.at[i] - r->changed.at[i]);
	r->changed = now;
}

static void tell_counts(struct reading *r)
{
	const struct etl_host *host = r->inst->host;

	if (r->rows.skipped)
		host->count(r->context, ETL_COUNT_FILTERED, r->rows.skipped);
	if (r->rows.merged)
		host->count(r->context, ETL_COUNT_MERGED, r->rows.merged);
	r->rows.work.misfits += r->rows.file.work.misfits;
	r->rows.file.work.misfits = 0;
	if (r->rows.work.misfits)
		host->noted(r->context, "not_numeric", "values that a filter could not read became none", r->rows.work.misfits);
	if (r->inst->texts.replaced > r->replaced)
		host->noted(r->context, "replaced", "characters replaced by U+FFFD", r->inst->texts.replaced - r->replaced);
	if (r->rows.file.without_rows)
		host->noted(r->context, "no_rows", "files have nothing where the rows should be", r->rows.file.without_rows);
	r->rows.skipped = r->rows.merged = r->rows.work.misfits = r->rows.file.without_rows = 0;
	r->replaced = r->inst->texts.replaced;
	tell_changes(r);
}

static int fill(struct etl_producer *self, struct etl_builder *b)
{
	struct reading *r = (struct reading *)(void *)self;
	int64_t looked = 0;
	int rc = ETL_FILL_MORE;

	while (rc == ETL_FILL_MORE && !etl_builder_full(b, r->inst->host)) {
		if (looked++ % CANCEL_ROWS == 0 && r->inst->host->canceled(r->inst->host))
			return ETL_CANCELED;
		if (r->limit > 0 && r->given >= r->limit)
			rc = ETL_FILL_END;
		else
			rc = json_rows_next(&r->rows);
		if (rc == ETL_FILL_MORE && put_row(r, b) < 0)
			return ETL_FAILED;
	}
	tell_counts(r);
	return rc;
}

/* ---- Opening ------------------------------------------------------------------------------------------------------ */

static void close_reading(struct etl_producer *self)
{
	struct reading *r = (struct reading *)(void *)self;

	if (r->rows.inst)
		json_rows_end(&r->rows);
	files_list_clear(&r->list);
	json_table_free(r->table);
	free(r->columns);
	if (r->want.release)
		r->want.release(&r->want);
	free(r);
}

static int find_columns(struct reading *r)
{
	r->columns = calloc((size_t)r->want.n_children + 1, sizeof(*r->columns));
	if (!r->columns)
		return no_memory(r);
	for (int64_t i = 0; i < r->want.n_children; i++) {
		r->columns[i] = json_column_find(r->table, r->want.children[i]->name);
		if (r->columns[i] == SIZE_MAX)
			return r->inst->host->fail(r->err, ETL_BUG, NULL, 0, "json: table \"%s\" has no column \"%s\"",
						   r->table->name, r->want.children[i]->name);
	}
	return ETL_OK;
}

static int start(struct reading *r, const struct etl_read *read, const struct etl_split *split)
{
	size_t first = 0, count = 0;
	int rc;

	if (read->keys)
		return r->inst->host->fail(r->err, ETL_USAGE, NULL, 0, "json: files are read whole, not by keys");
	if (!etl_schema_copy(&r->want, read->want))
		return no_memory(r);
	rc = find_columns(r);
	if (!rc)
		rc = files_list(r->inst->files, r->table->files, &r->list, r->err);
	if (!rc)
		rc = files_split(r->inst->files, &r->list, split, &first, &count, r->err);
	if (!rc)
		rc = json_rows_begin(&r->rows, r->inst, r->table, &r->list, first, first + count, &r->sink, r->err);
	return rc;
}

int json_read(struct etl_instance *inst, const struct etl_read *read, const struct etl_split *split,
	      struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct reading *r;
	int rc;

	if (inst->host->role == ETL_ROLE_TARGET)
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"rows that were written as JSON are not read back by the pipeline that writes them; leave "
					"out the validator that compares them (counts needs no reading), and compare with a "
					"pipeline whose source they are");
	r = calloc(1, sizeof(*r));
	if (!r)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory to read");
	*r = (struct reading){ .producer = { fill, close_reading },
			       .sink = { reject_file, reject_record, reject_misfit },
			       .inst = inst,
			       .err = err,
			       .context = read->context,
			       .replaced = inst->texts.replaced,
			       .limit = read->limit };
	rc = json_table_of(inst, &read->dataset, &r->table, err);
	if (!rc && !r->table)
		rc = inst->host->fail(err, ETL_USAGE, NULL, 0, "json: there is no table \"%s\" in the files",
				      read->dataset.table);
	if (rc) {
		free(r);
		return rc;
	}
	rc = start(r, read, split);
	if (!rc && !etl_stream_open(stream, inst->host, &r->want, &r->producer))
		rc = no_memory(r);
	if (rc)
		close_reading(&r->producer);
	return rc;
}
