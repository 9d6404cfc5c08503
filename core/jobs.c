/*
 * From a pipeline and two open ends to the jobs of a run: what is there is described, the tables
 * are picked, each is led through its transforms to its shape at the target, and the whole is put
 * in an order in which parents come before their children. Nothing is written here.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "changes.h"
#include "conflicts.h"
#include "cursor.h"
#include "drift.h"
#include "graph.h"
#include "jobs-parts.h"
#include "log.h"
#include "maps.h"
#include "profile.h"
#include "references.h"
#include "select.h"
#include "shape.h"
#include "target-keys.h"
#include "whereabouts.h"

#define OWN_PREFIX "etlrun." /* of ETL_ORDINAL_COLUMN */
#define ROWS_A_SPLIT 250000  /* a second's work or so; the number must not depend on the workers */
#define MOST_SPLITS  4096

const char *job_source_name(const struct job *job)
{
	return job->source->name;
}

const char *job_name(const struct job *job)
{
	return job->label ? job->label : job->target->name;
}

bool jobs_has_own_place(const struct jobs *jobs, size_t other)
{
	const char *token = jobs->other_tokens[other].text;

	if (!token[0] || (other > 0 && strcmp(token, jobs->other_tokens[other - 1].text) == 0))
		return false;
	return !jobs->count || !jobs->at[0]->begun || strcmp(token, jobs->at[0]->token.text) != 0;
}

bool job_is_called(const struct job *job, const char *schema, const char *name)
{
	if (strcasecmp(job_name(job), name) == 0)
		return true;
	return job->label && schema && strcmp(job->schema, schema) == 0 &&
	       strcasecmp(job->target->name, name) == 0;
}

int64_t job_splits_wanted(const struct job *job)
{
	int64_t wanted = job->source->rows / ROWS_A_SPLIT + 1;

	if (job->source->rows < 0)
		return 1;
	return wanted < MOST_SPLITS ? wanted : MOST_SPLITS;
}

size_t job_stages(const struct job *job)
{
	return job->transforms.count + 1 + job->validators.count + 1;
}

const char *job_stage_name(const struct job *job, size_t stage)
{
	if (stage == job->transforms.count)
		return "cast";
	if (stage == job_stages(job) - 1)
		return "unchanged";
	return stage < job->transforms.count ?
		       job->transforms.at[stage].plugin->base.name :
		       job->validators.at[stage - job->transforms.count - 1].plugin->base.name;
}

static bool is_dynamic(const struct instance *instance)
{
	return instance->plugin->store.flags & ETL_DYNAMIC;
}

/* The pipeline's uses, then the table's own. */
static bool join_uses(const struct plugin_uses *all, const struct plugin_uses *own,
		      struct plugin_uses *ret)
{
	ret->at = calloc(all->count + own->count + 1, sizeof(*ret->at));
	if (!ret->at)
		return false;
	for (size_t i = 0; i < all->count; i++)
		ret->at[ret->count++] = all->at[i];
	for (size_t i = 0; i < own->count; i++)
		ret->at[ret->count++] = own->at[i];
	return true;
}

/* The host's own columns go with the rows and are told by this prefix. */
static int refuse_own_names(const struct etl_table *table, struct etl_error *err)
{
	for (size_t i = 0; i < table->column_count; i++) {
		const char *name = table_column(table, i)->name;

		if (strncmp(name, OWN_PREFIX, sizeof(OWN_PREFIX) - 1) != 0)
			continue;
		error_at(err, table->name, name, NULL);
		return error_set(
			err, ETL_USAGE,
			"the column \"%s\" of \"%s\" has a name that etlrun keeps for columns "
			"of its own; give it another one with query = \"SELECT …\"",
			name, table->name);
	}
	return 0;
}

/* The validators' common wish: the fullest digest anyone asks for, and whether one of them wants all
 * rows in one stream. */
