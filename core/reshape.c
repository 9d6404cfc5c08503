/*
 * The host's own stream between source and target (see reshape.h).
 *
 * Columns that stay as they are move by pointer. All others are built anew, one column at a time,
 * which keeps the loops tight; a value that fails marks its row, and when all columns are done the
 * marked rows are rejected in their order and left out, so the rejects of a split are always in the
 * order of its rows.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>

#include "reshape-words.h"

struct wanted {
	struct reshape_column column; /* its texts are copies */
	bool moves;
	bool given; /* a constant or fallback stands in `givens` */
};

/* A value that did not fit. */
struct failure {
	const char *code; /* NULL: the row is good */
	int64_t column;	  /* of the output */
};

struct reshaping {
	struct ArrowArrayStream in;
	struct ArrowSchema in_schema, out_schema;
	struct etl_view *view; /* of the input */
	struct wanted *wanted;
	int64_t count;
	int64_t ordinal;	     /* index in the input, or -1 */
	struct etl_builder *builder; /* every output column; those that move stay empty */
	struct ArrowArray givens;    /* one row: constants and fallbacks */
	struct etl_view *given;
	struct failure *failures; /* builder->capacity places */
	int64_t *keep;		  /* likewise */
	struct etl_context *context;
	struct etl_error *err;
};

/* ---- Plan ------------------------------------------------------------------------------------ */

static bool same_type(struct etl_type_info a, struct etl_type_info b)
{
	return a.type == b.type && a.precision == b.precision && a.scale == b.scale;
}

static bool stays(const struct ArrowSchema *in, const struct reshape_column *column)
{
	return column->from >= 0 && column->null_count == 0 && !column->fallback &&
	       same_type(etl_type_of(in->children[column->from]), column->type);
}

bool reshape_is_identity(const struct ArrowSchema *in, const struct reshape_column *columns,
			 size_t count)
{
	int64_t data = in->n_children;

	if (data > 0 && strcmp(in->children[data - 1]->name, ETL_ORDINAL_COLUMN) == 0)
		data--;
	if (data != (int64_t)count)
		return false;
	for (int64_t i = 0; i < data; i++)
		if (columns[i].from != i || !stays(in, &columns[i]) ||
		    strcmp(columns[i].name, in->children[i]->name) != 0)
			return false;
	return true;
}

static bool copy_text(const char **at)
{
	char *copy = *at ? strdup(*at) : NULL;
	bool ok = !*at || copy;

	*at = copy;
	return ok;
}

static bool copy_nulls(struct reshape_column *column)
{
	const char *const *values = column->null_values;
	const char **copies;

	column->null_values = NULL;
	if (column->null_count == 0)
		return true;
	copies = calloc(column->null_count, sizeof(*copies));
	column->null_values = copies;
	if (!copies) {
		column->null_count = 0;
		return false;
	}
	for (size_t i = 0; i < column->null_count; i++) {
		copies[i] = strdup(values[i]);
		if (!copies[i])
			return false;
	}
	return true;
}

static void column_clear(struct reshape_column *column)
{
	free((char *)(uintptr_t)column->name);
	free((char *)(uintptr_t)column->value);
	free((char *)(uintptr_t)column->fallback);
	for (size_t i = 0; i < column->null_count; i++)
		free((char *)(uintptr_t)column->null_values[i]);
	free((void *)(uintptr_t)column->null_values);
}

static bool column_copy(struct reshape_column *ret, const struct reshape_column *column)
{
	bool name, value, fallback, nulls;

	*ret = *column;
	name = copy_text(&ret->name);
	value = copy_text(&ret->value);
	fallback = copy_text(&ret->fallback);
	nulls = copy_nulls(ret);
	return name && value && fallback && nulls;
}

/* Whether an earlier column takes the input column FROM away. */
static bool is_taken(const struct reshaping *r, int64_t from)
{
	for (int64_t i = 0; i < r->count; i++)
		if (r->wanted[i].moves && r->wanted[i].column.from == from)
			return true;
	return false;
}

