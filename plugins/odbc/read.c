/*
 * The stream of rows. Values come as the number, text or bytes that the driver gives without loss, and become what is
 * wanted; what does not fit is taken back and rejected with its row, and the next row goes on.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "fetch.h"
#include "select.h"

#define CANCEL_ROWS 1024 /* how often the host is asked between batches */
#define RAW_MAX	    (64 << 10) /* bytes of one value in a reject */

struct reading {
	struct etl_producer producer; /* first: the stream hands it back */
	struct etl_instance *inst;
	SQLHSTMT stmt;
	struct etl_error *err;
	struct etl_context *context;
	struct etl_read read;	   /* its texts are the caller's, alive as long as the stream */
	struct ArrowSchema want;   /* ours */
	struct etl_text what;	   /* the table, or "the query", for messages */
	struct odbc_shape declared; /* of the dataset */
	struct fetch fetch;
	bool fetching;
	char *scratch; /* a text on its way */
	size_t room;
	int64_t ordinal;
	struct etl_view *keys; /* or NULL */
	int64_t key;	       /* the next one */
};

static int no_memory(struct reading *r)
{
	return r->inst->host->fail(r->err, ETL_MEMORY, NULL, 0, "no memory to read %s", r->what.at);
}

/* ---- Rejects --------------------------------------------------------------------------------------------- */

static int add_raw_value(struct reading *r, struct etl_text *raw, size_t i)
{
	const void *at;
	int64_t size;
	int rc = fetch_value(&r->fetch, i, &at, &size, r->err), form = r->fetch.columns[i].form;
	struct etl_text text = { 0 };
	int64_t number;
	double real;

	if (rc < 0)
		return rc;
	if (size < 0) {
		etl_text_add(raw, "null");
	} else if (form == FETCH_INT) {
		memcpy(&number, at, sizeof(number));
		etl_text_addf(raw, "%lld", (long long)number);
	} else if (form == FETCH_REAL) {
		memcpy(&real, at, sizeof(real));
		etl_text_addf(raw, "%.17g", real);
	} else if (form == FETCH_TEXT) {
		odbc_narrow(&text, at, (size_t)(size > RAW_MAX ? RAW_MAX : size) / sizeof(SQLWCHAR));
		etl_text_add_json(raw, text.at ? text.at : "", text.length);
	} else {
		etl_text_add(raw, "{\"hex\":\"");
		for (int64_t b = 0; b < size && b < RAW_MAX; b++)
			etl_text_addf(raw, "%02x", ((const uint8_t *)at)[b]);
		etl_text_add(raw, "\"}");
	}
	raw->failed |= text.failed;
	etl_text_free(&text);
	return ETL_OK;
}

static int add_raw(struct reading *r, struct etl_text *raw)
{
	int rc = ETL_OK;

	etl_text_add(raw, "{");
	for (int64_t i = 0; rc == ETL_OK && i < r->want.n_children; i++) {
		const char *name = r->want.children[i]->name;

		etl_text_add(raw, i ? "," : "");
		etl_text_add_json(raw, name, strlen(name));
		etl_text_add(raw, ":");
		rc = add_raw_value(r, raw, (size_t)i);
	}
	etl_text_add(raw, "}");
	return rc;
}

static int add_reason(struct reading *r, struct etl_text *reason, int64_t column, const char *code)
{
	char type[64];
	int rc;

	etl_text_addf(reason, "%s", r->what.at);
	if (strcmp(code, "max_row") == 0) {
		etl_text_addf(reason, ": the row is larger than max_row (%lld bytes)",
			      (long long)r->inst->host->max_row);
		return ETL_OK;
	}
	etl_text_addf(reason, ": column \"%s\" holds ", r->want.children[column]->name);
	rc = add_raw_value(r, reason, (size_t)column);
	etl_text_addf(reason, ", which does not go into %s exactly (%s)",
		      etl_type_name(etl_type_of(r->want.children[column]), type, sizeof(type)), code);
	return rc;
}

static int reject_row(struct reading *r, int64_t column, const char *code)
{
	struct etl_text raw = { 0 }, reason = { 0 };
	struct etl_reject reject = { .code = code, .ordinal = r->ordinal, .schema = &r->want };
	int rc;

	if (strcmp(code, "no_memory") == 0)
		return no_memory(r);
	rc = add_raw(r, &raw);
	if (rc == ETL_OK)
		rc = add_reason(r, &reason, column, code);
	reject.column = strcmp(code, "max_row") == 0 ? NULL : r->want.children[column]->name;
	reject.reason = reason.at;
	reject.raw = raw.at;
	if (rc == ETL_OK)
		rc = raw.failed || reason.failed ? no_memory(r) : r->inst->host->reject(r->context, &reject);
	etl_text_free(&raw);
	etl_text_free(&reason);
	return rc;
}

/* ---- Values ------------------------------------------------------------------------------------------------ */

