/*
 * The way of a table through its transforms: the shape that each makes of it, and the types in which its rows come.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "jobs-parts.h"
#include "maps.h"
#include "shape.h"
#include "target-keys.h"

/* The first table a transform emits; side tables are for a later release. */
struct derive_sink {
	struct etl_table_sink sink;
	struct etl_table *table;
	size_t count;
};

static int derive_emit(struct etl_table_sink *self, const struct etl_table *table)
{
	struct derive_sink *sink = (struct derive_sink *)(void *)self;

	if (sink->count++ > 0)
		return 0;
	sink->table = table_copy(table);
	return sink->table ? 0 : ETL_FAILED;
}

static int derive_one(struct making *m, struct job *job, const struct plugin_use *use,
		      size_t stage, const struct etl_table *in, struct etl_table **ret)
{
	struct maps_asking asking;
	struct derive_sink sink = { .sink = { derive_emit } };
	struct host_limits limits = {
		.batch_rows = 1, .batch_bytes = 1, .max_row = 1, .workers = 1
	};
	struct instance *instance = NULL;
	int rc = instance_open(use, ETL_ROLE_TRANSFORM, &limits, &instance, m->err);

	if (rc == 0) {
		target_keys_tell(job, instance);
		rc = use->plugin->transform.derive(instance->self, in, &sink.sink,
						   instance_error(instance, m->err));
	}
	if (rc == 0)
		job->one_stream |= use->plugin->transform.whole(instance->self) > 0;
	maps_ask(&asking, m->jobs, job, use, stage, m->err);
	if (rc == 0 && use->plugin->can_map)
		rc = use->plugin->transform.maps(instance->self, in, &asking.sink, instance_error(instance, m->err));
	instance_close(instance);
	if (rc == 0 && sink.count != 1)
		rc = error_set(
			m->err, ETL_USAGE,
			"transform %s makes %zu tables of \"%s\"; this release takes exactly one",
			use->plugin->base.name, sink.count, in->name);
	if (rc < 0) {
		table_free(sink.table);
		return sink.count > 0 && !sink.table ? error_memory(m->err) :
						       error_blame(m->err, use->origin.text, rc);
	}
	*ret = sink.table;
	return 0;
}

/* Where a column of a transform's output came from, in the order in which that is certain: the same column, under
 * another name, renamed before. -1: the transform made it. */
static int64_t came_from(const struct etl_table *in, const struct etl_column *column)
{
	int64_t same = -1, renamed = -1, before = -1;

	for (size_t i = 0; i < in->column_count; i++) {
		const struct etl_column *from = table_column(in, i);
		bool named = strcmp(from->name, column->name) == 0;
		const char *origin = column->origin;

		if (named && (origin && from->origin ? strcmp(origin, from->origin) == 0 :
						       !origin && !from->origin))
			same = (int64_t)i;
		else if (origin && from->origin && strcmp(origin, from->origin) == 0)
			before = (int64_t)i;
		else if (origin && !from->origin && strcmp(origin, from->name) == 0)
			renamed = (int64_t)i;
	}
	return same >= 0 ? same : renamed >= 0 ? renamed : before;
}

/* The types in which a transform's output comes: a column that is typed or that it made has its own type, the
 * others what came; what it made without a type is text. */
static bool derived_schema(const struct etl_table *out, const struct etl_table *from,
			   const struct ArrowSchema *in, struct ArrowSchema *ret)
{
	struct etl_column *columns = calloc(out->column_count + 1, sizeof(*columns));
	size_t count = 0;
	bool ok = columns != NULL;

	for (size_t i = 0; ok && i < out->column_count; i++) {
		const struct etl_column *column = table_column(out, i);
		int64_t at = came_from(from, column);

		if (column->flags & ETL_GENERATED)
			continue;
		if (at >= 0)
			at = etl_schema_find(in, table_column(from, (size_t)at)->name);
		columns[count] = *column;
		if (at >= 0 && (!(column->flags & ETL_TYPED) || column->type == ETL_TYPE_NONE)) {
			struct etl_type_info type = etl_type_of(in->children[at]);

			columns[count].type = type.type;
			columns[count].precision = type.precision;
			columns[count].scale = type.scale;
		}
		if (columns[count].type == ETL_TYPE_NONE)
			columns[count].type = ETL_TEXT;
		count++;
	}
	ok = ok && etl_schema_make(ret, columns, count, sizeof(*columns));
	free(columns);
	return ok;
}

int jobs_derive(struct making *m, struct job *job, const struct etl_table **ret)
{
	const struct etl_table *table = job->source;

	job->comes = *job->source;
	if (job->rule->query)
		job->comes.name = job->rule->as;
	job->shapes = calloc(job->transforms.count + 1, sizeof(*job->shapes));
	if (!job->shapes || !shape_stream_schema(table, m->setup->source->plugin->store.flags & ETL_DYNAMIC, &job->want) ||
	    !etl_schema_copy(&job->before_cast, &job->want))
		return error_memory(m->err);
	job->repeats = true;
	for (size_t i = 0; i < job->transforms.count; i++) {
		const struct plugin *plugin = job->transforms.at[i].plugin;
		struct ArrowSchema next = { 0 };
		int rc = derive_one(m, job, &job->transforms.at[i], i,
				    i ? table : &job->comes, &job->shapes[i]);

		if (rc < 0)
			return rc;
		job->repeats &= (plugin->transform.flags & ETL_REPEATS) != 0;
		job->keeps_rows &= plugin->transform.rows == ETL_ROWS_SAME;
		if (!derived_schema(job->shapes[i], table, &job->before_cast, &next))
			return error_memory(m->err);
		table = job->shapes[i];
		job->before_cast.release(&job->before_cast);
		job->before_cast = next;
	}
	*ret = table;
	return 0;
}
