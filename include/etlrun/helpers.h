/*
 * Optional helpers for plugin authors, in the static archive libetlplug.a: batches built column by column
 * and read value by value, Arrow schemas from a table, SQL text and quoting, SQLSTATE classes. They are
 * linked into the plugin, so they are no part of the ABI. Nothing here logs or ends the process; what can
 * fail for lack of memory says so by its return value.
 */
#ifndef ETLRUN_HELPERS_H
#define ETLRUN_HELPERS_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <etlrun/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Types (types.c) ------------------------------------------------------------------------------ */

/* A logical type with its parameters, as a column or an Arrow schema has it. */
struct etl_type_info {
	int32_t type;                   /* enum etl_type */
	int32_t precision, scale;       /* of ETL_DECIMAL */
};

/* What a column's Arrow schema says; type is ETL_TYPE_NONE for a format outside the profile. */
struct etl_type_info etl_type_of(const struct ArrowSchema *column);
/* "bool", "int64", "decimal(10,2)", …; a constant or written into BUF. */
const char *etl_type_name(struct etl_type_info type, char *buf, size_t size);
/* Reads the same, and the usual SQL spellings ("integer", "varchar(20)", "timestamp with time zone",
 * "numeric(10,2)"), case-insensitively. False: no such type; *ret and *length are then untouched. length
 * (characters, 0: none) may be NULL. */
bool etl_type_parse(const char *text, struct etl_type_info *ret, int64_t *length);

/* Fills RET with a struct of COUNT columns. False: no memory, or a type that does not cross. */
bool etl_schema_make(struct ArrowSchema *ret, const struct etl_column *columns, size_t count,
		     size_t column_size);
bool etl_schema_copy(struct ArrowSchema *ret, const struct ArrowSchema *schema);
/* The index of a column by its name, or -1. */
int64_t etl_schema_find(const struct ArrowSchema *schema, const char *name);

/* ---- Building batches (builder.c) ------------------------------------------------------------------- */

/* One column under construction. The members are for the inline functions below. */
struct etl_column_builder {
	struct etl_type_info type;
	int32_t width;                  /* bytes of a fixed-width value; 0: variable */
	int64_t rows, nulls;
	uint8_t *validity;              /* capacity / 8 bytes, zeroed, set for each value */
	uint8_t *values;                /* fixed width: capacity × width */
	int32_t *offsets;               /* variable: capacity + 1 */
	uint8_t *bytes;
	int64_t used, room;             /* of bytes */
};

/* Columns that grow together, row by row: every column gets one put for each row. */
struct etl_builder {
	int64_t capacity;               /* rows */
	int64_t count;                  /* columns */
	struct etl_column_builder *columns;
};

/* Columns for a struct schema. NULL: no memory, or a type that does not cross. */
struct etl_builder *etl_builder_new(const struct ArrowSchema *schema, int64_t capacity);
void etl_builder_free(struct etl_builder *);
/* Rows so far; all columns must agree. */
int64_t etl_builder_rows(const struct etl_builder *);
/* Bytes of values so far. */
int64_t etl_builder_bytes(const struct etl_builder *);
/* Takes the last row back from every column that has more than ROWS rows. */
void etl_builder_truncate(struct etl_builder *, int64_t rows);
/* Moves the rows into RET and empties the builder. False: no memory; the rows stay. */
bool etl_builder_finish(struct etl_builder *, struct ArrowArray *ret);
/* Makes room for SIZE more bytes. False: no memory, or beyond 2^31 - 1 bytes in one batch. */
bool etl_column_grow(struct etl_column_builder *, int64_t size);

static inline void etl_put_null(struct etl_column_builder *c)
{
	if (c->width > 0)
		memset(c->values + c->rows * c->width, 0, (size_t)c->width);
	else if (c->width == 0)
		c->offsets[c->rows + 1] = (int32_t)c->used;
	c->rows++;
	c->nulls++;
}

