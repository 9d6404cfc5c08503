/*
 * Peers over real rows. FROM needs no reading when the load kept its digest; when rows have to be
 * named, the source is read again inside the same pin and led through the same transforms.
 */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "log.h"
#include "met-keys.h"
#include "peer.h"
#include "refused.h"
#include "retry.h"
#include "verify-parts.h"

#define EVERY_ROW      1000000u /* of a million */
#define NAMED_FINDINGS 10 /* findings of one validator that are written to the log */

/* ---- A stream without the host's own last column ---- */

struct plain {
	struct ArrowArrayStream in;
	const struct ArrowSchema *schema;
	const struct refused *refused; /* rows to leave out, or NULL */
	bool by_key;		       /* … wherever they stand by now */
	struct met_keys *met;	       /* gets the keys of those; or NULL */
	struct canon *canon;	       /* of these */
	struct etl_view *view;
	const struct job *job;
	uint64_t split;
};

static int plain_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct plain *p = stream->private_data;

	return etl_schema_copy(out, p->schema) ? 0 : ENOMEM;
}

/* The key as the rejects file has it; 0: the row has none. False: no memory. */
static bool key_of(const struct plain *p, const struct ArrowArray *batch, int64_t row, uint64_t *ret)
{
	struct etl_reject reject = { .schema = p->schema, .batch = batch, .row = row };
	struct etl_text key = { 0 }, spelt = { 0 };
	bool ok;

	*ret = 0;
	reject_key(p->job, &reject, p->view, &key);
	if (key.length)
		etl_text_add_json(&spelt, key.at, key.length);
	ok = !key.failed && !spelt.failed;
	if (ok && spelt.length)
		*ret = refused_key_of(spelt.at + 1, spelt.length - 2);
	etl_text_free(&key);
	etl_text_free(&spelt);
	return ok;
}

static bool is_refused(const struct plain *p, const struct ArrowArray *batch, int64_t row, int64_t ordinal, bool *ret)
{
	uint64_t key = 0;

	if (p->by_key && !key_of(p, batch, row, &key))
		return false;
	*ret = key ? refused_has_key(p->refused, p->job->index, key) : refused_has(p->refused, p->job->index, p->split, ordinal);
	if (!*ret || !p->met)
		return true;
	return canon_row(p->canon, batch, row, &key, NULL) && met_keys_add(p->met, key);
}

/* Leaves out what the target refused; *batch has no rows, and is released, when that were all. */
static bool leave_out(const struct plain *p, const struct ArrowArray *ordinals,
		      struct ArrowArray *batch)
{
	const int64_t *at = batch_int64(ordinals);
	int64_t *kept = malloc(((size_t)batch->length + 1) * sizeof(*kept)), count = 0;
	struct ArrowArray rest = { 0 };
	bool ok = kept && etl_view_set(p->view, batch);

	for (int64_t i = 0; ok && i < batch->length; i++) {
		bool refused = false;

		ok = is_refused(p, batch, i, at[i], &refused);
		if (!refused)
			kept[count++] = i;
	}
	if (ok && count < batch->length) {
		ok = count == 0 || etl_batch_take(&rest, p->schema, batch, kept, count);
		if (ok) {
			batch->release(batch);
			*batch = rest;
		}
	}
	free(kept);
	return ok;
}

static int plain_batch(struct plain *p, struct ArrowArray *batch, bool *ret_end)
{
	struct ArrowArray ordinals;
	int rc = p->in.get_next(&p->in, batch);
	bool ok;

	*ret_end = rc == 0 && !batch->release;
	if (rc || *ret_end)
		return rc;
	ok = batch_detach(batch, &ordinals);
	if (ok) {
		ok = !p->refused || leave_out(p, &ordinals, batch);
		ordinals.release(&ordinals);
	}
	if (!ok)
		batch->release(batch);
	return ok ? 0 : ENOMEM;
}

static int plain_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct plain *p = stream->private_data;
	bool end = false;
	int rc;

	do {
		*out = (struct ArrowArray){ 0 };
		rc = plain_batch(p, out, &end);
	} while (rc == 0 && !end && !out->release);
	return rc;
}

static const char *plain_error(struct ArrowArrayStream *stream)
{
	struct plain *p = stream->private_data;

	return p->in.get_last_error(&p->in);
}

static void plain_free(struct plain *p)
{
	canon_free(p->canon);
	etl_view_free(p->view);
	free(p);
}

static void plain_release(struct ArrowArrayStream *stream)
{
	struct plain *p = stream->private_data;

	p->in.release(&p->in);
	plain_free(p);
	stream->release = NULL;
}

/* ---- The two sides ---- */

