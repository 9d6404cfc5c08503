#include "config.h"

#include <string.h>
#include <strings.h>

#include "whereabouts.h"

const char *where_goes(const struct jobs *jobs, const struct etl_table *table)
{
	return jobs->target->plugin->target.place(jobs->target->self, table);
}

const struct etl_table *where_find(const struct jobs *jobs, const struct etl_table *table)
{
	return catalog_find(&jobs->existing, table->kind, where_goes(jobs, table), table->name);
}

int where_job(struct jobs *jobs, struct job *job, struct etl_error *err)
{
	const char *schema = where_goes(jobs, job->target);

	job->schema = schema ? etl_arena_copy(&jobs->arena, schema) : NULL;
	return schema && !job->schema ? error_memory(err) : 0;
}

/* The target's own table says where its parents are; the keys of one that comes go where their parents go. */
static bool is_own(const struct jobs *jobs, const struct job *job)
{
	return jobs->keeps_shape && job->existing;
}

static const char *schema_of_parent(const struct jobs *jobs, const struct job *job,
				    const struct etl_foreign_key *key)
{
	const struct etl_table *table = job->target;
	const char *schema = key->parent_schema ? key->parent_schema : table->schema;
	const struct etl_table parent = { .kind = ETL_TABLE,
					  .schema = schema,
					  .name = key->parent,
					  .dialect = table->dialect };

	return is_own(jobs, job) ? schema : where_goes(jobs, &parent);
}

static bool is_in(const struct job *job, const char *schema)
{
	return !schema || !job->schema || strcmp(job->schema, schema) == 0;
}

const struct job *where_parent_job(const struct jobs *jobs, const struct job *job,
				   const struct etl_foreign_key *key)
{
	const char *schema = schema_of_parent(jobs, job, key);
	const struct job *other_case = NULL, *elsewhere = NULL;

	for (size_t i = 0; i < jobs->count; i++) {
		const struct job *other = jobs->at[i];

		if (strcasecmp(other->target->name, key->parent) != 0)
			continue;
		if (!is_in(other, schema))
			elsewhere = other;
		else if (strcmp(other->target->name, key->parent) == 0)
			return other;
		else if (!other_case)
			other_case = other;
	}
	if (other_case)
		return other_case;
	/* A transform may have taken the parent into another schema, and its children follow it. */
	return is_own(jobs, job) || where_find_parent(jobs, job, key) ? NULL : elsewhere;
}

const struct etl_table *where_find_parent(const struct jobs *jobs, const struct job *job,
					  const struct etl_foreign_key *key)
{
	return catalog_find(&jobs->existing, ETL_TABLE, schema_of_parent(jobs, job, key),
			    key->parent);
}
