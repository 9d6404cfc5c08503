/*
 * The pass over the rows that gives columns their types: by all workers, each with an instance of its own inside the pin,
 * split by split. What is found of the splits of a table is added up; when the last is there, columns get their types. A
 * source that cannot do that is read by one, table by table.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "crew.h"
#include "log.h"
#include "profile.h"

/* A table, and what was found in the splits that were looked at. */
struct whole {
	struct job *job;
	struct etl_profile *columns; /* their names are owned */
	size_t count;
};

struct part {
	struct whole *whole;
	struct etl_split split; /* its text is owned */
	bool everything; /* the only one */
};

struct profiling {
	const struct jobs_setup *setup;
	struct whole *wholes;
	struct part *parts;
	size_t count, next; /* parts before `next` were taken */
	pthread_mutex_t mutex;
	bool failed;
	struct etl_error *err; /* of the first who failed */
};

/* What one call finds, column after column. */
struct finding {
	struct etl_profile_sink sink;
	struct profiling *p;
	struct whole *whole;
	size_t column;
	bool failed; /* no memory */
};

/* ---- Adding up ---- */

static bool add_column(struct whole *whole, const char *name)
{
	struct etl_profile *at =
		realloc(whole->columns, (whole->count + 1) * sizeof(*whole->columns));
	char *copy = strdup(name ? name : "");

	if (at)
		whole->columns = at;
	if (!at || !copy) {
		free(copy);
		return false;
	}
	at[whole->count++] = (struct etl_profile){ .column = copy };
	return true;
}

static int on_profile(struct etl_profile_sink *self, const struct etl_profile *part)
{
	struct finding *finding = (struct finding *)(void *)self;
	struct whole *whole = finding->whole;

	pthread_mutex_lock(&finding->p->mutex);
	if (finding->column == whole->count)
		finding->failed = !add_column(whole, part->column);
	if (!finding->failed)
		profile_add(&whole->columns[finding->column++], part);
	pthread_mutex_unlock(&finding->p->mutex);
	return finding->failed ? ETL_FAILED : 0;
}

static void whole_clear(struct whole *whole)
{
	for (size_t i = 0; i < whole->count; i++)
		free((char *)(uintptr_t)whole->columns[i].column);
	free(whole->columns);
	whole->columns = NULL;
	whole->count = 0;
}

static int whole_done(struct jobs *jobs, const struct whole *whole, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < whole->count && rc == 0; i++) {
		profile_apply(whole->job, &whole->columns[i]);
		rc = profile_look_at_keys(jobs, whole->job, &whole->columns[i], err);
	}
	return rc;
}

/* ---- Looking ---- */

static struct part *take(struct profiling *p)
{
	struct part *part = NULL;

	pthread_mutex_lock(&p->mutex);
	if (p->next < p->count && !p->failed && !host_canceled())
		part = &p->parts[p->next++];
	pthread_mutex_unlock(&p->mutex);
	return part;
}

static void fail(struct profiling *p, struct etl_error *err)
{
	pthread_mutex_lock(&p->mutex);
	p->failed = true;
	if (!host_canceled())
		error_unsaid(err);
	error_move(p->err, err);
	pthread_mutex_unlock(&p->mutex);
}

static int look(struct profiling *p, struct part *part, struct instance *source, struct etl_error *err)
{
	struct finding finding = { .sink = { on_profile }, .p = p, .whole = part->whole };
	const struct etl_source *plugin = &source->plugin->source;
	const struct etl_dataset *dataset = &part->whole->job->dataset;
	int rc;

	instance_error(source, err);
	rc = part->everything ? plugin->profile(source->self, dataset, &finding.sink, err) :
				plugin->profile_split(source->self, dataset, &part->split,
						      &finding.sink, err);
	return finding.failed ? error_memory(err) : rc < 0 ? rc : 0;
}

static void look_at_all(struct profiling *p, struct instance *source)
{
	struct etl_error err = ERROR_INIT;
	struct part *part;

	while ((part = take(p)))
		if (look(p, part, source, &err) < 0) {
			error_name_table(&err, job_source_name(part->whole->job));
			fail(p, &err);
		}
	error_clear(&err);
}

