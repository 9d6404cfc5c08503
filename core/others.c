/*
 * What goes along beside the tables: types, sequences, settings; and views and triggers as far as what they use comes
 * as it is, for what they say cannot be followed into other names. What stays behind is named with the reason.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "select.h"
#include "shape.h"
#include "uses.h"
#include "whereabouts.h"

enum fate { UNKNOWN, COMES, LEFT };

struct taking {
	const struct jobs_setup *setup;
	struct jobs *jobs;
	struct etl_error *err;
	struct name_index by_source, by_target; /* the jobs */
	struct name_index places;		/* the objects of the source by name */
	int8_t *fates;				/* beside them: enum fate */
	char **whys;			/* beside them: behind the name in a sentence; owned */
	const struct etl_table *object; /* whose statement is looked at */
	size_t at;			/* its place */
	struct etl_text why;		/* … and why it stays behind */
};

/* ---- Tables that come as they are ---------------------------------------------------------------------------- */

static bool same_schema(const char *a, const char *b)
{
	return !a || !b || strcmp(a, b) == 0;
}

/* A column that does not come under its name; NULL: all do. */
static const char *lost_column(const struct job *job)
{
	const struct etl_table *source = job->source, *target = job->target;

	for (size_t i = 0; i < source->column_count; i++) {
		const char *name = table_column(source, i)->name;
		int64_t at = table_find_column(target, name);
		const struct etl_column *now = at < 0 ? NULL : table_column(target, (size_t)at);

		if (!now || strcmp(now->name, name) != 0 ||
		    (now->origin && strcmp(now->origin, name) != 0))
			return name;
	}
	return NULL;
}

/* Why a table, or a view that comes as one, is not there as it was: to WHY; nothing: it is. */
static void judge_table(const struct taking *t, const struct etl_table *table, struct etl_text *why)
{
	const struct job *other = NULL;
	size_t at = 0, i;

	while ((i = name_index_next(&t->by_source, table->name, &at)) != NAME_INDEX_END) {
		const struct job *job = t->jobs->at[i];
		const char *column;

		if (job->rule->query || strcmp(job->source->name, table->name) != 0 ||
		    !same_schema(job->source->schema, table->schema))
			continue;
		other = job;
		if (strcmp(job->target->name, table->name) != 0)
			continue;
		column = lost_column(job);
		if (column)
			etl_text_addf(why, "whose column \"%s\" does not come under its name",
				      column);
		return;
	}
	if (other)
		etl_text_addf(why, "which is called \"%s\" in the target", other->target->name);
	else if (select_excludes(t->setup->pipeline, table))
		etl_text_add(why, "which is excluded");
	else
		etl_text_add(why, "which is not in this run");
}

static bool is_job(const struct taking *t, const struct etl_table *object)
{
	size_t at = 0, i;

	while ((i = name_index_next(&t->by_source, object->name, &at)) != NAME_INDEX_END)
		if (!t->jobs->at[i]->rule->query &&
		    strcmp(t->jobs->at[i]->source->name, object->name) == 0 &&
		    same_schema(t->jobs->at[i]->source->schema, object->schema))
			return true;
	return false;
}

static int set_fate(struct taking *t, size_t i, struct etl_text *why)
{
	t->fates[i] = why->length ? LEFT : COMES;
	if (why->failed)
		return error_memory(t->err);
	t->whys[i] = etl_text_take(why);
	return 0;
}

static int fate_of_table(struct taking *t, size_t i)
{
	struct etl_text why = { 0 };

	if (t->fates[i] != UNKNOWN)
		return 0;
	judge_table(t, t->jobs->source.at[i], &why);
	return set_fate(t, i, &why);
}

/* ---- What a statement uses ---------------------------------------------------------------------------------------- */

