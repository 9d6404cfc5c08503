/*
 * The stream of rows. The loop puts each value from libpq's buffer into its column; what does not fit is taken back
 * and rejected by its key, and the next row goes on.
 */
#include "config.h"

#include <stdlib.h>

#include "read.h"

#define CANCEL_ROWS 1024       /* how often the host is asked between batches */
#define FIELD_BYTES 20	       /* the most that a value takes in a batch beside its own bytes */
#define RAW_MAX	    (64 << 10) /* bytes of one value in a reject, when the row was too large */
#define WORDS_MAX   60	       /* bytes of a value that a sentence shows */

struct reading {
	struct etl_producer producer; /* first: the stream hands it back */
	struct etl_instance *inst;
	struct etl_error *err;
	struct etl_context *context;
	struct relation relation;
	struct ArrowSchema want; /* ours */
	struct copy_rows rows;
	struct decode_column *columns;
	size_t count, wanted; /* those that come, the first of them are wanted */
	char *what;	      /* for messages */
	bool grows;	      /* a value may be longer in a batch than it came */
	int64_t ordinal;
	int64_t bytes; /* of the batch, at most */
};

int postgres_read_failed(struct etl_instance *inst, PGresult *result, struct etl_error *err,
			 const char *what)
{
	const char *function = result ? PQresultErrorField(result, PG_DIAG_SOURCE_FUNCTION) : NULL;

	if (function && strcmp(function, "check_enable_rls") == 0)
		return postgres_fail(
			inst, result, err,
			"reading %s as role \"%s\": row-level security would hide rows from this "
			"role, so nothing is read; "
			"connect as the table's owner (unless it has FORCE ROW LEVEL SECURITY) or "
			"as a role with "
			"BYPASSRLS (ALTER ROLE … BYPASSRLS), or say which rows are meant with a "
			"view of the owner",
			what, PQuser(inst->db));
	return postgres_fail(inst, result, err, "reading %s", what);
}

/* ---- Rejects ------------------------------------------------------------------------------------------------- */

static int no_memory(struct reading *r)
{
	return postgres_no_memory(r->inst, r->err);
}

/* Walks over the fields of the row at hand; the size is -1 for NULL. */
static const uint8_t *field(const uint8_t *at, const uint8_t **ret, int32_t *ret_size)
{
	*ret_size = (int32_t)decode_32(at);
	*ret = at + 4;
	return at + 4 + (*ret_size > 0 ? *ret_size : 0);
}

static void add_raw(struct reading *r, struct etl_text *raw, const uint8_t *at, int32_t limit)
{
	const uint8_t *bytes;
	int32_t size;

	etl_text_add(raw, "{");
	for (size_t i = 0; i < r->wanted; i++) {
		const char *name = r->columns[i].name;

		at = field(at, &bytes, &size);
		etl_text_add(raw, i ? "," : "");
		etl_text_add_json(raw, name, strlen(name));
		etl_text_add(raw, ":");
		if (size > limit)
			etl_text_addf(raw, "{\"$size\":%d}", size);
		else
			decode_add_json(&r->columns[i], raw, bytes, size);
	}
	etl_text_add(raw, "}");
}

/* "id=3", "a=1 b=2". */
static void add_key(struct reading *r, struct etl_text *key, const uint8_t *row)
{
	for (size_t k = 0; k < r->relation.key_count; k++) {
		const uint8_t *at = row, *bytes = NULL;
		int32_t size = -1;
		size_t i = 0;

		for (; i < r->count; i++) {
			at = field(at, &bytes, &size);
			if (strcmp(r->columns[i].name, r->relation.keys[k]) == 0)
				break;
		}
		if (i == r->count || size > RAW_MAX)
			continue;
		etl_text_addf(key, "%s%s=", key->length ? " " : "", r->relation.keys[k]);
		decode_add_words(&r->columns[i], key, bytes, size);
	}
}

static void add_value(struct reading *r, struct etl_text *reason, const uint8_t *at, size_t column)
{
	struct etl_text words = { 0 };
	const uint8_t *bytes = NULL;
	int32_t size = -1;
	size_t length;

	for (size_t i = 0; i <= column; i++)
		at = field(at, &bytes, &size);
	decode_add_words(&r->columns[column], &words, bytes, size);
	length = words.length > WORDS_MAX ? etl_utf8_valid(words.at, WORDS_MAX) : words.length;
	etl_text_add_bytes(reason, words.at ? words.at : "", length);
	etl_text_add(reason, length < words.length ? "…" : "");
	reason->failed |= words.failed;
	etl_text_free(&words);
}

