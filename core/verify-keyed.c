/*
 * The target's side of a table that may hold more than the source brings: append and merge leave rows that are
 * somebody else's. Its rows are looked up by the keys of the source's, which are read once more for it, so
 * what is compared is what the run is answerable for, in no more memory than a batch.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "verify-parts.h"

struct keyed {
	struct side_peer *into;
	struct side_peer from; /* the source's side again, with counts of its own */
	struct ArrowArrayStream rows_of_source, rows;
	struct ArrowArray batch, keys; /* keys borrows the batch's columns */
	struct ArrowArray **columns;
	struct ArrowSchema key_schema;
	size_t part;
	bool more;
	struct etl_error *err;
};

static int keyed_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct keyed *k = stream->private_data;

	return etl_schema_copy(out, k->into->peer.schema) ? 0 : ENOMEM;
}

static const char *keyed_error(struct ArrowArrayStream *stream)
{
	struct keyed *k = stream->private_data;

	return k->err->message;
}

static void close_batch(struct keyed *k)
{
	if (k->rows.release)
		k->rows.release(&k->rows);
	if (k->batch.release)
		k->batch.release(&k->batch);
}

static void keyed_release(struct ArrowArrayStream *stream)
{
	struct keyed *k = stream->private_data;

	close_batch(k);
	if (k->rows_of_source.release)
		k->rows_of_source.release(&k->rows_of_source);
	if (k->key_schema.release)
		k->key_schema.release(&k->key_schema);
	peer_clear(&k->from.peer);
	context_clear(&k->from.context);
	free(k->columns);
	free(k);
	stream->release = NULL;
}

static void keep_borrowed(struct ArrowArray *array)
{
	array->release = NULL;
}

/* The rows of the target whose keys are those of the batch. */
static int look_up(struct keyed *k)
{
	static const struct etl_split everything = { .first = INT64_MIN,
						     .last = INT64_MAX,
						     .rows = ETL_UNKNOWN };
	struct side_peer *into = k->into;
	struct instance *target = into->verify->flow->target;
	struct etl_read read = { .dataset = into->dataset,
				 .want = into->peer.schema,
				 .context = &into->context,
				 .key_schema = &k->key_schema,
				 .keys = &k->keys };

	for (size_t i = 0; i < into->peer.key_count; i++)
		k->columns[i] = k->batch.children[into->peer.key[i]];
	k->keys = (struct ArrowArray){ .length = k->batch.length,
				       .n_children = (int64_t)into->peer.key_count,
				       .children = k->columns,
				       .release = keep_borrowed };
	into->context.err = instance_error(target, k->err);
	return target->plugin->source.read(target->self, &read, &everything, &k->rows,
					   instance_error(target, k->err));
}

/* 1: the next batch of the source is there; 0: there is none. */
static int next_batch(struct keyed *k)
{
	int rc;

	for (;;) {
		if (!k->rows_of_source.release && !k->more)
			return 0;
		if (!k->rows_of_source.release) {
			rc = k->from.peer.open(&k->from.peer, k->part++, &k->rows_of_source,
					       &k->more, k->err);
			if (rc < 0)
				return rc;
		}
		rc = k->rows_of_source.get_next(&k->rows_of_source, &k->batch);
		if (rc)
			return ETL_FAILED;
		if (k->batch.release)
			return 1;
		k->rows_of_source.release(&k->rows_of_source);
	}
}

static int keyed_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct keyed *k = stream->private_data;
	int rc;

	for (;;) {
		out->release = NULL;
		if (k->rows.release) {
			rc = k->rows.get_next(&k->rows, out);
			if (rc || out->release)
				return rc;
			close_batch(k);
		}
		rc = next_batch(k);
		if (rc == 0)
			return 0;
		if (rc > 0)
			rc = look_up(k);
		if (rc < 0)
			return EIO;
	}
}

static bool make_key_schema(struct keyed *k)
{
	const struct etl_peer *peer = &k->into->peer;
	struct etl_column *columns = calloc(peer->key_count + 1, sizeof(*columns));
	bool ok = columns != NULL;

	for (size_t i = 0; ok && i < peer->key_count; i++) {
		const struct ArrowSchema *child = peer->schema->children[peer->key[i]];
		struct etl_type_info type = etl_type_of(child);

		columns[i].name = child->name;
		columns[i].type = type.type;
		columns[i].precision = type.precision;
		columns[i].scale = type.scale;
	}
	ok = ok && etl_schema_make(&k->key_schema, columns, peer->key_count, sizeof(*columns));
	free(columns);
	return ok;
}

int verify_keyed_open(struct etl_peer *peer, size_t part, struct ArrowArrayStream *ret,
		      bool *ret_more, struct etl_error *err)
{
	struct side_peer *into = (struct side_peer *)(void *)peer;
	struct keyed *k = calloc(1, sizeof(*k));

	(void)part;
	*ret_more = false;
	verify_pass(into);
	if (k) {
		k->into = into;
		k->more = true;
		k->err = err;
		verify_from_init(&k->from, into->verify, into->job);
		k->columns = calloc(peer->key_count + 1, sizeof(struct ArrowArray *));
	}
	if (!k || !k->columns || !make_key_schema(k)) {
		if (k)
			free(k->columns);
		free(k);
		return error_memory(err);
	}
	*ret = (struct ArrowArrayStream){ keyed_schema, keyed_next, keyed_error, keyed_release, k };
	return 0;
}
