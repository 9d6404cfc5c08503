/*
 * Names that must not meet in the target: of tables, of what else becomes a relation there, and of indexes and keys, which
 * in a store with schemas share the names of a schema with all of these. What has its name in the source keeps it
 * before what was renamed; two that would be one are refused before anything moves.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shape.h"
#include "whereabouts.h"

/* Names that are given, and in which schema each is. */
struct taken {
	struct jobs *jobs;
	struct name_index names;
	const char **schemas; /* by the values of `names`; NULL: in every one */
	const char **spelled; /* beside them */
	size_t count, room;
	bool failed; /* no memory */
};

static void take(struct taken *t, const char *name, const char *schema)
{
	if (!name || !*name || t->failed)
		return;
	if (t->count == t->room) {
		size_t room = t->room ? t->room * 2 : 64;
		const char **schemas = realloc(t->schemas, room * sizeof(*schemas));
		const char **spelled = realloc(t->spelled, room * sizeof(*spelled));

		t->schemas = schemas ? schemas : t->schemas;
		t->spelled = spelled ? spelled : t->spelled;
		t->failed = !schemas || !spelled;
		if (t->failed)
			return;
		t->room = room;
	}
	t->schemas[t->count] = schema;
	t->spelled[t->count] = name;
	t->failed = !name_index_add(&t->names, name, t->count);
	t->count++;
}

static bool is_taken(const struct taken *t, const char *name, const char *schema)
{
	size_t at = 0, i;

	while ((i = name_index_next(&t->names, name, &at)) != NAME_INDEX_END)
		if (!schema || !t->schemas[i] || strcmp(t->schemas[i], schema) == 0)
			return true;
	return false;
}

/* By the same name to the letter. */
static bool is_taken_as_it_is(const struct taken *t, const char *name, const char *schema)
{
	size_t at = 0, i;

	while ((i = name_index_next(&t->names, name, &at)) != NAME_INDEX_END)
		if (strcmp(t->spelled[i], name) == 0 && strcmp(t->schemas[i], schema) == 0)
			return true;
	return false;
}

static void taken_clear(struct taken *t)
{
	name_index_clear(&t->names);
	free(t->schemas);
	free(t->spelled);
}

/* ---- Tables -------------------------------------------------------------------------------------------------- */

/* Two tables of one name, or of names that differ in case only: not every store tells these apart. */
static int refuse_twice(const struct job *one, const struct job *other, struct etl_error *err)
{
	const char *a = one->source->schema, *b = other->source->schema;
	bool several = a && b && strcmp(a, b) != 0;
	const char *point = several ? "." : "";

	a = several ? a : "";
	b = several ? b : "";
	return error_set(
		err, ETL_USAGE,
		"\"%s%s%s\" and \"%s%s%s\" would both become table \"%s\"; give one of them "
		"another name "
		"with tables = ( { name = \"%s%s%s\"; as = \"…\"; }, { name = \"*\"; } )%s",
		a, point, job_source_name(one), b, point, job_source_name(other),
		other->target->name, b, point, job_source_name(other),
		several && other->schema ?
			", or let the target keep the schemas of the source: without its "
			"option `schema`" :
			"");
}

static bool share_schema(const struct job *a, const struct job *b)
{
	return !a->schema || !b->schema || strcmp(a->schema, b->schema) == 0;
}

/* Tables of one name in several schemas are called with these. What is kept of them would meet in one place. */
static int label(struct jobs *jobs, struct job *job, const struct pipeline *pipeline,
		 struct etl_error *err)
{
	struct etl_text text = { 0 };

	if (pipeline->keep_old > 0)
		return error_set(err, ETL_USAGE,
				 "keep_old keeps one table of a name, and the run has several "
				 "called \"%s\", in schemas of "
				 "their own; leave keep_old out, or give all but one of them "
				 "another name with `as`",
				 job->target->name);
	if (job->label)
		return 0;
	etl_text_addf(&text, "%s.%s", job->schema, job->target->name);
	job->label = text.failed ? NULL : etl_arena_copy(&jobs->arena, text.at);
	etl_text_free(&text);
	return job->label ? 0 : error_memory(err);
}

static int check_tables(struct jobs *jobs, const struct pipeline *pipeline, struct etl_error *err)
{
	struct name_index names = { 0 };
	int rc = 0;

	for (size_t i = 0; i < jobs->count && rc == 0; i++) {
		struct job *job = jobs->at[i];
		size_t at = 0, k;

		while (rc == 0 &&
		       (k = name_index_next(&names, job->target->name, &at)) != NAME_INDEX_END) {
			struct job *other = jobs->at[k];

			rc = share_schema(job, other) ? refuse_twice(other, job, err) :
							label(jobs, job, pipeline, err);
			if (rc == 0)
				rc = label(jobs, other, pipeline, err);
		}
		if (rc == 0 && !name_index_add(&names, job->target->name, i))
			rc = error_memory(err);
	}
	name_index_clear(&names);
	return rc;
}

