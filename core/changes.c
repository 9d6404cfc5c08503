/* See changes.h. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "batch.h"
#include "changes-parts.h"
#include "changes-set.h"
#include "changes-spelt.h"
#include "conflicts.h"
#include "cursor.h"
#include "log.h"
#include "maps.h"
#include "reject.h"
#include "retry.h"
#include "sweep.h"

struct changes *changes_new(void)
{
	struct changes *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->file = -1;
	pthread_mutex_init(&c->mutex, NULL);
	return c;
}

void changes_free(struct changes *c)
{
	if (!c)
		return;
	changes_set_free(c->set);
	changes_forget_places(c);
	free(c->only);
	free(c->left_out);
	pthread_mutex_destroy(&c->mutex);
	free(c);
}

/* A key that the target spells in its own way is not the key that came. */
int changes_check(const struct job *job, struct etl_error *err)
{
	for (size_t i = 0; i < job->key_count; i++) {
		const char *name = job->rows.children[job->key[i]]->name;

		if (!job->respelt || !job->respelt[job->key[i]])
			continue;
		error_at(err, job_name(job), name, NULL);
		return error_set(err, ETL_USAGE,
				 "the target spells the key \"%s\" in its own way, so its rows cannot be told apart "
				 "by it; give another with key = [ … ]",
				 name);
	}
	return 0;
}

/* ---- The rows of the target -------------------------------------------------------------------- */

static int make_set(const struct flow_setup *f, struct job *job, struct etl_error *err)
{
	struct changes_set *set = changes_set_new((size_t)f->pipeline->memory_limit / 8);
	int rc = set ? 0 : error_memory(err);

	if (rc == 0 && job->existing)
		rc = changes_read(f, job, set, err);
	if (rc == 0 && job->conflicts)
		rc = conflicts_open(f, job, err);
	return changes_set_close(set, rc, &job->changes->set, err);
}

/* Whoever comes first reads them, and the others wait. */
static int need_set(const struct flow_setup *f, struct job *job, struct etl_error *err)
{
	int rc = 0;

	pthread_mutex_lock(&job->changes->mutex);
	if (!job->changes->set)
		rc = make_set(f, job, err);
	pthread_mutex_unlock(&job->changes->mutex);
	return rc;
}

/* ---- The step of the chain ---------------------------------------------------------------------- */

struct step {
	struct ArrowArrayStream in;
	struct ArrowSchema schema;
	struct changes_set *set;
	struct bound *bound;
	struct job *job;
	uint64_t split;
	bool by_cursor; /* of a job that is swept besides: rows come by its cursor */
	struct canon *canon;
	struct etl_context *context;
	struct changes *notes; /* where rows that go on come from; NULL: the rows are only looked at again */
	struct etl_error *err;
	struct conflict_step *conflicts; /* or NULL */
	uint64_t *hashes; /* of a batch: keys, then rows */
	int64_t *kept;
	enum changes_found *found;
	bool *skipped, *goes; /* … was rejected; by its conflicts it goes on */
	int64_t room;
};

static int step_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct step *s = stream->private_data;

	return etl_schema_copy(out, &s->schema) ? 0 : ENOMEM;
}

static bool make_room(struct step *s, int64_t rows)
{
	if (rows <= s->room)
		return true;
	free(s->hashes);
	free(s->kept);
	free(s->found);
	free(s->skipped);
	free(s->goes);
	s->hashes = malloc(2 * (size_t)rows * sizeof(*s->hashes));
	s->kept = malloc((size_t)rows * sizeof(*s->kept));
	s->found = malloc((size_t)rows * sizeof(*s->found));
	s->skipped = malloc((size_t)rows * sizeof(*s->skipped));
	s->goes = malloc((size_t)rows * sizeof(*s->goes));
	s->room = s->hashes && s->kept && s->found && s->skipped && s->goes ? rows : 0;
	return s->room > 0;
}

static int note_kept(struct step *s, const struct ArrowArray *batch, int64_t count)
{
	const int64_t *ordinals = batch_int64(batch->children[batch->n_children - 1]);
	int rc = 0;

	for (int64_t i = 0; i < count && rc == 0; i++) {
		const struct changes_place place = { s->hashes[s->kept[i]], s->hashes[batch->length + s->kept[i]], s->split,
						     ordinals[s->kept[i]] };

		rc = changes_note(s->notes, &place, s->err);
	}
	return rc;
}