static const char *put_int(struct etl_column_builder *b, const void *at)
{
	char buf[24];
	int64_t v;
	int32_t v32;
	int16_t v16;

	memcpy(&v, at, sizeof(v));
	v32 = (int32_t)v;
	v16 = (int16_t)v;
	switch (b->type.type) {
	case ETL_INT64:
		etl_put_int64(b, v);
		return NULL;
	case ETL_INT32:
		if (v32 != v)
			return "out_of_range";
		etl_put_int32(b, v32);
		return NULL;
	case ETL_INT16:
		if (v16 != v)
			return "out_of_range";
		etl_put_fixed(b, &v16);
		return NULL;
	default:
		return etl_convert_text(b, buf, (size_t)snprintf(buf, sizeof(buf), "%lld", (long long)v));
	}
}

static const char *put_real(struct etl_column_builder *b, const void *at)
{
	double v;
	float f;

	memcpy(&v, at, sizeof(v));
	f = (float)v;
	if (b->type.type == ETL_FLOAT64)
		etl_put_float64(b, v);
	else if ((double)f == v || v != v)
		etl_put_fixed(b, &f);
	else
		return "too_precise";
	return NULL;
}

static bool make_room(struct reading *r, size_t room)
{
	char *grown;

	if (room <= r->room)
		return true;
	grown = realloc(r->scratch, room);
	if (!grown)
		return false;
	r->scratch = grown;
	r->room = room;
	return true;
}

static const char *put_text(struct reading *r, struct etl_column_builder *b, const void *at, int64_t size)
{
	int64_t units = size / (int64_t)sizeof(SQLWCHAR), bytes;

	if (!make_room(r, 3 * (size_t)units + 1))
		return "no_memory";
	bytes = odbc_narrow_into(r->scratch, at, (size_t)units);
	if (bytes < 0)
		return "invalid_utf16";
	if (b->type.type == ETL_TEXT || b->type.type == ETL_JSON)
		return etl_put_bytes(b, r->scratch, bytes) ? NULL : "no_memory";
	r->scratch[bytes] = 0;
	return etl_convert_text(b, r->scratch, (size_t)bytes);
}

static const char *put_bytes(struct etl_column_builder *b, const void *at, int64_t size)
{
	return etl_put_bytes(b, at, size) ? NULL : "no_memory";
}

/* *RET_CODE: why it does not fit, or NULL. */
static int put(struct reading *r, struct etl_builder *b, size_t i, int64_t *left, const char **ret_code)
{
	const void *at;
	int64_t size;
	int rc = fetch_value(&r->fetch, i, &at, &size, r->err);

	if (rc < 0)
		return rc;
	*ret_code = NULL;
	if (size < 0) {
		if (r->want.children[i]->flags & ARROW_FLAG_NULLABLE)
			etl_put_null(&b->columns[i]);
		else
			*ret_code = "not_null";
		return ETL_OK;
	}
	*left -= size;
	if (*left < 0)
		*ret_code = "max_row";
	else if (r->fetch.columns[i].form == FETCH_INT)
		*ret_code = put_int(&b->columns[i], at);
	else if (r->fetch.columns[i].form == FETCH_REAL)
		*ret_code = put_real(&b->columns[i], at);
	else if (r->fetch.columns[i].form == FETCH_TEXT)
		*ret_code = put_text(r, &b->columns[i], at, size);
	else
		*ret_code = put_bytes(&b->columns[i], at, size);
	return ETL_OK;
}

static int add_row(struct reading *r, struct etl_builder *b)
{
	int64_t rows = etl_builder_rows(b), left = r->inst->host->max_row, i;
	const char *code = NULL;
	int rc = ETL_OK;

	if (left <= 0)
		left = INT64_MAX;
	for (i = 0; rc == ETL_OK && !code && i < b->count; i++)
		rc = put(r, b, (size_t)i, &left, &code);
	if (rc == ETL_OK && code) {
		etl_builder_truncate(b, rows);
		rc = reject_row(r, i > 0 ? i - 1 : 0, code);
	}
	r->ordinal++;
	return rc;
}

/* ---- Statements ---------------------------------------------------------------------------------------------- */

static int32_t form_of(const struct etl_instance *inst, int32_t wanted, const struct odbc_column *got)
{
	bool bytes = got->sql_type == SQL_BINARY || got->sql_type == SQL_VARBINARY ||
		     got->sql_type == SQL_LONGVARBINARY;
	bool real = got->sql_type == SQL_REAL || got->sql_type == SQL_FLOAT || got->sql_type == SQL_DOUBLE;

	(void)inst;
	switch (wanted) {
	case ETL_INT16:
	case ETL_INT32:
	case ETL_INT64:
		return got->sql_type == SQL_BIGINT || got->sql_type == SQL_INTEGER ||
				       got->sql_type == SQL_SMALLINT || got->sql_type == SQL_TINYINT ||
				       got->sql_type == SQL_BIT ?
			       FETCH_INT :
			       FETCH_TEXT;
	case ETL_FLOAT32:
	case ETL_FLOAT64:
		return real ? FETCH_REAL : FETCH_TEXT;
	case ETL_BYTES:
		return bytes ? FETCH_BYTES : FETCH_TEXT;
	default:
		return FETCH_TEXT;
	}
}