static inline void etl_put_valid(struct etl_column_builder *c)
{
	c->validity[c->rows >> 3] |= (uint8_t)(1u << (c->rows & 7));
	c->rows++;
}

/* int64, timestamps, times. */
static inline void etl_put_int64(struct etl_column_builder *c, int64_t v)
{
	memcpy(c->values + c->rows * 8, &v, 8);
	etl_put_valid(c);
}

/* int32, dates. */
static inline void etl_put_int32(struct etl_column_builder *c, int32_t v)
{
	memcpy(c->values + c->rows * 4, &v, 4);
	etl_put_valid(c);
}

static inline void etl_put_float64(struct etl_column_builder *c, double v)
{
	memcpy(c->values + c->rows * 8, &v, 8);
	etl_put_valid(c);
}

/* A fixed-width value of exactly the column's width: int16, float32, decimal128, uuid. */
static inline void etl_put_fixed(struct etl_column_builder *c, const void *v)
{
	memcpy(c->values + c->rows * c->width, v, (size_t)c->width);
	etl_put_valid(c);
}

/* bool: the only type whose values are bits (width -1). */
static inline void etl_put_bool(struct etl_column_builder *c, bool v)
{
	if (v)
		c->values[c->rows >> 3] |= (uint8_t)(1u << (c->rows & 7));
	etl_put_valid(c);
}

/* text, bytes, numeric, json. False: see etl_column_grow; the column is as it was. */
static inline bool etl_put_bytes(struct etl_column_builder *c, const void *v, int64_t size)
{
	if (size > c->room - c->used && !etl_column_grow(c, size))
		return false;
	if (size > 0)
		memcpy(c->bytes + c->used, v, (size_t)size);
	c->used += size;
	c->offsets[c->rows + 1] = (int32_t)c->used;
	etl_put_valid(c);
	return true;
}

/* any: a tagged value (enum etl_any in plugin.h). For int and real V is the 8 bytes, little-endian. */
static inline bool etl_put_any(struct etl_column_builder *c, char tag, const void *v, int64_t size)
{
	if (size + 1 > c->room - c->used && !etl_column_grow(c, size + 1))
		return false;
	c->bytes[c->used] = (uint8_t)tag;
	if (size > 0)
		memcpy(c->bytes + c->used + 1, v, (size_t)size);
	c->used += size + 1;
	c->offsets[c->rows + 1] = (int32_t)c->used;
	etl_put_valid(c);
	return true;
}

/* ---- Reading batches (view.c) ------------------------------------------------------------------------ */

/* One column of a batch, ready to be read: offset and missing buffers are resolved. */
struct etl_column_view {
	struct etl_type_info type;
	int32_t width;                  /* as in the builder */
	int64_t offset;
	const uint8_t *validity;        /* NULL: no nulls */
	const uint8_t *values;
	const int32_t *offsets;
	const uint8_t *bytes;
};

struct etl_view {
	int64_t rows, count;
	struct etl_column_view *columns;
};

/* Room for the columns of a struct schema; NULL: no memory, or a format outside the profile. */
struct etl_view *etl_view_new(const struct ArrowSchema *schema);
void etl_view_free(struct etl_view *);
/* Looks at a batch of that schema; false: it has other columns. The batch must outlive the view's use. */
bool etl_view_set(struct etl_view *, const struct ArrowArray *batch);

static inline bool etl_is_null(const struct etl_column_view *c, int64_t row)
{
	int64_t i = row + c->offset;

	return c->validity && !(c->validity[i >> 3] >> (i & 7) & 1);
}

static inline int64_t etl_get_int64(const struct etl_column_view *c, int64_t row)
{
	int64_t v;

	memcpy(&v, c->values + (row + c->offset) * 8, 8);
	return v;
}

static inline int32_t etl_get_int32(const struct etl_column_view *c, int64_t row)
{
	int32_t v;

	memcpy(&v, c->values + (row + c->offset) * 4, 4);
	return v;
}

