/*
 * What of a job's rows can be compared. A target may keep what a text means and not how it is spelled; what is read
 * back of such a column says nothing of what came, but whether it is NULL.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "canon.h"
#include "job.h"
#include "shape.h"

bool column_alike(const struct etl_column *was, const struct etl_column *is)
{
	return was->flags & ETL_RESPELT && !(was->flags & (ETL_REMADE | ETL_RETYPED)) && was->declared &&
	       is->declared && strcmp(was->declared, is->declared) == 0;
}

struct canon *job_canon(const struct job *job, const struct ArrowSchema *schema, int32_t hash)
{
	struct canon *canon = canon_new(schema, job->key, job->key_count, hash);

	if (canon && job->respelt)
		canon_blur(canon, job->respelt, job->cast_count);
	if (canon && job->stays)
		canon_skip(canon, job->stays, job->cast_count);
	return canon;
}

static int say_respelt(struct jobs *jobs, const struct job *job, const char *name, struct etl_error *err)
{
	struct etl_text object = { 0 };
	int rc;

	etl_text_addf(&object, "%s.%s", job->target->name, name);
	rc = object.failed ? error_memory(err) :
			     host_verdict_add(jobs, ETL_APPROXIMATED, "column", object.at, err,
					      "the target spells its values in its own way, so of them checksum and diff "
					      "compare only whether they are NULL");
	etl_text_free(&object);
	return rc;
}

int job_find_respelt(struct jobs *jobs, struct job *job, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < job->cast_count && rc == 0; i++) {
		const char *name = job->rows.children[i]->name;
		int64_t at = table_find_column(job->target, name);

		if (at < 0 || !(table_column(job->target, (size_t)at)->flags & ETL_RESPELT))
			continue;
		if (!job->respelt)
			job->respelt = calloc(job->cast_count, sizeof(*job->respelt));
		if (!job->respelt)
			return error_memory(err);
		job->respelt[i] = true;
		rc = say_respelt(jobs, job, name, err);
	}
	return rc;
}

uint64_t job_withheld(const struct job *job)
{
	return job->load.run->flags & ETL_RUN_CHANGES ? 0 : job->rejected - job->rejected_by_target;
}
