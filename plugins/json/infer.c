/*
 * One pass over all records of all files, then one more for keys. The files of a group are taken to be of one shape: what does
 * not fit the others makes columns that are often absent, which the proposal says.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer.h"
#include "open.h"

struct looking {
	struct etl_instance *inst;
	struct etl_error *err;
	struct inference *inference;
	struct json_tree *tree;
	struct work work;
	struct shape *top;
	bool lines, array, whole;       /* what the files of the group are */
	uint64_t broken;
};

static int no_memory(struct looking *l)
{
	return l->inst->host->fail(l->err, ETL_MEMORY, NULL, 0, "json: no memory to look at the files");
}

static int add_record(struct looking *l, const struct json_record *record)
{
	struct json_flaw flaw;
	const char *code = NULL;

	if (record->too_large || json_tree_read(l->tree, record->text, record->size, &flaw) < 0) {
		l->broken++;
		return ETL_OK;
	}
	code = json_shape_add(l->top, &l->inference->memory, l->tree, 0, &l->work);
	json_pool_reset(&l->work.pool);
	return code ? no_memory(l) : ETL_OK;
}

/* Records of a file whose top is an array or lines; a single object is one record. */
static int add_file(struct looking *l, struct open_file *f, const struct files_entry *entry)
{
	struct json_split_flaw flaw;
	struct json_record record;
	int rc = open_file_begin(f, entry, false, &flaw);

	while (!rc) {
		rc = open_file_next(f, &record, &flaw);
		if (rc != ETL_FILL_MORE)
			break;
		rc = add_record(l, &record);
	}
	if (rc == OPEN_FILE_FLAW) {
		l->broken++;
		rc = ETL_OK;
	}
	l->lines |= json_split_chosen(f->split) == JSON_CUT_LINES;
	l->array |= json_split_chosen(f->split) == JSON_CUT_ELEMENTS;
	l->whole |= json_split_chosen(f->split) == JSON_CUT_WHOLE;
	return rc;
}

/* A table of no columns, so that its files can be opened. */
static int open_group(struct looking *l, const struct file_group *group, struct json_table **ret)
{
	const struct proposal bare = { .name = group->name, .files = group->pattern };

	return json_table_propose(l->inst, &bare, ret, l->err);
}

/* What the file is when all of its records were cut by AUTO: the shape of its top, made of that of its records. */
static struct shape *top_of(struct looking *l)
{
	struct shape *array;

	if (!l->array)
		return l->top;
	array = etl_arena_alloc(&l->inference->memory, sizeof(*array));
	if (array)
		*array = (struct shape){ .name = "", .seen = 1, .arrays = 1, .each = l->top };
	return array;
}

static int look_at_group(struct looking *l, const struct files_list *list, const struct file_group *group)
{
	struct files_list own = { 0 };
	struct json_table *table = NULL;
	const char *const *captures;
	struct open_file file;
	struct shape *top;
	size_t count;
	int rc = open_group(l, group, &table);

	(void)list;
	if (rc)
		return rc;
	l->lines = l->array = l->whole = false;
	l->broken = 0;
	l->top = etl_arena_alloc(&l->inference->memory, sizeof(*l->top));
	rc = l->top ? files_list(l->inst->files, table->files, &own, l->err) : no_memory(l);
	if (l->top)
		l->top->name = "";
	if (!rc)
		rc = open_file_init(&file, l->inst, table, l->err);
	for (size_t i = 0; !rc && i < own.count; i++)
		rc = add_file(l, &file, &own.at[i]);
	if (table && l->top)
		open_file_free(&file);
	count = files_pattern_captures(table->files, &captures);
	top = rc ? NULL : top_of(l);
	if (top && l->top->seen > 0) {
		json_shape_settle(top, &l->inference->memory);
		if (!json_propose_tables(l->inference, group, top, l->lines && !l->array && !l->whole, captures, count))
			rc = no_memory(l);
	} else if (!rc && !top) {
		rc = no_memory(l);
	}
	files_list_clear(&own);
	json_table_free(table);
	return rc;
}

int json_infer(struct etl_instance *inst, struct inference *ret, struct etl_error *err)
{
	struct looking l = { .inst = inst, .err = err, .inference = ret };
	struct files_list list = { 0 };
	struct file_group *groups = NULL;
	size_t count = 0;
	int rc = files_list(inst->files, NULL, &list, err);

	memset(ret, 0, sizeof(*ret));
	l.work.texts = &inst->texts;
	l.tree = json_tree_new(&inst->limits);
	if (!rc)
		groups = l.tree ? json_group_files(&ret->memory, &list, &count) : NULL;
	if (!rc && !groups)
		rc = no_memory(&l);
	for (size_t i = 0; !rc && i < count; i++)
		rc = look_at_group(&l, &list, &groups[i]);
	if (!rc)
		rc = json_find_keys(inst, ret, err);
	json_tree_free(l.tree);
	json_pool_free(&l.work.pool);
	files_list_clear(&list);
	if (rc)
		json_inference_free(ret);
	return rc;
}

void json_inference_free(struct inference *inference)
{
	etl_arena_free(&inference->memory);
	*inference = (struct inference){ 0 };
}

int json_found(struct etl_instance *inst, const struct inference **ret, struct etl_error *err)
{
	int rc = ETL_OK;

	if (!inst->found) {
		inst->found = calloc(1, sizeof(*inst->found));
		rc = inst->found ? json_infer(inst, inst->found, err) :
				   inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory to look at the files");
	}
	if (rc) {
		free(inst->found);
		inst->found = NULL;
	}
	*ret = inst->found;
	return rc;
}

int json_table_of(struct etl_instance *inst, const struct etl_dataset *dataset, struct json_table **ret,
		  struct etl_error *err)
{
	const struct inference *found;
	int rc;

	*ret = NULL;
	if (dataset->options && inst->host->list(dataset->options, "columns"))
		return json_table_new(inst, dataset->table, dataset->options, ret, err);
	rc = json_found(inst, &found, err);
	for (size_t i = 0; !rc && i < found->count; i++) {
		if (strcmp(found->at[i]->name, dataset->table) == 0)
			return json_table_propose(inst, found->at[i], ret, err);
	}
	return rc;
}