/* A row of the source, the same whenever it is read; never 0. */
static uint32_t who(const struct step *s, int64_t ordinal)
{
	return (uint32_t)((s->split + 1) * UINT64_C(0x9e3779b97f4a7c15) + (uint64_t)ordinal * 2) | 1;
}

/* As in any merge the first row of a key stays. */
static int reject_double(struct step *s, const struct ArrowArray *batch, int64_t row)
{
	struct etl_reject reject = { .code = "duplicate",
				     .reason = "another row of the source has this key",
				     .schema = &s->schema,
				     .batch = batch,
				     .row = row,
				     .ordinal = -1 };

	return context_reject(s->context, &reject);
}

#define AHEAD 16 /* rows that are on their way from memory while one is looked at */

static void expect(const struct step *s, int64_t row, int64_t rows)
{
	if (row + AHEAD < rows)
		changes_set_expect(s->set, s->hashes[row + AHEAD], false);
	if (row + AHEAD / 2 < rows)
		changes_set_expect(s->set, s->hashes[row + AHEAD / 2], true);
}

/* Which of them the target has. */
static int meet_all(struct step *s, const struct ArrowArray *batch, int64_t *ret_doubles)
{
	const int64_t *ordinals = batch_int64(batch->children[batch->n_children - 1]);
	int rc = 0;

	*ret_doubles = 0;
	for (int64_t i = 0; i < batch->length && rc == 0; i++) {
		expect(s, i, batch->length);
		rc = changes_set_meet(s->set, s->hashes[i], s->hashes[batch->length + i], who(s, ordinals[i]), &s->found[i], s->err);
		s->skipped[i] = s->found[i] == CHANGES_TWICE;
		s->goes[i] = s->found[i] == CHANGES_NONE || s->found[i] == CHANGES_OTHER;
		if (rc == 0 && s->skipped[i])
			rc = reject_double(s, batch, i);
		*ret_doubles += s->skipped[i];
	}
	return rc;
}

/* By the cursor came what is new or changed; nothing is known of the target's row. How many come by the sweep too. */
static uint64_t take_by_cursor(struct step *s, const struct ArrowArray *batch, int64_t *ret_count)
{
	int64_t count = 0;

	for (int64_t i = 0; i < batch->length; i++)
		if (!sweep_has(s->job, &s->schema, batch, i))
			s->kept[count++] = i;
	*ret_count = count;
	return (uint64_t)(batch->length - count);
}

/* The rows of BATCH that the target does not have, and that may go on: none, and it is released, all of it, or a batch of them. */
static int keep_changed(struct step *s, struct ArrowArray *batch)
{
	struct ArrowArray rest = { 0 };
	int64_t count = 0, doubles = 0;
	uint64_t unmeant = 0;
	int rc = 0;

	if (!make_room(s, batch->length) ||
	    !canon_batch(s->canon, batch, s->hashes, s->hashes + batch->length) ||
	    !changes_add_spelt(s->job, &s->schema, batch, s->hashes + batch->length))
		return error_memory(s->err);
	if (sweep_is_split(s->job, s->split))
		sweep_meet(s->job, &s->schema, batch);
	if (s->by_cursor)
		unmeant = take_by_cursor(s, batch, &count);
	else
		rc = meet_all(s, batch, &doubles);
	if (rc == 0 && s->conflicts)
		rc = conflict_step_judge(s->conflicts, s->set, batch, s->hashes, s->hashes + batch->length, s->skipped, s->goes, s->err);
	for (int64_t i = 0; i < batch->length && rc == 0 && !s->by_cursor; i++) {
		bool differs = s->found[i] == CHANGES_NONE || s->found[i] == CHANGES_OTHER;
		bool goes = differs && s->goes[i] && changes_is_meant(s->job, s->hashes[i]);

		unmeant += differs && !goes;
		if (goes && s->bound && !bound_take(s->bound, s->job, s->split, s->hashes[i], &goes))
			rc = error_memory(s->err);
		if (rc == 0 && goes && s->conflicts)
			rc = conflict_step_note(s->conflicts, s->hashes[i], s->hashes[batch->length + i], s->err);
		if (goes)
			s->kept[count++] = i;
		else if (rc == 0 && s->notes && s->found[i] == CHANGES_NONE)
			rc = maps_left_out(s->job, &s->schema, batch, i, s->err);
	}
	if (rc == 0 && s->conflicts)
		rc = conflict_step_settle(s->conflicts, s->err);
	if (rc < 0)
		return rc;
	if (s->notes)
		changes_leave_out(s->notes, s->split, unmeant);
	context_count(s->context, ETL_COUNT_FILTERED, (uint64_t)(batch->length - count - doubles));
	if (s->notes && note_kept(s, batch, count) < 0)
		return ETL_FAILED;
	if (count == batch->length)
		return 0;
	if (count > 0 && !etl_batch_take(&rest, &s->schema, batch, s->kept, count))
		return error_memory(s->err);
	batch->release(batch);
	*batch = rest;
	return 0;
}