static int ask_needs(struct making *m, struct job *job)
{
	struct host_limits limits = {
		.batch_rows = 1, .batch_bytes = 1, .max_row = 1, .workers = 1
	};

	for (size_t i = 0; i < job->validators.count; i++) {
		const struct plugin_use *use = &job->validators.at[i];
		struct etl_needs needs = { 0 };
		struct instance *instance = NULL;
		int rc;

		job->adds_up |= use->plugin->can_check && use->plugin->validator.flags & ETL_ADDS_UP;
		if (!use->plugin->can_needs && !use->plugin->can_wrap)
			continue;
		rc = instance_open(use, ETL_ROLE_VALIDATOR, &limits, &instance, m->err);
		if (rc == 0)
			rc = use->plugin->validator.needs(instance->self, &needs,
							  instance_error(instance, m->err));
		if (rc == 0)
			job->one_stream |= use->plugin->validator.whole(instance->self) > 0;
		instance_close(instance);
		if (rc < 0)
			return error_blame(m->err, use->origin.text, rc);
		if (needs.hash && needs.hash != ETL_HASH_X1)
			return error_set(m->err, ETL_BUG,
					 "plugin %s wants row hashes of kind %d, and only x1 is made while "
					 "rows are loaded",
					 use->plugin->base.name, needs.hash);
		if (needs.hash && needs.ppm > job->needs.ppm)
			job->needs = needs;
	}
	return 0;
}

/* What the job reads, and what of the pipeline is about it. */
static int begin_job(struct making *m, struct job *job, const struct pick *pick)
{
	const struct pipeline *pipeline = m->setup->pipeline;
	int rc = 0;

	job->dataset = (struct etl_dataset){ .schema = pick->table ? pick->table->schema : NULL,
					     .table = pick->table ? pick->table->name :
								    pick->rule.plain,
					     .query = pick->rule.query,
					     .where = pick->rule.where,
					     .options = pick->rule.from };
	job->keeps_rows = !pick->rule.where && !pick->rule.query;
	if (pick->table) {
		job->source = table_copy(pick->table);
		if (!job->source)
			return error_memory(m->err);
		if (pick->rule.where)
			rc = jobs_ask_where(m, job);
	} else if (pick->rule.query) {
		rc = jobs_describe_query(m, job);
	} else {
		rc = jobs_describe_shaped(m, job);
	}
	if (rc == 0 &&
	    (!join_uses(&pipeline->transforms, &job->rule->transforms, &job->transforms) ||
	     !join_uses(&pipeline->validators, &job->rule->validators, &job->validators)))
		rc = error_memory(m->err);
	return rc;
}

/* Its way from the source's table to the target's. */
static int shape_job(struct making *m, struct job *job)
{
	const struct instance *target = m->setup->target;
	const struct etl_table *from = NULL;
	int rc = refuse_own_names(job->source, m->err);

	if (rc == 0)
		rc = drift_from(m->jobs, job, m->err);
	if (rc == 0)
		rc = target_keys_find(m->setup, m->jobs, job, m->err);
	if (rc == 0)
		rc = jobs_derive(m, job, &from);
	if (rc == 0)
		rc = refuse_own_names(from, m->err);
	if (rc == 0)
		rc = shape_target(m->setup->pipeline, m->jobs, job, from, is_dynamic(target),
				  &target->plugin->target, m->err);
	if (rc == 0)
		rc = where_job(m->jobs, job, m->err);
	if (rc == 0)
		rc = refuse_own_names(job->target, m->err);
	return rc < 0 ? rc : ask_needs(m, job);
}

static int make_job(struct making *m, const struct pick *pick)
{
	struct table_rule *rule = etl_arena_alloc(&m->jobs->arena, sizeof(*rule));
	struct job *job = calloc(1, sizeof(*job));
	struct job **at = realloc(m->jobs->at, (m->jobs->count + 1) * sizeof(*at));

	if (at)
		m->jobs->at = at;
	if (!rule || !job || !at) {
		free(job);
		return error_memory(m->err);
	}
	*rule = pick->rule;
	conflict_rule_under(&rule->conflicts, &m->setup->pipeline->conflicts);
	job->rule = rule;
	pthread_mutex_init(&job->mutex, NULL);
	at[m->jobs->count++] = job;
	return begin_job(m, job, pick);
}

/* The names of the key's columns in the target, in the target's order. */
static const char *const *key_names(struct jobs *jobs, const struct job *job)
{
	const char **names = etl_arena_alloc(&jobs->arena, (job->key_count + 1) * sizeof(*names));

	for (size_t i = 0; names && i < job->key_count; i++)
		names[i] = job->rows.children[job->key[i]]->name;
	return names;
}

static int compare_job(struct job *job, struct etl_error *err)
{
	job->changes = changes_new();
	return job->changes ? changes_check(job, err) : error_memory(err);
}

