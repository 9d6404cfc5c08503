/*
 * From records to rows. The path of the rows is followed in each record; a record may hold none, one or millions, so where they
 * are is noted first and they are given one by one.
 *
 * Of rows with one key, when the pipeline asks for the first or the last of them, what may have them is gone through once before,
 * or more often where memory has no room for all keys: the file, or all files where the key does not say which file it is.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "rows.h"

#define KEYS_SHARE 2 /* of memory_limit: the keys that are known at a time, for doubles, take at most a half */
#define SEEN_ROOM  4 /* slots for a key, when a table has just grown */

static int no_memory(struct rows *r)
{
	return r->inst->host->fail(r->err, ETL_MEMORY, NULL, 0, "json: no memory for the rows of \"%s\"",
				   r->table->name);
}

void json_add_place(struct etl_text *to, const char *label, uint64_t line, uint64_t column, uint64_t offset)
{
	etl_text_add(to, label);
	if (line > 0)
		etl_text_addf(to, ":%llu:%llu (byte %llu)", (unsigned long long)line, (unsigned long long)column,
			      (unsigned long long)offset);
}

/* ---- The rows of a record -------------------------------------------------------------------------------------- */

struct noting {
	struct json_visit visit; /* first */
	struct rows *rows;
};

static int note_row(struct json_visit *self, const uint32_t *chain, size_t length)
{
	struct rows *r = ((struct noting *)(void *)self)->rows;

	if (r->chain_count + length > r->chain_room) {
		size_t room = r->chain_room ? 2 * r->chain_room : 256;
		uint32_t *chains;

		while (room < r->chain_count + length)
			room *= 2;
		chains = realloc(r->chains, room * sizeof(*chains));
		if (!chains)
			return no_memory(r);
		r->chains = chains;
		r->chain_room = room;
	}
	if (length)
		memcpy(r->chains + r->chain_count, chain, length * sizeof(*chain));
	r->chain_count += length;
	r->row_count++;
	return 0;
}

static int name_record(struct rows *r)
{
	const struct json_layout *layout = r->file.layout;
	struct json_value v = { .text = r->record.key, .size = r->record.key_size };
	char *to;

	r->file.names.count = r->file_names;
	if (!layout->capture)
		return ETL_OK;
	if (r->record.key && memchr(r->record.key, '\\', r->record.key_size)) {
		to = json_pool_take(&r->record_work.pool, r->record.key_size + 1);
		if (!to)
			return no_memory(r);
		if (json_text_resolve(r->record.key, r->record.key_size, r->record_work.texts, to, &v.size))
			to = NULL;
		v.text = to;
	}
	names_set(&r->file.names, layout->capture, v.text, v.size);
	return ETL_OK;
}

/* The file that the flaw is in: its own, or one that `let` looks into for it. */
const struct files_entry *json_rows_flawed(const struct rows *r)
{
	const struct let_value *let = r->file.blamed;

	return let && let->entry < let->list.count ? &let->list.at[let->entry] : r->file.entry;
}

static int flawed(struct rows *r, const struct json_split_flaw *flaw)
{
	const char *label = files_label(r->inst->files, json_rows_flawed(r));
	struct etl_text where = { 0 }, why = { 0 };
	int rc;

	if (r->inst->skip_broken)
		return r->sink ? r->sink->broken(r->sink, r->file.entry, flaw) : ETL_OK;
	json_add_place(&where, label, flaw->line, flaw->column, flaw->offset);
	if (r->file.blamed)
		etl_text_addf(&why, "The table \"%s\" looks up let \"%s\" in it. ", r->table->name, r->file.blamed->let->name);
	rc = where.failed || why.failed ?
		     no_memory(r) :
		     r->inst->host->fail(r->err, ETL_FATAL, NULL, 0,
					 "json: %s: %s: %s %sMend the file, or leave it out with on_broken = \"skip\".",
					 where.at, flaw->code, flaw->reason, why.at ? why.at : "");
	etl_text_free(&where);
	etl_text_free(&why);
	return rc;
}

static bool is_no_json(const char *code)
{
	return strcmp(code, "not_json") == 0 || strcmp(code, "cut_short") == 0 || strcmp(code, "invalid_utf8") == 0;
}

static int tell_bad(struct rows *r, const struct json_flaw *flaw)
{
	return r->sink ? r->sink->bad(r->sink, &r->record, flaw) : ETL_OK;
}

/* A record that is all of its file and no JSON is a broken file; any other leaves its neighbours as they are. */
static int bad_record(struct rows *r, const struct json_flaw *flaw)
{
	struct json_split_flaw whole = { .code = flaw->code, .offset = r->record.offset + flaw->at };

	if (json_split_chosen(r->file.split) != JSON_CUT_WHOLE || !is_no_json(flaw->code))
		return tell_bad(r, flaw);
	json_record_place(&r->record, flaw->at, &whole.line, &whole.column);
	snprintf(whole.reason, sizeof(whole.reason), "%s", flaw->reason);
	return flawed(r, &whole);
}

