/*
 * A file is read twice when something depends on the whole of it: on what stands behind its records, on which of several layouts
 * it has, or on whether it ends as it should. The first time records are only skipped.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "open.h"

#define CHUNK ((size_t)256 << 10)

static int no_memory(struct open_file *f)
{
	return f->inst->host->fail(f->err, ETL_MEMORY, NULL, 0, "json: no memory to read %s",
				   f->entry ? f->entry->name : f->table->name);
}

const char *json_file_name(const struct etl_instance *inst, const struct files_entry *entry)
{
	return files_is_standard(inst->files) ? "" : files_label(inst->files, entry);
}

int open_file_init(struct open_file *f, struct etl_instance *inst, const struct json_table *table, struct etl_error *err)
{
	memset(f, 0, sizeof(*f));
	f->inst = inst;
	f->table = table;
	f->err = err;
	f->work.texts = &inst->texts;
	names_init(&f->names);
	f->buffer = malloc(CHUNK + JSON_PADDING);
	f->outer = json_tree_new(&inst->limits);
	f->splits = calloc(table->layout_count + 1, sizeof(struct json_split *));
	f->lets = calloc(table->let_count + 1, sizeof(*f->lets));
	f->constants = calloc(table->column_count + 1, sizeof(*f->constants));
	if (!f->buffer || !f->outer || !f->splits || !f->lets || !f->constants)
		return no_memory(f);
	for (size_t i = 0; i < table->let_count; i++)
		f->lets[i].let = &table->lets[i];
	return ETL_OK;
}

void open_file_end(struct open_file *f)
{
	json_input_close(f->input);
	f->input = NULL;
	free(f->outer_text);
	f->outer_text = NULL;
	f->has_outer = false;
	f->blamed = NULL;
	f->names.count = 0;
	if (f->constants)
		memset(f->constants, 0, (f->table->column_count + 1) * sizeof(*f->constants));
	json_pool_reset(&f->work.pool);
}

void open_file_free(struct open_file *f)
{
	open_file_end(f);
	for (size_t i = 0; f->splits && i < f->table->layout_count; i++)
		json_split_free(f->splits[i]);
	free(f->splits);
	for (size_t i = 0; f->lets && i < f->table->let_count; i++) {
		files_list_clear(&f->lets[i].list);
		free(f->lets[i].text);
	}
	free(f->lets);
	free(f->constants);
	json_tree_free(f->outer);
	free(f->buffer);
	json_pool_free(&f->work.pool);
}

struct changes json_changes_of(const struct json_tree *tree)
{
	return (struct changes){ { [CHANGE_MEMBERS] = json_tree_dropped(tree), [CHANGE_NONFINITE] = json_tree_nonfinite(tree) } };
}

void json_changes_add(struct changes *to, const struct changes *now, const struct changes *before)
{
	for (size_t i = 0; i < CHANGES; i++)
		to->at[i] += now->at[i] - before->at[i];
}

/* ---- Bytes into records -------------------------------------------------------------------------------------- */

static int use_layout(struct open_file *f, size_t i)
{
	const struct json_layout *layout = &f->table->layouts[i];

	f->layout = layout;
	if (!f->splits[i]) {
		const struct json_split_plan plan = { .cut = layout->cut,
						      .names = layout->container,
						      .name_count = layout->container_count,
						      .max_record = f->inst->max_record };

		f->splits[i] = json_split_new(&plan);
	}
	f->split = f->splits[i];
	return f->split ? ETL_OK : no_memory(f);
}

static int feed(struct open_file *f)
{
	size_t size = 0;
	int rc = json_input_read(f->input, f->buffer, CHUNK, &size, &f->fed_last, f->err);

	if (rc)
		return rc;
	json_split_feed(f->split, f->buffer, size, f->fed_last);
	return ETL_OK;
}

static int next(struct open_file *f, struct json_record *record, struct json_split_flaw *flaw)
{
	for (;;) {
		int rc;

		switch (json_split_next(f->split, record, flaw)) {
		case JSON_SPLIT_RECORD:
			return ETL_FILL_MORE;
		case JSON_SPLIT_END:
			return ETL_FILL_END;
		case JSON_SPLIT_FLAW:
			return OPEN_FILE_FLAW;
		case JSON_SPLIT_MORE:
			rc = f->inst->host->canceled(f->inst->host) ? ETL_CANCELED : feed(f);
			if (rc && f->inst->skip_broken && json_input_damage(f->input)) {
				*flaw = (struct json_split_flaw){ .code = "damaged" };
				snprintf(flaw->reason, sizeof(flaw->reason), "%s.", json_input_damage(f->input));
				return OPEN_FILE_FLAW;
			}
			if (rc)
				return rc;
			break;
		default:
			return no_memory(f);
		}
	}
}