/* append, merge, sync: what this mode asks of a table beyond its shape. */
static int check_mode(struct making *m, struct job *job)
{
	int rc;

	if (m->setup->options->data_only && !job->existing)
		return error_set(
			m->err, ETL_USAGE,
			"table \"%s\" is not in the target, and --data-only makes no tables",
			job->target->name);
	if (!pipeline_merges(m->setup->pipeline))
		return 0;
	job->load.key = key_names(m->jobs, job);
	job->load.key_count = job->key_count;
	if (job->rule->deletes == ETL_DELETE_SOFT)
		job->load.delete_column = job->rule->delete_column;
	rc = job->load.key ? shape_check_merge(job, m->setup->options->limit > 0, m->err) : error_memory(m->err);
	if (rc == 0 && m->setup->pipeline->mode == ETL_SYNC)
		rc = cursor_check(m->setup, job, m->err);
	if (rc == 0 && m->setup->pipeline->mode == ETL_SYNC && !maps_is_map(job))
		rc = conflicts_check(m->setup, job, m->err);
	if (rc < 0 || m->setup->pipeline->mode != ETL_SYNC || maps_is_map(job))
		return rc;
	return job->existing || m->setup->pipeline->max_rows || job->conflicts ? compare_job(job, m->err) : 0;
}

static int make_loads(struct making *m)
{
	struct jobs *jobs = m->jobs;
	bool copies = m->setup->pipeline->mode == ETL_COPY;
	int rc = 0;

	jobs->other_loads = calloc(jobs->others.count + 1, sizeof(*jobs->other_loads));
	jobs->other_tokens = calloc(jobs->others.count + 1, sizeof(*jobs->other_tokens));
	if (!jobs->other_loads || !jobs->other_tokens)
		return error_memory(m->err);
	for (size_t i = 0; i < jobs->count && rc == 0; i++) {
		struct job *job = jobs->at[i];

		job->index = i;
		if (!job->existing)
			job->existing = where_find(jobs, job->target);
		job->load = (struct etl_load){ .run = m->setup->run,
					       .table = job->target,
					       .existing = job->existing,
					       .given = job->given,
					       .source_name = job_source_name(job),
					       .options = job->rule->to,
					       .index = i,
					       .deletes = job->rule->deletes,
					       .taken = job->taken,
					       .taken_count = job->taken_count };
		if (!copies)
			rc = check_mode(m, job);
	}
	for (size_t i = 0; i < jobs->others.count; i++)
		jobs->other_loads[i] = (struct etl_load){ .run = m->setup->run,
							  .table = jobs->others.at[i],
							  .source_name = jobs->others.at[i]->name,
							  .index = jobs->count + i };
	for (size_t i = 0; i < jobs->others.count && !copies; i++)
		jobs->other_loads[i].existing = where_find(jobs, jobs->others.at[i]);
	return rc;
}

/* What is wrong with a table that changed comes of that, which is said of all tables together. */
static int shape_all(struct making *m)
{
	bool begins = m->setup->limits->intent == ETL_BEGINS;
	int rc = 0;

	for (size_t i = 0; i < m->jobs->count && rc == 0; i++) {
		rc = shape_job(m, m->jobs->at[i]);
		if (rc < 0 && begins && m->jobs->at[i]->drifted && m->err->klass == ETL_USAGE) {
			error_clear(m->err);
			rc = 0;
		}
	}
	return rc < 0 ? rc : drift_settle(m->setup, m->jobs, m->err);
}

static int make_all(struct making *m, const struct picks *picks)
{
	const struct instance *source = m->setup->source, *target = m->setup->target;
	int rc = 0;

	for (size_t i = 0; i < picks->count && rc == 0; i++)
		rc = make_job(m, &picks->at[i]);
	if (rc == 0 && m->jobs->shaped)
		rc = jobs_list_shaped(m);
	if (rc == 0 && is_dynamic(source) && source->plugin->can_profile && !is_dynamic(target))
		rc = profile_jobs(m->setup, m->jobs, m->err);
	if (rc == 0)
		rc = shape_all(m);
	return rc < 0 ? rc : maps_make(m->setup, m->jobs, m->err);
}