static int add_columns(struct reshaping *r, const struct reshape_column *columns, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct wanted *w = &r->wanted[i];

		if (columns[i].from < -1 || columns[i].from >= r->in_schema.n_children)
			return error_set(r->err, ETL_BUG,
					 "column %s comes from column %lld of %lld",
					 columns[i].name, (long long)columns[i].from,
					 (long long)r->in_schema.n_children);
		w->moves = stays(&r->in_schema, &columns[i]) && !is_taken(r, columns[i].from);
		r->count++;
		if (!column_copy(&w->column, &columns[i]))
			return error_memory(r->err);
	}
	if (r->ordinal >= 0) {
		struct reshape_column ordinal = { .name = ETL_ORDINAL_COLUMN, .from = r->ordinal };
		struct wanted *w = &r->wanted[r->count++];

		ordinal.type = etl_type_of(r->in_schema.children[r->ordinal]);
		w->moves = true;
		if (!column_copy(&w->column, &ordinal))
			return error_memory(r->err);
	}
	return ETL_OK;
}

static int make_schema(struct reshaping *r)
{
	struct etl_column *columns = calloc((size_t)r->count + 1, sizeof(*columns));
	bool made;

	if (!columns)
		return error_memory(r->err);
	for (int64_t i = 0; i < r->count; i++) {
		columns[i].name = r->wanted[i].column.name;
		columns[i].type = r->wanted[i].column.type.type;
		columns[i].precision = r->wanted[i].column.type.precision;
		columns[i].scale = r->wanted[i].column.type.scale;
	}
	made = etl_schema_make(&r->out_schema, columns, (size_t)r->count, sizeof(*columns));
	free(columns);
	return made ? ETL_OK : error_memory(r->err);
}

/* Reads a constant or fallback once, in the type of its column. */
static int put_given(struct reshaping *r, struct etl_builder *b, int64_t i)
{
	struct wanted *w = &r->wanted[i];
	const char *text = w->column.from < 0 ? w->column.value : w->column.fallback;
	struct etl_text why = { .at = NULL };
	const char *code;
	int ret;

	if (!text) {
		etl_put_null(&b->columns[i]);
		return ETL_OK;
	}
	w->given = true;
	code = etl_convert_text(&b->columns[i], text, strlen(text));
	if (!code)
		return ETL_OK;
	if (strcmp(code, "no_memory") == 0)
		return error_memory(r->err);
	etl_text_addf(&why, "the %s ", w->column.from < 0 ? "value" : "fallback");
	etl_text_add_json(&why, text, strlen(text));
	reshape_add_wish(&why, &w->column, code);
	error_at(r->err, NULL, w->column.name, NULL);
	ret = why.failed ? error_memory(r->err) : error_set(r->err, ETL_USAGE, "%s", why.at);
	etl_text_free(&why);
	return ret;
}

static int make_givens(struct reshaping *r)
{
	struct etl_builder *b = etl_builder_new(&r->out_schema, 1);
	int status = b ? ETL_OK : error_memory(r->err);

	for (int64_t i = 0; i < r->count && status == ETL_OK; i++)
		status = put_given(r, b, i);
	if (status == ETL_OK &&
	    (!etl_builder_finish(b, &r->givens) || !(r->given = etl_view_new(&r->out_schema)) ||
	     !etl_view_set(r->given, &r->givens)))
		status = error_memory(r->err);
	etl_builder_free(b);
	return status;
}

/* ---- Batches --------------------------------------------------------------------------------- */

static bool make_room(struct reshaping *r, int64_t rows)
{
	if (r->builder && rows <= r->builder->capacity)
		return true;
	etl_builder_free(r->builder);
	free(r->failures);
	free(r->keep);
	r->builder = etl_builder_new(&r->out_schema, rows);
	r->failures = malloc((size_t)rows * sizeof(*r->failures) + 1);
	r->keep = malloc((size_t)rows * sizeof(*r->keep) + 1);
	if (r->builder && r->failures && r->keep)
		return true;
	etl_builder_free(r->builder);
	r->builder = NULL;
	return false;
}

static bool is_null(const struct reshape_column *column, const struct etl_column_view *from,
		    int64_t row)
{
	char buf[SPELL_MAX];
	const char *text;
	size_t size;

	if (etl_is_null(from, row))
		return true;
	if (column->null_count == 0)
		return false;
	text = reshape_spelling(from, row, buf, &size);
	for (size_t i = 0; text && i < column->null_count; i++)
		if (strlen(column->null_values[i]) == size &&
		    memcmp(column->null_values[i], text, size) == 0)
			return true;
	return false;
}

