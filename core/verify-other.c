/*
 * The other tables of a side: what a row refers to may be staged by this run, or be in the target already, or,
 * where rows are added to a table, both.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "shape.h"
#include "verify-parts.h"

static struct job *find_job(const struct jobs *jobs, const struct job *beside, const char *table)
{
	for (size_t i = 0; i < jobs->count; i++)
		if (job_is_called(jobs->at[i], beside->schema, table))
			return jobs->at[i];
	return NULL;
}

/* In append and merge the rows that are there stay. */
static int open_job(struct side_peer *other, struct etl_error *err)
{
	const struct verify *verify = other->verify;
	struct job *job = other->job;

	if (verify->staged && job->existing && verify->flow->pipeline->mode != ETL_COPY)
		other->published = (struct etl_dataset){ .schema = job->existing->schema,
							 .table = job->existing->name,
							 .options = job->rule->to };
	return verify_find_into(other, err);
}

static int open_existing(struct side_peer *other, const struct etl_table *table,
			 struct etl_error *err)
{
	const struct instance *target = other->verify->flow->target;
	bool dynamic = target->plugin->store.flags & ETL_DYNAMIC;

	if (!shape_stream_schema(table, dynamic, &other->rows))
		return error_memory(err);
	other->peer.table = table;
	other->peer.schema = &other->rows;
	other->peer.key = NULL;
	other->peer.key_count = 0;
	other->dataset = (struct etl_dataset){ .schema = table->schema, .table = table->name };
	return 0;
}

int verify_other(struct etl_peer *peer, const char *table, struct etl_peer **ret,
		 struct etl_error *err)
{
	struct side_peer *side = (struct side_peer *)(void *)peer,
			 *other = calloc(1, sizeof(*other));
	const struct jobs *jobs = side->verify->flow->jobs;
	struct job *job = find_job(jobs, side->job, table);
	const struct etl_table *existing = catalog_find(&jobs->existing, ETL_TABLE, side->job->schema, table);
	int rc;

	if (!other)
		return error_memory(err);
	verify_peer_init(other, side->verify, job ? job : side->job);
	other->peer.open = verify_into_open;
	other->others = side->others;
	side->others = other;
	if (!job && !existing)
		return error_set(err, ETL_USAGE,
				 "table \"%s\" is neither in this run nor in the target", table);
	rc = job ? open_job(other, err) : open_existing(other, existing, err);
	if (rc == 0)
		*ret = &other->peer;
	return rc;
}

uint64_t verify_others_free(struct side_peer *side)
{
	uint64_t unreadable = 0;

	while (side->others) {
		struct side_peer *other = side->others;

		side->others = other->others;
		verify_pass(other);
		unreadable += other->unreadable;
		if (other->rows.release)
			other->rows.release(&other->rows);
		peer_clear(&other->peer);
		context_clear(&other->context);
		free(other->schema);
		free(other->table);
		free(other);
	}
	return unreadable;
}
