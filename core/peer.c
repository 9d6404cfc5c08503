/*
 * Peers: how validators see the two sides. Everything is computed by the host's own hash (canon.h),
 * one batch at a time, so a validator needs neither a database library nor memory for a table.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "peer.h"

#define EVERY_ROW 1000000u

/* A pass over the rows of a peer that are in a range, with their hashes. */
struct walk {
	struct etl_peer *peer;
	const struct etl_range *range;
	struct canon *canon;
	struct ArrowArrayStream stream; /* of the part that is open */
	struct ArrowArray batch;
	size_t part;
	bool more;
	uint64_t *keys, *rows;
	int64_t room;
	bool *gone; /* beside refused: taken out once already */
	struct etl_error *err;
};

static uint32_t range_ppm(const struct etl_range *range)
{
	return range->ppm && range->ppm < EVERY_ROW ? range->ppm : EVERY_ROW;
}

static bool in_range(const struct etl_range *range, uint64_t key)
{
	struct etl_range sample = { .kind = ETL_RANGE_SAMPLE,
				    .ppm = range_ppm(range),
				    .seed = range->seed };

	if (sample.ppm < EVERY_ROW && !range_has(&sample, key))
		return false;
	return range->kind != ETL_RANGE_BUCKETS || range_has(range, key);
}

static void walk_close(struct walk *w)
{
	if (w->batch.release)
		w->batch.release(&w->batch);
	if (w->stream.release)
		w->stream.release(&w->stream);
	canon_free(w->canon);
	free(w->keys);
	free(w->rows);
	free(w->gone);
}

static int walk_open(struct walk *w, struct etl_peer *peer, const struct etl_range *range,
		     int32_t hash, struct etl_error *err)
{
	memset(w, 0, sizeof(*w));
	w->peer = peer;
	w->range = range;
	w->err = err;
	w->more = true;
	/* What was digested while loading, and what the target refused, is known by x1 alone. */
	if (hash && hash != ETL_HASH_X1)
		return error_set(err, ETL_USAGE, "the row hash %d is not offered here", hash);
	w->canon = canon_new(peer->schema, peer->key, peer->key_count, ETL_HASH_X1);
	if (w->canon && peer->respelt)
		canon_blur(w->canon, peer->respelt, (size_t)peer->schema->n_children);
	if (w->canon && peer->stays)
		canon_skip(w->canon, peer->stays, (size_t)peer->schema->n_children);
	w->gone = peer->refused_count ? calloc(peer->refused_count, sizeof(bool)) : NULL;
	if (!w->canon || (peer->refused_count && !w->gone)) {
		walk_close(w);
		return error_memory(err);
	}
	return 0;
}

/* A refused row is left out as often as it was refused. */
static bool walk_refused(struct walk *w, uint64_t row)
{
	size_t low = 0, high = w->peer->refused_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (w->peer->refused[middle] < row)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < w->peer->refused_count && w->peer->refused[low] == row; low++)
		if (!w->gone[low])
			return w->gone[low] = true;
	return false;
}

static int walk_hash(struct walk *w)
{
	if (w->batch.length > w->room) {
		free(w->keys);
		free(w->rows);
		w->keys = malloc((size_t)w->batch.length * sizeof(uint64_t));
		w->rows = malloc((size_t)w->batch.length * sizeof(uint64_t));
		w->room = w->keys && w->rows ? w->batch.length : 0;
		if (!w->room)
			return error_memory(w->err);
	}
	return canon_batch(w->canon, &w->batch, w->keys, w->rows) ? 1 : error_memory(w->err);
}

/* 1: a batch with its hashes; 0: the end; negative: failed. */
static int walk_next(struct walk *w)
{
	int rc;

	for (;;) {
		if (w->batch.release)
			w->batch.release(&w->batch);
		if (host_canceled())
			return ETL_CANCELED;
		if (!w->stream.release) {
			if (!w->more)
				return 0;
			rc = w->peer->open(w->peer, w->part++, &w->stream, &w->more, w->err);
			if (rc < 0)
				return rc;
		}
		rc = w->stream.get_next(&w->stream, &w->batch);
		if (rc && host_canceled())
			return ETL_CANCELED;
		if (rc == ENOMEM)
			return error_memory(w->err);
		if (rc)
			return w->err->set ?
				       ETL_FAILED :
				       error_set(w->err, ETL_FATAL, "reading table \"%s\" back: %s",
						 w->peer->table->name, strerror(rc));
		if (w->batch.release)
			return walk_hash(w);
		w->stream.release(&w->stream);
	}
}

static bool walk_leaves_out(struct walk *w, int64_t row)
{
	return w->peer->refused_count && walk_refused(w, w->rows[row]);
}

static bool walk_takes(struct walk *w, int64_t row)
{
	return !walk_leaves_out(w, row) && in_range(w->range, w->keys[row]);
}

