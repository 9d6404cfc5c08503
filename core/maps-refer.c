/*
 * Where the keys of a map are in the rows that a target gets; and references whose parents may fall where nobody sees it:
 * those of a row that comes before its parent, or beside it, into a table without a foreign key.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "maps-parts.h"

/* What the column NAME of the shape behind STAGE is called when all transforms are through. */
static const char *follow(const struct job *job, size_t stage, const char *name)
{
	for (size_t i = stage + 1; name && i < job->transforms.count; i++) {
		const struct etl_table *out = job->shapes[i];
		const char *same = NULL, *renamed = NULL;

		for (size_t k = 0; k < out->column_count; k++) {
			const struct etl_column *c = table_column(out, k);

			if (strcmp(c->name, name) == 0)
				same = c->name;
			else if (c->origin && strcmp(c->origin, name) == 0)
				renamed = c->name;
		}
		name = same ? same : renamed;
	}
	return name;
}

/* Where it is in the rows of JOB; -1: it does not come. */
static int64_t place_in_rows(const struct job *job, size_t stage, const char *column)
{
	const char *name = follow(job, stage, column);
	int64_t from = name ? etl_schema_find(&job->before_cast, name) : -1;

	for (size_t i = 0; from >= 0 && i < job->cast_count; i++)
		if (job->cast[i].from == from)
			return (int64_t)i;
	return -1;
}

int map_find_own(struct job *job, struct job_map *jm, struct etl_error *err)
{
	if (!jm->owns)
		return 0;
	jm->at = place_in_rows(job, jm->stage, jm->own_column);
	if (jm->at >= 0)
		return 0;
	error_at(err, job_name(job), jm->own_column, NULL);
	return error_set(err, ETL_USAGE,
			 "%s: the new key \"%s\" does not come to the target, so nobody knows which rows of \"%s\" the map \"%s\" is to "
			 "hold; leave it in, or name its column as it is called when the rows leave the last transform",
			 job->rule->origin.text, jm->own_column, job_source_name(job), jm->map->name);
}

/* ---- References ------------------------------------------------------------------------------------ */

static bool has_key(const struct etl_table *t, const char *column)
{
	for (size_t i = 0; t && i < t->foreign_key_count; i++) {
		const struct etl_foreign_key *key = ETL_AT(const struct etl_foreign_key, t->foreign_keys, t->foreign_key_size, i);

		if (key->column_count == 1 && strcasecmp(key->columns[0], column) == 0)
			return true;
	}
	return false;
}

static const struct job_map *owned_by(const struct job *job, const struct map *m, uint16_t table)
{
	for (size_t i = 0; i < job->map_count; i++)
		if (job->maps[i].map == m && job->maps[i].owns && job->maps[i].own == table)
			return &job->maps[i];
	return NULL;
}

static int add_reference(struct jobs *jobs, struct job *job, const char *column, const struct job *parent, const char *parent_column,
			 struct etl_error *err)
{
	struct etl_load *load = &job->load;
	struct etl_foreign_key *more = etl_arena_alloc(&jobs->arena, (load->reference_count + 1) * sizeof(*more));
	const char **columns = etl_arena_alloc(&jobs->arena, 2 * sizeof(*columns));

	if (!more || !columns)
		return error_memory(err);
	columns[0] = column;
	columns[1] = parent_column;
	for (size_t i = 0; i < load->reference_count; i++)
		more[i] = load->references[i];
	more[load->reference_count++] = (struct etl_foreign_key){ .columns = columns,
								  .column_count = 1,
								  .parent_schema = parent->target->schema,
								  .parent = parent->target->name,
								  .parent_columns = &columns[1] };
	load->references = more;
	load->reference_size = sizeof(*more);
	return 0;
}

static int refer(struct jobs *jobs, struct job *job, const struct job_map *jm, const struct job_map_parent *p, struct etl_error *err)
{
	const struct map_table *t = &jm->map->tables[p->table];
	int64_t at = place_in_rows(job, jm->stage, p->column);
	const char *column = at >= 0 ? job->rows.children[at]->name : NULL;
	const struct job_map *own;

	/* Of several tables no one has to have it. */
	if (t->owner_count != 1 || t->owners[0]->index < job->index || !column || has_key(job->target, column) ||
	    has_key(job->existing, column))
		return 0;
	own = owned_by(t->owners[0], jm->map, p->table);
	return own ? add_reference(jobs, job, column, t->owners[0], t->owners[0]->rows.children[own->at]->name, err) : 0;
}

int maps_refer(struct jobs *jobs, const struct instance *target, struct etl_error *err)
{
	int rc = 0;

	if (!maps_any(jobs) || !(target->plugin->target.flags & ETL_REFERENCES))
		return 0;
	for (size_t i = 0; i < jobs->count; i++)
		for (size_t k = 0; k < jobs->at[i]->map_count; k++)
			for (size_t p = 0; p < jobs->at[i]->maps[k].parent_count && rc == 0; p++)
				rc = refer(jobs, jobs->at[i], &jobs->at[i]->maps[k], &jobs->at[i]->maps[k].parents[p], err);
	return rc;
}