static void add_reason(struct reading *r, struct etl_text *reason, const char *key,
		       const uint8_t *row, size_t column, const char *code)
{
	char type[64];

	etl_text_addf(reason, "%s%s%s", r->what, key ? ", " : "", key ? key : "");
	if (strcmp(code, "max_row") == 0) {
		etl_text_addf(reason, ": the row is larger than max_row (%lld bytes)",
			      (long long)r->inst->host->max_row);
		return;
	}
	etl_text_addf(reason, ": column \"%s\" holds ", r->columns[column].name);
	add_value(r, reason, row, column);
	etl_text_addf(reason, ", which %s has not (%s)",
		      etl_type_name(etl_type_of(r->want.children[column]), type, sizeof(type)),
		      code);
	if (strcmp(code, "infinity") == 0 || strcmp(code, "not_a_number") == 0)
		etl_text_add(reason, "; a query can give another value for it, or its text "
				     "(SELECT …::text)");
}

static int reject_row(struct reading *r, const uint8_t *row, size_t column, const char *code)
{
	bool large = strcmp(code, "max_row") == 0;
	struct etl_text raw = { 0 }, reason = { 0 }, key = { 0 };
	struct etl_reject reject = { .code = code, .ordinal = r->ordinal, .schema = &r->want };
	int rc;

	if (strcmp(code, "no_memory") == 0)
		return no_memory(r);
	add_raw(r, &raw, row, large ? RAW_MAX : INT32_MAX);
	add_key(r, &key, row);
	add_reason(r, &reason, key.at, row, column, code);
	reject.column = large ? NULL : r->columns[column].name;
	reject.reason = reason.at;
	reject.raw = raw.at;
	reject.key = key.at;
	rc = raw.failed || reason.failed || key.failed ? no_memory(r) :
							 r->inst->host->reject(r->context, &reject);
	etl_text_free(&raw);
	etl_text_free(&reason);
	etl_text_free(&key);
	return rc;
}

/* ---- Rows ------------------------------------------------------------------------------------------------------ */

/* The row at hand into the batch; those of its columns that are not wanted are passed over. */
static int add_row(struct reading *r, struct etl_builder *b)
{
	const uint8_t *row = r->rows.at, *at = row, *bytes;
	const char *code = NULL;
	int64_t rows = etl_builder_rows(b), most = r->inst->host->max_row, used = 0;
	int32_t size;
	size_t i;
	int rc = ETL_OK;

	for (i = 0; !code && i < r->wanted; i++) {
		at = field(at, &bytes, &size);
		used += size > 0 ? size : 0;
		code = most > 0 && used > most ?
			       "max_row" :
			       decode_value(&r->columns[i], &b->columns[i], bytes, size);
	}
	if (code) {
		etl_builder_truncate(b, rows);
		rc = reject_row(r, row, i - 1, code);
	}
	for (; i < r->count; i++)
		at = field(at, &bytes, &size);
	r->rows.at = at;
	r->bytes += used + FIELD_BYTES * (int64_t)r->wanted;
	r->ordinal++;
	return rc;
}

/* The exact bytes are asked for when the estimate says that the batch may be full. */
static bool is_full(struct reading *r, const struct etl_builder *b)
{
	const struct etl_host *host = r->inst->host;
	int64_t rows = b->columns[0].rows;

	if (rows >= b->capacity || rows >= host->batch_rows)
		return true;
	if (r->bytes < host->batch_bytes && !r->grows)
		return false;
	r->bytes = etl_builder_bytes(b);
	return r->bytes >= host->batch_bytes;
}

static int fill(struct etl_producer *self, struct etl_builder *b)
{
	struct reading *r = (struct reading *)(void *)self;
	int64_t looked = 0;
	int rc;

	r->bytes = 0;
	while (!is_full(r, b)) {
		if (looked++ % CANCEL_ROWS == 0 && r->inst->host->canceled(r->inst->host))
			return ETL_CANCELED;
		rc = copy_next(&r->rows, r->count, r->what, r->err);
		if (rc <= ETL_FILL_END)
			return rc;
		rc = add_row(r, b);
		if (rc)
			return rc;
	}
	return ETL_FILL_MORE;
}

