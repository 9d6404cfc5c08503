/*
 * One pass over all records of all files, then one more for keys. The files of a group are taken to be of one shape: what does
 * not fit the others makes columns that are often absent, which the proposal says.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer.h"
#include "rows.h"

/* What a file is. */
enum file_kind {
	FILE_NOTHING,                   /* of which no record could be read */
	FILE_ARRAY,
	FILE_LINES,
	FILE_OBJECT,
	FILE_LINE,                      /* an object on one line: the first of lines where others of its group are lines */
	FILE_KINDS
};

struct looking {
	struct etl_instance *inst;
	struct etl_error *err;
	struct inference *inference;
	struct json_tree *tree;
	struct work work;
	struct shape *tops[FILE_KINDS]; /* of the group's files, by what they are */
	enum file_kind *kinds;          /* of the files that the group's pattern means; those of others are FILE_KINDS */
	const char *now;                /* the file that is looked at, for messages */
	const struct files_list *all;
	const char **flaws;             /* of the group's files */
	size_t flaw_count;
};

static int no_memory(struct looking *l)
{
	return l->inst->host->fail(l->err, ETL_MEMORY, NULL, 0, "json: no memory to look at the files");
}

/* Without memory the arena has failed. */
static void keep(struct arena *a, const char ***list, size_t *count, const char *text)
{
	const char **more = etl_arena_push(a, *list, *count, sizeof(*more));

	if (!more)
		return;
	*list = more;
	more[(*count)++] = text;
}

/* The first of a file: a proposal is made by what can be read, and names the rest. */
static void tell_flaw(struct looking *l, uint64_t line, uint64_t column, const char *code, const char *reason)
{
	struct arena *a = &l->inference->memory;
	struct etl_text text = { 0 };
	char place[64] = "";

	if (!l->now)
		return;
	if (line > 0)
		snprintf(place, sizeof(place), ":%llu:%llu", (unsigned long long)line, (unsigned long long)column);
	etl_text_addf(&text, "%s%s: %s: %s", l->now, place, code, reason);
	a->failed |= text.failed;
	if (text.at) {
		l->inst->host->log(l->inst->host, ETL_LOG_WARN, "%s What is broken has no part in what is proposed.", text.at);
		keep(a, &l->flaws, &l->flaw_count, etl_arena_copy(a, text.at));
	}
	etl_text_free(&text);
	l->now = NULL;
}

static int add_record(struct looking *l, struct json_split *split, struct json_record *record, struct shape *top)
{
	uint64_t odd = l->work.odd_names;
	struct json_flaw flaw;
	const char *code = NULL;

	if (record->unseparated)
		tell_flaw(l, record->line, record->column, "not_json", "What is between records is missing before this one.");
	if (record->too_large && !json_split_line_again(split, record)) {
		tell_flaw(l, record->line, record->column, "too_large", "The record is larger than max_row.");
		return ETL_OK;
	}
	if (json_tree_read(l->tree, record->text, record->size, &flaw) < 0) {
		if (strcmp(flaw.code, "no_memory") == 0)
			return no_memory(l);
		if (json_split_line_again(split, record))
			return add_record(l, split, record, top);
		uint64_t line, column;

		json_record_place(record, flaw.at, &line, &column);
		tell_flaw(l, line, column, flaw.code, flaw.reason);
		return ETL_OK;
	}
	code = json_shape_add(top, &l->inference->memory, l->tree, 0, &l->work);
	json_pool_reset(&l->work.pool);
	if (!code && l->work.odd_names > odd)
		tell_flaw(l, record->line, record->column, "odd_name",
			  "A member in it has a name that no column can have: \\u0000, or half of a surrogate pair.");
	return code ? no_memory(l) : ETL_OK;
}

static bool ends_in(const char *name, size_t size, const char *end)
{
	return size >= strlen(end) && memcmp(name + size - strlen(end), end, strlen(end)) == 0;
}