/* Whoever gets no instance, or not into the view, leaves the work to the others. */
static void *helper_main(void *data)
{
	struct profiling *p = data;
	const struct jobs_setup *s = p->setup;
	struct etl_error err = ERROR_INIT;
	struct instance *source = NULL;
	int rc = instance_open(&s->pipeline->source, ETL_ROLE_SOURCE, s->limits, &source, &err);

	if (rc == 0)
		rc = source->plugin->source.join(source->self, s->pin, instance_error(source, &err));
	if (rc == 0)
		look_at_all(p, source);
	else
		log_line(ETL_LOG_INFO, "one reader fewer: %s",
			 err.message ? err.message : "the store gives no more");
	error_clear(&err);
	instance_close(source);
	return NULL;
}

/* ---- The parts ---- */

/* TAKEN: a split, whose text is the part's now; NULL: everything. */
static int add_part(struct profiling *p, struct whole *whole, struct job_split *taken, struct etl_error *err)
{
	struct part *at = realloc(p->parts, (p->count + 1) * sizeof(*at));

	if (!at)
		return error_memory(err);
	p->parts = at;
	at = &p->parts[p->count++];
	*at = (struct part){ .whole = whole, .everything = !taken };
	if (taken) {
		at->split = taken->split;
		taken->text = NULL;
	}
	return 0;
}

/* The workers' instances see what the first one sees. */
static bool can_split(const struct jobs_setup *s)
{
	return s->source->plugin->can_profile_split && s->pin && s->limits->workers > 1;
}

static int plan(struct profiling *p, struct whole *whole, struct etl_error *err)
{
	struct etl_read read = { .dataset = whole->job->dataset };
	int64_t wanted = can_split(p->setup) ? job_splits_wanted(whole->job) : 1;
	struct split_list splits = { .at = NULL };
	int rc = 0;

	if (wanted > 1)
		rc = split_list_plan(&splits, p->setup->source, &read, wanted, err);
	for (size_t i = 0; i < splits.count && rc == 0; i++)
		rc = add_part(p, whole, &splits.at[i], err);
	if (rc == 0 && splits.count == 0)
		rc = add_part(p, whole, NULL, err);
	split_list_clear(&splits);
	return rc;
}

static int plan_all(struct profiling *p, const struct jobs *jobs, struct etl_error *err)
{
	int rc = 0;

	p->wholes = calloc(jobs->count + 1, sizeof(*p->wholes));
	if (!p->wholes)
		return error_memory(err);
	for (size_t i = 0; i < jobs->count && rc == 0; i++) {
		p->wholes[i].job = jobs->at[i];
		rc = plan(p, &p->wholes[i], err);
	}
	return rc;
}

static int look_together(struct profiling *p, struct etl_error *err)
{
	size_t workers = can_split(p->setup) ? (size_t)p->setup->limits->workers : 1;
	struct crew crew;

	if (workers > p->count)
		workers = p->count;
	if (!crew_open(&crew, workers))
		return error_memory(err);
	for (size_t i = 1; i < workers; i++)
		crew_start(&crew, helper_main, p);
	look_at_all(p, p->setup->source);
	crew_join(&crew);
	return host_canceled() ? ETL_CANCELED : p->failed ? ETL_FAILED : 0;
}

int profile_jobs(const struct jobs_setup *setup, struct jobs *jobs, struct etl_error *err)
{
	struct profiling p = { .setup = setup, .err = err, .mutex = PTHREAD_MUTEX_INITIALIZER };
	int rc = plan_all(&p, jobs, err);

	if (rc == 0)
		rc = look_together(&p, err);
	for (size_t i = 0; i < jobs->count && rc == 0; i++)
		rc = whole_done(jobs, &p.wholes[i], err);
	for (size_t i = 0; i < p.count; i++)
		free((char *)(uintptr_t)p.parts[i].split.text);
	for (size_t i = 0; p.wholes && i < jobs->count; i++)
		whole_clear(&p.wholes[i]);
	free(p.parts);
	free(p.wholes);
	pthread_mutex_destroy(&p.mutex);
	return rc;
}