static int begin_fetch(struct reading *r)
{
	struct odbc_shape shape = { 0 };
	int32_t *forms = NULL;
	int rc = odbc_shape_of(r->inst, r->stmt, &shape, r->err);

	if (rc < 0)
		return rc;
	forms = calloc(shape.count + 1, sizeof(*forms));
	if (!forms)
		rc = no_memory(r);
	for (int64_t i = 0; forms && i < r->want.n_children && (size_t)i < shape.count; i++)
		forms[i] = form_of(r->inst, etl_type_of(r->want.children[i]).type, &shape.columns[i]);
	if (rc == ETL_OK)
		rc = fetch_open(&r->fetch, r->inst, r->stmt, &shape, forms, r->err);
	r->fetching = rc == ETL_OK;
	free(forms);
	odbc_shape_free(&shape);
	return rc;
}

static void end_statement(struct reading *r)
{
	if (r->stmt != SQL_NULL_HSTMT)
		odbc_done(r->inst, r->stmt);
	r->stmt = SQL_NULL_HSTMT;
	fetch_close(&r->fetch);
	r->fetching = false;
}

static int begin_statement(struct reading *r)
{
	struct etl_text sql = { 0 };
	int rc;

	end_statement(r);
	rc = select_add(r->inst, &sql, &r->read, &r->declared, r->keys, r->key, r->err);
	if (rc == ETL_OK)
		rc = odbc_statement(r->inst, &r->stmt, r->err);
	if (rc == ETL_OK)
		rc = odbc_execute(r->inst, r->stmt, sql.at, r->err);
	if (rc == ETL_OK)
		rc = begin_fetch(r);
	etl_text_free(&sql);
	r->key++;
	return rc;
}

/* ETL_FILL_MORE: it stands on a row. */
static int step(struct reading *r)
{
	for (;;) {
		int rc = r->fetching ? fetch_next(&r->fetch, r->err) : 0;

		if (rc != 0)
			return rc < 0 ? rc : ETL_FILL_MORE;
		if (r->keys ? r->key >= r->keys->rows : r->fetching)
			return ETL_FILL_END;
		rc = begin_statement(r);
		if (rc < 0)
			return rc;
	}
}

static int fill(struct etl_producer *self, struct etl_builder *b)
{
	struct reading *r = (struct reading *)(void *)self;
	int64_t looked = 0;
	int rc;

	while (!etl_builder_full(b, r->inst->host)) {
		if (looked++ % CANCEL_ROWS == 0 && r->inst->host->canceled(r->inst->host))
			return ETL_CANCELED;
		rc = step(r);
		if (rc <= ETL_FILL_END)
			return rc;
		rc = add_row(r, b);
		if (rc < 0)
			return rc;
	}
	return ETL_FILL_MORE;
}

/* ---- Opening -------------------------------------------------------------------------------------------------- */

static void close_reading(struct etl_producer *self)
{
	struct reading *r = (struct reading *)(void *)self;

	end_statement(r);
	odbc_shape_free(&r->declared);
	etl_view_free(r->keys);
	if (r->want.release)
		r->want.release(&r->want);
	etl_text_free(&r->what);
	free(r->scratch);
	free(r);
}

static bool take_keys(struct reading *r, const struct etl_read *read)
{
	if (!read->keys)
		return true;
	r->keys = etl_view_new(read->key_schema);
	return r->keys && etl_view_set(r->keys, read->keys);
}

static bool make_texts(struct reading *r, const struct etl_read *read)
{
	if (read->dataset.table) {
		etl_text_add(&r->what, "table ");
		etl_text_add_name(&r->what, read->dataset.table, '"');
	} else {
		etl_text_add(&r->what, "the query");
	}
	return !r->what.failed && etl_schema_copy(&r->want, read->want) && take_keys(r, read);
}

int odbc_read(struct etl_instance *inst, const struct etl_read *read, const struct etl_split *split,
	      struct ArrowArrayStream *stream, struct etl_error *err)
{
	struct reading *r = calloc(1, sizeof(*r));
	int rc;

	(void)split;
	if (!r)
		return odbc_no_memory(inst, err);
	r->producer.fill = fill;
	r->producer.close = close_reading;
	r->inst = inst;
	r->err = err;
	r->context = read->context;
	r->read = *read;
	rc = make_texts(r, read) ? odbc_db(inst, err) : odbc_no_memory(inst, err);
	if (rc == ETL_OK)
		rc = select_shape(inst, &read->dataset, &r->declared, err);
	if (rc == ETL_OK && !r->keys)
		rc = begin_statement(r);
	if (rc == ETL_OK && !etl_stream_open(stream, inst->host, &r->want, &r->producer))
		rc = no_memory(r);
	if (rc < 0)
		close_reading(&r->producer);
	return rc;
}
