/* The two sides of a table, opened as validators see them (verify.c), and the way they are compared. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diff-parts.h"
#include "refused.h"

#define KEY_TEXT 24 /* an int64 in decimal */

/* ---- Reading a side -------------------------------------------------------------------------- */

/* A range as etl_read has it, after < key <= upto. */
struct bounds {
	char after[KEY_TEXT], upto[KEY_TEXT];
	struct flow_range range;
};

static void make_bounds(struct bounds *b, const struct diff_range *range, const char *cursor)
{
	snprintf(b->upto, sizeof(b->upto), "%lld", (long long)range->last);
	b->range = (struct flow_range){ .cursor = cursor, .upto = b->upto };
	if (range->first == INT64_MIN)
		return;
	snprintf(b->after, sizeof(b->after), "%lld", (long long)range->first - 1);
	b->range.after = b->after;
}

static const char *cursor_of(const struct diff *d, enum diff_side side)
{
	const struct job *job = d->job;
	const char *name = job->rows.children[job->key[0]]->name;

	if (side == DIFF_TARGET)
		return name;
	return job->want.children[job->cast[job->key[0]].from]->name;
}

static int walk_part(struct diff_walk *walk, struct ArrowArrayStream *stream, const char *table,
		     struct etl_error *err)
{
	for (;;) {
		struct ArrowArray batch = { 0 };
		int rc = host_canceled() ? ECANCELED : stream->get_next(stream, &batch);

		if (host_canceled()) {
			if (batch.release)
				batch.release(&batch);
			return ETL_CANCELED;
		}
		if (rc == ENOMEM)
			return error_memory(err);
		if (rc)
			return err->set ? ETL_FAILED :
					  error_set(err, ETL_FATAL, "reading table \"%s\": %s", table,
						    strerror(rc));
		if (!batch.release)
			return 0;
		rc = walk->batch(walk, &batch, err);
		batch.release(&batch);
		if (rc < 0)
			return rc;
	}
}

int diff_walk_only(struct diff *d, enum diff_side side, const struct flow_range *only,
		   struct diff_walk *walk, struct etl_error *err)
{
	struct side_peer *peer = side == DIFF_SOURCE ? &d->from : &d->into;
	bool more = true;
	int rc = 0;

	peer->range = only;
	for (size_t part = 0; more && rc == 0; part++) {
		struct ArrowArrayStream stream = { .release = NULL };

		rc = peer->peer.open(&peer->peer, part, &stream, &more, err);
		if (rc == 0)
			rc = walk_part(walk, &stream, job_name(d->job), err);
		if (stream.release)
			stream.release(&stream);
	}
	peer->range = NULL;
	return rc;
}

int diff_walk(struct diff *d, enum diff_side side, const struct diff_range *range,
	      struct diff_walk *walk, struct etl_error *err)
{
	struct bounds bounds = { .after = "" };

	if (range)
		make_bounds(&bounds, range, cursor_of(d, side));
	return diff_walk_only(d, side, range ? &bounds.range : NULL, walk, err);
}

/* ---- A table --------------------------------------------------------------------------------- */

static int check_unreadable(struct diff *d, struct etl_error *err)
{
	verify_pass(&d->into);
	if (!d->into.unreadable)
		return 0;
	error_at(err, job_name(d->job), NULL, NULL);
	return error_set(err, ETL_DATA,
			 "%llu row%s of the target cannot be read in the type of their column, so "
			 "they cannot be compared; correct them there",
			 (unsigned long long)d->into.unreadable, d->into.unreadable == 1 ? "" : "s");
}

const char *diff_lost_column(const struct job *job)
{
	for (int64_t i = 0; i < job->rows.n_children; i++)
		if (table_find_column(job->existing, job->rows.children[i]->name) < 0)
			return job->rows.children[i]->name;
	return NULL;
}

int diff_check_table(const struct job *job, struct etl_error *err)
{
	const char *lost = job->existing ? diff_lost_column(job) : NULL;

	if (job->existing && !lost)
		return 0;
	error_at(err, job_name(job), lost, NULL);
	return error_set(err, ETL_DATA,
			 "the %s is not in the target, so there is nothing to compare the source "
			 "with; `etlrun run` makes it, --tables leaves it out",
			 lost ? "column" : "table");
}

bool diff_is_taken_over(const struct reshape_column *c)
{
	return c->from >= 0 && !c->value && !c->fallback && c->null_count == 0;
}

int diff_init(struct diff *d, struct run *run, struct job *job, const struct refused *refused,
	      struct etl_error *err)
{
	memset(d, 0, sizeof(*d));
	d->run = run;
	d->job = job;
	d->hash = ETL_HASH_X1;
	d->memory = (size_t)run->pipeline->memory_limit / 2;
	/* A sync knows which rows were rejected, and deletes the others that are gone; a merge deletes nothing then. */
	d->asks_met = run->pipeline->mode == ETL_SYNC && job->rule->deletes == ETL_DELETE_HARD;
	d->keeps_others = run->pipeline->mode != ETL_COPY && !d->asks_met &&
			  (job->rule->deletes != ETL_DELETE_HARD || refused->count > 0);
	met_keys_init(&d->met);
	d->verify = (struct verify){ .flow = &run->flow, .refused = refused };
	d->found = diff_spool_new((size_t)run->pipeline->memory_limit / 8);
	verify_from_init(&d->from, &d->verify, job);
	verify_peer_init(&d->into, &d->verify, job);
	d->into.peer.open = verify_into_open;
	d->from.context.met = d->asks_met ? &d->met : NULL;
	return d->found ? verify_find_into(&d->into, err) : error_memory(err);
}

int diff_table(struct diff *d, struct run *run, struct job *job, const struct refused *refused,
	       struct etl_error *err)
{
	bool done = false;
	int rc = diff_init(d, run, job, refused, err);

	if (rc == 0)
		rc = diff_push(d, &done, err);
	if (rc == 0 && !done)
		rc = diff_stream(d, NULL, err);
	if (rc == 0)
		rc = check_unreadable(d, err);
	return rc == 0 ? diff_spool_rest(d->found, err) : rc;
}

void diff_clear(struct diff *d)
{
	context_clear(&d->from.context);
	context_clear(&d->into.context);
	free(d->into.schema);
	free(d->into.table);
	diff_spool_free(d->found);
	met_keys_clear(&d->met);
	memset(d, 0, sizeof(*d));
}