/* ---- Opening ------------------------------------------------------------------------------------------------------ */

static void close_reading(struct etl_producer *self)
{
	struct reading *r = (struct reading *)(void *)self;

	if (r->rows.inst)
		copy_close(&r->rows);
	for (size_t i = 0; r->columns && i < r->count; i++)
		decode_clear(&r->columns[i]);
	if (r->want.release)
		r->want.release(&r->want);
	relation_free(&r->relation);
	free(r->columns);
	free(r->what);
	free(r);
}

/* SQL_ASCII is no encoding: what such a database holds may be anything. */
static bool is_unchecked(const struct etl_instance *inst)
{
	const char *encoding = PQparameterStatus(inst->db, "server_encoding");

	return !encoding || strcmp(encoding, "SQL_ASCII") == 0;
}

static bool choose_columns(struct reading *r, const struct select_column *selected, size_t count)
{
	bool checked = is_unchecked(r->inst);

	r->columns = calloc(count + 1, sizeof(*r->columns));
	if (!r->columns)
		return false;
	r->count = count;
	for (size_t i = 0; i < count; i++) {
		struct decode_column *c = &r->columns[i];
		struct etl_type_info want = selected[i].want;

		c->name = selected[i].name;
		c->oid = decode_knows(selected[i].oid) ? selected[i].oid : OID_TEXT;
		c->required = i < r->wanted && !(r->want.children[i]->flags & ARROW_FLAG_NULLABLE);
		/* to_json gives JSON in a text. */
		if (want.type == ETL_JSON && !decode_knows(selected[i].oid))
			c->oid = OID_JSON;
		r->grows |= c->oid == OID_NUMERIC;
		if (!decode_choose(c, want, checked))
			return false;
	}
	return true;
}

static int begin_copy(struct reading *r, const char *sql)
{
	PGresult *result = PQexec(r->inst->db, sql);

	if (PQresultStatus(result) != PGRES_COPY_OUT)
		return postgres_read_failed(r->inst, result, r->err, r->what);
	PQclear(result);
	r->rows.inst = r->inst;
	return ETL_OK;
}

static int open_rows(struct reading *r, const struct etl_read *read, const struct etl_split *split)
{
	struct select_column *columns = NULL;
	const char *const *key_types = NULL;
	struct etl_text sql = { 0 };
	size_t count = 0;
	int rc = select_types(r->inst, &r->relation, read, &columns, &count, &key_types, r->err);

	if (rc < 0)
		return rc;
	r->wanted = (size_t)r->want.n_children;
	select_add_copy(&sql, &r->relation, read, split, columns, count, key_types);
	if (sql.failed || !choose_columns(r, columns, count))
		rc = no_memory(r);
	else
		rc = begin_copy(r, sql.at);
	etl_text_free(&sql);
	return rc;
}

static int open_reading(struct reading *r, const struct etl_read *read,
			const struct etl_split *split)
{
	struct etl_text what = { 0 };
	int rc = relation_find(r->inst, &read->dataset, &r->relation, r->err);

	if (rc < 0)
		return rc;
	relation_add_what(&r->relation, &what);
	r->what = etl_text_take(&what);
	if (!r->what || !etl_schema_copy(&r->want, read->want))
		return no_memory(r);
	return open_rows(r, read, split);
}

int postgres_read(struct etl_instance *inst, const struct etl_read *read,
		  const struct etl_split *split, struct ArrowArrayStream *stream,
		  struct etl_error *err)
{
	struct reading *r;
	int rc = postgres_ready(inst, err);

	if (rc < 0)
		return rc;
	r = calloc(1, sizeof(*r));
	if (!r)
		return postgres_no_memory(inst, err);
	r->producer.fill = fill;
	r->producer.close = close_reading;
	r->inst = inst;
	r->err = err;
	r->context = read->context;
	rc = open_reading(r, read, split);
	if (rc == ETL_OK && !etl_stream_open(stream, inst->host, &r->want, &r->producer))
		rc = no_memory(r);
	if (rc < 0)
		close_reading(&r->producer);
	return rc;
}