int jobs_make(const struct jobs_setup *setup, struct jobs *jobs, struct etl_error *err)
{
	const struct pipeline *pipeline = setup->pipeline;
	bool copies = pipeline->mode == ETL_COPY;
	/* The tables of the target are what counts, and their columns. */
	bool stays = !copies || setup->options->data_only ||
		     pipeline->on_existing == ETL_EXISTING_TRUNCATE;
	struct making m = { setup, jobs, err };
	struct picks picks = { 0 };
	int rc = select_needs_list(pipeline) ? jobs_describe(setup->source, NULL, &jobs->source, err) : 0;

	jobs->shaped = (setup->source->plugin->store.flags & ETL_FROM_SHAPES) != 0;
	if (rc == 0)
		rc = jobs_describe(setup->target, NULL, &jobs->existing, err);
	if (rc == 0)
		rc = jobs_describe_given(setup->target, &jobs->given, err);
	if (rc == 0)
		rc = select_tables(pipeline, &jobs->source, setup->options->tables, &picks, err);
	if (rc == 0)
		rc = drift_open(setup, jobs, err);
	jobs->target = setup->target;
	/* Where values have types of their own, the columns' say little. */
	jobs->keeps_shape = !copies || (!is_dynamic(setup->target) && stays);
	if (rc == 0)
		rc = make_all(&m, &picks);
	free(picks.at);
	if (rc == 0)
		rc = shape_names(jobs, pipeline, err);
	if (rc == 0)
		rc = references_check(jobs, pipeline, err);
	if (rc == 0)
		rc = shape_foreign_keys(jobs, err);
	if (rc == 0 && !copies)
		shape_name_parents(jobs);
	if (rc == 0)
		rc = jobs_sort(jobs, err);
	if (rc == 0)
		rc = others_take(setup, jobs, err);
	if (rc == 0)
		rc = make_loads(&m);
	if (rc == 0)
		rc = shape_find_parents(jobs, stays, err);
	if (rc == 0)
		rc = references_find(jobs, setup->target, err);
	return rc < 0 ? rc : maps_refer(jobs, setup->target, err);
}

static void job_free(struct job *job)
{
	for (size_t i = 0; job->shapes && i < job->transforms.count; i++)
		table_free(job->shapes[i]);
	for (size_t i = 0; i < job->split_count; i++)
		free(job->splits[i].text);
	if (job->want.release)
		job->want.release(&job->want);
	if (job->before_cast.release)
		job->before_cast.release(&job->before_cast);
	if (job->rows.release)
		job->rows.release(&job->rows);
	table_free(job->source);
	table_free(job->target);
	free(job->shapes);
	free(job->transforms.at);
	free(job->validators.at);
	free(job->cast);
	free(job->key);
	free(job->respelt);
	free(job->stays);
	free(job->splits);
	free(job->refused);
	free(job->stages);
	totals_free(job->totals);
	totals_free(job->ahead.totals);
	origins_free(job->origins);
	noted_clear(&job->noted);
	changes_free(job->changes);
	job_maps_free(job);
	conflicts_free(job->conflicts);
	error_clear(&job->failure);
	pthread_mutex_destroy(&job->mutex);
	free(job);
}

void jobs_free(struct jobs *jobs)
{
	for (size_t i = 0; i < jobs->count; i++)
		job_free(jobs->at[i]);
	free(jobs->at);
	free(jobs->other_loads);
	free(jobs->other_tokens);
	catalog_clear(&jobs->source);
	catalog_clear(&jobs->existing);
	catalog_clear(&jobs->given);
	drift_free(jobs->drift);
	maps_free(jobs->maps);
	catalog_clear(&jobs->others);
	name_index_clear(&jobs->by_source);
	etl_arena_free(&jobs->arena);
	memset(jobs, 0, sizeof(*jobs));
}

/* The pages of one table in the source are its own affair as much as its rows are; a source that is gone is not,
 * and neither is anything about the target. */
bool job_fails_alone(const struct pipeline *pipeline, const struct etl_error *err)
{
	bool of_source = err->klass == ETL_FATAL && err->role == ETL_ROLE_SOURCE;

	return pipeline->table_scope && err->set && (err->klass == ETL_DATA || of_source);
}

void job_fail(struct job *job, struct etl_error *err)
{
	if (!err->table)
		err->table = strdup(job_name(job));
	if (!job->failed)
		log_error(err);
	job->failed = true;
	error_move(&job->failure, err);
}