/* A file of lines that has one line yet is an object by its bytes; its name says what it will be. */
static bool is_named_lines(const char *name)
{
	size_t size = strlen(name);

	size -= ends_in(name, size, ".gz") ? strlen(".gz") : ends_in(name, size, ".zst") ? strlen(".zst") : 0;
	return ends_in(name, size, ".jsonl") || ends_in(name, size, ".ndjson");
}

static enum file_kind kind_of(const struct json_split *split, const char *name, const struct json_record *record)
{
	int cut = json_split_chosen(split);

	if (cut == JSON_CUT_ELEMENTS)
		return FILE_ARRAY;
	if (cut == JSON_CUT_LINES)
		return FILE_LINES;
	if (memchr(record->text, '\n', record->size))
		return FILE_OBJECT;
	return is_named_lines(name) ? FILE_LINES : FILE_LINE;
}

/* Records of a file whose top is an array or lines; a single object is one record. */
static int add_file(struct looking *l, struct open_file *f, const struct files_entry *entry, enum file_kind *ret)
{
	struct json_split_flaw flaw;
	struct json_record record;
	int rc = open_file_begin(f, entry, false, &flaw);

	l->now = files_label(l->inst->files, entry);
	*ret = FILE_NOTHING;
	while (!rc) {
		rc = open_file_next(f, &record, &flaw);
		if (rc != ETL_FILL_MORE)
			break;
		if (*ret == FILE_NOTHING)
			*ret = kind_of(f->split, files_label(l->inst->files, entry), &record);
		rc = add_record(l, f->split, &record, l->tops[*ret]);
	}
	if (rc == OPEN_FILE_FLAW) {
		tell_flaw(l, flaw.line, flaw.column, flaw.code, flaw.reason);
		rc = ETL_OK;
	}
	return rc;
}

/* A table of no columns, so that its files can be opened. */
static int open_group(struct looking *l, const struct file_group *group, struct json_table **ret)
{
	const struct proposal bare = { .name = group->name, .files = group->pattern };

	return json_table_propose(l->inst, &bare, ret, l->err);
}

/* What the file is when all of its records were cut by AUTO: the shape of its top, made of that of its records. */
static struct shape *top_of(struct looking *l, enum file_kind kind)
{
	struct shape *array;

	if (kind != FILE_ARRAY)
		return l->tops[kind];
	array = etl_arena_alloc(&l->inference->memory, sizeof(*array));
	if (array)
		*array = (struct shape){ .name = "", .seen = 1, .arrays = 1, .each = l->tops[kind] };
	return array;
}

static bool has_value(const struct looking *l, const struct files_list *list, enum file_kind kind, size_t capture, const char *value)
{
	for (size_t i = 0; i < list->count; i++)
		if (l->kinds[i] == kind && strcmp(list->at[i].captures[capture], value) == 0)
			return true;
	return false;
}

/* A file that the pattern means too and that is of another group, or kind: by a {name} that stands for something in it that it
 * stands for in none of these. */
static void set_apart(struct looking *l, struct file_group *group, const struct json_table *table, const struct files_list *list,
		      enum file_kind kind, const struct files_entry *entry)
{
	struct arena *a = &l->inference->memory;
	const char *const *names;
	size_t count = files_pattern_captures(table->files, &names), i = 0;

	while (i < count && (strpbrk(entry->captures[i], "*?") || has_value(l, list, kind, i, entry->captures[i])))
		i++;
	if (i == count) {
		l->now = files_label(l->inst->files, entry);
		tell_flaw(l, 0, 0, "another_kind", "The pattern of these files means it too, and it seems to be of another kind.");
		return;
	}
	for (size_t j = 0; j + 1 < group->except_count; j += 2)
		if (strcmp(group->except[j], names[i]) == 0 && strcmp(group->except[j + 1], entry->captures[i]) == 0)
			return;
	keep(a, &group->except, &group->except_count, etl_arena_copy(a, names[i]));
	keep(a, &group->except, &group->except_count, etl_arena_copy(a, entry->captures[i]));
}