static inline int16_t etl_get_int16(const struct etl_column_view *c, int64_t row)
{
	int16_t v;

	memcpy(&v, c->values + (row + c->offset) * 2, 2);
	return v;
}

static inline double etl_get_float64(const struct etl_column_view *c, int64_t row)
{
	double v;

	memcpy(&v, c->values + (row + c->offset) * 8, 8);
	return v;
}

static inline float etl_get_float32(const struct etl_column_view *c, int64_t row)
{
	float v;

	memcpy(&v, c->values + (row + c->offset) * 4, 4);
	return v;
}

static inline bool etl_get_bool(const struct etl_column_view *c, int64_t row)
{
	int64_t i = row + c->offset;

	return c->values[i >> 3] >> (i & 7) & 1;
}

/* decimal128, uuid: 16 bytes. */
static inline const uint8_t *etl_get_fixed(const struct etl_column_view *c, int64_t row)
{
	return c->values + (row + c->offset) * c->width;
}

/* text, bytes, numeric, json, any (its first byte is the tag). Not NUL-terminated. */
static inline const uint8_t *etl_get_bytes(const struct etl_column_view *c, int64_t row, int64_t *ret_size)
{
	int64_t i = row + c->offset;

	*ret_size = c->offsets[i + 1] - c->offsets[i];
	return c->bytes + c->offsets[i];
}

/* ---- Streams (stream.c) ------------------------------------------------------------------------------- */

/*
 * The least a producer of rows writes: a function that adds rows to a builder until it is full, the rows
 * end or something fails. etl_stream_open makes an Arrow stream of it.
 */
enum etl_fill { ETL_FILL_MORE = 1, ETL_FILL_END = 0 /* or a negative enum etl_status */ };

struct etl_producer {
	/* Adds rows, each to every column of the builder; ETL_FILL_MORE with at least one row, or
	 * ETL_FILL_END (with the last rows, or none). */
	int (*fill)(struct etl_producer *self, struct etl_builder *builder);
	void (*close)(struct etl_producer *self);       /* called once, when the stream is released */
};

/* Full: the batch limits of the host are reached. */
bool etl_builder_full(const struct etl_builder *, const struct etl_host *host);
/* Makes STREAM pull from PRODUCER in batches of SCHEMA (copied). On failure (no memory) it returns false
 * and close is not called. */
bool etl_stream_open(struct ArrowArrayStream *stream, const struct etl_host *host,
		     const struct ArrowSchema *schema, struct etl_producer *producer);

/*
 * The least a transform or a validator writes: a function that decides about one row at a time.
 * etl_filter_open makes OUT of it: rows whose decision is ETL_ROW_KEEP go on, unchanged, with every column,
 * and ETL_ROW_DROP counts them as filtered. A negative return ends the stream.
 */
enum etl_row_decision { ETL_ROW_KEEP = 1, ETL_ROW_DROP = 0, ETL_ROW_REJECTED = 2 /* host->reject was called */ };

struct etl_filter {
	int (*row)(struct etl_filter *self, const struct etl_view *view, const struct ArrowSchema *schema,
		   const struct ArrowArray *batch, int64_t row);
	void (*close)(struct etl_filter *self);
};

/* Moves IN into OUT. False: no memory; IN is untouched and close is not called. */
bool etl_filter_open(struct ArrowArrayStream *out, struct ArrowArrayStream *in, const struct etl_host *host,
		     struct etl_context *context, struct etl_filter *filter);
/* A batch of the chosen rows, in order, with every column: RET is new, BATCH stays the caller's. */
bool etl_batch_take(struct ArrowArray *ret, const struct ArrowSchema *schema,
		    const struct ArrowArray *batch, const int64_t *rows, int64_t count);

/*
 * The least a target writes: a function that takes one batch. etl_stream_pull calls it for each batch until the
 * stream ends. False: BATCH returned false, the stream failed (who made it has said why), or no memory.
 */
struct etl_consumer {
	bool (*batch)(struct etl_consumer *self, const struct etl_view *view);
};
bool etl_stream_pull(struct ArrowArrayStream *stream, struct etl_consumer *consumer);