void peer_clear(struct etl_peer *peer)
{
	totals_free(peer->own_totals);
	peer->own_totals = NULL;
	peer->totals = NULL;
}

int peer_describe(struct etl_peer *peer, const struct etl_table **ret, struct etl_error *err)
{
	(void)err;
	*ret = peer->table;
	return 0;
}

int peer_other(struct etl_peer *peer, const char *table, struct etl_peer **ret,
	       struct etl_error *err)
{
	return peer->other(peer, table, ret, err);
}

/* The sample is of the digest; totals, where they are wanted, are of all rows. */
static void learn_batch(struct walk *w, struct digest *digest, struct totals *totals)
{
	if (totals)
		totals_look(totals, &w->batch);
	for (int64_t i = 0; i < w->batch.length; i++) {
		struct etl_digest *bucket = &digest->buckets[w->keys[i] % ETL_BUCKETS];

		if (walk_leaves_out(w, i))
			continue;
		if (totals)
			totals_row(totals, i);
		if (!in_range(w->range, w->keys[i]))
			continue;
		digest->total.rows++;
		digest->total.sum += w->rows[i];
		bucket->rows++;
		bucket->sum += w->rows[i];
	}
}

/* One pass fills the digest of every bucket, so the next question costs nothing. */
static int peer_learn(struct etl_peer *peer, const struct etl_range *range, int32_t hash,
		      struct etl_error *err)
{
	struct etl_range sample = { .ppm = range_ppm(range), .seed = range->seed };
	struct totals *totals = NULL;
	struct digest digest = { 0 };
	struct walk w;
	int rc = walk_open(&w, peer, &sample, hash, err);

	if (rc < 0)
		return rc;
	if (peer->adds_up && !peer->totals && !(totals = totals_new(peer->schema)))
		rc = error_memory(err);
	while (rc == 0 && (rc = walk_next(&w)) > 0) {
		learn_batch(&w, &digest, totals);
		rc = 0;
	}
	walk_close(&w);
	if (rc == 0 && totals && totals->failed)
		rc = error_memory(err);
	if (rc < 0) {
		totals_free(totals);
		return rc;
	}
	if (totals)
		peer->totals = peer->own_totals = totals;
	peer->known = digest;
	peer->known_ppm = sample.ppm;
	peer->known_seed = sample.seed;
	if (sample.ppm == EVERY_ROW)
		peer->known_rows = (int64_t)digest.total.rows;
	return 0;
}

int peer_add_up(struct etl_peer *peer, struct etl_error *err)
{
	const struct etl_range range = { .kind = ETL_RANGE_SAMPLE,
					 .ppm = peer->needs.hash ? peer->needs.ppm : EVERY_ROW,
					 .seed = peer->needs.seed };

	peer->adds_up = true;
	return peer_learn(peer, &range, ETL_HASH_X1, err);
}

/* A range that the host cannot keep to is not passed over: all rows would come in its place. */
static int check_range(const struct etl_range *range, struct etl_error *err)
{
	if (range->after || range->upto)
		return error_set(
			err, ETL_USAGE,
			"a validator asked for a range of keys, which is not offered here");
	return 0;
}

/* Digests are kept for so many buckets, and no others can be made of them. */
static int check_buckets(const struct etl_range *range, struct etl_error *err)
{
	if (range->kind != ETL_RANGE_BUCKETS ||
	    (range->of == ETL_BUCKETS && range->first <= ETL_BUCKETS &&
	     range->count <= ETL_BUCKETS - range->first))
		return check_range(range, err);
	return error_set(
		err, ETL_BUG,
		"a validator asked for the digests of %u buckets from %u on of %u; there are %d",
		range->count, range->first, range->of, ETL_BUCKETS);
}

int peer_digest(struct etl_peer *peer, const struct etl_range *range, int32_t hash,
		struct etl_digest *ret, struct etl_error *err)
{
	bool all = range_ppm(range) == EVERY_ROW;
	int rc = check_buckets(range, err);

	if (rc < 0)
		return rc;
	if (!hash && range->kind != ETL_RANGE_BUCKETS && all && peer->known_rows < 0 && peer->count) {
		rc = peer->count(peer, &peer->known_rows, err);
		if (rc < 0)
			return rc;
	}
	if (!hash && range->kind != ETL_RANGE_BUCKETS && all && peer->known_rows >= 0) {
		*ret = (struct etl_digest){ .rows = (uint64_t)peer->known_rows };
		return 0;
	}
	if (peer->known_ppm != range_ppm(range) || (!all && peer->known_seed != range->seed)) {
		rc = peer_learn(peer, range, hash, err);
		if (rc < 0)
			return rc;
	}
	if (range->kind == ETL_RANGE_BUCKETS)
		memcpy(ret, peer->known.buckets + range->first, range->count * sizeof(*ret));
	else
		*ret = peer->known.total;
	return 0;
}

/* ---- Streams of a range ---- */