/* Both are in the order of their names. */
static int add_own_files(struct looking *l, const struct file_group *group, const struct files_list *list, struct open_file *file)
{
	size_t next = 0;
	int rc = ETL_OK;

	for (size_t i = 0; !rc && i < list->count; i++) {
		while (next < group->file_count && strcmp(l->all->at[group->files[next]].name, list->at[i].name) < 0)
			next++;
		l->kinds[i] = FILE_KINDS;
		if (next < group->file_count && strcmp(l->all->at[group->files[next]].name, list->at[i].name) == 0)
			rc = add_file(l, file, &list->at[i], &l->kinds[i]);
	}
	return rc;
}

/* What stands in the files of TABLE, in l->tops. */
static int add_files(struct looking *l, const struct file_group *group, const struct json_table *table, const struct files_list *list)
{
	struct open_file file;
	int rc = open_file_init(&file, l->inst, table, l->err);

	if (!rc)
		rc = add_own_files(l, group, list, &file);
	open_file_free(&file);
	return rc;
}

static bool has_kind(const struct looking *l, const struct files_list *list, enum file_kind kind)
{
	for (size_t i = 0; i < list->count; i++)
		if (l->kinds[i] == kind)
			return true;
	return false;
}

static void become(struct looking *l, const struct files_list *list, enum file_kind from, enum file_kind to)
{
	for (size_t i = 0; i < list->count; i++)
		if (l->kinds[i] == from)
			l->kinds[i] = to;
}

/* An object on one line is what the others are. What could not be read is named where the first are. */
static void settle_kinds(struct looking *l, const struct files_list *list)
{
	enum file_kind as = has_kind(l, list, FILE_LINES) ? FILE_LINES : FILE_OBJECT, first = FILE_NOTHING;

	if (has_kind(l, list, FILE_LINE)) {
		json_shape_merge(l->tops[FILE_LINE], l->tops[as], &l->inference->memory);
		l->tops[as] = l->tops[FILE_LINE];
		become(l, list, FILE_LINE, as);
	}
	for (size_t i = 0; i < list->count && first == FILE_NOTHING; i++)
		if (l->kinds[i] != FILE_KINDS)
			first = l->kinds[i];
	become(l, list, FILE_NOTHING, first);
}

/* The tables of those files of the group that are of one kind. */
static int propose_kind(struct looking *l, const struct json_table *table, const struct file_group *group, const struct files_list *list,
			enum file_kind kind)
{
	struct shape *top = top_of(l, kind);
	struct file_group own = *group;
	const char *const *captures;
	size_t count = files_pattern_captures(table->files, &captures);

	if (!top)
		return no_memory(l);
	if (l->tops[kind]->seen == 0)
		return ETL_OK;
	for (size_t i = 0; i < list->count; i++)
		if (l->kinds[i] != kind)
			set_apart(l, &own, table, list, kind, &list->at[i]);
	json_shape_settle(top, &l->inference->memory);
	return json_propose_tables(l->inference, &own, top, kind == FILE_LINES, captures, count) ? ETL_OK : no_memory(l);
}

/* Each kind where its first file stands. */
static int propose_group(struct looking *l, const struct json_table *table, const struct file_group *group, const struct files_list *list)
{
	bool done[FILE_KINDS + 1] = { [FILE_KINDS] = true };
	int rc = ETL_OK;

	settle_kinds(l, list);
	for (size_t i = 0; !rc && i < list->count; i++) {
		enum file_kind kind = l->kinds[i];

		if (!done[kind])
			rc = propose_kind(l, table, group, list, kind);
		done[kind] = true;
	}
	return rc;
}

/* To the doubts of the group's first table; without one, to what nobody would miss. */
static void pass_flaws(struct looking *l, size_t tables)
{
	struct inference *found = l->inference;

	for (size_t i = 0; i < l->flaw_count; i++)
		if (found->count > tables)
			keep(&found->memory, &found->at[tables]->doubts, &found->at[tables]->doubt_count, l->flaws[i]);
		else
			keep(&found->memory, &found->unread, &found->unread_count, l->flaws[i]);
}

