/*
 * What is staged is read back before the validators ask for it: the splits of all tables side by side, on as
 * many instances of the target as it takes. Digests are sums, so it does not matter who adds which row.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "retry.h"
#include "spread.h"
#include "verify-parts.h"

#define ROWS_A_SPLIT 100000

/* One split of one table. */
struct piece {
	struct job *job;
	struct side_peer *into;
	struct etl_split split;
	char *text; /* of the split, owned; or NULL */
	bool done;
};

struct ahead {
	const struct verify *verify;
	struct side_peer *sides; /* beside the jobs */
	struct piece *pieces;
	size_t count;
	size_t threads;
	struct instance **instances; /* of each thread; the first is the run's own */
	bool *gone; /* the store gives this thread no connection */
};

/* ---- What there is to read ------------------------------------------------------------------- */

/* Takes the texts of the splits. */
static int add_pieces(struct ahead *a, const struct split_list *splits, const struct piece *like,
		      struct etl_error *err)
{
	struct piece *pieces = realloc(a->pieces, (a->count + splits->count + 1) * sizeof(*pieces));

	if (!pieces)
		return error_memory(err);
	a->pieces = pieces;
	for (size_t i = 0; i < splits->count; i++) {
		struct piece *piece = &pieces[a->count++];

		*piece = *like;
		piece->split = splits->at[i].split;
		piece->text = splits->at[i].text;
		splits->at[i].text = NULL;
	}
	return 0;
}

static int plan_job(struct ahead *a, struct job *job, struct side_peer *into, struct etl_error *err)
{
	struct instance *target = a->verify->flow->target;
	const struct piece like = { .job = job, .into = into };
	struct etl_read read = { .want = &job->rows };
	struct retry retry = retry_of(target, "cutting the staged rows into parts");
	struct split_list splits = { .at = NULL };
	int rc;

	verify_peer_init(into, a->verify, job);
	rc = verify_find_into(into, err);
	read.dataset = into->dataset;
	if (rc < 0)
		return rc;
	do {
		split_list_clear(&splits);
		rc = split_list_plan(&splits, target, &read, (int64_t)(job->staged / ROWS_A_SPLIT) + 1, err);
	} while (rc < 0 && retry_again(&retry, err));
	if (rc == 0)
		rc = add_pieces(a, &splits, &like, err);
	split_list_clear(&splits);
	return rc;
}

