/*
 * What validators say of a table before any of its rows moves: that they can look at it, and to which other tables
 * its rows refer. A reference whose rows are to be rejected goes with the load, because only the target can tell
 * when every table is staged.
 */
#include "config.h"

#include <stdlib.h>
#include <strings.h>

#include "references.h"

struct inspecting {
	struct etl_reference_sink sink;
	struct jobs *jobs;
	struct job *job;
	const struct instance *target;
	const char *validator;
	struct etl_error *err;
};

/* The table as it will be in the target, or NULL. A rule names no schema, so what is not of the run is beside it. */
static const struct etl_table *find_parent(const struct inspecting *s, const char *name)
{
	const struct jobs *jobs = s->jobs;

	for (size_t i = 0; i < jobs->count; i++)
		if (job_is_called(jobs->at[i], s->job->schema, name))
			return jobs->at[i]->target;
	return catalog_find(&jobs->existing, ETL_TABLE, s->job->schema, name);
}

static int no_parent(const struct inspecting *s, const char *name)
{
	const struct jobs *jobs = s->jobs;
	const char **names = calloc(jobs->count + jobs->existing.count + 1, sizeof(*names)), *near;
	size_t count = 0;
	int rc;

	if (!names)
		return error_memory(s->err);
	for (size_t i = 0; i < jobs->count; i++)
		names[count++] = job_name(jobs->at[i]);
	for (size_t i = 0; i < jobs->existing.count; i++)
		if (jobs->existing.at[i]->kind == ETL_TABLE)
			names[count++] = jobs->existing.at[i]->name;
	near = option_nearest(name, names, count);
	error_at(s->err, job_name(s->job), NULL, NULL);
	rc = error_set(
		s->err, ETL_USAGE,
		"%s: references: table \"%s\" is neither in this run nor in the target%s%s%s",
		s->validator, name, near ? "; did you mean \"" : "", near ? near : "",
		near ? "\"?" : "");
	free(names);
	return rc;
}

static int no_column(const struct inspecting *s, const struct etl_table *parent, const char *name)
{
	const char **names = calloc(parent->column_count + 1, sizeof(*names)), *near;
	int rc;

	if (!names)
		return error_memory(s->err);
	for (size_t i = 0; i < parent->column_count; i++)
		names[i] = table_column(parent, i)->name;
	near = option_nearest(name, names, parent->column_count);
	error_at(s->err, job_name(s->job), NULL, NULL);
	rc = error_set(s->err, ETL_USAGE, "%s: references: \"%s\" has no column \"%s\"%s%s%s",
		       s->validator, parent->name, name, near ? "; did you mean \"" : "",
		       near ? near : "", near ? "\"?" : "");
	free(names);
	return rc;
}

/* REFERENCE with the parent's own spelling and columns, which are never left out. */
static int resolve(const struct inspecting *s, const struct etl_foreign_key *reference,
		   const struct etl_table *parent, struct etl_foreign_key *ret)
{
	const char *const *names = reference->parent_columns ? reference->parent_columns :
							       parent->primary.columns;
	struct arena *arena = &s->jobs->arena;
	const char **columns = etl_arena_alloc(arena, reference->column_count * sizeof(*columns)),
		   **parents = etl_arena_alloc(arena, reference->column_count * sizeof(*parents));

	if (!reference->parent_columns && parent->primary.column_count != reference->column_count)
		return error_set(
			s->err, ETL_USAGE,
			"%s: references: the primary key of \"%s\" has %zu columns, the rule "
			"has %zu; name the columns it refers to",
			s->validator, parent->name, parent->primary.column_count,
			reference->column_count);
	if (!columns || !parents)
		return error_memory(s->err);
	for (size_t i = 0; i < reference->column_count; i++) {
		int64_t at = table_find_column(parent, names[i]);

		if (at < 0)
			return no_column(s, parent, names[i]);
		parents[i] = table_column(parent, (size_t)at)->name;
		columns[i] = etl_arena_copy(arena, reference->columns[i]);
		if (!columns[i])
			return error_memory(s->err);
	}
	*ret = (struct etl_foreign_key){ .name = etl_arena_copy(arena, reference->name),
					 .columns = columns,
					 .column_count = reference->column_count,
					 .parent_schema = parent->schema,
					 .parent = parent->name,
					 .parent_columns = parents };
	return reference->name && !ret->name ? error_memory(s->err) : 0;
}

static int add(const struct inspecting *s, const struct etl_foreign_key *reference)
{
	struct etl_load *load = &s->job->load;
	struct etl_foreign_key *more = etl_arena_alloc(&s->jobs->arena,
						       (load->reference_count + 1) * sizeof(*more));

	if (!(s->target->plugin->target.flags & ETL_REFERENCES))
		return error_set(
			s->err, ETL_USAGE,
			"%s: references: target %s cannot look for rows to be rejected; use "
			"severity = \"warn\" or \"fail\"",
			s->validator, s->target->plugin->base.name);
	if (!more)
		return error_memory(s->err);
	for (size_t i = 0; i < load->reference_count; i++)
		more[i] = load->references[i];
	more[load->reference_count++] = *reference;
	load->references = more;
	load->reference_size = sizeof(*more);
	return 0;
}

static int on_reference(struct etl_reference_sink *self, const struct etl_foreign_key *reference,
			int32_t rejects)
{
	const struct inspecting *s = (const struct inspecting *)(void *)self;
	const struct etl_table *parent = find_parent(s, reference->parent);
	struct etl_foreign_key whole;
	int rc;

	if (!parent)
		return no_parent(s, reference->parent);
	rc = resolve(s, reference, parent, &whole);
	return rc < 0 || !rejects ? rc : add(s, &whole);
}

static int inspect_job(struct inspecting *s, struct job *job)
{
	struct host_limits limits = {
		.batch_rows = 1, .batch_bytes = 1, .max_row = 1, .workers = 1
	};
	int rc = 0;

	s->job = job;
	for (size_t i = 0; i < job->validators.count && rc == 0; i++) {
		const struct plugin_use *use = &job->validators.at[i];
		struct instance *instance = NULL;

		if (!use->plugin->can_inspect)
			continue;
		s->validator = use->plugin->base.name;
		rc = instance_open(use, ETL_ROLE_VALIDATOR, &limits, &instance, s->err);
		if (rc == 0)
			rc = use->plugin->validator.inspect(instance->self, job->target, &s->sink,
							    instance_error(instance, s->err));
		instance_close(instance);
		rc = error_blame(s->err, use->origin.text, rc);
	}
	return rc;
}

int references_find(struct jobs *jobs, const struct instance *target, struct etl_error *err)
{
	struct inspecting s = {
		.sink = { on_reference }, .jobs = jobs, .target = target, .err = err
	};
	int rc = 0;

	for (size_t i = 0; i < jobs->count && rc == 0; i++)
		rc = inspect_job(&s, jobs->at[i]);
	return rc;
}
