/*
 * Foreign keys across the tables of a run. A foreign key speaks of its parent by the parent's name
 * in the source; here it learns what the parent and its columns are called now, or is left out with
 * a verdict when the parent is neither in the run nor in the target.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shape.h"
#include "whereabouts.h"

int host_verdict_add(struct jobs *jobs, int32_t verdict, const char *kind, const char *object,
		     struct etl_error *err, const char *format, ...)
{
	struct host_verdict *at = etl_arena_push(&jobs->arena, jobs->verdicts, jobs->verdict_count,
						 sizeof(*at));
	char *note = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&note, format, args);
	va_end(args);
	if (!at || length < 0) {
		if (length >= 0)
			free(note);
		return error_memory(err);
	}
	jobs->verdicts = at;
	at[jobs->verdict_count++] = (struct host_verdict){
		.verdict = verdict,
		.kind = etl_arena_copy(&jobs->arena, kind),
		.object = etl_arena_copy(&jobs->arena, object),
		.note = etl_arena_copy(&jobs->arena, note)
	};
	free(note);
	return jobs->arena.failed ? error_memory(err) : 0;
}

/* The schema that a key of the table speaks of, in the source. */
static const char *schema_of_key(const struct job *job, const struct etl_foreign_key *key)
{
	return key->parent_schema ? key->parent_schema : job->source->schema;
}

/* Where the source has a table of the very name, one that differs in case is another table. */
static bool may_fold(const struct jobs *jobs, const char *schema, const char *name)
{
	const struct etl_table *there = catalog_find(&jobs->source, ETL_TABLE, schema, name);

	return !there || strcmp(there->name, name) != 0;
}

static bool is_source(const struct job *job, const char *schema, const char *name, bool fold)
{
	const struct etl_table *source = job->source;

	return (!schema || !source->schema || strcmp(source->schema, schema) == 0) &&
	       (fold || strcmp(source->name, name) == 0);
}

/* Where tables are what the pipeline says, their names in the target tell them apart. */
static const struct job *called(const struct jobs *jobs, const char *name)
{
	for (size_t i = 0; jobs->shaped && i < jobs->count; i++)
		if (strcasecmp(jobs->at[i]->target->name, name) == 0)
			return jobs->at[i];
	return NULL;
}

/* A source table may become several: the one that kept its name is the parent, else the first. */
static const struct job *parent_job(const struct jobs *jobs, const char *schema, const char *parent)
{
	bool fold = may_fold(jobs, schema, parent);
	const struct job *first = NULL;
	size_t at = 0, i;

	while ((i = name_index_next(&jobs->by_source, parent, &at)) != NAME_INDEX_END) {
		if (!is_source(jobs->at[i], schema, parent, fold))
			continue;
		if (strcasecmp(jobs->at[i]->target->name, parent) == 0)
			return jobs->at[i];
		if (!first)
			first = jobs->at[i];
	}
	return called(jobs, parent) ? called(jobs, parent) : first;
}

/* What a column of the parent's source is called in its target, or NULL. */
static const char *column_now(const struct etl_table *target, const char *name)
{
	const char *other_case = NULL;

	for (size_t i = 0; i < target->column_count; i++) {
		const struct etl_column *column = table_column(target, i);
		const char *was = column->origin ? column->origin : column->name;

		if (strcmp(was, name) == 0)
			return column->name;
		if (!other_case && strcasecmp(was, name) == 0)
			other_case = column->name;
	}
	return other_case;
}

/* 1: points at the parent's new names; 0: a column of the parent is gone; negative: no memory. A
 * column that the source's parent never had (SQLite takes such keys) is not gone: with UNTOUCHED,
 * the child's own statement goes along as it is. */