static int plan_all(struct ahead *a, struct etl_error *err)
{
	const struct jobs *jobs = a->verify->flow->jobs;
	int rc = 0;

	for (size_t i = 0; i < jobs->count && rc == 0; i++) {
		struct job *job = jobs->at[i];

		if (job->failed || job->needs.hash != ETL_HASH_X1)
			continue;
		job->ahead = (struct job_ahead){ .known = true };
		/* A store that adds up itself is asked in time. */
		if (job->adds_up && !a->verify->flow->target->plugin->can_totals &&
		    !(job->ahead.totals = totals_new(&job->rows)))
			rc = error_memory(err);
		if (rc == 0)
			rc = plan_job(a, job, &a->sides[i], err);
	}
	return rc;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static int add_batches(struct piece *p, struct ArrowArrayStream *stream, struct canon *canon,
		       struct digest *digest, struct totals *totals, struct etl_error *err)
{
	const struct etl_needs *needs = &p->job->needs;

	for (;;) {
		struct ArrowArray batch = { .release = NULL };
		int rc = host_canceled() ? ECANCELED : stream->get_next(stream, &batch);
		bool ok;

		if (host_canceled()) {
			if (batch.release)
				batch.release(&batch);
			return ETL_CANCELED;
		}
		if (rc == ENOMEM)
			return error_memory(err);
		if (rc)
			return err->set ? ETL_FAILED :
					  error_set(err, ETL_FATAL,
						    "reading table \"%s\" back: %s",
						    job_name(p->job), strerror(rc));
		if (!batch.release)
			return 0;
		if (totals)
			totals_batch(totals, &batch);
		ok = batch.length == 0 ||
		     digest_batch(digest, canon, &batch, needs->ppm, needs->seed);
		batch.release(&batch);
		if (!ok)
			return error_memory(err);
	}
}

static int read_piece(struct piece *p, struct instance *target, struct etl_error *err)
{
	struct job *job = p->job;
	struct etl_context context = { .job = job, .side = SIDE_SOURCE };
	struct etl_read read = { .dataset = p->into->dataset,
				 .want = &job->rows,
				 .context = &context };
	struct canon *canon = job_canon(job, &job->rows, ETL_HASH_X1);
	struct ArrowArrayStream stream = { .release = NULL };
	struct digest *digest = calloc(1, sizeof(*digest));
	bool adds_up = job->ahead.totals;
	struct totals *totals = adds_up ? totals_new(&job->rows) : NULL;
	int rc = canon && digest && (totals || !adds_up) ? 0 : error_memory(err);

	context.err = instance_error(target, err);
	if (rc == 0)
		rc = target->plugin->source.read(target->self, &read, &p->split, &stream,
						 context.err);
	if (rc == 0)
		rc = add_batches(p, &stream, canon, digest, totals, err);
	if (stream.release)
		stream.release(&stream);
	if (rc == 0) {
		pthread_mutex_lock(&job->mutex);
		digest_add(&job->ahead.digest, digest);
		if (totals)
			totals_merge(job->ahead.totals, totals);
		job->ahead.unreadable += context.rejected;
		pthread_mutex_unlock(&job->mutex);
		p->done = true;
	}
	context_clear(&context);
	canon_free(canon);
	totals_free(totals);
	free(digest);
	return rc;
}

/* What it had read is only added when all of it was, so it may be read again. LEAVES: not for want of a connection. */
static int read_surely(struct piece *p, struct instance *target, bool leaves, struct etl_error *err)
{
	struct retry retry = retry_of(target, "reading the staged rows back");
	int rc;

	do
		rc = read_piece(p, target, err);
	while (rc < 0 && !(leaves && err->klass == ETL_FEWER_WORKERS) && retry_again(&retry, err));
	return rc;
}

static int open_thread(struct ahead *a, size_t thread, struct etl_error *err)
{
	const struct flow_setup *flow = a->verify->flow;

	if (a->instances[thread])
		return 0;
	return instance_open(&flow->pipeline->target, ETL_ROLE_TARGET, &flow->limits,
			     &a->instances[thread], err);
}

/* A thread that gets no connection leaves its pieces to the others, or to the end. */
static int do_piece(void *data, size_t at, size_t thread, struct etl_error *err)
{
	struct ahead *a = data;
	int rc = a->gone[thread] ? 0 : open_thread(a, thread, err);

	if (rc == 0 && !a->gone[thread])
		rc = read_surely(&a->pieces[at], a->instances[thread], thread > 0, err);
	error_name_table(err, job_name(a->pieces[at].job));
	if (rc < 0 && thread > 0 && err->klass == ETL_FEWER_WORKERS) {
		log_line(ETL_LOG_INFO, "one reader fewer: %s",
			 err->message ? err->message : "the target gives no more");
		error_clear(err);
		a->gone[thread] = true;
		rc = 0;
	}
	return rc;
}

static int read_all(struct ahead *a, struct etl_error *err)
{
	struct spread_work work = {
		.count = a->count, .threads = a->threads, .piece = do_piece, .data = a
	};
	int rc = spread_work(&work, err);

	for (size_t i = 0; i < a->count && rc == 0; i++)
		if (!a->pieces[i].done)
			rc = read_surely(&a->pieces[i], a->instances[0], false, err);
	return rc;
}

/* ---- All of it ------------------------------------------------------------------------------- */

/* With one instance, or tables that may fail one by one, the validators read as they ask. */
static bool is_worth_it(const struct verify *verify)
{
	const struct plugin *plugin = verify->flow->target->plugin;

	return verify->staged && verify->loaded && plugin->can_staged && plugin->has_source &&
	       plugin->can_split && plugin->target.max_instances != 1 &&
	       verify->flow->pipeline->workers > 1 && !verify->flow->pipeline->table_scope;
}

static size_t thread_count(const struct verify *verify)
{
	int32_t most = verify->flow->target->plugin->target.max_instances;
	int32_t workers = verify->flow->pipeline->workers;

	return (size_t)(most > 0 && most < workers ? most : workers);
}

static void ahead_clear(struct ahead *a)
{
	for (size_t i = 1; a->instances && i < a->threads; i++)
		instance_close(a->instances[i]);
	for (size_t i = 0; i < a->count; i++)
		free(a->pieces[i].text);
	for (size_t i = 0; a->sides && i < a->verify->flow->jobs->count; i++) {
		context_clear(&a->sides[i].context);
		free(a->sides[i].schema);
		free(a->sides[i].table);
	}
	free(a->pieces);
	free(a->sides);
	free(a->instances);
	free(a->gone);
}

int verify_ahead(const struct verify *verify, struct etl_error *err)
{
	struct ahead a = { .verify = verify, .threads = thread_count(verify) };
	int rc = 0;

	if (!is_worth_it(verify))
		return 0;
	a.sides = calloc(verify->flow->jobs->count + 1, sizeof(*a.sides));
	a.instances = calloc(a.threads, sizeof(*a.instances));
	a.gone = calloc(a.threads, sizeof(*a.gone));
	if (!a.sides || !a.instances || !a.gone)
		rc = error_memory(err);
	if (rc == 0) {
		a.instances[0] = verify->flow->target;
		rc = plan_all(&a, err);
	}
	if (rc == 0)
		rc = read_all(&a, err);
	ahead_clear(&a);
	return rc;
}
