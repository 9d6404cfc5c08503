/*
 * See analyze.h. A store that counts is asked; else the rows are read. Of a table from which transforms, rules or casts may
 * leave rows out, those that come through are counted, as `diff` would read them.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "analyze.h"
#include "changes.h"
#include "diff-parts.h"
#include "refused.h"

const char *analyze_word(enum analyze_status status)
{
	static const char *const words[] = { "synced", "behind", "ahead", "missing", "unknown" };

	return words[status];
}

/* ---- Counting -------------------------------------------------------------------------------- */

/* As many rows arrive as there are: no step leaves one out, makes one, or refuses one without ending the run. */
static bool keeps_count(const struct run *run, const struct job *job)
{
	if (job->dataset.query || job->dataset.where || run->pipeline->reject_rows)
		return false;
	for (size_t i = 0; i < job->transforms.count; i++)
		if (job->transforms.at[i].plugin->transform.rows != ETL_ROWS_SAME)
			return false;
	return true;
}

static int ask_store(struct instance *store, const struct etl_dataset *dataset, uint64_t *ret, struct etl_error *err)
{
	static const struct etl_range all = { .kind = ETL_RANGE_ALL };
	struct etl_digest digest = { 0 };
	int rc = store->plugin->store.digest(store->self, dataset, &all, 0, &digest, instance_error(store, err));

	*ret = digest.rows;
	return rc;
}

struct counting {
	struct diff_walk walk;
	uint64_t rows;
};

static int count_batch(struct diff_walk *walk, const struct ArrowArray *batch, struct etl_error *err)
{
	(void)err;
	((struct counting *)(void *)walk)->rows += (uint64_t)batch->length;
	return 0;
}

static int read_side(struct diff *d, enum diff_side side, uint64_t *ret, struct etl_error *err)
{
	struct counting counting = { .walk = { count_batch } };
	int rc = diff_walk(d, side, NULL, &counting.walk, err);

	*ret = counting.rows;
	if (side == DIFF_TARGET) {
		verify_pass(&d->into);
		*ret += d->into.unreadable;
	}
	return rc;
}

static int count_source(struct diff *d, struct analysis *a, struct etl_error *err)
{
	struct run *run = d->run;
	struct job *job = d->job;

	if (keeps_count(run, job) && run->source->plugin->can_digest)
		return ask_store(run->source, &job->dataset, &a->source, err);
	if (job->repeats)
		return read_side(d, DIFF_SOURCE, &a->source, err);
	snprintf(a->why, sizeof(a->why), "not comparable by counts: a transform of it does not repeat, so how many rows "
					 "come through it is not known");
	return 0;
}

static bool has_marks(const struct job *job)
{
	return job->load.delete_column && table_find_column(job->existing, job->load.delete_column) >= 0;
}

static int count_target(struct diff *d, struct analysis *a, struct etl_error *err)
{
	struct instance *target = d->run->target;
	struct job *job = d->job;

	if (!has_marks(job) && target->plugin->can_digest)
		return ask_store(target, &d->into.dataset, &a->target, err);
	if (!target->plugin->has_source) {
		snprintf(a->why, sizeof(a->why), "not comparable by counts: plugin %s cannot read back what it holds",
			 target->plugin->base.name);
		return 0;
	}
	return has_marks(job) ? changes_count(&d->run->flow, job, &a->target, err) :
				read_side(d, DIFF_TARGET, &a->target, err);
}

/* ---- A table --------------------------------------------------------------------------------- */

static void judge(const struct diff *d, struct analysis *a)
{
	if (a->status == ANALYZE_MISSING)
		return;
	if (a->source == ANALYZE_NO_COUNT || a->target == ANALYZE_NO_COUNT)
		a->status = ANALYZE_UNKNOWN;
	else
		a->status = a->source > a->target ? ANALYZE_BEHIND :
			    a->source < a->target ? ANALYZE_AHEAD :
						    ANALYZE_SYNCED;
	if (a->status == ANALYZE_AHEAD && d->keeps_others)
		snprintf(a->why, sizeof(a->why), "the table keeps rows that are not of this source; `etlrun diff` tells "
						 "whether its own are there");
}

static int analyze_job(struct run *run, struct job *job, const struct refused *refused, struct analysis *a,
		       struct etl_error *err)
{
	const char *lost = job->existing ? diff_lost_column(job) : NULL;
	struct diff d;
	int rc = diff_init(&d, run, job, refused, err);

	*a = (struct analysis){ .job = job, .source = ANALYZE_NO_COUNT, .target = ANALYZE_NO_COUNT };
	if (!job->existing || lost)
		a->status = ANALYZE_MISSING;
	if (lost)
		snprintf(a->why, sizeof(a->why), "column \"%s\" is not in the target", lost);
	if (rc == 0)
		rc = count_source(&d, a, err);
	if (rc == 0 && a->status != ANALYZE_MISSING)
		rc = count_target(&d, a, err);
	judge(&d, a);
	diff_clear(&d);
	return rc;
}

int analyze_all(struct run *run, struct analysis *ret, struct etl_error *err)
{
	struct refused refused = { 0 };
	char words[256];
	int rc = run_pin(run, err);

	if (rc == 0)
		rc = refused_read(run, &refused, err);
	run->flow.pipeline = run->pipeline;
	run->flow.jobs = &run->jobs;
	run->flow.source = run->source;
	run->flow.target = run->target;
	run->flow.limits = run->limits;
	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		snprintf(words, sizeof(words), "counting %s", job_name(run->jobs.at[i]));
		progress_phase(run->progress, words);
		rc = analyze_job(run, run->jobs.at[i], &refused, &ret[i], err);
	}
	refused_clear(&refused);
	return rc;
}