/* What is missing costs no record: both are whole, so it is told for itself, without the text of either. */
static int tell_unseparated(struct rows *r)
{
	bool lines = json_split_chosen(r->file.split) == JSON_CUT_LINES;
	struct json_record none = r->record;
	struct json_flaw flaw = { .code = "not_json" };

	none.size = 0;
	snprintf(flaw.reason, sizeof(flaw.reason), "A %s is missing before this record. The records on both sides of it were read.",
		 lines ? "line break" : "comma");
	return r->sink ? r->sink->bad(r->sink, &none, &flaw) : ETL_OK;
}

/* True: r->tree is the record. */
static bool parse_record(struct rows *r, struct json_flaw *flaw)
{
	do {
		if (r->record.too_large) {
			flaw->code = "too_large";
			snprintf(flaw->reason, sizeof(flaw->reason), "The record is larger than max_row (%zu bytes).",
				 r->inst->max_record);
		} else if (json_tree_read(r->tree, r->record.text, r->record.size, flaw) == 0) {
			return true;
		}
	} while (strcmp(flaw->code, "no_memory") != 0 && json_split_line_again(r->file.split, &r->record));
	return false;
}

static int read_record(struct rows *r)
{
	const struct json_layout *layout = r->file.layout;
	struct noting noting = { { note_row }, r };
	struct json_flaw flaw = { 0 };
	int rc = ETL_OK;

	r->row = r->row_count = r->chain_count = 0;
	r->chain_length = layout->rows ? layout->rows->count - layout->consumed : 0;
	memset(r->work.nearby, 0, sizeof(r->work.nearby));
	r->work.records++;
	json_pool_reset(&r->record_work.pool);
	if (r->record.unseparated)
		rc = tell_unseparated(r);
	if (rc)
		return rc;
	if (!parse_record(r, &flaw))
		return strcmp(flaw.code, "no_memory") == 0 ? no_memory(r) : bad_record(r, &flaw);
	if (layout->filter && !json_segment_lets(layout->filter, r->tree, 0))
		return ETL_OK;
	rc = name_record(r);
	if (rc)
		return rc;
	if (r->chain_length == 0)
		return note_row(&noting.visit, NULL, 0);
	return json_path_walk(layout->rows, layout->consumed, r->tree, 0, NULL, &noting.visit);
}

/* The names of members that the rows' path stands for, of this row. */
static void name_row(struct rows *r)
{
	const struct json_layout *layout = r->file.layout;
	size_t names = r->file_names + (layout->capture != NULL);

	r->file.names.count = names;
	for (size_t i = 0; i < r->chain_length; i++) {
		const struct json_segment *segment = &layout->rows->segments[layout->consumed + i];
		struct json_value v;

		if (json_segment_kind(segment) != JSON_SELECT_CAPTURE)
			continue;
		if (json_value_of(&v, r->tree, r->now.chain[i] - 1, &r->work))
			v.text = NULL;
		names_set(&r->file.names, json_segment_name(segment), v.text, v.size);
	}
}

static void stand_on_row(struct rows *r)
{
	json_pool_reset(&r->work.pool);
	r->now = (struct row){ .tree = r->tree,
			       .chain = r->chain_length ? r->chains + r->row * r->chain_length : NULL,
			       .chain_length = r->chain_length,
			       .outer = r->file.has_outer ? r->file.outer : NULL,
			       .names = &r->file.names,
			       .file = r->file.entry->name,
			       .file_name = json_file_name(r->inst, r->file.entry),
			       .record = r->record.index,
			       .line = r->record.line };
	r->now.node = r->chain_length ? r->now.chain[r->chain_length - 1] : 0;
	r->row++;
	r->number++;
	name_row(r);
}

/* ---- Rows that are passed over ------------------------------------------------------------------------------------ */

static bool is_kind(const struct rows *r)
{
	size_t count;
	const struct json_node *n = json_tree_nodes(r->tree, &count) + r->now.node;

	switch (r->file.layout->kinds) {
	case KINDS_OBJECT:
		return n->kind == JSON_OBJECT;
	case KINDS_ARRAY:
		return n->kind == JSON_ARRAY;
	case KINDS_SCALAR:
		return n->kind != JSON_OBJECT && n->kind != JSON_ARRAY;
	default:
		return true;
	}
}