static bool begin_group(struct looking *l)
{
	l->flaws = NULL;
	l->flaw_count = 0;
	for (int i = 0; i < FILE_KINDS; i++) {
		l->tops[i] = etl_arena_alloc(&l->inference->memory, sizeof(*l->tops[i]));
		if (!l->tops[i])
			return false;
		l->tops[i]->name = "";
	}
	return true;
}

static int look_at_group(struct looking *l, const struct file_group *group)
{
	struct json_table *table = NULL;
	struct files_list list = { 0 };
	size_t tables = l->inference->count;
	int rc = begin_group(l) ? open_group(l, group, &table) : no_memory(l);

	if (!rc)
		rc = files_list(l->inst->files, table->files, &list, l->err);
	l->kinds = calloc(list.count + 1, sizeof(*l->kinds));
	if (!rc)
		rc = l->kinds ? add_files(l, group, table, &list) : no_memory(l);
	if (!rc)
		rc = propose_group(l, table, group, &list);
	if (!rc)
		pass_flaws(l, tables);
	free(l->kinds);
	files_list_clear(&list);
	json_table_free(table);
	return rc || !l->inference->memory.failed ? rc : no_memory(l);
}

int json_infer(struct etl_instance *inst, struct inference *ret, struct etl_error *err)
{
	struct looking l = { .inst = inst, .err = err, .inference = ret };
	struct files_list list = { 0 };
	struct file_group *groups = NULL;
	size_t count = 0;
	bool skips = inst->skip_broken;
	int rc = files_list(inst->files, NULL, &list, err);

	/* What is damaged is named as all that is broken is. */
	inst->skip_broken = true;
	l.all = &list;
	l.work.texts = &inst->texts;
	l.tree = json_tree_new(&inst->limits);
	if (!rc)
		groups = l.tree ? json_group_files(&ret->memory, &list, &count) : NULL;
	if (!rc && !groups)
		rc = no_memory(&l);
	for (size_t i = 0; !rc && i < count; i++)
		rc = look_at_group(&l, &groups[i]);
	inst->skip_broken = skips;
	if (!rc)
		rc = json_find_keys(inst, ret, err);
	json_tree_free(l.tree);
	json_pool_free(&l.work.pool);
	files_list_clear(&list);
	return rc;
}

void json_inference_free(struct inference *inference)
{
	etl_arena_free(&inference->memory);
	*inference = (struct inference){ 0 };
}

static struct inference *found_of(struct etl_instance *inst)
{
	if (!inst->found)
		inst->found = calloc(1, sizeof(*inst->found));
	return inst->found;
}

int json_found(struct etl_instance *inst, const struct inference **ret, struct etl_error *err)
{
	struct inference *found = found_of(inst);
	int rc = ETL_OK;

	if (!found)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory to look at the files");
	if (!found->whole)
		rc = json_infer(inst, found, err);
	found->whole = !rc;
	*ret = found;
	return rc;
}

/* ---- Columns of rows that are named ------------------------------------------------------------------------------ */

static int add_rows(struct rows *rows, struct inference *found, struct shape *shape)
{
	int rc;

	rows->work.nulls = rows->table->nulls;
	rows->work.null_count = rows->table->null_count;
	rows->work.odd_names = 0;
	while ((rc = json_rows_next(rows)) == ETL_FILL_MORE) {
		if (json_shape_add(shape, &found->memory, rows->tree, rows->now.node, &rows->work))
			return rows->inst->host->fail(rows->err, ETL_MEMORY, NULL, 0, "json: no memory to look at \"%s\"",
						      rows->table->name);
	}
	if (rows->work.odd_names > 0)
		rows->inst->host->log(rows->inst->host, ETL_LOG_WARN,
				      "json: table \"%s\": %llu members have names that no column can have: \\u0000, or half of a surrogate pair",
				      rows->table->name, (unsigned long long)rows->work.odd_names);
	return rc;
}

