/*
 * What a run found out of its rows is staged beside them, so that the commit that writes the one writes the other: the hashes of
 * rows as they are synced now, rows that are parked, and those that are not any more.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "conflicts-parts.h"
#include "fault.h"
#include "kept-chunks.h"
#include "retry.h"
#include "run.h"

#define SET_SHARE 8 /* of memory_limit */

static int compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static bool is_refused(const struct conflicts *c, uint64_t key)
{
	return c->refused_count && bsearch(&key, c->refused, c->refused_count, sizeof(key), compare);
}

/* ---- A set of what was found ------------------------------------------------------------------- */

/* Sorted by their keys; a key that comes twice is left out, for nobody knows which of the two is in the target. */
struct fresh {
	struct chunk_pairs pairs;
	struct changes_set *set;
	struct changes_walk walk;
	struct chunk_pair next;
	bool has_next, begun;
};

static int read_on(struct fresh *f, struct etl_error *err)
{
	bool met;
	int rc = changes_walk_next(&f->walk, &f->next.key, &f->next.row, &met, err);

	f->has_next = rc > 0;
	return rc;
}

static int fresh_next(struct chunk_pairs *self, struct chunk_pair *ret, struct etl_error *err)
{
	struct fresh *f = (struct fresh *)(void *)self;
	int rc = f->begun ? 0 : read_on(f, err);
	bool twice = true;

	f->begun = true;
	while (rc >= 0 && f->has_next && twice) {
		*ret = f->next;
		twice = false;
		while ((rc = read_on(f, err)) > 0 && f->next.key == ret->key)
			twice = true;
		if (rc >= 0 && !twice)
			return 1;
	}
	return rc < 0 ? rc : 0;
}

static int add_pairs(const struct conflicts *c, struct changes_set *to, const void *bytes, size_t size, struct etl_error *err)
{
	struct chunk_pair pair;
	int rc = 0;

	for (size_t at = 0; at < size && rc == 0; at += sizeof(pair)) {
		memcpy(&pair, (const uint8_t *)bytes + at, sizeof(pair));
		if (!is_refused(c, pair.key))
			rc = changes_set_add(to, pair.key, pair.row, err);
	}
	return rc;
}

/* KIND FOUND_PARKED: the keys alone. */
static int make_set(const struct run *run, const struct conflicts *c, uint32_t kind, struct changes_set **ret,
		    struct etl_error *err)
{
	struct changes_set *set = changes_set_new((size_t)run->pipeline->memory_limit / SET_SHARE);
	struct conflict_reading reading = { .spool = c->spool };
	struct conflict_note note;
	const void *bytes;
	int rc = set ? 0 : error_memory(err);

	if (set)
		changes_set_plain(set);
	while (rc == 0 && (rc = conflict_spool_next(&reading, &note, &bytes, err)) > 0) {
		rc = 0;
		if (note.kind != kind)
			continue;
		if (kind == FOUND_PARKED)
			rc = changes_set_add(set, note.key, 0, err);
		else
			rc = add_pairs(c, set, bytes, note.size, err);
	}
	conflict_reading_clear(&reading);
	return changes_set_close(set, rc, ret, err);
}

/* ---- Staging ----------------------------------------------------------------------------------- */

/* SOURCE_OF gives the pieces anew for each try. */
struct keeping {
	struct run *run;
	struct job *job;
	const char *kind;
	uint64_t part;
	int (*open)(struct keeping *, struct kept_source **ret, struct etl_error *);
	void (*close)(struct keeping *);
	struct changes_set *set;
	struct kept_reader *reader;
	struct fresh fresh;
	struct chunk_merge *merge;
	struct parked *parked;
};

static int stage_once(struct keeping *k, struct etl_error *err)
{
	struct instance *target = k->run->target;
	const struct etl_keep keep = {
		.pipeline = k->run->pipeline->name, .kind = k->kind, .table = k->job->conflicts->name
	};
	struct etl_context context = { .job = k->job, .side = SIDE_TARGET, .err = err };
	struct etl_part part = { .index = k->job->split_count + k->part, .context = &context };
	struct ArrowArrayStream stream = { .release = NULL };
	struct kept_source *source = NULL;
	int rc = k->open(k, &source, err);

	if (rc == 0)
		rc = kept_stream(source, &stream, err);
	if (rc == 0)
		rc = target->plugin->target.keep(target->self, &k->job->load, &k->job->token, &part, &keep, &stream,
						 instance_error(target, err));
	if (stream.release)
		stream.release(&stream);
	k->close(k);
	context_clear(&context);
	return rc;
}

static int stage(struct keeping *k, struct etl_error *err)
{
	struct retry retry = retry_of(k->run->target, "keeping how the rows were synced");
	int rc;

	do
		rc = stage_once(k, err);
	while (rc < 0 && retry_again(&retry, err));
	return rc;
}

/* ---- Hashes ------------------------------------------------------------------------------------ */

static int old_next(void *data, struct kept_piece *ret, struct etl_error *err)
{
	return kept_next(data, ret, err);
}