/* ---- What is taken --------------------------------------------------------------------------------------------- */

/* Whether a table of the run, which were taken first, comes in the place of THERE. */
static bool gives_way(const struct taken *t, const struct etl_table *there)
{
	size_t at = 0, i;

	while ((i = name_index_next(&t->names, there->name, &at)) != NAME_INDEX_END) {
		const struct job *job = i < t->jobs->count ? t->jobs->at[i] : NULL;

		if (job && !job->existing && strcmp(job->target->name, there->name) == 0 &&
		    where_find(t->jobs, job->target) == there)
			return true;
	}
	return false;
}

/* A table with its indexes and keys, a view, …, of the target. */
static void take_existing(struct taken *t, const struct etl_table *there)
{
	take(t, there->name, there->schema);
	take(t, there->primary.name, there->schema);
	for (size_t i = 0; i < there->unique_count; i++)
		take(t, ETL_AT(const struct etl_key, there->uniques, there->unique_size, i)->name,
		     there->schema);
	for (size_t i = 0; i < there->index_count; i++)
		take(t, ETL_AT(const struct etl_index, there->indexes, there->index_size, i)->name,
		     there->schema);
}

/* Where names are of a schema, what stays in the target has them, and so has what comes beside the tables. */
static void take_all(struct taken *t)
{
	struct jobs *jobs = t->jobs;
	bool places = false;

	for (size_t i = 0; i < jobs->count; i++) {
		take(t, jobs->at[i]->target->name, jobs->at[i]->schema);
		places |= jobs->at[i]->schema != NULL;
	}
	for (size_t i = 0; places && i < jobs->existing.count; i++)
		if (jobs->existing.at[i]->kind != ETL_TRIGGER &&
		    !gives_way(t, jobs->existing.at[i]))
			take_existing(t, jobs->existing.at[i]);
	for (size_t i = 0; places && i < jobs->source.count; i++) {
		const struct etl_table *object = jobs->source.at[i];

		if (object->kind == ETL_VIEW || object->kind == ETL_SEQUENCE ||
		    object->kind == ETL_TYPE_DEFINITION)
			take(t, object->name, where_goes(jobs, object));
	}
}

/* ---- Indexes and keys -------------------------------------------------------------------------------------------- */

/* Two that renaming made equal, or those of a table that becomes several, get their table's name in front. */
static int settle_index(struct taken *t, const struct job *job, struct etl_index *index,
			struct etl_error *err)
{
	const struct etl_table *table = job->target;
	struct etl_text name = { 0 };
	int rc = 0;

	etl_text_add(&name, index->name);
	for (int n = 1; !name.failed && is_taken(t, name.at, job->schema); n++) {
		name.length = 0;
		etl_text_addf(&name, "%s_%s", table->name, index->name);
		if (n > 1)
			etl_text_addf(&name, "_%d", n);
	}
	if (!name.failed && strcmp(name.at, index->name) != 0) {
		rc = host_verdict_add(t->jobs, ETL_APPROXIMATED, "index", index->name, err,
				      "called \"%s\" in the target, where that name is taken",
				      name.at);
		index->name = etl_arena_copy(&t->jobs->arena, name.at);
		index->ddl = NULL;
	}
	if (rc == 0 && (name.failed || !index->name))
		rc = error_memory(err);
	etl_text_free(&name);
	if (rc == 0)
		take(t, index->name, job->schema);
	return rc;
}

static int settle_indexes(struct taken *t, const struct job *job, struct etl_error *err)
{
	const struct etl_table *table = job->target;
	int rc = 0;

	for (size_t i = 0; i < table->index_count && rc == 0; i++) {
		struct etl_index *index = ETL_AT(struct etl_index, table->indexes,
						 table->index_size, i);

		if (index->name && *index->name)
			rc = settle_index(t, job, index, err);
	}
	return rc;
}

static bool keeps_name(const struct job *job)
{
	return strcmp(job_source_name(job), job->target->name) == 0;
}

/* A key of another schema of the source may have had its name: then the target gives it one. */
static int settle_key(struct taken *t, struct taken *keys, const struct job *job,
		      struct etl_key *key, struct etl_error *err)
{
	int rc;

	if (!key->name)
		return 0;
	if (!is_taken_as_it_is(keys, key->name, job->schema)) {
		take(keys, key->name, job->schema);
		return 0;
	}
	rc = host_verdict_add(t->jobs, ETL_APPROXIMATED, "key", key->name, err,
			      "the key of \"%s\" gets another name in the target, where a table "
			      "has a key of this one",
			      job_name(job));
	key->name = NULL;
	return rc;
}

