/*
 * What a store holds: everything, one table, or the columns of a query. A dialect that knows its server's own catalog
 * asks that; the rest is asked by ODBC's catalog functions.
 */
#include "config.h"

#include <stdlib.h>

#include "describe.h"
#include "pin.h"
#include "provision.h"
#include "select.h"

/* ---- Building ------------------------------------------------------------------------------------------ */

static void *push(struct odbc_describing *d, void *items, size_t *count, size_t size)
{
	char *grown = etl_arena_push(&d->memory, items, *count, size);

	if (!grown)
		return NULL;
	memset(grown + *count * size, 0, size);
	++*count;
	return grown;
}

struct odbc_object *odbc_add_object(struct odbc_describing *d, int32_t kind, const char *schema,
				    const char *name)
{
	struct odbc_object *objects = push(d, d->objects, &d->count, sizeof(*objects)), *o;

	if (!objects)
		return NULL;
	d->objects = objects;
	o = &objects[d->count - 1];
	o->table = (struct etl_table){
		.kind = kind,
		.schema = etl_arena_copy(&d->memory, schema && *schema ? schema : NULL),
		.name = etl_arena_copy(&d->memory, name),
		.dialect = d->inst->dialect->name,
		.rows = ETL_UNKNOWN,
		.bytes = ETL_UNKNOWN,
		.column_size = sizeof(struct etl_column),
		.unique_size = sizeof(struct etl_key),
		.foreign_key_size = sizeof(struct etl_foreign_key),
		.check_size = sizeof(struct etl_check),
		.index_size = sizeof(struct etl_index),
	};
	return o;
}

struct etl_column *odbc_add_column(struct odbc_describing *d, struct odbc_object *o,
				   const struct odbc_column *found)
{
	struct etl_column *columns =
		push(d, o->columns, &o->table.column_count, sizeof(*columns)), *c;
	struct etl_text declared = { 0 };
	struct etl_type_info type;
	int64_t length;

	if (!columns)
		return NULL;
	o->columns = columns;
	o->table.columns = columns;
	c = &columns[o->table.column_count - 1];
	type = odbc_type_of(d->inst->dialect, found, &length);
	odbc_add_declared(&declared, d->inst->dialect, found);
	*c = (struct etl_column){
		.name = etl_arena_copy(&d->memory, found->name),
		.declared = etl_arena_copy(&d->memory, declared.at ? declared.at : ""),
		.type = type.type,
		.precision = type.precision,
		.scale = type.scale,
		.length = length,
		.flags = found->nullable ? 0 : ETL_NOT_NULL,
		.identity_last = ETL_UNKNOWN,
	};
	if (d->inst->dialect != &odbc_sqlite)
		c->flags |= ETL_TYPED;
	etl_text_free(&declared);
	return c;
}

struct etl_key *odbc_add_unique(struct odbc_describing *d, struct odbc_object *o)
{
	struct etl_key *all = push(d, o->uniques, &o->table.unique_count, sizeof(*all));

	if (!all)
		return NULL;
	o->table.uniques = o->uniques = all;
	return &all[o->table.unique_count - 1];
}

struct etl_foreign_key *odbc_add_foreign_key(struct odbc_describing *d, struct odbc_object *o)
{
	struct etl_foreign_key *all =
		push(d, o->foreign_keys, &o->table.foreign_key_count, sizeof(*all));

	if (!all)
		return NULL;
	o->table.foreign_keys = o->foreign_keys = all;
	return &all[o->table.foreign_key_count - 1];
}

struct etl_check *odbc_add_check(struct odbc_describing *d, struct odbc_object *o)
{
	struct etl_check *all = push(d, o->checks, &o->table.check_count, sizeof(*all));

	if (!all)
		return NULL;
	o->table.checks = o->checks = all;
	return &all[o->table.check_count - 1];
}

struct etl_index *odbc_add_index(struct odbc_describing *d, struct odbc_object *o)
{
	struct etl_index *all = push(d, o->indexes, &o->table.index_count, sizeof(*all));

	if (!all)
		return NULL;
	o->table.indexes = o->indexes = all;
	all[o->table.index_count - 1].part_size = sizeof(struct etl_index_part);
	return &all[o->table.index_count - 1];
}

void odbc_add_key_column(struct odbc_describing *d, struct etl_key *key, const char *name)
{
	const char **names = push(d, (void *)(uintptr_t)key->columns, &key->column_count, sizeof(*names));

	if (!names)
		return;
	names[key->column_count - 1] = etl_arena_copy(&d->memory, name);
	key->columns = names;
}

