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

/* A source table may become several: the one that kept its name is the parent, else the first. */
static const struct job *parent_job(const struct jobs *jobs, const char *parent)
{
	const struct job *first = NULL;
	size_t at = 0, i;

	while ((i = name_index_next(&jobs->by_source, parent, &at)) != NAME_INDEX_END) {
		if (strcasecmp(jobs->at[i]->target->name, parent) == 0)
			return jobs->at[i];
		if (!first)
			first = jobs->at[i];
	}
	return first;
}

/* What a column of the parent's source is called in its target, or NULL. */
static const char *column_now(const struct etl_table *target, const char *name)
{
	for (size_t i = 0; i < target->column_count; i++) {
		const struct etl_column *column = table_column(target, i);

		if (strcasecmp(column->origin ? column->origin : column->name, name) == 0)
			return column->name;
	}
	return NULL;
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
	const struct job *parent = parent_job(jobs, key->parent);
	bool changed = false;
	const char *why;
	char name[256];
	int rc;

	if (parent) {
		rc = point_at(jobs, key, parent, job->target->ddl != NULL, &changed);
		if (rc < 0)
			return error_memory(err);
		why = "the parent's column is not in the target";
	} else {
		rc = where_find_parent(jobs, job, key) != NULL ||
		     !catalog_find(&jobs->source, ETL_TABLE, NULL, key->parent);
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

/* Names of indexes are shared by all tables of a database. Two that renaming made equal, or those
 * of a table that becomes several, get their table's name in front. */
static int settle_index_name(struct jobs *jobs, struct name_index *taken,
			     const struct etl_table *table, struct etl_index *index,
			     struct etl_error *err)
{
	struct etl_text name = { 0 };
	size_t at = 0;
	int rc = 0;

	etl_text_add(&name, index->name);
	for (int n = 1; !name.failed && name_index_next(taken, name.at, &at) != NAME_INDEX_END;
	     n++, at = 0) {
		name.length = 0;
		etl_text_addf(&name, "%s_%s", table->name, index->name);
		if (n > 1)
			etl_text_addf(&name, "_%d", n);
	}
	if (!name.failed && strcmp(name.at, index->name) != 0) {
		rc = host_verdict_add(jobs, ETL_APPROXIMATED, "index", index->name, err,
				      "called \"%s\" in the target, where that name is taken",
				      name.at);
		index->name = etl_arena_copy(&jobs->arena, name.at);
		index->ddl = NULL;
	}
	if (rc == 0 && (name.failed || !index->name || !name_index_add(taken, index->name, 0)))
		rc = error_memory(err);
	etl_text_free(&name);
	return rc;
}

int shape_index_names(struct jobs *jobs, struct name_index *taken, struct etl_table *table,
		      struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < table->index_count && rc == 0; i++) {
		struct etl_index *index = ETL_AT(struct etl_index, table->indexes,
						 table->index_size, i);

		if (index->name && *index->name)
			rc = settle_index_name(jobs, taken, table, index, err);
	}
	return rc;
}