/* Only where several schemas become one: in one schema of the source they had names of their own. */
static int settle_keys(struct taken *t, struct etl_error *err)
{
	struct jobs *jobs = t->jobs;
	struct taken keys = { .jobs = jobs };
	int rc = 0;

	for (size_t i = 0; i < jobs->count && rc == 0; i++) {
		struct job *job = jobs->at[i];
		struct etl_table *table = job->target;

		if (!job->schema || !job->source->schema || job->existing)
			continue;
		rc = settle_key(t, &keys, job, &table->primary, err);
		for (size_t k = 0; k < table->unique_count && rc == 0; k++)
			rc = settle_key(
				t, &keys, job,
				ETL_AT(struct etl_key, table->uniques, table->unique_size, k), err);
	}
	rc = rc == 0 && keys.failed ? error_memory(err) : rc;
	taken_clear(&keys);
	return rc;
}

/* ---- For the target ------------------------------------------------------------------------------------------------ */

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The list of SCHEMA, once for all its tables. */
static int give_list(struct taken *t, const char *schema, struct etl_error *err)
{
	struct jobs *jobs = t->jobs;
	const char **list = etl_arena_alloc(&jobs->arena, (t->count + 1) * sizeof(*list));
	size_t count = 0;

	if (!list)
		return error_memory(err);
	for (size_t i = 0; i < t->count; i++)
		if (t->schemas[i] && strcmp(t->schemas[i], schema) == 0 &&
		    !(list[count] = etl_arena_copy(&jobs->arena, t->spelled[i])))
			return error_memory(err);
		else if (t->schemas[i] && strcmp(t->schemas[i], schema) == 0)
			count++;
	qsort(list, count, sizeof(*list), by_bytes);
	for (size_t i = 0; i < jobs->count; i++)
		if (jobs->at[i]->schema && strcmp(jobs->at[i]->schema, schema) == 0) {
			jobs->at[i]->taken = list;
			jobs->at[i]->taken_count = count;
		}
	return 0;
}

static int give_lists(struct taken *t, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < t->jobs->count && rc == 0; i++)
		if (t->jobs->at[i]->schema && !t->jobs->at[i]->taken)
			rc = give_list(t, t->jobs->at[i]->schema, err);
	return rc;
}

int shape_names(struct jobs *jobs, const struct pipeline *pipeline, struct etl_error *err)
{
	struct taken t = { .jobs = jobs };
	int rc = check_tables(jobs, pipeline, err);

	if (rc == 0)
		take_all(&t);
	/* A table that keeps its name keeps those of its indexes. */
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < jobs->count && rc == 0; i++)
			if (!jobs->at[i]->existing && keeps_name(jobs->at[i]) == (pass == 0))
				rc = settle_indexes(&t, jobs->at[i], err);
	if (rc == 0)
		rc = settle_keys(&t, err);
	if (rc == 0)
		rc = t.failed ? error_memory(err) : give_lists(&t, err);
	taken_clear(&t);
	return rc;
}

/* ---- Beside the tables ------------------------------------------------------------------------------------------------ */

static const struct etl_table *find_namesake(const struct jobs *jobs,
					     const struct etl_table *object, size_t before,
					     const char *schema)
{
	for (size_t i = 0; i < jobs->count; i++)
		if (jobs->at[i]->schema && strcmp(jobs->at[i]->schema, schema) == 0 &&
		    strcmp(jobs->at[i]->target->name, object->name) == 0)
			return jobs->at[i]->source;
	for (size_t i = 0; i < before; i++) {
		const struct etl_table *other = jobs->others.at[i];
		const char *place = other->kind == ETL_TRIGGER ? NULL : where_goes(jobs, other);

		if (place && strcmp(place, schema) == 0 && strcmp(other->name, object->name) == 0)
			return other;
	}
	return NULL;
}

int shape_check_others(const struct jobs *jobs, struct etl_error *err)
{
	for (size_t i = 0; i < jobs->others.count; i++) {
		const struct etl_table *object = jobs->others.at[i], *other;
		const char *schema = where_goes(jobs, object);

		if (!schema || !object->schema ||
		    (object->kind != ETL_VIEW && object->kind != ETL_SEQUENCE &&
		     object->kind != ETL_TYPE_DEFINITION))
			continue;
		other = find_namesake(jobs, object, i, schema);
		if (!other)
			continue;
		return error_set(err, ETL_USAGE,
				 "the %s \"%s.%s\" and the %s \"%s.%s\" would both become "
				 "\"%s.%s\"; let the target keep "
				 "the schemas of the source, without its option `schema`, or bring "
				 "one schema at a "
				 "time, with the option `schema` of the source",
				 kind_name(other->kind), other->schema ? other->schema : "",
				 other->name, kind_name(object->kind), object->schema, object->name,
				 schema, object->name);
	}
	return 0;
}