static int point_at(struct jobs *jobs, struct etl_foreign_key *key, const struct job *parent,
		    bool untouched, bool *ret_changed)
{
	const char **columns;

	if (strcmp(key->parent, parent->target->name) != 0) {
		*ret_changed |= strcasecmp(key->parent, parent->target->name) != 0;
		key->parent = parent->target->name;
	}
	if (!key->parent_columns)
		return parent->target->primary.column_count ||
		       !parent->source->primary.column_count;
	columns = etl_arena_alloc(&jobs->arena, key->column_count * sizeof(*columns));
	if (!columns)
		return ETL_FAILED;
	for (size_t i = 0; i < key->column_count; i++) {
		columns[i] = column_now(parent->target, key->parent_columns[i]);
		if (!columns[i] && untouched && !column_now(parent->source, key->parent_columns[i]))
			columns[i] = key->parent_columns[i];
		if (!columns[i])
			return 0;
		*ret_changed |= strcasecmp(columns[i], key->parent_columns[i]) != 0;
	}
	key->parent_columns = columns;
	return 1;
}

/* Keeps, changes or leaves out one foreign key; *ret_keep says which. */
static int settle_key(struct jobs *jobs, struct job *job, struct etl_foreign_key *key,
		      bool *ret_keep, struct etl_error *err)
{
	const char *schema = schema_of_key(job, key);
	const struct job *parent = parent_job(jobs, schema, key->parent);
	bool changed = false;
	const char *why;
	char name[256];
	int rc;

	/* DDL of the target's own speaks of the target's names. */
	if (job->given && where_parent_job(jobs, job, key)) {
		*ret_keep = true;
		return 0;
	}
	if (parent) {
		rc = point_at(jobs, key, parent, job->target->ddl != NULL, &changed);
		if (rc < 0)
			return error_memory(err);
		why = "the parent's column is not in the target";
	} else {
		rc = where_find_parent(jobs, job, key) != NULL ||
		     (!jobs->shaped && !catalog_find(&jobs->source, ETL_TABLE, schema, key->parent));
		why = "the parent is not in this run nor in the target";
	}
	*ret_keep = rc == 1;
	if (changed || rc == 0)
		job->target->ddl = NULL;
	if (rc == 1)
		return 0;
	snprintf(name, sizeof(name), "%s -> %s", job->target->name, key->parent);
	return host_verdict_add(jobs, ETL_SKIPPED, "foreign key", name, err, "%s", why);
}

/* The jobs by their source's name, in the order they have now. */
static bool index_jobs(struct jobs *jobs)
{
	name_index_clear(&jobs->by_source);
	for (size_t i = 0; i < jobs->count; i++)
		if (jobs->at[i]->source && jobs->at[i]->source->name &&
		    !name_index_add(&jobs->by_source, jobs->at[i]->source->name, i))
			return false;
	return true;
}

int shape_foreign_keys(struct jobs *jobs, struct etl_error *err)
{
	if (!index_jobs(jobs))
		return error_memory(err);
	for (size_t i = 0; i < jobs->count; i++) {
		struct etl_table *table = jobs->at[i]->target;
		size_t kept = 0;

		/* The target's own table speaks of the target's own parents. */
		if (jobs->at[i]->existing)
			continue;

		for (size_t k = 0; k < table->foreign_key_count; k++) {
			struct etl_foreign_key *key = ETL_AT(struct etl_foreign_key,
							     table->foreign_keys,
							     table->foreign_key_size, k);
			struct etl_foreign_key *place = ETL_AT(struct etl_foreign_key,
							       table->foreign_keys,
							       table->foreign_key_size, kept);
			bool keep = false;
			int rc = settle_key(jobs, jobs->at[i], key, &keep, err);

			if (rc < 0)
				return rc;
			if (keep) {
				if (place != key)
					*place = *key;
				kept++;
			}
		}
		table->foreign_key_count = kept;
	}
	return 0;
}

bool shape_keys_reach_out(struct jobs *jobs)
{
	for (size_t i = 0; i < jobs->count; i++) {
		const struct etl_table *table = jobs->at[i]->target;

		for (size_t k = 0; k < table->foreign_key_count; k++) {
			const struct etl_foreign_key *key =
				ETL_AT(const struct etl_foreign_key, table->foreign_keys,
				       table->foreign_key_size, k);

			if (where_find_parent(jobs, jobs->at[i], key) &&
			    !where_parent_job(jobs, jobs->at[i], key))
				return true;
		}
	}
	return false;
}
