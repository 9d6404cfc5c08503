/*
 * What the two ends of a run say of what is there: all of it, a table that a query or an entry's `from` makes, whether a condition
 * is one.
 */
#include "config.h"

#include <string.h>

#include "jobs-parts.h"
#include "retry.h"
#include "select.h"

int jobs_describe(struct instance *instance, const struct etl_dataset *dataset, struct catalog *catalog,
		  struct etl_error *err)
{
	struct catalog_sink sink = catalog_sink(catalog, err);
	struct retry retry = retry_of(instance, "looking at what is there");
	int rc;

	do {
		catalog_clear(catalog);
		rc = instance->plugin->store.describe(instance->self, dataset, &sink.sink,
						      instance_error(instance, err));
	} while (rc < 0 && retry_again(&retry, err));
	return rc;
}

int jobs_describe_given(struct instance *target, struct catalog *catalog, struct etl_error *err)
{
	struct catalog_sink sink = catalog_sink(catalog, err);

	return !target->plugin->has_schema ?
		       0 :
		       target->plugin->schema.given(target->self, &sink.sink,
						    instance_error(target, err));
}

int jobs_describe_query(struct making *m, struct job *job)
{
	struct catalog found = { 0 };
	int rc = jobs_describe(m->setup->source, &job->dataset, &found, m->err);

	if (rc == 0 && found.count != 1)
		rc = error_set(m->err, ETL_FATAL,
			       "%s: the query gives %zu results, one was expected",
			       job->rule->origin.text, found.count);
	if (rc == 0) {
		job->source = found.at[0];
		if (!job->source->name)
			job->source->name = job->rule->as;
		found.count = 0; /* it is the job's now */
	}
	catalog_clear(&found);
	return rc;
}

int jobs_describe_shaped(struct making *m, struct job *job)
{
	struct catalog found = { 0 };
	int rc = jobs_describe(m->setup->source, &job->dataset, &found, m->err);

	rc = error_blame(m->err, job->rule->origin.text, rc);
	if (rc == 0 && found.count != 1)
		rc = error_set(m->err, found.count ? ETL_BUG : ETL_USAGE,
			       "%s: what `from` says makes %zu tables of the source, and \"%s\" is to be one",
			       job->rule->origin.text, found.count, job->dataset.table);
	if (rc == 0) {
		job->source = found.at[0];
		job->source->name = job->dataset.table;
		found.count = 0; /* it is the job's now */
	}
	catalog_clear(&found);
	return rc;
}

int jobs_ask_where(struct making *m, struct job *job)
{
	struct catalog found = { 0 };
	int rc = jobs_describe(m->setup->source, &job->dataset, &found, m->err);

	if (rc == 0 && found.count != 1)
		rc = error_set(m->err, ETL_FATAL, "table \"%s\" is not in the source any more",
			       job_source_name(job));
	catalog_clear(&found);
	return rc;
}

static const struct etl_table *shape_of(const struct jobs *jobs, const char *name)
{
	for (size_t i = 0; i < jobs->count; i++)
		if (!jobs->at[i]->rule->query && strcmp(jobs->at[i]->source->name, name) == 0)
			return jobs->at[i]->source;
	return NULL;
}

int jobs_list_shaped(struct making *m)
{
	const struct pipeline *pipeline = m->setup->pipeline;
	struct jobs *jobs = m->jobs;
	int rc = 0;

	for (size_t i = 0; i < pipeline->table_count && rc == 0; i++) {
		const struct table_rule *rule = &pipeline->tables[i];
		struct etl_table name = { .kind = ETL_TABLE, .name = rule->plain, .rows = ETL_UNKNOWN,
					  .bytes = ETL_UNKNOWN };
		const struct etl_table *shape, *there;
		struct etl_table *copy;

		if (!select_is_shaped(pipeline, rule))
			continue;
		there = catalog_find(&jobs->source, ETL_TABLE, NULL, rule->plain);
		if (there && strcmp(there->name, rule->plain) == 0)
			continue;
		shape = shape_of(jobs, rule->plain);
		copy = table_copy(shape ? shape : &name);
		rc = copy ? catalog_add(&jobs->source, copy, m->err) : error_memory(m->err);
	}
	return rc;
}
