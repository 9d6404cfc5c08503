/*
 * Both sides are read and hashed by us, at once, into buckets by the hash of the key; only the rows of
 * buckets that differ are read again, as many buckets at a time as fit into memory.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "batch.h"
#include "diff-parts.h"
#include "spread.h"

#define ROWS_A_BUCKET  256 /* a bucket that differs is read again for one row */
#define LEAST_BUCKETS  64
#define MOST_BUCKETS   (1 << 16)
#define ENTRY_SIZE     128 /* bytes of a kept row beside its values: key, place, hashes */

uint64_t diff_bucket_count(int64_t rows)
{
	uint64_t count = LEAST_BUCKETS;

	while (count < MOST_BUCKETS && (int64_t)count * ROWS_A_BUCKET < rows)
		count *= 2;
	return count;
}

/* One side, by a thread of its own. */
struct stream_side {
	struct diff_walk walk;
	struct diff *diff;
	enum diff_side side;
	const struct diff_range *range;
	struct canon *canon;
	struct etl_digest *buckets;
	uint64_t mask, rows, bytes;
	uint64_t *hashes;
	int64_t room;
};

static int digest_batch_of(struct diff_walk *walk, const struct ArrowArray *batch,
			   struct etl_error *err)
{
	struct stream_side *s = (struct stream_side *)(void *)walk;
	uint64_t *keys, *rows;

	if (batch->length > s->room) {
		free(s->hashes);
		s->hashes = malloc(2 * (size_t)batch->length * sizeof(*s->hashes));
		s->room = s->hashes ? batch->length : 0;
	}
	keys = s->hashes;
	rows = s->hashes + batch->length;
	if (batch->length > 0 && (!s->hashes || !canon_batch(s->canon, batch, keys, rows)))
		return error_memory(err);
	for (int64_t i = 0; i < batch->length; i++) {
		struct etl_digest *bucket = &s->buckets[keys[i] & s->mask];

		bucket->rows++;
		bucket->sum += rows[i];
	}
	s->rows += (uint64_t)batch->length;
	s->bytes += (uint64_t)batch_bytes(&s->diff->job->rows, batch);
	return 0;
}

static bool side_init(struct stream_side *s, struct diff *d, enum diff_side side,
		      const struct diff_range *range, uint64_t count)
{
	const struct job *job = d->job;

	*s = (struct stream_side){ .walk = { digest_batch_of },
				   .diff = d,
				   .side = side,
				   .range = range,
				   .mask = count - 1 };
	s->canon = job_canon(job, &job->rows, d->hash);
	s->buckets = calloc(count, sizeof(*s->buckets));
	return s->canon && s->buckets;
}

static void side_clear(struct stream_side *s)
{
	canon_free(s->canon);
	free(s->buckets);
	free(s->hashes);
}

static int digest_side(void *data, size_t piece, size_t thread, struct etl_error *err)
{
	struct stream_side *s = (struct stream_side *)data + piece;

	(void)thread;
	return diff_walk(s->diff, s->side, s->range, &s->walk, err);
}

static uint64_t most(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Reads the rows of the wanted buckets from FIRST to before END. Their sizes were guessed by the mean: when they
 * do not fit, half of them at a time. WANTED is all false afterwards. */
static int read_buckets(struct diff *d, const struct diff_range *range, bool *wanted, uint64_t count,
			uint64_t first, uint64_t end, struct etl_error *err)
{
	bool *half;
	uint64_t middle = first + (end - first) / 2;
	int rc;

	if (!memchr(wanted + first, true, end - first))
		return 0;
	rc = diff_rows(d, range, wanted, count, end - first > 1, err);
	if (rc != DIFF_TOO_MANY) {
		memset(wanted, 0, count * sizeof(*wanted));
		return rc;
	}
	half = calloc(count, sizeof(*half));
	if (!half)
		return error_memory(err);
	memcpy(half + middle, wanted + middle, (end - middle) * sizeof(*half));
	memset(wanted + middle, 0, (end - middle) * sizeof(*wanted));
	rc = read_buckets(d, range, wanted, count, first, middle, err);
	if (rc == 0)
		rc = read_buckets(d, range, half, count, middle, end, err);
	free(half);
	return rc;
}

int diff_buckets(struct diff *d, const struct diff_range *range, const struct etl_digest *a,
		 const struct etl_digest *b, uint64_t count, size_t row_size, struct etl_error *err)
{
	bool *wanted = calloc(count, sizeof(*wanted));
	size_t used = 0, each = row_size + ENTRY_SIZE;
	uint64_t first = 0;
	int rc = wanted ? 0 : error_memory(err);

	for (uint64_t i = 0; i < count && rc == 0; i++) {
		size_t size = (size_t)(a[i].rows + b[i].rows) * each;

		if (diff_same(&a[i], &b[i]))
			continue;
		if (used > 0 && used + size > d->memory) {
			rc = read_buckets(d, range, wanted, count, first, i, err);
			first = i;
			used = 0;
		}
		wanted[i] = true;
		used += size;
	}
	if (rc == 0 && used > 0)
		rc = read_buckets(d, range, wanted, count, first, count, err);
	free(wanted);
	return rc;
}

static int64_t rows_of(const struct diff *d)
{
	const struct job *job = d->job;

	return job->source->rows > job->existing->rows ? job->source->rows : job->existing->rows;
}

int diff_stream(struct diff *d, const struct diff_range *range, struct etl_error *err)
{
	uint64_t count = diff_bucket_count(rows_of(d));
	struct stream_side sides[2];
	struct spread_work work = { .count = 2, .threads = 2, .piece = digest_side, .data = sides };
	bool ok = side_init(&sides[0], d, DIFF_SOURCE, range, count);
	uint64_t rows;
	int rc;

	ok = side_init(&sides[1], d, DIFF_TARGET, range, count) && ok;
	rc = ok ? spread_work(&work, err) : error_memory(err);
	rows = sides[0].rows + sides[1].rows;
	if (rc == 0 && !range) {
		d->source_rows = sides[0].rows;
		d->target_rows = sides[1].rows;
	}
	if (rc == 0)
		rc = diff_buckets(d, range, sides[0].buckets, sides[1].buckets, count,
				  (size_t)((sides[0].bytes + sides[1].bytes) / most(rows, 1)), err);
	side_clear(&sides[0]);
	side_clear(&sides[1]);
	return rc;
}