/* The place in the source of what NAME means in the statement, or NAME_INDEX_END. */
static size_t find_place(const struct taking *t, const char *schema, const char *name)
{
	size_t at = 0, i, other_case = NAME_INDEX_END;

	/* SQLite's "main". */
	schema = t->object->schema ? schema ? schema : t->object->schema : NULL;
	while ((i = name_index_next(&t->places, name, &at)) != NAME_INDEX_END) {
		const struct etl_table *there = t->jobs->source.at[i];

		if (!same_schema(schema, there->schema))
			continue;
		if (strcmp(there->name, name) == 0)
			return i;
		if (other_case == NAME_INDEX_END && !there->schema)
			other_case = i;
	}
	return other_case;
}

static void add_why(struct taking *t, size_t used)
{
	const struct etl_table *there = t->jobs->source.at[used];

	etl_text_addf(
		&t->why, "not carried: %s \"%s\" uses %s \"%s\", %s", kind_name(t->object->kind),
		t->object->name, kind_name(there->kind), there->name,
		there->kind == ETL_VIEW && !is_job(t, there) ? "which is left out" : t->whys[used]);
}

/* Each schema of the target has a staging place of its own, and one for all has another name than the text says. */
static bool is_elsewhere(const struct taking *t, size_t used)
{
	return t->object->schema && where_goes(t->jobs, t->object) &&
	       !same_schema(t->object->schema, t->jobs->source.at[used]->schema);
}

static void add_elsewhere(struct taking *t, size_t used)
{
	const struct etl_table *there = t->jobs->source.at[used];

	etl_text_addf(&t->why,
		      "not carried: %s \"%s\" uses %s \"%s.%s\" of another schema, which is not "
		      "there by that "
		      "name while the run is made; make it in the target afterwards",
		      kind_name(t->object->kind), t->object->name, kind_name(there->kind),
		      there->schema, there->name);
}

static bool on_use(void *data, const char *schema, const char *name)
{
	struct taking *t = data;
	size_t used = find_place(t, schema, name);

	if (used == NAME_INDEX_END || used == t->at)
		return true;
	if (t->jobs->source.at[used]->kind == ETL_TABLE && fate_of_table(t, used) < 0)
		return false;
	if (t->fates[used] == LEFT)
		add_why(t, used);
	else if (is_elsewhere(t, used))
		add_elsewhere(t, used);
	return t->why.length == 0;
}

static bool is_taken(const struct taking *t, const struct etl_table *object)
{
	const char *schema = where_goes(t->jobs, object);
	size_t at = 0, i;

	while ((i = name_index_next(&t->by_target, object->name, &at)) != NAME_INDEX_END)
		if (same_schema(t->jobs->at[i]->schema, schema))
			return true;
	return false;
}

/* Into t->why; what is not in its text. */
static void judge_name(struct taking *t)
{
	const struct etl_table *object = t->object;

	if (t->setup->pipeline->names != NAMES_KEEP)
		etl_text_add(&t->why, "its text speaks of the names that the source has, and "
				      "`names` makes others");
	else if (select_excludes(t->setup->pipeline, object))
		etl_text_add(&t->why, "it is excluded");
	else if (object->kind == ETL_VIEW && is_job(t, object))
		etl_text_add(&t->why, "it comes as a table");
	else if (object->kind == ETL_VIEW && is_taken(t, object))
		etl_text_add(&t->why, "a table of this run has its name");
	else if (object->parent)
		on_use(t, NULL, object->parent);
}

/* Of a view or trigger that may come. A view behind it may turn out not to: then it is asked again. */
static int judge_program(struct taking *t, size_t i, bool *ret_left)
{
	struct uses uses = { .each = on_use, .data = t };
	int rc = 0;

	t->object = t->jobs->source.at[i];
	t->at = i;
	t->why.length = 0;
	uses.sql = t->object->ddl;
	uses.brackets = t->object->dialect && strcmp(t->object->dialect, "postgresql") != 0;
	judge_name(t);
	if (!t->why.length && uses.sql && uses_walk(&uses) < 0)
		return error_memory(t->err);
	*ret_left = t->why.length > 0;
	if (*ret_left) {
		rc = set_fate(t, i, &t->why);
		t->why = (struct etl_text){ 0 };
	}
	return t->err->set ? ETL_FAILED : rc;
}

