/*
 * Row by row: the rows of the source are kept in memory, by the hash of their keys; each row of the
 * target then finds its like, or waits. What is left over on both sides with the same key has changed.
 * Rows that are equal are counted, so that a table without a key is compared as a multiset.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "diff-parts.h"
#include "diff-row.h"

#define NOBODY SIZE_MAX

/* A row that is kept: its key's bytes, then its own, in the set's bytes. */
struct entry {
	uint64_t key_hash, row_hash;
	size_t at, next; /* the next of the same place in the index */
	uint32_t key_size, row_size;
	bool settled;
};

struct side_rows {
	struct entry *at;
	size_t count, room;
	struct etl_text bytes;
};

struct rows {
	struct diff_walk walk;
	struct diff *diff;
	const bool *wanted;
	uint64_t mask;
	struct canon *canon;
	struct etl_view *view;
	struct side_rows source, target;
	size_t *index; /* the first entry of the source of each place */
	size_t index_mask;
	bool from_target; /* which side is walked */
	uint64_t *hashes; /* keys, then rows */
	int64_t hash_room;
	bool divisible; /* with too many rows the caller asks for fewer, else they have to do */
};

static void put_key(struct rows *r, struct etl_text *to, int64_t row)
{
	const struct job *job = r->diff->job;

	for (size_t i = 0; i < job->key_count; i++)
		diff_key_put(to, &r->view->columns[job->key[i]], row);
	for (int64_t i = 0; job->key_count == 0 && i < r->view->count; i++)
		diff_key_put(to, &r->view->columns[i], row);
}

static struct entry *add_entry(struct side_rows *side)
{
	if (side->count == side->room) {
		size_t room = side->room ? 2 * side->room : 256;
		struct entry *at = realloc(side->at, room * sizeof(*at));

		if (!at)
			return NULL;
		side->at = at;
		side->room = room;
	}
	return &side->at[side->count];
}

static bool keep(struct rows *r, struct side_rows *side, int64_t row, uint64_t key_hash,
		 uint64_t row_hash)
{
	struct entry *e = add_entry(side);
	size_t at = side->bytes.length, key_end;

	if (!e)
		return false;
	put_key(r, &side->bytes, row);
	key_end = side->bytes.length;
	diff_row_put(&side->bytes, r->view, row);
	if (side->bytes.failed)
		return false;
	*e = (struct entry){ .key_hash = key_hash,
			     .row_hash = row_hash,
			     .at = at,
			     .next = NOBODY,
			     .key_size = (uint32_t)(key_end - at),
			     .row_size = (uint32_t)(side->bytes.length - key_end) };
	side->count++;
	return true;
}

/* Out of the index, so that of a million equal rows none is looked at twice. */
static void settle(struct rows *r, size_t *link)
{
	struct entry *e = &r->source.at[*link];

	e->settled = true;
	*link = e->next;
}

/* A row of the target that is in the source too; 64 bits of a key and of a row are as good as the row. */
static bool find_equal(struct rows *r, uint64_t key_hash, uint64_t row_hash)
{
	size_t *link = &r->index[key_hash & r->index_mask];

	for (; *link != NOBODY; link = &r->source.at[*link].next) {
		const struct entry *e = &r->source.at[*link];

		if (e->key_hash == key_hash && e->row_hash == row_hash) {
			settle(r, link);
			return true;
		}
	}
	return false;
}

static bool make_index(struct rows *r)
{
	size_t size = 64;

	while (size < r->source.count)
		size *= 2;
	r->index = malloc(size * sizeof(*r->index));
	if (!r->index)
		return false;
	r->index_mask = size - 1;
	for (size_t i = 0; i < size; i++)
		r->index[i] = NOBODY;
	for (size_t i = r->source.count; i-- > 0;) {
		size_t *place = &r->index[r->source.at[i].key_hash & r->index_mask];

		r->source.at[i].next = *place;
		*place = i;
	}
	return true;
}

static bool hash_batch(struct rows *r, const struct ArrowArray *batch)
{
	if (batch->length > r->hash_room) {
		free(r->hashes);
		r->hashes = malloc(2 * (size_t)batch->length * sizeof(*r->hashes));
		r->hash_room = r->hashes ? batch->length : 0;
		if (!r->hashes)
			return false;
	}
	return batch->length == 0 ||
	       (canon_batch(r->canon, batch, r->hashes, r->hashes + batch->length) &&
		etl_view_set(r->view, batch));
}

static size_t used(const struct rows *r)
{
	return r->source.bytes.length + r->target.bytes.length +
	       (r->source.count + r->target.count) * sizeof(struct entry);
}

