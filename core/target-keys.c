/* See target-keys.h. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "names.h"
#include "target-keys.h"
#include "whereabouts.h"

struct finding {
	const struct pipeline *pipeline;
	struct jobs *jobs;
	struct job *job;
	struct etl_error *err;
};

static bool is_renamed(const struct finding *f, const char *as, const char *name, const char *wanted)
{
	char *made = NULL;
	bool ret;

	if (as)
		return strcasecmp(as, wanted) == 0;
	ret = name_transform(f->pipeline->names, name, &made) == 0 && strcasecmp(made, wanted) == 0;
	free(made);
	return ret;
}

/* The name under which JOB's rows go, if they are not renamed by a transform. */
static char *goes_as(const struct finding *f, const struct job *job)
{
	char *made = NULL;

	if (job->rule->as)
		return strdup(job->rule->as);
	return name_transform(f->pipeline->names, job->source->name, &made) == 0 ? made : NULL;
}

static const char *source_name(const struct job *job)
{
	return job->rule->query ? job->rule->as : job->source->name;
}

/* The column of the source that becomes the one of NAME; NULL: there is none. */
static const char *source_column(const struct finding *f, const char *name)
{
	const struct etl_table *source = f->job->source;
	const struct table_rule *rule = f->job->rule;

	for (size_t i = 0; i < source->column_count; i++) {
		const char *own = table_column(source, i)->name, *as = NULL;

		for (size_t k = 0; k < rule->column_count; k++)
			if (rule->columns[k].name && rule->columns[k].as && strcasecmp(rule->columns[k].name, own) == 0)
				as = rule->columns[k].as;
		if (is_renamed(f, as, own, name))
			return own;
	}
	return NULL;
}

/* How the source calls what goes into PARENT; NULL: no memory. */
static const char *source_parent(const struct finding *f, const char *parent)
{
	for (size_t i = 0; i < f->jobs->count; i++) {
		char *name = goes_as(f, f->jobs->at[i]);
		bool same = name && strcasecmp(name, parent) == 0;

		if (!name)
			return NULL;
		free(name);
		if (same)
			return source_name(f->jobs->at[i]);
	}
	return parent;
}

/* The primary key of its parent is what it refers to. */
static bool is_to_primary(const struct finding *f, const struct etl_table *table, const struct etl_foreign_key *key)
{
	const struct etl_table *parent = catalog_find(&f->jobs->existing, ETL_TABLE,
						      key->parent_schema ? key->parent_schema : table->schema, key->parent);
	bool same = parent && (!key->parent_columns || parent->primary.column_count == key->column_count);

	for (size_t i = 0; same && key->parent_columns && i < key->column_count; i++)
		same = strcasecmp(parent->primary.columns[i], key->parent_columns[i]) == 0;
	return same;
}

static int take_key(const struct finding *f, const struct etl_foreign_key *key, struct etl_foreign_key *ret, bool *ret_taken)
{
	const char **columns = etl_arena_alloc(&f->jobs->arena, key->column_count * sizeof(*columns));
	const char *parent = source_parent(f, key->parent);

	*ret_taken = false;
	if (!columns || !parent)
		return error_memory(f->err);
	for (size_t i = 0; i < key->column_count; i++) {
		columns[i] = source_column(f, key->columns[i]);
		if (!columns[i])
			return 0;
	}
	*ret = *key;
	ret->columns = columns;
	ret->parent = parent;
	ret->parent_schema = NULL;
	ret->parent_columns = NULL;
	*ret_taken = true;
	return 0;
}

int target_keys_find(const struct jobs_setup *setup, struct jobs *jobs, struct job *job, struct etl_error *err)
{
	struct finding f = { setup->pipeline, jobs, job, err };
	struct etl_table where = *job->source;
	const struct etl_table *there = NULL;
	struct etl_foreign_key *keys;
	char *name;
	int rc = 0;

	if (!jobs->keeps_shape || job->transforms.count == 0)
		return 0;
	name = goes_as(&f, job);
	if (!name)
		return error_memory(err);
	where.kind = ETL_TABLE;
	where.name = name;
	there = where_find(jobs, &where);
	free(name);
	keys = there ? etl_arena_alloc(&jobs->arena, (there->foreign_key_count + 1) * sizeof(*keys)) : NULL;
	if (there && !keys)
		return error_memory(err);
	job->target_keys = keys;
	for (size_t i = 0; there && i < there->foreign_key_count && rc == 0; i++) {
		const struct etl_foreign_key *key = ETL_AT(const struct etl_foreign_key, there->foreign_keys, there->foreign_key_size, i);
		bool taken = false;

		if (is_to_primary(&f, there, key))
			rc = take_key(&f, key, &keys[job->target_key_count], &taken);
		job->target_key_count += taken;
	}
	return rc;
}

void target_keys_tell(const struct job *job, struct instance *instance)
{
	instance->host.target_keys = job->target_keys;
	instance->host.target_key_count = job->target_key_count;
	instance->host.target_key_size = sizeof(*job->target_keys);
}
