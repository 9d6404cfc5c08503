/*
 * A transform in one file: only the rows whose `column` is one of `values` go on. etl_filter_open makes a
 * stream of a function that decides about one row; the rows that go on are unchanged, and the others are
 * counted as filtered, never lost.
 */
#include <stdlib.h>

#include <etlrun/helpers.h>

struct etl_instance {
	const struct etl_host *host;
	const struct etl_conf *conf;
};

/* One stream. The filter comes first, so that a pointer to it is a pointer to this. */
struct filtering {
	struct etl_filter filter;
	const struct etl_host *host;
	const struct etl_conf *conf;
	struct etl_error *err;
	int64_t column;                 /* in the batches */
};

/* The value as text. A null is no text. */
static bool text_of(struct etl_text *text, const struct etl_column_view *column, int64_t row)
{
	const uint8_t *bytes;
	int64_t size;

	if (etl_is_null(column, row))
		return false;
	if (column->type.type == ETL_TEXT) {
		bytes = etl_get_bytes(column, row, &size);
		etl_text_add_bytes(text, bytes, (size_t)size);
		return true;
	}
	etl_text_add_value(text, column, row);
	return true;
}

static bool is_wanted(const struct filtering *f, const struct etl_text *text)
{
	const char *value;
	size_t i;

	for (i = 0; i < f->host->list(f->conf, "values"); i++) {
		value = f->host->item(f->conf, "values", i);
		if (strlen(value) == text->length && (text->length == 0 || memcmp(value, text->at, text->length) == 0))
			return true;
	}
	return false;
}

static int decide(struct etl_filter *filter, const struct etl_view *view, const struct ArrowSchema *schema,
		  const struct ArrowArray *batch, int64_t row)
{
	const struct filtering *f = (const struct filtering *)filter;
	struct etl_text text = { NULL, 0, 0, false };
	bool failed, keep;

	(void)schema, (void)batch;
	keep = text_of(&text, &view->columns[f->column], row) && is_wanted(f, &text);
	failed = text.failed;
	etl_text_free(&text);
	if (failed)
		return f->host->fail(f->err, ETL_MEMORY, NULL, 0, "no memory for a value");
	return keep ? ETL_ROW_KEEP : ETL_ROW_DROP;
}

static void stop(struct etl_filter *filter)
{
	free(filter);
}

/* The columns' order in the batches is that of the table. */
static int64_t find_column(const struct etl_table *table, const char *name)
{
	size_t i;

	for (i = 0; i < table->column_count; i++)
		if (strcmp(ETL_AT(const struct etl_column, table->columns, table->column_size, i)->name, name) == 0)
			return (int64_t)i;
	return -1;
}

static int toy_wrap(struct etl_instance *self, const struct etl_wrap *wrap, struct ArrowArrayStream *in,
		    struct ArrowArrayStream *out, struct etl_error *err)
{
	const char *name = self->host->str(self->conf, "column");
	int64_t column = find_column(wrap->in, name);
	struct filtering *f;

	if (column < 0)
		return self->host->fail(err, ETL_USAGE, NULL, 0, "the table %s has no column %s to filter by",
					wrap->in->name, name);
	f = calloc(1, sizeof(*f));
	if (f) {
		*f = (struct filtering){ { decide, stop }, self->host, self->conf, err, column };
		if (etl_filter_open(out, in, self->host, wrap->context, &f->filter))
			return ETL_OK;
	}
	free(f);
	return self->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to filter %s", wrap->in->name);
}

static int toy_open(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
		    struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	*self = (struct etl_instance){ host, conf };
	*ret = self;
	return ETL_OK;
}

static void toy_close(struct etl_instance *self)
{
	free(self);
}

static const struct etl_option options[] = {
	{ .name = "column", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_REQUIRED, .help = "The column that decides." },
	{ .name = "values", .kind = ETL_OPT_LIST, .flags = ETL_OPT_REQUIRED, .help = "Rows with one of these go on." },
	{ .name = NULL },
};

static const struct etl_transform transform = {
	.size = sizeof(transform), .flags = ETL_REPEATS, .rows = ETL_ROWS_FEWER, .wrap = toy_wrap,
};

static const struct etl_plugin toy_transform = {
	ETL_ABI, 0, sizeof(toy_transform), sizeof(options[0]), "toy_transform", "1.0", "keeps rows by the value of a column",
	"0BSD", NULL, options, toy_open, toy_close, NULL, NULL, NULL, NULL, NULL, &transform, NULL,
};

ETL_PLUGIN(toy_transform, toy_transform)
