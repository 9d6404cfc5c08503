/*
 * To which other tables rows refer, by what the pipeline says: its entries' `from`, and validators, which look at a table before
 * any of its rows moves. A reference whose rows are to be rejected goes with the load, because only the target can tell
 * when every table is staged. What a reference names is there, or a mistake.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
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

/* ---- What an entry's `from` refers to ---- */

struct said {
	const struct jobs *jobs;
	const struct pipeline *pipeline;
	const struct job *job;
	const struct etl_foreign_key *key;
	struct etl_error *err;
};

static int refuse(const struct said *s, const char *near, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int refuse(const struct said *s, const char *near, const char *format, ...)
{
	char what[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	error_at(s->err, job_name(s->job), NULL, NULL);
	return error_set(s->err, ETL_USAGE, "%s: references: \"%s\" refers to %s%s%s%s", s->job->rule->origin.text,
			 job_name(s->job), what, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* By its name in the source or in the target. */
static const struct job *job_said(const struct said *s)
{
	for (size_t i = 0; i < s->jobs->count; i++) {
		const struct job *job = s->jobs->at[i];

		if (strcasecmp(job->source->name, s->key->parent) == 0 || strcasecmp(job->target->name, s->key->parent) == 0)
			return job;
	}
	return NULL;
}

/* It is an entry of the pipeline, be it not of this run, or the source lists it. */
static bool is_known(const struct said *s)
{
	for (size_t i = 0; i < s->pipeline->table_count; i++) {
		const struct table_rule *rule = &s->pipeline->tables[i];

		if ((rule->plain && strcasecmp(rule->plain, s->key->parent) == 0) ||
		    (rule->as && strcasecmp(rule->as, s->key->parent) == 0))
			return true;
	}
	return catalog_find(&s->jobs->source, ETL_TABLE, NULL, s->key->parent) != NULL;
}

static int no_table(const struct said *s)
{
	const struct pipeline *p = s->pipeline;
	const struct catalog *existing = &s->jobs->existing;
	const char **names = calloc(p->table_count + existing->count + 1, sizeof(*names));
	size_t count = 0;
	int rc;

	if (!names)
		return error_memory(s->err);
	for (size_t i = 0; i < p->table_count; i++)
		if (p->tables[i].plain)
			names[count++] = p->tables[i].plain;
	for (size_t i = 0; i < existing->count; i++)
		if (existing->at[i]->kind == ETL_TABLE)
			names[count++] = existing->at[i]->name;
	rc = refuse(s, option_nearest(s->key->parent, names, count), "a table \"%s\", which is neither in this pipeline nor in the target",
		    s->key->parent);
	free(names);
	return rc;
}

static bool has_column(const struct etl_table *table, const char *name)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const struct etl_column *column = table_column(table, i);

		if (strcasecmp(column->name, name) == 0 || (column->origin && strcasecmp(column->origin, name) == 0))
			return true;
	}
	return false;
}

static int lacks_column(const struct said *s, const struct etl_table *parent, const char *name)
{
	const char **names = calloc(parent->column_count + 1, sizeof(*names));
	int rc;

	if (!names)
		return error_memory(s->err);
	for (size_t i = 0; i < parent->column_count; i++)
		names[i] = table_column(parent, i)->name;
	rc = refuse(s, option_nearest(name, names, parent->column_count), "the column \"%s\" of \"%s\", which has none", name,
		    s->key->parent);
	free(names);
	return rc;
}

/* PARENT as its source has it; NOW, or NULL, what becomes of it. */
static int check_columns(const struct said *s, const struct etl_table *parent, const struct etl_table *now)
{
	const struct etl_foreign_key *key = s->key;

	/* The entry may give it another one. */
	if (!key->parent_columns && parent->primary.column_count != key->column_count &&
	    !(now && now->primary.column_count == key->column_count))
		return refuse(s, NULL, "the key of \"%s\" with %zu column%s, and it has %zu; say which with `to`", key->parent,
			      key->column_count, key->column_count == 1 ? "" : "s", parent->primary.column_count);
	for (size_t i = 0; key->parent_columns && i < key->column_count; i++)
		if (!has_column(parent, key->parent_columns[i]) && !(now && has_column(now, key->parent_columns[i])))
			return lacks_column(s, parent, key->parent_columns[i]);
	return 0;
}

static int check_said(const struct said *s)
{
	const struct job *job = job_said(s);
	const struct etl_table *there;

	if (job)
		return check_columns(s, job->source, job->target);
	if (is_known(s))        /* what it looks like was not asked */
		return 0;
	there = catalog_find(&s->jobs->existing, ETL_TABLE, NULL, s->key->parent);
	return there ? check_columns(s, there, NULL) : no_table(s);
}

int references_check(const struct jobs *jobs, const struct pipeline *pipeline, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < jobs->count && rc == 0; i++) {
		const struct job *job = jobs->at[i];

		for (size_t k = 0; jobs->shaped && job->rule->has_from && rc == 0 && k < job->source->foreign_key_count; k++) {
			struct said s = { jobs, pipeline, job, NULL, err };

			s.key = ETL_AT(const struct etl_foreign_key, job->source->foreign_keys, job->source->foreign_key_size, k);
			rc = check_said(&s);
		}
	}
	return rc;
}
