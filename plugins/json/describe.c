/*
 * The tables as the pipeline maps them: what is in the files is looked at only where a column has no type.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "infer.h"

struct describing {
	const struct json_table *from;
	struct arena memory;
	struct etl_table table;
};

static void describe_columns(struct describing *d)
{
	const struct json_table *t = d->from;
	struct etl_column *columns = etl_arena_alloc(&d->memory, (t->column_count + 1) * sizeof(*columns));

	for (size_t i = 0; columns && i < t->column_count; i++) {
		const struct json_column *c = &t->layouts[0].columns[i];

		columns[i] = (struct etl_column){ .name = c->name,
						  .declared = c->declared,
						  .type = c->type.type,
						  .precision = c->type.precision,
						  .scale = c->type.scale,
						  .length = c->length,
						  .identity_last = ETL_UNKNOWN,
						  .flags = (c->required ? ETL_NOT_NULL : 0u) |
							   (c->type.type == ETL_ANY ? 0u : (unsigned)ETL_TYPED) };
	}
	d->table.columns = columns;
	d->table.column_count = columns ? t->column_count : 0;
	d->table.column_size = sizeof(*columns);
}

static void describe_references(struct describing *d)
{
	const struct json_table *t = d->from;
	struct etl_foreign_key *keys = etl_arena_alloc(&d->memory, (t->reference_count + 1) * sizeof(*keys));

	for (size_t i = 0; keys && i < t->reference_count; i++) {
		const struct json_reference *r = &t->references[i];

		keys[i] = (struct etl_foreign_key){ .columns = r->columns,
						    .column_count = r->column_count,
						    .parent = r->table,
						    .parent_columns = r->to_count ? r->to : NULL,
						    .on_delete = r->on_delete };
	}
	d->table.foreign_keys = keys;
	d->table.foreign_key_count = keys ? t->reference_count : 0;
	d->table.foreign_key_size = sizeof(*keys);
}

static int emit(struct etl_instance *inst, const struct json_table *t, struct etl_table_sink *sink, struct etl_error *err)
{
	struct describing d = { .from = t };
	int rc;

	d.table = (struct etl_table){ .kind = ETL_TABLE, .name = t->name, .rows = ETL_UNKNOWN, .bytes = ETL_UNKNOWN };
	d.table.unique_size = sizeof(struct etl_key);
	d.table.check_size = sizeof(struct etl_check);
	d.table.index_size = sizeof(struct etl_index);
	d.table.primary.columns = t->key;
	d.table.primary.column_count = t->key_count;
	describe_columns(&d);
	describe_references(&d);
	rc = d.memory.failed ? inst->host->fail(err, ETL_MEMORY, NULL, 0, "json: no memory to describe \"%s\"", t->name) :
			       sink->emit(sink, &d.table);
	etl_arena_free(&d.memory);
	return rc;
}

/* A file of which nothing could be read is in no table, so no reading would tell of it. */
static int check_read(struct etl_instance *inst, const struct inference *found, struct etl_error *err)
{
	char more[64] = "";

	if (!found->unread_count || inst->skip_broken)
		return ETL_OK;
	if (found->unread_count > 1)
		snprintf(more, sizeof(more), " (and %zu more)", found->unread_count - 1);
	return inst->host->fail(err, ETL_FATAL, NULL, 0,
				"json: %s%s Nothing of it can be read, so it is in no table. Mend the file, or leave it out with on_broken = "
				"\"skip\".",
				found->unread[0], more);
}

/* Nothing was said of the tables: those that are in the files. */
static int emit_all(struct etl_instance *inst, struct etl_table_sink *sink, struct etl_error *err)
{
	const struct inference *found;
	int rc = json_found(inst, &found, err);

	if (!rc)
		rc = check_read(inst, found, err);
	for (size_t i = 0; !rc && i < found->count; i++) {
		struct json_table *t = NULL;

		rc = json_table_propose(inst, found->at[i], &t, err);
		if (!rc)
			rc = emit(inst, t, sink, err);
		json_table_free(t);
	}
	return rc;
}

int json_describe(struct etl_instance *inst, const struct etl_dataset *dataset, struct etl_table_sink *sink,
		  struct etl_error *err)
{
	struct json_table *t;
	int rc;

	if (dataset && (dataset->query || dataset->where))
		return inst->host->fail(err, ETL_USAGE, NULL, 0,
					"json: there is no %s over files; which rows come is said by rows, only and except",
					dataset->query ? "query" : "where");
	/* Files that are to be written say nothing of the tables. */
	if (inst->host->role == ETL_ROLE_TARGET)
		return ETL_OK;
	if (!dataset)
		return emit_all(inst, sink, err);
	rc = json_table_of(inst, dataset, &t, err);
	if (rc || !t)
		return rc;
	rc = emit(inst, t, sink, err);
	json_table_free(t);
	return rc;
}

int json_ping(struct etl_instance *inst, struct etl_fact_sink *sink, struct etl_error *err)
{
	(void)err;
	return files_view_ping(inst->files, inst->host->role, "files", inst->path, sink);
}