static int find_columns(struct etl_instance *inst, const struct json_table *t, struct inference *found,
			struct proposal *p, struct etl_error *err)
{
	struct shape *shape = etl_arena_alloc(&found->memory, sizeof(*shape));
	struct files_list list = { 0 };
	const char *const *captures;
	size_t count = files_pattern_captures(t->files, &captures);
	struct rows rows;
	int rc = files_list(inst->files, t->files, &list, err);

	if (!rc) {
		rc = json_rows_begin(&rows, inst, t, &list, 0, list.count, NULL, err);
		if (!rc && shape)
			rc = add_rows(&rows, found, shape);
		json_rows_end(&rows);
	}
	if (shape)
		json_shape_settle(shape, &found->memory);
	if (!rc && (!shape || !json_propose_columns(found, shape, captures, count, p)))
		rc = inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory to look at \"%s\"", t->name);
	files_list_clear(&list);
	return rc;
}

/* All of the table that decides which rows there are and which of their values count: tables that agree in it have the same
 * columns. */
static void add_identity(struct etl_text *to, const struct json_table *t, const char *files)
{
	const struct json_layout *layout = &t->layouts[0];
	const char *rows = layout->rows ? layout->rows->text : "";

	etl_text_addf(to, "%d %d ", (int)layout->cut, (int)layout->kinds);
	etl_text_add_json(to, files, strlen(files));
	etl_text_add_json(to, rows, strlen(rows));
	for (size_t i = 0; i < t->null_count; i++)
		etl_text_add_json(to, t->nulls[i], strlen(t->nulls[i]));
}

static const struct proposal *kept_columns(const struct inference *found, const char *of)
{
	for (size_t i = 0; i < found->column_count; i++)
		if (strcmp(found->columns[i].of, of) == 0)
			return found->columns[i].columns;
	return NULL;
}

static int keep_columns(struct etl_instance *inst, const struct json_table *t, struct inference *found, const char *of,
			const struct proposal **ret, struct etl_error *err)
{
	struct found_columns *at = etl_arena_push(&found->memory, found->columns, found->column_count, sizeof(*at));
	struct proposal *p = etl_arena_alloc(&found->memory, sizeof(*p));
	const char *kept = etl_arena_copy(&found->memory, of);
	int rc;

	if (!at || !p || !kept)
		return inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory to look at \"%s\"", t->name);
	found->columns = at;
	rc = find_columns(inst, t, found, p, err);
	if (rc)
		return rc;
	at[found->column_count++] = (struct found_columns){ kept, p };
	*ret = p;
	return ETL_OK;
}

int json_found_columns(struct etl_instance *inst, const struct json_table *t, const char *files, const struct proposal **ret,
		       struct etl_error *err)
{
	struct inference *found = found_of(inst);
	struct etl_text of = { 0 };
	int rc = ETL_OK;

	add_identity(&of, t, files);
	if (!found || of.failed) {
		rc = inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory to look at \"%s\"", t->name);
	} else {
		*ret = kept_columns(found, of.at);
		if (!*ret)
			rc = keep_columns(inst, t, found, of.at, ret, err);
	}
	etl_text_free(&of);
	return rc;
}

int json_table_of(struct etl_instance *inst, const struct etl_dataset *dataset, struct json_table **ret,
		  struct etl_error *err)
{
	const struct etl_host *host = inst->host;
	const struct inference *found;
	int rc;

	*ret = NULL;
	if (dataset->options && (host->list(dataset->options, "columns") || host->given(dataset->options, "files") ||
				 host->given(dataset->options, "rows")))
		return json_table_new(inst, dataset->table, dataset->options, ret, err);
	rc = json_found(inst, &found, err);
	for (size_t i = 0; !rc && i < found->count; i++) {
		if (strcmp(found->at[i]->name, dataset->table) == 0)
			return json_table_propose(inst, found->at[i], ret, err);
	}
	return rc;
}
