/*
 * The counts of a split are kept as numbers of 64 bits in the order of struct split_record: those
 * of its digest's buckets that are not empty, and those of each step of its chain. A state file does not leave its machine, so they
 * are as they are in memory.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fault.h"
#include "journal.h"
#include "log.h"
#include "retry.h"

#define COUNTS	     9 /* of struct split_record, before the digest */
#define STAGE_COUNTS 7 /* of struct stage_count */

void journal_start(struct journal *j, struct state *state, const char *run, struct instance *target,
		   const struct etl_token *stage, bool in_order)
{
	j->state = state;
	j->in_order = in_order;
	j->run = run;
	j->target = target;
	j->stage = stage;
}

void journal_forget(struct journal *j)
{
	for (size_t i = 0; i < j->count; i++)
		free(j->at[i].data);
	free(j->at);
	j->at = NULL;
	j->count = 0;
}

void journal_free(struct journal *j)
{
	journal_forget(j);
	j->state = NULL;
}

/* ---- What was done ---- */

static int compare(const void *a, const void *b)
{
	const struct journal_unit *x = a, *y = b;

	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static const struct journal_unit *find(const struct journal *j, int32_t kind, int64_t number)
{
	struct journal_unit wanted = { .kind = kind, .number = number };

	return j->count ? bsearch(&wanted, j->at, j->count, sizeof(wanted), compare) : NULL;
}

bool journal_has(const struct journal *j, int32_t kind, int64_t number)
{
	return find(j, kind, number) != NULL;
}

/* ---- Writing ---- */

/* What can be in the middle although the target shows a whole piece of work: several statements, the
 * rows that a screen takes out one by one, the finishing of a file. */
static bool is_one_piece(int32_t kind)
{
	return kind == UNIT_SPLIT || kind == UNIT_FINISH || kind == UNIT_LAST;
}

int journal_mark(struct instance *target, const struct etl_token *stage, struct etl_token *ret,
		 struct etl_error *err)
{
	struct retry retry = retry_of(target, "asking where the staging place stands");
	int rc;

	do
		rc = target->plugin->target.mark(target->self, stage, ret,
						 instance_error(target, err));
	while (rc < 0 && err->klass != ETL_FEWER_WORKERS && retry_again(&retry, err));
	return rc;
}

static int take_mark(struct journal *j, struct etl_token *ret, struct etl_error *err)
{
	return journal_mark(j->target, j->stage, ret, err);
}

int journal_begin_at(struct journal *j, struct instance *target, const struct etl_token *stage,
		     int32_t kind, int64_t number, const char *name, struct etl_token *ret_mark,
		     struct etl_error *err)
{
	struct state_unit unit = { .kind = kind, .number = number, .name = name };
	int rc;

	if (!j->state)
		return 0;
	rc = journal_mark(target, j->in_order ? j->stage : stage, &unit.mark, err);
	if (rc == 0)
		rc = state_unit_put(j->state, j->run, &unit, err);
	if (rc == 0 && ret_mark)
		*ret_mark = unit.mark;
	ETL_FAULT("journal.unit_begun");
	return rc;
}

int journal_begin(struct journal *j, int32_t kind, int64_t number, const char *name,
		  struct etl_error *err)
{
	return journal_begin_at(j, j->target, j->stage, kind, number, name, NULL, err);
}

/* In order the next piece of work says that this one is there; what is in several pieces says so itself. */
int journal_done(struct journal *j, int32_t kind, int64_t number, struct etl_error *err)
{
	struct etl_token mark;
	int rc = 0;

	if (!j->state || (j->in_order && is_one_piece(kind)))
		return 0;
	if (j->in_order)
		rc = take_mark(j, &mark, err);
	ETL_FAULT("journal.before_unit_done");
	if (rc == 0)
		rc = state_unit_done(j->state, j->run, kind, number, j->in_order ? &mark : NULL, err);
	ETL_FAULT("journal.after_unit_done");
	return rc;
}

int journal_split_done(struct journal *j, int64_t number, struct etl_error *err)
{
	return j->state && !j->in_order ?
		       state_unit_done(j->state, j->run, UNIT_SPLIT, number, NULL, err) :
		       0;
}

void journal_failed(struct journal *j, int32_t kind, int64_t number)
{
	struct etl_error ignored = ERROR_INIT;

	if (j->state)
		state_unit_drop(j->state, j->run, kind, number, &ignored);
	error_clear(&ignored);
}

/* ---- Splits ---- */

static size_t used_buckets(const struct digest *d)
{
	size_t count = 0;

	for (size_t i = 0; i < ETL_BUCKETS; i++)
		count += d->buckets[i].rows || d->buckets[i].sum;
	return count;
}

/* Numbers that pack_digest writes. */
static size_t digest_size(const struct digest *d)
{
	return 3 + 3 * used_buckets(d);
}

static size_t pack_digest(const struct digest *d, uint64_t *at)
{
	size_t n = 3;

	at[0] = d->total.rows;
	at[1] = d->total.sum;
	at[2] = used_buckets(d);
	for (size_t i = 0; i < ETL_BUCKETS; i++) {
		if (!d->buckets[i].rows && !d->buckets[i].sum)
			continue;
		at[n++] = i;
		at[n++] = d->buckets[i].rows;
		at[n++] = d->buckets[i].sum;
	}
	return n;
}

/* How many numbers it took; 0: it is no digest of ours. */
static size_t unpack_digest(const uint64_t *at, size_t count, struct digest *ret)
{
	size_t n = 3, buckets = count >= n ? (size_t)at[2] : ETL_BUCKETS + 1;

	memset(ret, 0, sizeof(*ret));
	if (buckets > ETL_BUCKETS || count < n + 3 * buckets)
		return 0;
	ret->total = (struct etl_digest){ at[0], at[1] };
	for (size_t i = 0; i < buckets; i++, n += 3) {
		if (at[n] >= ETL_BUCKETS)
			return 0;
		ret->buckets[at[n]] = (struct etl_digest){ at[n + 1], at[n + 2] };
	}
	return n;
}

static void pack_stage(const struct stage_count *s, uint64_t *at)
{
	const uint64_t counts[STAGE_COUNTS] = { s->used,     s->in,	s->created, s->out,
						s->filtered, s->merged, s->rejected };

	memcpy(at, counts, sizeof(counts));
}

static void add_stage(struct stage_count *s, const uint64_t *at)
{
	s->used |= at[0] != 0;
	s->in += at[1];
	s->created += at[2];
	s->out += at[3];
	s->filtered += at[4];
	s->merged += at[5];
	s->rejected += at[6];
}

static uint64_t *pack(const struct split_record *r, size_t *ret_count)
{
	const uint64_t counts[COUNTS] = { r->read,   r->passed,	  r->filtered,		 r->created,
					  r->merged, r->rejected, r->rejected_by_target, r->bytes,
					  r->staged };
	size_t noted = r->noted ? noted_size(r->noted) : 0;
	uint64_t *at = calloc(COUNTS + digest_size(&r->digest) + STAGE_COUNTS * r->stage_count +
				      noted,
			      sizeof(*at));
	size_t n;

	if (!at)
		return NULL;
	memcpy(at, counts, sizeof(counts));
	n = COUNTS + pack_digest(&r->digest, at + COUNTS);
	for (size_t i = 0; i < r->stage_count; i++, n += STAGE_COUNTS)
		pack_stage(&r->stages[i], at + n);
	if (noted)
		noted_pack(r->noted, at + n);
	*ret_count = n + noted;
	return at;
}

/* False: it is no record of ours. Its steps are added to STAGES, of which there are STAGE_COUNT, and what was changed to
 * NOTED. */
static bool unpack(const uint64_t *at, size_t count, struct split_record *ret,
		   struct stage_count *stages, size_t stage_count, struct noted *noted)
{
	size_t n = count < COUNTS ? 0 : unpack_digest(at + COUNTS, count - COUNTS, &ret->digest);
	size_t numbers = COUNTS + n + STAGE_COUNTS * stage_count;

	if (n == 0 || count < numbers || !noted_unpack(noted, at + numbers, count - numbers))
		return false;
	for (size_t i = 0; i < stage_count; i++)
		add_stage(&stages[i], at + COUNTS + n + STAGE_COUNTS * i);
	ret->read = at[0];
	ret->passed = at[1];
	ret->filtered = at[2];
	ret->created = at[3];
	ret->merged = at[4];
	ret->rejected = at[5];
	ret->rejected_by_target = at[6];
	ret->bytes = at[7];
	ret->staged = at[8];
	return true;
}

int journal_split_taken(struct journal *j, int64_t number, const char *name,
			const struct etl_token *mark, const struct split_record *record,
			struct etl_error *err)
{
	struct state_unit unit = {
		.kind = UNIT_SPLIT, .number = number, .name = name, .mark = *mark
	};
	size_t count = 0;
	uint64_t *data;
	int rc;

	ETL_FAULT("journal.before_split");
	data = pack(record, &count);
	if (!data)
		return error_memory(err);
	unit.data = data;
	unit.size = count * sizeof(*data);
	rc = state_unit_put(j->state, j->run, &unit, err);
	free(data);
	ETL_FAULT("journal.after_split");
	return rc;
}

static int fail_record(const char *table, struct etl_error *err)
{
	return error_set(err, ETL_MEMORY,
			 "what was counted in \"%s\" cannot be read from the state; `etlrun run` "
			 "begins from the start",
			 table);
}

int journal_split_restore(const struct journal *j, int64_t number, struct job *job,
			  struct etl_error *err)
{
	const struct journal_unit *unit = find(j, UNIT_SPLIT, number);
	struct split_record record;

	if (!job->stages)
		job->stages = calloc(job_stages(job) + 1, sizeof(*job->stages));
	if (!job->stages)
		return error_memory(err);
	if (!unit || !unpack(unit->data, unit->size / sizeof(uint64_t), &record, job->stages,
			     job_stages(job), &job->noted))
		return fail_record(job_source_name(job), err);
	job->read += record.read;
	job->passed += record.passed;
	job->filtered += record.filtered;
	job->created += record.created;
	job->merged += record.merged;
	job->rejected += record.rejected;
	job->rejected_by_target += record.rejected_by_target;
	job->staged += record.staged;
	job->bytes += record.bytes;
	digest_add(&job->digest, &record.digest);
	job->splits_done++;
	return 0;
}

/* ---- Screen ---- */

/* For each job of which something was taken: its index, how much, and what its digest is then. */
static uint64_t *pack_screened(const struct jobs *jobs, size_t *ret_count)
{
	size_t room = 0, n = 0;
	uint64_t *at;

	for (size_t i = 0; i < jobs->count; i++)
		if (jobs->at[i]->screened)
			room += 2 + digest_size(&jobs->at[i]->digest);
	at = calloc(room + 1, sizeof(*at));
	for (size_t i = 0; at && i < jobs->count; i++) {
		if (!jobs->at[i]->screened)
			continue;
		at[n++] = i;
		at[n++] = jobs->at[i]->screened;
		n += pack_digest(&jobs->at[i]->digest, at + n);
	}
	*ret_count = n;
	return at;
}

int journal_screen_done(struct journal *j, const struct jobs *jobs, struct etl_error *err)
{
	struct state_unit unit = { .kind = UNIT_SCREEN, .name = "screen" };
	size_t count = 0;
	uint64_t *data;
	int rc;

	if (!j->state)
		return 0;
	rc = take_mark(j, &unit.mark, err);
	if (rc < 0)
		return rc;
	data = pack_screened(jobs, &count);
	if (!data)
		return error_memory(err);
	unit.done = true;
	unit.data = data;
	unit.size = count * sizeof(*data);
	rc = state_unit_put(j->state, j->run, &unit, err);
	free(data);
	ETL_FAULT("journal.screened");
	return rc;
}

int journal_screen_restore(const struct journal *j, struct jobs *jobs, struct etl_error *err)
{
	const struct journal_unit *unit = find(j, UNIT_SCREEN, 0);
	const uint64_t *at = unit ? unit->data : NULL;
	size_t count = unit ? unit->size / sizeof(*at) : 0, n = 0, used;

	while (n + 2 < count && at[n] < jobs->count) {
		struct job *job = jobs->at[at[n]];

		job->screened = at[n + 1];
		job->rejected += job->screened;
		job->rejected_by_target += job->screened;
		job->staged -= job->screened;
		used = unpack_digest(at + n + 2, count - n - 2, &job->digest);
		if (used == 0)
			return fail_record(job_source_name(job), err);
		n += 2 + used;
	}
	return n == count ? 0 : fail_record("the rows that were taken out", err);
}

int journal_sealed(struct journal *j, const struct etl_token *seal, struct etl_error *err)
{
	return j->state ? state_unit_done(j->state, j->run, UNIT_SEAL, 0, seal, err) : 0;
}

/* ---- Reading ---- */

struct reading {
	struct journal *journal;
	bool failed;
};

static int on_unit(const struct state_unit *unit, void *data)
{
	struct reading *r = data;
	struct journal *j = r->journal;
	struct journal_unit *at = realloc(j->at, (j->count + 1) * sizeof(*at)), *to;

	r->failed |= !at;
	if (!at)
		return ETL_FAILED;
	j->at = at;
	to = &at[j->count];
	*to = (struct journal_unit){ .kind = unit->kind,
				     .number = unit->number,
				     .done = unit->done,
				     .mark = unit->mark,
				     .data = malloc(unit->size + 1),
				     .size = unit->size };
	r->failed |= !to->data;
	if (!to->data)
		return ETL_FAILED;
	if (unit->size)
		memcpy(to->data, unit->data, unit->size);
	j->count++;
	return 0;
}

static int ask(struct journal *j, const struct etl_token *stage, const struct etl_token *mark,
	       int32_t *ret, struct etl_error *err)
{
	struct instance *target = j->target;
	struct retry retry = retry_of(target, "asking what is staged");
	int rc;

	*ret = ETL_UNKNOWN;
	do
		rc = target->plugin->target.since(target->self, stage, mark, ret,
						  instance_error(target, err));
	while (rc < 0 && retry_again(&retry, err));
	return rc;
}

static void say_middle(void)
{
	log_line(ETL_LOG_INFO, "what was staged is made anew: the run ended in the middle "
			       "of a piece of work");
}

/* Of the last one it is not known whether it was made whole; those before it were. */
static int settle_last(struct journal *j, bool *ret_usable, struct etl_error *err)
{
	struct journal_unit *last = &j->at[j->count - 1];
	int32_t after;
	int rc = ask(j, j->stage, &last->mark, &after, err);

	if (rc < 0)
		return rc;
	*ret_usable = after == 0 || (after == 1 && is_one_piece(last->kind));
	if (after == 1 && !*ret_usable)
		say_middle();
	if (*ret_usable && after == 0 && !last->done) {
		free(last->data);
		j->count--;
	}
	return 0;
}

/* What of a unit that may have been under way is there. *ret_after: 1, 0, or ETL_UNKNOWN: everything anew. */
static int settle_unit(struct journal *j, const struct journal_unit *unit,
		       const struct journal_places *places, int32_t *ret_after,
		       struct etl_error *err)
{
	const struct etl_token *stage = places->stage(places->data, unit->kind, unit->number);
	int rc = stage ? ask(j, stage, &unit->mark, ret_after, err) : 0;

	if (!stage)
		*ret_after = ETL_UNKNOWN;
	if (rc < 0 || *ret_after == ETL_UNKNOWN)
		return rc;
	/* That there is something behind a mark of what is done already only says that the place is there. */
	if (unit->done) {
		*ret_after = 1;
	} else if (*ret_after == 1 && !is_one_piece(unit->kind)) {
		*ret_after = places->repeats(places->data, unit->kind) ? 0 : ETL_UNKNOWN;
		if (*ret_after == ETL_UNKNOWN)
			say_middle();
	}
	return 0;
}

/* Each unit that has no note that it is done is asked for; of those that have, the first, which is how it is known
 * that the place is there. Those that are not there are done again. */
static int settle_each(struct journal *j, const struct journal_places *places, bool *ret_usable,
		       struct etl_error *err)
{
	size_t kept = 0;
	int rc = 0;

	*ret_usable = true;
	for (size_t i = 0; i < j->count && rc == 0; i++) {
		struct journal_unit unit = j->at[i];
		int32_t after = 1;

		if (*ret_usable && (!unit.done || i == 0))
			rc = settle_unit(j, &unit, places, &after, err);
		*ret_usable = *ret_usable && after != ETL_UNKNOWN;
		if (after == 0)
			free(unit.data);
		else
			j->at[kept++] = unit;
	}
	j->count = kept;
	*ret_usable = *ret_usable && rc == 0;
	return rc;
}

int journal_read(struct journal *j, const struct journal_places *places, bool *ret_usable,
		 struct etl_error *err)
{
	struct reading r = { .journal = j };
	int rc = state_units(j->state, j->run, on_unit, &r, err);

	*ret_usable = false;
	if (rc < 0)
		return r.failed ? error_memory(err) : rc;
	if (j->count == 0)
		log_line(ETL_LOG_INFO, "nothing was staged yet: it begins from the start");
	else
		rc = j->in_order ? settle_last(j, ret_usable, err) :
				   settle_each(j, places, ret_usable, err);
	if (rc < 0 || !*ret_usable)
		journal_forget(j);
	return rc;
}
