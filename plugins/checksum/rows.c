/*
 * Reading and comparing hashed rows. Sixteen bytes stand for each row, and no text is kept until it
 * is known which rows differ: their keys are then read once more. So the memory a comparison takes
 * depends on the number of rows in a bucket, never on how wide they are.
 */
#include "config.h"

#include <stdlib.h>

#include "rows.h"

/* The columns of host->peer_hashes. */
enum { COLUMN_KEY, COLUMN_KEY_HASH, COLUMN_ROW_HASH, COLUMNS };

/* Given a batch at a time. Negative: stop. */
struct batch_reader {
	int (*batch)(struct batch_reader *self, const struct etl_view *view, struct etl_error *err);
	const struct etl_host *host;
};

static struct hashed_row row_at(const struct etl_view *view, int64_t i)
{
	return (struct hashed_row){
		.key = (uint64_t)etl_get_int64(&view->columns[COLUMN_KEY_HASH], i),
		.row = (uint64_t)etl_get_int64(&view->columns[COLUMN_ROW_HASH], i),
	};
}

static int out_of_memory(const struct etl_host *host, struct etl_error *err)
{
	return host->fail(err, ETL_MEMORY, NULL, 0, "no memory to compare rows");
}

static int broken(const struct etl_host *host, struct etl_error *err)
{
	return host->fail(err, ETL_BUG, NULL, 0,
			  "the hashes of rows do not come as key, key_hash, row_hash");
}

static int make_view(const struct etl_host *host, struct ArrowArrayStream *stream,
		     struct etl_view **ret, struct etl_error *err)
{
	struct ArrowSchema schema;
	struct etl_view *view;

	if (stream->get_schema(stream, &schema) != 0)
		return ETL_FAILED;
	view = etl_view_new(&schema);
	schema.release(&schema);
	if (!view)
		return out_of_memory(host, err);
	if (view->count != COLUMNS || view->columns[COLUMN_KEY].type.type != ETL_TEXT ||
	    view->columns[COLUMN_KEY_HASH].type.type != ETL_INT64 ||
	    view->columns[COLUMN_ROW_HASH].type.type != ETL_INT64) {
		etl_view_free(view);
		return broken(host, err);
	}
	*ret = view;
	return ETL_OK;
}

static int read_batches(struct ArrowArrayStream *stream, struct etl_view *view,
			struct batch_reader *reader, struct etl_error *err)
{
	int r = ETL_OK;

	while (r == ETL_OK) {
		struct ArrowArray batch;

		if (reader->host->canceled(reader->host))
			return ETL_CANCELED;
		if (stream->get_next(stream, &batch) != 0)
			return ETL_FAILED;
		if (!batch.release)
			break;
		r = etl_view_set(view, &batch) ? reader->batch(reader, view, err) :
						 broken(reader->host, err);
		batch.release(&batch);
	}
	return r;
}

static int read_range(struct etl_peer *peer, const struct etl_range *range,
		      struct batch_reader *reader, struct etl_error *err)
{
	struct ArrowArrayStream stream;
	struct etl_view *view = NULL;
	int r = reader->host->peer_hashes(peer, range, ETL_HASH_X1, &stream, err);

	if (r < 0)
		return r;
	r = make_view(reader->host, &stream, &view, err);
	if (r == ETL_OK)
		r = read_batches(&stream, view, reader, err);
	etl_view_free(view);
	stream.release(&stream);
	return r;
}

void rows_free(struct hashed_rows *rows)
{
	free(rows->at);
	*rows = (struct hashed_rows){ 0 };
}

struct collector {
	struct batch_reader reader;
	struct hashed_rows *rows;
	uint64_t buckets;
};

static bool make_room(struct hashed_rows *rows, size_t more)
{
	size_t room = rows->room ? rows->room : 1024;
	struct hashed_row *at;

	if (more <= rows->room - rows->count)
		return true;
	while (room - rows->count < more)
		room *= 2;
	at = realloc(rows->at, room * sizeof(*at));
	if (!at)
		return false;
	rows->at = at;
	rows->room = room;
	return true;
}

static int collect(struct batch_reader *reader, const struct etl_view *view, struct etl_error *err)
{
	struct collector *self = (struct collector *)reader;

	if (!make_room(self->rows, (size_t)view->rows))
		return out_of_memory(reader->host, err);
	for (int64_t i = 0; i < view->rows; i++) {
		struct hashed_row row = row_at(view, i);

		if (self->buckets >> row.key % ETL_BUCKETS & 1)
			self->rows->at[self->rows->count++] = row;
	}
	return ETL_OK;
}