static const struct etl_split everything = { .first = INT64_MIN,
					     .last = INT64_MAX,
					     .rows = ETL_UNKNOWN };

/* NULL: no memory. */
static struct plain *plain_new(const struct side_peer *side, size_t part)
{
	const struct refused *refused = side->verify->refused;
	const struct job *job = side->job;
	struct plain *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->schema = &job->rows;
	p->job = job;
	p->split = part;
	p->by_key = side->verify->flow->pipeline->mode == ETL_SYNC;
	p->met = side->context.met;
	if (!refused || !refused_any(refused, job->index))
		return p;
	p->refused = refused;
	p->view = etl_view_new(p->schema);
	p->canon = job_canon(job, p->schema, ETL_HASH_X1);
	if (p->view && p->canon)
		return p;
	plain_free(p);
	return NULL;
}

static int from_open(struct etl_peer *peer, size_t part, struct ArrowArrayStream *ret,
		     bool *ret_more, struct etl_error *err)
{
	struct side_peer *side = (struct side_peer *)(void *)peer;
	const struct flow_setup *flow = side->verify->flow;
	struct job *job = side->job;
	const struct etl_split *split = side->range ? &everything : &job->splits[part].split;
	struct plain *plain;
	int rc;

	if (!job->repeats)
		return error_set(
			err, ETL_USAGE,
			"\"%s\": a transform of it does not repeat, so its rows cannot be made "
			"again to name those that differ",
			job_source_name(job));
	*ret_more = !side->range && part + 1 < job->split_count;
	if (side->range) {
		side->ranged = *flow;
		side->ranged.range = side->range;
		flow = &side->ranged;
	}
	plain = plain_new(side, part);
	if (!plain)
		return error_memory(err);
	side->context.err = err;
	side->context.gone_count = 0;
	rc = flow_open(flow, job, flow->source, split, &side->context, &plain->in, err);
	if (rc < 0) {
		plain_free(plain);
		return rc;
	}
	*ret = (struct ArrowArrayStream){ plain_schema, plain_next, plain_error, plain_release,
					  plain };
	return 0;
}

void verify_pass(struct side_peer *side)
{
	if (side->context.rejected > side->unreadable)
		side->unreadable = side->context.rejected;
	side->context.rejected = 0;
}

int verify_into_open(struct etl_peer *peer, size_t part, struct ArrowArrayStream *ret,
		     bool *ret_more, struct etl_error *err)
{
	struct side_peer *side = (struct side_peer *)(void *)peer;
	struct instance *target = side->verify->flow->target;
	struct etl_read read = { .dataset = part == 0 ? side->dataset : side->published,
				 .want = side->peer.schema,
				 .context = &side->context };

	if (side->range) {
		read.cursor = side->range->cursor;
		read.after = side->range->after;
		read.upto = side->range->upto;
		read.key_schema = side->range->key_schema;
		read.keys = side->range->keys;
	}
	*ret_more = part == 0 && side->published.table;
	if (!target->plugin->has_source)
		return error_set(
			err, ETL_USAGE,
			"plugin %s cannot read back what it holds, so its rows cannot be compared",
			target->plugin->base.name);
	if (part == 0)
		verify_pass(side);
	side->context.err = instance_error(target, err);
	return target->plugin->source.read(target->self, &read, &everything, ret,
					   instance_error(target, err));
}

struct dataset_copy {
	struct etl_dataset_sink sink;
	struct side_peer *side;
	struct etl_error *err;
};

static int copy_dataset(struct etl_dataset_sink *self, const struct etl_dataset *dataset)
{
	struct side_peer *side = ((struct dataset_copy *)(void *)self)->side;

	side->dataset = *dataset;
	side->dataset.schema = side->schema = dataset->schema ? strdup(dataset->schema) : NULL;
	side->dataset.table = side->table = dataset->table ? strdup(dataset->table) : NULL;
	if (dataset->token) {
		side->token = *dataset->token;
		side->dataset.token = &side->token;
	}
	return (dataset->schema && !side->schema) || (dataset->table && !side->table) ?
		       error_memory(((struct dataset_copy *)(void *)self)->err) :
		       0;
}

/* Rows that the target refused while it checks itself are faults of the target: a reject there has
 * no file. */
int verify_find_into(struct side_peer *side, struct etl_error *err)
{
	struct instance *target = side->verify->flow->target;
	struct dataset_copy copy = { { copy_dataset }, side, err };
	struct job *job = side->job;

	if (!side->verify->staged) {
		side->dataset = (struct etl_dataset){ .schema = job->schema,
						      .table = job->target->name,
						      .options = job->rule->to };
		return 0;
	}
	if (!target->plugin->can_staged)
		return 0;
	return target->plugin->target.staged(target->self, &job->load, &job->token, &copy.sink,
					     instance_error(target, err));
}