static int step_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct step *s = stream->private_data;
	int rc;

	do {
		rc = s->in.get_next(&s->in, out);
		if (rc || !out->release)
			return rc;
		if (out->length > 0 && keep_changed(s, out) < 0) {
			if (out->release)
				out->release(out);
			return EIO;
		}
	} while (!out->release);
	return 0;
}

static const char *step_error(struct ArrowArrayStream *stream)
{
	struct step *s = stream->private_data;

	return s->in.get_last_error(&s->in);
}

static void step_release(struct ArrowArrayStream *stream)
{
	struct step *s = stream->private_data;

	if (s->in.release)
		s->in.release(&s->in);
	if (s->schema.release)
		s->schema.release(&s->schema);
	canon_free(s->canon);
	conflict_step_free(s->conflicts);
	free(s->hashes);
	free(s->kept);
	free(s->found);
	free(s->skipped);
	free(s->goes);
	free(s);
	stream->release = NULL;
}

int changes_wrap(const struct flow_setup *f, struct job *job, const struct etl_split *split,
		 struct etl_context *context, struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct step *s = calloc(1, sizeof(*s));
	struct ArrowArrayStream out = { step_schema, step_next, step_error, step_release, s };
	int rc = s ? need_set(f, job, err) : error_memory(err);

	if (rc < 0) {
		free(s);
		return rc;
	}
	s->set = job->changes->set;
	s->bound = f->bound;
	s->job = job;
	s->split = split->index;
	s->by_cursor = sweep_is_on(job) && !sweep_is_split(job, s->split);
	if (s->bound)
		bound_begin(s->bound, job, s->split);
	s->context = context;
	s->notes = context->whole->rejects ? job->changes : NULL;
	s->err = err;
	if (stream->get_schema(stream, &s->schema))
		s->schema.release = NULL;
	s->canon = s->schema.release ? job_canon(job, &s->schema, ETL_HASH_X1) : NULL;
	if (!s->canon) {
		step_release(&out);
		return err->set ? ETL_FAILED : error_memory(err);
	}
	if (job->conflicts)
		s->conflicts = conflict_step_new(f, job, s->split, &s->schema, s->notes != NULL);
	if ((job->conflicts && !s->conflicts) || (s->notes && !changes_begin_split(s->notes, s->split))) {
		step_release(&out);
		return error_memory(err);
	}
	s->in = *stream;
	*stream = out;
	return 0;
}

/* ---- What is gone ------------------------------------------------------------------------------- */

/* The rows that go, with what conflicts keep of them: its last split but one. */
static int load_left(const struct flow_setup *f, struct job *job, uint64_t most, struct instance *target,
		     struct etl_error *err)
{
	struct ArrowArrayStream stream = { .release = NULL };
	struct etl_context context = { .job = job, .side = SIDE_TARGET, .err = err };
	struct etl_part part = { .index = job->split_count, .context = &context, .gone = 1 };
	struct etl_stats stats = { 0 };
	int rc;

	if (job->conflicts && !conflicts_begin_split(job, job->split_count))
		return error_memory(err);
	rc = changes_open_left(f, job, job->changes->set, most, &stream, err);
	if (rc < 0)
		return rc;
	rc = target->plugin->target.load(target->self, &job->load, &job->token, &part, &stream, &stats,
					 instance_error(target, err));
	if (stream.release)
		stream.release(&stream);
	context_clear(&context);
	return rc;
}