/* NULL, or what is wrong: a row of no values at all is none. */
static const char *misfit(const struct rows *r)
{
	uint32_t within = r->file.layout->within;
	size_t count;
	const struct json_node *n = json_tree_nodes(r->tree, &count) + r->now.node;

	if (!within || (n->kind == JSON_OBJECT && within & WITHIN_OBJECTS) || (n->kind == JSON_ARRAY && within & WITHIN_ARRAYS))
		return NULL;
	return !(within & WITHIN_ARRAYS)  ? "The row is no object, and all columns are members of one; only = \"object\" passes over "
					    "such rows." :
	       !(within & WITHIN_OBJECTS) ? "The row is no array, and all columns are elements of one; only = \"array\" passes over "
					    "such rows." :
					    "The row is neither an object nor an array, and all columns are parts of one.";
}

static bool is_excepted(const struct rows *r)
{
	for (size_t i = 0; i + 1 < r->table->except_count; i += 2) {
		size_t size;
		const char *text = r->now.names->get.get(&r->now.names->get, r->table->except[i], &size);

		if (text && json_glob(r->table->except[i + 1], text, size))
			return true;
	}
	return false;
}

const char *json_rows_value(struct rows *r, size_t column, struct json_value *ret)
{
	const struct json_column *c = &r->file.layout->columns[column];
	struct constant *constant = &r->file.constants[column];

	if (!c->constant)
		return json_row_value(&r->now, c, &r->work, ret);
	if (!constant->known) {
		constant->code = json_row_value(&r->now, c, &r->file.work, &constant->value);
		constant->known = true;
	}
	*ret = constant->value;
	return constant->code;
}

/* A column of texts makes one of 1 and "1", of true and "true"; any other makes one of 1 and true. */
static void spell_key(const struct json_column *c, struct json_value *v)
{
	bool text = c->type.type == ETL_TEXT;

	if (v->state == VALUE_BOOL) {
		v->text = text ? (v->truth ? "true" : "false") : v->truth ? "1" : "0";
		v->size = strlen(v->text);
		v->state = VALUE_NUMBER;
	}
	if (text)
		v->state = VALUE_TEXT;
}

/* The hash of the row's key: its values with their kinds and lengths. False: one of them is missing, so it is no duplicate. */
static bool hash_key(struct rows *r, XXH128_hash_t *ret)
{
	XXH3_state_t state;

	XXH3_128bits_reset(&state);
	for (size_t i = 0; i < r->table->key_count; i++) {
		size_t at = json_column_find(r->table, r->table->key[i]);
		struct json_value v;

		if (json_rows_value(r, at, &v) || v.state == VALUE_ABSENT ||
		    v.state == VALUE_NULL)
			return false;
		spell_key(&r->table->layouts[0].columns[at], &v);
		XXH3_128bits_update(&state, &v.state, sizeof(v.state));
		XXH3_128bits_update(&state, &v.size, sizeof(v.size));
		XXH3_128bits_update(&state, v.text, v.size);
	}
	*ret = XXH3_128bits_digest(&state);
	return true;
}

static bool is_double(struct rows *r)
{
	return r->table->duplicates != DUPLICATES_KEEP && json_doubles_has(&r->doubles, r->number);
}

/* ETL_FILL_MORE: the row that it stands on comes; ETL_OK: it does not; or a negative status. */
static int judge(struct rows *r)
{
	const char *why;

	if (!is_kind(r) || is_excepted(r)) {
		r->skipped++;
		return ETL_OK;
	}
	why = misfit(r);
	if (why)
		return r->sink ? r->sink->misfit(r->sink, why) : ETL_OK;
	if (is_double(r)) {
		r->merged++;
		return ETL_OK;
	}
	return ETL_FILL_MORE;
}

/* ---- Files ---------------------------------------------------------------------------------------------------------- */

/* Stands on the next row of the open file, passed over or not. */
static int next_of_file(struct rows *r)
{
	struct json_split_flaw flaw;

	while (r->row == r->row_count) {
		int rc = open_file_next(&r->file, &r->record, &flaw);

		if (rc == OPEN_FILE_FLAW)
			return flawed(r, &flaw);
		if (rc != ETL_FILL_MORE)
			return rc;
		rc = read_record(r);
		if (rc)
			return rc;
	}
	stand_on_row(r);
	return ETL_FILL_MORE;
}

static int file_again(struct rows *r)
{
	r->row = r->row_count = 0;
	r->number = 0;
	return open_file_again(&r->file);
}

struct changes json_rows_changes(const struct rows *r)
{
	struct changes changes = json_changes_of(r->tree), none = { { 0 } };

	json_changes_add(&changes, &r->file.changes, &none);
	json_changes_add(&changes, &none, &r->only_seen);
	return changes;
}