static const char *put_one(struct reshaping *r, int64_t i, int64_t row)
{
	const struct wanted *w = &r->wanted[i];
	struct etl_column_builder *to = &r->builder->columns[i];

	if (w->column.from >= 0 && !is_null(&w->column, &r->view->columns[w->column.from], row))
		return etl_convert(to, &r->view->columns[w->column.from], row);
	if (w->given)
		return etl_convert(to, &r->given->columns[i], 0);
	etl_put_null(to);
	return NULL;
}

/* Builds output column I for every row. False: no memory. */
static bool build_column(struct reshaping *r, int64_t i, int64_t rows)
{
	for (int64_t row = 0; row < rows; row++) {
		const char *code = r->failures[row].code ? "" : put_one(r, i, row);

		if (!code)
			continue;
		if (strcmp(code, "no_memory") == 0)
			return false;
		etl_put_null(&r->builder->columns[i]);
		if (!r->failures[row].code)
			r->failures[row] = (struct failure){ code, i };
	}
	return true;
}

static int reject_row(struct reshaping *r, const struct ArrowArray *batch, int64_t row)
{
	const struct failure *failure = &r->failures[row];
	const struct reshape_column *column = &r->wanted[failure->column].column;
	struct etl_text why = { .at = NULL };
	struct etl_reject reject = { .code = failure->code,
				     .column = column->name,
				     .schema = &r->in_schema,
				     .batch = batch,
				     .row = row };
	int status;

	reshape_add_shown(&why, &r->view->columns[column->from], row);
	reshape_add_wish(&why, column, failure->code);
	reject.reason = why.at;
	status = why.failed ? error_memory(r->err) : context_reject(r->context, &reject);
	etl_text_free(&why);
	return status;
}

/* Rejects the marked rows in order and lists the others. */
static int reject_rows(struct reshaping *r, const struct ArrowArray *batch, int64_t *ret_kept)
{
	int64_t kept = 0;
	int status;

	for (int64_t row = 0; row < batch->length; row++) {
		if (!r->failures[row].code) {
			r->keep[kept++] = row;
			continue;
		}
		status = reject_row(r, batch, row);
		if (status != ETL_OK)
			return status;
	}
	*ret_kept = kept;
	return ETL_OK;
}

/* Puts the columns that move in place of the empty ones of BUILT. BATCH loses them. */
static void move_columns(struct reshaping *r, struct ArrowArray *batch, struct ArrowArray *built)
{
	for (int64_t i = 0; i < r->count; i++) {
		struct ArrowArray *child = built->children[i], *from;

		if (!r->wanted[i].moves)
			continue;
		from = batch->children[r->wanted[i].column.from];
		child->release(child);
		*child = *from;
		from->release = NULL;
		if (batch->offset != 0 || child->length != batch->length) {
			child->offset += batch->offset;
			child->length = batch->length;
			child->null_count = child->null_count == 0 ? 0 : -1;
		}
	}
	built->length = batch->length;
}

/* Leaves the failed rows out of BUILT. */
static bool drop_rows(struct reshaping *r, struct ArrowArray *built, int64_t kept)
{
	struct ArrowArray good;

	if (kept == built->length)
		return true;
	if (!etl_batch_take(&good, &r->out_schema, built, r->keep, kept))
		return false;
	built->release(built);
	*built = good;
	return true;
}

/* One batch into OUT, which stays without a release when every row was rejected. */
static int reshape_batch(struct reshaping *r, struct ArrowArray *batch, struct ArrowArray *out)
{
	struct ArrowArray built;
	int64_t kept = 0;
	int status;

	if (!make_room(r, batch->length))
		return error_memory(r->err);
	if (!etl_view_set(r->view, batch))
		return error_set(r->err, ETL_BUG,
				 "a batch does not have the columns of its schema");
	memset(r->failures, 0, (size_t)batch->length * sizeof(*r->failures));
	for (int64_t i = 0; i < r->count; i++)
		if (!r->wanted[i].moves && !build_column(r, i, batch->length))
			return error_memory(r->err);
	status = reject_rows(r, batch, &kept);
	if (status != ETL_OK)
		return status;
	if (kept == 0) {
		etl_builder_truncate(r->builder, 0);
		return ETL_OK;
	}
	if (!etl_builder_finish(r->builder, &built))
		return error_memory(r->err);
	move_columns(r, batch, &built);
	if (!drop_rows(r, &built, kept)) {
		built.release(&built);
		return error_memory(r->err);
	}
	*out = built;
	return ETL_OK;
}