/* The columns of the key in SCHEMA, by their names and in their types; false: they are not, or not yet, there. */
static bool find_key(const struct job *job, const struct ArrowSchema *schema, int64_t *ret)
{
	for (size_t i = 0; i < job->key_count; i++) {
		const struct ArrowSchema *wanted = job->rows.children[job->key[i]];

		ret[i] = -1;
		for (int64_t k = 0; k < schema->n_children; k++)
			if (strcmp(schema->children[k]->name, wanted->name) == 0 &&
			    etl_type_of(schema->children[k]).type == etl_type_of(wanted).type)
				ret[i] = k;
		if (ret[i] < 0)
			return false;
	}
	return true;
}

static bool hash_key(const struct job *job, const struct etl_reject *reject, const int64_t *key, uint64_t *ret)
{
	struct canon *canon = canon_new(reject->schema, key, job->key_count, ETL_HASH_X1);
	bool ok = canon && canon_row(canon, reject->batch, reject->row, ret, NULL);

	canon_free(canon);
	return ok;
}

/* Only behind the last transform a column that is called as the key is it. */
bool changes_key_of(const struct job *job, int64_t step, const struct etl_reject *reject, uint64_t *ret, bool *ret_known)
{
	bool formed = step + 1 >= (int64_t)job->transforms.count && step >= 0 && reject->batch && reject->schema;
	int64_t *key = calloc(job->key_count + 1, sizeof(*key));
	bool ok = key != NULL;

	*ret_known = ok && formed && job->key_count && find_key(job, reject->schema, key);
	if (*ret_known)
		ok = hash_key(job, reject, key, ret);
	free(key);
	return ok;
}

static bool meet(struct job *job, uint64_t key)
{
	struct etl_error err = ERROR_INIT;
	enum changes_found found;
	bool ok = changes_set_meet(job->changes->set, key, 0, 0, &found, &err) == 0 &&
		  (!job->conflicts || conflicts_meet(job, key, &err) == 0);

	error_clear(&err);
	return ok;
}

bool changes_rejected(struct job *job, int64_t step, const struct etl_reject *reject)
{
	bool known = false;
	uint64_t key = 0;

	if (!changes_key_of(job, step, reject, &key, &known))
		return false;
	if (known && job->changes->set)
		return meet(job, key);
	atomic_fetch_add(&job->changes->unknown, 1);
	return true;
}

/* Rows that were rejected before they had a key are in the source still, and nobody knows which they are. */
static bool is_sure(const struct flow_setup *f, const struct job *job, uint64_t left)
{
	uint64_t withheld = atomic_load(&job->changes->unknown);

	/* By its cursor not every row comes. */
	if (f->row_limit || job->replay || (job->cursor && job->cursor->reads && !sweep_is_on(job)))
		return false;
	if (withheld && left && job->rule->deletes != ETL_DELETE_NONE)
		log_line(ETL_LOG_WARN,
			 "table \"%s\": %" PRIu64 " rows of the target did not come, and %" PRIu64
			 " rows of the source were rejected before their keys were known, so nothing is deleted from it "
			 "in this run",
			 job_name(job), left, withheld);
	return !withheld;
}

int changes_settle(const struct flow_setup *f, struct job *job, struct instance *target, struct etl_error *err)
{
	struct changes *c = job->changes;
	int rc = job->split_count ? 0 : need_set(f, job, err);
	uint64_t left = c->set ? changes_set_left(c->set) : 0;
	bool asks = job->conflicts || (left && job->rule->deletes != ETL_DELETE_NONE);
	bool sure = rc == 0 && asks && is_sure(f, job, left);

	if (!sure || job->rule->deletes == ETL_DELETE_NONE)
		left = 0;
	if (rc == 0 && job->conflicts && c->set)
		rc = conflicts_find_gone(f, job, c->set, sure, &left, err);
	if (rc == 0 && left && f->bound)
		left = bound_deletes(f->bound, job, left);
	if (rc == 0 && left) {
		struct retry retry = retry_of(target, "naming the rows that go");

		do
			rc = load_left(f, job, left, target, err);
		while (rc < 0 && retry_again(&retry, err));
	}
	changes_set_free(c->set);
	c->set = NULL;
	if (job->conflicts)
		conflicts_close(job);
	return rc;
}