static bool is_program(const struct etl_table *object)
{
	return object->kind == ETL_VIEW || object->kind == ETL_TRIGGER;
}

/* Until nothing more stays behind for what it uses. */
static int judge_programs(struct taking *t)
{
	bool again = true;
	int rc = 0;

	while (again && rc == 0) {
		again = false;
		for (size_t i = 0; i < t->jobs->source.count && rc == 0; i++) {
			bool left = false;

			if (is_program(t->jobs->source.at[i]) && t->fates[i] != LEFT)
				rc = judge_program(t, i, &left);
			again |= left && t->jobs->source.at[i]->kind == ETL_VIEW;
		}
	}
	return rc;
}

/* ---- Taking ----------------------------------------------------------------------------------------------------------- */

static int leave(struct taking *t, size_t i)
{
	const struct etl_table *object = t->jobs->source.at[i];
	int rc = host_verdict_add(t->jobs, ETL_SKIPPED, kind_name(object->kind), object->name,
				  t->err, "%s", t->whys[i]);

	if (rc == 0)
		t->jobs->verdicts[t->jobs->verdict_count - 1].ddl = object->ddl;
	return rc;
}

static int take(struct taking *t, size_t i)
{
	const struct etl_table *object = t->jobs->source.at[i];
	struct etl_table *copy;

	if (!(t->setup->target->plugin->target.flags & ETL_DDL))
		return host_verdict_add(t->jobs, ETL_SKIPPED, kind_name(object->kind), object->name,
					t->err, "the target takes rows only");
	if (is_program(object) && t->fates[i] == LEFT)
		return leave(t, i);
	if (object->kind == ETL_DATABASE && t->setup->options->tables)
		return 0;
	copy = table_copy(object);
	return copy ? catalog_add(&t->jobs->others, copy, t->err) : error_memory(t->err);
}

static int index_all(struct taking *t)
{
	const struct jobs *jobs = t->jobs;
	bool ok = true;

	for (size_t i = 0; i < jobs->count && ok; i++)
		ok = name_index_add(&t->by_source, job_source_name(jobs->at[i]), i) &&
		     name_index_add(&t->by_target, jobs->at[i]->target->name, i);
	for (size_t i = 0; i < jobs->source.count && ok; i++)
		if (jobs->source.at[i]->kind == ETL_TABLE || jobs->source.at[i]->kind == ETL_VIEW)
			ok = name_index_add(&t->places, jobs->source.at[i]->name, i);
	t->fates = calloc(jobs->source.count + 1, sizeof(*t->fates));
	t->whys = calloc(jobs->source.count + 1, sizeof(*t->whys));
	return ok && t->fates && t->whys ? 0 : error_memory(t->err);
}

static void taking_clear(struct taking *t)
{
	for (size_t i = 0; t->whys && i < t->jobs->source.count; i++)
		free(t->whys[i]);
	free(t->whys);
	free(t->fates);
	name_index_clear(&t->by_source);
	name_index_clear(&t->by_target);
	name_index_clear(&t->places);
	etl_text_free(&t->why);
}

int others_take(const struct jobs_setup *setup, struct jobs *jobs, struct etl_error *err)
{
	struct taking t = { .setup = setup, .jobs = jobs, .err = err };
	/* Into a database that is there they do not go: its own are what counts. */
	bool into = setup->pipeline->mode != ETL_COPY && jobs->existing.count > 0;
	int rc = index_all(&t);

	if (rc == 0 && !into && setup->target->plugin->target.flags & ETL_DDL)
		rc = judge_programs(&t);
	for (size_t i = 0; i < jobs->source.count && rc == 0; i++)
		if (jobs->source.at[i]->kind != ETL_TABLE)
			rc = take(&t, i);
	if (rc == 0 && !into)
		rc = shape_check_others(jobs, err);
	taking_clear(&t);
	return rc;
}
