/*
 * What there is: a table for each file whose name says so, and what an entry's `from` makes of any files. And how its rows are
 * split, which is by files.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "csv.h"

#define ROW_BYTES 64 /* when nobody counted them */

static int64_t bytes_of(const struct files_list *list)
{
	int64_t bytes = 0;
	size_t i;

	for (i = 0; i < list->count; i++) {
		if (list->at[i].size < 0)
			return ETL_UNKNOWN;
		bytes += list->at[i].size;
	}
	return bytes;
}

static int emit_columns(const struct csv_table *t, struct etl_table *table, struct etl_table_sink *sink,
			struct etl_error *err)
{
	struct etl_column *columns = calloc(t->count + 1, sizeof(*columns));
	char *names = calloc(t->count + 1, 64);
	size_t i;
	int rc;

	if (!columns || !names) {
		free(columns);
		free(names);
		return t->inst->host->fail(err, ETL_MEMORY, NULL, 0, "csv: no memory for a table");
	}
	for (i = 0; i < t->count; i++)
		columns[i] = (struct etl_column){ .name = t->columns[i].name,
						  .declared = etl_type_name(t->columns[i].type, names + 64 * i, 64),
						  .type = t->columns[i].type.type,
						  .precision = t->columns[i].type.precision,
						  .scale = t->columns[i].type.scale,
						  .length = t->columns[i].length,
						  .flags = ETL_TYPED,
						  .identity_last = ETL_UNKNOWN };
	table->columns = columns;
	table->column_count = t->count;
	table->column_size = sizeof(*columns);
	rc = sink->emit(sink, table);
	free(columns);
	free(names);
	return rc;
}

static int emit_table(struct etl_instance *inst, const char *name, const struct etl_conf *options,
		      struct etl_table_sink *sink, struct etl_error *err)
{
	struct etl_table table = { .kind = ETL_TABLE, .name = name };
	struct files_list list = { 0 };
	struct csv_table *t;
	int rc = csv_table_new(inst, name, options, true, &t, err);

	if (rc || !t)
		return rc;
	rc = files_list(inst->files, t->pattern, &list, err);
	if (!rc) {
		table.bytes = bytes_of(&list);
		table.rows = t->rows;
		if (t->rows < 0 && table.bytes >= 0)
			table.rows = table.bytes / ROW_BYTES + 1;
		rc = emit_columns(t, &table, sink, err);
	}
	files_list_clear(&list);
	csv_table_free(t);
	return rc;
}

static int emit_all(struct etl_instance *inst, struct etl_table_sink *sink, struct etl_error *err)
{
	struct files_list list = { 0 };
	size_t i;
	int rc;

	if (files_is_standard(inst->files))
		return emit_table(inst, "stdin", NULL, sink, err);
	rc = files_list(inst->files, NULL, &list, err);
	for (i = 0; !rc && i < list.count; i++) {
		const char *label = files_label(inst->files, &list.at[i]);
		char *name;

		if (*list.at[i].name && !csv_is_csv(label))
			continue;
		name = csv_table_name(label);
		rc = name ? emit_table(inst, name, NULL, sink, err) :
			    inst->host->fail(err, ETL_MEMORY, NULL, 0, "csv: no memory for a table");
		free(name);
	}
	files_list_clear(&list);
	return rc;
}

int csv_describe(struct etl_instance *inst, const struct etl_dataset *dataset, struct etl_table_sink *sink,
		 struct etl_error *err)
{
	if (dataset && (dataset->query || dataset->where))
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"csv: files have neither query nor where; a filter is a transform, { plugin = \"sql\"; where "
					"= \"…\"; }");
	/* What a target has is looked at when it is to be replaced. */
	if (inst->host->role == ETL_ROLE_TARGET)
		return ETL_OK;
	if (!dataset)
		return emit_all(inst, sink, err);
	return emit_table(inst, dataset->table, dataset->options, sink, err);
}

int csv_plan(struct etl_instance *inst, const struct etl_read *read, int64_t wanted, struct etl_split_sink *sink,
	     struct etl_error *err)
{
	struct files_list list = { 0 };
	struct csv_table *t;
	int rc = csv_table_new(inst, read->dataset.table, read->dataset.options, false, &t, err);

	if (!rc && !t)
		rc = inst->host->fail(err, ETL_FATAL, NULL, 0, "csv: the file of table \"%s\" is gone",
				      read->dataset.table);
	if (rc)
		return rc;
	rc = files_list(inst->files, t->pattern, &list, err);
	if (!rc)
		rc = files_plan(&list, read->limit > 0 || read->keys ? 1 : wanted, sink);
	files_list_clear(&list);
	csv_table_free(t);
	return rc;
}