static int compare_hashes(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void verify_peer_init(struct side_peer *side, const struct verify *verify, struct job *job)
{
	const struct host_limits *limits = &verify->flow->limits;

	memset(side, 0, sizeof(*side));
	side->verify = verify;
	side->job = job;
	side->context = (struct etl_context){ .job = job, .side = SIDE_SOURCE };
	side->peer = (struct etl_peer){ .table = job->target,
					.schema = &job->rows,
					.key = job->key,
					.key_count = job->key_count,
					.respelt = job->respelt,
					.stays = job->stays,
					.batch_rows = limits->batch_rows,
					.batch_bytes = limits->batch_bytes,
					.max_row = limits->max_row,
					.other = verify_other,
					.adds_up = job->adds_up,
					.needs = job->needs,
					.known_rows = -1 };
}

/* Rows that the target refused were added up too, and cannot be taken out of extremes; those that a process before this one
 * loaded were not. */
static bool knows_totals(const struct job *job)
{
	return job->totals && !job->totals->failed && job->total_splits == job->split_count &&
	       !job->rejected_by_target;
}

void verify_from_init(struct side_peer *side, const struct verify *verify, struct job *job)
{
	verify_peer_init(side, verify, job);
	side->peer.open = from_open;
	side->peer.once = !job->repeats;
	if (!verify->loaded)
		return;
	if (knows_totals(job))
		side->peer.totals = job->totals;
	if (job->refused_count)
		qsort(job->refused, job->refused_count, sizeof(*job->refused), compare_hashes);
	side->peer.refused = job->refused;
	side->peer.refused_count = job->refused_count;
	side->peer.known_rows = (int64_t)(job->passed - job->rejected_by_target);
	if (job->needs.hash) {
		side->peer.known = job->digest;
		side->peer.known_ppm = job->needs.ppm;
		side->peer.known_seed = job->needs.seed;
	}
}

/* ---- Findings ---- */

struct findings {
	struct etl_finding_sink sink;
	struct report_check *check;
	const struct job *job;
	struct etl_error *err;
	uint64_t said;
};

static bool replace_text(char **text, const char *value)
{
	char *copy = strdup(value);

	if (copy) {
		free(*text);
		*text = copy;
	}
	return copy != NULL;
}

static int on_finding(struct etl_finding_sink *self, const struct etl_finding *finding)
{
	struct findings *f = (struct findings *)(void *)self;
	struct report_check *check = f->check;

	if (finding->extent && !replace_text(&check->extent, finding->extent))
		return error_memory(f->err);
	if (finding->severity == ETL_PASS)
		return 0;
	if (check->findings > 0 && finding->code &&
	    strcmp(finding->code, "rows_differ") == 0)
		check->findings = finding->rows;
	else
		check->findings++;
	if (finding->severity > check->severity)
		check->severity = finding->severity;
	if (finding->message && !check->message && !replace_text(&check->message, finding->message))
		return error_memory(f->err);
	if (f->said++ < NAMED_FINDINGS)
		log_line(finding->severity == ETL_FAIL ? ETL_LOG_ERROR : ETL_LOG_WARN, "%s: %s: %s",
			 check->validator, job_name(f->job),
			 finding->message ? finding->message : finding->code);
	return 0;
}

static struct report_check *add_check(struct report_line *line, const char *validator)
{
	struct report_check *checks = realloc(line->checks,
					      (line->check_count + 1) * sizeof(*checks));

	if (!checks)
		return NULL;
	line->checks = checks;
	checks[line->check_count] = (struct report_check){ .validator = strdup(validator) };
	return checks[line->check_count].validator ? &checks[line->check_count++] : NULL;
}

static int check_once(const struct verify *verify, struct job *job, const struct plugin_use *use,
		      struct side_peer *from, struct side_peer *into, struct report_check *check,
		      struct etl_error *err)
{
	struct findings findings = { { on_finding }, check, job, err, 0 };
	struct instance *instance = NULL;
	int rc = instance_open(use, ETL_ROLE_VALIDATOR, &verify->flow->limits, &instance, err);

	if (rc < 0)
		return rc;
	instance->host.loaded = verify->loaded;
	rc = use->plugin->validator.check(instance->self, &from->peer, &into->peer, &findings.sink,
					  instance_error(instance, err));
	instance_close(instance);
	return rc;
}

/* What it had found until a connection was lost is found again. */
static void forget_findings(struct report_check *check, struct side_peer *into)
{
	free(check->extent);
	free(check->message);
	*check = (struct report_check){ .validator = check->validator };
	into->context.rejected = 0;
}

static int run_validator(const struct verify *verify, struct job *job, const struct plugin_use *use,
			 struct side_peer *from, struct side_peer *into, struct report_line *line,
			 bool *ret_failed, struct etl_error *err)
{
	struct retry of_source = retry_of(verify->flow->source, "reading for a validator"),
		     of_target = retry_of(verify->flow->target, "reading for a validator");
	struct report_check *check = add_check(line, use->plugin->base.name);
	int rc;

	if (!check)
		return error_memory(err);
	for (;;) {
		rc = check_once(verify, job, use, from, into, check, err);
		if (rc >= 0 ||
		    !retry_again(err->role == ETL_ROLE_SOURCE ? &of_source : &of_target, err))
			break;
		forget_findings(check, into);
	}
	*ret_failed |= check->severity == ETL_FAIL;
	return rc;
}

/* What was read ahead needs not be read again. */
static void take_ahead(struct side_peer *into, const struct job *job)
{
	if (!into->verify->staged || !job->ahead.known)
		return;
	into->peer.known = job->ahead.digest;
	into->peer.known_ppm = job->needs.ppm;
	into->peer.known_seed = job->needs.seed;
	into->peer.totals = job->ahead.totals;
	into->unreadable = job->ahead.unreadable;
	if (job->needs.ppm >= EVERY_ROW)
		into->peer.known_rows = (int64_t)job->ahead.digest.total.rows;
}

/* How many rows there are, when the store counts faster than it gives them. */
static int count_into(struct etl_peer *peer, int64_t *ret, struct etl_error *err)
{
	static const struct etl_range all = { .kind = ETL_RANGE_ALL };
	struct side_peer *side = (struct side_peer *)(void *)peer;
	struct instance *target = side->verify->flow->target;
	struct etl_digest digest = { 0 };
	int rc = target->plugin->store.digest(target->self, &side->dataset, &all, 0, &digest,
					      instance_error(target, err));

	if (rc == ETL_FAILED && err->set && err->klass == ETL_USAGE) {
		error_clear(err);
		return 0;
	}
	if (rc == 0)
		*ret = (int64_t)digest.rows;
	return rc;
}

static int add_up_into(struct etl_peer *peer, struct etl_totals_ask *ask, struct etl_total_sink *sink,
		       struct etl_error *err)
{
	struct side_peer *side = (struct side_peer *)(void *)peer;
	struct instance *target = side->verify->flow->target;

	ask->dataset = side->dataset;
	return target->plugin->store.totals(target->self, ask, sink, instance_error(target, err));
}

/* What is asked of the target where the rows are. Of a table that holds others too only the rows can be told apart. */
static void ask_into(struct side_peer *into, const struct plugin *plugin)
{
	into->peer.open = into->verify->keyed ? verify_keyed_open : verify_into_open;
	into->peer.once = !plugin->has_source;
	if (into->verify->keyed)
		return;
	if (plugin->can_digest)
		into->peer.count = count_into;
	if (plugin->can_totals)
		into->peer.add_up = add_up_into;
}

int verify_job(const struct verify *verify, struct job *job, struct report_line *line,
	       bool *ret_failed, struct etl_error *err)
{
	struct side_peer from, into;
	int rc;

	*ret_failed = false;
	verify_from_init(&from, verify, job);
	verify_peer_init(&into, verify, job);
	ask_into(&into, verify->flow->target->plugin);
	take_ahead(&into, job);
	rc = verify_find_into(&into, err);
	/* A target that cannot be read back is believed when it says how many rows it took. */
	if (verify->staged && !verify->flow->target->plugin->can_staged)
		into.peer.known_rows = (int64_t)job->staged;
	for (size_t i = 0; i < job->validators.count && rc == 0; i++)
		if (job->validators.at[i].plugin->can_check)
			rc = run_validator(verify, job, &job->validators.at[i], &from, &into, line,
					   ret_failed, err);
	if (!verify->loaded && from.peer.known_rows >= 0)
		line->read = (uint64_t)from.peer.known_rows;
	if (into.peer.known_rows >= 0)
		line->in_target = (uint64_t)into.peer.known_rows;
	verify_pass(&into);
	into.unreadable += verify_others_free(&into);
	if (rc == 0 && into.unreadable)
		rc = error_set(err, ETL_DATA,
			       "table \"%s\": %" PRIu64
			       " row%s of the target cannot be read back in the type that was "
			       "written",
			       job_name(job), into.unreadable,
			       into.unreadable == 1 ? "" : "s");
	peer_clear(&from.peer);
	peer_clear(&into.peer);
	context_clear(&from.context);
	context_clear(&into.context);
	free(into.schema);
	free(into.table);
	return rc;
}