/* ---- Conversion (convert.c) ----------------------------------------------------------------------------- */

/*
 * Appends a value (not NULL) to TO in TO's type, exactly or not at all. NULL: done; otherwise nothing was
 * appended and the return is a constant word for the reject's code: "out_of_range", "too_precise",
 * "not_a_number", "not_a_date", "not_a_time", "not_a_timestamp", "not_a_bool", "not_a_uuid", "not_json",
 * "invalid_utf8", "type", "no_memory". Numbers must survive a round trip; text takes every value but bytes in
 * its canonical spelling, bytes take a text's UTF-8; a timestamp without a zone does not become an instant,
 * nor the other way round. A code may be handed to host->reject as it is: of "no_memory" the host makes a
 * failure. A row of several columns that fails at one of them is taken back with etl_builder_truncate.
 */
const char *etl_convert(struct etl_column_builder *to, const struct etl_column_view *from, int64_t row);
const char *etl_convert_text(struct etl_column_builder *to, const char *text, size_t size);

/* ---- Text (text.c) ------------------------------------------------------------------------------------ */

/* A growing text. Zero-initialised it is empty; `failed` is set once when memory ran out and stays. */
struct etl_text {
	char *at;                       /* NUL-terminated, or NULL while empty */
	size_t length, room;
	bool failed;
};

void etl_text_free(struct etl_text *);
void etl_text_add(struct etl_text *, const char *text);
void etl_text_add_bytes(struct etl_text *, const void *bytes, size_t size);
void etl_text_addf(struct etl_text *, const char *format, ...) ETL_PRINTF(2, 3);
/* An identifier in the SQL standard's quotes ("a""b"), in T-SQL's ([a]]b]), in MySQL's (`a``b`). */
void etl_text_add_name(struct etl_text *, const char *name, char quote);
/* A string literal: 'it''s'. */
void etl_text_add_literal(struct etl_text *, const char *text);
/* A JSON string with its quotes; invalid UTF-8 is written as U+FFFD. */
void etl_text_add_json(struct etl_text *, const char *text, size_t size);
/* As a text of a pipeline file, in its quotes. */
void etl_text_add_config(struct etl_text *, const char *text);
/* A value as a person reads it: 12, 0.1, 'text', x'00ff', 2024-02-29, NULL. */
void etl_text_add_value(struct etl_text *, const struct etl_column_view *, int64_t row);
/* A value as JSON: numbers as numbers, bytes as {"hex": "00ff"}, a real that JSON has not as a string. */
void etl_text_add_json_value(struct etl_text *, const struct etl_column_view *, int64_t row);
/*
 * A value as JSON that gives it back to its last bit, for a reject's `raw`: a real always has a point or an
 * exponent, an integer never; bytes are {"$bytes":"base64"}, a text that is not UTF-8 {"$text":"base64"}, an
 * infinity {"$real":"Infinity"}, a NaN {"$real":"its 16 hexadecimal digits"}; dates, times, uuids and decimal
 * texts are strings. (exact.c)
 */
void etl_text_add_json_exact(struct etl_text *, const struct etl_column_view *, int64_t row);
/* A row of a batch as a line with a JSON array of the values that etl_text_add_json_value writes. */
void etl_text_add_json_line(struct etl_text *, const struct etl_view *, int64_t row);
/* The text, or NULL when memory ran out; the struct is emptied and the caller frees. */
char *etl_text_take(struct etl_text *);

/* How many of the first bytes are valid UTF-8: SIZE when all are. */
size_t etl_utf8_valid(const void *bytes, size_t size);

/* ---- Errors (sqlstate.c) -------------------------------------------------------------------------------- */

/* The class of a five-character SQLSTATE by the SQL standard and PostgreSQL's appendix A. */
int32_t etl_sqlstate_class(const char *sqlstate);

#ifdef __cplusplus
}
#endif

#endif