/* ---- Stream ---------------------------------------------------------------------------------- */

static int in_failed(struct reshaping *r, int code)
{
	const char *words = r->in.get_last_error(&r->in);

	if (code == ENOMEM)
		error_memory(r->err);
	else if (!r->err->set && code != ECANCELED)
		error_set(r->err, ETL_FATAL, "%s", words ? words : strerror(code));
	return code;
}

static int reshaping_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
	struct reshaping *r = stream->private_data;

	if (etl_schema_copy(out, &r->out_schema))
		return 0;
	error_memory(r->err);
	return ENOMEM;
}

static int reshaping_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
	struct reshaping *r = stream->private_data;
	struct ArrowArray batch, shaped = { .release = NULL };
	int code, status;

	do {
		batch.release = NULL;
		code = r->in.get_next(&r->in, &batch);
		if (code)
			return in_failed(r, code);
		if (!batch.release)
			break;
		status = reshape_batch(r, &batch, &shaped);
		batch.release(&batch);
		if (status != ETL_OK)
			return status == ETL_CANCELED ? ECANCELED : EIO;
	} while (!shaped.release);
	*out = shaped;
	return 0;
}

static const char *reshaping_error(struct ArrowArrayStream *stream)
{
	return ((struct reshaping *)stream->private_data)->err->message;
}

static void reshaping_free(struct reshaping *r)
{
	if (r->in_schema.release)
		r->in_schema.release(&r->in_schema);
	if (r->out_schema.release)
		r->out_schema.release(&r->out_schema);
	if (r->givens.release)
		r->givens.release(&r->givens);
	for (int64_t i = 0; i < r->count; i++)
		column_clear(&r->wanted[i].column);
	free(r->wanted);
	etl_view_free(r->view);
	etl_view_free(r->given);
	etl_builder_free(r->builder);
	free(r->failures);
	free(r->keep);
	free(r);
}

static void reshaping_release(struct ArrowArrayStream *stream)
{
	struct reshaping *r = stream->private_data;

	r->in.release(&r->in);
	reshaping_free(r);
	stream->release = NULL;
}

static int reshaping_make(struct reshaping *r, struct ArrowArrayStream *in,
			  const struct reshape_column *columns, size_t count)
{
	int code, status;

	r->in = *in;
	code = in->get_schema(in, &r->in_schema);
	if (code) {
		in_failed(r, code);
		return code == ECANCELED ? ETL_CANCELED : ETL_FAILED;
	}
	r->ordinal = etl_schema_find(&r->in_schema, ETL_ORDINAL_COLUMN);
	r->wanted = calloc(count + 1, sizeof(*r->wanted));
	r->view = etl_view_new(&r->in_schema);
	if (!r->wanted || !r->view)
		return error_memory(r->err);
	status = add_columns(r, columns, count);
	if (status == ETL_OK)
		status = make_schema(r);
	return status == ETL_OK ? make_givens(r) : status;
}

int reshape_wrap(struct ArrowArrayStream *in, const struct reshape_column *columns, size_t count,
		 struct etl_context *context, struct ArrowArrayStream *out, struct etl_error *err)
{
	struct reshaping *r = calloc(1, sizeof(*r));
	int status;

	if (!r)
		return error_memory(err);
	r->context = context;
	r->err = err;
	status = reshaping_make(r, in, columns, count);
	if (status != ETL_OK) {
		reshaping_free(r);
		return status;
	}
	in->release = NULL;
	*out = (struct ArrowArrayStream){ reshaping_schema, reshaping_next, reshaping_error,
					  reshaping_release, r };
	return ETL_OK;
}