struct peer_stream {
	struct walk walk;
	struct etl_range range;
	struct ArrowSchema schema;   /* of what comes out */
	struct etl_builder *builder; /* of hashes; NULL: whole rows */
	int64_t *chosen;
	int64_t room;
};

static int stream_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct peer_stream *s = stream->private_data;

	if (etl_schema_copy(out, &s->schema))
		return 0;
	error_memory(s->walk.err);
	return ENOMEM;
}

static const char *stream_error(struct ArrowArrayStream *stream)
{
	struct peer_stream *s = stream->private_data;

	return s->walk.err->message;
}

static void stream_release(struct ArrowArrayStream *stream)
{
	struct peer_stream *s = stream->private_data;

	walk_close(&s->walk);
	if (s->schema.release)
		s->schema.release(&s->schema);
	etl_builder_free(s->builder);
	free(s->chosen);
	free(s);
	stream->release = NULL;
}

static bool put_hashes(struct peer_stream *s)
{
	struct walk *w = &s->walk;

	for (int64_t i = 0; i < w->batch.length; i++) {
		struct etl_text key = { 0 };
		bool ok;

		if (!walk_takes(w, i))
			continue;
		canon_key_text(w->canon, &w->batch, i, &key);
		ok = !key.failed && etl_put_bytes(&s->builder->columns[0], key.at ? key.at : "",
						  (int64_t)key.length);
		etl_text_free(&key);
		if (!ok)
			return false;
		etl_put_int64(&s->builder->columns[1], (int64_t)w->keys[i]);
		etl_put_int64(&s->builder->columns[2], (int64_t)w->rows[i]);
	}
	return true;
}

static bool take_rows(struct peer_stream *s, struct ArrowArray *out)
{
	struct walk *w = &s->walk;
	int64_t count = 0;

	if (w->batch.length > s->room) {
		free(s->chosen);
		s->chosen = malloc((size_t)w->batch.length * sizeof(int64_t));
		s->room = s->chosen ? w->batch.length : 0;
		if (!s->chosen)
			return false;
	}
	for (int64_t i = 0; i < w->batch.length; i++)
		if (walk_takes(w, i))
			s->chosen[count++] = i;
	return count == 0 || etl_batch_take(out, w->peer->schema, &w->batch, s->chosen, count);
}

static int stream_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct peer_stream *s = stream->private_data;
	int rc;

	out->release = NULL;
	while ((rc = walk_next(&s->walk)) > 0) {
		bool ok = s->builder ? put_hashes(s) && (etl_builder_rows(s->builder) == 0 ||
							 etl_builder_finish(s->builder, out)) :
				       take_rows(s, out);

		if (!ok) {
			error_memory(s->walk.err);
			return ENOMEM;
		}
		if (out->release)
			return 0;
	}
	return rc == 0 ? 0 : rc == ETL_CANCELED ? ECANCELED : EIO;
}

static bool hashes_schema(struct ArrowSchema *ret)
{
	static const struct etl_column columns[] = {
		{ .name = "key", .type = ETL_TEXT, .flags = ETL_NOT_NULL },
		{ .name = "key_hash", .type = ETL_INT64, .flags = ETL_NOT_NULL },
		{ .name = "row_hash", .type = ETL_INT64, .flags = ETL_NOT_NULL },
	};

	return etl_schema_make(ret, columns, 3, sizeof(columns[0]));
}

static int stream_open(struct etl_peer *peer, const struct etl_range *range, int32_t hash,
		       bool hashes, struct ArrowArrayStream *stream, struct etl_error *err)
{
	int rc = check_range(range, err);
	struct peer_stream *s = rc < 0 ? NULL : calloc(1, sizeof(*s));

	if (rc < 0)
		return rc;
	if (!s)
		return error_memory(err);
	s->range = *range;
	rc = walk_open(&s->walk, peer, &s->range, hash, err);
	if (rc < 0) {
		free(s);
		return rc;
	}
	if (!(hashes ? hashes_schema(&s->schema) : etl_schema_copy(&s->schema, peer->schema)) ||
	    (hashes && !(s->builder = etl_builder_new(&s->schema, peer->batch_rows)))) {
		walk_close(&s->walk);
		if (s->schema.release)
			s->schema.release(&s->schema);
		free(s);
		return error_memory(err);
	}
	*stream = (struct ArrowArrayStream){ stream_schema, stream_next, stream_error,
					     stream_release, s };
	return 0;
}

int peer_read(struct etl_peer *peer, const struct etl_range *range, struct ArrowArrayStream *stream,
	      struct etl_error *err)
{
	return stream_open(peer, range, ETL_HASH_X1, false, stream, err);
}

int peer_hashes(struct etl_peer *peer, const struct etl_range *range, int32_t hash,
		struct ArrowArrayStream *stream, struct etl_error *err)
{
	return stream_open(peer, range, hash, true, stream, err);
}