int open_file_next(struct open_file *f, struct json_record *record, struct json_split_flaw *flaw)
{
	return next(f, record, flaw);
}

int open_file_again(struct open_file *f)
{
	json_split_reset(f->split);
	return json_input_rewind(f->input, f->err);
}

/* ---- The first look --------------------------------------------------------------------------------------------- */

static int seen_row(struct json_visit *self, const uint32_t *chain, size_t length)
{
	(void)self;
	(void)chain;
	(void)length;
	return 1;
}

/* Is there a row of the layout in the record? A record that is no JSON is a row that will be told of. */
static bool holds_row(struct open_file *f, const struct json_record *record)
{
	const struct json_layout *layout = f->layout;
	struct json_visit visit = { seen_row };
	struct json_flaw flaw;

	if (record->too_large || !layout->rows || json_tree_read(f->outer, record->text, record->size, &flaw) < 0)
		return true;
	if (layout->filter && !json_segment_lets(layout->filter, f->outer, 0))
		return false;
	if (layout->consumed == layout->rows->count)
		return true;
	return json_path_walk(layout->rows, layout->consumed, f->outer, 0, NULL, &visit) == 1;
}

/* To the end of the file. 1: it has rows of this layout; 0: it has none; or as next. */
static int look_through(struct open_file *f, struct json_split_flaw *flaw)
{
	bool sought = f->table->layout_count > 1, found = !sought, names = f->layout->cut == JSON_CUT_MEMBERS;
	struct json_record record;
	int rc;

	json_split_reset(f->split);
	while ((rc = next(f, found && !names ? NULL : &record, flaw)) == ETL_FILL_MORE)
		found = found || holds_row(f, &record);
	if (rc != ETL_FILL_END)
		return rc;
	return found && json_split_found(f->split);
}

static int keep_outer(struct open_file *f)
{
	struct changes before = json_changes_of(f->outer), now;
	struct json_flaw flaw;
	size_t size;
	const char *text = json_split_outer(f->split, &size);

	f->outer_text = malloc(size + JSON_PADDING);
	if (!f->outer_text)
		return no_memory(f);
	memcpy(f->outer_text, text, size);
	memset(f->outer_text + size, 0, JSON_PADDING);
	if (size == 0)
		return ETL_OK;
	if (json_tree_read(f->outer, f->outer_text, size, &flaw) < 0)
		return f->inst->host->fail(f->err, ETL_FATAL, NULL, 0, "json: %s: what is beside the records: %s (%s)",
					   files_label(f->inst->files, f->entry), flaw.reason, flaw.code);
	now = json_changes_of(f->outer);
	json_changes_add(&f->changes, &now, &before);
	f->has_outer = true;
	return ETL_OK;
}

/* Which layout the file has; the last one when it has rows of none. */
static int find_layout(struct open_file *f, struct json_split_flaw *flaw)
{
	int rc = ETL_OK;

	for (size_t i = 0; i < f->table->layout_count; i++) {
		rc = i ? json_input_rewind(f->input, f->err) : ETL_OK;
		if (!rc)
			rc = use_layout(f, i);
		if (!rc)
			rc = look_through(f, flaw);
		if (rc != 0)
			break;
	}
	f->looked = rc >= 0;
	f->without_rows += rc == 0;
	if (rc >= 0 && f->layout->outer)
		rc = keep_outer(f);
	return rc < 0 ? rc : json_input_rewind(f->input, f->err);
}

/* ---- Opening ---------------------------------------------------------------------------------------------------------- */

static void name_captures(struct open_file *f)
{
	const char *const *names;
	size_t count = files_pattern_captures(f->table->files, &names);

	for (size_t i = 0; i < count; i++)
		names_set(&f->names, names[i], f->entry->captures[i], strlen(f->entry->captures[i]));
}

int open_file_begin(struct open_file *f, const struct files_entry *entry, bool check, struct json_split_flaw *flaw)
{
	int rc;

	open_file_end(f);
	f->entry = entry;
	f->looked = false;
	rc = json_input_open(f->inst, entry, &f->changes, &f->input, f->err);
	if (!rc && f->inst->skip_broken)
		json_input_be_quiet(f->input);
	if (!rc && (check || f->table->layout_count > 1 || f->table->layouts[0].outer))
		rc = find_layout(f, flaw);
	else if (!rc)
		rc = use_layout(f, 0);
	if (!rc) {
		name_captures(f);
		rc = open_file_lets(f, flaw);
	}
	if (!rc)
		json_split_reset(f->split);
	if (rc == OPEN_FILE_FLAW)
		json_input_forget(f->input);
	return rc == OPEN_FILE_FLAW ? FILE_BROKEN : rc ? rc : FILE_READY;
}