static int open_hashes(struct keeping *k, struct kept_source **ret, struct etl_error *err)
{
	const struct conflicts *c = k->job->conflicts;
	const struct etl_keep keep = { .pipeline = k->run->pipeline->name, .kind = KEPT_HASHES, .table = c->name };
	int rc = kept_open(&k->run->pipeline->target, &k->run->limits, &keep, &k->reader, err);

	k->merge = malloc(sizeof(*k->merge));
	if (rc == 0 && !k->merge)
		rc = error_memory(err);
	if (rc < 0)
		return rc;
	k->fresh = (struct fresh){ .pairs = { fresh_next }, .set = k->set, .walk = { .set = k->set } };
	chunk_merge_init(k->merge, c->columns, &k->fresh.pairs, old_next, k->reader);
	*ret = &k->merge->source;
	return 0;
}

static void close_hashes(struct keeping *k)
{
	kept_close(k->reader);
	k->reader = NULL;
	free(k->merge);
	k->merge = NULL;
}

static int keep_hashes(struct run *run, struct job *job, struct etl_error *err)
{
	struct keeping k = {
		.run = run, .job = job, .kind = KEPT_HASHES, .part = CONFLICT_SPLITS, .open = open_hashes, .close = close_hashes
	};
	int rc = make_set(run, job->conflicts, FOUND_HASHES, &k.set, err);

	if (rc == 0 && (changes_set_rows(k.set) || job->conflicts->others))
		rc = stage(&k, err);
	changes_set_free(k.set);
	return rc;
}

/* ---- Parked rows ------------------------------------------------------------------------------- */

struct parked {
	struct kept_source source;
	const struct conflicts *c;
	struct changes_set *set; /* of the keys that are parked now; met: it was given */
	struct conflict_reading reading;
	struct changes_walk gone;
	uint8_t bytes[PARKED_BYTES];
};

/* Those that are parked, or have become others. */
static int next_found(struct parked *p, struct kept_piece *ret, struct etl_error *err)
{
	struct conflict_note note;
	const void *words;
	int rc;

	while ((rc = conflict_spool_next(&p->reading, &note, &words, err)) > 0) {
		enum changes_found found;
		bool left;

		if (note.kind != FOUND_PARKED)
			continue;
		rc = changes_set_is_left(p->set, note.key, &left, err);
		if (rc == 0)
			rc = changes_set_meet(p->set, note.key, 0, 0, &found, err);
		if (rc < 0)
			return rc;
		if (!left)
			continue;
		parked_put(p->bytes, note.source, note.target, CHOICE_NONE);
		*ret = (struct kept_piece){ .number = kept_number(note.key),
					    .bytes = p->bytes,
					    .size = PARKED_BYTES,
					    .words = words,
					    .length = note.size };
		return 1;
	}
	return rc;
}

/* Those that were, and are not any more. */
static int next_gone(struct parked *p, struct kept_piece *ret, struct etl_error *err)
{
	uint64_t key, mark;
	bool met;
	int rc;

	if (!p->c->sure)
		return 0;
	while ((rc = changes_walk_next(&p->gone, &key, &mark, &met, err)) > 0)
		if (!met) {
			*ret = (struct kept_piece){ .number = kept_number(key) };
			return 1;
		}
	return rc;
}

static int parked_next(struct kept_source *self, struct kept_piece *ret, struct etl_error *err)
{
	struct parked *p = (struct parked *)(void *)self;
	int rc = next_found(p, ret, err);

	return rc == 0 ? next_gone(p, ret, err) : rc;
}

static void close_parked(struct keeping *k)
{
	if (!k->parked)
		return;
	conflict_reading_clear(&k->parked->reading);
	changes_set_free(k->parked->set);
	free(k->parked);
	k->parked = NULL;
}

static int open_parked(struct keeping *k, struct kept_source **ret, struct etl_error *err)
{
	const struct conflicts *c = k->job->conflicts;
	struct parked *p = calloc(1, sizeof(*p));
	int rc = p ? 0 : error_memory(err);

	k->parked = p;
	if (rc < 0)
		return rc;
	*p = (struct parked){
		.source = { parked_next }, .c = c, .reading = { .spool = c->spool }, .gone = { .set = c->parked }
	};
	rc = make_set(k->run, c, FOUND_PARKED, &p->set, err);
	*ret = &p->source;
	return rc;
}

static int keep_parked(struct run *run, struct job *job, struct etl_error *err)
{
	struct keeping k = {
		.run = run, .job = job, .kind = KEPT_PARKED, .part = CONFLICT_SPLITS + 1, .open = open_parked, .close = close_parked
	};
	const struct conflicts *c = job->conflicts;
	struct conflict_counts n = conflicts_counts(job);
	bool leave = c->sure && changes_set_left(c->parked) > 0;

	return n.parked || n.again || leave ? stage(&k, err) : 0;
}

int conflicts_keep(struct run *run, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < run->jobs.count && rc == 0; i++) {
		struct job *job = run->jobs.at[i];
		struct conflicts *c = job->conflicts;

		/* Without its set no row of it was looked at. */
		if (!c || job->failed || !c->parked)
			continue;
		if (c->refused_count)
			qsort(c->refused, c->refused_count, sizeof(*c->refused), compare);
		rc = keep_hashes(run, job, err);
		if (rc == 0)
			rc = keep_parked(run, job, err);
	}
	ETL_FAULT("conflicts.kept");
	return rc;
}