static int take_batch(struct diff_walk *walk, const struct ArrowArray *batch, struct etl_error *err)
{
	struct rows *r = (struct rows *)(void *)walk;
	const uint64_t *keys, *rows;

	if (!hash_batch(r, batch))
		return error_memory(err);
	keys = r->hashes;
	rows = r->hashes + batch->length;
	for (int64_t i = 0; i < batch->length; i++) {
		if (r->wanted && !r->wanted[keys[i] & r->mask])
			continue;
		if (r->from_target && find_equal(r, keys[i], rows[i]))
			continue;
		if (!keep(r, r->from_target ? &r->target : &r->source, i, keys[i], rows[i]))
			return error_memory(err);
	}
	return r->divisible && used(r) > r->diff->memory ? DIFF_TOO_MANY : 0;
}

/* ---- What is left over ----------------------------------------------------------------------- */

static const void *key_at(const struct side_rows *side, const struct entry *e)
{
	return side->bytes.at + e->at;
}

static struct entry *find_partner(struct rows *r, const struct entry *of)
{
	size_t *link;

	if (r->diff->job->key_count == 0)
		return NULL;
	for (link = &r->index[of->key_hash & r->index_mask]; *link != NOBODY;
	     link = &r->source.at[*link].next) {
		struct entry *e = &r->source.at[*link];

		if (e->key_hash == of->key_hash && e->key_size == of->key_size &&
		    memcmp(key_at(&r->source, e), key_at(&r->target, of), e->key_size) == 0) {
			settle(r, link);
			return e;
		}
	}
	return NULL;
}

/* Its fellow in the source is rejected; or, where rows were before they had a key, may be. */
static bool stays(struct diff *d, const struct entry *target)
{
	bool unsure = d->asks_met && (d->met.unknown || (d->met.count && d->hash != ETL_HASH_X1));

	d->unsure += unsure;
	return unsure || (d->asks_met && met_keys_has(&d->met, target->key_hash));
}

static int note(struct rows *r, const struct entry *source, const struct entry *target,
		struct etl_error *err)
{
	const struct side_rows *side = source ? &r->source : &r->target;
	const struct entry *any = source ? source : target;
	struct diff *d = r->diff;
	struct diff_found found = {
		.kind = !target ? DIFF_NEW : !source ? DIFF_DELETED : DIFF_CHANGED,
		.key = key_at(side, any),
		.key_size = any->key_size,
	};

	if (source) {
		found.source = r->source.bytes.at + source->at + source->key_size;
		found.source_size = source->row_size;
	}
	if (target) {
		found.target = r->target.bytes.at + target->at + target->key_size;
		found.target_size = target->row_size;
	}
	if (!source && (d->keeps_others || stays(d, target)))
		return 0;
	d->added += !target;
	d->deleted += !source;
	d->changed += source && target;
	return diff_spool_add(d->found, &found, err);
}

static int note_rest(struct rows *r, struct etl_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < r->target.count && rc == 0; i++) {
		struct entry *partner = find_partner(r, &r->target.at[i]);

		rc = note(r, partner, &r->target.at[i], err);
	}
	for (size_t i = 0; i < r->source.count && rc == 0; i++)
		if (!r->source.at[i].settled)
			rc = note(r, &r->source.at[i], NULL, err);
	return rc;
}

static void rows_clear(struct rows *r)
{
	canon_free(r->canon);
	etl_view_free(r->view);
	etl_text_free(&r->source.bytes);
	etl_text_free(&r->target.bytes);
	free(r->source.at);
	free(r->target.at);
	free(r->index);
	free(r->hashes);
}

int diff_rows(struct diff *d, const struct diff_range *range, const bool *wanted, uint64_t count,
	      bool divisible, struct etl_error *err)
{
	struct job *job = d->job;
	struct rows r = { .walk = { take_batch },
			  .diff = d,
			  .wanted = wanted,
			  .mask = count - 1,
			  .divisible = divisible };
	int rc;

	r.canon = job_canon(job, &job->rows, d->hash);
	r.view = etl_view_new(&job->rows);
	rc = r.canon && r.view ? diff_walk(d, DIFF_SOURCE, range, &r.walk, err) : error_memory(err);
	if (rc == 0 && !make_index(&r))
		rc = error_memory(err);
	r.from_target = true;
	if (rc == 0)
		rc = diff_walk(d, DIFF_TARGET, range, &r.walk, err);
	if (rc == 0)
		rc = note_rest(&r, err);
	rows_clear(&r);
	return rc;
}