int rows_read(const struct etl_host *host, struct etl_peer *peer, const struct etl_range *range,
	      uint64_t buckets, struct hashed_rows *rows, struct etl_error *err)
{
	struct collector self = { { collect, host }, rows, buckets };

	return read_range(peer, range, &self.reader, err);
}

static int compare_rows(const void *a, const void *b)
{
	const struct hashed_row *x = a, *y = b;

	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return (x->row > y->row) - (x->row < y->row);
}

static void note(struct differences *d, int kind, struct hashed_row row)
{
	d->totals[kind]++;
	if (d->count < d->room)
		d->at[d->count++] = (struct difference){ .kind = kind, .row = row };
}

/* Moves the rows of one key that the other side has not to the front; returns how many stay. */
static size_t remove_shared(struct hashed_row *a, size_t *a_count, struct hashed_row *b,
			    size_t *b_count)
{
	size_t i = 0, j = 0, a_left = 0, b_left = 0;

	while (i < *a_count || j < *b_count) {
		if (j == *b_count || (i < *a_count && a[i].row < b[j].row)) {
			a[a_left++] = a[i++];
		} else if (i == *a_count || b[j].row < a[i].row) {
			b[b_left++] = b[j++];
		} else {
			i++;
			j++;
		}
	}
	*a_count = a_left;
	*b_count = b_left;
	return a_left < b_left ? a_left : b_left;
}

static size_t same_key(const struct hashed_rows *rows, size_t at, uint64_t key)
{
	size_t end = at;

	while (end < rows->count && rows->at[end].key == key)
		end++;
	return end - at;
}

static void sort_rows(struct hashed_rows *rows)
{
	if (rows->count > 1)
		qsort(rows->at, rows->count, sizeof(*rows->at), compare_rows);
}

void rows_compare(struct hashed_rows *from, struct hashed_rows *into, struct differences *d)
{
	size_t i = 0, j = 0;

	sort_rows(from);
	sort_rows(into);
	while (i < from->count || j < into->count) {
		uint64_t key = j == into->count || (i < from->count &&
						    from->at[i].key < into->at[j].key) ?
				       from->at[i].key :
				       into->at[j].key;
		size_t a = same_key(from, i, key), b = same_key(into, j, key), a_left = a,
		       b_left = b;
		struct hashed_row *x = a > 0 ? from->at + i : NULL,
				  *y = b > 0 ? into->at + j : NULL;
		size_t changed = remove_shared(x, &a_left, y, &b_left);

		for (size_t n = 0; n < a_left; n++)
			note(d, n < changed ? ROW_CHANGED : ROW_MISSING, x[n]);
		for (size_t n = changed; n < b_left; n++)
			note(d, ROW_EXTRA, y[n]);
		i += a;
		j += b;
	}
}

struct namer {
	struct batch_reader reader;
	struct differences *differences;
	size_t first;
	bool is_source;
};

static int name_row(struct namer *self, const struct etl_view *view, int64_t i,
		    struct difference *d, struct etl_error *err)
{
	int64_t size;
	const uint8_t *text = etl_get_bytes(&view->columns[COLUMN_KEY], i, &size);

	d->key = malloc((size_t)size + 1);
	if (!d->key)
		return out_of_memory(self->reader.host, err);
	memcpy(d->key, text, (size_t)size);
	d->key[size] = '\0';
	return ETL_OK;
}

static int name_rows(struct batch_reader *reader, const struct etl_view *view,
		     struct etl_error *err)
{
	struct namer *self = (struct namer *)reader;
	int r = ETL_OK;

	for (int64_t i = 0; i < view->rows; i++) {
		struct hashed_row row = row_at(view, i);

		for (size_t n = self->first; r == ETL_OK && n < self->differences->count; n++) {
			struct difference *d = &self->differences->at[n];

			if (!d->key && (d->kind != ROW_EXTRA) == self->is_source &&
			    d->row.key == row.key && d->row.row == row.row)
				r = name_row(self, view, i, d, err);
		}
	}
	return r;
}

int rows_name(const struct etl_host *host, struct etl_peer *peer, const struct etl_range *range,
	      bool is_source, struct differences *d, size_t first, struct etl_error *err)
{
	struct namer self = { { name_rows, host }, d, first, is_source };
	bool needed = false;

	for (size_t i = first; i < d->count; i++)
		needed = needed || (d->at[i].kind != ROW_EXTRA) == is_source;
	return needed ? read_range(peer, range, &self.reader, err) : ETL_OK;
}