/* One pass over what NEXT gives. */
static int note_keys(struct rows *r, int (*next)(struct rows *))
{
	XXH128_hash_t hash;
	int rc;

	while ((rc = next(r)) == ETL_FILL_MORE) {
		if (is_kind(r) && !is_excepted(r) && !misfit(r) && hash_key(r, &hash) &&
		    !json_doubles_add(&r->doubles, hash.high64, hash.low64, r->number))
			return no_memory(r);
	}
	return rc;
}

/* Which rows of what NEXT gives are doubles; then it stands before the first of them again. What such a pass counts is not told:
 * the one that reads counts it again. */
static int find_doubles(struct rows *r, int (*next)(struct rows *), int (*again)(struct rows *))
{
	struct rows_sink *sink = r->sink;
	uint64_t misfits = r->work.misfits, without_rows = r->file.without_rows, replaced = r->inst->texts.replaced;
	struct changes before = json_rows_changes(r), now;
	int64_t limit = r->inst->host->memory / (int64_t)(KEYS_SHARE * SEEN_ROOM * sizeof(struct seen_slot));
	int rc;

	r->sink = NULL; /* the pass that reads tells it */
	json_doubles_begin(&r->doubles, limit > 0 ? (size_t)limit : 1, r->table->duplicates == DUPLICATES_LAST);
	do {
		rc = note_keys(r, next);
		if (!rc)
			rc = again(r);
	} while (!rc && json_doubles_more(&r->doubles));
	r->sink = sink;
	r->work.misfits = misfits;
	r->file.work.misfits = 0;
	r->file.without_rows = without_rows;
	r->inst->texts.replaced = replaced;
	now = json_rows_changes(r);
	json_changes_add(&r->only_seen, &now, &before);
	return rc;
}

static int open_next(struct rows *r)
{
	const struct files_entry *entry = &r->list->at[r->next++];
	struct json_split_flaw flaw;
	int rc;

	if (json_table_leaves_out(r->table, entry))
		return ETL_OK;
	rc = open_file_begin(&r->file, entry, r->inst->skip_broken, &flaw);
	r->work.files++;
	r->row = r->row_count = 0;
	if (!r->table->across)
		r->number = 0;
	if (rc == FILE_BROKEN)
		return flawed(r, &flaw);
	if (rc)
		return rc;
	r->file_names = r->file.names.count;
	r->open = true;
	return r->table->duplicates == DUPLICATES_KEEP || r->table->across ? ETL_OK : find_doubles(r, next_of_file, file_again);
}

static void close_file(struct rows *r)
{
	r->open = false;
	r->file.without_rows += !r->file.looked && !json_split_found(r->file.split);
	open_file_end(&r->file);
}

/* Stands on the next row of all files. */
static int next_of_all(struct rows *r)
{
	for (;;) {
		int rc;

		if (!r->open) {
			if (r->next == r->end)
				return ETL_FILL_END;
			rc = open_next(r);
			if (rc)
				return rc;
			continue;
		}
		rc = next_of_file(r);
		if (rc != ETL_FILL_END)
			return rc;
		close_file(r);
	}
}

static int all_again(struct rows *r)
{
	r->next = r->first;
	r->number = 0;
	for (size_t i = 0; i < r->table->let_count; i++)
		r->file.lets[i].known = false;
	return ETL_OK;
}

int json_rows_next(struct rows *r)
{
	int rc = ETL_OK;

	if (r->table->across && !r->looked)
		rc = find_doubles(r, next_of_all, all_again);
	r->looked = true;
	while (!rc) {
		rc = next_of_all(r);
		if (rc != ETL_FILL_MORE)
			return rc;
		rc = judge(r);
	}
	return rc;
}

int json_rows_begin(struct rows *r, struct etl_instance *inst, const struct json_table *table,
		    const struct files_list *list, size_t first, size_t end, struct rows_sink *sink, struct etl_error *err)
{
	int rc;

	memset(r, 0, sizeof(*r));
	r->inst = inst;
	r->table = table;
	r->err = err;
	r->sink = sink;
	r->list = list;
	r->first = r->next = first;
	r->end = end;
	r->work.texts = r->record_work.texts = &inst->texts;
	rc = open_file_init(&r->file, inst, table, err);
	r->tree = json_tree_new(&inst->limits);
	r->work.known = calloc(table->known_count + 1, sizeof(*r->work.known));
	return rc ? rc : r->tree && r->work.known ? ETL_OK : no_memory(r);
}

void json_rows_end(struct rows *r)
{
	open_file_free(&r->file);
	json_tree_free(r->tree);
	json_pool_free(&r->work.pool);
	free(r->work.known);
	json_pool_free(&r->record_work.pool);
	json_doubles_free(&r->doubles);
	free(r->chains);
}