struct etl_index_part *odbc_add_part(struct odbc_describing *d, struct etl_index *index)
{
	struct etl_index_part *parts =
		push(d, (void *)(uintptr_t)index->parts, &index->part_count, sizeof(*parts));

	if (!parts)
		return NULL;
	index->parts = parts;
	return &parts[index->part_count - 1];
}

/* ---- Answers --------------------------------------------------------------------------------------------- */

int odbc_at(struct odbc_describing *d, SQLHSTMT stmt, int column, char **ret)
{
	struct etl_text text = { 0 };
	bool null;
	int rc = odbc_column(d->inst, stmt, column, &text, &null, d->err);

	*ret = NULL;
	if (rc == ETL_OK && !null) {
		*ret = etl_arena_copy(&d->memory, text.at ? text.at : "");
		if (!*ret)
			rc = odbc_no_memory(d->inst, d->err);
	}
	etl_text_free(&text);
	return rc;
}

int odbc_int_at(struct odbc_describing *d, SQLHSTMT stmt, int column, int64_t *ret)
{
	char *text;
	int rc = odbc_at(d, stmt, column, &text);

	if (rc == ETL_OK)
		*ret = text ? strtoll(text, NULL, 10) : 0;
	return rc;
}

/* ---- A query's columns -------------------------------------------------------------------------------------- */

static int describe_query(struct odbc_describing *d, const struct etl_dataset *dataset)
{
	struct odbc_object *o = odbc_add_object(d, ETL_TABLE, NULL, "query");
	struct odbc_shape shape;
	int rc = o ? select_shape(d->inst, dataset, &shape, d->err) : odbc_no_memory(d->inst, d->err);

	if (rc < 0)
		return rc;
	for (size_t i = 0; i < shape.count; i++)
		odbc_add_column(d, o, &shape.columns[i]);
	odbc_shape_free(&shape);
	return ETL_OK;
}

/* ---- Emitting ------------------------------------------------------------------------------------------------ */

static int compare(const void *a, const void *b)
{
	const struct etl_table *x = &((const struct odbc_object *)a)->table,
			       *y = &((const struct odbc_object *)b)->table;
	int order = x->kind - y->kind;

	if (order == 0)
		order = strcmp(x->schema ? x->schema : "", y->schema ? y->schema : "");
	return order ? order : strcmp(x->name, y->name);
}

static int emit(struct odbc_describing *d, struct etl_table_sink *sink)
{
	int rc = d->memory.failed ? odbc_no_memory(d->inst, d->err) : ETL_OK;

	if (rc == ETL_OK && d->count > 1)
		qsort(d->objects, d->count, sizeof(*d->objects), compare);
	for (size_t i = 0; rc == ETL_OK && i < d->count; i++)
		rc = sink->emit(sink, &d->objects[i].table);
	return rc;
}

/* A condition is looked at by the server, before anything is read by it. */
static int check_where(struct odbc_describing *d, const struct etl_dataset *dataset)
{
	struct odbc_shape shape;
	int rc = select_shape(d->inst, dataset, &shape, d->err);

	if (rc == ETL_OK)
		odbc_shape_free(&shape);
	return rc;
}

int odbc_describe(struct etl_instance *inst, const struct etl_dataset *dataset,
		  struct etl_table_sink *sink, struct etl_error *err)
{
	struct odbc_describing d = { .inst = inst, .err = err };
	bool nobody = false;
	int rc = odbc_know(inst, &nobody, err);

	if (rc == ETL_OK && !nobody)
		rc = odbc_ready(inst, err);
	if (rc < 0 || nobody) /* a new database is empty */
		return rc;
	if (dataset && dataset->query) {
		rc = describe_query(&d, dataset);
	} else {
		d.schema = dataset && dataset->schema ? dataset->schema : inst->host->str(inst->conf, "schema");
		d.table = dataset ? dataset->table : NULL;
		rc = inst->dialect->read_catalog ? inst->dialect->read_catalog(&d) : odbc_read_catalog(&d);
	}
	if (rc == ETL_OK && dataset && dataset->where && d.count > 0)
		rc = check_where(&d, dataset);
	if (rc == ETL_OK)
		rc = emit(&d, sink);
	etl_arena_free(&d.memory);
	return rc;
}
